//! Linear memories.

use core::{fmt, ptr::NonNull, slice};

use crate::{
    AsContext, AsContextMut, MemoryType, Result, StoreContext, StoreContextMut,
    error::bail,
    store::{MemoryObj, StoreId, StoreInner},
};

/// A linear memory in a store.
#[derive(Copy, Clone)]
pub struct Memory {
    store: StoreId,
    object: NonNull<MemoryObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memory").field(&self.object).finish()
    }
}

/// [`Memory::read`] or [`Memory::write`] outside of the memory.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryAccessError;

impl fmt::Display for MemoryAccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of bounds memory access")
    }
}

impl core::error::Error for MemoryAccessError {}

/// All methods panic if the memory belongs to another store.
impl Memory {
    /// A new memory, zeroed.
    ///
    /// # Errors
    /// If that is beyond the store's limits, if there is not enough memory, or if the engine has no pages of that size
    /// ([`Config::wasm_custom_page_sizes`](crate::Config::wasm_custom_page_sizes)).
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Self> {
        let mut store = store.as_context_mut();
        let store = store.inner_mut();
        let custom = ty.page_size_log2() != MemoryType::DEFAULT_PAGE_SIZE_LOG2;
        if custom && !store.engine().config().custom_page_sizes {
            bail!(
                "the engine has no pages of {} bytes (Config::wasm_custom_page_sizes)",
                ty.page_size()
            );
        }
        let memory = MemoryObj::new(&ty, store.limits())?;
        Ok(Self {
            store: store.id,
            object: store.add_memory(memory)?,
        })
    }

    /// Its type; the minimum is its present size.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        self.borrow(store.as_context().inner()).ty()
    }

    /// Its bytes.
    pub fn data<'a, T: 'a>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        let store = store.into();
        let object = self.borrow(store.inner());
        // SAFETY: the first `len` bytes are accessible and initialised, and nobody writes to them or moves
        // them while the store is borrowed.
        unsafe { slice::from_raw_parts(object.base, object.len) }
    }

    /// Its bytes.
    pub fn data_mut<'a, T: 'a>(&self, store: impl Into<StoreContextMut<'a, T>>) -> &'a mut [u8] {
        self.data_and_store_mut(store).0
    }

    /// Its bytes and the embedder's data, both at once.
    pub fn data_and_store_mut<'a, T: 'a>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let store = store.into();
        let object = self.borrow(store.inner());
        // SAFETY: as in `data`; the store is borrowed exclusively for `'a`, and the bytes are not part of
        // the embedder's data.
        let bytes = unsafe { slice::from_raw_parts_mut(object.base, object.len) };
        (bytes, store.into_data_mut())
    }

    /// Copies bytes out of the memory.
    ///
    /// # Errors
    /// If they are not all within the memory; then nothing is copied.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), MemoryAccessError> {
        let store = store.as_context();
        let bytes = self
            .data(store)
            .get(offset..)
            .and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(MemoryAccessError)?);
        Ok(())
    }

    /// Copies bytes into the memory.
    ///
    /// # Errors
    /// If they would not all be within the memory; then nothing is copied.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        buffer: &[u8],
    ) -> Result<(), MemoryAccessError> {
        let store = store.as_context_mut();
        let bytes = self
            .data_mut(store)
            .get_mut(offset..)
            .and_then(|rest| rest.get_mut(..buffer.len()));
        bytes.ok_or(MemoryAccessError)?.copy_from_slice(buffer);
        Ok(())
    }

    /// Its size in pages.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.borrow(store.as_context().inner()).size()
    }

    /// Bytes in a page.
    pub fn page_size(&self, store: impl AsContext) -> u64 {
        1 << self.borrow(store.as_context().inner()).page_size_log2
    }

    /// Its size in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.borrow(store.as_context().inner()).len
    }

    /// Grows it by `delta` pages and returns its size in pages before.
    ///
    /// # Errors
    /// If that is beyond the memory's maximum or the store's limits, or if there is not enough memory.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let mut store = store.as_context_mut();
        let object = self.object(store.inner_mut());
        // SAFETY: `object` checks that the memory belongs to this store, which is borrowed exclusively.
        let object = unsafe { &mut *object.as_ptr() };
        let Some(old) = object.grow(delta) else {
            let (size, limit) = (object.size(), object.limit);
            bail!("cannot grow a memory of {size} pages by {delta}: the limit is {limit} pages");
        };
        Ok(old)
    }

    /// A handle to a memory of the store with this identity.
    pub(crate) fn from_object(store: StoreId, object: NonNull<MemoryObj>) -> Self {
        Self { store, object }
    }

    /// The object, which is one of this store.
    #[track_caller]
    pub(crate) fn object(&self, store: &StoreInner) -> NonNull<MemoryObj> {
        store.check(self.store);
        self.object
    }

    /// The object, which is one of this store.
    #[track_caller]
    pub(crate) fn borrow<'a>(&self, store: &'a StoreInner) -> &'a MemoryObj {
        // SAFETY: `object` checks that the memory belongs to this store, where it never goes away.
        unsafe { self.object(store).as_ref() }
    }
}
