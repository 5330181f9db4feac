//! Links the C library into a release build of `teff`, where its archive is installed beside the compiler: the one file
//! then runs on any Linux of its processor, and starts in less time than the dynamic linker takes alone. It stays
//! position independent. And it has what a start needs put together: see `order`.
//!
//! `TEFF_LINK=dynamic` links the shared library as usual, and so does a build without the archive.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

mod order;

/// Functions that Rust's library uses where the C library has them. It does not take them out of an archive by itself;
/// and then a call of ours would be one of nothing.
const OPTIONAL: [&str; 2] = ["statx", "__cxa_thread_atexit_impl"];

/// What Rust's library asks the linker for, beside the unwinder.
const LIBRARIES: [&str; 6] = ["util", "rt", "pthread", "m", "dl", "c"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=order");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    println!("cargo:rerun-if-env-changed=TEFF_LINK");
    let gnu = var("CARGO_CFG_TARGET_OS") == "linux" && var("CARGO_CFG_TARGET_ENV") == "gnu";
    if !gnu || var("CARGO_CFG_TARGET_FEATURE").contains("crt-static") {
        return;
    }
    let Some(compiler) = compiler() else { return };
    let Some(unwinder) = compiler.archive("gcc_eh") else {
        return;
    };
    // Sanitizers bring a runtime that needs the shared library; tests need no fast start, but tools that watch
    // allocations need the shared library too.
    let wanted = var("PROFILE") == "release" && var("TEFF_LINK") != "dynamic";
    let sanitized = var("CARGO_ENCODED_RUSTFLAGS").contains("sanitizer");
    if wanted && !sanitized && link_statically(&compiler, &unwinder).is_some() {
        return;
    }
    // At least the unwinder: a library less to find, map and relocate. Rust's library asks for the shared one,
    // `libgcc_s`; what it needs of that is found in this archive before, and the linker drops libraries that nothing
    // needs.
    println!("cargo:rustc-link-lib=gcc_eh");
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// The C compiler that links.
struct Compiler(String);

fn compiler() -> Option<Compiler> {
    match var("RUSTC_LINKER") {
        linker if !linker.is_empty() => Some(Compiler(linker)),
        _ if var("TARGET") == var("HOST") => Some(Compiler("cc".to_owned())),
        _ => None,
    }
}

impl Compiler {
    /// Where it finds the archive of a library.
    fn archive(&self, library: &str) -> Option<PathBuf> {
        let output = Command::new(&self.0)
            .arg(format!("-print-file-name=lib{library}.a"))
            .output()
            .ok()?;
        let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        // A name without a path means that it was not found.
        path.is_absolute().then_some(path)
    }

    /// The version of its C library, which is to do at a start what the linker asks of it.
    fn glibc(&self) -> Option<(u32, u32)> {
        let output = Command::new(&self.0)
            .args(["-include", "features.h", "-E", "-dM", "-x", "c", "-"])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        Some((
            value("#define __GLIBC__ ")?,
            value("#define __GLIBC_MINOR__ ")?,
        ))
    }
}

/// Has the linker find archives, and nothing else, under the names that Rust's library asks for. (It asks for shared
/// libraries as long as the target feature `crt-static` is off, which a package cannot turn on for itself.)
fn link_statically(compiler: &Compiler, unwinder: &Path) -> Option<()> {
    let libc = compiler.archive("c")?;
    let libgcc = compiler.archive("gcc")?;
    let directory = PathBuf::from(var("OUT_DIR")).join("archives");
    for library in LIBRARIES {
        let archive = compiler.archive(library)?;
        write(
            &directory,
            library,
            &format!("INPUT({})\n", archive.display()),
        )
        .ok()?;
    }
    // They need each other.
    let group = [unwinder, &libgcc, &libc].map(|archive| archive.display().to_string());
    write(
        &directory,
        "gcc_s",
        &format!("GROUP({})\n", group.join(" ")),
    )
    .ok()?;
    // For the command alone: tests are linked as usual.
    println!("cargo:rustc-link-arg-bins=-L{}", directory.display());
    println!("cargo:rustc-link-arg-bins=-static-pie");
    for function in OPTIONAL {
        println!("cargo:rustc-link-arg-bins=-Wl,-u,{function}");
    }
    if linker_is_known(compiler) {
        let script = directory.join("order.ld");
        fs::write(&script, order::script()).ok()?;
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
        // A tenth of a megabyte less to read at each start. Older linkers warn, and do without.
        if compiler.glibc().is_some_and(|version| version >= (2, 36)) {
            println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
    }
    Some(())
}

/// Whether the linker is GNU ld or LLD, as by default: others refuse the script or the option.
fn linker_is_known(compiler: &Compiler) -> bool {
    let flags = var("CARGO_ENCODED_RUSTFLAGS");
    ["gold", "mold", "wild"]
        .iter()
        .all(|other| !flags.contains(other) && !compiler.0.contains(other))
}

/// Writes a linker script in the place of an archive.
fn write(directory: &Path, library: &str, script: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join(format!("lib{library}.a")), script)
}
