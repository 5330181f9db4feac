//! Links the stack unwinder of the C compiler into `teff` where it can be, so that the dynamic linker has one
//! library less to find, map and relocate at each start.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    // Rust's library asks for the shared one, `libgcc_s`. What it needs of that is found in this archive
    // before, and the linker drops libraries that nothing needs.
    let gnu = var("CARGO_CFG_TARGET_OS") == "linux" && var("CARGO_CFG_TARGET_ENV") == "gnu";
    let is_static = var("CARGO_CFG_TARGET_FEATURE").contains("crt-static");
    if gnu && !is_static && linker_has(&var("RUSTC_LINKER"), &var("TARGET"), &var("HOST")) {
        println!("cargo:rustc-link-lib=gcc_eh");
    }
}

/// Does the linker, a C compiler, bring the archive along?
fn linker_has(linker: &str, target: &str, host: &str) -> bool {
    let linker = match linker {
        "" if target == host => "cc",
        linker => linker,
    };
    let Ok(answer) = Command::new(linker)
        .arg("-print-file-name=libgcc_eh.a")
        .output()
    else {
        return false;
    };
    let path = String::from_utf8_lossy(&answer.stdout);
    // A name without a path means that it was not found.
    Path::new(path.trim()).is_absolute()
}
