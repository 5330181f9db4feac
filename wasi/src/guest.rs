//! Access to the guest's memory: numbers and byte ranges.
//!
//! Everything here takes the memory as a slice and an address and length from the guest, which may be
//! anything: an address outside of the memory is the error `fault`, never a panic. Alignment does not
//! matter.

use crate::types::Errno;

/// The place of `len` bytes at `ptr`.
pub(crate) fn range(mem: &[u8], ptr: u32, len: u32) -> Result<core::ops::Range<usize>, Errno> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
