//! What the operating system gives, or `alloc` where there is none.

use crate::Result;

/// Growable zeroed bytes.
pub(crate) struct Pages {
    base: *mut u8,
    len: usize,
}

impl Pages {
    /// `bytes` zeroed bytes, with address space for `reserve` if the system can.
    pub(crate) fn new(bytes: usize, reserve: usize) -> Result<Self> {
        todo!()
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Grows to `new_len` bytes. This may move the base.
    pub(crate) fn grow(&mut self, new_len: usize) -> Result<(), ()> {
        todo!()
    }
}
