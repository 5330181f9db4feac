//! Functions, and the view that host functions have of their caller.

use core::{marker::PhantomData, ptr::NonNull};

use crate::{
    AsContext, AsContextMut, Engine, Extern, FuncType, IntoFunc, Result, StoreContext,
    StoreContextMut, TypedFunc, Val, WasmParams, WasmResults,
    store::{FuncObj, InstanceObj, StoreId},
};

/// A function in a store, of Wasm or of the host.
#[derive(Copy, Clone, Debug)]
pub struct Func {
    store: StoreId,
    ptr: NonNull<FuncObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Func {}
// SAFETY: as above.
unsafe impl Sync for Func {}

impl Func {
    /// A host function of a type that is known only at run time.
    ///
    /// The closure gets the arguments, and must fill in results of the function's result types.
    pub fn new<T>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        todo!()
    }

    /// A host function whose type is that of a closure.
    pub fn wrap<T, Params, Results>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Self {
        todo!()
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        todo!()
    }

    /// Calls it. The number and types of the arguments and the number of results are checked.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        todo!()
    }

    /// The same function with types that are known at compile time, which makes calls fast.
    pub fn typed<Params: WasmParams, Results: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<Params, Results>> {
        todo!()
    }
}

/// What a host function sees of the Wasm that called it: the store, and the exports of the caller.
pub struct Caller<'a, T> {
    store: StoreContextMut<'a, T>,
    instance: *mut InstanceObj,
}

impl<T> Caller<'_, T> {
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

    /// An export of the instance that called; nothing if the host called.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        todo!()
    }

    /// The fuel that is left.
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.get_fuel()
    }

    /// Sets the fuel that is left.
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
