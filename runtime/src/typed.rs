//! Function types at compile time: which Rust types are Wasm values, and which closures are functions.
//!
//! Arguments and results go straight between Rust values and slots: a call allocates nothing.

use core::{fmt, marker::PhantomData};

use crate::{
    AsContextMut, Caller, Engine, Error, ExternRef, Func, FuncType, Result, TypedResumableCall,
    ValType,
    error::bail,
    exec,
    func::HostFuncBox,
    store::{HostFunc, StoreId},
};

/// A [`Func`] whose type was checked once, so that calls need no check and no allocation.
pub struct TypedFunc<Params, Results> {
    func: Func,
    marker: PhantomData<fn(Params) -> Results>,
}

impl<Params, Results> Clone for TypedFunc<Params, Results> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Params, Results> Copy for TypedFunc<Params, Results> {}

impl<Params, Results> fmt::Debug for TypedFunc<Params, Results> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}

/// Most slots that a [`WasmParams`] or [`WasmResults`] takes.
const MAX_SLOTS: usize = 16;

impl<Params: WasmParams, Results: WasmResults> TypedFunc<Params, Results> {
    const SLOTS: usize = {
        let (params, results) = (Params::TYPES.len(), Results::TYPES.len());
        let slots = if params > results { params } else { results };
        assert!(slots <= MAX_SLOTS);
        slots
    };

    /// `func`, which has the type `ty`, if these are its types.
    pub(crate) fn new(func: Func, ty: &FuncType) -> Result<Self> {
        if ty.param_slice() != Params::TYPES || ty.result_slice() != Results::TYPES {
            let wanted = FuncType::from_lists(
                Params::TYPES.iter().copied(),
                Results::TYPES.iter().copied(),
            );
            bail!("type mismatch: the function is {ty}, but {wanted} was asked for");
        }
        Ok(Self {
            func,
            marker: PhantomData,
        })
    }

    /// Calls it.
    ///
    /// # Errors
    /// If it traps, or if it is a host function that returns an error.
    ///
    /// # Panics
    /// If the function belongs to another store.
    pub fn call(&self, mut store: impl AsContextMut, params: Params) -> Result<Results> {
        let mut store = store.as_context_mut();
        let object = self.func.object(store.inner());
        let id = store.inner().id;
        let mut slots = [0; MAX_SLOTS];
        let slots = &mut slots[..Self::SLOTS];
        params.store(slots, id)?;
        exec::invoke(store.inner_ptr(), object, slots)?;
        Ok(Results::load(slots, id))
    }

    /// Calls it in such a way that the call can go on after it has run out of fuel or come to the epoch
    /// deadline: see [`Func::call_resumable`].
    ///
    /// # Errors
    /// As [`TypedFunc::call`].
    ///
    /// # Panics
    /// As [`TypedFunc::call`].
    pub fn call_resumable(
        &self,
        mut store: impl AsContextMut,
        params: Params,
    ) -> Result<TypedResumableCall<Results>> {
        let mut store = store.as_context_mut();
        let object = self.func.object(store.inner());
        let mut slots = [0; MAX_SLOTS];
        let slots = &mut slots[..Self::SLOTS];
        params.store(slots, store.inner().id)?;
        let suspended = exec::invoke_resumable(store.inner_ptr(), object, slots)?;
        Ok(TypedResumableCall::of(suspended, slots, store.inner()))
    }

    /// The function without its types.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

/// A Rust type that is a Wasm value: `i32` and `u32`, `i64` and `u64`, `f32`, `f64`, `Option<Func>`,
/// `Option<ExternRef>`.
pub trait WasmTy: sealed::Slot + Send + 'static {}

/// What [`TypedFunc::call`] takes: nothing `()`, one [`WasmTy`], or a tuple of up to 16.
pub trait WasmParams: sealed::Slots + Send + 'static {}

/// What [`TypedFunc::call`] gives: nothing `()`, one [`WasmTy`], or a tuple of up to 16.
pub trait WasmResults: WasmParams {}

/// What a host function may return: a [`WasmResults`], or that in a [`Result`].
pub trait WasmRet: sealed::Returned {}

/// A closure that is a host function: up to 16 [`WasmTy`] arguments, after an optional [`Caller`].
pub trait IntoFunc<T, Params, Results>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_host_func(self, engine: &Engine) -> HostFuncBox;
}

/// How values are kept in slots; not for implementation outside of this crate.
mod sealed {
    use super::{Result, StoreId, ValType};

    /// A value in one slot.
    pub trait Slot: Sized {
        const TYPE: ValType;
        fn into_slot(self, store: StoreId) -> Result<u64>;
        fn from_slot(slot: u64, store: StoreId) -> Self;
    }

    /// Values in as many slots.
    pub trait Slots: Sized {
        const TYPES: &[ValType];
        fn store(self, slots: &mut [u64], store: StoreId) -> Result<()>;
        fn load(slots: &[u64], store: StoreId) -> Self;
    }

    /// Values or an error.
    pub trait Returned {
        type Values: Slots;
        fn into_result(self) -> Result<Self::Values>;
    }
}

use sealed::{Returned, Slot, Slots};

macro_rules! numbers {
    // The upper half of a slot with a 32-bit value can be anything, so `as` cuts it off.
    ($($ty:ty: $val_type:ident, $value:ident => $into:expr, $slot:ident => $from:expr;)*) => {$(
        impl WasmTy for $ty {}

        impl Slot for $ty {
            const TYPE: ValType = ValType::$val_type;

            fn into_slot(self, _store: StoreId) -> Result<u64> {
                let $value = self;
                Ok($into)
            }

            fn from_slot($slot: u64, _store: StoreId) -> Self {
                $from
            }
        }
    )*};
}

numbers! {
    i32: I32, value => u64::from(value as u32), slot => slot as i32;
    u32: I32, value => u64::from(value), slot => slot as u32;
    i64: I64, value => value as u64, slot => slot as i64;
    u64: I64, value => value, slot => slot;
    f32: F32, value => u64::from(value.to_bits()), slot => f32::from_bits(slot as u32);
    f64: F64, value => value.to_bits(), slot => f64::from_bits(slot);
}

macro_rules! references {
    ($($ty:ty: $val_type:ident;)*) => {$(
        impl WasmTy for Option<$ty> {}

        impl Slot for Option<$ty> {
            const TYPE: ValType = ValType::$val_type;

            fn into_slot(self, store: StoreId) -> Result<u64> {
                self.map_or(Ok(0), |value| value.to_slot(store))
            }

            fn from_slot(slot: u64, store: StoreId) -> Self {
                <$ty>::from_slot(slot, store)
            }
        }
    )*};
}

references! {
    Func: FUNCREF;
    ExternRef: EXTERNREF;
}

impl<W: WasmTy> WasmParams for W {}

impl<W: WasmTy> Slots for W {
    const TYPES: &[ValType] = &[W::TYPE];

    fn store(self, slots: &mut [u64], store: StoreId) -> Result<()> {
        slots[0] = self.into_slot(store)?;
        Ok(())
    }

    fn load(slots: &[u64], store: StoreId) -> Self {
        W::from_slot(slots[0], store)
    }
}

impl<W: WasmParams> WasmResults for W {}

impl<W: WasmResults> WasmRet for W {}

impl<W: WasmResults> Returned for W {
    type Values = W;

    fn into_result(self) -> Result<W> {
        Ok(self)
    }
}

impl<W: WasmResults> WasmRet for Result<W, Error> {}

impl<W: WasmResults> Returned for Result<W, Error> {
    type Values = W;

    fn into_result(self) -> Self {
        self
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {}

        #[allow(non_snake_case, unused_mut, unused_variables, clippy::unused_unit)]
        impl<$($name: WasmTy),*> Slots for ($($name,)*) {
            const TYPES: &[ValType] = &[$($name::TYPE),*];

            fn store(self, slots: &mut [u64], store: StoreId) -> Result<()> {
                let ($($name,)*) = self;
                // One bounds check for all.
                let slots = &mut slots[..Self::TYPES.len()];
                let mut i = 0;
                $(
                    slots[i] = $name.into_slot(store)?;
                    i += 1;
                )*
                let _ = i;
                Ok(())
            }

            fn load(slots: &[u64], store: StoreId) -> Self {
                let mut slots = slots[..Self::TYPES.len()].iter().copied();
                $(let $name = $name::from_slot(slots.next().unwrap_or_default(), store);)*
                ($($name,)*)
            }
        }

        #[allow(non_snake_case)]
        impl<T, F, R, $($name),*> IntoFunc<T, ($($name,)*), R> for F
        where
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
            $($name: WasmTy,)*
        {
            fn into_host_func(self, engine: &Engine) -> HostFuncBox {
                HostFuncBox(HostFunc::new(engine, closure_type::<($($name,)*), R>(), move |call| {
                    let store = call.store_id();
                    let ($($name,)*) = Slots::load(call.slots, store);
                    self($($name),*).into_result()?.store(call.slots, store)
                }))
            }
        }

        #[allow(non_snake_case)]
        impl<T, F, R, $($name),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
            $($name: WasmTy,)*
        {
            fn into_host_func(self, engine: &Engine) -> HostFuncBox {
                HostFuncBox(HostFunc::new(engine, closure_type::<($($name,)*), R>(), move |call| {
                    let store = call.store_id();
                    let ($($name,)*) = Slots::load(call.slots, store);
                    // SAFETY: only a store of this `T` takes this function.
                    let caller = unsafe { Caller::<T>::new(&call) };
                    self(caller, $($name),*).into_result()?.store(call.slots, store)
                }))
            }
        }
    };
}

fn closure_type<Params: Slots, R: Returned>() -> FuncType {
    FuncType::from_lists(
        Params::TYPES.iter().copied(),
        <R::Values as Slots>::TYPES.iter().copied(),
    )
}

tuples!();
tuples!(A1);
tuples!(A1 A2);
tuples!(A1 A2 A3);
tuples!(A1 A2 A3 A4);
tuples!(A1 A2 A3 A4 A5);
tuples!(A1 A2 A3 A4 A5 A6);
tuples!(A1 A2 A3 A4 A5 A6 A7);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16);
