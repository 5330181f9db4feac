//! `teff-shim image` as a user calls it. What is in an archive, the tests of the module `oci` see.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

fn image(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teff-shim"));
    command.arg("image").args(args).current_dir(folder.path());
    command.output().unwrap()
}

fn has(archive: &[u8], text: &str) -> bool {
    archive
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn of_a_module() {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("Hello.wat"),
        "(module (func (export \"_start\")))",
    )
    .unwrap();
    fs::write(folder.path().join("data"), "42 grains").unwrap();
    let piped = image(
        &folder,
        &["Hello.wat", "--file", "data=/srv/data", "--arch", "arm64"],
    );
    assert!(
        piped.status.success(),
        "{}",
        String::from_utf8_lossy(&piped.stderr)
    );
    for text in [
        "localhost/hello:latest",
        "\"architecture\":\"arm64\"",
        "\"Entrypoint\":[\"/Hello.wat\"]",
        "(export \"_start\")",
        "srv/data",
        "42 grains",
    ] {
        assert!(has(&piped.stdout, text), "{text}");
    }
    let args = [
        "Hello.wat",
        "--file",
        "data=/srv/data",
        "--arch",
        "arm64",
        "-o",
        "hello.tar",
    ];
    assert!(image(&folder, &args).status.success());
    let written = fs::read(folder.path().join("hello.tar")).unwrap();
    assert_eq!(written, piped.stdout, "the same every time");
}

#[test]
fn mistakes() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.wasm"), b"\0asm\x01\0\0\0").unwrap();
    fs::write(folder.path().join("component.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    fs::write(
        folder.path().join("text.wat"),
        "(module\n  (func i32.konst))",
    )
    .unwrap();
    fs::write(folder.path().join("program"), "#!/bin/sh\n").unwrap();
    for (args, words) in [
        (&["component.wasm"][..], "component"),
        (&["text.wat"], "text.wat:2:9"),
        (&["program"], "program"),
        (&["nothing.wasm"], "nothing.wasm"),
        (&["a.wasm", "--name", "No Name"], "No Name"),
        (&["a.wasm", "--file", "a.wasm=relative"], "FILE=/PATH"),
        (&["a.wasm", "--file", "a.wasm=/../x"], "FILE=/PATH"),
        (&["--installer", "--from", "."], "teff-shim"),
        (&["a.wasm", "--installer"], "cannot be used with"),
        (&[], "required"),
    ] {
        let output = image(&folder, args);
        assert!(!output.status.success(), "{args:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(words), "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
