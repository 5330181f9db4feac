//! The guest's buffers of one call, for scattered input and gathered output.
//!
//! They point straight into the guest's memory, so that what moves bytes moves them once: a host's `readv`
//! takes the list as it is, and a tree in memory copies to its final place. The buffers of a list may
//! overlap one another, so they become slices one at a time.

use alloc::vec::Vec;
use core::{fmt, marker::PhantomData, ptr, slice};

use crate::{
    guest::{bytes, field_u32, range},
    types::Errno,
};

/// The most buffers that one call may pass, as on the hosts that we know.
const MAX_BUFFERS: u32 = 1024;

/// So many need no allocation.
const INLINE_BUFFERS: usize = 16;

/// A buffer: the layout is that of POSIX's `struct iovec`.
#[derive(Copy, Clone)]
#[repr(C)]
pub(crate) struct Buffer {
    pub(crate) start: *mut u8,
    pub(crate) len: usize,
}

/// A list of buffers in a memory that is borrowed for `'m`; none of them is empty.
struct Buffers<'m> {
    inline: [Buffer; INLINE_BUFFERS],
    heap: Vec<Buffer>,
    /// How many are in `inline`.
    count: usize,
    total: usize,
    memory: PhantomData<&'m [u8]>,
}

impl Buffers<'_> {
    fn empty() -> Self {
        Self {
            inline: [Buffer {
                start: ptr::null_mut(),
                len: 0,
            }; INLINE_BUFFERS],
            heap: Vec::new(),
            count: 0,
            total: 0,
            memory: PhantomData,
        }
    }

    /// One buffer.
    #[cfg(target_has_atomic = "ptr")]
    fn one(start: *mut u8, len: usize) -> Self {
        let mut list = Self::empty();
        if len > 0 {
            list.push(Buffer { start, len });
            list.total = len;
        }
        list
    }

    /// The list of `count` records at `iovs`. `base` is the address of `mem`.
    fn collect(mem: &[u8], base: *mut u8, iovs: u32, count: u32) -> Result<Self, Errno> {
        if count > MAX_BUFFERS {
            return Err(Errno::Inval);
        }
        let records = bytes(mem, iovs, count * 8)?;
        let mut list = Self::empty();
        if count as usize > INLINE_BUFFERS {
            list.heap.reserve_exact(count as usize);
        }
        let mut total = 0_u32;
        for record in records.chunks_exact(8) {
            let (ptr, len) = (field_u32(record, 0), field_u32(record, 4));
            if len == 0 {
                // An empty buffer needs no address, so guests pass any.
                continue;
            }
            let place = range(mem, ptr, len)?;
            // What is moved is told in 32 bits.
            total = total.checked_add(len).ok_or(Errno::Inval)?;
            list.push(Buffer {
                // `wrapping_add` because no access happens here; it does not wrap, `place` is in `mem`.
                start: base.wrapping_add(place.start),
                len: place.len(),
            });
        }
        list.total = total as usize;
        Ok(list)
    }

    fn push(&mut self, buffer: Buffer) {
        if self.heap.capacity() > 0 {
            self.heap.push(buffer);
        } else {
            self.inline[self.count] = buffer;
        }
        self.count += 1;
    }

    fn as_slice(&self) -> &[Buffer] {
        if self.heap.capacity() > 0 {
            &self.heap
        } else {
            &self.inline[..self.count]
        }
    }

    /// Keeps the first `len` bytes.
    fn limit(&mut self, len: usize) {
        if len >= self.total {
            return;
        }
        self.total = len;
        let list = if self.heap.capacity() > 0 {
            &mut self.heap[..]
        } else {
            &mut self.inline[..self.count]
        };
        let (mut room, mut kept) = (len, 0);
        for buffer in list {
            if room == 0 {
                break;
            }
            buffer.len = buffer.len.min(room);
            room -= buffer.len;
            kept += 1;
        }
        self.count = kept;
        self.heap.truncate(kept);
    }

    /// Leaves the first `len` bytes.
    fn skip(&mut self, len: usize) {
        let mut rest = len.min(self.total);
        self.total -= rest;
        let list = if self.heap.capacity() > 0 {
            &mut self.heap[..]
        } else {
            &mut self.inline[..self.count]
        };
        let mut gone = 0;
        for buffer in &mut *list {
            let now = buffer.len.min(rest);
            // `wrapping_add` as in `collect`: it stays in the buffer, or at its end.
            buffer.start = buffer.start.wrapping_add(now);
            buffer.len -= now;
            rest -= now;
            if buffer.len > 0 {
                break;
            }
            gone += 1;
        }
        list.rotate_left(gone);
        self.count -= gone;
        self.heap.truncate(self.count);
    }
}

/// The guest's buffers to read into.
pub struct ReadBuffers<'m>(Buffers<'m>);

/// The guest's buffers to write from.
pub struct WriteBuffers<'m>(Buffers<'m>);

impl<'m> ReadBuffers<'m> {
    /// The list of `count` records at `iovs`.
    pub(crate) fn new(mem: &'m mut [u8], iovs: u32, count: u32) -> Result<Self, Errno> {
        let base = mem.as_mut_ptr();
        Buffers::collect(mem, base, iovs, count).map(Self)
    }

    /// One buffer of the host's own.
    #[cfg(target_has_atomic = "ptr")]
    pub(crate) fn of(buffer: &'m mut [u8]) -> Self {
        Self(Buffers::one(buffer.as_mut_ptr(), buffer.len()))
    }

    /// The sum of their lengths.
    #[allow(clippy::len_without_is_empty, reason = "nobody is given an empty list")]
    pub fn len(&self) -> usize {
        self.0.total
    }

    /// Leaves the first `len` bytes, which are filled.
    pub(crate) fn skip(&mut self, len: usize) {
        self.0.skip(len);
    }

    /// Keeps the first `len` bytes.
    pub(crate) fn limit(&mut self, len: usize) {
        self.0.limit(len);
    }

    /// The list for the host, which may write to all of them.
    #[cfg(all(unix, feature = "std"))]
    pub(crate) fn as_slice(&self) -> &[Buffer] {
        self.0.as_slice()
    }

    /// Fills one buffer after the other. `fill` says how many bytes it put at the start of the one that it
    /// was given; if it fills less than all, the rest stays as it is. Returns the sum.
    ///
    /// # Errors
    /// The error of `fill`, unless it has filled something before.
    pub fn fill(
        &mut self,
        mut fill: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        for buffer in self.0.as_slice() {
            // SAFETY: `collect` has checked that the buffer is in the memory, which is borrowed mutably as
            // long as `self` is; no other slice of it exists at this time.
            let slice = unsafe { slice::from_raw_parts_mut(buffer.start, buffer.len) };
            match fill(slice) {
                Ok(filled) => {
                    done += filled.min(buffer.len);
                    if filled < buffer.len {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Copies as much of `bytes` as fits, and tells how much that is.
    pub fn copy_from(&mut self, mut bytes: &[u8]) -> usize {
        let copied = self.fill(|buffer| {
            let len = buffer.len().min(bytes.len());
            let (now, later) = bytes.split_at(len);
            buffer[..len].copy_from_slice(now);
            bytes = later;
            Ok(len)
        });
        // It never fails.
        copied.unwrap_or(0)
    }
}

impl<'m> WriteBuffers<'m> {
    /// The list of `count` records at `iovs`.
    pub(crate) fn new(mem: &'m [u8], iovs: u32, count: u32) -> Result<Self, Errno> {
        // Nobody writes through these pointers.
        Buffers::collect(mem, mem.as_ptr().cast_mut(), iovs, count).map(Self)
    }

    /// One buffer of the host's own.
    #[cfg(target_has_atomic = "ptr")]
    pub(crate) fn of(buffer: &'m [u8]) -> Self {
        // Nobody writes through this pointer.
        Self(Buffers::one(buffer.as_ptr().cast_mut(), buffer.len()))
    }

    /// The sum of their lengths.
    #[allow(clippy::len_without_is_empty, reason = "nobody is given an empty list")]
    pub fn len(&self) -> usize {
        self.0.total
    }

    /// Keeps the first `len` bytes.
    pub(crate) fn limit(&mut self, len: usize) {
        self.0.limit(len);
    }

    /// The list for the host, which may only read from them.
    #[cfg(all(unix, feature = "std"))]
    pub(crate) fn as_slice(&self) -> &[Buffer] {
        self.0.as_slice()
    }

    /// Hands out one buffer after the other. `take` says how many bytes it took from the start of the one
    /// that it was given; less than all ends it. Returns the sum.
    ///
    /// # Errors
    /// The error of `take`, unless it has taken something before.
    pub fn drain(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        for buffer in self.0.as_slice() {
            // SAFETY: `collect` has checked that the buffer is in the memory, which is borrowed as long as
            // `self` is.
            let slice = unsafe { slice::from_raw_parts(buffer.start, buffer.len) };
            match take(slice) {
                Ok(taken) => {
                    done += taken.min(buffer.len);
                    if taken < buffer.len {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

impl fmt::Debug for ReadBuffers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadBuffers({} bytes)", self.len())
    }
}

impl fmt::Debug for WriteBuffers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteBuffers({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// A memory with the given buffers at its start.
    fn memory(size: usize, vectors: &[(u32, u32)]) -> Vec<u8> {
        let mut mem = vec![0; size];
        for (i, (ptr, len)) in vectors.iter().enumerate() {
            mem[i * 8..i * 8 + 4].copy_from_slice(&ptr.to_le_bytes());
            mem[i * 8 + 4..i * 8 + 8].copy_from_slice(&len.to_le_bytes());
        }
        mem
    }

    fn lengths(mem: &[u8], count: u32) -> Result<Vec<usize>, Errno> {
        let buffers = WriteBuffers::new(mem, 0, count)?;
        Ok(buffers.0.as_slice().iter().map(|b| b.len).collect())
    }

    #[test]
    fn buffers_point_into_the_memory() {
        let mut mem = memory(64, &[(40, 4), (60, 4), (0, 0)]);
        let base = mem.as_ptr() as usize;
        let buffers = ReadBuffers::new(&mut mem, 0, 3).unwrap();
        let places: Vec<_> = buffers
            .0
            .as_slice()
            .iter()
            .map(|b| (b.start as usize - base, b.len))
            .collect();
        assert_eq!(places, [(40, 4), (60, 4)]);
        assert_eq!(buffers.len(), 8);
    }

    #[test]
    fn buffers_outside_of_the_memory_are_faults() {
        assert_eq!(lengths(&memory(64, &[(61, 4)]), 1), Err(Errno::Fault));
        assert_eq!(
            lengths(&memory(64, &[(0, 1), (u32::MAX, u32::MAX)]), 2),
            Err(Errno::Fault)
        );
        // The list itself.
        assert_eq!(lengths(&memory(64, &[]), 9), Err(Errno::Fault));
        assert!(matches!(
            WriteBuffers::new(&memory(64, &[]), u32::MAX, 1),
            Err(Errno::Fault)
        ));
        // An empty buffer has no place.
        assert_eq!(lengths(&memory(64, &[(u32::MAX, 0)]), 1), Ok(vec![]));
    }

    #[test]
    fn lists_have_a_limit() {
        let mut mem = memory(1 << 16, &[(0, 1); 1024]);
        assert_eq!(lengths(&mem, 1024).unwrap(), [1; 1024]);
        assert_eq!(lengths(&mem, 1025), Err(Errno::Inval));
        assert_eq!(lengths(&mem, u32::MAX), Err(Errno::Inval));
        // The sum must be a `size`: 65,537 times 65,535 is not, but so many vectors cannot be passed; so
        // take the largest memory's worth of overlapping ones.
        mem = memory((1 << 23) + 1, &[(0, 1 << 23); 512]);
        assert_eq!(lengths(&mem, 511).unwrap().len(), 511);
        assert_eq!(lengths(&mem, 512), Err(Errno::Inval));
    }

    #[test]
    fn the_switch_to_the_heap_keeps_the_order() {
        for count in [1, 15, 16, 17, 40] {
            let list: Vec<_> = (0..count).map(|i| (i * 3, i % 5)).collect();
            let mem = memory(1024, &list);
            let expected: Vec<_> = list
                .iter()
                .map(|v| v.1 as usize)
                .filter(|n| *n > 0)
                .collect();
            assert_eq!(lengths(&mem, count).unwrap(), expected, "{count}");
        }
    }

    #[test]
    fn a_limit_keeps_the_first_bytes() {
        for count in [3, 40] {
            let mem = memory(1024, &vec![(100, 10); count as usize]);
            for (limit, lens) in [(7, &[7][..]), (10, &[10]), (25, &[10, 10, 5]), (0, &[])] {
                let mut buffers = WriteBuffers::new(&mem, 0, count).unwrap();
                buffers.limit(limit);
                let kept: Vec<_> = buffers.0.as_slice().iter().map(|b| b.len).collect();
                assert_eq!((&kept[..], buffers.len()), (lens, limit));
                buffers.limit(1000);
                assert_eq!(buffers.len(), limit);
            }
        }
    }

    #[test]
    fn what_is_filled_is_left() {
        for count in [3, 40] {
            let mut mem = memory(1024, &vec![(400, 10); count as usize]);
            let mut buffers = ReadBuffers::new(&mut mem, 0, count).unwrap();
            let all = buffers.len();
            for (skip, first, rest) in [(0, 10, 0), (7, 3, 7), (3, 10, 10), (15, 5, 25)] {
                buffers.skip(skip);
                assert_eq!(buffers.len(), all - rest);
                assert_eq!(buffers.0.as_slice().first().map_or(0, |b| b.len), first);
            }
            buffers.skip(all);
            assert_eq!((buffers.len(), buffers.0.as_slice().len()), (0, 0));
        }
        // The next bytes come after those that are there.
        let mut mem = memory(64, &[(40, 3), (50, 3)]);
        let mut buffers = ReadBuffers::new(&mut mem, 0, 2).unwrap();
        assert_eq!(buffers.copy_from(b"abcd"), 4);
        buffers.skip(4);
        assert_eq!(buffers.copy_from(b"efg"), 2);
        assert_eq!((&mem[40..43], &mem[50..53]), (&b"abc"[..], &b"def"[..]));
    }

    #[test]
    fn bytes_are_copied_across_buffers() {
        let mut mem = memory(64, &[(40, 3), (50, 3)]);
        let mut buffers = ReadBuffers::new(&mut mem, 0, 2).unwrap();
        assert_eq!(buffers.copy_from(b"abcd"), 4);
        assert_eq!(buffers.copy_from(b"0123456789"), 6);
        assert_eq!((&mem[40..43], &mem[50..53]), (&b"012"[..], &b"345"[..]));
        let mut seen = Vec::new();
        let taken = WriteBuffers::new(&mem, 0, 2).unwrap().drain(|bytes| {
            seen.extend_from_slice(bytes);
            Ok(2)
        });
        assert_eq!((taken, &seen[..]), (Ok(2), &b"012"[..]));
        let failed = WriteBuffers::new(&mem, 0, 2)
            .unwrap()
            .drain(|_| Err(Errno::Io));
        assert_eq!(failed, Err(Errno::Io));
    }
}
