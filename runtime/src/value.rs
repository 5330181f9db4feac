//! Values at run time.

use core::any::Any;

use crate::{AsContext, AsContextMut, Func, HeapType, RefType, Result, ValType, store::StoreId};

/// A Wasm value (spec §4.2.1).
#[derive(Copy, Clone, Debug)]
pub enum Val {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
    /// 128-bit vector.
    V128(u128),
    /// A reference to a function, or null.
    FuncRef(Option<Func>),
    /// A reference to a host value, or null.
    ExternRef(Option<ExternRef>),
}

/// A reference (spec §4.2.1).
#[derive(Copy, Clone, Debug)]
pub enum Ref {
    /// A reference to a function, or null.
    Func(Option<Func>),
    /// A reference to a host value, or null.
    Extern(Option<ExternRef>),
}

/// A host value that Wasm can hold but not look into. It lives as long as its store.
#[derive(Copy, Clone, Debug)]
pub struct ExternRef {
    store: StoreId,
    index: u32,
}

impl ExternRef {
    /// Moves a host value into the store.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> Result<Self> {
        todo!()
    }

    /// The host value.
    pub fn data<'a, T: 'a>(
        &self,
        store: impl Into<crate::StoreContext<'a, T>>,
    ) -> Result<&'a (dyn Any + Send + Sync)> {
        todo!()
    }
}

macro_rules! accessors {
    ($($variant:ident $get:ident $unwrap:ident $ty:ty, $value:ident => $convert:expr;)*) => {
        impl Val {$(
            #[doc = concat!("The value, if it is an `", stringify!($variant), "`.")]
            pub fn $get(&self) -> Option<$ty> {
                match *self {
                    Self::$variant($value) => Some($convert),
                    _ => None,
                }
            }

            #[doc = concat!("The value.\n\n# Panics\nIf it is not an `", stringify!($variant), "`.")]
            pub fn $unwrap(&self) -> $ty {
                self.$get().expect(concat!("expected an ", stringify!($variant)))
            }
        )*}
    };
}

accessors! {
    I32 i32 unwrap_i32 i32, value => value;
    I64 i64 unwrap_i64 i64, value => value;
    F32 f32 unwrap_f32 f32, value => f32::from_bits(value);
    F64 f64 unwrap_f64 f64, value => f64::from_bits(value);
    V128 v128 unwrap_v128 u128, value => value;
    FuncRef func_ref unwrap_func_ref Option<Func>, value => value;
    ExternRef extern_ref unwrap_extern_ref Option<ExternRef>, value => value;
}

impl Val {
    /// Its type. A reference is of the nullable type.
    pub fn ty(&self) -> ValType {
        match self {
            Self::I32(_) => ValType::I32,
            Self::I64(_) => ValType::I64,
            Self::F32(_) => ValType::F32,
            Self::F64(_) => ValType::F64,
            Self::V128(_) => ValType::V128,
            Self::FuncRef(_) => ValType::FUNCREF,
            Self::ExternRef(_) => ValType::EXTERNREF,
        }
    }

    /// Zero or null of a type; nothing if the type has no default.
    pub fn default_for_ty(ty: &ValType) -> Option<Self> {
        Some(match ty {
            ValType::I32 => Self::I32(0),
            ValType::I64 => Self::I64(0),
            ValType::F32 => Self::F32(0),
            ValType::F64 => Self::F64(0),
            ValType::V128 => Self::V128(0),
            ValType::Ref(ty) if ty.is_nullable() => Ref::null(ty.heap_type()).into(),
            ValType::Ref(_) => return None,
        })
    }
}

impl Ref {
    /// The null reference to such a thing.
    pub const fn null(heap_type: HeapType) -> Self {
        match heap_type {
            HeapType::Func => Self::Func(None),
            HeapType::Extern => Self::Extern(None),
        }
    }

    /// Is it null?
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Func(None) | Self::Extern(None))
    }

    /// Its type, the nullable one.
    pub const fn ty(&self) -> RefType {
        match self {
            Self::Func(_) => RefType::FUNCREF,
            Self::Extern(_) => RefType::EXTERNREF,
        }
    }
}

macro_rules! from {
    ($($ty:ty, $value:ident => $convert:expr;)*) => {
        $(impl From<$ty> for Val {
            fn from($value: $ty) -> Self {
                $convert
            }
        })*
    };
}

from! {
    i32, value => Self::I32(value);
    i64, value => Self::I64(value);
    f32, value => Self::F32(value.to_bits());
    f64, value => Self::F64(value.to_bits());
    u128, value => Self::V128(value);
    Func, value => Self::FuncRef(Some(value));
    Option<Func>, value => Self::FuncRef(value);
    ExternRef, value => Self::ExternRef(Some(value));
    Option<ExternRef>, value => Self::ExternRef(value);
    Ref, value => match value {
        Ref::Func(func) => Self::FuncRef(func),
        Ref::Extern(data) => Self::ExternRef(data),
    };
}

impl From<Func> for Ref {
    fn from(func: Func) -> Self {
        Self::Func(Some(func))
    }
}

impl From<ExternRef> for Ref {
    fn from(data: ExternRef) -> Self {
        Self::Extern(Some(data))
    }
}
