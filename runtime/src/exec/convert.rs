//! Conversions (spec §4.3.4 "Conversions").

use super::{int::unary_ops, kinds::UnaryOp};
use crate::Trap;

/// Cuts towards zero, if the result is within the open interval `(below, above)`. The bounds are exact
/// floats: what lies between them fits the integer type once it is cut.
macro_rules! trunc {
    ($a:ident, $int:ty, $below:expr, $above:expr) => {
        if $a > $below && $a < $above {
            // SAFETY: within the bounds, so the cut value fits.
            Ok(unsafe { $a.to_int_unchecked::<$int>() } as _)
        } else if $a.is_nan() {
            Err(Trap::BadConversionToInteger)
        } else {
            Err(Trap::IntegerOverflow)
        }
    };
}

const TWO_31: f64 = 2_147_483_648.0;
const TWO_32: f64 = 4_294_967_296.0;
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

// The float just below -2^31 and -2^63, so that the bound itself is inside the open interval.
const BELOW_I32_IN_F32: f32 = -2_147_483_904.0;
const BELOW_I64_IN_F32: f32 = -9_223_373_136_366_403_584.0;
const BELOW_I64_IN_F64: f64 = -9_223_372_036_854_777_856.0;

unary_ops! {
    I32WrapI64: u64 => u32 = |a| Ok(a as u32);
    I64ExtendI32S: u32 => u64 = |a| Ok(a as i32 as u64);
    I64ExtendI32U: u32 => u64 = |a| Ok(u64::from(a));

    I32TruncF32S: f32 => u32 = |a| trunc!(a, i32, BELOW_I32_IN_F32, TWO_31 as f32);
    I32TruncF32U: f32 => u32 = |a| trunc!(a, u32, -1.0, TWO_32 as f32);
    I32TruncF64S: f64 => u32 = |a| trunc!(a, i32, -TWO_31 - 1.0, TWO_31);
    I32TruncF64U: f64 => u32 = |a| trunc!(a, u32, -1.0, TWO_32);
    I64TruncF32S: f32 => u64 = |a| trunc!(a, i64, BELOW_I64_IN_F32, TWO_63 as f32);
    I64TruncF32U: f32 => u64 = |a| trunc!(a, u64, -1.0, TWO_64 as f32);
    I64TruncF64S: f64 => u64 = |a| trunc!(a, i64, BELOW_I64_IN_F64, TWO_63);
    I64TruncF64U: f64 => u64 = |a| trunc!(a, u64, -1.0, TWO_64);

    I32TruncSatF32S: f32 => u32 = |a| Ok(a as i32 as u32);
    I32TruncSatF32U: f32 => u32 = |a| Ok(a as u32);
    I32TruncSatF64S: f64 => u32 = |a| Ok(a as i32 as u32);
    I32TruncSatF64U: f64 => u32 = |a| Ok(a as u32);
    I64TruncSatF32S: f32 => u64 = |a| Ok(a as i64 as u64);
    I64TruncSatF32U: f32 => u64 = |a| Ok(a as u64);
    I64TruncSatF64S: f64 => u64 = |a| Ok(a as i64 as u64);
    I64TruncSatF64U: f64 => u64 = |a| Ok(a as u64);

    F32ConvertI32S: u32 => f32 = |a| Ok(a as i32 as f32);
    F32ConvertI32U: u32 => f32 = |a| Ok(a as f32);
    F32ConvertI64S: u64 => f32 = |a| Ok(a as i64 as f32);
    F32ConvertI64U: u64 => f32 = |a| Ok(a as f32);
    F64ConvertI32S: u32 => f64 = |a| Ok(f64::from(a as i32));
    F64ConvertI32U: u32 => f64 = |a| Ok(f64::from(a));
    F64ConvertI64S: u64 => f64 = |a| Ok(a as i64 as f64);
    F64ConvertI64U: u64 => f64 = |a| Ok(a as f64);

    F32DemoteF64: f64 => f32 = |a| Ok(a as f32);
    F64PromoteF32: f32 => f64 = |a| Ok(f64::from(a));

    I32ReinterpretF32: f32 => u32 = |a| Ok(a.to_bits());
    I64ReinterpretF64: f64 => u64 = |a| Ok(a.to_bits());
    F32ReinterpretI32: u32 => f32 = |a| Ok(f32::from_bits(a));
    F64ReinterpretI64: u64 => f64 = |a| Ok(f64::from_bits(a));
}
