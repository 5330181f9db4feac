//! Constant expressions (spec §3.4.14): initial values of globals, offsets and items of segments.
//!
//! They are evaluated from the module's bytes at instantiation; nothing of them is kept in another form.

use smallvec::SmallVec;

use super::cursor::Cursor;

/// What constant expressions refer to.
pub(crate) trait Environment {
    /// The value of a global.
    fn global(&self, index: u32) -> [u64; 2];
    /// A reference to a function.
    fn func_ref(&self, index: u32) -> u64;
}

#[cfg(feature = "compile")]
pub(super) use op::{END, I32_CONST};

/// Opcodes that may appear in constant expressions (spec §5.4).
mod op {
    pub(in super::super) const END: u8 = 0x0b;
    pub(super) const GLOBAL_GET: u8 = 0x23;
    pub(in super::super) const I32_CONST: u8 = 0x41;
    pub(super) const I64_CONST: u8 = 0x42;
    pub(super) const F32_CONST: u8 = 0x43;
    pub(super) const F64_CONST: u8 = 0x44;
    pub(super) const I32_ADD: u8 = 0x6a;
    pub(super) const I32_SUB: u8 = 0x6b;
    pub(super) const I32_MUL: u8 = 0x6c;
    pub(super) const I64_ADD: u8 = 0x7c;
    pub(super) const I64_SUB: u8 = 0x7d;
    pub(super) const I64_MUL: u8 = 0x7e;
    pub(super) const REF_NULL: u8 = 0xd0;
    pub(super) const REF_FUNC: u8 = 0xd2;
}

/// Evaluates the expression at the cursor and moves past it. The value has the form of frame slots.
pub(crate) fn evaluate(cursor: &mut Cursor<'_>, environment: &impl Environment) -> [u64; 2] {
    let mut stack: SmallVec<[[u64; 2]; 4]> = SmallVec::new();
    loop {
        let opcode = cursor.byte();
        let value = match opcode {
            op::END => return stack.pop().unwrap_or_default(),
            op::I32_CONST => [u64::from(cursor.i32() as u32), 0],
            op::I64_CONST => [cursor.i64() as u64, 0],
            op::F32_CONST => [u64::from(u32::from_le_bytes(cursor.array())), 0],
            op::F64_CONST => [u64::from_le_bytes(cursor.array()), 0],
            op::GLOBAL_GET => environment.global(cursor.u32()),
            op::REF_FUNC => [environment.func_ref(cursor.u32()), 0],
            op::REF_NULL => {
                cursor.skip_leb();
                [0, 0]
            }
            op::I32_ADD..=op::I32_MUL | op::I64_ADD..=op::I64_MUL => {
                let [right, _] = stack.pop().unwrap_or_default();
                let [left, _] = stack.pop().unwrap_or_default();
                let value = match opcode {
                    op::I32_ADD | op::I64_ADD => left.wrapping_add(right),
                    op::I32_SUB | op::I64_SUB => left.wrapping_sub(right),
                    _ => left.wrapping_mul(right),
                };
                // The low half of these operations depends on the low halves alone.
                [
                    if opcode <= op::I32_MUL {
                        u64::from(value as u32)
                    } else {
                        value
                    },
                    0,
                ]
            }
            _ => unreachable!("the validator refuses other instructions in constant expressions"),
        };
        // Most expressions are a single constant.
        if stack.is_empty() && cursor.peek() == op::END {
            cursor.skip(1);
            return value;
        }
        stack.push(value);
    }
}

/// Moves past the expression at the cursor.
pub(crate) fn skip(cursor: &mut Cursor<'_>) {
    loop {
        match cursor.byte() {
            op::END => return,
            op::F32_CONST => cursor.skip(4),
            op::F64_CONST => cursor.skip(8),
            op::I32_CONST | op::I64_CONST | op::GLOBAL_GET | op::REF_FUNC | op::REF_NULL => {
                cursor.skip_leb();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Globals;

    impl Environment for Globals {
        fn global(&self, index: u32) -> [u64; 2] {
            [u64::from(index) * 100, 0]
        }
        fn func_ref(&self, index: u32) -> u64 {
            0x1000 + u64::from(index)
        }
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: u64) {
        let mut cursor = Cursor::new(bytes, 0);
        assert_eq!(evaluate(&mut cursor, &Globals)[0], expected);
        assert_eq!(cursor.position(), bytes.len());
        let mut cursor = Cursor::new(bytes, 0);
        skip(&mut cursor);
        assert_eq!(cursor.position(), bytes.len());
    }

    #[test]
    fn values() {
        check(&[0x41, 0x7f, 0x0b], 0xffff_ffff);
        check(&[0x42, 0x7f, 0x0b], u64::MAX);
        check(&[0x43, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b], 0x0b0b_0b0b);
        check(&[0x44, 1, 2, 3, 4, 5, 6, 7, 8, 0x0b], 0x0807_0605_0403_0201);
        check(&[0x23, 3, 0x0b], 300);
        check(&[0xd0, 0x70, 0x0b], 0);
        check(&[0xd2, 5, 0x0b], 0x1005);
    }

    #[test]
    fn extended() {
        // 2 - 3 * (global 1 + 4), in both widths.
        check(
            &[0x41, 2, 0x41, 3, 0x23, 1, 0x41, 4, 0x6a, 0x6c, 0x6b, 0x0b],
            (-310_i32) as u32 as u64,
        );
        check(
            &[0x42, 2, 0x42, 3, 0x23, 1, 0x42, 4, 0x7c, 0x7e, 0x7d, 0x0b],
            -310_i64 as u64,
        );
    }
}
