//! `teff run`, from outside: output, exit status, messages.

mod common;

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use common::{cat, file, hello, run, run_with_input, scratch, strings, teff};

/// Functions to call with `--invoke`.
const FUNCTIONS: &str = r#"(module
    (memory 1)
    (global $ready (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $ready (i32.const 1)))
    (func (export "ready") (result i32) (global.get $ready))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "long") (param i64) (result i64) (i64.sub (local.get 0) (i64.const 1)))
    (func (export "half") (param f32 f64) (result f32 f64)
        (f32.div (local.get 0) (f32.const 2)) (f64.div (local.get 1) (f64.const 2)))
    (func (export "null") (param externref) (result i32) (ref.is_null (local.get 0)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "forever") (loop $again (br $again)))
    (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
            (else (i32.const 0))))
    (func $inner (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func $outer (export "divide") (param i32) (result i32) (call $inner (local.get 0))))"#;

#[test]
fn output_and_exit_status_are_the_guests() {
    let dir = scratch("output_and_exit_status");
    let wat = file(&dir, "hello.wat", hello("hello, world\n", 0));
    run(teff().arg("run").arg(&wat)).succeeds_with("hello, world\n");
    let binary = file(
        &dir,
        "hello.wasm",
        wat::parse_str(hello("seven\n", 7)).unwrap(),
    );
    let seven = run(teff().arg("run").arg(&binary));
    assert_eq!(
        (seven.status, seven.stdout.as_str()),
        (Some(7), "seven\n"),
        "{seven:?}"
    );
}

#[test]
fn every_backend_and_form_runs() {
    let dir = scratch("every_backend_and_form");
    let wat = file(&dir, "f.wat", FUNCTIONS);
    for backend in ["threaded", "loop"] {
        for form in ["direct", "compact"] {
            let mut command = teff();
            command.args([
                "run",
                "--backend",
                backend,
                "--form",
                form,
                "--invoke",
                "deep",
            ]);
            let result = run(command.arg(&wat).arg("1000"));
            if result.stderr.contains("this build has no") {
                result.is_refused_with(&["backend"]);
            } else {
                result.succeeds_with("1000\n");
            }
        }
    }
}

#[test]
fn every_compilation_mode_runs() {
    let dir = scratch("every_compilation_mode");
    let wat = file(&dir, "f.wat", FUNCTIONS);
    for mode in ["eager", "lazy-translation", "lazy"] {
        for threads in ["0", "1", "4"] {
            let mut command = teff();
            command.args(["run", "--compilation-mode", mode]);
            command.args(["--compilation-threads", threads, "--invoke", "deep"]);
            run(command.arg(&wat).arg("1000")).succeeds_with("1000\n");
        }
    }
}

#[test]
fn a_function_that_is_validated_lazily_fails_when_it_is_called() {
    let dir = scratch("validated_lazily");
    let invalid = file(
        &dir,
        "invalid.wat",
        r#"(module (func (export "good")) (func $bad (export "bad") (drop)))"#,
    );
    let lazy = |name: &str| {
        let mut command = teff();
        command.args(["run", "--compilation-mode", "lazy", "--invoke", name]);
        run(command.arg(&invalid))
    };
    lazy("good").succeeds_with("");
    lazy("bad").is_refused_with(&["function 1 `bad` is invalid", "type mismatch"]);
    run(teff().args(["run", "--invoke", "good"]).arg(&invalid)).is_refused_with(&["type mismatch"]);
    run(teff().arg("validate").arg(&invalid)).is_refused_with(&["type mismatch"]);
}

#[test]
fn closed_standard_streams_are_no_harm() {
    let dir = scratch("closed_streams");
    let wat = file(&dir, "hello.wat", hello("hello, world\n", 3));
    // What is opened instead must not be the module, a directory or anything else that is opened later.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec \"$0\" run --dir . \"$1\" <&- >&- 2>&-"]);
    shell.arg(env!("CARGO_BIN_EXE_teff")).arg(&wat);
    assert_eq!(shell.status().unwrap().code(), Some(3));
}

#[test]
fn a_module_on_standard_input() {
    let text = hello("from a pipe\n", 0);
    run_with_input(teff().args(["run", "-"]), text.as_bytes()).succeeds_with("from a pipe\n");
    let binary = wat::parse_str(&text).unwrap();
    run_with_input(teff().args(["run", "-"]), &binary).succeeds_with("from a pipe\n");
    run_with_input(teff().args(["run", "-"]), b"\x7fELF")
        .is_refused_with(&["neither binary nor text"]);
    run_with_input(teff().args(["run", "-"]), b"").is_refused_with(&["-", "module"]);
}

#[test]
fn arguments_go_to_the_guest() {
    let dir = scratch("arguments");
    file(&dir, "args.wat", strings("args"));
    let mut command = teff();
    command.current_dir(&dir).args([
        "run", "args.wat", "--dir", "", "-x", "--", "--help", "\u{e9}",
    ]);
    run(&mut command).succeeds_with("args.wat\0--dir\0\0-x\0--\0--help\0\u{e9}\0");
}

#[test]
fn standard_input_goes_to_the_guest() {
    let dir = scratch("standard_input");
    let wat = file(&dir, "cat.wat", cat(false));
    let input = "line\n".repeat(5_000);
    run_with_input(teff().arg("run").arg(&wat), input.as_bytes()).succeeds_with(&input);
}

#[test]
fn invoke_calls_one_function() {
    let dir = scratch("invoke");
    let wat = file(&dir, "f.wat", FUNCTIONS);
    let invoke = |args: &[&str]| {
        run(teff()
            .args(["run", "--invoke", args[0]])
            .arg(&wat)
            .args(&args[1..]))
    };
    invoke(&["add", "2", "-5"]).succeeds_with("-3\n");
    invoke(&["add", "0xffffffff", "4294967295"]).succeeds_with("-2\n");
    invoke(&["long", "-9223372036854775807"]).succeeds_with("-9223372036854775808\n");
    invoke(&["half", "1.5", "-inf"]).succeeds_with("0.75\n-inf\n");
    invoke(&["null", "null"]).succeeds_with("1\n");
    invoke(&["ready"]).succeeds_with("1\n");

    invoke(&["add", "1"]).is_refused_with(&["`add` takes 2 arguments (i32, i32)", "1 are given"]);
    invoke(&["add", "1", "x"]).is_refused_with(&["`x` is no i32"]);
    invoke(&["add", "1", "4294967296"]).is_refused_with(&["`4294967296` is no i32"]);
    invoke(&["half", "a", "1"]).is_refused_with(&["`a` is no f32"]);
    invoke(&["sub"]).is_refused_with(&["no function `sub`", "add", "half"]);
}

#[test]
fn traps_have_a_backtrace() {
    let dir = scratch("traps");
    let wat = file(&dir, "f.wat", FUNCTIONS);
    let divide = run(teff()
        .args(["run", "--invoke", "divide"])
        .arg(&wat)
        .arg("0"));
    divide.traps_with(&["integer divide by zero", "wasm backtrace", "inner", "outer"]);
    let inner = divide.stderr.find("inner").unwrap();
    assert!(
        inner < divide.stderr.find("outer").unwrap(),
        "innermost first: {}",
        divide.stderr
    );

    let start = file(
        &dir,
        "start.wat",
        "(module (func $main unreachable) (start $main))",
    );
    run(teff().arg("run").arg(&start)).traps_with(&["unreachable", "main"]);
}

#[test]
fn time_runs_out() {
    let dir = scratch("timeout");
    let wat = file(&dir, "f.wat", FUNCTIONS);
    let run = |options: &[&str], file: &Path| run(teff().arg("run").args(options).arg(file));
    // On a busy machine the time may be over before the guest runs: then it gets more.
    let timed_out = |options: &[&str], file: &Path, part: &str| {
        for time in ["0.05", "500ms", "5s", "1m"] {
            let run = run(&[&["--timeout", time], options].concat(), file);
            assert_eq!(run.status, Some(124), "{run:?}");
            for part in ["teff: timed out", "--timeout"] {
                assert!(run.stderr.contains(part), "`{part}` is not in: {run:?}");
            }
            if run.stderr.contains(part) {
                return;
            }
            let early = "not in the guest's own code";
            assert!(run.stderr.contains(early), "`{part}` is not in: {run:?}");
        }
        panic!("`{part}` is in none of the messages");
    };
    timed_out(&["--invoke", "forever"], &wat, "wasm backtrace");
    let start = "(module (func $main (loop (br 0))) (start $main))";
    let start = file(&dir, "start.wat", start);
    timed_out(&[], &start, "main");
    // In time; the exit status is the guest's.
    let hello = file(&dir, "hello.wat", hello("in time\n", 3));
    let in_time = run(&["--timeout", "1h", "--fuel", "1000000"], &hello);
    assert_eq!(
        (in_time.status, in_time.stdout.as_str()),
        (Some(3), "in time\n"),
        "{in_time:?}"
    );
    // A guest that waits for the system is interrupted as well.
    let sleep = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        ;; One subscription to the monotonic clock, an hour from now.
        (data (i32.const 16) "\01")
        (func (export "_start")
            (i64.store (i32.const 24) (i64.const 3600000000000))
            (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"#;
    let sleep = file(&dir, "sleep.wat", sleep);
    timed_out(&[], &sleep, "wasm backtrace");
    run(&["--timeout", "soon"], &wat).is_refused_with(&["--timeout", "soon"]);
}

#[test]
fn limits_are_kept() {
    let dir = scratch("limits");
    let wat = file(&dir, "f.wat", FUNCTIONS);
    let invoke = |options: &[&str], name: &str, args: &[&str]| {
        run(teff()
            .arg("run")
            .args(options)
            .args(["--invoke", name])
            .arg(&wat)
            .args(args))
    };
    invoke(&["--fuel", "10000"], "forever", &[]).traps_with(&["all fuel consumed", "--fuel"]);
    invoke(&["--fuel", "10000"], "add", &["1", "2"]).succeeds_with("3\n");
    // As many instructions as there are, two of them in `_initialize`.
    invoke(&["--fuel", "5"], "add", &["1", "2"]).succeeds_with("3\n");
    invoke(&["--fuel", "4"], "add", &["1", "2"]).traps_with(&["all fuel consumed"]);

    invoke(&["--max-memory", "128K"], "grow", &["1"]).succeeds_with("1\n");
    invoke(&["--max-memory", "128K"], "grow", &["2"]).succeeds_with("-1\n");
    invoke(&["--max-memory", "1K"], "grow", &["0"]).is_refused_with(&["memory"]);

    invoke(&["--stack", "16K"], "deep", &["100000"])
        .traps_with(&["call stack exhausted", "--stack"]);
    invoke(&["--stack", "64M"], "deep", &["100000"]).succeeds_with("100000\n");
}

#[test]
fn modules_that_cannot_run_say_why() {
    let dir = scratch("cannot_run");
    let refused = |name: &str, content: &[u8], parts: &[&str]| {
        let path = file(&dir, name, content);
        run(teff().arg("run").arg(&path)).is_refused_with(parts);
    };
    refused("empty.wasm", b"", &["empty.wasm"]);
    refused(
        "noise.wasm",
        b"\x01\x02\x03",
        &["noise.wasm", "neither binary nor text"],
    );
    refused("cut.wasm", b"\0asm\x01\0", &["cut.wasm", "is not valid"]);
    refused(
        "bad.wasm",
        b"\0asm\x01\0\0\0\xff\x01\0",
        &["bad.wasm", "is not valid"],
    );
    refused("text.wat", b"(module\n  (funk))", &["text.wat:2:4"]);
    refused("latin.wat", b"(module) ;; \xe9", &["latin.wat"]);
    refused(
        "type.wat",
        b"(module (func (result i32)))",
        &["type.wat", "type mismatch"],
    );
    refused(
        "lib.wat",
        b"(module (func (export \"f\")))",
        &["_start", "--invoke", "it has f"],
    );
    refused("void.wat", b"(module)", &["_start", "no functions"]);
    refused(
        "odd.wat",
        b"(module (func (export \"_start\") (param i32)))",
        &["_start", "parameters"],
    );
    refused(
        "import.wat",
        br#"(module (import "env" "now" (func (param i32) (result i64))))"#,
        &[
            "unknown import",
            "env::now",
            "func (i32) -> (i64)",
            "WASI preview 1",
        ],
    );
    refused(
        "imports.wat",
        br#"(module (import "a" "b" (func)) (import "a" "c" (memory 1)))"#,
        &["a::b", "1 more"],
    );
    refused(
        "wrong.wat",
        br#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64))))"#,
        &["incompatible import type", "proc_exit"],
    );
    run(teff().args(["run", "no/such.wasm"])).is_refused_with(&["no/such.wasm", "No such file"]);
    run(teff().arg("run").arg(&dir)).is_refused_with(&["cannot_run"]);
}

#[test]
fn wrong_options_are_one_line() {
    let refused = |args: &[&str], parts: &[&str]| run(teff().args(args)).is_refused_with(parts);
    refused(
        &["run", "--max-memory", "5X", "a.wasm"],
        &["--max-memory", "5X", "64M"],
    );
    refused(&["run", "--fuel", "much", "a.wasm"], &["--fuel", "much"]);
    refused(
        &["run", "--backend", "jit", "a.wasm"],
        &["--backend", "jit", "threaded"],
    );
    refused(&["run", "--nonsense", "a.wasm"], &["--nonsense"]);
    refused(&["run"], &["FILE"]);
    refused(&["walk"], &["walk"]);
}

#[test]
fn help_teaches() {
    for args in [
        &["--help"][..],
        &["help", "run"],
        &["run", "--help"],
        &["inspect", "--help"],
    ] {
        let help = run(teff().args(args));
        assert_eq!(
            (help.status, help.stderr.as_str()),
            (Some(0), ""),
            "{help:?}"
        );
        assert!(help.stdout.contains("Examples:"), "{}", help.stdout);
    }
    assert_eq!(run(teff().arg("--version")).status, Some(0));
    assert_eq!(run(&mut teff()).status, Some(1));
}

/// As with `yes | head`.
#[test]
fn a_closed_output_ends_quietly() {
    use std::os::unix::process::ExitStatusExt;

    let dir = scratch("closed_output");
    let text = hello("again and again\n", 0)
        .replace(
            "(func (export \"_start\")",
            "(func (export \"_start\") (loop $again",
        )
        .replace("(call $proc_exit (i32.const 0))", "(br $again))");
    let wat = file(&dir, "yes.wat", text);
    let mut command = teff();
    command
        .arg("run")
        .arg(&wat)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut line = [0; 16];
    stdout.read_exact(&mut line).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(&line, b"again and again\n");
    assert_eq!(output.status.signal(), Some(libc::SIGPIPE), "{output:?}");
    assert_eq!(output.stderr, b"");
}

#[test]
fn pages_of_one_byte_must_be_allowed() {
    let dir = scratch("custom_page_sizes");
    let text = r#"(module (memory 3 (pagesize 1))
        (func (export "size") (result i32) (memory.grow (i32.const 4)) (drop) (memory.size)))"#;
    let wat = file(&dir, "small.wat", text);
    let run = |options: &[&str]| {
        run(teff()
            .args(["run", "--invoke", "size"])
            .args(options)
            .arg(&wat))
    };
    run(&["--custom-page-sizes"]).succeeds_with("7\n");
    run(&[]).is_refused_with(&["small.wat", "custom"]);
}
