//! `containerd-shim-teff-v1`: containerd's way to run WebAssembly modules as containers. See `args` for how it is called.
//!
//! ```text
//! containerd ── start ──▶ bootstrap ──▶ serve: one for each pod ── fork, exec ──▶ guest: one for each container
//!            ── ttrpc ────────────────▶ │
//!            ── delete ──▶ cleanup, after a shim that is gone
//! ```

mod args;
mod bootstrap;
mod cgroup;
mod cleanup;
mod guest;
mod info;
mod protocol;
mod serve;
mod spec;
mod sys;

use std::process::ExitCode;

use args::Action;

fn main() -> ExitCode {
    let arguments = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned());
    let (action, flags) = match args::parse(arguments) {
        Ok(parsed) => parsed,
        Err(mistake) => {
            eprintln!("containerd-shim-teff-v1: {mistake}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let result = match action {
        Action::Help => {
            print!("{}", args::USAGE);
            Ok(())
        }
        Action::Version => info::version(),
        Action::Info => info::info(),
        Action::Start => bootstrap::start(&flags),
        Action::Delete => cleanup::delete(&flags),
        Action::Serve => serve::serve(&flags),
        Action::Guest => guest::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("containerd-shim-teff-v1: {e}");
            ExitCode::FAILURE
        }
    }
}
