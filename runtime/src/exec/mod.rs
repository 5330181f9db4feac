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
    _store: NonNull<StoreInner>,
    _func: NonNull<FuncObj>,
    _slots: &mut [u64],
) -> Result<()> {
    todo!()
}
