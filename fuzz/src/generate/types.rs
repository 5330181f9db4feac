//! Types of values and functions, and the random choice of them.

use wasm_encoder::{HeapType, ValType};

use crate::choices::Choices;

/// A type of a value.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Ty {
    I32,
    I64,
    F32,
    F64,
    Func,
    Extern,
}

/// Parameters and results.
pub(super) type Signature = (Vec<Ty>, Vec<Ty>);

impl Ty {
    pub(super) fn is_reference(self) -> bool {
        matches!(self, Self::Func | Self::Extern)
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    pub(super) fn encoded(self) -> ValType {
        match self {
            Self::I32 => ValType::I32,
            Self::I64 => ValType::I64,
            Self::F32 => ValType::F32,
            Self::F64 => ValType::F64,
            Self::Func => ValType::FUNCREF,
            Self::Extern => ValType::EXTERNREF,
        }
    }

    /// The type of things that a reference of this type refers to, for `ref.null`.
    pub(super) fn heap_type(self) -> HeapType {
        match self {
            Self::Extern => HeapType::EXTERN,
            _ => HeapType::FUNC,
        }
    }

    /// Any type; numbers mostly, `i32` often.
    pub(super) fn any(choices: &mut Choices) -> Self {
        use Ty::{Extern, F32, F64, Func, I32, I64};
        choices.pick(&[
            I32, I64, F32, F64, I32, I64, F64, F32, I32, Func, I32, Extern,
        ])
    }

    /// A type of numbers.
    pub(super) fn number(choices: &mut Choices) -> Self {
        choices.pick(&[Self::I32, Self::I64, Self::F32, Self::F64])
    }

    /// Up to `max` types.
    pub(super) fn some(choices: &mut Choices, max: usize) -> Vec<Self> {
        let count = choices.below(max + 1);
        (0..count).map(|_| Self::any(choices)).collect()
    }
}

/// A signature: of few values mostly, of many sometimes.
pub(super) fn signature(choices: &mut Choices) -> Signature {
    let (parameters, results) = match choices.below(8) {
        0 => (0, 1),
        1 => (2, 1),
        2 => (3, 2),
        3 => (1, 0),
        4 => (6, 3),
        5 => (2, 4),
        6 => (24, 12),
        _ => (4, 1),
    };
    (Ty::some(choices, parameters), Ty::some(choices, results))
}
