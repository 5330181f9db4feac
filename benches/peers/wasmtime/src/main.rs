//! Wasmtime: runs one WASI program, by its compiler for this machine, or with `--pulley` by its interpreter. It gets our
//! WASI, because its own would double what has to be built; the programs do not spend their time there.

use std::process::ExitCode;
use std::sync::Arc;

use peer_wasi::{Bytes, Function, Request, Type, Wasi, stages};
use wasmtime::{Caller, Config, Engine, FuncType, Linker, Module, Store, Val, ValType};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let pulley = args.first().is_some_and(|arg| arg == "--pulley");
    if pulley {
        args.remove(0);
    }
    let target = pulley.then_some("pulley64");
    let done = peer_wasi::request(&args).and_then(|request| match request {
        Request::Version => {
            println!("{}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Request::Run(args) => run(target, args).map_err(|error| format!("{error:#}")),
        Request::Memory { path, .. } => {
            memory(target, path).map_err(|error| format!("{error:#}"))
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peer-wasmtime: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(target: Option<&str>, args: &[String]) -> wasmtime::Result<()> {
    let bytes = peer_wasi::read(&args[0]).map_err(wasmtime::Error::msg)?;
    let engine = engine(target)?;
    let module = Module::new(&engine, bytes)?;
    let mut store = Store::new(&engine, ());
    let instance = linker(&engine, args)?.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    start.call(&mut store, ())
}

/// It always translates everything when it loads.
fn memory(target: Option<&str>, path: &str) -> wasmtime::Result<()> {
    let bytes = peer_wasi::read(path).map_err(wasmtime::Error::msg)?;
    let engine = engine(target)?;
    let linker = linker(&engine, &[])?;
    stages::mark("start");
    let module = Module::new(&engine, bytes)?;
    stages::mark("loaded");
    let mut stores = Vec::new();
    for number in 0..=stages::FURTHER_INSTANCES {
        let mut store = Store::new(&engine, ());
        linker.instantiate(&mut store, &module)?;
        stores.push(store);
        if number == 0 {
            stages::mark("instance");
        }
    }
    stages::mark("instances");
    Ok(())
}

fn engine(target: Option<&str>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    if let Some(target) = target {
        config.target(target)?;
    }
    Engine::new(&config)
}

fn linker(engine: &Engine, args: &[String]) -> wasmtime::Result<Linker<()>> {
    let mut linker = Linker::new(engine);
    let wasi = Arc::new(Wasi::new(args));
    for &function in Function::ALL {
        let parameters = function.parameters().map(|kind| match kind {
            Type::I32 => ValType::I32,
            Type::I64 => ValType::I64,
        });
        let results = function.has_result().then_some(ValType::I32);
        let kind = FuncType::new(engine, parameters, results);
        let wasi = wasi.clone();
        let host = move |mut caller: Caller<'_, ()>, args: &[Val], results: &mut [Val]| {
            let mut words = [0u64; 16];
            for (word, arg) in words.iter_mut().zip(args) {
                *word = match arg {
                    Val::I32(value) => u64::from(*value as u32),
                    Val::I64(value) => *value as u64,
                    _ => 0,
                };
            }
            let memory = caller
                .get_export("memory")
                .and_then(|export| export.into_memory());
            let bytes = match &memory {
                Some(memory) => memory.data_mut(&mut caller),
                None => &mut [],
            };
            let errno = function.call(&wasi, &mut Bytes(bytes), &words[..args.len()]);
            if let Some(result) = results.first_mut() {
                *result = Val::I32(errno as i32);
            }
            Ok(())
        };
        linker.func_new(peer_wasi::MODULE, function.name, kind, host)?;
    }
    Ok(linker)
}
