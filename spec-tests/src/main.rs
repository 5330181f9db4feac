//! The program `teff-spec-tests`: arguments in, table and report out. Leaves the work to the library.

mod command;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Command;

/// Run test suites of others on teff: WebAssembly's official one, WASI's, and Go's standard library.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("teff-spec-tests: {message}");
            ExitCode::FAILURE
        }
    }
}
