//! wasmi 2.0, with its default features and its own WASI. Only its stack limits are raised, to what teff allows.

use wasmi::{Config, Engine, Linker, Module, Store};
use wasmi_wasi::{WasiCtx, WasiCtxBuilder};

use crate::workload::Program;

pub(super) fn run(bytes: &[u8], program: &Program) -> Result<(), String> {
    let mut config = Config::default();
    config
        .set_max_stack_height(8 << 20)
        .set_max_recursion_depth(1 << 20);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, bytes).map_err(|error| error.to_string())?;

    match *program {
        Program::Text { argument, .. } => {
            let mut store = Store::new(&engine, ());
            let instance = Linker::new(&engine)
                .instantiate_and_start(&mut store, &module)
                .map_err(|error| error.to_string())?;
            let function = instance
                .get_typed_func::<i32, i32>(&store, "run")
                .map_err(|error| error.to_string())?;
            println!(
                "{}",
                function
                    .call(&mut store, argument)
                    .map_err(|error| error.to_string())?
            );
            Ok(())
        }
        Program::Wasi { file, args } => {
            let wasi = context(file, args)?;
            let mut store = Store::new(&engine, wasi);
            let mut linker = Linker::new(&engine);
            wasmi_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi)
                .map_err(|error| error.to_string())?;
            let instance = linker
                .instantiate_and_start(&mut store, &module)
                .map_err(|error| error.to_string())?;
            let start = instance
                .get_typed_func::<(), ()>(&store, "_start")
                .map_err(|error| error.to_string())?;
            match start.call(&mut store, ()) {
                Err(error) if error.i32_exit_status() != Some(0) => Err(error.to_string()),
                _ => Ok(()),
            }
        }
    }
}

fn context(file: &str, args: &[&str]) -> Result<WasiCtx, String> {
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    for arg in std::iter::once(&file).chain(args) {
        builder.arg(arg).map_err(|error| error.to_string())?;
    }
    Ok(builder.build())
}
