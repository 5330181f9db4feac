//! `wasm_val_t`: values at the boundary.

use alloc::{boxed::Box, format};
use core::{mem::MaybeUninit, ptr};

use teff_runtime::{Error, HeapType, Ref, Result, Val, ValType};

use crate::{
    guard::c_api,
    reference::{Object, wasm_ref_t},
    store::StoreRef,
    types::kind,
    vector::{Element, vector},
};

/// A value, which owns its reference if it is one.
#[repr(C)]
pub(crate) struct wasm_val_t {
    kind: u8,
    of: Of,
}

/// Floats as their bits, which C and Rust lay out alike.
#[repr(C)]
#[derive(Copy, Clone)]
union Of {
    i32: i32,
    i64: i64,
    reference: *mut wasm_ref_t,
}

impl wasm_val_t {
    pub(crate) fn new(store: &StoreRef, val: Val) -> Self {
        let (kind, bits) = match val {
            Val::I32(value) => (kind::I32, i64::from(value)),
            Val::I64(value) => (kind::I64, value),
            Val::F32(bits) => (kind::F32, i64::from(bits)),
            Val::F64(bits) => (kind::F64, bits as i64),
            Val::FuncRef(func) => return Self::of_ref(kind::FUNCREF, of_func(store, func)),
            Val::ExternRef(reference) => {
                let object = reference.and_then(|reference| store.object_of(reference));
                let reference = object.map(|object| wasm_ref_t::new(store, object));
                return Self::of_ref(kind::EXTERNREF, reference);
            }
            // No module that is loaded has such values.
            Val::V128(_) => (kind::V128, 0),
        };
        let mut of = Of { i64: bits };
        if matches!(val, Val::I32(_) | Val::F32(_)) {
            // At the address of the union, whatever the order of bytes.
            of.i32 = bits as i32;
        }
        Self { kind, of }
    }

    fn of_ref(kind: u8, reference: Option<Box<wasm_ref_t>>) -> Self {
        let mut of = Of { i64: 0 };
        of.reference = reference.map_or(ptr::null_mut(), Box::into_raw);
        Self { kind, of }
    }

    fn is_ref(&self) -> bool {
        self.kind >= kind::EXTERNREF
    }

    /// The reference, if it is one that is not null.
    fn reference(&self) -> Option<&wasm_ref_t> {
        if !self.is_ref() {
            return None;
        }
        // SAFETY: a value of such a kind has a reference or NULL, which it owns.
        unsafe { self.of.reference.as_ref() }
    }

    /// The value as one of this type.
    pub(crate) fn to_val(&self, ty: ValType, store: &StoreRef) -> Result<Val> {
        // SAFETY: the kind says which field C has written.
        let narrow = || unsafe { self.of.i32 };
        // SAFETY: as above.
        let wide = || unsafe { self.of.i64 };
        Ok(match (ty, self.kind) {
            (ValType::I32, kind::I32) => Val::I32(narrow()),
            (ValType::I64, kind::I64) => Val::I64(wide()),
            (ValType::F32, kind::F32) => Val::F32(narrow() as u32),
            (ValType::F64, kind::F64) => Val::F64(wide() as u64),
            (ValType::Ref(ty), kind::EXTERNREF | kind::FUNCREF) => {
                to_ref(self.reference(), ty.heap_type(), store)?.into()
            }
            (ty, kind) => {
                return Err(Error::msg(format!(
                    "expected {ty}, found a value of kind {kind}"
                )));
            }
        })
    }
}

impl Drop for wasm_val_t {
    fn drop(&mut self) {
        if self.is_ref() {
            // SAFETY: as in `reference`; a reference that is owned is from a box.
            unsafe {
                if !self.of.reference.is_null() {
                    drop(Box::from_raw(self.of.reference));
                }
            }
        }
    }
}

impl Element for wasm_val_t {
    fn copy(&self) -> Self {
        match self.reference() {
            Some(reference) => Self::of_ref(self.kind, Some(Box::new(reference.clone()))),
            None => Self {
                kind: self.kind,
                of: self.of,
            },
        }
    }
}

fn of_func(store: &StoreRef, func: Option<teff_runtime::Func>) -> Option<Box<wasm_ref_t>> {
    func.map(|func| wasm_ref_t::of_extern(store, func))
}

/// A reference of Wasm's as one of C's.
pub(crate) fn of_ref(store: &StoreRef, reference: Ref) -> Option<Box<wasm_ref_t>> {
    match reference {
        Ref::Func(func) => of_func(store, func),
        Ref::Extern(reference) => {
            let object = store.object_of(reference?)?;
            Some(wasm_ref_t::new(store, object))
        }
    }
}

/// A reference of C's as one of Wasm's. Anything can be an `externref`.
pub(crate) fn to_ref(
    reference: Option<&wasm_ref_t>,
    ty: HeapType,
    store: &StoreRef,
) -> Result<Ref> {
    let Some(reference) = reference else {
        return Ok(Ref::null(ty));
    };
    if !reference.is_of(store) {
        return Err(Error::msg("the reference belongs to another store"));
    }
    if ty == HeapType::Func {
        let func = reference.as_func();
        return func
            .map(Ref::from)
            .ok_or_else(|| Error::msg("expected a reference to a function, found another one"));
    }
    let object: &Object = &reference.object;
    store.extern_ref(object).map(Ref::from)
}

vector! {
    wasm_val_vec_t, wasm_val_t, wasm_val_vec_new_empty wasm_val_vec_new_uninitialized
    wasm_val_vec_new wasm_val_vec_copy wasm_val_vec_delete
}

c_api! {
    fn wasm_val_delete(value: Option<&mut wasm_val_t>) {
        if let Some(value) = value && value.is_ref() {
            // What is left is null, and owns nothing.
            *value = wasm_val_t::of_ref(value.kind, None);
        }
    }

    fn wasm_val_copy(out: &mut MaybeUninit<wasm_val_t>, value: &wasm_val_t) {
        out.write(value.copy());
    }
}
