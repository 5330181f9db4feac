//! Globals.

use core::ptr::NonNull;

use crate::{
    AsContext, AsContextMut, GlobalType, Result, Val,
    store::{GlobalObj, StoreId},
};

/// A global variable in a store.
#[derive(Copy, Clone, Debug)]
pub struct Global {
    store: StoreId,
    ptr: NonNull<GlobalObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Global {}
// SAFETY: as above.
unsafe impl Sync for Global {}

impl Global {
    /// A new global.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Self> {
        todo!()
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        todo!()
    }

    /// Its value.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        todo!()
    }

    /// Changes its value, if it is mutable.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        todo!()
    }
}
