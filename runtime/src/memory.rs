//! Linear memories.

use core::{fmt, ptr::NonNull};

use crate::{
    AsContext, AsContextMut, MemoryType, Result, StoreContext, StoreContextMut,
    store::{MemoryObj, StoreId},
};

/// A linear memory in a store.
#[derive(Copy, Clone, Debug)]
pub struct Memory {
    store: StoreId,
    ptr: NonNull<MemoryObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// [`Memory::read`] or [`Memory::write`] outside of the memory.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub struct MemoryAccessError;

impl fmt::Display for MemoryAccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of bounds memory access")
    }
}

impl core::error::Error for MemoryAccessError {}

impl Memory {
    /// A new memory, zeroed.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Self> {
        todo!()
    }

    /// Its type; the minimum is its present size.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        todo!()
    }

    /// Its bytes.
    pub fn data<'a, T: 'a>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        todo!()
    }

    /// Its bytes.
    pub fn data_mut<'a, T: 'a>(&self, store: impl Into<StoreContextMut<'a, T>>) -> &'a mut [u8] {
        todo!()
    }

    /// Its bytes and the embedder's data, both at once.
    pub fn data_and_store_mut<'a, T: 'a>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        todo!()
    }

    /// Copies bytes out of the memory.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), MemoryAccessError> {
        todo!()
    }

    /// Copies bytes into the memory.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        buffer: &[u8],
    ) -> Result<(), MemoryAccessError> {
        todo!()
    }

    /// Its size in pages.
    pub fn size(&self, store: impl AsContext) -> u64 {
        todo!()
    }

    /// Its size in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        todo!()
    }

    /// Grows it by `delta` pages and returns its size before.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        todo!()
    }
}
