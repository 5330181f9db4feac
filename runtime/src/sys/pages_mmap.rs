//! Growable zeroed bytes from `mmap`.
//!
//! Address space is reserved for all growth that is allowed, if there is enough of it, so that growing is
//! one system call and never moves anything. Pages get memory when they are touched first.

use core::ptr::{self, NonNull};

use super::OutOfMemory;

/// Growable zeroed bytes.
#[derive(Debug)]
pub(crate) struct Pages {
    base: NonNull<u8>,
    /// The bytes that may be accessed.
    len: usize,
    /// The bytes that are mapped, at least `len`; 0 when nothing is.
    mapped: usize,
}

impl Pages {
    /// What lengths are multiples of if growth is to succeed: no system has larger pages. What is not touched takes no
    /// memory.
    pub(crate) const GRANULE: usize = 64 << 10;

    /// `len` zeroed bytes, and address space for `reserve` if the system has that much.
    pub(crate) fn new(len: usize, reserve: usize) -> Result<Self, OutOfMemory> {
        // A 32-bit address space is too small to be given away on a guess.
        let reserve = if usize::BITS >= 64 { reserve } else { 0 };
        if reserve > len
            && let Ok(base) = map(reserve, libc::PROT_NONE)
        {
            let mut pages = Self {
                base,
                len: 0,
                mapped: reserve,
            };
            if pages.open(len).is_ok() {
                return Ok(pages);
            }
        }
        if len == 0 {
            return Ok(Self {
                base: NonNull::dangling(),
                len,
                mapped: 0,
            });
        }
        Ok(Self {
            base: map(len, READ_WRITE)?,
            len,
            mapped: len,
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Grows to `new_len` bytes, which moves the base if less was reserved.
    pub(crate) fn grow(&mut self, new_len: usize) -> Result<(), OutOfMemory> {
        debug_assert!(new_len >= self.len);
        if new_len <= self.mapped {
            self.open(new_len)
        } else {
            self.remap(new_len)
        }
    }

    /// Makes the first `new_len` mapped bytes accessible.
    fn open(&mut self, new_len: usize) -> Result<(), OutOfMemory> {
        debug_assert!(self.len <= new_len && new_len <= self.mapped);
        if new_len > self.len {
            // SAFETY: the range lies within our mapping, and it is not accessed by anyone yet.
            let failed = unsafe {
                libc::mprotect(
                    self.base().add(self.len).cast(),
                    new_len - self.len,
                    READ_WRITE,
                )
            };
            if failed != 0 {
                return Err(OutOfMemory);
            }
            self.len = new_len;
        }
        Ok(())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn remap(&mut self, new_len: usize) -> Result<(), OutOfMemory> {
        if self.len < self.mapped || self.mapped == 0 {
            // The system moves only mappings whose pages are all of one kind.
            return self.remap_by_copy(new_len);
        }
        // SAFETY: the range is all of our mapping; whoever holds addresses in it asks for the base again
        // after growth.
        let base = unsafe {
            libc::mremap(
                self.base().cast(),
                self.mapped,
                new_len,
                libc::MREMAP_MAYMOVE,
            )
        };
        self.base = check(base)?;
        (self.len, self.mapped) = (new_len, new_len);
        Ok(())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn remap(&mut self, new_len: usize) -> Result<(), OutOfMemory> {
        self.remap_by_copy(new_len)
    }

    fn remap_by_copy(&mut self, new_len: usize) -> Result<(), OutOfMemory> {
        let new = Self {
            base: map(new_len, READ_WRITE)?,
            len: new_len,
            mapped: new_len,
        };
        // SAFETY: both are valid for the old length, and they are different mappings.
        unsafe { ptr::copy_nonoverlapping(self.base(), new.base(), self.len) };
        *self = new;
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.mapped > 0 {
            // SAFETY: the range is our mapping, and its owner is going away.
            unsafe { libc::munmap(self.base().cast(), self.mapped) };
        }
    }
}

const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

fn map(len: usize, protection: libc::c_int) -> Result<NonNull<u8>, OutOfMemory> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
    check(unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) })
}

fn check(base: *mut libc::c_void) -> Result<NonNull<u8>, OutOfMemory> {
    if base == libc::MAP_FAILED {
        Err(OutOfMemory)
    } else {
        NonNull::new(base.cast()).ok_or(OutOfMemory)
    }
}
