//! Integer arithmetic and comparisons (spec §4.3.2 "Integer Operations").

use super::kinds::{BinaryOp, TestOp, UnaryOp};
use crate::Trap;

/// Declares rows `result ← f(a, b)` and `result ← f(a)`: name, types, expression.
macro_rules! binary_ops {
    ($($name:ident: $in:ty => $out:ty = |$a:ident, $b:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl BinaryOp for $name {
            type In = $in;
            type Out = $out;

            #[inline(always)]
            fn apply($a: $in, $b: $in) -> Result<$out, Trap> {
                $body
            }
        }
    )*};
}
pub(super) use binary_ops;

macro_rules! unary_ops {
    ($($name:ident: $in:ty => $out:ty = |$a:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl UnaryOp for $name {
            type In = $in;
            type Out = $out;

            #[inline(always)]
            fn apply($a: $in) -> Result<$out, Trap> {
                $body
            }
        }
    )*};
}
pub(super) use unary_ops;

/// Declares comparisons: the row that makes an `i32`, the row that branches.
macro_rules! compare_ops {
    ($($name:ident $branch:ident: $in:ty = |$a:ident, $b:ident| $body:expr;)*) => {
        binary_ops! {$(
            $name: $in => u32 = |a, b| Ok(u32::from($branch::test(a, b)));
        )*}

        branch_ops! {$(
            $branch: $in = |$a, $b| $body;
        )*}
    };
}
pub(super) use compare_ops;

macro_rules! branch_ops {
    ($($name:ident: $in:ty = |$a:ident, $b:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl TestOp for $name {
            type In = $in;

            #[inline(always)]
            fn test($a: $in, $b: $in) -> bool {
                $body
            }
        }
    )*};
}
pub(super) use branch_ops;

macro_rules! int_ops {
    (
        $u:ty, $s:ty;
        $add:ident $sub:ident $mul:ident $and:ident $or:ident $xor:ident
        $shl:ident $shr_s:ident $shr_u:ident $rotl:ident $rotr:ident
        $div_s:ident $div_u:ident $rem_s:ident $rem_u:ident
        $clz:ident $ctz:ident $popcnt:ident $extend8:ident $extend16:ident
    ) => {
        binary_ops! {
            $add: $u => $u = |a, b| Ok(a.wrapping_add(b));
            $sub: $u => $u = |a, b| Ok(a.wrapping_sub(b));
            $mul: $u => $u = |a, b| Ok(a.wrapping_mul(b));
            $and: $u => $u = |a, b| Ok(a & b);
            $or: $u => $u = |a, b| Ok(a | b);
            $xor: $u => $u = |a, b| Ok(a ^ b);
            $shl: $u => $u = |a, b| Ok(a.wrapping_shl(b as u32));
            $shr_s: $u => $u = |a, b| Ok((a as $s).wrapping_shr(b as u32) as $u);
            $shr_u: $u => $u = |a, b| Ok(a.wrapping_shr(b as u32));
            $rotl: $u => $u = |a, b| Ok(a.rotate_left(b as u32 % <$u>::BITS));
            $rotr: $u => $u = |a, b| Ok(a.rotate_right(b as u32 % <$u>::BITS));
            $div_s: $u => $u = |a, b| {
                if b == 0 {
                    Err(Trap::IntegerDivisionByZero)
                } else {
                    (a as $s).checked_div(b as $s).map(|v| v as $u).ok_or(Trap::IntegerOverflow)
                }
            };
            $div_u: $u => $u = |a, b| a.checked_div(b).ok_or(Trap::IntegerDivisionByZero);
            $rem_s: $u => $u = |a, b| {
                if b == 0 {
                    Err(Trap::IntegerDivisionByZero)
                } else {
                    Ok((a as $s).wrapping_rem(b as $s) as $u)
                }
            };
            $rem_u: $u => $u = |a, b| a.checked_rem(b).ok_or(Trap::IntegerDivisionByZero);
        }

        unary_ops! {
            $clz: $u => $u = |a| Ok(<$u>::from(a.leading_zeros()));
            $ctz: $u => $u = |a| Ok(<$u>::from(a.trailing_zeros()));
            $popcnt: $u => $u = |a| Ok(<$u>::from(a.count_ones()));
            $extend8: $u => $u = |a| Ok(a as i8 as $u);
            $extend16: $u => $u = |a| Ok(a as i16 as $u);
        }
    };
}

int_ops! {
    u32, i32;
    I32Add I32Sub I32Mul I32And I32Or I32Xor I32Shl I32ShrS I32ShrU I32Rotl I32Rotr
    I32DivS I32DivU I32RemS I32RemU I32Clz I32Ctz I32Popcnt I32Extend8S I32Extend16S
}

int_ops! {
    u64, i64;
    I64Add I64Sub I64Mul I64And I64Or I64Xor I64Shl I64ShrS I64ShrU I64Rotl I64Rotr
    I64DivS I64DivU I64RemS I64RemU I64Clz I64Ctz I64Popcnt I64Extend8S I64Extend16S
}

unary_ops! {
    I64Extend32S: u64 => u64 = |a| Ok(a as i32 as u64);
}

compare_ops! {
    I32Eq BrI32Eq: u32 = |a, b| a == b;
    I32Ne BrI32Ne: u32 = |a, b| a != b;
    I32LtS BrI32LtS: u32 = |a, b| (a as i32) < b as i32;
    I32LtU BrI32LtU: u32 = |a, b| a < b;
    I32GtS BrI32GtS: u32 = |a, b| a as i32 > b as i32;
    I32GtU BrI32GtU: u32 = |a, b| a > b;
    I32LeS BrI32LeS: u32 = |a, b| a as i32 <= b as i32;
    I32LeU BrI32LeU: u32 = |a, b| a <= b;
    I32GeS BrI32GeS: u32 = |a, b| a as i32 >= b as i32;
    I32GeU BrI32GeU: u32 = |a, b| a >= b;
    I64Eq BrI64Eq: u64 = |a, b| a == b;
    I64Ne BrI64Ne: u64 = |a, b| a != b;
    I64LtS BrI64LtS: u64 = |a, b| (a as i64) < b as i64;
    I64LtU BrI64LtU: u64 = |a, b| a < b;
    I64GtS BrI64GtS: u64 = |a, b| a as i64 > b as i64;
    I64GtU BrI64GtU: u64 = |a, b| a > b;
    I64LeS BrI64LeS: u64 = |a, b| a as i64 <= b as i64;
    I64LeU BrI64LeU: u64 = |a, b| a <= b;
    I64GeS BrI64GeS: u64 = |a, b| a as i64 >= b as i64;
    I64GeU BrI64GeU: u64 = |a, b| a >= b;
}

branch_ops! {
    BrI32And: u32 = |a, b| a & b != 0;
    BrI32Nand: u32 = |a, b| a & b == 0;
    BrI64And: u64 = |a, b| a & b != 0;
    BrI64Nand: u64 = |a, b| a & b == 0;
}
