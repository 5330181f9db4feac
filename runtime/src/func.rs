//! Functions, and the view that host functions have of their caller.

use core::{
    fmt,
    ptr::{self, NonNull},
};

use smallvec::{SmallVec, smallvec};

use crate::{
    AsContext, AsContextMut, Engine, Extern, FuncType, Instance, IntoFunc, Result, ResumableCall,
    StoreContext, StoreContextMut, TypedFunc, Val, WasmParams, WasmResults,
    error::bail,
    exec::{self, Suspended},
    store::{FuncObj, HostCall, HostFunc, InstanceObj, StoreId, StoreInner},
    sync::Arc,
    value,
};

/// A function in a store, of Wasm or of the host.
#[derive(Copy, Clone)]
pub struct Func {
    store: StoreId,
    object: NonNull<FuncObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Func {}
// SAFETY: as above.
unsafe impl Sync for Func {}

impl fmt::Debug for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Func").field(&self.object).finish()
    }
}

impl Func {
    /// A host function of a type that is known only at run time.
    ///
    /// The closure gets the arguments, and fills in the results. These have the zero or null of their types
    /// before; a result of another type is an error.
    pub fn new<T>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let mut store = store.as_context_mut();
        let func = dynamic(store.engine(), ty, func);
        Self::from_host(store.inner_mut(), func)
    }

    /// A host function whose type is that of a closure.
    pub fn wrap<T, Params, Results>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Self {
        let mut store = store.as_context_mut();
        let func = func.into_host_func(store.engine()).0;
        Self::from_host(store.inner_mut(), func)
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        self.type_in(store.as_context().inner()).clone()
    }

    /// Calls it.
    ///
    /// # Errors
    /// If the number or types of the arguments or the number of results is wrong, if it traps, or if it is a
    /// host function that returns an error.
    ///
    /// # Panics
    /// If the function belongs to another store.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let mut store = store.as_context_mut();
        let suspended = self.call_by(&mut store, params, results, |store, slots| {
            exec::invoke(store, self.object, slots).map(|()| None)
        })?;
        debug_assert!(suspended.is_none());
        Ok(())
    }

    /// Calls it in such a way that the call can go on after it has run out of fuel or come to the epoch
    /// deadline: see [`Config::consume_fuel`] and [`Config::epoch_interruption`]. `results` are filled in
    /// when the function returns.
    ///
    /// ```
    /// use teff_runtime::{Config, Engine, Instance, Module, ResumableCall, Store, Val};
    ///
    /// # fn main() -> teff_runtime::Result<()> {
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let text = r#"(module (func (export "count") (result i32) (local $i i32)
    ///     (loop
    ///         (local.set $i (i32.add (local.get $i) (i32.const 1)))
    ///         (br_if 0 (i32.lt_u (local.get $i) (i32.const 1000))))
    ///     (local.get $i)))"#;
    /// let module = Module::new(&engine, wat::parse_str(text)?)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let count = instance.get_func(&mut store, "count").unwrap();
    ///
    /// let (mut results, mut slices) = ([Val::I32(0)], 0);
    /// let mut call = count.call_resumable(&mut store, &[], &mut results)?;
    /// while let ResumableCall::OutOfFuel(suspended) = call {
    ///     slices += 1;
    ///     let fuel = store.get_fuel()? + suspended.required_fuel().max(1_000);
    ///     store.set_fuel(fuel)?;
    ///     call = suspended.resume(&mut store, &mut results)?;
    /// }
    /// assert_eq!(results[0].unwrap_i32(), 1000);
    /// assert!(slices > 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What is suspended is this call alone. If it calls a host function which calls Wasm again, with
    /// [`Func::call`], then that inner call cannot be suspended and traps; the host function gets the
    /// error.
    ///
    /// [`Config::consume_fuel`]: crate::Config::consume_fuel
    /// [`Config::epoch_interruption`]: crate::Config::epoch_interruption
    ///
    /// # Errors
    /// As [`Func::call`].
    ///
    /// # Panics
    /// As [`Func::call`].
    pub fn call_resumable(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<ResumableCall> {
        let mut store = store.as_context_mut();
        let suspended = self.call_by(&mut store, params, results, |store, slots| {
            exec::invoke_resumable(store, self.object, slots)
        })?;
        Ok(ResumableCall::of(suspended, self.store))
    }

    /// Checks and stores the parameters, has `invoke` make the call, and loads the results if it has
    /// returned.
    #[track_caller]
    fn call_by<T>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        params: &[Val],
        results: &mut [Val],
        invoke: impl FnOnce(NonNull<StoreInner>, &mut [u64]) -> Result<Option<Suspended>>,
    ) -> Result<Option<Suspended>> {
        // SAFETY: functions keep their types as long as the store lives, whatever the call does to it.
        let ty = unsafe { &*ptr::from_ref(self.type_in(store.inner())) };
        check_count("arguments", ty.param_slice().len(), params.len())?;
        check_count("results", ty.result_slice().len(), results.len())?;

        let mut slots: SmallVec<[u64; 16]> = smallvec![0; ty.area_slots() as usize];
        value::store_all(&mut slots, params, ty.param_slice(), self.store)
            .map_err(|error| error.context("bad argument"))?;
        let suspended = invoke(store.inner_ptr(), &mut slots)?;
        if suspended.is_none() {
            value::load_all(&slots, results, ty.result_slice(), self.store);
        }
        Ok(suspended)
    }

    /// The same function with types that are known at compile time, which makes calls fast.
    ///
    /// # Errors
    /// If the function has another type.
    pub fn typed<Params: WasmParams, Results: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<Params, Results>> {
        TypedFunc::new(*self, self.type_in(store.as_context().inner()))
    }

    pub(crate) fn from_host(store: &mut StoreInner, func: Arc<HostFunc>) -> Self {
        Self {
            store: store.id,
            object: store.add_host_func(func),
        }
    }

    /// A handle to a function of the store with this identity.
    pub(crate) fn from_object(store: StoreId, object: NonNull<FuncObj>) -> Self {
        Self { store, object }
    }

    /// The function that a slot holds a reference to, if that is not null.
    pub(crate) fn from_slot(slot: u64, store: StoreId) -> Option<Self> {
        let object = NonNull::new(ptr::with_exposed_provenance_mut(slot as usize))?;
        Some(Self { store, object })
    }

    /// The reference that a slot holds.
    pub(crate) fn to_slot(self, store: StoreId) -> Result<u64> {
        value::check_store(self.store, store)?;
        Ok(self.object.as_ptr().expose_provenance() as u64)
    }

    /// The object, which is one of this store.
    #[inline]
    #[track_caller]
    pub(crate) fn object(&self, store: &StoreInner) -> NonNull<FuncObj> {
        store.check(self.store);
        self.object
    }

    /// Its type.
    #[track_caller]
    pub(crate) fn type_in<'a>(&self, store: &'a StoreInner) -> &'a FuncType {
        // SAFETY: `object` checks that the function belongs to this store, where it never goes away.
        let object: &'a FuncObj = unsafe { self.object(store).as_ref() };
        object.type_in(store)
    }
}

impl FuncObj {
    /// The type of a function of this store.
    pub(crate) fn type_in<'a>(&'a self, store: &'a StoreInner) -> &'a FuncType {
        // SAFETY: instances are never freed before the store.
        match unsafe { self.instance.as_ref() } {
            Some(instance) => instance.module.inner().func_type(self.index),
            None => &store.host_func(self.index).ty,
        }
    }
}

pub(crate) fn check_count(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected != found {
        bail!("the function has {expected} {what}, but {found} were given");
    }
    Ok(())
}

/// A host function of a type that is known only at run time.
pub(crate) fn dynamic<T>(
    engine: &Engine,
    ty: FuncType,
    func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> Arc<HostFunc> {
    HostFunc::new(engine, ty, move |call| {
        let store = call.store_id();
        let null = || Val::I32(0);
        let mut params: SmallVec<[Val; 8]> = smallvec![null(); call.ty.param_slice().len()];
        value::load_all(call.slots, &mut params, call.ty.param_slice(), store);
        let defaults = call
            .ty
            .result_slice()
            .iter()
            .map(|ty| Val::default_for_ty(ty).unwrap_or_else(null));
        let mut results: SmallVec<[Val; 8]> = defaults.collect();

        // SAFETY: only a store of this `T` takes this function.
        let caller = unsafe { Caller::new(&call) };
        func(caller, &params, &mut results)?;
        value::store_all(call.slots, &results, call.ty.result_slice(), store)
            .map_err(|error| error.context("bad result of a host function"))
    })
}

/// A host function in a form that a store or linker can take.
pub struct HostFuncBox(pub(crate) Arc<HostFunc>);

/// What a host function sees of the Wasm that called it: the store, and the exports of the caller.
pub struct Caller<'a, T> {
    store: StoreContextMut<'a, T>,
    instance: *mut InstanceObj,
}

impl<'a, T> Caller<'a, T> {
    /// The caller of a host function.
    ///
    /// # Safety
    /// The store has data of the type `T`.
    pub(crate) unsafe fn new(call: &HostCall<'a>) -> Self {
        // SAFETY: the caller promises the type; nobody else uses the store while the host runs.
        let store = unsafe { StoreContextMut::from_inner(call.store) };
        Self {
            store,
            instance: call.instance,
        }
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        self.store.engine()
    }

    /// The instance that called; nothing if the host itself called. Who looks up the same exports at every call
    /// can keep them by it.
    pub fn instance(&self) -> Option<Instance> {
        let object = NonNull::new(self.instance)?;
        Some(Instance::from_object(self.store.inner().id, object))
    }

    /// An export of the instance that called; nothing if the host itself called.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        // SAFETY: the instance belongs to the store, where it never goes away.
        let instance = unsafe { self.instance.as_ref() }?;
        instance.export(name, self.store.inner().id)
    }

    /// The fuel that is left.
    ///
    /// # Errors
    /// As [`Store::set_fuel`](crate::Store::set_fuel).
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.get_fuel()
    }

    /// Sets the fuel that is left.
    ///
    /// # Errors
    /// As [`Store::set_fuel`](crate::Store::set_fuel).
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.set_fuel(fuel)
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}
