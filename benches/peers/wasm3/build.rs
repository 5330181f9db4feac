//! Compiles the C source of Wasm3 with the flags of Wasm3's own release build: the one that the crate wasm3-sys carries
//! (0.4.7), or the directory that WASM3_SOURCE names (of a newer release). The compiler is clang where there is one,
//! and `CC` if that is set.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let source = match env::var_os("WASM3_SOURCE") {
        Some(path) => path.into(),
        None => source_of_crate(),
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&source)
        .unwrap_or_else(|error| panic!("the source of Wasm3, {}: {error}", source.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "c"))
        .collect();
    files.sort();
    let mut build = cc::Build::new();
    if env::var_os("CC").is_none() {
        let found = |name: &&&str| Command::new(**name).arg("--version").output().is_ok();
        if let Some(clang) = ["clang-22", "clang"].iter().find(found) {
            build.compiler(clang);
        }
    }
    build
        .files(files)
        .file("shim.c")
        .include(&source)
        .define("d_m3LogOutput", "0")
        .define("NDEBUG", None)
        .opt_level(3)
        .flag_if_supported("-fomit-frame-pointer")
        .flag_if_supported("-fno-stack-check")
        .flag_if_supported("-fno-stack-protector")
        // As the Rust engines are compiled, by the repository's .cargo/config.toml.
        .flag_if_supported("-falign-functions=64")
        .warnings(false)
        .compile("wasm3");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shim.c");
    println!("cargo::rerun-if-env-changed=CC");
    println!("cargo::rerun-if-env-changed=WASM3_SOURCE");
}

/// Where cargo has unpacked the crate.
fn source_of_crate() -> PathBuf {
    let cargo = env::var_os("CARGO").expect("cargo runs this");
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--locked",
        ])
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == "wasm3-sys")
        .expect("wasm3-sys is in the lock file");
    let manifest = package["manifest_path"]
        .as_str()
        .expect("a package has a manifest");
    Path::new(manifest)
        .parent()
        .expect("a manifest is in a directory")
        .join("wasm3/source")
}
