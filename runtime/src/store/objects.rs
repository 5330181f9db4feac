//! What instances are made of at run time: plain records at stable addresses.
//!
//! Handlers reach them through raw pointers from [`Ctx`](crate::exec::Ctx), so these records are
//! `repr(C)`, are never moved and live as long as their store. Handles of the public API (`Func`,
//! `Memory`, …) are such a pointer and the identity of the store that owns it.

use alloc::{
    alloc::{Layout, alloc_zeroed, dealloc, realloc},
    boxed::Box,
};
use core::ptr;

use crate::{
    Module, Result, StoreLimits, Trap,
    error::bail,
    module::FuncEntry,
    sys::Pages,
    types::{GlobalType, MemoryType, RefType, TableType},
};

/// A function instance (spec §4.2.7). A `funcref` in a slot is the address of one, or 0 for null.
#[repr(C)]
pub(crate) struct FuncObj {
    /// Where its code is found; null for a host function.
    pub(crate) entry: *const FuncEntry,
    /// The instance it belongs to; null for a host function.
    pub(crate) instance: *mut InstanceObj,
    /// The engine's number of its type: equal numbers, equal types.
    pub(crate) sig: u32,
    /// Its index: in the module's function index space, or in the store's list of host functions.
    pub(crate) index: u32,
}

impl FuncObj {
    /// The `funcref` that a slot holds.
    pub(crate) fn to_slot(&self) -> u64 {
        ptr::from_ref(self).expose_provenance() as u64
    }
}

/// A table instance (spec §4.2.9). Elements are slots: addresses of [`FuncObj`], or the store's numbers
/// of host references plus one; 0 is null.
#[repr(C)]
pub(crate) struct TableObj {
    pub(crate) elements: *mut u64,
    pub(crate) len: usize,
    /// Elements allocated, at least `len`.
    capacity: usize,
    /// The elements from `len` to here are `filler`: growth has prepared them.
    filled: usize,
    filler: u64,
    /// Most elements it may have: its type's maximum and the store's limit, whichever is less.
    pub(crate) limit: u64,
    element_type: RefType,
    maximum: Option<u64>,
}

impl TableObj {
    /// A table of the least size of its type; every element is `init`.
    pub(crate) fn new(ty: &TableType, init: u64, limits: &StoreLimits) -> Result<Self> {
        let minimum = ty.minimum();
        let limit = ty
            .maximum()
            .unwrap_or(u64::from(u32::MAX))
            .min(limits.table_elements);
        if minimum > limit {
            bail!(
                "a table of {minimum} elements is more than the limit of {limit} elements \
                 (StoreLimitsBuilder::table_elements)"
            );
        }
        let mut table = Self {
            elements: ptr::dangling_mut(),
            len: 0,
            capacity: 0,
            filled: 0,
            filler: 0,
            limit,
            element_type: *ty.element(),
            maximum: ty.maximum(),
        };
        if table.grow(minimum, init).is_none() {
            bail!("out of memory: cannot allocate a table of {minimum} elements");
        }
        Ok(table)
    }

    pub(crate) fn element_type(&self) -> RefType {
        self.element_type
    }

    /// The type now: the minimum is the present length (spec §4.5.3, "External Typing").
    pub(crate) fn ty(&self) -> TableType {
        TableType::new(
            self.element_type,
            self.len as u32,
            self.maximum.map(|max| max as u32),
        )
    }

    pub(crate) fn elements(&self) -> &[u64] {
        // SAFETY: the first `len` elements are allocated and initialised (`grow`).
        unsafe { core::slice::from_raw_parts(self.elements, self.len) }
    }

    pub(crate) fn elements_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `elements`; nobody else uses them while `self` is borrowed.
        unsafe { core::slice::from_raw_parts_mut(self.elements, self.len) }
    }

    /// Adds `delta` elements `init`. Returns the length before, or nothing if that is beyond the limit or
    /// there is no memory.
    pub(crate) fn grow(&mut self, delta: u64, init: u64) -> Option<u64> {
        self.prepare_growth(delta, init)?;
        let new = self.len + delta as usize;
        self.fill_to(new);
        Some(self.finish_growth(new))
    }

    /// Makes room for `delta` more elements `init`. Returns how many of them are to be written yet, by
    /// [`fill_to`](Self::fill_to) before [`finish_growth`](Self::finish_growth); nothing if `grow` would
    /// fail. Nobody sees a difference until the growth is finished.
    pub(crate) fn prepare_growth(&mut self, delta: u64, init: u64) -> Option<usize> {
        let new = (self.len as u64)
            .checked_add(delta)
            .filter(|&new| new <= self.limit)?;
        let new = usize::try_from(new).ok()?;
        if new > self.capacity {
            let first = self.capacity == 0;
            self.reserve(new)?;
            if first {
                (self.filled, self.filler) = (self.capacity, 0);
            }
        }
        if self.filler != init || self.filled < self.len {
            (self.filled, self.filler) = (self.len, init);
        }
        Some(new.saturating_sub(self.filled))
    }

    /// Writes elements up to `end`, which is within what growth has made room for.
    pub(crate) fn fill_to(&mut self, end: usize) {
        debug_assert!(end <= self.capacity);
        for i in self.filled..end {
            // SAFETY: as many elements are allocated.
            unsafe { self.elements.add(i).write(self.filler) };
        }
        self.filled = self.filled.max(end);
    }

    /// Where [`fill_to`](Self::fill_to) would begin.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// Makes the elements before `new` visible, all of which have been written. Returns the length before.
    pub(crate) fn finish_growth(&mut self, new: usize) -> u64 {
        debug_assert!(new <= self.filled.max(self.len));
        core::mem::replace(&mut self.len, new) as u64
    }

    /// Allocates at least `least` elements, and room for growth if there is some already. The first
    /// allocation is zeroed, by the system if it is large.
    fn reserve(&mut self, least: usize) -> Option<()> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let doubled = self.capacity.saturating_mul(2).min(limit);
        for capacity in [doubled.max(least), least] {
            let Ok(layout) = Layout::array::<u64>(capacity) else {
                continue;
            };
            let elements = if self.capacity == 0 {
                // SAFETY: `capacity` is more than 0, so the layout is not empty.
                unsafe { alloc_zeroed(layout) }
            } else {
                // SAFETY: the elements were allocated with the layout of `capacity`, and the new size is a
                // valid layout's.
                unsafe { realloc(self.elements.cast(), self.layout(), layout.size()) }
            };
            if !elements.is_null() {
                self.elements = elements.cast();
                self.capacity = capacity;
                return Some(());
            }
        }
        None
    }

    fn layout(&self) -> Layout {
        // `reserve` has made it before.
        Layout::array::<u64>(self.capacity).unwrap_or(Layout::new::<u64>())
    }

    /// The elements from `start` on, `len` of them.
    pub(crate) fn range(&mut self, start: u64, len: u64) -> Result<&mut [u64], Trap> {
        let range = checked_range(start, len, self.len).ok_or(Trap::TableOutOfBounds)?;
        Ok(&mut self.elements_mut()[range])
    }

    /// `table.fill`.
    pub(crate) fn fill(&mut self, dst: u64, value: u64, len: u64) -> Result<(), Trap> {
        self.range(dst, len).map(|elements| elements.fill(value))
    }
}

impl Drop for TableObj {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: `reserve` allocated the elements with this layout.
            unsafe { dealloc(self.elements.cast(), self.layout()) };
        }
    }
}

/// `start..start + len` if that is within `bound`.
pub(crate) fn checked_range(start: u64, len: u64, bound: usize) -> Option<core::ops::Range<usize>> {
    let end = start.checked_add(len).filter(|&end| end <= bound as u64)?;
    // Both are at most `bound`, which is a `usize`.
    Some(start as usize..end as usize)
}

/// A memory instance (spec §4.2.10). Byte `len` is the first one that an access may not touch.
#[repr(C)]
pub(crate) struct MemoryObj {
    pub(crate) base: *mut u8,
    /// Bytes.
    pub(crate) len: usize,
    /// At least `len` bytes, and a multiple of eight of them (`exec::unaligned`); those behind `len` are zeros.
    pages: Pages,
    /// The size of a page of the memory, as a power of two.
    pub(crate) page_size_log2: u32,
    /// Most pages it may have: its type's maximum and the store's limit, whichever is less.
    pub(crate) limit: u64,
    maximum: Option<u64>,
}

impl MemoryObj {
    /// A zeroed memory of the least size of its type.
    pub(crate) fn new(ty: &MemoryType, limits: &StoreLimits) -> Result<Self> {
        let minimum = ty.minimum();
        let page_size_log2 = u32::from(ty.page_size_log2());
        // As many pages as an `i32` can count, and 4 GiB at most.
        let most = u64::from(u32::MAX).min(1 << (32 - page_size_log2));
        let limit = ty
            .maximum()
            .unwrap_or(most)
            .min(limits.memory_bytes >> page_size_log2);
        if minimum > limit {
            let page = match ty.page_size() {
                1 => "bytes",
                _ => "pages",
            };
            bail!(
                "a memory of {minimum} {page} is more than the limit of {limit} {page} \
                 (StoreLimitsBuilder::memory_size)"
            );
        }
        let bytes = bytes_of(minimum, page_size_log2);
        let reserve = bytes_of(limit, page_size_log2).map_or(0, |(_, allocated)| allocated);
        let made =
            bytes.and_then(|(len, allocated)| Some((len, Pages::new(allocated, reserve).ok()?)));
        let Some((len, pages)) = made else {
            bail!("out of memory: cannot allocate a memory of {minimum} pages");
        };
        Ok(Self {
            base: pages.base(),
            len,
            pages,
            page_size_log2,
            limit,
            maximum: ty.maximum(),
        })
    }

    /// The type now: the minimum is the present size (spec §4.5.3, "External Typing").
    pub(crate) fn ty(&self) -> MemoryType {
        let ty = MemoryType::new(self.size() as u32, self.maximum.map(|max| max as u32));
        let page_size_log2 = self.page_size_log2 as u8;
        ty.with_page_size_log2(page_size_log2)
            .expect("the memory was made of a type")
    }

    /// Its size in pages.
    pub(crate) fn size(&self) -> u64 {
        (self.len >> self.page_size_log2) as u64
    }

    /// Adds `delta` zeroed pages. Returns the size in pages before, or nothing if that is beyond the limit
    /// or there is no memory.
    pub(crate) fn grow(&mut self, delta: u64) -> Option<u64> {
        let old = self.size();
        let new = old.checked_add(delta).filter(|&new| new <= self.limit)?;
        if delta > 0 {
            let (len, allocated) = bytes_of(new, self.page_size_log2)?;
            self.pages.grow(allocated).ok()?;
            (self.base, self.len) = (self.pages.base(), len);
        }
        Some(old)
    }

    /// The bytes from `start` on, `len` of them.
    pub(crate) fn range(&mut self, start: u64, len: u64) -> Result<&mut [u8], Trap> {
        let range = checked_range(start, len, self.len).ok_or(Trap::MemoryOutOfBounds)?;
        // SAFETY: the first `len` bytes of the memory are accessible and initialised; nobody else uses them
        // while `self` is borrowed.
        let bytes = unsafe { core::slice::from_raw_parts_mut(self.base, self.len) };
        Ok(&mut bytes[range])
    }
}

/// Bytes of so many pages, and how many to allocate for them; if that much can be addressed.
fn bytes_of(pages: u64, page_size_log2: u32) -> Option<(usize, usize)> {
    let bytes = usize::try_from(pages.checked_mul(1 << page_size_log2)?).ok()?;
    let allocated = bytes.checked_next_multiple_of(Pages::GRANULE)?;
    (allocated <= isize::MAX as usize).then_some((bytes, allocated))
}

/// A global instance (spec §4.2.11): its value in the form of frame slots. Two slots, for vectors.
#[repr(C)]
pub(crate) struct GlobalObj {
    pub(crate) value: [u64; 2],
    pub(crate) ty: GlobalType,
}

/// A module instance (spec §4.2.5): per index space, the addresses of what the module sees.
#[repr(C)]
pub(crate) struct InstanceObj {
    /// Every function of the index space, imports first: imports are copies of the [`FuncObj`] that was
    /// imported, so calls of both kinds read one array.
    pub(crate) funcs: Box<[FuncObj]>,
    pub(crate) globals: Box<[*mut GlobalObj]>,
    pub(crate) tables: Box<[*mut TableObj]>,
    pub(crate) memories: Box<[*mut MemoryObj]>,
    /// Bit `i`: the passive element segment number `i` has been dropped.
    pub(crate) dropped_elems: Box<[u32]>,
    /// Bit `i`: the passive data segment number `i` has been dropped.
    pub(crate) dropped_data: Box<[u32]>,
    pub(crate) module: Module,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_SIZE: usize = 65_536;
    use crate::StoreLimitsBuilder;

    #[test]
    fn table_growth_fills_only_what_is_new() {
        let limits = StoreLimitsBuilder::new().table_elements(100).build();
        let mut table =
            TableObj::new(&TableType::new(RefType::EXTERNREF, 3, None), 5, &limits).unwrap();
        assert_eq!(table.elements(), [5, 5, 5]);
        assert_eq!(table.grow(2, 0), Some(3));
        assert_eq!(table.grow(2, 9), Some(5));
        assert_eq!(table.elements(), [5, 5, 5, 0, 0, 9, 9]);
        assert_eq!(table.grow(94, 1), None);
        assert_eq!(table.grow(u64::MAX, 1), None);
        assert_eq!(table.grow(93, 1), Some(7));
        assert_eq!(table.elements()[99], 1);
        assert_eq!(table.fill(99, 4, 1), Ok(()));
        assert_eq!(table.fill(99, 4, 2), Err(Trap::TableOutOfBounds));
        assert_eq!(table.fill(100, 4, 0), Ok(()));
        assert_eq!(table.fill(u64::MAX, 4, 2), Err(Trap::TableOutOfBounds));
        assert_eq!(table.elements()[98..], [1, 4]);
    }

    #[test]
    fn memory_growth_stops_at_the_maximum() {
        let limits = StoreLimitsBuilder::new().build();
        let mut memory = MemoryObj::new(&MemoryType::new(1, Some(3)), &limits).unwrap();
        assert_eq!(memory.grow(0), Some(1));
        assert_eq!(memory.grow(2), Some(1));
        assert_eq!(memory.grow(1), None);
        assert_eq!(memory.grow(u64::MAX), None);
        assert_eq!(memory.len, 3 * PAGE_SIZE);
        assert_eq!(memory.ty(), MemoryType::new(3, Some(3)));
        assert_eq!(
            memory.range(0, 3 * PAGE_SIZE as u64).unwrap().len(),
            3 * PAGE_SIZE
        );
        assert_eq!(
            memory.range(1, 3 * PAGE_SIZE as u64),
            Err(Trap::MemoryOutOfBounds)
        );
    }
}
