//! `teff compile`, `teff keygen` and what other commands do with images, from outside.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{file, hello, run, run_with_input, scratch, teff};

/// Functions to call with `--invoke`, and an import that nobody provides.
const FUNCTIONS: &str = r#"(module
    (memory (export "memory") 1)
    (data (i32.const 0) "data")
    (global $ready (mut i32) (i32.const 0))
    (func $start (global.set $ready (i32.const 20)))
    (start $start)
    (func (export "ready") (result i32) (global.get $ready))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "forever") (loop $again (br $again)))
    (func $inner (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func $outer (export "divide") (param i32) (result i32) (call $inner (local.get 0))))"#;

/// Compiles a module, with options, into `name` beside it.
fn image(dir: &Path, name: &str, wat: &str, options: &[&str]) -> PathBuf {
    let source = file(dir, &format!("{name}.wat"), wat);
    let output = dir.join(name);
    let compiled = run(teff()
        .arg("compile")
        .arg(&source)
        .arg("-o")
        .arg(&output)
        .args(options));
    assert_eq!(compiled.status, Some(0), "{compiled:?}");
    assert!(
        compiled
            .stdout
            .contains(" of them code of the class compact"),
        "{compiled:?}"
    );
    output
}

#[test]
fn an_image_runs_as_its_module_does() {
    let dir = scratch("image_runs");
    let hello = image(&dir, "hello.teff", &hello("hello, image\n", 7), &[]);
    for options in [&[][..], &["--backend", "loop"], &["--form", "compact"]] {
        let ran = run(teff().arg("run").args(options).arg(&hello));
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (Some(7), "hello, image\n"),
            "{ran:?}"
        );
    }
    let piped = run_with_input(teff().args(["run", "-"]), &fs::read(&hello).unwrap());
    assert_eq!(piped.stdout, "hello, image\n", "{piped:?}");

    let functions = image(&dir, "f.teff", FUNCTIONS, &[]);
    let invoke = |name: &str, args: &[&str]| {
        run(teff()
            .args(["run", "--invoke", name])
            .arg(&functions)
            .args(args))
    };
    invoke("add", &["2", "3"]).succeeds_with("5\n");
    invoke("ready", &[]).succeeds_with("20\n");
    invoke("divide", &["0"]).traps_with(&["integer divide by zero", "inner", "outer"]);
    // It has a start function, so it need not have anything to call.
    run(teff().arg("run").arg(&functions)).succeeds_with("");
    run(teff().arg("validate").arg(&functions)).succeeds_with("");
}

#[test]
fn limits_take_a_metered_image() {
    let dir = scratch("image_limits");
    let plain = image(&dir, "plain.teff", FUNCTIONS, &[]);
    let metered = image(&dir, "metered.teff", FUNCTIONS, &["--metered"]);
    let run_for = |image: &Path, limit: &[&str]| {
        run(teff()
            .arg("run")
            .args(limit)
            .args(["--invoke", "forever"])
            .arg(image))
    };
    for limit in [["--fuel", "1000"], ["--timeout", "200ms"]] {
        run_for(&plain, &limit).is_refused_with(&[
            "plain.teff cannot be loaded",
            "not metered",
            "--metered",
        ]);
    }
    run_for(&metered, &["--fuel", "1000"]).traps_with(&["fuel"]);
    assert_eq!(run_for(&metered, &["--timeout", "200ms"]).status, Some(124));
    run(teff()
        .args(["run", "--invoke", "add"])
        .arg(&metered)
        .args(["1", "2"]))
    .succeeds_with("3\n");
}

#[test]
fn what_is_no_whole_image_of_this_machine_is_refused() {
    let dir = scratch("image_refused");
    let path = image(&dir, "f.teff", FUNCTIONS, &[]);
    let good = fs::read(&path).unwrap();
    let refused = |name: &str, bytes: &[u8], parts: &[&str]| {
        let damaged = file(&dir, name, bytes);
        for command in ["run", "validate", "inspect"] {
            run(teff().arg(command).arg(&damaged))
                .is_refused_with(&[&[name, "cannot be loaded"][..], parts].concat());
        }
    };
    refused("short.teff", &good[..good.len() - 1], &["truncated"]);
    refused("tiny.teff", &good[..20], &["truncated"]);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    refused("flipped.teff", &flipped, &["damaged", "checksum"]);

    let other = if cfg!(target_pointer_width = "64") {
        "thumbv7em-none-eabihf"
    } else {
        "x86_64-unknown-linux-gnu"
    };
    let other = image(&dir, "other.teff", FUNCTIONS, &["--target", other]);
    run(teff().arg("run").arg(&other))
        .is_refused_with(&["code of the class compact", "and this machine runs compact"]);
    let shown = run(teff().arg("inspect").arg(&other));
    assert!(
        shown.stdout.contains("for machines of the class compact"),
        "{shown:?}"
    );

    run(teff().args(["run", "--form", "direct"]).arg(&path))
        .is_refused_with(&["--form direct", "compact"]);
    let again = dir.join("again.teff");
    run(teff().arg("compile").arg(&path).arg("-o").arg(&again))
        .is_refused_with(&["is an image already"]);
    run(teff()
        .args(["compile", "--target", "pdp11"])
        .arg(&path)
        .arg("-o")
        .arg(&again))
    .is_refused_with(&["is an image already"]);
    let wat = dir.join("f.teff.wat");
    run(teff()
        .args(["compile", "--target", "pdp11"])
        .arg(&wat)
        .arg("-o")
        .arg(&again))
    .is_refused_with(&["`pdp11`"]);
    assert!(!again.exists());
}

#[test]
fn a_missing_import_is_named() {
    let dir = scratch("image_import");
    let wat = r#"(module (import "env" "gpio" (func (param i32))) (func (export "_start")))"#;
    let path = image(&dir, "i.teff", wat, &[]);
    run(teff().arg("run").arg(&path))
        .is_refused_with(&["unknown import `env::gpio`, a func (i32) -> ()"]);
}

#[test]
fn an_image_can_be_looked_into() {
    let dir = scratch("image_inspect");
    let path = image(&dir, "f.teff", FUNCTIONS, &["--metered"]);
    let shown = run(teff().arg("inspect").arg(&path));
    for line in [
        ", metered\n",
        "  add  func (i32, i32) -> (i32)\n",
        "  memory  memory 1\n",
        " for 6 functions\n",
    ] {
        assert!(shown.stdout.contains(line), "`{line}` is not in: {shown:?}");
    }
    let code = run(teff().args(["inspect", "--ir=2"]).arg(&path));
    assert!(
        code.stdout.starts_with("function 2\n(i32, i32) -> (i32)"),
        "{code:?}"
    );
    assert!(code.stdout.contains("i32.add"), "{code:?}");
    let all = run(teff().args(["inspect", "--ir"]).arg(&path));
    assert_eq!(all.stdout.matches("function ").count(), 6, "{all:?}");
    run(teff().args(["inspect", "--ir=add"]).arg(&path)).is_refused_with(&["by their index"]);
    run(teff().args(["inspect", "--ir=9"]).arg(&path)).is_refused_with(&["there is no function 9"]);
}

#[test]
fn a_trusted_key_admits_what_it_signed_and_nothing_else() {
    let dir = scratch("image_signed");
    let key = |name: &str| {
        let path = dir.join(name);
        let made = run(teff().arg("keygen").arg(&path));
        assert_eq!(made.status, Some(0), "{made:?}");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        (path, dir.join(format!("{name}.pub")))
    };
    let (secret, public) = key("release.key");
    let (_, stranger) = key("stranger.key");
    run(teff().arg("keygen").arg(&secret)).is_refused_with(&["release.key", "exists"]);

    let signed = image(
        &dir,
        "signed.teff",
        FUNCTIONS,
        &["--sign", secret.to_str().unwrap()],
    );
    let plain = image(&dir, "plain.teff", FUNCTIONS, &[]);
    let run_with = |key: &Path, image: &Path| {
        let mut command = teff();
        command
            .arg("run")
            .arg("--trusted-key")
            .arg(key)
            .args(["--invoke", "ready"])
            .arg(image);
        run(&mut command)
    };
    run_with(&public, &signed).succeeds_with("20\n");
    // Whoever trusts anybody can run it as well.
    run(teff().args(["run", "--invoke", "ready"]).arg(&signed)).succeeds_with("20\n");
    run_with(&stranger, &signed).is_refused_with(&["signed by another key"]);
    run_with(&public, &plain).is_refused_with(&["is not signed"]);
    run_with(&public, &dir.join("plain.teff.wat")).is_refused_with(&["is no image"]);
    run_with(&secret, &signed)
        .is_refused_with(&["release.key is no such key", "it is a teff-secret-key"]);
    run_with(&plain, &signed).is_refused_with(&["cannot read the key"]);

    // Nothing of it can be changed, and the signature cannot be moved to another image.
    let good = fs::read(&signed).unwrap();
    let other = fs::read(image(&dir, "other.teff", &hello("x", 0), &[])).unwrap();
    let len = good.len() - 104;
    let moved = [&other[..], &good[len..]].concat();
    run_with(&public, &file(&dir, "moved.teff", moved)).is_refused_with(&["signature is wrong"]);
    for at in (8..good.len()).step_by(61).chain(len + 8..good.len()) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let changed = run_with(&public, &file(&dir, "changed.teff", changed));
        assert_eq!(changed.status, Some(1), "byte {at}: {changed:?}");
    }
    let shown = run(teff().arg("inspect").arg(&signed));
    assert!(shown.stdout.contains("signed     with "), "{shown:?}");
}
