//! The program `teff`: runs WebAssembly modules, and tells what is in them.
//!
//! ```text
//! args      the command line
//! load      a file, text or standard input → bytes or a module
//! grants    what a guest is given, and which option would have given what it was refused
//! run       a module with WASI; invoke: one exported function; timeout: not for ever
//! flash     an image of files → a tree for the guest; pack: a directory → such an image
//! compile   a module → an image, whose code is translated already
//! keys      that sign images
//! inspect   what a module has (summary) and needs (features), and its register code (ir); image: the same of images
//! census    what was dispatched (only with the feature)
//! output    files that are written
//! failure   what ends the program, and with which exit status
//! start     the C function `main`, without the start-up code of Rust
//! ```

// In tests, the harness has the function `main`.
#![cfg_attr(not(test), no_main)]

mod args;
#[cfg(feature = "census")]
mod census;
mod compile;
mod failure;
mod features;
mod flash;
mod grants;
mod image;
mod inspect;
mod invoke;
mod ir;
mod keys;
mod load;
mod output;
mod pack;
mod run;
#[cfg(not(test))]
mod start;
mod summary;
mod timeout;

use std::ffi::OsString;

use crate::args::{Command, Validate};
use crate::failure::Result;

/// Does what the command line says; gives the exit status.
#[cfg_attr(test, allow(dead_code, reason = "the harness starts tests"))]
fn command_line(arguments: &[OsString]) -> i32 {
    match args::parse(arguments).and_then(dispatch) {
        Ok(()) => 0,
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
        Command::Compile(args) => compile::compile(&args),
        Command::Keygen(args) => keys::keygen(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Validate(args) => validate(&args),
        Command::Pack(args) => pack::pack(&args),
    }
}

fn validate(args: &Validate) -> Result<()> {
    let source = load::Source::open(&args.file)?;
    // Loading validates all of it.
    source.module(&source.engine()?).map(|_| ())
}
