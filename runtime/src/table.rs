//! Tables.

use core::ptr::NonNull;

use crate::{
    AsContext, AsContextMut, Ref, Result, TableType,
    store::{StoreId, TableObj},
};

/// A table in a store.
#[derive(Copy, Clone, Debug)]
pub struct Table {
    store: StoreId,
    ptr: NonNull<TableObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// A new table; every element is `init`.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Self> {
        todo!()
    }

    /// Its type; the minimum is its present size.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        todo!()
    }

    /// An element; nothing if there is none at `index`.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Ref> {
        todo!()
    }

    /// Changes an element.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Ref) -> Result<()> {
        todo!()
    }

    /// Its size in elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        todo!()
    }

    /// Grows it by `delta` elements, each `init`, and returns its size before.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        todo!()
    }

    /// Sets `len` elements from `dst` to `value`.
    pub fn fill(&self, mut store: impl AsContextMut, dst: u64, value: Ref, len: u64) -> Result<()> {
        todo!()
    }
}
