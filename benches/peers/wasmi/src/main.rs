//! wasmi: runs one WASI program, with the engine's default features and its own WASI.
//! Only its stack limits are raised, to what teff allows.

use std::process::ExitCode;

use peer_wasi::{Request, stages};
use wasmi::{CompilationMode, Config, Engine, Linker, Module, Store};
use wasmi_wasi::{WasiCtx, WasiCtxBuilder};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = peer_wasi::request(&args).and_then(|request| match request {
        Request::Version => {
            println!("{}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Request::Run(args) => run(args),
        Request::Memory { path, eager } => memory(path, eager),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peer-wasmi: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let bytes = peer_wasi::read(&args[0])?;
    let engine = Engine::new(&config());
    let module = Module::new(&engine, &bytes).map_err(|error| error.to_string())?;
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    for arg in args {
        builder.arg(arg).map_err(|error| error.to_string())?;
    }
    let mut store = Store::new(&engine, builder.build());
    let linker = linker(&engine)?;
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

fn memory(path: &str, eager: bool) -> Result<(), String> {
    let bytes = peer_wasi::read(path)?;
    let mut config = config();
    if eager {
        config.compilation_mode(CompilationMode::Eager);
    }
    let engine = Engine::new(&config);
    let linker = linker(&engine)?;
    stages::mark("start");
    let module = Module::new(&engine, &bytes).map_err(|error| error.to_string())?;
    stages::mark("loaded");
    let mut stores = Vec::new();
    for number in 0..=stages::FURTHER_INSTANCES {
        let mut store = Store::new(&engine, WasiCtxBuilder::new().build());
        linker
            .instantiate_and_start(&mut store, &module)
            .map_err(|error| error.to_string())?;
        stores.push(store);
        if number == 0 {
            stages::mark("instance");
        }
    }
    stages::mark("instances");
    Ok(())
}

fn config() -> Config {
    let mut config = Config::default();
    config
        .set_max_stack_height(8 << 20)
        .set_max_recursion_depth(1 << 20);
    config
}

fn linker(engine: &Engine) -> Result<Linker<WasiCtx>, String> {
    let mut linker = Linker::new(engine);
    wasmi_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi)
        .map_err(|error| error.to_string())?;
    Ok(linker)
}
