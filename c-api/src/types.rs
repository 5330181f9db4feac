//! Descriptions of types: `wasm_valtype_t`, `wasm_externtype_t` and what it can be, `wasm_importtype_t`,
//! `wasm_exporttype_t`.

use alloc::boxed::Box;
use core::ptr;

use teff_runtime::{
    Engine, ExternType, FuncType, GlobalType, HeapType, MemoryType, Mutability, TableType, ValType,
};

use crate::{
    guard::c_api,
    vector::{Element, Vector, vector, wasm_byte_vec_t},
};

/// The kinds of values, by their numbers in the header.
pub(crate) mod kind {
    pub(crate) const I32: u8 = 0;
    pub(crate) const I64: u8 = 1;
    pub(crate) const F32: u8 = 2;
    pub(crate) const F64: u8 = 3;
    /// The header has no name for it, and no module that teff loads has such a value.
    pub(crate) const V128: u8 = 4;
    pub(crate) const EXTERNREF: u8 = 128;
    pub(crate) const FUNCREF: u8 = 129;
}

#[derive(Copy, Clone)]
pub(crate) struct wasm_valtype_t(ValType);

impl wasm_valtype_t {
    fn kind(&self) -> u8 {
        match self.0 {
            ValType::I32 => kind::I32,
            ValType::I64 => kind::I64,
            ValType::F32 => kind::F32,
            ValType::F64 => kind::F64,
            ValType::V128 => kind::V128,
            ValType::Ref(ty) if ty.heap_type() == HeapType::Func => kind::FUNCREF,
            ValType::Ref(_) => kind::EXTERNREF,
        }
    }

    fn of_kind(number: u8) -> Option<Self> {
        Some(Self(match number {
            kind::I32 => ValType::I32,
            kind::I64 => ValType::I64,
            kind::F32 => ValType::F32,
            kind::F64 => ValType::F64,
            kind::EXTERNREF => ValType::EXTERNREF,
            kind::FUNCREF => ValType::FUNCREF,
            _ => return None,
        }))
    }
}

impl Element for Option<Box<wasm_valtype_t>> {
    fn copy(&self) -> Self {
        self.clone()
    }
}

#[derive(Copy, Clone)]
#[repr(C)]
pub(crate) struct wasm_limits_t {
    min: u32,
    max: u32,
}

impl wasm_limits_t {
    /// The maximum that says there is none.
    const NO_MAX: u32 = u32::MAX;

    fn of(min: u64, max: Option<u64>) -> Self {
        let clamp = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            min: clamp(min),
            max: max.map_or(Self::NO_MAX, clamp),
        }
    }

    fn maximum(self) -> Option<u32> {
        (self.max != Self::NO_MAX).then_some(self.max)
    }
}

/// The type of something that can be imported and exported. C knows it by five names, and casts between them.
pub(crate) enum wasm_externtype_t {
    Func {
        params: wasm_valtype_vec_t,
        results: wasm_valtype_vec_t,
    },
    Global {
        content: wasm_valtype_t,
        mutability: Mutability,
    },
    Table {
        element: wasm_valtype_t,
        limits: wasm_limits_t,
    },
    Memory {
        limits: wasm_limits_t,
    },
}

type wasm_functype_t = wasm_externtype_t;
type wasm_globaltype_t = wasm_externtype_t;
type wasm_tabletype_t = wasm_externtype_t;
type wasm_memorytype_t = wasm_externtype_t;

fn valtypes(types: impl Iterator<Item = ValType>) -> wasm_valtype_vec_t {
    types.map(|ty| Some(Box::new(wasm_valtype_t(ty)))).collect()
}

/// The types in a vector; nothing if one of its elements is NULL.
fn types_of(vector: &wasm_valtype_vec_t) -> Option<alloc::vec::Vec<ValType>> {
    let types = vector.as_slice().iter();
    types.map(|ty| ty.as_ref().map(|ty| ty.0)).collect()
}

impl wasm_externtype_t {
    pub(crate) fn of(ty: &ExternType) -> Self {
        match ty {
            ExternType::Func(ty) => Self::of_func(ty),
            ExternType::Global(ty) => Self::Global {
                content: wasm_valtype_t(*ty.content()),
                mutability: ty.mutability(),
            },
            ExternType::Table(ty) => Self::Table {
                element: wasm_valtype_t(ValType::Ref(*ty.element())),
                limits: wasm_limits_t::of(ty.minimum(), ty.maximum()),
            },
            ExternType::Memory(ty) => Self::Memory {
                limits: wasm_limits_t::of(ty.minimum(), ty.maximum()),
            },
        }
    }

    pub(crate) fn of_func(ty: &FuncType) -> Self {
        Self::Func {
            params: valtypes(ty.params()),
            results: valtypes(ty.results()),
        }
    }

    pub(crate) fn to_func(&self, engine: &Engine) -> Option<FuncType> {
        let Self::Func { params, results } = self else {
            return None;
        };
        let (params, results) = (types_of(params)?, types_of(results)?);
        Some(FuncType::new(engine, params, results))
    }

    pub(crate) fn to_global(&self) -> Option<GlobalType> {
        match self {
            Self::Global {
                content,
                mutability,
            } => Some(GlobalType::new(content.0, *mutability)),
            _ => None,
        }
    }

    pub(crate) fn to_table(&self) -> Option<TableType> {
        match self {
            Self::Table {
                element: wasm_valtype_t(ValType::Ref(element)),
                limits,
            } => Some(TableType::new(*element, limits.min, limits.maximum())),
            _ => None,
        }
    }

    pub(crate) fn to_memory(&self) -> Option<MemoryType> {
        match self {
            Self::Memory { limits } => Some(MemoryType::new(limits.min, limits.maximum())),
            _ => None,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Func { .. } => 0,
            Self::Global { .. } => 1,
            Self::Table { .. } => 2,
            Self::Memory { .. } => 3,
        }
    }
}

impl Clone for wasm_externtype_t {
    fn clone(&self) -> Self {
        match self {
            Self::Func { params, results } => Self::Func {
                params: params.copy(),
                results: results.copy(),
            },
            Self::Global {
                content,
                mutability,
            } => Self::Global {
                content: *content,
                mutability: *mutability,
            },
            Self::Table { element, limits } => Self::Table {
                element: *element,
                limits: *limits,
            },
            Self::Memory { limits } => Self::Memory { limits: *limits },
        }
    }
}

impl Element for Option<Box<wasm_externtype_t>> {
    fn copy(&self) -> Self {
        self.clone()
    }
}

/// An import or, without `module`, an export.
pub(crate) struct Named {
    module: wasm_byte_vec_t,
    name: wasm_byte_vec_t,
    ty: Box<wasm_externtype_t>,
}

type wasm_importtype_t = Named;
type wasm_exporttype_t = Named;

impl Named {
    pub(crate) fn new(module: &str, name: &str, ty: &ExternType) -> Self {
        Self {
            module: Vector::of_bytes(module.as_bytes()),
            name: Vector::of_bytes(name.as_bytes()),
            ty: Box::new(wasm_externtype_t::of(ty)),
        }
    }
}

impl Clone for Named {
    fn clone(&self) -> Self {
        Self {
            module: self.module.copy(),
            name: self.name.copy(),
            ty: self.ty.clone(),
        }
    }
}

impl Element for Option<Box<Named>> {
    fn copy(&self) -> Self {
        self.clone()
    }
}

/// The functions that each description has.
macro_rules! descriptions {
    ($($ty:ident $copy:ident $delete:ident;)*) => {
        c_api! {$(
            fn $copy(ty: &$ty) -> Option<Box<$ty>> {
                Some(Box::new(ty.clone()))
            }

            fn $delete(_ty: Option<Box<$ty>>) {}
        )*}
    };
}

descriptions! {
    wasm_valtype_t wasm_valtype_copy wasm_valtype_delete;
    wasm_functype_t wasm_functype_copy wasm_functype_delete;
    wasm_globaltype_t wasm_globaltype_copy wasm_globaltype_delete;
    wasm_tabletype_t wasm_tabletype_copy wasm_tabletype_delete;
    wasm_memorytype_t wasm_memorytype_copy wasm_memorytype_delete;
    wasm_externtype_t wasm_externtype_copy wasm_externtype_delete;
    wasm_importtype_t wasm_importtype_copy wasm_importtype_delete;
    wasm_exporttype_t wasm_exporttype_copy wasm_exporttype_delete;
}

vector! {
    wasm_valtype_vec_t, Option<Box<wasm_valtype_t>>, wasm_valtype_vec_new_empty
    wasm_valtype_vec_new_uninitialized wasm_valtype_vec_new wasm_valtype_vec_copy wasm_valtype_vec_delete
}
vector! {
    wasm_functype_vec_t, Option<Box<wasm_functype_t>>, wasm_functype_vec_new_empty
    wasm_functype_vec_new_uninitialized wasm_functype_vec_new wasm_functype_vec_copy wasm_functype_vec_delete
}
vector! {
    wasm_globaltype_vec_t, Option<Box<wasm_globaltype_t>>, wasm_globaltype_vec_new_empty
    wasm_globaltype_vec_new_uninitialized wasm_globaltype_vec_new wasm_globaltype_vec_copy wasm_globaltype_vec_delete
}
vector! {
    wasm_tabletype_vec_t, Option<Box<wasm_tabletype_t>>, wasm_tabletype_vec_new_empty
    wasm_tabletype_vec_new_uninitialized wasm_tabletype_vec_new wasm_tabletype_vec_copy wasm_tabletype_vec_delete
}
vector! {
    wasm_memorytype_vec_t, Option<Box<wasm_memorytype_t>>, wasm_memorytype_vec_new_empty
    wasm_memorytype_vec_new_uninitialized wasm_memorytype_vec_new wasm_memorytype_vec_copy wasm_memorytype_vec_delete
}
vector! {
    wasm_externtype_vec_t, Option<Box<wasm_externtype_t>>, wasm_externtype_vec_new_empty
    wasm_externtype_vec_new_uninitialized wasm_externtype_vec_new wasm_externtype_vec_copy wasm_externtype_vec_delete
}
vector! {
    wasm_importtype_vec_t, Option<Box<wasm_importtype_t>>, wasm_importtype_vec_new_empty
    wasm_importtype_vec_new_uninitialized wasm_importtype_vec_new wasm_importtype_vec_copy wasm_importtype_vec_delete
}
vector! {
    wasm_exporttype_vec_t, Option<Box<wasm_exporttype_t>>, wasm_exporttype_vec_new_empty
    wasm_exporttype_vec_new_uninitialized wasm_exporttype_vec_new wasm_exporttype_vec_copy wasm_exporttype_vec_delete
}

/// Casts: upwards always, downwards if it is of that kind. The pointer stays what it is, so that what was made under one
/// name can be deleted under another.
macro_rules! casts {
    ($($variant:ident $up:ident $up_const:ident $down:ident $down_const:ident;)*) => {
        c_api! {$(
            fn $up(ty: *mut wasm_externtype_t) -> *mut wasm_externtype_t {
                ty
            }

            fn $up_const(ty: *mut wasm_externtype_t) -> *mut wasm_externtype_t {
                ty
            }

            fn $down(ty: *mut wasm_externtype_t) -> *mut wasm_externtype_t {
                // SAFETY: a description or NULL.
                match unsafe { ty.as_ref() } {
                    Some(wasm_externtype_t::$variant { .. }) => ty,
                    _ => ptr::null_mut(),
                }
            }

            fn $down_const(ty: *mut wasm_externtype_t) -> *mut wasm_externtype_t {
                $down(ty)
            }
        )*}
    };
}

casts! {
    Func wasm_functype_as_externtype wasm_functype_as_externtype_const
        wasm_externtype_as_functype wasm_externtype_as_functype_const;
    Global wasm_globaltype_as_externtype wasm_globaltype_as_externtype_const
        wasm_externtype_as_globaltype wasm_externtype_as_globaltype_const;
    Table wasm_tabletype_as_externtype wasm_tabletype_as_externtype_const
        wasm_externtype_as_tabletype wasm_externtype_as_tabletype_const;
    Memory wasm_memorytype_as_externtype wasm_memorytype_as_externtype_const
        wasm_externtype_as_memorytype wasm_externtype_as_memorytype_const;
}

c_api! {
    fn wasm_valtype_new(kind: u8) -> Option<Box<wasm_valtype_t>> {
        wasm_valtype_t::of_kind(kind).map(Box::new)
    }

    fn wasm_valtype_kind(ty: &wasm_valtype_t) -> u8 {
        ty.kind()
    }

    fn wasm_functype_new(
        params: &mut wasm_valtype_vec_t,
        results: &mut wasm_valtype_vec_t,
    ) -> Option<Box<wasm_functype_t>> {
        let (params, results) = (params.take(), results.take());
        Some(Box::new(wasm_externtype_t::Func { params, results }))
    }

    fn wasm_functype_params(ty: &wasm_functype_t) -> Option<&wasm_valtype_vec_t> {
        match ty {
            wasm_externtype_t::Func { params, .. } => Some(params),
            _ => None,
        }
    }

    fn wasm_functype_results(ty: &wasm_functype_t) -> Option<&wasm_valtype_vec_t> {
        match ty {
            wasm_externtype_t::Func { results, .. } => Some(results),
            _ => None,
        }
    }

    fn wasm_globaltype_new(
        content: Option<Box<wasm_valtype_t>>,
        mutability: u8,
    ) -> Option<Box<wasm_globaltype_t>> {
        let mutability = match mutability {
            0 => Mutability::Const,
            1 => Mutability::Var,
            _ => return None,
        };
        Some(Box::new(wasm_externtype_t::Global { content: *content?, mutability }))
    }

    fn wasm_globaltype_content(ty: &wasm_globaltype_t) -> Option<&wasm_valtype_t> {
        match ty {
            wasm_externtype_t::Global { content, .. } => Some(content),
            _ => None,
        }
    }

    fn wasm_globaltype_mutability(ty: &wasm_globaltype_t) -> u8 {
        match ty {
            wasm_externtype_t::Global { mutability, .. } => u8::from(*mutability == Mutability::Var),
            _ => 0,
        }
    }

    fn wasm_tabletype_new(
        element: Option<Box<wasm_valtype_t>>,
        limits: &wasm_limits_t,
    ) -> Option<Box<wasm_tabletype_t>> {
        let element = *element?;
        let is_ref = matches!(element.0, ValType::Ref(_));
        is_ref.then(|| Box::new(wasm_externtype_t::Table { element, limits: *limits }))
    }

    fn wasm_tabletype_element(ty: &wasm_tabletype_t) -> Option<&wasm_valtype_t> {
        match ty {
            wasm_externtype_t::Table { element, .. } => Some(element),
            _ => None,
        }
    }

    fn wasm_tabletype_limits(ty: &wasm_tabletype_t) -> Option<&wasm_limits_t> {
        match ty {
            wasm_externtype_t::Table { limits, .. } => Some(limits),
            _ => None,
        }
    }

    fn wasm_memorytype_new(limits: &wasm_limits_t) -> Option<Box<wasm_memorytype_t>> {
        Some(Box::new(wasm_externtype_t::Memory { limits: *limits }))
    }

    fn wasm_memorytype_limits(ty: &wasm_memorytype_t) -> Option<&wasm_limits_t> {
        match ty {
            wasm_externtype_t::Memory { limits } => Some(limits),
            _ => None,
        }
    }

    fn wasm_externtype_kind(ty: &wasm_externtype_t) -> u8 {
        ty.kind()
    }

    fn wasm_importtype_new(
        module: &mut wasm_byte_vec_t,
        name: &mut wasm_byte_vec_t,
        ty: Option<Box<wasm_externtype_t>>,
    ) -> Option<Box<wasm_importtype_t>> {
        let (module, name) = (module.take(), name.take());
        Some(Box::new(Named { module, name, ty: ty? }))
    }

    fn wasm_importtype_module(ty: &wasm_importtype_t) -> Option<&wasm_byte_vec_t> {
        Some(&ty.module)
    }

    fn wasm_importtype_name(ty: &wasm_importtype_t) -> Option<&wasm_byte_vec_t> {
        Some(&ty.name)
    }

    fn wasm_importtype_type(ty: &wasm_importtype_t) -> Option<&wasm_externtype_t> {
        Some(&*ty.ty)
    }

    fn wasm_exporttype_new(
        name: &mut wasm_byte_vec_t,
        ty: Option<Box<wasm_externtype_t>>,
    ) -> Option<Box<wasm_exporttype_t>> {
        let name = name.take();
        Some(Box::new(Named { module: Vector::EMPTY, name, ty: ty? }))
    }

    fn wasm_exporttype_name(ty: &wasm_exporttype_t) -> Option<&wasm_byte_vec_t> {
        Some(&ty.name)
    }

    fn wasm_exporttype_type(ty: &wasm_exporttype_t) -> Option<&wasm_externtype_t> {
        Some(&*ty.ty)
    }
}
