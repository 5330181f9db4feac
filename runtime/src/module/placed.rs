//! Code that lies in a module's bytes, which are an image: see [`image`](crate::image).

use core::ops::Range;

use super::{ByteRange, FuncEntry, code::Usage};
use crate::ir::CellClass;

/// The list of entries and the code, in the order of the functions.
///
/// An entry in an image is the distance in bytes from itself to the function's first cell.
pub(crate) struct Placed {
    /// Builds that can translate too have one kind of entry for both.
    #[cfg(feature = "compile")]
    entries: alloc::boxed::Box<[FuncEntry]>,
    list: ByteRange,
    code: ByteRange,
}

/// Bytes of an entry in an image.
pub(crate) const ENTRY: u32 = 4;

impl Placed {
    /// The code of an image. `bytes` are its own: they stay where they are as long as the module lives.
    ///
    /// Nothing if the list and the code do not belong together, or are not aligned.
    pub(crate) fn new(bytes: &[u8], list: ByteRange, code: ByteRange) -> Option<Self> {
        let placed = Self {
            #[cfg(feature = "compile")]
            entries: alloc::boxed::Box::default(),
            list,
            code,
        };
        placed.check(bytes)?;
        #[cfg(feature = "compile")]
        let placed = Self {
            entries: (0..placed.count())
                .map(|index| {
                    FuncEntry::new(bytes.as_ptr().wrapping_add(placed.first(bytes, index)))
                })
                .collect(),
            ..placed
        };
        Some(placed)
    }

    /// Functions follow one another in the code, each with its prelude and at least one cell.
    fn check(&self, bytes: &[u8]) -> Option<()> {
        let address = bytes.as_ptr().addr();
        let aligned = |position: u32| (address + position as usize).is_multiple_of(4);
        if !aligned(self.list.start)
            || !aligned(self.code.start)
            || !self.list.len.is_multiple_of(ENTRY)
        {
            return None;
        }
        let end = self.code.start as usize + self.code.len as usize;
        let mut least = self.code.start as usize + PRELUDE;
        for index in 0..self.count() {
            let first = self.first(bytes, index);
            if first < least || first >= end || !first.is_multiple_of(CellClass::Compact.align()) {
                return None;
            }
            least = first + CellClass::Compact.align() + PRELUDE;
        }
        Some(())
    }

    /// How many functions there are.
    pub(crate) fn count(&self) -> u32 {
        self.list.len / ENTRY
    }

    #[cfg(feature = "compile")]
    pub(super) fn entries(&self, _bytes: &[u8]) -> *const FuncEntry {
        self.entries.as_ptr()
    }

    #[cfg(not(feature = "compile"))]
    pub(super) fn entries(&self, bytes: &[u8]) -> *const FuncEntry {
        const { assert!(size_of::<FuncEntry>() == ENTRY as usize) };
        bytes.as_ptr().wrapping_add(self.list.start as usize).cast()
    }

    /// Where the first cell of a function is in the bytes.
    fn first(&self, bytes: &[u8], index: u32) -> usize {
        let entry = self.list.start + index * ENTRY;
        entry as usize + super::words::word(bytes, entry) as usize
    }

    /// Where the code of a function is in the bytes, its prelude included.
    pub(crate) fn range(&self, bytes: &[u8], index: u32) -> Range<usize> {
        let start = self.first(bytes, index) - PRELUDE;
        let end = if index + 1 < self.count() {
            self.first(bytes, index + 1) - PRELUDE
        } else {
            self.code.start as usize + self.code.len as usize
        };
        start..end
    }

    /// The function whose code `ip` points into, and the offset of `ip` in that code.
    pub(super) fn find(&self, bytes: &[u8], ip: *const u8) -> Option<(u32, u32)> {
        let position = ip.addr().wrapping_sub(bytes.as_ptr().addr());
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let range = self.range(bytes, middle);
            if position < range.start {
                high = middle;
            } else if position >= range.end {
                low = middle + 1;
            } else {
                return Some((middle, (position - range.start) as u32));
            }
        }
        None
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            functions: (0..self.count()).collect(),
            bytes: self.code.len as usize,
            ..Usage::default()
        }
    }
}

const PRELUDE: usize = CellClass::Compact.prelude();
