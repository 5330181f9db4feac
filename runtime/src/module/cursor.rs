//! Reading validated bytes: the few encodings that are read again at instantiation.
//!
//! The validator has seen every byte that a cursor reads, so there are no errors here. A module whose
//! bytes change after validation (a mapped file: see [`Module::from_mapped_file`](crate::Module)) can make
//! a cursor panic or read nonsense values, but not touch memory it should not.

/// A position in the bytes of a validated module.
#[derive(Copy, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.position];
        self.position += 1;
        byte
    }

    /// The next byte, which stays the next one.
    pub(crate) fn peek(&self) -> u8 {
        self.bytes[self.position]
    }

    pub(crate) fn skip(&mut self, bytes: usize) {
        self.position += bytes;
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[self.position..self.position + N]);
        self.position += N;
        array
    }

    /// An unsigned LEB128 number of at most 32 bits.
    pub(crate) fn u32(&mut self) -> u32 {
        let first = self.byte();
        if first < 0x80 {
            u32::from(first)
        } else {
            self.leb(first).0 as u32
        }
    }

    /// A signed LEB128 number of at most 32 bits.
    pub(crate) fn i32(&mut self) -> i32 {
        self.i64() as i32
    }

    /// A signed LEB128 number of at most 64 bits.
    pub(crate) fn i64(&mut self) -> i64 {
        let first = self.byte();
        let (value, bits) = self.leb(first);
        let unused = 64_u32.saturating_sub(bits);
        (value << unused) as i64 >> unused
    }

    /// Skips a LEB128 number of any kind.
    pub(crate) fn skip_leb(&mut self) {
        while self.byte() >= 0x80 {}
    }

    /// The number that starts with `byte`, and how many bits were given.
    fn leb(&mut self, mut byte: u8) -> (u64, u32) {
        let mut value = 0;
        let mut bits = 0;
        loop {
            value |= u64::from(byte & 0x7f) << bits;
            bits += 7;
            if byte < 0x80 || bits > 63 {
                return (value, bits);
            }
            byte = self.byte();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leb128() {
        let signed = |bytes: &[u8]| Cursor::new(bytes, 0).i64();
        assert_eq!(signed(&[0x00]), 0);
        assert_eq!(signed(&[0x7f]), -1);
        assert_eq!(signed(&[0x3f]), 63);
        assert_eq!(signed(&[0x40]), -64);
        assert_eq!(signed(&[0xc0, 0xbb, 0x78]), -123_456);
        assert_eq!(
            signed(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]),
            i64::MIN
        );
        let signed32 = |bytes: &[u8]| Cursor::new(bytes, 0).i32();
        assert_eq!(signed32(&[0x80, 0x80, 0x80, 0x80, 0x78]), i32::MIN);
        assert_eq!(signed32(&[0xff, 0xff, 0xff, 0xff, 0x07]), i32::MAX);
        let unsigned = |bytes: &[u8]| Cursor::new(bytes, 0).u32();
        assert_eq!(unsigned(&[0x7f]), 127);
        assert_eq!(unsigned(&[0xff, 0x7f]), 0x3fff);
        assert_eq!(unsigned(&[0xff, 0xff, 0xff, 0xff, 0x0f]), u32::MAX);
        // Longer than needed is allowed.
        assert_eq!(unsigned(&[0x83, 0x80, 0x00]), 3);
    }

    #[test]
    fn position_moves_past_what_was_read() {
        let mut cursor = Cursor::new(&[0xe5, 0x8e, 0x26, 0x01, 0x80, 0x00, 1, 2, 3, 4], 0);
        assert_eq!(cursor.u32(), 624_485);
        assert_eq!(cursor.byte(), 1);
        cursor.skip_leb();
        assert_eq!(cursor.array(), [1, 2, 3, 4]);
        assert_eq!(cursor.position(), 10);
    }
}
