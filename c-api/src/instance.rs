//! `wasm_instance_t` and `wasm_extern_t`.

use alloc::{boxed::Box, format, vec::Vec};
use core::mem::MaybeUninit;

use teff_runtime::{Error, Extern, Instance, Result};

use crate::{
    func::trapping,
    guard::c_api,
    reference::{Object, wasm_extern_t, wasm_instance_t, wasm_module_t, wasm_ref_t, wasm_trap_t},
    store::{StoreRef, wasm_store_t},
    types::wasm_externtype_t,
    vector::{Vector, vector},
};

vector! {
    wasm_extern_vec_t, Option<Box<wasm_extern_t>>, wasm_extern_vec_new_empty
    wasm_extern_vec_new_uninitialized wasm_extern_vec_new wasm_extern_vec_copy wasm_extern_vec_delete
}

fn instantiate(
    store: &StoreRef,
    module: &wasm_module_t,
    imports: Option<&wasm_extern_vec_t>,
) -> Result<Instance> {
    let module = module.as_module();
    let module = &module.ok_or_else(|| Error::msg("not a module"))?.module;
    let imports = imports.map_or(&[][..], Vector::as_slice);
    let imports = imports.iter().enumerate().map(|(i, import)| {
        let import = import.as_ref().filter(|import| import.is_of(store));
        let item = import.and_then(|import| import.as_extern());
        item.ok_or_else(|| {
            Error::msg(format!(
                "import {i} is NULL, belongs to another store, or is nothing that can be imported"
            ))
        })
    });
    let imports = imports.collect::<Result<Vec<Extern>>>()?;
    Instance::new(store.context(), module, &imports)
}

c_api! {
    fn wasm_instance_new(
        store: &wasm_store_t,
        module: &wasm_module_t,
        imports: Option<&wasm_extern_vec_t>,
        trap: Option<&mut MaybeUninit<Option<Box<wasm_trap_t>>>>,
    ) -> Option<Box<wasm_instance_t>> {
        // The start function may delete the handle.
        let store = store.state.clone();
        let instance = trapping(&store, || instantiate(&store, module, imports));
        let (instance, error) = match instance {
            Ok(instance) => (Some(wasm_ref_t::new(&store, Object::Instance(instance))), None),
            Err(error) => (None, Some(error)),
        };
        if let Some(trap) = trap {
            trap.write(error);
        }
        instance
    }

    fn wasm_instance_exports(instance: &wasm_instance_t, out: &mut MaybeUninit<wasm_extern_vec_t>) {
        out.write(Vector::EMPTY);
        let store = &instance.store;
        if let Some(instance) = instance.as_instance() {
            let exports = instance.exports(store.context());
            let exports = exports
                .map(|export| Some(wasm_ref_t::of_extern(store, export.into_extern())));
            out.write(exports.collect());
        }
    }

    fn wasm_extern_kind(item: &wasm_extern_t) -> u8 {
        match item.as_extern() {
            Some(Extern::Func(_)) | None => 0,
            Some(Extern::Global(_)) => 1,
            Some(Extern::Table(_)) => 2,
            Some(Extern::Memory(_)) => 3,
        }
    }

    fn wasm_extern_type(item: &wasm_extern_t) -> Option<Box<wasm_externtype_t>> {
        let ty = item.as_extern()?.ty(item.store.context());
        Some(Box::new(wasm_externtype_t::of(&ty)))
    }
}
