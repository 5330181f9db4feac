//! Host functions: what Wasm calls of the embedder.

use core::ptr::{self, NonNull};

use super::{FuncObj, InstanceObj, StoreId, StoreInner};
use crate::{Engine, Result, sync::Arc, types::FuncType};

/// One call to the host.
pub(crate) struct HostCall<'a> {
    pub(crate) store: NonNull<StoreInner>,
    /// The instance that calls, or null when the host itself does.
    pub(crate) instance: *mut InstanceObj,
    /// The type of the function that is called.
    pub(crate) ty: &'a FuncType,
    /// Parameters in, results out: [`FuncType::area_slots`] of them.
    pub(crate) slots: &'a mut [u64],
}

impl HostCall<'_> {
    #[inline]
    pub(crate) fn store_id(&self) -> StoreId {
        // SAFETY: the store outlives the calls of its functions.
        unsafe { (*self.store.as_ptr()).id }
    }
}

/// A host function, kept by linkers and stores.
pub(crate) struct HostFunc<F: ?Sized = HostCode> {
    /// Holds the number of the type.
    engine: Engine,
    pub(crate) ty: FuncType,
    /// The engine's number of the type.
    pub(crate) sig: u32,
    call: F,
}

/// The code of a host function.
///
/// It may assume that the store of a call has the data type that it was made for: only stores and linkers
/// of that type take it.
pub(crate) type HostCode = dyn Fn(HostCall<'_>) -> Result<()> + Send + Sync;

impl HostFunc {
    pub(crate) fn new(
        engine: &Engine,
        ty: FuncType,
        call: impl Fn(HostCall<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let mut types = [ty];
        let sig = engine.register(&mut types)[0];
        let [ty] = types;
        Arc::new(HostFunc {
            engine: engine.clone(),
            ty,
            sig,
            call,
        })
    }
}

impl<F: ?Sized> Drop for HostFunc<F> {
    fn drop(&mut self) {
        self.engine.release(core::slice::from_ref(&self.ty));
    }
}

impl StoreInner {
    /// Takes a host function.
    pub(crate) fn add_host_func(&mut self, func: Arc<HostFunc>) -> NonNull<FuncObj> {
        let object = FuncObj {
            entry: ptr::null(),
            instance: ptr::null_mut(),
            sig: func.sig,
            index: self.host_funcs.len() as u32,
        };
        self.host_funcs.push(func);
        self.host_func_objects.add(object)
    }

    /// Calls the host function with this number; `instance` is the caller or null.
    ///
    /// # Safety
    /// `store` is valid and nobody holds a reference to it, `index` comes from a [`FuncObj`] of this store,
    /// and `slots` are as many as the function's type needs.
    pub(crate) unsafe fn call_host(
        store: NonNull<Self>,
        index: u32,
        instance: *mut InstanceObj,
        slots: &mut [u64],
    ) -> Result<()> {
        // SAFETY: the caller promises that the store is valid and the index is one of its list. The function
        // is used through its own address, as the list may move when the call adds functions to it; it
        // is never freed before the store.
        let func: &HostFunc = unsafe {
            let funcs = &(*store.as_ptr()).host_funcs;
            &*Arc::as_ptr(&funcs[index as usize])
        };
        debug_assert_eq!(slots.len(), func.ty.area_slots() as usize);
        (func.call)(HostCall {
            store,
            instance,
            ty: &func.ty,
            slots,
        })
    }
}
