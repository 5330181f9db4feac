//! The host module `spectest` that the suite's scripts import. Knows only teff's public API.

use teff_runtime::{
    Extern, Func, Global, GlobalType, Memory, MemoryType, Mutability, Ref, RefType, Result, Store,
    Table, TableType, Val, ValType,
};
use wasmparser::WasmFeatures;

use crate::features::{Supported, names};

/// The module's exports, as the reference interpreter has them.
///
/// Those that need a feature which teff lacks are not among them: see [`missing`].
pub(crate) fn externs(store: &mut Store<()>) -> Result<Vec<(&'static str, Extern)>> {
    // Nothing is printed: the scripts assert what they mean.
    let mut externs: Vec<(&str, Extern)> = vec![
        ("print", Func::wrap(&mut *store, || {}).into()),
        ("print_i32", Func::wrap(&mut *store, |_: i32| {}).into()),
        ("print_i64", Func::wrap(&mut *store, |_: i64| {}).into()),
        ("print_f32", Func::wrap(&mut *store, |_: f32| {}).into()),
        ("print_f64", Func::wrap(&mut *store, |_: f64| {}).into()),
        (
            "print_i32_f32",
            Func::wrap(&mut *store, |_: i32, _: f32| {}).into(),
        ),
        (
            "print_f64_f64",
            Func::wrap(&mut *store, |_: f64, _: f64| {}).into(),
        ),
    ];
    let globals = [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6_f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6_f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        externs.push((name, global.into()));
    }
    let table = TableType::new(RefType::FUNCREF, 10, Some(20));
    externs.push((
        "table",
        Table::new(&mut *store, table, Ref::Func(None))?.into(),
    ));
    externs.push((
        "memory",
        Memory::new(&mut *store, MemoryType::new(1, Some(2)))?.into(),
    ));
    Ok(externs)
}

/// Exports of the reference interpreter's `spectest` that are not among ours for want of a feature.
const NEEDING: &[(&str, WasmFeatures)] = &[
    ("shared_memory", WasmFeatures::THREADS),
    ("table64", WasmFeatures::MEMORY64),
];

/// The feature for want of which there is no such export.
pub(crate) fn missing(name: &str, supported: Supported) -> Option<String> {
    let (_, feature) = NEEDING.iter().find(|(needing, _)| *needing == name)?;
    (!supported.0.contains(*feature)).then(|| names(*feature))
}
