//! Float arithmetic and comparisons (spec §4.3.3 "Floating-Point Operations").
//!
//! Rust leaves the sign and payload of a NaN result open, as the spec does, and `canonical` comes after each operation
//! that makes one where they must be known (`Config::deterministic`); where an operation must pass
//! bits through unchanged (`abs`, `neg`, `copysign`), it works on bits.

#![allow(
    clippy::neg_cmp_op_on_partial_ord,
    reason = "NaN is not less, and not greater or equal"
)]

use super::{
    int::{binary_ops, branch_ops, compare_ops, unary_ops},
    kinds::{BinaryOp, TestOp, UnaryOp},
};
use crate::Trap;

macro_rules! float_ops {
    (
        $f:ident, $bits:ty, $int:ty, $module:ident;
        $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident $copysign:ident
        $abs:ident $neg:ident $ceil:ident $floor:ident $trunc:ident $nearest:ident $sqrt:ident
        $canonical:ident
    ) => {
        binary_ops! {
            $add: $f => $f = |a, b| Ok(a + b);
            $sub: $f => $f = |a, b| Ok(a - b);
            $mul: $f => $f = |a, b| Ok(a * b);
            $div: $f => $f = |a, b| Ok(a / b);
            $min: $f => $f = |a, b| Ok($module::min(a, b));
            $max: $f => $f = |a, b| Ok($module::max(a, b));
            $copysign: $f => $f = |a, b| {
                Ok($f::from_bits(a.to_bits() & !$module::SIGN | b.to_bits() & $module::SIGN))
            };
        }

        unary_ops! {
            $abs: $f => $f = |a| Ok($f::from_bits(a.to_bits() & !$module::SIGN));
            $neg: $f => $f = |a| Ok($f::from_bits(a.to_bits() ^ $module::SIGN));
            $ceil: $f => $f = |a| Ok($module::round(a, |t, a| if t < a { t + 1.0 } else { t }));
            $floor: $f => $f = |a| Ok($module::round(a, |t, a| if t > a { t - 1.0 } else { t }));
            $trunc: $f => $f = |a| Ok($module::round(a, |t, _| t));
            $nearest: $f => $f = |a| Ok($module::round(a, $module::nearest));
            $sqrt: $f => $f = |a| Ok($module::sqrt(a));
            $canonical: $f => $f = |a| Ok($module::canonical(a));
        }

        mod $module {
            pub(super) const SIGN: $bits = 1 << (<$bits>::BITS - 1);

            /// The bit that makes a NaN quiet.
            const QUIET: $bits = 1 << ($f::MANTISSA_DIGITS - 2);

            /// The canonical NaN for any NaN. As integers: for the compiler, which knows that Rust leaves the bits of a
            /// NaN open, any float that is one may stand for any other.
            #[inline(always)]
            pub(super) fn canonical(a: $f) -> $f {
                const INFINITY: $bits = $f::INFINITY.to_bits();
                let bits = a.to_bits();
                $f::from_bits(if bits & !SIGN > INFINITY { INFINITY | QUIET } else { bits })
            }

            /// From here on every value is an integer.
            const INTEGERS: $f = (1 as $bits << ($f::MANTISSA_DIGITS - 1)) as $f;

            fn quiet(nan: $f) -> $f {
                $f::from_bits(nan.to_bits() | QUIET)
            }

            #[inline(always)]
            pub(super) fn min(a: $f, b: $f) -> $f {
                if a < b {
                    a
                } else if b < a {
                    b
                } else if a == b {
                    // Equal, or zeros of either sign: -0 is the lesser.
                    $f::from_bits(a.to_bits() | b.to_bits())
                } else {
                    quiet(if a.is_nan() { a } else { b })
                }
            }

            #[inline(always)]
            pub(super) fn max(a: $f, b: $f) -> $f {
                if a > b {
                    a
                } else if b > a {
                    b
                } else if a == b {
                    $f::from_bits(a.to_bits() & b.to_bits())
                } else {
                    quiet(if a.is_nan() { a } else { b })
                }
            }

            /// Rounds to an integer: `adjust` gets the value cut towards zero, and the value itself.
            /// Keeps the sign, of zeros as well. The same on every target, with or without an instruction
            /// or a library for it.
            #[inline(always)]
            pub(super) fn round(a: $f, adjust: impl Fn($f, $f) -> $f) -> $f {
                let magnitude = $f::from_bits(a.to_bits() & !SIGN);
                if magnitude < INTEGERS {
                    // SAFETY: less than 2^52 (2^23), so it fits.
                    let cut = unsafe { a.to_int_unchecked::<$int>() } as $f;
                    let rounded = adjust(cut, a);
                    $f::from_bits(rounded.to_bits() & !SIGN | a.to_bits() & SIGN)
                } else if a.is_nan() {
                    quiet(a)
                } else {
                    a
                }
            }

            /// To the nearest integer, ties to even: adding and subtracting 2^52 (2^23) rounds in the
            /// machine's mode, which is that one.
            #[inline(always)]
            pub(super) fn nearest(_: $f, a: $f) -> $f {
                let magnitude = $f::from_bits(a.to_bits() & !SIGN);
                (magnitude + INTEGERS) - INTEGERS
            }

            #[inline(always)]
            pub(super) fn sqrt(a: $f) -> $f {
                #[cfg(feature = "std")]
                return a.sqrt();
                #[cfg(not(feature = "std"))]
                return if a.is_nan() { quiet(a) } else { super::libm_sqrt::$module(a) };
            }
        }
    };
}

float_ops! {
    f32, u32, i32, single;
    F32Add F32Sub F32Mul F32Div F32Min F32Max F32Copysign
    F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt F32Canonical
}

float_ops! {
    f64, u64, i64, double;
    F64Add F64Sub F64Mul F64Div F64Min F64Max F64Copysign
    F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt F64Canonical
}

/// `core` has no square root yet.
#[cfg(not(feature = "std"))]
mod libm_sqrt {
    pub(super) fn single(a: f32) -> f32 {
        libm::sqrtf(a)
    }

    pub(super) fn double(a: f64) -> f64 {
        libm::sqrt(a)
    }
}

compare_ops! {
    F32Eq BrF32Eq: f32 = |a, b| a == b;
    F32Ne BrF32Ne: f32 = |a, b| a != b;
    F32Lt BrF32Lt: f32 = |a, b| a < b;
    F32Gt BrF32Gt: f32 = |a, b| a > b;
    F32Le BrF32Le: f32 = |a, b| a <= b;
    F32Ge BrF32Ge: f32 = |a, b| a >= b;
    F64Eq BrF64Eq: f64 = |a, b| a == b;
    F64Ne BrF64Ne: f64 = |a, b| a != b;
    F64Lt BrF64Lt: f64 = |a, b| a < b;
    F64Gt BrF64Gt: f64 = |a, b| a > b;
    F64Le BrF64Le: f64 = |a, b| a <= b;
    F64Ge BrF64Ge: f64 = |a, b| a >= b;
}

branch_ops! {
    BrF32NotLt: f32 = |a, b| !(a < b);
    BrF32NotGt: f32 = |a, b| !(a > b);
    BrF32NotLe: f32 = |a, b| !(a <= b);
    BrF32NotGe: f32 = |a, b| !(a >= b);
    BrF64NotLt: f64 = |a, b| !(a < b);
    BrF64NotGt: f64 = |a, b| !(a > b);
    BrF64NotLe: f64 = |a, b| !(a <= b);
    BrF64NotGe: f64 = |a, b| !(a >= b);
}
