//! Silverfir-nano's interpreter: runs one WASI program, with the engine's own WASI.

use std::process::ExitCode;

use peer_wasi::{Request, stages};
use sf_nano_core::wasi::{WasiContextBuilder, wasi_imports};
use sf_nano_core::{Config, Engine, Instance, Tier};

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
            eprintln!("peer-silverfir: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let bytes = peer_wasi::read(&args[0])?;
    let engine = engine()?;
    let imports = wasi_imports(WasiContextBuilder::new().args(args).build());
    let mut instance =
        Instance::new(&engine, &bytes, &imports).map_err(|error| format!("{error:?}"))?;
    match instance.invoke("_start", &[]) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == Some(0) => Ok(()),
        Err(error) => Err(format!("{error:?}")),
    }
}

/// It always translates everything, once for each instance.
fn memory(path: &str, _eager: bool) -> Result<(), String> {
    let bytes = peer_wasi::read(path)?;
    let engine = engine()?;
    let imports = wasi_imports(WasiContextBuilder::new().build());
    stages::mark("start");
    let mut instances = Vec::new();
    for number in 0..=stages::FURTHER_INSTANCES {
        let instance = Instance::new(&engine, &bytes, &imports);
        instances.push(instance.map_err(|error| format!("{error:?}"))?);
        if number == 0 {
            stages::mark("instance");
        }
    }
    stages::mark("instances");
    Ok(())
}

fn engine() -> Result<Engine, String> {
    Engine::new(Config::new().tier(Tier::Interp)).map_err(|error| format!("{error:?}"))
}
