//! Modules that are layers of an image instead of files in it: `teff-shim fetch` gets them from containerd, so that gRPC
//! stays out of this program. Knows its command line.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::command::output;
use super::reaper::Reaper;

/// The program beside this one.
const FETCHER: &str = "teff-shim";

/// What it prints.
#[derive(Deserialize)]
struct Fetched {
    path: PathBuf,
}

/// The file with the module of this container's image. If containerd does not say where it has it, it is copied to
/// `copy`.
pub(crate) async fn module(
    reaper: &Reaper,
    (address, namespace, container): (&str, &str, &str),
    copy: &Path,
) -> io::Result<PathBuf> {
    let mut command = Command::new(fetcher());
    command.arg("fetch").args([
        "--address",
        address,
        "--namespace",
        namespace,
        "--container",
        container,
    ]);
    command.arg("--output").arg(copy);
    let printed = output(reaper, command).await?.success("teff-shim fetch")?;
    let fetched: Fetched = serde_json::from_str(&printed).map_err(|e| {
        io::Error::other(format!("teff-shim fetch printed `{}`: {e}", printed.trim()))
    })?;
    Ok(fetched.path)
}

/// Beside this program if it is there, else wherever programs are.
fn fetcher() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join(FETCHER)));
    beside
        .filter(|path| path.exists())
        .unwrap_or_else(|| FETCHER.into())
}
