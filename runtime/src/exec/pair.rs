//! Instructions that do the work of two that follow one another often: the first one's result is an operand of
//! the second and of nothing else. Which ones there are was decided by counting what programs run.
//!
//! The float ones round twice, as the two instructions would.

use super::{
    int::{BrI32Eq, BrI32GtS, BrI32GtU, BrI32LtS, BrI32LtU, BrI32Ne},
    kinds::{BinaryOp, ChooseOp, CountedOp, LoadOp, LoadPairOp, PairOp},
    memory::{F32Load, F64Load, I32Load, I32Load8U, I64Load},
};
use crate::Trap;

/// Declares rows `result ← f(x, y, z)`: name, type, expression.
macro_rules! pair_ops {
    ($($name:ident: $ty:ty = |$x:ident, $y:ident, $z:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl PairOp for $name {
            type Type = $ty;

            #[inline(always)]
            fn apply($x: $ty, $y: $ty, $z: $ty) -> $ty {
                $body
            }
        }
    )*};
}

pair_ops! {
    I32ShlAdd: u32 = |x, y, z| x.wrapping_shl(y).wrapping_add(z);
    I32ShrUAnd: u32 = |x, y, z| x.wrapping_shr(y) & z;
    I32AddAdd: u32 = |x, y, z| x.wrapping_add(y).wrapping_add(z);
    I32RotlXor: u32 = |x, y, z| x.rotate_left(y & 31) ^ z;
    I32ShrUXor: u32 = |x, y, z| x.wrapping_shr(y) ^ z;
    I32XorAdd: u32 = |x, y, z| (x ^ y).wrapping_add(z);
    I32AndShl: u32 = |x, y, z| (x & y).wrapping_shl(z);
    I32MulAdd: u32 = |x, y, z| x.wrapping_mul(y).wrapping_add(z);
    I32XorRotl: u32 = |x, y, z| (x ^ y).rotate_left(z & 31);
    I32XorAnd: u32 = |x, y, z| (x ^ y) & z;
    I32ShlXor: u32 = |x, y, z| x.wrapping_shl(y) ^ z;
    I32ShlOr: u32 = |x, y, z| x.wrapping_shl(y) | z;
    I32AndOr: u32 = |x, y, z| (x & y) | z;
    I32AddAnd: u32 = |x, y, z| x.wrapping_add(y) & z;
    I32XorXor: u32 = |x, y, z| (x ^ y) ^ z;
    I32AddXor: u32 = |x, y, z| x.wrapping_add(y) ^ z;
    I64RotlAdd: u64 = |x, y, z| x.rotate_left((y & 63) as u32).wrapping_add(z);
    I64RotlXor: u64 = |x, y, z| x.rotate_left((y & 63) as u32) ^ z;
    I64XorAnd: u64 = |x, y, z| (x ^ y) & z;
    I64MulAdd: u64 = |x, y, z| x.wrapping_mul(y).wrapping_add(z);
    I64AddAdd: u64 = |x, y, z| x.wrapping_add(y).wrapping_add(z);
    I64AndXor: u64 = |x, y, z| (x & y) ^ z;
    I64XorRotl: u64 = |x, y, z| (x ^ y).rotate_left((z & 63) as u32);
    I64ShlAdd: u64 = |x, y, z| x.wrapping_shl(y as u32).wrapping_add(z);
    I64XorAdd: u64 = |x, y, z| (x ^ y).wrapping_add(z);
    I64ShrUAnd: u64 = |x, y, z| x.wrapping_shr(y as u32) & z;
    F32MulAdd: f32 = |x, y, z| x * y + z;
    F32MulSub: f32 = |x, y, z| x * y - z;
    F32SubMul: f32 = |x, y, z| z - x * y;
    F32AddMul: f32 = |x, y, z| (x + y) * z;
    F32SubAdd: f32 = |x, y, z| x - y + z;
    F32MulMul: f32 = |x, y, z| x * y * z;
    F64MulAdd: f64 = |x, y, z| x * y + z;
    F64MulSub: f64 = |x, y, z| x * y - z;
    F64SubMul: f64 = |x, y, z| z - x * y;
    F64AddMul: f64 = |x, y, z| (x + y) * z;
    F64SubAdd: f64 = |x, y, z| x - y + z;
    F64MulMul: f64 = |x, y, z| x * y * z;
}

/// Declares rows `result ← f(memory[address], b)`: name, load, expression.
macro_rules! load_pair_ops {
    ($($name:ident: $load:ident = |$a:ident, $b:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl LoadPairOp for $name {
            type Load = $load;

            #[inline(always)]
            fn apply($a: <$load as LoadOp>::Out, $b: <$load as LoadOp>::Out) -> <$load as LoadOp>::Out {
                $body
            }
        }
    )*};
}

load_pair_ops! {
    I32LoadAdd: I32Load = |a, b| a.wrapping_add(b);
    I32LoadXor: I32Load = |a, b| a ^ b;
    I32Load8UAdd: I32Load8U = |a, b| a.wrapping_add(b);
    I64LoadAdd: I64Load = |a, b| a.wrapping_add(b);
    I64LoadXor: I64Load = |a, b| a ^ b;
    F32LoadAdd: F32Load = |a, b| a + b;
    F32LoadSub: F32Load = |a, b| a - b;
    F32LoadRsub: F32Load = |a, b| b - a;
    F32LoadMul: F32Load = |a, b| a * b;
    F64LoadAdd: F64Load = |a, b| a + b;
    F64LoadSub: F64Load = |a, b| a - b;
    F64LoadRsub: F64Load = |a, b| b - a;
    F64LoadMul: F64Load = |a, b| a * b;
}

/// Declares rows `local ← local + number`, with a branch if the comparison holds: name, type, comparison.
macro_rules! counted_ops {
    ($($name:ident: $ty:ty = |$a:ident, $b:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl CountedOp for $name {
            type In = $ty;

            #[inline(always)]
            fn add($a: $ty, imm: u32) -> $ty {
                $a.wrapping_add(imm as i32 as $ty)
            }

            #[inline(always)]
            fn test($a: $ty, $b: $ty) -> bool {
                $body
            }
        }
    )*};
}

counted_ops! {
    CountI32Ne: u32 = |a, b| a != b;
    CountI32LtS: u32 = |a, b| (a as i32) < (b as i32);
    CountI32LtU: u32 = |a, b| a < b;
    CountI32GtS: u32 = |a, b| (a as i32) > (b as i32);
    CountI32GtU: u32 = |a, b| a > b;
    CountI32LeS: u32 = |a, b| (a as i32) <= (b as i32);
    CountI32LeU: u32 = |a, b| a <= b;
    CountI32GeS: u32 = |a, b| (a as i32) >= (b as i32);
    CountI32GeU: u32 = |a, b| a >= b;
    CountI64Ne: u64 = |a, b| a != b;
    CountI64LtS: u64 = |a, b| (a as i64) < (b as i64);
    CountI64LtU: u64 = |a, b| a < b;
    CountI64GtS: u64 = |a, b| (a as i64) > (b as i64);
    CountI64GtU: u64 = |a, b| a > b;
    CountI64LeS: u64 = |a, b| (a as i64) <= (b as i64);
    CountI64LeU: u64 = |a, b| a <= b;
    CountI64GeS: u64 = |a, b| (a as i64) >= (b as i64);
    CountI64GeU: u64 = |a, b| a >= b;
}

/// Declares rows `result ← comparison ? x : y`: name, the branch with the comparison.
macro_rules! choose_ops {
    ($($name:ident: $test:ident;)*) => {$(
        pub(super) struct $name;

        impl ChooseOp for $name {
            type Test = $test;
        }
    )*};
}

choose_ops! {
    SelectI32Eq: BrI32Eq;
    SelectI32Ne: BrI32Ne;
    SelectI32LtS: BrI32LtS;
    SelectI32LtU: BrI32LtU;
    SelectI32GtS: BrI32GtS;
    SelectI32GtU: BrI32GtU;
}

/// An `i32`, as an `i64` without sign, plus another `i64`. The first operand is read as 64 bits, so it is for
/// machines whose integer types share an accumulator.
pub(super) struct I64WidenAdd;

impl BinaryOp for I64WidenAdd {
    type In = u64;
    type Out = u64;

    #[inline(always)]
    fn apply(a: u64, b: u64) -> Result<u64, Trap> {
        Ok(u64::from(a as u32).wrapping_add(b))
    }
}
