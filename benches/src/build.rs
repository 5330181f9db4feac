//! Builds what is measured beside this program, when it is needed, beside its own artefacts: the commands in `peers/`,
//! the command `teff`, and the programs in C, Rust and Go for this machine.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds `peer-<name>`, and returns where it is.
pub(crate) fn peer(name: &str) -> Result<PathBuf, String> {
    let package = format!("peer-{name}");
    let manifest = root().join("benches/peers/Cargo.toml");
    let target = target_directory()?.join("peers");
    let mut variables = Vec::new();
    if name == "wasm3" && env::var_os("WASM3_SOURCE").is_none() {
        variables.extend(newer_wasm3(&target).map(|source| ("WASM3_SOURCE", source)));
    }
    let directory = cargo(&package, &manifest, &target, &variables)?;
    Ok(directory.join(package))
}

/// The source of a newer Wasm3 than the crate has, if pip can get it; many programs need what came after the crate.
fn newer_wasm3(target: &Path) -> Option<OsString> {
    let script = root().join("benches/peers/wasm3/newer.sh");
    let output = Command::new("bash").arg(script).arg(target).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    if !output.status.success() {
        eprintln!("pip cannot get the source of a newer Wasm3: the crate's release is taken");
        return None;
    }
    Some(text.trim().into())
}

/// Builds the command `teff`, and returns where it is.
pub(crate) fn teff_command() -> Result<PathBuf, String> {
    let directory = cargo(
        "teff-cli",
        &root().join("Cargo.toml"),
        &target_directory()?,
        &[],
    )?;
    Ok(directory.join("teff"))
}

/// What a command prints for `--version`, if it understands that.
pub(crate) fn version(command: &Path) -> Option<String> {
    let output = Command::new(command).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

/// Builds the programs for this machine as far as there are compilers, and returns their directory.
pub(crate) fn native() -> Result<PathBuf, String> {
    let target = target_directory()?.join("native");
    let programs = programs::directory();
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    // The compiler of the modules, so that the difference is not another compiler's.
    let compilers = ["clang-22", "clang", "cc"];
    if let Some(compiler) = compilers
        .into_iter()
        .find(|name| version(Path::new(name)).is_some())
    {
        for entry in fs::read_dir(programs.join("c")).map_err(|error| error.to_string())? {
            let source = entry.map_err(|error| error.to_string())?.path();
            let (Some("c"), Some(name)) = (
                source.extension().and_then(OsStr::to_str),
                source.file_stem(),
            ) else {
                continue;
            };
            let mut command = Command::new(compiler);
            command.args(["-O2", "-ffp-contract=off"]);
            run(command
                .arg(&source)
                .arg("-lm")
                .arg("-o")
                .arg(target.join(name)))?;
        }
    }
    let rust = cargo(
        "programs",
        &programs.join("rust/Cargo.toml"),
        &target.join("rust"),
        &[],
    )?;
    for entry in fs::read_dir(programs.join("rust/src/bin")).map_err(|error| error.to_string())? {
        let source = entry.map_err(|error| error.to_string())?.path();
        if let Some(name) = source.file_stem() {
            let (from, to) = (rust.join(name), target.join(name));
            fs::copy(&from, to).map_err(|error| format!("{}: {error}", from.display()))?;
        }
    }
    let go = Command::new("go").arg("version").output();
    if go.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("go");
        command
            .args(["build", "-o"])
            .arg(target.join("go"))
            .arg(".");
        run(command
            .current_dir(programs.join("go"))
            .env("GOTOOLCHAIN", "local"))?;
    }
    Ok(target)
}

/// Builds a package in release, and returns the directory of its commands.
fn cargo(
    package: &str,
    manifest: &Path,
    target: &Path,
    variables: &[(&str, OsString)],
) -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--locked", "-p", package]);
    command.arg("--manifest-path").arg(manifest);
    command.envs(variables.iter().cloned());
    run(command.arg("--target-dir").arg(target))?;
    Ok(target.join("release"))
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// Where cargo put this program: `target/release/teff-benches` is in `target`.
pub(crate) fn target_directory() -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let directory = this.parent().and_then(Path::parent);
    directory
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} is in no target directory", this.display()))
}
