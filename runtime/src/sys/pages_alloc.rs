//! Growable zeroed bytes from the allocator.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ptr::{self, NonNull};

use super::OutOfMemory;

/// Growable zeroed bytes.
#[derive(Debug)]
pub(crate) struct Pages {
    base: NonNull<u8>,
    len: usize,
}

/// As vectors of the widest kind want it; enough for any access that a host makes.
const ALIGN: usize = 16;

fn layout(len: usize) -> Result<Layout, OutOfMemory> {
    Layout::from_size_align(len, ALIGN).map_err(|_| OutOfMemory)
}

impl Pages {
    /// What lengths are multiples of where whole words are accessed.
    pub(crate) const GRANULE: usize = 8;

    /// `len` zeroed bytes. The allocator cannot reserve address space, so `_reserve` is not used.
    pub(crate) fn new(len: usize, _reserve: usize) -> Result<Self, OutOfMemory> {
        if len == 0 {
            return Ok(Self {
                base: NonNull::dangling(),
                len,
            });
        }
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(layout(len)?) };
        Ok(Self {
            base: NonNull::new(base).ok_or(OutOfMemory)?,
            len,
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Grows to `new_len` bytes, which moves the base.
    pub(crate) fn grow(&mut self, new_len: usize) -> Result<(), OutOfMemory> {
        debug_assert!(new_len >= self.len);
        if new_len > self.len {
            let new = Self::new(new_len, 0)?;
            // SAFETY: both are valid for the old length, and they are different allocations.
            unsafe { ptr::copy_nonoverlapping(self.base(), new.base(), self.len) };
            *self = new;
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let (1.., Ok(layout)) = (self.len, layout(self.len)) {
            // SAFETY: `new` allocated these bytes with this layout.
            unsafe { dealloc(self.base(), layout) };
        }
    }
}
