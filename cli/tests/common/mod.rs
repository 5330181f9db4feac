//! What the tests of the program share: scratch files, guests, and running.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory for one test, empty.
pub(crate) fn scratch(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Writes a file and gives its path.
pub(crate) fn file(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The program, without anybody's standard input.
pub(crate) fn teff() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teff"));
    command.stdin(Stdio::null());
    command
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs to the end.
pub(crate) fn run(command: &mut Command) -> Run {
    command.output().unwrap().into()
}

/// Runs to the end with something on standard input.
pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

impl Run {
    /// It ended with status 0 and nothing on standard error.
    #[track_caller]
    pub(crate) fn succeeds_with(&self, stdout: &str) {
        assert_eq!(
            (self.status, self.stderr.as_str()),
            (Some(0), ""),
            "{self:?}"
        );
        assert_eq!(self.stdout, stdout);
    }

    /// teff itself refused: status 1, and one line that contains all of `parts`.
    #[track_caller]
    pub(crate) fn is_refused_with(&self, parts: &[&str]) {
        assert_eq!(self.status, Some(1), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("teff: "), "{self:?}");
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "`{part}` is not in: {}",
                self.stderr
            );
        }
    }

    /// The guest trapped: status 134, and all of `parts` on standard error.
    #[track_caller]
    pub(crate) fn traps_with(&self, parts: &[&str]) {
        assert_eq!(self.status, Some(134), "{self:?}");
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "`{part}` is not in: {}",
                self.stderr
            );
        }
    }
}

/// A guest that writes `text` to standard output and ends with `status`.
pub(crate) fn hello(text: &str, status: i32) -> String {
    let length = text.len();
    let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00")
            (data (i32.const 16) "{bytes}")
            (func (export "_start")
                (i32.store (i32.const 4) (i32.const {length}))
                (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
                    (then (unreachable)))
                (call $proc_exit (i32.const {status}))))"#
    )
}

/// A guest that writes its arguments or its environment (`what`), each ended by a zero byte.
pub(crate) fn strings(what: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "{what}_get"
                (func $get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "{what}_sizes_get"
                (func $sizes_get (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "_start")
                (if (call $sizes_get (i32.const 0) (i32.const 12)) (then (unreachable)))
                (if (call $get (i32.const 1024) (i32.const 4096)) (then (unreachable)))
                (i32.store (i32.const 8) (i32.const 4096))
                (if (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))
                    (then (unreachable)))))"#
    )
}

/// A guest that copies standard input, or the file `notes.txt` in its first directory, to its output.
pub(crate) fn cat(open_notes: bool) -> String {
    let open = r#"
        (if (call $path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 9) (i32.const 0)
                (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32))
            (then (call $proc_exit (i32.const 40))))
        (global.set $from (i32.load (i32.const 32)))"#;
    let open = if open_notes { open } else { "" };
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read"
                (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_open"
                (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 64) "notes.txt")
            (global $from (mut i32) (i32.const 0))
            (func (export "_start")
                {open}
                (loop $again
                    (i32.store (i32.const 0) (i32.const 1024))
                    (i32.store (i32.const 4) (i32.const 4096))
                    (if (call $fd_read (global.get $from) (i32.const 0) (i32.const 1) (i32.const 4))
                        (then (call $proc_exit (i32.const 41))))
                    (if (i32.eqz (i32.load (i32.const 4))) (then (return)))
                    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
                        (then (call $proc_exit (i32.const 42))))
                    (br $again))))"#
    )
}
