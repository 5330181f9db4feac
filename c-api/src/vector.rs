//! Vectors: `wasm_..._vec_t`. One type for all; an element knows how it is copied, and drops what it owns.

use alloc::vec::Vec;
use core::{mem, mem::MaybeUninit, ptr, slice};

use crate::libc;

/// A size and that many elements in memory from C's allocator; NULL if there are none.
///
/// A vector in C's hands can also lead to an array of C's. Such are only ever borrowed.
#[repr(C)]
pub(crate) struct Vector<T> {
    size: usize,
    data: *mut T,
}

/// What vectors are made of. All zeros are a value of the type.
pub(crate) trait Element {
    fn copy(&self) -> Self;
}

impl<T: Element> Vector<T> {
    pub(crate) const EMPTY: Self = Self {
        size: 0,
        data: ptr::null_mut(),
    };

    /// As many elements, all zeros.
    pub(crate) fn zeroed(size: usize) -> Self {
        if size == 0 {
            return Self::EMPTY;
        }
        Self {
            size,
            data: libc::zeroed(size).as_ptr(),
        }
    }

    /// The elements, moved out of C's array.
    ///
    /// # Safety
    /// `data` has `size` elements, which the caller gives up.
    pub(crate) unsafe fn of_array(size: usize, data: *const T) -> Self {
        let vector = Self::zeroed(size);
        if size > 0 {
            // SAFETY: both are valid for `size` elements, and the second was just allocated.
            unsafe { ptr::copy_nonoverlapping(data, vector.data, size) };
        }
        vector
    }

    pub(crate) fn copy(&self) -> Self {
        self.as_slice().iter().map(T::copy).collect()
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: the vector is one of this API's, or of C's with the promise that `data` has `size` elements.
        unsafe { slice::from_raw_parts(self.data, self.size) }
    }

    /// The elements of a vector that was made by this API.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        if self.size == 0 {
            return &mut [];
        }
        // SAFETY: as in `as_slice`.
        unsafe { slice::from_raw_parts_mut(self.data, self.size) }
    }

    /// Room for results, which C need not have initialised.
    pub(crate) fn as_uninit(&mut self) -> &mut [MaybeUninit<T>] {
        if self.size == 0 {
            return &mut [];
        }
        // SAFETY: as in `as_slice`, but for the contents.
        unsafe { slice::from_raw_parts_mut(self.data.cast(), self.size) }
    }

    /// Takes the contents out of a vector that C gives up, and leaves an empty one.
    pub(crate) fn take(&mut self) -> Self {
        mem::replace(self, Self::EMPTY)
    }
}

impl<T: Element> FromIterator<T> for Vector<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let elements: Vec<MaybeUninit<T>> = elements.into_iter().map(MaybeUninit::new).collect();
        // SAFETY: all are initialised, and dropped by nobody else.
        unsafe { Self::of_array(elements.len(), elements.as_ptr().cast()) }
    }
}

impl<T> Drop for Vector<T> {
    fn drop(&mut self) {
        if self.data.is_null() {
            return;
        }
        // SAFETY: a vector that is owned has `size` elements in memory of C's allocator.
        unsafe {
            ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.data, self.size));
            libc::release(self.data);
        }
    }
}

impl Element for u8 {
    fn copy(&self) -> Self {
        *self
    }
}

/// The functions that each vector has.
macro_rules! vector {
    ($ty:ident, $element:ty, $empty:ident $zeroed:ident $new:ident $copy:ident $delete:ident) => {
        pub(crate) type $ty = $crate::vector::Vector<$element>;

        $crate::guard::c_api! {
            fn $empty(out: &mut core::mem::MaybeUninit<$ty>) {
                out.write($ty::EMPTY);
            }

            fn $zeroed(out: &mut core::mem::MaybeUninit<$ty>, size: usize) {
                out.write($ty::zeroed(size));
            }

            fn $new(out: &mut core::mem::MaybeUninit<$ty>, size: usize, data: *const $element) {
                // SAFETY: the header asks for `size` elements, and takes them over.
                out.write(unsafe { $ty::of_array(size, data) });
            }

            fn $copy(out: &mut core::mem::MaybeUninit<$ty>, vector: &$ty) {
                out.write(vector.copy());
            }

            fn $delete(vector: Option<&mut $ty>) {
                vector.map($ty::take);
            }
        }
    };
}
pub(crate) use vector;

vector! {
    wasm_byte_vec_t, u8, wasm_byte_vec_new_empty wasm_byte_vec_new_uninitialized
    wasm_byte_vec_new wasm_byte_vec_copy wasm_byte_vec_delete
}

impl Vector<u8> {
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        // SAFETY: bytes can be copied.
        unsafe { Self::of_array(bytes.len(), bytes.as_ptr()) }
    }

    /// A message: with a null byte at its end, and none before.
    pub(crate) fn of_message(message: &str) -> Self {
        let text = message.as_bytes().split(|&byte| byte == 0).next();
        let text = text.unwrap_or_default();
        let mut bytes = Self::zeroed(text.len() + 1);
        bytes.as_mut_slice()[..text.len()].copy_from_slice(text);
        bytes
    }
}
