//! Access to the guest's memory: numbers, byte ranges, paths, and vectors for scattered input and output.
//!
//! Everything here takes the memory as a slice and an address and length from the guest, which may be
//! anything: an address outside of the memory is the error `fault`, never a panic. Alignment does not
//! matter.

use std::marker::PhantomData;

use crate::types::Errno;

/// The most vectors that one call may pass, as on the hosts that we know.
const MAX_VECTORS: u32 = 1024;

/// So many vectors need no allocation.
const INLINE_VECTORS: usize = 16;

/// The place of `len` bytes at `ptr`.
fn range(mem: &[u8], ptr: u32, len: u32) -> Result<core::ops::Range<usize>, Errno> {
    let end = u64::from(ptr) + u64::from(len);
    if end > mem.len() as u64 {
        return Err(Errno::Fault);
    }
    // Both fit: they are at most the length of a slice.
    Ok(ptr as usize..end as usize)
}

/// The `len` bytes at `ptr`.
pub(crate) fn bytes(mem: &[u8], ptr: u32, len: u32) -> Result<&[u8], Errno> {
    Ok(&mem[range(mem, ptr, len)?])
}

/// The `len` bytes at `ptr`, to write to.
pub(crate) fn bytes_mut(mem: &mut [u8], ptr: u32, len: u32) -> Result<&mut [u8], Errno> {
    let range = range(mem, ptr, len)?;
    Ok(&mut mem[range])
}

/// Is there room for `len` bytes at `ptr`? Handlers ask before they do something that cannot be undone.
pub(crate) fn check(mem: &[u8], ptr: u32, len: u32) -> Result<(), Errno> {
    range(mem, ptr, len).map(drop)
}

/// Writes `value` at `ptr`.
pub(crate) fn write(mem: &mut [u8], ptr: u32, value: &[u8]) -> Result<(), Errno> {
    let len = u32::try_from(value.len()).map_err(|_| Errno::Overflow)?;
    bytes_mut(mem, ptr, len)?.copy_from_slice(value);
    Ok(())
}

/// Writes a `size` or another number of 32 bits.
pub(crate) fn write_u32(mem: &mut [u8], ptr: u32, value: u32) -> Result<(), Errno> {
    write(mem, ptr, &value.to_le_bytes())
}

/// Writes a `filesize`, a `timestamp` or another number of 64 bits.
pub(crate) fn write_u64(mem: &mut [u8], ptr: u32, value: u64) -> Result<(), Errno> {
    write(mem, ptr, &value.to_le_bytes())
}

/// The 16-bit number at `offset` in a record that was read with [`bytes`].
pub(crate) fn field_u16(record: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([record[offset], record[offset + 1]])
}

/// The 32-bit number at `offset` in a record.
pub(crate) fn field_u32(record: &[u8], offset: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&record[offset..offset + 4]);
    u32::from_le_bytes(number)
}

/// The 64-bit number at `offset` in a record.
pub(crate) fn field_u64(record: &[u8], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&record[offset..offset + 8]);
    u64::from_le_bytes(number)
}

/// The host's vectors for a list of the guest's: they point straight into the guest's memory, so that the
/// host's `readv` and `writev` need no buffer in between.
///
/// It borrows the memory for as long as it lives. The vectors may overlap one another, so they are never
/// turned into slices.
pub(crate) struct Vectors<'m> {
    inline: [libc::iovec; INLINE_VECTORS],
    heap: Vec<libc::iovec>,
    len: usize,
    total: u32,
    memory: PhantomData<&'m mut [u8]>,
}

impl<'m> Vectors<'m> {
    /// For reading into the guest's memory.
    pub(crate) fn for_read(mem: &'m mut [u8], iovs: u32, count: u32) -> Result<Self, Errno> {
        let base = mem.as_mut_ptr();
        Self::collect(mem, base, iovs, count)
    }

    /// For writing from the guest's memory. The host only reads through these.
    pub(crate) fn for_write(mem: &'m [u8], iovs: u32, count: u32) -> Result<Self, Errno> {
        Self::collect(mem, mem.as_ptr().cast_mut(), iovs, count)
    }

    /// `base` is the address of `mem`.
    fn collect(mem: &[u8], base: *mut u8, iovs: u32, count: u32) -> Result<Self, Errno> {
        if count > MAX_VECTORS {
            return Err(Errno::Inval);
        }
        let records = bytes(mem, iovs, count * 8)?;
        let mut vectors = Self {
            inline: [libc::iovec {
                iov_base: core::ptr::null_mut(),
                iov_len: 0,
            }; INLINE_VECTORS],
            heap: Vec::new(),
            len: 0,
            total: 0,
            memory: PhantomData,
        };
        if count as usize > INLINE_VECTORS {
            vectors.heap.reserve_exact(count as usize);
        }
        for record in records.chunks_exact(8) {
            let (ptr, len) = (field_u32(record, 0), field_u32(record, 4));
            if len == 0 {
                // An empty buffer needs no address, so guests pass any.
                continue;
            }
            let place = range(mem, ptr, len)?;
            vectors.total = vectors.total.checked_add(len).ok_or(Errno::Inval)?;
            // `wrapping_add` because no access happens here; it does not wrap, `place` is in `mem`.
            let iov_base = base.wrapping_add(place.start).cast();
            vectors.push(libc::iovec {
                iov_base,
                iov_len: place.len(),
            });
        }
        Ok(vectors)
    }

    fn push(&mut self, vector: libc::iovec) {
        if self.heap.capacity() > 0 {
            self.heap.push(vector);
        } else {
            self.inline[self.len] = vector;
        }
        self.len += 1;
    }

    /// The vectors, none of them empty.
    pub(crate) fn as_slice(&self) -> &[libc::iovec] {
        if self.heap.capacity() > 0 {
            &self.heap
        } else {
            &self.inline[..self.len]
        }
    }

    /// The sum of their lengths.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Keeps only the first vector and of that at most `len` bytes.
    pub(crate) fn limit(&mut self, len: usize) {
        let Some(first) = self.as_slice().first().copied() else {
            return;
        };
        let iov_len = first.iov_len.min(len);
        self.heap = Vec::new();
        self.inline[0] = libc::iovec { iov_len, ..first };
        self.len = 1;
        self.total = iov_len as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory with the given vectors at its start.
    fn memory(size: usize, vectors: &[(u32, u32)]) -> Vec<u8> {
        let mut mem = vec![0; size];
        for (i, (ptr, len)) in vectors.iter().enumerate() {
            mem[i * 8..i * 8 + 4].copy_from_slice(&ptr.to_le_bytes());
            mem[i * 8 + 4..i * 8 + 8].copy_from_slice(&len.to_le_bytes());
        }
        mem
    }

    fn lengths(mem: &[u8], count: u32) -> Result<Vec<usize>, Errno> {
        let vectors = Vectors::for_write(mem, 0, count)?;
        Ok(vectors.as_slice().iter().map(|v| v.iov_len).collect())
    }

    #[test]
    fn ranges_end_where_the_memory_does() {
        let mut mem = vec![0; 16];
        assert_eq!(bytes(&mem, 8, 8).unwrap().len(), 8);
        assert_eq!(bytes(&mem, 16, 0).unwrap().len(), 0);
        for (ptr, len) in [
            (8, 9),
            (16, 1),
            (17, 0),
            (u32::MAX, 1),
            (1, u32::MAX),
            (u32::MAX, u32::MAX),
        ] {
            assert_eq!(bytes(&mem, ptr, len), Err(Errno::Fault), "{ptr} {len}");
            assert_eq!(
                bytes_mut(&mut mem, ptr, len),
                Err(Errno::Fault),
                "{ptr} {len}"
            );
        }
        assert_eq!(write_u64(&mut mem, 9, 1), Err(Errno::Fault));
        write_u64(&mut mem, 7, u64::MAX).unwrap();
        assert_eq!(mem[6..16], [0, 255, 255, 255, 255, 255, 255, 255, 255, 0]);
    }

    #[test]
    fn vectors_point_into_the_memory() {
        let mut mem = memory(64, &[(40, 4), (60, 4), (0, 0)]);
        let base = mem.as_ptr() as usize;
        let vectors = Vectors::for_read(&mut mem, 0, 3).unwrap();
        let places: Vec<_> = vectors
            .as_slice()
            .iter()
            .map(|v| (v.iov_base as usize - base, v.iov_len))
            .collect();
        assert_eq!(places, [(40, 4), (60, 4)]);
        assert_eq!(vectors.total(), 8);
    }

    #[test]
    fn vectors_outside_of_the_memory_are_faults() {
        assert_eq!(lengths(&memory(64, &[(61, 4)]), 1), Err(Errno::Fault));
        assert_eq!(
            lengths(&memory(64, &[(0, 1), (u32::MAX, u32::MAX)]), 2),
            Err(Errno::Fault)
        );
        // The list itself.
        assert_eq!(lengths(&memory(64, &[]), 9), Err(Errno::Fault));
        assert!(matches!(
            Vectors::for_write(&memory(64, &[]), u32::MAX, 1),
            Err(Errno::Fault)
        ));
        // An empty buffer has no place.
        assert_eq!(lengths(&memory(64, &[(u32::MAX, 0)]), 1), Ok(vec![]));
    }

    #[test]
    fn vectors_have_a_limit() {
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
    fn a_limit_cuts_to_one_vector() {
        for count in [3, 40] {
            let mem = memory(1024, &vec![(100, 10); count as usize]);
            let mut vectors = Vectors::for_write(&mem, 0, count).unwrap();
            vectors.limit(7);
            assert_eq!(vectors.as_slice().len(), 1);
            assert_eq!((vectors.as_slice()[0].iov_len, vectors.total()), (7, 7));
        }
    }
}
