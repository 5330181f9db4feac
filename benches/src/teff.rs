//! teff itself, in this process, with its defaults but for what the engine's name says.

use std::path::Path;

use teff_runtime::{CompilationMode, Config, Engine, Error, Linker, Module, Result, Store};
use teff_wasi::{I32Exit, WasiCtx, WasiCtxBuilder};

use crate::stages;

/// Runs a WASI command with its output on stdout.
pub(crate) fn run(
    config: &Config,
    metered: bool,
    bytes: Vec<u8>,
    module: &Path,
    args: &[&str],
) -> Result<()> {
    let engine = Engine::new(config)?;
    // They are kept for good, so nothing is copied, as with the mapped files of `teff run`.
    let module_name = module.to_string_lossy().into_owned();
    let module = Module::from_static(&engine, bytes.leak())?;
    let wasi = WasiCtxBuilder::new()
        .inherit_stdio()
        .arg(module_name.as_bytes())
        .args(args)
        .build();
    let mut store = Store::new(&engine, wasi);
    if metered {
        store.set_fuel(u64::MAX)?;
        store.set_epoch_deadline(1);
    }
    let mut linker = Linker::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi)?;
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    start.call(&mut store, ()).or_else(expect_success)
}

/// A program may end by `proc_exit(0)` as well as by returning.
fn expect_success(error: Error) -> Result<()> {
    match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(0)) => Ok(()),
        _ => Err(error),
    }
}

/// Loads a module and makes instances, and tells the memory at each stage.
pub(crate) fn memory(mut config: Config, bytes: Vec<u8>, eager: bool) -> Result<()> {
    if eager {
        config.compilation_mode(CompilationMode::Eager);
    }
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi)?;
    stages::mark("start");
    let module = Module::from_static(&engine, bytes.leak())?;
    stages::mark("loaded");
    let mut stores = Vec::new();
    for number in 0..=stages::FURTHER_INSTANCES {
        let mut store = Store::new(&engine, WasiCtxBuilder::new().build());
        linker.instantiate(&mut store, &module)?;
        stores.push(store);
        if number == 0 {
            stages::mark("instance");
        }
    }
    stages::mark("instances");
    Ok(())
}
