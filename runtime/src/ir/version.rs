//! The version of the instruction set: what code that was made elsewhere has to agree with.

use super::{Family, KEYS, OPS, Op};

/// To be increased by whoever changes what an instruction means, where a function's frame has what, or how cells lie in
/// memory, without a change of the table.
const MEANING: u64 = 1;

/// A number of everything that code relies on: the rows of the table in order, their forms and fields, [`MEANING`], and the
/// version of this crate. Code that was made with another number may mean something else here.
pub(crate) const INSTRUCTION_SET: u64 = {
    let mut hash = Hash::new()
        .bytes(env!("CARGO_PKG_VERSION").as_bytes())
        .number(MEANING)
        .number(Op::COUNT as u64);
    let mut row = 0;
    while row < Family::COUNT {
        hash = hash.bytes(Family::MNEMONICS[row].as_bytes());
        row += 1;
    }
    let mut op = 0;
    while op < Op::COUNT {
        let format = OPS[op].format;
        let fields = format.slots as u64
            | (format.imm32 as u64) << 8
            | (format.imm64 as u64) << 16
            | (format.func as u64) << 24
            | (format.target as u64) << 32;
        hash = hash
            .number(OPS[op].family as u64)
            .number(KEYS[op].0 as u64)
            .number(fields);
        op += 1;
    }
    hash.0
};

/// FNV-1a with 64 bits, of bytes and of whole numbers.
#[derive(Copy, Clone)]
struct Hash(u64);

impl Hash {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn number(self, number: u64) -> Self {
        Self((self.0 ^ number).wrapping_mul(0x0100_0000_01b3))
    }

    const fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut i = 0;
        while i < bytes.len() {
            self = self.number(bytes[i] as u64);
            i += 1;
        }
        self.number(bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_boundaries_count() {
        let one = |parts: &[&[u8]]| {
            parts
                .iter()
                .fold(Hash::new(), |hash, part| hash.bytes(part))
                .0
        };
        assert_ne!(one(&[b"ab", b"c"]), one(&[b"a", b"bc"]));
        assert_ne!(one(&[b"a", b"b"]), one(&[b"b", b"a"]));
        assert_ne!(INSTRUCTION_SET, Hash::new().0);
    }
}
