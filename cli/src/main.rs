//! The program `teff`: runs WebAssembly modules, and tells what is in them.
//!
//! ```text
//! args      the command line
//! load      a file, text or standard input → bytes or a module
//! run       a module with WASI; invoke: one exported function; timeout: not for ever
//! inspect   what a module has (summary) and needs (features), and its register code (ir)
//! census    what was dispatched (only with the feature)
//! failure   what ends the program, and with which exit status
//! ```

mod args;
#[cfg(feature = "census")]
mod census;
mod failure;
mod features;
mod inspect;
mod invoke;
mod ir;
mod load;
mod run;
mod summary;
mod timeout;

use std::process::ExitCode;

use crate::args::{Command, Validate};
use crate::failure::{Failure, Result};

fn main() -> ExitCode {
    die_of_closed_pipes();
    match args::parse().and_then(dispatch) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => {
            let result = run::run(&args);
            #[cfg(feature = "census")]
            if let Some(top) = args.census {
                census::print(top);
            }
            result
        }
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Validate(args) => validate(&args),
    }
}

fn validate(args: &Validate) -> Result<()> {
    let source = load::Source::open(&args.file)?;
    let binary = source.binary()?;
    let engine = teff_runtime::Engine::default();
    teff_runtime::Module::validate(&engine, &binary)
        .map_err(|e| Failure::message(format!("{} is not valid: {e}", args.file.display())))
}

/// Ends quietly when nobody reads the output any more, as Unix tools do: Rust's start-up code makes
/// every program ignore the signal.
fn die_of_closed_pipes() {
    // SAFETY: the default action is a valid handler, and no other thread runs yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
