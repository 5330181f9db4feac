//! What is compared: a runtime's name in containerd's configuration, and the smallest container that it can have.

use std::path::{Path, PathBuf};
use std::process::Command;

use teff_shim_tests::{Image, LINUX, MODULES, Node, PAUSE};

/// A runtime.
pub(crate) struct Runtime {
    pub(crate) handler: &'static str,
    /// How the table calls it.
    pub(crate) name: &'static str,
    /// A container that waits until it is told to stop.
    pub(crate) image: &'static str,
    pub(crate) command: &'static [&'static str],
    /// The programs that a node needs for it.
    pub(crate) programs: &'static [&'static str],
    /// Must the node's configuration be told of it?
    pub(crate) extra: bool,
}

const RUNTIMES: &[Runtime] = &[
    Runtime {
        handler: "teff",
        name: "teff",
        image: MODULES,
        command: &["/tool.wasm#sleep"],
        programs: &["containerd-shim-teff-v1"],
        extra: false,
    },
    Runtime {
        handler: "runc",
        name: "runc",
        image: LINUX,
        command: &["/pause"],
        programs: &["containerd-shim-runc-v2", "runc"],
        extra: false,
    },
    Runtime {
        handler: "runwasi",
        name: "runwasi's library, no engine",
        image: MODULES,
        command: &["/tool.wasm#sleep"],
        programs: &["containerd-shim-runwasi-v1"],
        extra: true,
    },
];

/// Those that are here.
pub(crate) fn here() -> Vec<&'static Runtime> {
    let is_here = |program: &str| -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let known = RUNTIMES.iter();
    known
        .filter(|runtime| !runtime.extra || runtime.programs.iter().all(|program| is_here(program)))
        .collect()
}

/// Gives a node the images. The sandbox's is now one of a program: runc runs it in every pod.
pub(crate) fn import(node: &Node) -> Result<(), String> {
    let tool = wat::parse_str(include_str!("../../guests/tool.wat"));
    Image::new(MODULES)
        .file("/tool.wasm", tool.map_err(|e| e.to_string())?)
        .import(node)?;
    let program = compile(node, "pause.c")?;
    let program = std::fs::read(&program).map_err(|e| format!("{}: {e}", program.display()))?;
    for name in [LINUX, PAUSE] {
        Image::new(name)
            .file("/pause", program.clone())
            .import_programs(node)?;
    }
    Ok(())
}

/// A static program of C, without symbols.
fn compile(node: &Node, source: &str) -> Result<PathBuf, String> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let program = node.folder().join(source.trim_end_matches(".c"));
    let output = Command::new("cc")
        .args(["-static", "-Os", "-s", "-o"])
        .arg(&program)
        .arg(guests.join(source))
        .output()
        .map_err(|e| format!("cc: {e}"))?;
    match output.status.success() {
        true => Ok(program),
        false => Err(format!(
            "cc: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
