//! teff itself, with its defaults but for the backend.

use teff_runtime::{Backend, Config, Engine, Error, Linker, Module, Result, Store};
use teff_wasi::{I32Exit, WasiCtx, WasiCtxBuilder};

use crate::workload::Program;

pub(super) fn run(backend: Backend, bytes: Vec<u8>, program: &Program) -> Result<(), String> {
    start(backend, bytes, program).map_err(|error| error.to_string())
}

fn start(backend: Backend, bytes: Vec<u8>, program: &Program) -> Result<()> {
    let engine = Engine::new(Config::new().backend(backend))?;
    // They are kept for good, so nothing is copied, as with the mapped files of `teff run`.
    let module = Module::from_static(&engine, bytes.leak())?;

    match *program {
        Program::Text { argument, .. } => {
            let mut store = Store::new(&engine, ());
            let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
            let function = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
            println!("{}", function.call(&mut store, argument)?);
            Ok(())
        }
        Program::Wasi { file, args } => {
            let wasi = WasiCtxBuilder::new()
                .inherit_stdio()
                .arg(file)
                .args(args)
                .build();
            let mut store = Store::new(&engine, wasi);
            let mut linker = Linker::new(&engine);
            teff_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi)?;
            let instance = linker.instantiate(&mut store, &module)?;
            let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
            start.call(&mut store, ()).or_else(expect_success)
        }
    }
}

/// A program may end by `proc_exit(0)` as well as by returning.
fn expect_success(error: Error) -> Result<()> {
    match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(0)) => Ok(()),
        _ => Err(error),
    }
}
