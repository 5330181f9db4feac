//! The program itself, on scripts of our own: what passes, fails and is skipped, and the exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn scratch(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teff-spec-tests"));
    command.arg("run");
    command
}

/// Runs one script; its status, its output, and line, kind, status and message of every directive.
fn run(test: &str, script: &str, options: &[&str]) -> (Output, Vec<(u64, String, String, String)>) {
    let dir = scratch(test);
    let (file, report) = (dir.join("script.wast"), dir.join("report.json"));
    fs::write(&file, script).unwrap();
    let mut command = program();
    command
        .arg(&file)
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .args(options);
    let output = command.output().unwrap();
    let json: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(json["engine"], "teff");
    let directives = json["runs"][0]["files"][0]["directives"]
        .as_array()
        .unwrap()
        .iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let results = directives.map(|directive| {
        let line = directive["line"].as_u64().unwrap();
        (
            line,
            text(&directive["kind"]),
            text(&directive["status"]),
            text(&directive["message"]),
        )
    });
    (output, results.collect())
}

/// Each line of the script is one directive; `expected` gives status and part of the message of each.
#[track_caller]
fn check(test: &str, lines: &[(&str, &str, &str)]) {
    let script: Vec<_> = lines.iter().map(|(directive, _, _)| *directive).collect();
    let (output, results) = run(test, &script.join("\n"), &[]);
    assert_eq!(results.len(), lines.len(), "{results:?}");
    for ((i, (directive, status, message)), result) in lines.iter().enumerate().zip(&results) {
        assert_eq!(result.0, i as u64 + 1, "{directive}");
        assert_eq!(result.2, *status, "{directive}: {result:?}");
        assert!(result.3.contains(message), "{directive}: {result:?}");
    }
    let failures = lines.iter().any(|(_, status, _)| *status == "failed");
    assert_eq!(
        output.status.code(),
        Some(i32::from(failures)),
        "{output:?}"
    );
}

#[test]
fn results_are_compared() {
    check(
        "results",
        &[
            (
                r#"(module (func (export "i") (result i32) (i32.const 7)) (func (export "n") (param i32) (result f32) (f32.reinterpret_i32 (local.get 0))) (func (export "p") (result i64 i32) (i64.const 1) (i32.const 2)))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "i") (i32.const 7))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "i") (i32.const 8))"#,
                "failed",
                "expected [i32 8], got [i32 7]",
            ),
            (
                r#"(assert_return (invoke "i") (i64.const 7))"#,
                "failed",
                "i64 7",
            ),
            (r#"(assert_return (invoke "i"))"#, "failed", "expected []"),
            (
                r#"(assert_return (invoke "i") (either (i32.const 8) (i32.const 7)))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "p") (i64.const 1) (i32.const 2))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "p") (i64.const 1))"#,
                "failed",
                "",
            ),
            (
                r#"(assert_return (invoke "n" (i32.const 0x7fc00000)) (f32.const nan:canonical))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "n" (i32.const 0x7fc00001)) (f32.const nan:canonical))"#,
                "failed",
                "",
            ),
            (
                r#"(assert_return (invoke "n" (i32.const 0x7fc00001)) (f32.const nan:arithmetic))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "n" (i32.const 0x7f800001)) (f32.const nan:arithmetic))"#,
                "failed",
                "",
            ),
            (
                r#"(assert_return (invoke "n" (i32.const 0x80000000)) (f32.const 0))"#,
                "failed",
                "",
            ),
            (
                r#"(assert_return (invoke "none"))"#,
                "failed",
                "no exported function `none`",
            ),
            (
                r#"(assert_trap (invoke "i") "unreachable")"#,
                "failed",
                "expected the trap `unreachable`",
            ),
            (
                r#"(assert_return (get "i") (i32.const 7))"#,
                "failed",
                "no exported global",
            ),
        ],
    );
}

#[test]
fn references_are_compared() {
    check(
        "references",
        &[
            (
                r#"(module (func $f (export "id") (param externref) (result externref) (local.get 0)) (func (export "f") (result funcref) (ref.func $f)) (func (export "nf") (result funcref) (ref.null func)) (elem declare func $f))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "id" (ref.extern 3)) (ref.extern 3))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "id" (ref.extern 3)) (ref.extern 4))"#,
                "failed",
                "externref 3",
            ),
            (
                r#"(assert_return (invoke "id" (ref.extern 3)) (ref.extern))"#,
                "passed",
                "",
            ),
            (
                r#"(assert_return (invoke "id" (ref.extern 3)) (ref.null extern))"#,
                "failed",
                "",
            ),
            (
                r#"(assert_return (invoke "id" (ref.null extern)) (ref.null extern))"#,
                "passed",
                "",
            ),
            (r#"(assert_return (invoke "f") (ref.func))"#, "passed", ""),
            (
                r#"(assert_return (invoke "f") (ref.null func))"#,
                "failed",
                "",
            ),
            (
                r#"(assert_return (invoke "nf") (ref.null func))"#,
                "passed",
                "",
            ),
            (r#"(assert_return (invoke "nf") (ref.null))"#, "passed", ""),
            (
                r#"(assert_return (invoke "nf") (ref.null extern))"#,
                "failed",
                "",
            ),
            (r#"(assert_return (invoke "nf") (ref.func))"#, "failed", ""),
        ],
    );
}

#[test]
fn traps_and_exhaustion_are_told_apart() {
    check(
        "traps",
        &[
            (
                r#"(module (func (export "u") (unreachable)) (func (export "d") (drop (i32.div_u (i32.const 1) (i32.const 0)))) (func $r (export "r") (call $r)))"#,
                "passed",
                "",
            ),
            (r#"(assert_trap (invoke "u") "unreachable")"#, "passed", ""),
            (
                r#"(assert_trap (invoke "d") "unreachable")"#,
                "failed",
                "got `integer divide by zero`",
            ),
            (
                r#"(assert_exhaustion (invoke "r") "call stack exhausted")"#,
                "passed",
                "",
            ),
            (
                r#"(assert_exhaustion (invoke "u") "call stack exhausted")"#,
                "failed",
                "unreachable",
            ),
            (r#"(invoke "u")"#, "failed", "unreachable"),
            (
                r#"(assert_trap (module (func $m (unreachable)) (start $m)) "unreachable")"#,
                "passed",
                "",
            ),
            (r#"(assert_trap (module) "unreachable")"#, "failed", ""),
            (
                r#"(assert_trap (module (memory 0) (data (i32.const 1) "a")) "out of bounds memory access")"#,
                "passed",
                "",
            ),
        ],
    );
}

#[test]
fn modules_are_named_registered_and_linked() {
    check(
        "modules",
        &[
            (
                r#"(module $A (global (export "g") i32 (i32.const 1)))"#,
                "passed",
                "",
            ),
            (r#"(register "a" $A)"#, "passed", ""),
            (
                r#"(module $B (global (export "g") i32 (i32.const 2)))"#,
                "passed",
                "",
            ),
            (r#"(assert_return (get "g") (i32.const 2))"#, "passed", ""),
            (
                r#"(assert_return (get $A "g") (i32.const 1))"#,
                "passed",
                "",
            ),
            (
                r#"(module (import "a" "g" (global i32)) (export "g" (global 0)))"#,
                "passed",
                "",
            ),
            (r#"(assert_return (get "g") (i32.const 1))"#, "passed", ""),
            (r#"(register "a" $B)"#, "passed", ""),
            (
                r#"(module (import "a" "g" (global i32)) (export "g" (global 0)))"#,
                "passed",
                "",
            ),
            (r#"(assert_return (get "g") (i32.const 2))"#, "passed", ""),
            (
                r#"(assert_unlinkable (module (import "a" "x" (global i32))) "unknown import")"#,
                "passed",
                "",
            ),
            (
                r#"(assert_unlinkable (module (import "a" "g" (global i64))) "incompatible import type")"#,
                "passed",
                "",
            ),
            (
                r#"(assert_unlinkable (module (import "a" "g" (global i64))) "unknown import")"#,
                "failed",
                "",
            ),
            (
                r#"(assert_unlinkable (module) "unknown import")"#,
                "failed",
                "links",
            ),
            (
                r#"(module definition $D (global (export "g") (mut i32) (i32.const 3)))"#,
                "passed",
                "",
            ),
            (r#"(assert_return (get "g") (i32.const 2))"#, "passed", ""),
            (r#"(module instance)"#, "passed", ""),
            (r#"(assert_return (get "g") (i32.const 3))"#, "passed", ""),
            (r#"(module instance $I $D)"#, "passed", ""),
            (
                r#"(assert_return (get $I "g") (i32.const 3))"#,
                "passed",
                "",
            ),
            (
                r#"(module instance $J $Nothing)"#,
                "failed",
                "no such module definition",
            ),
            (
                r#"(assert_return (get $J "g") (i32.const 3))"#,
                "failed",
                "uses a module that failed",
            ),
            (
                r#"(register "a" $Nothing)"#,
                "failed",
                "no such module instance",
            ),
            (
                r#"(module (import "spectest" "global_i32" (global i32)) (export "g" (global 0)))"#,
                "passed",
                "",
            ),
            (r#"(assert_return (get "g") (i32.const 666))"#, "passed", ""),
        ],
    );
}

#[test]
fn refused_modules_and_text() {
    check(
        "refused",
        &[
            (
                r#"(assert_invalid (module (func (result i32))) "type mismatch")"#,
                "passed",
                "",
            ),
            (
                r#"(assert_invalid (module) "type mismatch")"#,
                "failed",
                "accepted",
            ),
            (
                r#"(assert_malformed (module binary "\00asm") "unexpected end")"#,
                "passed",
                "",
            ),
            (
                r#"(assert_malformed (module quote "(func") "unexpected token")"#,
                "text_delegated",
                "",
            ),
            (
                r#"(assert_malformed (module quote "(func)") "unexpected token")"#,
                "failed",
                "accepted",
            ),
            (r#"(module quote "(func (export \"f\"))")"#, "passed", ""),
            (r#"(invoke "f")"#, "passed", ""),
            (r#"(module quote "(func")"#, "failed", "wast refuses"),
        ],
    );
}

/// Features past Wasm 3.0 that no file here is about: the directive fails. Those of 3.0 that teff lacks
/// are skipped; which they are changes, so that the test finds one out.
#[test]
fn missing_features_are_skipped_and_named() {
    let needs = [
        ("simd", "(func (export \"f\") (param v128))"),
        ("gc", "(type (struct)) (func (export \"f\"))"),
        ("memory64", "(memory i64 1) (func (export \"f\"))"),
        ("exceptions", "(tag) (func (export \"f\"))"),
    ];
    let supports = |fields: &str| {
        let module = wat::parse_str(format!("(module {fields})")).unwrap();
        teff_runtime::Module::validate(&teff_runtime::Engine::default(), &module).is_ok()
    };
    if let Some((feature, fields)) = needs.into_iter().find(|(_, fields)| !supports(fields)) {
        let direct = format!("needs {feature}");
        let used = format!("uses a module that needs {feature}");
        let module = format!("(module $S {fields})");
        let unlinkable = format!("(assert_unlinkable (module {fields}) \"unknown import\")");
        check(
            "missing_features",
            &[
                (&module, "skipped", &direct),
                ("(invoke \"f\")", "skipped", &used),
                ("(invoke $S \"f\")", "skipped", &used),
                ("(register \"s\" $S)", "skipped", &used),
                ("(module $U (import \"s\" \"f\" (func)))", "skipped", &used),
                ("(invoke $U \"f\")", "skipped", &used),
                (&unlinkable, "skipped", &direct),
                ("(module (func (export \"g\")))", "passed", ""),
                ("(invoke \"g\")", "passed", ""),
                ("(invoke $S \"f\")", "skipped", &used),
                ("(module (func (result i32)))", "failed", "refused"),
                (
                    "(module (func (drop (i64.mul_wide_s (i64.const 1) (i64.const 1))) (drop)))",
                    "failed",
                    "refused",
                ),
            ],
        );
    }
}

#[test]
fn threads_are_skipped_whole() {
    let script = "(module $M)\n(thread $T (register \"m\") (invoke \"f\"))\n(wait $T)";
    let (output, results) = run("threads", script, &[]);
    let statuses: Vec<_> = results.iter().map(|result| result.2.as_str()).collect();
    assert_eq!(
        statuses,
        ["passed", "skipped", "skipped", "skipped", "skipped"]
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("threads"));
}

#[test]
fn a_hang_ends_at_the_time_limit() {
    let script = "(module (func (export \"f\") (loop $l (br $l))))\n(invoke \"f\")\n(invoke \"f\")";
    let (output, results) = run("hang", script, &["--time-limit", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (results[0].2.as_str(), results[1].2.as_str()),
        ("passed", "failed")
    );
    assert!(
        results[1].3.contains("not done after 1 seconds"),
        "{results:?}"
    );
    assert!(results[2].3.contains("not run"), "{results:?}");
}

#[test]
fn files_that_are_no_scripts_fail() {
    let (output, results) = run("no_script", "(module)\n(assert_nothing)", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((results[0].0, results[0].1.as_str()), (2, "parse"));

    let missing = program().arg("no/such.wast").output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stdout).contains("cannot read no/such.wast"));
    let suite = program().args(["--suite", "no/such"]).output().unwrap();
    assert_eq!(suite.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&suite.stderr).contains("no/such"));
    let filter = program()
        .args(["--filter", "no such file"])
        .output()
        .unwrap();
    assert_eq!(filter.status.code(), Some(1));
}

#[test]
fn every_configuration_is_run() {
    let dir = scratch("configurations");
    let (file, report) = (dir.join("a.wast"), dir.join("report.json"));
    fs::write(&file, "(module)").unwrap();
    let mut command = program();
    command
        .args(["--backend", "all", "--form", "all", "--suite"])
        .arg(&dir);
    let output = command
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2 * teff_runtime::Config::BACKENDS.len());
    assert_eq!(json["suite"], "configurations");
    assert!(runs.iter().all(|run| run["totals"]["passed"] == 1));
}
