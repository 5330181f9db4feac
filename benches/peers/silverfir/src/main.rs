//! Silverfir-nano's interpreter: runs one WASI program, with the engine's own WASI.

use std::process::ExitCode;

use sf_nano_core::wasi::{WasiContextBuilder, wasi_imports};
use sf_nano_core::{Config, Engine, Instance, Tier};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peer-silverfir: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let path = args.first().ok_or("usage: peer-silverfir MODULE [ARGUMENT…]")?;
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let engine = Engine::new(Config::new().tier(Tier::Interp)).map_err(|error| format!("{error:?}"))?;
    let imports = wasi_imports(WasiContextBuilder::new().args(args).build());
    let mut instance =
        Instance::new(&engine, &bytes, &imports).map_err(|error| format!("{error:?}"))?;
    match instance.invoke("_start", &[]) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == Some(0) => Ok(()),
        Err(error) => Err(format!("{error:?}")),
    }
}
