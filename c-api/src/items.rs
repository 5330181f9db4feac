//! `wasm_global_t`, `wasm_table_t`, `wasm_memory_t`.

use alloc::boxed::Box;
use core::{mem::MaybeUninit, ptr};

use teff_runtime::{ExternType, Global, Memory, Table, Val};

use crate::{
    guard::c_api,
    reference::{wasm_global_t, wasm_memory_t, wasm_ref_t, wasm_table_t},
    store::wasm_store_t,
    types::wasm_externtype_t,
    val::{of_ref, to_ref, wasm_val_t},
};

fn described(ty: impl Into<ExternType>) -> Option<Box<wasm_externtype_t>> {
    Some(Box::new(wasm_externtype_t::of(&ty.into())))
}

/// A size as C sees it: sizes that teff allows fit.
fn size32(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

c_api! {
    fn wasm_global_new(
        store: &wasm_store_t,
        ty: &wasm_externtype_t,
        value: &wasm_val_t,
    ) -> Option<Box<wasm_global_t>> {
        let (store, ty) = (&store.state, ty.to_global()?);
        let value = value.to_val(*ty.content(), store).ok()?;
        let global = Global::new(store.context(), ty, value).ok()?;
        Some(wasm_ref_t::of_extern(store, global))
    }

    fn wasm_global_type(global: &wasm_global_t) -> Option<Box<wasm_externtype_t>> {
        described(global.as_global()?.ty(global.store.context()))
    }

    fn wasm_global_get(global: &wasm_global_t, out: &mut MaybeUninit<wasm_val_t>) {
        let value = global.as_global().map(|item| item.get(global.store.context()));
        out.write(wasm_val_t::new(&global.store, value.unwrap_or(Val::I32(0))));
    }

    fn wasm_global_set(global: &wasm_global_t, value: &wasm_val_t) {
        let store = &global.store;
        if let Some(item) = global.as_global() {
            let ty = item.ty(store.context());
            // The header has no way to say that it failed.
            let value = value.to_val(*ty.content(), store);
            let _ = value.and_then(|value| item.set(store.context(), value));
        }
    }

    fn wasm_table_new(
        store: &wasm_store_t,
        ty: &wasm_externtype_t,
        init: Option<&wasm_ref_t>,
    ) -> Option<Box<wasm_table_t>> {
        let (store, ty) = (&store.state, ty.to_table()?);
        let init = to_ref(init, ty.element().heap_type(), store).ok()?;
        let table = Table::new(store.context(), ty, init).ok()?;
        Some(wasm_ref_t::of_extern(store, table))
    }

    fn wasm_table_type(table: &wasm_table_t) -> Option<Box<wasm_externtype_t>> {
        described(table.as_table()?.ty(table.store.context()))
    }

    fn wasm_table_get(table: &wasm_table_t, index: u32) -> Option<Box<wasm_ref_t>> {
        let store = &table.store;
        let element = table.as_table()?.get(store.context(), u64::from(index))?;
        of_ref(store, element)
    }

    fn wasm_table_set(table: &wasm_table_t, index: u32, value: Option<&wasm_ref_t>) -> bool {
        let store = &table.store;
        let Some(table) = table.as_table() else {
            return false;
        };
        let ty = table.ty(store.context());
        let value = to_ref(value, ty.element().heap_type(), store);
        let set = value.and_then(|value| table.set(store.context(), u64::from(index), value));
        set.is_ok()
    }

    fn wasm_table_size(table: &wasm_table_t) -> u32 {
        table.as_table().map_or(0, |item| size32(item.size(table.store.context())))
    }

    fn wasm_table_grow(table: &wasm_table_t, delta: u32, init: Option<&wasm_ref_t>) -> bool {
        let store = &table.store;
        let Some(table) = table.as_table() else {
            return false;
        };
        let ty = table.ty(store.context());
        let init = to_ref(init, ty.element().heap_type(), store);
        let grown = init.and_then(|init| table.grow(store.context(), u64::from(delta), init));
        grown.is_ok()
    }

    fn wasm_memory_new(store: &wasm_store_t, ty: &wasm_externtype_t) -> Option<Box<wasm_memory_t>> {
        let store = &store.state;
        let memory = Memory::new(store.context(), ty.to_memory()?).ok()?;
        Some(wasm_ref_t::of_extern(store, memory))
    }

    fn wasm_memory_type(memory: &wasm_memory_t) -> Option<Box<wasm_externtype_t>> {
        described(memory.as_memory()?.ty(memory.store.context()))
    }

    fn wasm_memory_data(memory: &wasm_memory_t) -> *mut u8 {
        let item = memory.as_memory();
        item.map_or(ptr::null_mut(), |item| item.data_mut(memory.store.context()).as_mut_ptr())
    }

    fn wasm_memory_data_size(memory: &wasm_memory_t) -> usize {
        memory.as_memory().map_or(0, |item| item.data_size(memory.store.context()))
    }

    fn wasm_memory_size(memory: &wasm_memory_t) -> u32 {
        memory.as_memory().map_or(0, |item| size32(item.size(memory.store.context())))
    }

    fn wasm_memory_grow(memory: &wasm_memory_t, delta: u32) -> bool {
        let item = memory.as_memory();
        item.is_some_and(|item| item.grow(memory.store.context(), u64::from(delta)).is_ok())
    }
}
