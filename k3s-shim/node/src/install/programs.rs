//! The programs that are put in place, whether they belong together, and which of them run. Knows their names and how they
//! say their version.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::node::Node;
use crate::node::change::Change;

/// The shim's program; containerd derives this name from the runtime's type.
pub(crate) const SHIM: &str = "containerd-shim-teff-v1";

/// All of them.
pub(crate) const PROGRAMS: [&str; 2] = [SHIM, "teff-shim"];

/// The version of this program.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// Programs of different versions are not installed together: they talk with each other.
pub(crate) fn same_version(from: &Path) -> Result<()> {
    for name in PROGRAMS {
        let path = from.join(name);
        ensure!(
            path.exists(),
            "{}: there is no such program; name the folder with {} with --from",
            path.display(),
            PROGRAMS.join(" and ")
        );
        let version =
            version_of(Command::new(&path), name).with_context(|| path.display().to_string())?;
        if version != OWN {
            bail!(
                "{} is version {version}, but this teff-shim is {OWN}: they have to be of one release; take both from \
                 the same archive",
                path.display()
            );
        }
    }
    Ok(())
}

/// The version that a program says it has.
pub(crate) fn version_of(mut command: Command, name: &str) -> Result<String> {
    let flag = match name {
        SHIM => "-v",
        _ => "--version",
    };
    let output = command.arg(flag).stdin(Stdio::null()).output();
    let output = output.context("it cannot be run here; is it for this machine's processor?")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = printed.lines().find_map(|line| {
        let line = line.trim();
        line.strip_prefix("Version:")
            .or_else(|| line.strip_prefix(name))
            .map(str::trim)
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    version
        .map(String::from)
        .with_context(|| format!("{flag} printed {printed:?}, which has no version in it"))
}

/// The changes that put them in place.
pub(crate) fn changes(node: &Node, from: &Path, to: &Path) -> Result<Vec<Change>> {
    PROGRAMS
        .iter()
        .map(|name| {
            let source = from.join(name);
            let bytes = fs::read(&source).with_context(|| source.display().to_string())?;
            Change::of(node, &to.join(name), Some(bytes), 0o755)
        })
        .collect()
}

/// How many processes run this program of the node, as far as this program can see them.
pub(crate) fn running(node: &Node, program: &Path) -> usize {
    if !node.has_seen_processes() {
        return 0;
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let programs = processes.filter_map(|process| fs::read_link(process.path().join("exe")).ok());
    programs
        .filter(|path| {
            path.to_string_lossy().trim_end_matches(" (deleted)") == program.to_string_lossy()
        })
        .count()
}
