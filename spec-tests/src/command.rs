//! The subcommands, and what they share: options, progress, output. Knows the terminal; knows no suite.

mod go;
mod run;
mod wasi;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// What to run.
#[derive(Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Wasi(wasi::Wasi),
    Go(go::Go),
}

impl Command {
    /// Runs it; true if nothing failed.
    pub(crate) fn run(&self) -> Result<bool, String> {
        match self {
            Self::Run(run) => run.run(),
            Self::Wasi(wasi) => wasi.run(),
            Self::Go(go) => go.run(),
        }
    }
}

/// The option `--backend`.
#[derive(Copy, Clone, PartialEq, Eq, ValueEnum)]
enum BackendArg {
    /// The best one that this build has
    Default,
    Threaded,
    Loop,
    All,
}

impl BackendArg {
    /// The same as values for the option `--backend` of the command `teff`; `None` is not to give it.
    fn for_teff(self) -> &'static [Option<&'static str>] {
        match self {
            Self::Default => &[None],
            Self::Threaded => &[Some("threaded")],
            Self::Loop => &[Some("loop")],
            Self::All => &[Some("threaded"), Some("loop")],
        }
    }
}

/// The value of the option `--report`.
fn parse_report(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("json=") {
        Some(path) if !path.is_empty() => Ok(path.into()),
        _ => Err("expected json=FILE".into()),
    }
}

/// A bar on the terminal that standard error is; nothing otherwise.
fn progress_bar(steps: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}");
    ProgressBar::new(steps as u64).with_style(style.expect("the template is right"))
}

/// Prints to standard output; that nobody reads on is no error.
fn print(text: &str) -> Result<(), String> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("cannot write: {e}")),
        _ => Ok(()),
    }
}

fn write_report(path: &Path, report: &impl Serialize) -> Result<(), String> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut file, report)?;
        file.write_all(b"\n")?;
        file.flush()
    };
    write().map_err(|e: io::Error| format!("cannot write the report {}: {e}", path.display()))
}
