//! Temporary stand-in for the map of translated code.

use alloc::boxed::Box;

use crate::Config;

/// Where the code of one function is found.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct FuncEntry {
    _private: usize,
}

/// The entries of all functions that a module defines.
#[derive(Debug)]
pub(crate) struct CodeMap {
    entries: Box<[FuncEntry]>,
}

impl CodeMap {
    pub(crate) fn new(_config: &Config, n_defined: u32) -> Self {
        Self {
            entries: (0..n_defined).map(|_| FuncEntry::default()).collect(),
        }
    }

    pub(crate) fn entry(&self, defined_index: u32) -> *const FuncEntry {
        &self.entries[defined_index as usize]
    }
}
