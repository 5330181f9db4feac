//! Ownership of objects at stable addresses, freed together.

use alloc::{boxed::Box, vec::Vec};
use core::{marker::PhantomData, ptr::NonNull};

/// Owns values that are reached through raw pointers.
///
/// Values are kept as raw pointers and not as boxes, because moving a box would claim that no other
/// pointer to its content is used.
pub(crate) struct Arena<T> {
    chunks: Vec<NonNull<[T]>>,
    len: usize,
    marker: PhantomData<T>,
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            marker: PhantomData,
        }
    }

    /// How many values it owns.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes a value.
    pub(crate) fn add(&mut self, value: T) -> NonNull<T> {
        self.add_all(Box::new([value])).cast()
    }

    /// Takes values, side by side.
    pub(crate) fn add_all(&mut self, values: Box<[T]>) -> NonNull<[T]> {
        self.len += values.len();
        let chunk = NonNull::from(Box::leak(values));
        self.chunks.push(chunk);
        chunk
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        for chunk in &self.chunks {
            // SAFETY: `add_all` leaked this box, and nobody else frees it. Pointers to its content are used
            // only while the store that owns this arena is alive.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
    }
}
