//! `wasm_module_t` and `wasm_shared_module_t`.

use alloc::{boxed::Box, rc::Rc};
use core::mem::MaybeUninit;

use teff_runtime::{Engine, Module, Result};

use crate::{
    guard::c_api,
    reference::{Object, wasm_module_t},
    store::{InfoCell, StoreRef, wasm_store_t},
    types::{Named, wasm_exporttype_vec_t, wasm_importtype_vec_t},
    vector::{Vector, wasm_byte_vec_t},
};

/// A module, apart from the handles to it.
pub(crate) struct ModuleObject {
    pub(crate) module: Module,
    pub(crate) info: InfoCell,
}

/// A module on its way to another thread.
pub(crate) struct wasm_shared_module_t {
    module: Module,
}

impl wasm_module_t {
    pub(crate) fn of_module(store: &StoreRef, module: Module) -> Box<Self> {
        let info = InfoCell::new();
        Self::new(
            store,
            Object::Module(Rc::new(ModuleObject { module, info })),
        )
    }
}

/// Images of modules. For now an image is the module in the binary format, which is validated again when it is loaded:
/// the one place to change when the runtime has another form.
mod image {
    use super::*;

    pub(super) fn serialize(module: &Module) -> Vector<u8> {
        Vector::of_bytes(module.binary())
    }

    pub(super) fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Module> {
        Module::new(engine, bytes)
    }
}

c_api! {
    fn wasm_module_new(store: &wasm_store_t, binary: &wasm_byte_vec_t) -> Option<Box<wasm_module_t>> {
        let store = &store.state;
        let module = Module::new(store.context().engine(), binary.as_slice()).ok()?;
        Some(wasm_module_t::of_module(store, module))
    }

    fn wasm_module_validate(store: &wasm_store_t, binary: &wasm_byte_vec_t) -> bool {
        Module::validate(store.state.context().engine(), binary.as_slice()).is_ok()
    }

    fn wasm_module_imports(module: &wasm_module_t, out: &mut MaybeUninit<wasm_importtype_vec_t>) {
        out.write(Vector::EMPTY);
        if let Some(module) = module.as_module() {
            let imports = module.module.imports();
            let imports = imports.map(|import| {
                Some(Box::new(Named::new(import.module(), import.name(), &import.ty())))
            });
            out.write(imports.collect());
        }
    }

    fn wasm_module_exports(module: &wasm_module_t, out: &mut MaybeUninit<wasm_exporttype_vec_t>) {
        out.write(Vector::EMPTY);
        if let Some(module) = module.as_module() {
            let exports = module.module.exports();
            let exports =
                exports.map(|export| Some(Box::new(Named::new("", export.name(), &export.ty()))));
            out.write(exports.collect());
        }
    }

    fn wasm_module_serialize(module: &wasm_module_t, out: &mut MaybeUninit<wasm_byte_vec_t>) {
        out.write(Vector::EMPTY);
        if let Some(module) = module.as_module() {
            out.write(image::serialize(&module.module));
        }
    }

    fn wasm_module_deserialize(
        store: &wasm_store_t,
        bytes: &wasm_byte_vec_t,
    ) -> Option<Box<wasm_module_t>> {
        let store = &store.state;
        let module = image::deserialize(store.context().engine(), bytes.as_slice()).ok()?;
        Some(wasm_module_t::of_module(store, module))
    }

    fn wasm_module_share(module: &wasm_module_t) -> Option<Box<wasm_shared_module_t>> {
        let module = module.as_module()?.module.clone();
        Some(Box::new(wasm_shared_module_t { module }))
    }

    fn wasm_shared_module_delete(_module: Option<Box<wasm_shared_module_t>>) {}

    fn wasm_module_obtain(
        store: &wasm_store_t,
        shared: &wasm_shared_module_t,
    ) -> Option<Box<wasm_module_t>> {
        let store = &store.state;
        // A module runs in stores of its own engine alone.
        let same = Engine::same(shared.module.engine(), store.context().engine());
        same.then(|| wasm_module_t::of_module(store, shared.module.clone()))
    }
}
