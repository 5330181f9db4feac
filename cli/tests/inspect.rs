//! `teff inspect` and `teff validate`, from outside.

mod common;

use common::{file, run, run_with_input, scratch, teff};

const MODULE: &str = r#"(module
    (import "env" "log" (func $log (param i32 f64) (result i64)))
    (import "env" "base" (global i32))
    (memory (export "memory") 2 10)
    (table 3 funcref)
    (global (mut i64) (i64.const 1))
    (elem (i32.const 0) $sum)
    (data (i32.const 0) "abc")
    (data (i32.const 8) "defg")
    (func $setup)
    (start $setup)
    (func $sum (export "total") (param $a i32) (param $b i32) (result i32)
        (i32.extend8_s (i32.add (local.get $a) (local.get $b)))))"#;

#[test]
fn what_a_module_has_and_needs() {
    let dir = scratch("inspect");
    let path = file(&dir, "m.wat", MODULE);
    let shown = run(teff().arg("inspect").arg(&path));
    assert_eq!(
        (shown.status, shown.stderr.as_str()),
        (Some(0), ""),
        "{shown:?}"
    );
    for line in [
        "functions  3, 1 of them imported; ",
        "start      function 1",
        "data       7 bytes in 2 segments",
        "elements   1 in 1 segments",
        "  env::log  func (i32, f64) -> (i64)",
        "  env::base  global i32",
        "  total  func (i32, i32) -> (i32)",
        "  memory  memory 2 pages (128 KiB), at most 10 pages (640 KiB)",
        "  0: 2 pages (128 KiB), at most 10 pages (640 KiB)",
        "  0: 3 funcref, no maximum",
        "  0: i32 (imported)",
        "  1: mutable i64",
        "features needed:\n  sign-extension\n",
        "in memory:\n  tables: ",
        " of them for 2 functions\n  direct code: ",
        "  compact code: ",
    ] {
        assert!(
            shown.stdout.contains(line),
            "`{line}` is not in:\n{}",
            shown.stdout
        );
    }
    let piped = run_with_input(teff().args(["inspect", "-"]), MODULE.as_bytes());
    assert_eq!(piped.stdout, shown.stdout);
}

#[test]
fn a_module_that_teff_does_not_run_is_shown() {
    let dir = scratch("inspect_unsupported");
    let path = file(
        &dir,
        "gc.wat",
        "(module (type (struct (field i32))) (memory i64 1))",
    );
    let shown = run(teff().arg("inspect").arg(&path));
    assert_eq!(shown.status, Some(0), "{shown:?}");
    for part in ["gc", "memory64", "1 pages (64 KiB), no maximum, 64-bit"] {
        assert!(
            shown.stdout.contains(part),
            "`{part}` is not in:\n{}",
            shown.stdout
        );
    }
}

#[test]
fn register_code() {
    let dir = scratch("inspect_ir");
    let path = file(&dir, "m.wat", MODULE);
    let ir = |option: &str| run(teff().args(["inspect", option]).arg(&path));
    let all = ir("--ir");
    assert_eq!((all.status, all.stderr.as_str()), (Some(0), ""), "{all:?}");
    assert!(all.stdout.contains("function 1 setup\n"), "{}", all.stdout);
    assert!(all.stdout.contains("function 2 sum\n"), "{}", all.stdout);
    assert!(all.stdout.contains("i32.add"), "{}", all.stdout);
    let (by_name, by_export, by_index) = (ir("--ir=sum"), ir("--ir=total"), ir("--ir=2"));
    assert!(
        by_name.stdout.starts_with("function 2 sum\n"),
        "{by_name:?}"
    );
    assert!(by_name.stdout.contains("i32.add") && !by_name.stdout.contains("setup"));
    assert_eq!(by_name.stdout, by_export.stdout);
    assert_eq!(by_name.stdout, by_index.stdout);
    ir("--ir=nothing").is_refused_with(&["nothing", "there are 3"]);
    ir("--ir=3").is_refused_with(&["--ir=3"]);
    ir("--ir=0").is_refused_with(&["--ir=0", "imported"]);
}

#[test]
fn validity() {
    let dir = scratch("validate");
    let good = file(&dir, "good.wat", MODULE);
    run(teff().arg("validate").arg(&good)).succeeds_with("");
    let bad = file(
        &dir,
        "bad.wat",
        "(module (func (result i32) (i64.const 1)))",
    );
    run(teff().arg("validate").arg(&bad)).is_refused_with(&["bad.wat", "type mismatch"]);
    let shown = run(teff().arg("inspect").arg(&bad));
    shown.is_refused_with(&["bad.wat", "type mismatch"]);
    run(teff().args(["validate", "no/such.wasm"])).is_refused_with(&["no/such.wasm"]);
}
