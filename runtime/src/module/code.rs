//! Where the code of each function of a module is: translated into memory of the module's own, or placed in its
//! bytes, if they are an image.

#[cfg(feature = "compile")]
use core::sync::atomic::{AtomicPtr, Ordering};

use super::{ModuleInner, placed::Placed};
use crate::Result;

#[cfg(feature = "compile")]
pub(crate) use super::translated::Translated;

/// Where the code of one function is found. Cells name functions by the address of their entry.
///
/// Builds that translate have these in memory.
#[cfg(feature = "compile")]
#[repr(C)]
pub(crate) struct FuncEntry {
    /// The function's first cell, or the cell that has it translated.
    pub(super) code: AtomicPtr<u8>,
}

/// Where the code of one function is found. Cells name functions by the address of their entry.
///
/// Builds that only run images read these in the image, in flash as it may be.
#[cfg(not(feature = "compile"))]
#[repr(C)]
pub(crate) struct FuncEntry {
    /// Bytes from here to the function's first cell.
    distance: u32,
}

impl FuncEntry {
    /// An entry that leads to this code.
    #[cfg(feature = "compile")]
    pub(super) fn new(code: *const u8) -> Self {
        Self {
            code: AtomicPtr::new(code.cast_mut()),
        }
    }

    /// The function's first cell, or the cell that has it translated.
    ///
    /// # Safety
    /// The module that the entry belongs to is alive.
    #[inline(always)]
    pub(crate) unsafe fn code(this: *const Self) -> *const u8 {
        #[cfg(feature = "compile")]
        // SAFETY: the caller's promise. Acquire: who sees the address sees the code.
        return unsafe { (*this).code.load(Ordering::Acquire) };
        #[cfg(not(feature = "compile"))]
        // SAFETY: the caller's promise; the loader has checked that the distance ends in the image's code.
        return unsafe { this.cast::<u8>().wrapping_add((*this).distance as usize) };
    }
}

/// The code of a module.
#[cfg_attr(
    feature = "compile",
    allow(clippy::large_enum_variant, reason = "a module has one")
)]
pub(crate) enum CodeMap {
    /// Each function is translated when it is first called, or all of them when the module is loaded.
    #[cfg(feature = "compile")]
    Translated(Translated),
    /// It is in the module's bytes.
    Placed(Placed),
}

/// What the code of a module takes, in bytes.
#[derive(Default)]
pub(super) struct Usage {
    /// The functions whose code is there, by their indices among those that the module defines.
    pub(super) functions: alloc::vec::Vec<u32>,
    pub(super) bytes: usize,
    pub(super) allocated: usize,
    /// The list of where code lies.
    pub(super) placed: usize,
    pub(super) scratch: usize,
}

impl ModuleInner {
    /// The first of the entries of all functions that the module defines.
    pub(crate) fn entries(&self) -> *const FuncEntry {
        match &self.code {
            #[cfg(feature = "compile")]
            CodeMap::Translated(code) => code.entries(),
            CodeMap::Placed(code) => code.entries(&self.bytes),
        }
    }

    /// The entry of a function by its index among those that the module defines.
    pub(crate) fn entry(&self, index: u32) -> *const FuncEntry {
        debug_assert!(index < self.num_funcs() - self.num_imported_funcs());
        self.entries().wrapping_add(index as usize)
    }

    /// Translates the function of this entry, unless that was done, and gives its first cell.
    pub(crate) fn translate(&self, entry: *const FuncEntry) -> Result<*const u8> {
        match &self.code {
            #[cfg(feature = "compile")]
            CodeMap::Translated(code) => code.translate(self, code.index_of(entry)),
            // SAFETY: entries are in the module's own memory or bytes.
            CodeMap::Placed(_) => Ok(unsafe { FuncEntry::code(entry) }),
        }
    }

    /// The function, among those that the module defines, whose code `ip` points into, and the offset of `ip` in
    /// that code.
    pub(crate) fn function_at(&self, ip: *const u8) -> Option<(u32, u32)> {
        match &self.code {
            #[cfg(feature = "compile")]
            CodeMap::Translated(code) => code.find(ip),
            CodeMap::Placed(code) => code.find(&self.bytes, ip),
        }
    }

    /// Where in the code of a function its operators are; an image does not say.
    #[cfg(not(feature = "compile"))]
    pub(crate) fn offsets(&self, _index: u32) -> alloc::vec::Vec<(u32, u32)> {
        alloc::vec::Vec::new()
    }

    /// Where the body of a function begins in a Wasm binary, which an image is not.
    #[cfg(not(feature = "compile"))]
    pub(crate) fn body_start(&self, _index: u32) -> usize {
        0
    }

    /// What the code takes.
    pub(super) fn code_usage(&self) -> Usage {
        match &self.code {
            #[cfg(feature = "compile")]
            CodeMap::Translated(code) => code.usage(),
            CodeMap::Placed(code) => code.usage(),
        }
    }
}
