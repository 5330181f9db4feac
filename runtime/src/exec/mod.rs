//! Temporary stand-in for the execution engine.

use core::ptr::NonNull;

use crate::{
    Config, Result,
    store::{FuncObj, StoreInner},
};

/// What handlers see of a store.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Ctx {
    _private: usize,
}

impl Ctx {
    pub(crate) fn new(_config: &Config) -> Self {
        Self { _private: 0 }
    }
}

/// Calls a function, of Wasm or of the host. `slots` has [`FuncType::area_slots`](crate::FuncType)
/// cells: parameters in, results out.
pub(crate) fn invoke(
    store: NonNull<StoreInner>,
    func: NonNull<FuncObj>,
    slots: &mut [u64],
) -> Result<()> {
    // SAFETY: callers checked that the function belongs to the store.
    let FuncObj { entry, index, .. } = unsafe { func.as_ref() };
    if entry.is_null() {
        // SAFETY: as above.
        return unsafe { StoreInner::call_host(store, *index, core::ptr::null_mut(), slots) };
    }
    todo!("calls of Wasm functions")
}
