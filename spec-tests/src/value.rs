//! Arguments and expected results of a script, and how a result is matched. Knows `wast`'s syntax tree
//! and teff's values; knows nothing of directives.

use std::fmt;

use teff_runtime::{ExternRef, Result, Store, Val};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::{WastArg, WastRet};

/// An argument of an invocation.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    /// A value that every store has.
    Plain(Val),
    /// `(ref.extern n)`: a host value that holds `n`.
    Extern(u32),
    /// A value of a type that teff's API does not have, as text.
    Unsupported(String),
}

impl Arg {
    pub(crate) fn lower(arg: &WastArg<'_>) -> Self {
        let WastArg::Core(arg) = arg else {
            return Self::Unsupported(format!("{arg:?}"));
        };
        Self::Plain(match arg {
            WastArgCore::I32(v) => Val::I32(*v),
            WastArgCore::I64(v) => Val::I64(*v),
            WastArgCore::F32(v) => Val::F32(v.bits),
            WastArgCore::F64(v) => Val::F64(v.bits),
            WastArgCore::V128(v) => Val::V128(u128::from_le_bytes(v.to_le_bytes())),
            WastArgCore::RefNull(ty) => match NullKind::of(ty) {
                NullKind::Func => Val::FuncRef(None),
                NullKind::Extern => Val::ExternRef(None),
                NullKind::Other => return Self::Unsupported(format!("a null {ty:?}")),
            },
            WastArgCore::RefExtern(n) => return Self::Extern(*n),
            WastArgCore::RefHost(n) => return Self::Unsupported(format!("(ref.host {n})")),
        })
    }

    /// The argument as a value of `store`.
    pub(crate) fn to_val(&self, store: &mut Store<()>) -> Result<Val> {
        match self {
            Self::Plain(val) => Ok(*val),
            Self::Extern(n) => Ok(Val::ExternRef(Some(ExternRef::new(store, *n)?))),
            Self::Unsupported(what) => Err(teff_runtime::Error::msg(format!(
                "teff has no value for the argument {what}"
            ))),
        }
    }
}

/// Which of the API's null references a `ref.null` is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum NullKind {
    /// A null function reference.
    Func,
    /// A null external reference.
    Extern,
    /// A null of another kind.
    Other,
}

impl NullKind {
    fn of(ty: &HeapType<'_>) -> Self {
        match ty {
            HeapType::Abstract { shared: false, ty } => match ty {
                AbstractHeapType::Func | AbstractHeapType::NoFunc => Self::Func,
                AbstractHeapType::Extern | AbstractHeapType::NoExtern => Self::Extern,
                _ => Self::Other,
            },
            // A script names a concrete type only where the function takes that very type.
            HeapType::Concrete(_) => Self::Func,
            _ => Self::Other,
        }
    }
}

/// The bits of a float, or a class of NaNs.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Float<T> {
    /// Exactly these bits.
    Bits(T),
    /// `nan:canonical`: of the payload, exactly the quiet bit; either sign.
    CanonicalNan,
    /// `nan:arithmetic`: the quiet bit, whatever else.
    ArithmeticNan,
}

impl<T> Float<T> {
    fn lower<F>(pattern: &NanPattern<F>, bits: impl Fn(&F) -> T) -> Self {
        match pattern {
            NanPattern::CanonicalNan => Self::CanonicalNan,
            NanPattern::ArithmeticNan => Self::ArithmeticNan,
            NanPattern::Value(value) => Self::Bits(bits(value)),
        }
    }
}

impl Float<u32> {
    /// Sign aside: exponent all ones and the quiet bit, nothing else.
    const CANONICAL: u32 = 0x7fc0_0000;

    fn matches(self, actual: u32) -> bool {
        match self {
            Self::Bits(bits) => actual == bits,
            Self::CanonicalNan => actual & 0x7fff_ffff == Self::CANONICAL,
            Self::ArithmeticNan => actual & Self::CANONICAL == Self::CANONICAL,
        }
    }
}

impl Float<u64> {
    /// Sign aside: exponent all ones and the quiet bit, nothing else.
    const CANONICAL: u64 = 0x7ff8_0000_0000_0000;

    fn matches(self, actual: u64) -> bool {
        match self {
            Self::Bits(bits) => actual == bits,
            Self::CanonicalNan => actual & 0x7fff_ffff_ffff_ffff == Self::CANONICAL,
            Self::ArithmeticNan => actual & Self::CANONICAL == Self::CANONICAL,
        }
    }
}

impl<T: fmt::LowerHex> fmt::Display for Float<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bits(bits) => write!(f, "{bits:#x}"),
            Self::CanonicalNan => f.write_str("nan:canonical"),
            Self::ArithmeticNan => f.write_str("nan:arithmetic"),
        }
    }
}

/// A vector: all bits, or lanes of floats that may be NaN classes.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Vector {
    /// Exactly these bits.
    Bits(u128),
    /// Four 32-bit floats, lane 0 first.
    F32([Float<u32>; 4]),
    /// Two 64-bit floats, lane 0 first.
    F64([Float<u64>; 2]),
}

impl Vector {
    fn lower(pattern: &V128Pattern) -> Self {
        fn bits<const N: usize>(lanes: impl IntoIterator<Item = [u8; N]>) -> Vector {
            let mut bytes = [0; 16];
            for (to, lane) in bytes.chunks_exact_mut(N).zip(lanes) {
                to.copy_from_slice(&lane);
            }
            Vector::Bits(u128::from_le_bytes(bytes))
        }
        match pattern {
            V128Pattern::I8x16(lanes) => bits(lanes.map(i8::to_le_bytes)),
            V128Pattern::I16x8(lanes) => bits(lanes.map(i16::to_le_bytes)),
            V128Pattern::I32x4(lanes) => bits(lanes.map(i32::to_le_bytes)),
            V128Pattern::I64x2(lanes) => bits(lanes.map(i64::to_le_bytes)),
            V128Pattern::F32x4(lanes) => {
                Self::F32(lanes.each_ref().map(|lane| Float::lower(lane, |v| v.bits)))
            }
            V128Pattern::F64x2(lanes) => {
                Self::F64(lanes.each_ref().map(|lane| Float::lower(lane, |v| v.bits)))
            }
        }
    }

    fn matches(self, actual: u128) -> bool {
        match self {
            Self::Bits(bits) => actual == bits,
            Self::F32(lanes) => (lanes.iter().enumerate())
                .all(|(i, lane)| lane.matches((actual >> (32 * i)) as u32)),
            Self::F64(lanes) => (lanes.iter().enumerate())
                .all(|(i, lane)| lane.matches((actual >> (64 * i)) as u64)),
        }
    }
}

/// What a result must be.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// This 32-bit integer.
    I32(i32),
    /// This 64-bit integer.
    I64(i64),
    /// This 32-bit float, or a NaN of the class.
    F32(Float<u32>),
    /// This 64-bit float, or a NaN of the class.
    F64(Float<u64>),
    /// This vector.
    V128(Vector),
    /// A null reference, of the kind if one is given.
    Null(Option<NullKind>),
    /// A host value, holding the number if one is given.
    Extern(Option<u32>),
    /// A function.
    Func,
    /// One of these.
    Either(Vec<Expected>),
    /// A value of a type that teff's API does not have, as text.
    Unsupported(String),
}

impl Expected {
    pub(crate) fn lower(ret: &WastRet<'_>) -> Self {
        match ret {
            WastRet::Core(ret) => Self::lower_core(ret),
            other => Self::Unsupported(format!("{other:?}")),
        }
    }

    fn lower_core(ret: &WastRetCore<'_>) -> Self {
        match ret {
            WastRetCore::I32(v) => Self::I32(*v),
            WastRetCore::I64(v) => Self::I64(*v),
            WastRetCore::F32(v) => Self::F32(Float::lower(v, |v| v.bits)),
            WastRetCore::F64(v) => Self::F64(Float::lower(v, |v| v.bits)),
            WastRetCore::V128(v) => Self::V128(Vector::lower(v)),
            // The API cannot tell concrete types apart: any null will do.
            WastRetCore::RefNull(Some(HeapType::Concrete(_))) => Self::Null(None),
            WastRetCore::RefNull(ty) => Self::Null(ty.as_ref().map(NullKind::of)),
            WastRetCore::RefExtern(n) => Self::Extern(*n),
            WastRetCore::RefFunc(_) => Self::Func,
            WastRetCore::Either(cases) => {
                Self::Either(cases.iter().map(Self::lower_core).collect())
            }
            other => Self::Unsupported(format!("{other:?}")),
        }
    }

    /// Is `actual`, a value of `store`, what is expected?
    pub(crate) fn matches(&self, actual: &Val, store: &Store<()>) -> bool {
        match (self, actual) {
            (Self::I32(v), Val::I32(a)) => v == a,
            (Self::I64(v), Val::I64(a)) => v == a,
            (Self::F32(v), Val::F32(a)) => v.matches(*a),
            (Self::F64(v), Val::F64(a)) => v.matches(*a),
            (Self::V128(v), Val::V128(a)) => v.matches(*a),
            (Self::Null(None | Some(NullKind::Func)), Val::FuncRef(None)) => true,
            (Self::Null(None | Some(NullKind::Extern)), Val::ExternRef(None)) => true,
            (Self::Extern(None), Val::ExternRef(Some(_))) => true,
            (Self::Extern(n @ Some(_)), Val::ExternRef(Some(a))) => host_number(a, store) == *n,
            (Self::Func, Val::FuncRef(Some(_))) => true,
            (Self::Either(cases), a) => cases.iter().any(|case| case.matches(a, store)),
            _ => false,
        }
    }
}

/// The number in a host value that [`Arg::to_val`] made.
fn host_number(value: &ExternRef, store: &Store<()>) -> Option<u32> {
    value.data(store).ok()?.downcast_ref().copied()
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32(v) => write!(f, "i32 {v}"),
            Self::I64(v) => write!(f, "i64 {v}"),
            Self::F32(v) => write!(f, "f32 {v}"),
            Self::F64(v) => write!(f, "f64 {v}"),
            Self::V128(Vector::Bits(v)) => write!(f, "v128 {v:#034x}"),
            Self::V128(Vector::F32([a, b, c, d])) => write!(f, "f32x4 {a} {b} {c} {d}"),
            Self::V128(Vector::F64([a, b])) => write!(f, "f64x2 {a} {b}"),
            Self::Null(None) => f.write_str("a null reference"),
            Self::Null(Some(NullKind::Func)) => f.write_str("a null funcref"),
            Self::Null(Some(NullKind::Extern)) => f.write_str("a null externref"),
            Self::Null(Some(NullKind::Other)) => f.write_str("a null reference of another type"),
            Self::Extern(None) => f.write_str("an externref"),
            Self::Extern(Some(n)) => write!(f, "externref {n}"),
            Self::Func => f.write_str("a funcref"),
            Self::Either(cases) => {
                for (i, case) in cases.iter().enumerate() {
                    write!(f, "{}{case}", if i == 0 { "" } else { " or " })?;
                }
                Ok(())
            }
            Self::Unsupported(what) => write!(f, "{what}, for which teff has no value"),
        }
    }
}

/// A result as text, in the form of [`Expected`]'s.
pub(crate) fn show(val: &Val, store: &Store<()>) -> String {
    match val {
        Val::I32(v) => format!("i32 {v}"),
        Val::I64(v) => format!("i64 {v}"),
        Val::F32(v) => format!("f32 {v:#x}"),
        Val::F64(v) => format!("f64 {v:#x}"),
        Val::V128(v) => format!("v128 {v:#034x}"),
        Val::FuncRef(None) => "a null funcref".into(),
        Val::FuncRef(Some(_)) => "a funcref".into(),
        Val::ExternRef(None) => "a null externref".into(),
        Val::ExternRef(Some(v)) => match host_number(v, store) {
            Some(n) => format!("externref {n}"),
            None => "an externref".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_classes_are_strict() {
        let canonical = Float::<u32>::CanonicalNan;
        assert!(canonical.matches(0x7fc0_0000) && canonical.matches(0xffc0_0000));
        assert!(!canonical.matches(0x7fc0_0001) && !canonical.matches(0x7f80_0000));
        let arithmetic = Float::<u64>::ArithmeticNan;
        assert!(arithmetic.matches(0x7ff8_0000_0000_0001) && arithmetic.matches(u64::MAX));
        assert!(!arithmetic.matches(0x7ff4_0000_0000_0000) && !arithmetic.matches(0));
        assert!(!Float::Bits(0x7fc0_0001_u32).matches(0x7fc0_0000));
    }

    #[test]
    fn vector_lanes_match_one_by_one() {
        let bits = |a: u32| Float::Bits(a);
        let vector = Vector::F32([bits(1), Float::CanonicalNan, bits(3), Float::ArithmeticNan]);
        let lanes = |l: [u32; 4]| {
            l.iter()
                .rev()
                .fold(0, |v, lane| v << 32 | u128::from(*lane))
        };
        assert!(vector.matches(lanes([1, 0xffc0_0000, 3, 0x7fc0_1234])));
        assert!(!vector.matches(lanes([1, 0x7fc0_0001, 3, 0x7fc0_1234])));
        assert!(!vector.matches(lanes([1, 0x7fc0_0000, 2, 0x7fc0_1234])));
    }
}
