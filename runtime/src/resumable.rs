//! Calls that can stop for want of fuel, at an epoch deadline or in a host function, and go on later.

use core::{fmt, marker::PhantomData};

use smallvec::{SmallVec, smallvec};

use crate::{
    AsContextMut, Result, StoreContextMut, Trap, Val, WasmResults,
    exec::{self, Stop, Suspended},
    func::check_count,
    store::{StoreId, StoreInner},
    value,
};

/// What came of [`Func::call_resumable`](crate::Func::call_resumable).
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum ResumableCall {
    /// The function returned.
    Finished,
    /// The fuel does not suffice: see [`SuspendedCall::required_fuel`].
    OutOfFuel(SuspendedCall),
    /// The store's epoch deadline has come.
    Interrupted(SuspendedCall),
    /// A host function has returned [`Pending`]. It is called again, with the same arguments, when the call goes
    /// on.
    HostCall(SuspendedCall),
}

/// The error of a host function that has nothing to give yet.
///
/// If the Wasm that called it was called in a resumable way, that call is suspended. When it goes on the host function
/// is called once more, and returns its results or, again, this. So it should note what it was asked for where the
/// embedder finds it, and look for the answer there when it is called again.
///
/// ```
/// use teff_runtime::{Caller, Engine, Linker, Module, Pending, ResumableCall, Result, Store, Val};
///
/// # fn main() -> Result<()> {
/// let engine = Engine::default();
/// let text = r#"(module
///     (import "env" "read" (func $read (param i32) (result i32)))
///     (func (export "twice") (param i32) (result i32)
///         (i32.mul (call $read (local.get 0)) (i32.const 2))))"#;
/// let module = Module::new(&engine, wat::parse_str(text)?)?;
/// // What was asked, and the answer.
/// let mut store = Store::new(&engine, (None, None));
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap(
///     "env",
///     "read",
///     |mut caller: Caller<'_, (Option<i32>, Option<i32>)>, sensor: i32| -> Result<i32> {
///         caller.data_mut().0 = Some(sensor);
///         Ok(caller.data_mut().1.take().ok_or(Pending)?)
///     },
/// )?;
/// let instance = linker.instantiate(&mut store, &module)?;
/// let twice = instance.get_func(&mut store, "twice").unwrap();
///
/// let mut results = [Val::I32(0)];
/// let call = twice.call_resumable(&mut store, &[Val::I32(3)], &mut results)?;
/// let ResumableCall::HostCall(call) = call else { panic!() };
/// assert_eq!(store.data().0, Some(3));
/// store.data_mut().1 = Some(21);
/// assert!(matches!(call.resume(&mut store, &mut results)?, ResumableCall::Finished));
/// assert_eq!(results[0].unwrap_i32(), 42);
/// # Ok(())
/// # }
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Pending;

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host function has nothing to give yet")
    }
}

impl core::error::Error for Pending {}

/// A call that was stopped between two instructions, and can go on.
///
/// It keeps the frames of the call on a value stack of its own; until it is resumed, the store can be used
/// for anything else, also for other resumable calls, in any order. Dropping it frees the frames. What the
/// call has done to the store stays done.
///
/// The store may be dropped before it.
pub struct SuspendedCall {
    store: StoreId,
    call: Suspended,
}

// SAFETY: its addresses are used only through a borrow of the store they belong to, and it owns its frames,
// which are plain memory.
unsafe impl Send for SuspendedCall {}
// SAFETY: as above; a shared borrow reads numbers.
unsafe impl Sync for SuspendedCall {}

impl fmt::Debug for SuspendedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuspendedCall")
            .field("stop", &self.call.stop)
            .finish_non_exhaustive()
    }
}

impl SuspendedCall {
    /// If it ran out of fuel, the fuel that the store must have for it to go on at all. It may stop again
    /// soon after.
    pub fn required_fuel(&self) -> u64 {
        self.call.required
    }

    /// Goes on, after [`Store::set_fuel`](crate::Store::set_fuel) or
    /// [`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline). `results` are filled in when the
    /// function returns.
    ///
    /// # Errors
    /// As [`Func::call`](crate::Func::call). The call is lost then.
    ///
    /// # Panics
    /// If the call was made in another store.
    pub fn resume(
        self,
        mut store: impl AsContextMut,
        results: &mut [Val],
    ) -> Result<ResumableCall> {
        let mut store = store.as_context_mut();
        store.inner().check(self.store);
        // SAFETY: functions keep their types as long as the store lives, whatever the call does to it.
        let callee = unsafe { self.call.func().as_ref() };
        // SAFETY: as above.
        let ty = unsafe { &*core::ptr::from_ref(callee.type_in(store.inner())) };
        check_count("results", ty.result_slice().len(), results.len())?;
        let mut slots: SmallVec<[u64; 16]> = smallvec![0; ty.area_slots() as usize];
        let suspended = exec::resume(store.inner_ptr(), self.call, &mut slots)?;
        if suspended.is_none() {
            value::load_all(&slots, results, ty.result_slice(), self.store);
        }
        Ok(ResumableCall::of(suspended, self.store))
    }

    fn new(call: Suspended, store: StoreId) -> Self {
        Self { store, call }
    }
}

impl ResumableCall {
    /// What came of a call, which was suspended or not, in the store with this identity.
    pub(crate) fn of(suspended: Option<Suspended>, store: StoreId) -> Self {
        let Some(call) = suspended else {
            return Self::Finished;
        };
        let stop = call.stop;
        let call = SuspendedCall::new(call, store);
        match stop {
            Stop::Meter(Trap::Interrupt) => Self::Interrupted(call),
            Stop::Meter(_) => Self::OutOfFuel(call),
            Stop::Host(_) => Self::HostCall(call),
        }
    }
}

/// What came of [`TypedFunc::call_resumable`](crate::TypedFunc::call_resumable).
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum TypedResumableCall<Results> {
    /// The function returned.
    Finished(Results),
    /// The fuel does not suffice: see [`TypedSuspendedCall::required_fuel`].
    OutOfFuel(TypedSuspendedCall<Results>),
    /// The store's epoch deadline has come.
    Interrupted(TypedSuspendedCall<Results>),
    /// A host function has returned [`Pending`].
    HostCall(TypedSuspendedCall<Results>),
}

/// A [`SuspendedCall`] of a function whose results have types known at compile time.
pub struct TypedSuspendedCall<Results> {
    call: SuspendedCall,
    marker: PhantomData<fn() -> Results>,
}

impl<Results> fmt::Debug for TypedSuspendedCall<Results> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}

impl<Results: WasmResults> TypedSuspendedCall<Results> {
    /// See [`SuspendedCall::required_fuel`].
    pub fn required_fuel(&self) -> u64 {
        self.call.required_fuel()
    }

    /// See [`SuspendedCall::resume`].
    ///
    /// # Errors
    /// As [`TypedFunc::call`](crate::TypedFunc::call). The call is lost then.
    ///
    /// # Panics
    /// If the call was made in another store.
    pub fn resume(self, mut store: impl AsContextMut) -> Result<TypedResumableCall<Results>> {
        let mut store = store.as_context_mut();
        let Self { call, .. } = self;
        store.inner().check(call.store);
        let len = area_slots(&store, &call.call);
        let mut slots: SmallVec<[u64; 16]> = smallvec![0; len];
        let suspended = exec::resume(store.inner_ptr(), call.call, &mut slots)?;
        Ok(TypedResumableCall::of(suspended, &slots, store.inner()))
    }
}

impl<Results: WasmResults> TypedResumableCall<Results> {
    /// What came of a call whose results, if it returned, are in `slots`.
    pub(crate) fn of(suspended: Option<Suspended>, slots: &[u64], store: &StoreInner) -> Self {
        let typed = |call| TypedSuspendedCall {
            call,
            marker: PhantomData,
        };
        match ResumableCall::of(suspended, store.id) {
            ResumableCall::Finished => Self::Finished(Results::load(slots, store.id)),
            ResumableCall::OutOfFuel(call) => Self::OutOfFuel(typed(call)),
            ResumableCall::Interrupted(call) => Self::Interrupted(typed(call)),
            ResumableCall::HostCall(call) => Self::HostCall(typed(call)),
        }
    }
}

/// The slots for parameters and results of the function that was called, in the store of the call.
fn area_slots<T>(store: &StoreContextMut<'_, T>, call: &Suspended) -> usize {
    // SAFETY: the function belongs to the store, where it never goes away.
    let callee = unsafe { call.func().as_ref() };
    callee.type_in(store.inner()).area_slots() as usize
}
