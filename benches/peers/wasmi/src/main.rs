//! wasmi: runs one WASI program, with the engine's default features and its own WASI.
//! Only its stack limits are raised, to what teff allows.

use std::process::ExitCode;

use wasmi::{Config, Engine, Linker, Module, Store};
use wasmi_wasi::{WasiCtx, WasiCtxBuilder};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peer-wasmi: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let path = args.first().ok_or("usage: peer-wasmi MODULE [ARGUMENT…]")?;
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let mut config = Config::default();
    config
        .set_max_stack_height(8 << 20)
        .set_max_recursion_depth(1 << 20);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, &bytes).map_err(|error| error.to_string())?;
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    for arg in args {
        builder.arg(arg).map_err(|error| error.to_string())?;
    }
    let mut store = Store::new(&engine, builder.build());
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
