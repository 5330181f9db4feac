//! Builds the commands in `peers/` when they are needed: with cargo, in release, beside this program's own artefacts.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `peer-<name>`, and returns where it is.
pub(crate) fn build(name: &str) -> Result<PathBuf, String> {
    let target = target_directory()?.join("peers");
    let package = format!("peer-{name}");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "-p",
            &package,
            "--manifest-path",
        ])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()
        .map_err(|error| format!("{package} cannot be built: cargo: {error}"))?;
    if !status.success() {
        return Err(format!("{package} cannot be built: cargo failed"));
    }
    Ok(target.join("release").join(package))
}

/// Where cargo put this program: `target/release/teff-benches` is in `target`.
pub(crate) fn target_directory() -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let directory = this.parent().and_then(Path::parent);
    directory
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} is in no target directory", this.display()))
}
