//! What `teff run` grants, withholds and limits; and the messages that name the option which would have helped.

mod common;

use common::{Run, cat, file, hello, run, run_with_input, scratch, strings, teff};

/// A guest that opens `x` for writing in its first directory and exits with the error.
const OPENS: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "x")
    (func (export "_start")
        (call $proc_exit (call $path_open
            (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1)
            (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 8)))))"#;

/// A guest that calls a function with these arguments and exits with the error.
fn calls(import: &str, params: &str, args: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "{import}" (func $f (param {params}) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (call $proc_exit (call $f {args}))))"#
    )
}

#[test]
fn environment_is_what_is_given() {
    let dir = scratch("environment");
    let wat = file(&dir, "env.wat", strings("environ"));
    run(teff().arg("run").arg(&wat)).succeeds_with("");
    let mut command = teff();
    command
        .env("TEFF_TEST_HERE", "x=y")
        .args(["run", "--env", "A=1", "--env", "TEFF_TEST_HERE"]);
    run(command.args(["--env", "B="]).arg(&wat)).succeeds_with("A=1\0TEFF_TEST_HERE=x=y\0B=\0");
    let unset = run(teff().args(["run", "--env", "TEFF_TEST_UNSET"]).arg(&wat));
    unset.is_refused_with(&["--env", "TEFF_TEST_UNSET"]);
    run(teff().args(["run", "--env", "=1"]).arg(&wat)).is_refused_with(&["--env"]);
}

#[test]
fn directories_are_seen_if_given() {
    let dir = scratch("directories");
    let wat = file(&dir, "cat.wat", cat(true));
    file(&dir, "notes.txt", "a note\n");
    run(teff().arg("run").arg("--dir").arg(&dir).arg(&wat)).succeeds_with("a note\n");
    let renamed = format!("{}::/elsewhere", dir.display());
    run(teff().args(["run", "--dir", &renamed]).arg(&wat)).succeeds_with("a note\n");
    let none = run(teff().arg("run").arg(&wat));
    assert_eq!(none.status, Some(40), "{none:?}");

    let missing = run(teff().args(["run", "--dir", "no/such/dir"]).arg(&wat));
    missing.is_refused_with(&["--dir", "no/such/dir", "does not exist"]);
    let no_dir = run(teff().arg("run").arg("--dir").arg(&wat).arg(&wat));
    no_dir.is_refused_with(&["--dir", "cat.wat", "is no directory"]);
    run(teff().args(["run", "--dir", "::x"]).arg(&wat)).is_refused_with(&["--dir", "HOST::GUEST"]);
}

#[test]
fn standard_streams_can_be_withheld() {
    let dir = scratch("no_stdio");
    let loud = file(&dir, "loud.wat", hello("unheard\n", 0));
    run(teff().args(["run", "--no-stdio"]).arg(&loud)).succeeds_with("");
    let loud = file(&dir, "fails.wat", hello("unheard\n", 3));
    let fails = run(teff().args(["run", "--no-stdio"]).arg(&loud));
    assert_eq!(
        (fails.status, fails.stdout.as_str()),
        (Some(3), ""),
        "{fails:?}"
    );
    assert!(fails.stderr.contains("--no-stdio"), "{fails:?}");
    // Its input is at its end at once.
    let cat = file(&dir, "cat.wat", cat(false));
    run_with_input(teff().args(["run", "--no-stdio"]).arg(&cat), b"unseen").succeeds_with("");
}

#[test]
fn clocks_and_randomness_can_be_withheld() {
    let dir = scratch("withheld");
    let zero = "(i32.const 0)";
    let clock = calls(
        "clock_time_get",
        "i32 i64 i32",
        "(i32.const 1) (i64.const 0) (i32.const 0)",
    );
    let clock = file(&dir, "clock.wat", clock);
    let random = calls("random_get", "i32 i32", &zero.repeat(2));
    let random = file(&dir, "random.wat", random);
    for (option, wat) in [("--no-clocks", &clock), ("--no-random", &random)] {
        run(teff().arg("run").arg(wat)).succeeds_with("");
        let refused = run(teff().args(["run", option]).arg(wat));
        assert_eq!(refused.status, Some(76), "{refused:?}");
        assert!(refused.stderr.contains(option), "{refused:?}");
    }
    run(teff().args(["run", "--monotonic-raw"]).arg(&clock)).succeeds_with("");
}

#[test]
fn the_device_is_told_of() {
    let dir = scratch("device");
    let text = r#"(module
        (import "device" "get" (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "DEVICE_UUID")
        (func (export "_start")
            (drop (call $get (i32.const 0) (i32.const 11) (i32.const 64) (i32.const 32) (i32.const 20)))
            (i32.store (i32.const 16) (i32.const 64))
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#;
    let wat = file(&dir, "device.wat", text);
    run(teff()
        .args(["run", "--device", "DEVICE_UUID=7f3a"])
        .arg(&wat))
    .succeeds_with("7f3a");
    run(teff().arg("run").arg(&wat)).is_refused_with(&["device::get", "--device"]);
    run(teff().args(["run", "--device", "x"]).arg(&wat))
        .is_refused_with(&["--device", "KEY=VALUE"]);
}

/// Every limit has an option, and beyond it the message names that.
#[test]
fn limits_of_the_host_name_their_option() {
    let dir = scratch("host_limits");
    let data = dir.join("data");
    std::fs::create_dir(&data).unwrap();
    let data = data.to_str().unwrap();
    // Two subscriptions to the realtime clock, at once.
    let args = "(i32.const 0) (i32.const 256) (i32.const 2) (i32.const 512)";
    let poll = file(
        &dir,
        "poll.wat",
        calls("poll_oneoff", "i32 i32 i32 i32", args),
    );
    // One for an hour from now, as nobody can store 64 bits in an argument: the data has it.
    let sleep = calls(
        "poll_oneoff",
        "i32 i32 i32 i32",
        &args.replacen("const 2)", "const 1)", 1),
    )
    .replace(
        "(func (export",
        r#"(data (i32.const 16) "\01") (data (i32.const 28) "\00\10\00\00") (func (export"#,
    );
    let sleep = file(&dir, "sleep.wat", sleep);
    let create = file(&dir, "create.wat", OPENS);
    let write = file(&dir, "write.wat", hello("more than three\n", 0));
    for (options, limit, guest, status) in [
        (&[][..], ["--max-subscriptions", "1"], &poll, 28),
        (&[], ["--max-wait", "10ms"], &sleep, 73),
        (&["--dir", data], ["--max-fds", "4"], &create, 33),
        (&["--dir", data], ["--max-entries", "0"], &create, 19),
    ] {
        let refused = run(teff().arg("run").args(options).args(limit).arg(guest));
        assert_eq!(refused.status, Some(status), "{refused:?}");
        let named = format!("{} sets it", limit[0]);
        assert!(refused.stderr.contains(&named), "{named}: {refused:?}");
    }
    run(teff().args(["run", "--max-subscriptions", "2"]).arg(&poll)).succeeds_with("");
    // As much as is allowed is written.
    let cut = run(teff()
        .args(["run", "--max-written", "4", "--audit"])
        .arg(&write));
    assert_eq!(cut.stdout, "more", "{cut:?}");
    let more = run(teff().args(["run", "--max-written", "0"]).arg(&write));
    assert_eq!(more.status, Some(134), "{more:?}");
    assert!(more.stderr.contains("--max-written sets it"), "{more:?}");
    run(teff()
        .args(["run", "--max-subscriptions", "all"])
        .arg(&poll))
    .is_refused_with(&["--max-subscriptions", "all"]);
}

#[test]
fn what_was_refused_names_the_option_that_grants_it() {
    let dir = scratch("refused");
    let data = dir.join("data");
    std::fs::create_dir(&data).unwrap();
    let wat = file(&dir, "open.wat", OPENS);
    let run = |options: &[&str]| run(teff().arg("run").args(options).arg(&wat));
    let data = data.to_str().unwrap();
    let has = |run: Run, status: u16, parts: &[&str]| {
        assert_eq!(run.status, Some(i32::from(status)), "{run:?}");
        for part in parts {
            assert!(
                run.stderr.contains(part),
                "`{part}` is not in: {}",
                run.stderr
            );
        }
    };
    has(run(&[]), 8, &["had no directory (--dir", "--dir-ro"]);
    has(
        run(&["--dir-ro", data]),
        63,
        &["refused path_open", "--dir in place of --dir-ro"],
    );
    let limited = ["--dir", data, "--max-entries", "0", "--audit"];
    has(
        run(&limited),
        19,
        &["refused: path_open", "--max-entries", "refused 1 times"],
    );
    has(run(&["--dir", data, "--max-fds", "4"]), 33, &["--max-fds"]);
    run(&["--dir", data]).succeeds_with("");
    has(
        run(&["--dir", data, "--audit"]),
        0,
        &["nothing was refused"],
    );
    has(
        run(&["--dir-ro", "no/such"]),
        1,
        &["--dir-ro", "no/such", "does not exist"],
    );
    has(
        run(&["--tcp-listen", "nonsense"]),
        1,
        &["--tcp-listen nonsense", "cannot listen"],
    );
}

/// What was never granted is never asked for; but a guest that failed may have needed it.
#[test]
fn what_was_not_granted_is_named_if_the_guest_fails() {
    let dir = scratch("not_granted");
    let fails = |import: &str, params: &str, args: &str, option: &[&str]| {
        let wat = file(&dir, "fails.wat", calls(import, params, args));
        let run = run(teff().arg("run").args(option).arg(&wat));
        assert_ne!(run.status, Some(0), "{run:?}");
        run.stderr
    };
    // The places are outside of the memory, so that the calls fail.
    let environ = |option: &[&str]| {
        let args = "(i32.const -1) (i32.const -1)";
        fails("environ_get", "i32 i32", args, option)
    };
    assert!(environ(&[]).contains("no environment (--env K=V)"));
    assert_eq!(environ(&["--env", "A=1"]), "");
    let accept = |option: &[&str]| {
        let args = "(i32.const 3) (i32.const 0) (i32.const -1)";
        fails("sock_accept", "i32 i32 i32", args, option)
    };
    assert!(accept(&[]).contains("no socket (--tcp-listen ADDRESS:PORT)"));
    assert!(!accept(&["--tcp-listen", "127.0.0.1:0"]).contains("--tcp-listen"));
}
