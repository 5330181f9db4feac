//! The checksum of images: finds what storage and transport damage. No match for an attacker.

/// Sums 32-bit words, and the sums, in eight lanes; so a machine adds several at once, and a small one needs four
/// instructions a word and no table.
///
/// A change of one word changes the sum of its lane. If words of a lane are exchanged, or changed so that their sum stays,
/// the sum of sums changes, by the distance between them.
pub(super) struct Checksum {
    sums: [u32; LANES],
    sums_of_sums: [u32; LANES],
    len: u64,
}

const LANES: usize = 8;

/// Bytes that are summed at once.
pub(super) const BLOCK: usize = 4 * LANES;

impl Checksum {
    pub(super) fn new() -> Self {
        Self {
            // Not zero, so that zeros at the start count.
            sums: [1; LANES],
            sums_of_sums: [0; LANES],
            len: 0,
        }
    }

    /// Adds bytes. Unless they are whole blocks, they are the last ones.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        blocks.iter().for_each(|block| self.block(block));
        if !rest.is_empty() {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            self.block(&block);
        }
        self.len += bytes.len() as u64;
    }

    #[inline(always)]
    fn block(&mut self, block: &[u8; BLOCK]) {
        for (lane, word) in block.as_chunks::<4>().0.iter().enumerate() {
            self.sums[lane] = self.sums[lane].wrapping_add(u32::from_le_bytes(*word));
            self.sums_of_sums[lane] = self.sums_of_sums[lane].wrapping_add(self.sums[lane]);
        }
    }

    /// One number of all lanes. If a single lane differs, so does the number: every step can be undone.
    pub(super) fn finish(&self) -> u64 {
        let mut number = self.len;
        for (sum, sum_of_sums) in self.sums.iter().zip(self.sums_of_sums) {
            number ^= u64::from(*sum) | u64::from(sum_of_sums) << 32;
            number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn of(bytes: &[u8]) -> u64 {
        let mut checksum = Checksum::new();
        checksum.add(bytes);
        checksum.finish()
    }

    #[test]
    fn every_bit_every_length_and_every_exchange_counts() {
        let bytes: Vec<u8> = (0..200_u32).map(|i| (i * 37 % 251) as u8).collect();
        let whole = of(&bytes);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&flipped), whole, "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_ne!(of(&bytes[..len]), whole, "{len} bytes");
        }
        for i in 0..bytes.len() / 4 {
            for j in 0..i {
                let mut exchanged = bytes.clone();
                for k in 0..4 {
                    exchanged.swap(4 * i + k, 4 * j + k);
                }
                assert_ne!(of(&exchanged), whole, "words {i} and {j}");
            }
        }
        assert_ne!(of(&[0; 32]), of(&[0; 64]));
        assert_ne!(of(&[0; 3]), of(&[0; 4]));
    }

    #[test]
    fn parts_of_whole_blocks_give_the_same() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut checksum = Checksum::new();
        bytes.chunks(3 * BLOCK).for_each(|part| checksum.add(part));
        assert_eq!(checksum.finish(), of(&bytes));
    }
}
