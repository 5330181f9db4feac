//! Values at run time.

use alloc::boxed::Box;
use core::any::Any;

use crate::{
    AsContextMut, Func, HeapType, RefType, Result, StoreContext, ValType, error::bail,
    store::StoreId,
};

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
    /// Moves a host value into the store, where it stays until the store is dropped.
    ///
    /// # Errors
    /// If the store has no room for more.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> Result<Self> {
        let mut store = store.as_context_mut();
        let store = store.inner_mut();
        Ok(Self {
            store: store.id,
            index: store.add_reference(Box::new(value))?,
        })
    }

    /// The host value.
    ///
    /// # Errors
    /// If the reference belongs to another store.
    pub fn data<'a, T: 'a>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Result<&'a (dyn Any + Send + Sync)> {
        let store = store.into();
        check_store(self.store, store.inner().id)?;
        Ok(store.inner().reference(self.index))
    }

    /// The reference that a slot holds: never 0, which is null.
    pub(crate) fn to_slot(self, store: StoreId) -> Result<u64> {
        check_store(self.store, store)?;
        Ok(u64::from(self.index) + 1)
    }

    /// The host value that a slot holds a reference to, if that is not null.
    pub(crate) fn from_slot(slot: u64, store: StoreId) -> Option<Self> {
        Some(Self {
            store,
            index: slot.checked_sub(1)? as u32,
        })
    }
}

/// An error if a value belongs to another store.
pub(crate) fn check_store(found: StoreId, expected: StoreId) -> Result<()> {
    if found != expected {
        bail!("a reference to a function or host value belongs to another store");
    }
    Ok(())
}

/// Writes values to slots, if they have these types.
pub(crate) fn store_all(
    mut slots: &mut [u64],
    values: &[Val],
    types: &[ValType],
    store: StoreId,
) -> Result<()> {
    for (i, (value, ty)) in values.iter().zip(types).enumerate() {
        let value = value
            .to_slots(ty, store)
            .map_err(|error| error.context(format_args!("value {i}")))?;
        let (first, rest) = slots.split_at_mut(ty.slots() as usize);
        first.copy_from_slice(&value[..first.len()]);
        slots = rest;
    }
    Ok(())
}

/// Reads values of these types from slots.
pub(crate) fn load_all(mut slots: &[u64], values: &mut [Val], types: &[ValType], store: StoreId) {
    for (value, ty) in values.iter_mut().zip(types) {
        let (first, rest) = slots.split_at(ty.slots() as usize);
        *value = Val::from_slots(first, *ty, store);
        slots = rest;
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

impl Val {
    /// Its form in slots, if it has this type.
    pub(crate) fn to_slots(self, ty: &ValType, store: StoreId) -> Result<[u64; 2]> {
        let fits = match (self, ty) {
            (Self::FuncRef(None) | Self::ExternRef(None), ValType::Ref(ty))
                if !ty.is_nullable() =>
            {
                false
            }
            (Self::FuncRef(_), ValType::Ref(ty)) => ty.heap_type() == HeapType::Func,
            (Self::ExternRef(_), ValType::Ref(ty)) => ty.heap_type() == HeapType::Extern,
            (value, ty) => value.ty() == *ty,
        };
        if !fits {
            bail!("expected {ty}, found {}", self.ty());
        }
        Ok(match self {
            Self::I32(value) => [u64::from(value as u32), 0],
            Self::I64(value) => [value as u64, 0],
            Self::F32(bits) => [u64::from(bits), 0],
            Self::F64(bits) => [bits, 0],
            Self::V128(value) => [value as u64, (value >> 64) as u64],
            Self::FuncRef(func) => [Ref::Func(func).to_slot(store)?, 0],
            Self::ExternRef(data) => [Ref::Extern(data).to_slot(store)?, 0],
        })
    }

    /// The value of this type that slots hold.
    pub(crate) fn from_slots(slots: &[u64], ty: ValType, store: StoreId) -> Self {
        // The upper half of a slot with a 32-bit value can be anything.
        match ty {
            ValType::I32 => Self::I32(slots[0] as i32),
            ValType::I64 => Self::I64(slots[0] as i64),
            ValType::F32 => Self::F32(slots[0] as u32),
            ValType::F64 => Self::F64(slots[0]),
            ValType::V128 => Self::V128(u128::from(slots[0]) | u128::from(slots[1]) << 64),
            ValType::Ref(ty) => Ref::from_slot(slots[0], ty.heap_type(), store).into(),
        }
    }
}

impl Ref {
    /// The reference that a slot holds; 0 is null.
    pub(crate) fn to_slot(self, store: StoreId) -> Result<u64> {
        match self {
            Self::Func(Some(func)) => func.to_slot(store),
            Self::Extern(Some(data)) => data.to_slot(store),
            Self::Func(None) | Self::Extern(None) => Ok(0),
        }
    }

    /// The reference that a slot holds.
    pub(crate) fn from_slot(slot: u64, heap_type: HeapType, store: StoreId) -> Self {
        match heap_type {
            HeapType::Func => Self::Func(Func::from_slot(slot, store)),
            HeapType::Extern => Self::Extern(ExternRef::from_slot(slot, store)),
        }
    }

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
