//! Runs the example guests with the `teff` binary, in every backend of the build, and compares stdout, stderr, exit
//! status and the files they leave, byte for byte, with `examples/expected/`.
//!
//! The expected files are what Wasmtime printed: `.ci/oracle.sh` checks that they still are, `.ci/oracle.sh --bless`
//! writes them. Knows only the command line of `teff` and the names of the backends.
//!
//! `TEFF_GUESTS_TEFF` replaces the binary under test, for example by `qemu-arm-static PATH/teff`.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use teff_runtime::{Backend, Config};

/// One run of a guest.
struct Case {
    /// The names of the expected files; up to the first `-`, the group that the tests below select.
    name: &'static str,
    /// The modules, in `examples/`, that must all behave so.
    guests: &'static [&'static str],
    args: &'static [&'static str],
    env: &'static [&'static str],
    dirs: &'static [Dir],
    /// A file in `examples/` that becomes stdin. Without it stdin is empty.
    stdin: Option<&'static str>,
    status: i32,
    /// Files that the guest must have left in its scratch directory, with their contents: exactly these.
    leaves: &'static [(&'static str, &'static str)],
}

/// A directory lent to a guest; the last name is the guest's.
enum Dir {
    /// A directory below `examples/data`, which ships with the guests.
    Data(&'static str, &'static str),
    /// A fresh, empty directory.
    Scratch(&'static str),
}

const CASE: Case = Case {
    name: "",
    guests: &[],
    args: &[],
    env: &[],
    dirs: &[],
    stdin: None,
    status: 0,
    leaves: &[],
};

const DATA: &[Dir] = &[Dir::Data("", "/data")];
const WORDCOUNT: &[&str] = &["wordcount-c", "wordcount-rust"];
const GOTOUR: Case = Case {
    guests: &["gotour"],
    ..CASE
};

const CASES: &[Case] = &[
    Case {
        name: "hello",
        guests: &["hello"],
        ..CASE
    },
    Case {
        name: "hello-guests",
        guests: &["hello"],
        args: &["Ada", "Grace Hopper", ""],
        env: &["LANG=en", "EMPTY="],
        dirs: &[Dir::Data("garden", "/shelf"), Dir::Scratch("desk")],
        ..CASE
    },
    Case {
        name: "hello-rust",
        guests: &["hello-rust"],
        ..CASE
    },
    Case {
        name: "hello-rust-guests",
        guests: &["hello-rust"],
        args: &["Ada", "Grace Hopper", "Alan"],
        env: &["LANG=rw", "EMPTY="],
        ..CASE
    },
    Case {
        name: "wordcount-letter",
        guests: WORDCOUNT,
        args: &["/data/letter.txt"],
        dirs: DATA,
        ..CASE
    },
    Case {
        name: "wordcount-stdin",
        guests: WORDCOUNT,
        stdin: Some("data/letter.txt"),
        ..CASE
    },
    Case {
        name: "wordcount-nothing",
        guests: WORDCOUNT,
        ..CASE
    },
    Case {
        name: "wordcount-many",
        guests: WORDCOUNT,
        args: &[
            "/data/letter.txt",
            "/beds/south.txt",
            "/data/garden/beds/../herbs.txt",
            "/beds/west.txt",
            "trees.txt",
        ],
        dirs: &[
            Dir::Data("", "/data"),
            Dir::Data("garden/beds", "/beds"),
            Dir::Data("garden", "."),
        ],
        ..CASE
    },
    Case {
        name: "wordcount-missing",
        guests: &["wordcount-c"],
        args: &["/data/letter.txt", "/data/nothing.txt", "nowhere"],
        dirs: DATA,
        status: 1,
        ..CASE
    },
    Case {
        name: "wordcount-directories",
        guests: &["wordcount-rust"],
        args: &[
            "/data/garden/beds",
            "/data/garden",
            "/data/nothing",
            "/beds/../herbs.txt",
        ],
        dirs: &[Dir::Data("", "/data"), Dir::Data("garden/beds", "/beds")],
        status: 1,
        ..CASE
    },
    Case {
        name: "kernels",
        guests: &["kernels"],
        ..CASE
    },
    Case {
        name: "kernels-sha256",
        guests: &["kernels"],
        args: &["sha256", "3"],
        ..CASE
    },
    Case {
        name: "kernels-usage",
        guests: &["kernels"],
        args: &["fib"],
        status: 2,
        ..CASE
    },
    Case {
        name: "notebook",
        guests: &["notebook"],
        ..CASE
    },
    Case {
        name: "notebook-notes",
        guests: &["notebook"],
        args: &[
            "milk",
            "bread",
            "three lemons, a thyme and a very long note that does not fit into the reading buffer",
        ],
        dirs: &[Dir::Scratch("/notes")],
        leaves: &[(
            "book.txt",
            "* milk\n* bread\n* three lemons, a thyme and a very long note that does not fit into the reading buffer\n",
        )],
        ..CASE
    },
    Case {
        name: "gotour",
        ..GOTOUR
    },
    Case {
        name: "gotour-hello",
        args: &["hello", "Ada", "Bob"],
        env: &["GREETING=Good day"],
        ..GOTOUR
    },
    Case {
        name: "gotour-shout",
        args: &["shout"],
        stdin: Some("data/letter.txt"),
        ..GOTOUR
    },
    Case {
        name: "gotour-goroutines",
        args: &["goroutines"],
        ..GOTOUR
    },
    Case {
        name: "gotour-collections",
        args: &["collections"],
        ..GOTOUR
    },
    Case {
        name: "gotour-json",
        args: &["json"],
        ..GOTOUR
    },
    Case {
        name: "gotour-json-stdin",
        args: &["json", "-"],
        stdin: Some("data/stock.json"),
        ..GOTOUR
    },
    Case {
        name: "gotour-gc",
        args: &["gc"],
        ..GOTOUR
    },
    Case {
        name: "gotour-sleep",
        args: &["sleep"],
        ..GOTOUR
    },
    Case {
        name: "gotour-walk",
        args: &["walk", "/data"],
        dirs: DATA,
        ..GOTOUR
    },
    Case {
        name: "gotour-files",
        args: &["files", "/box"],
        dirs: &[Dir::Scratch("/box")],
        leaves: &[("archive.txt", "a new line\n")],
        ..GOTOUR
    },
    Case {
        name: "gotour-errors",
        args: &["errors"],
        ..GOTOUR
    },
    Case {
        name: "gotour-exit",
        args: &["exit", "7"],
        status: 7,
        ..GOTOUR
    },
    Case {
        name: "gotour-panic",
        args: &["panic"],
        status: 2,
        ..GOTOUR
    },
    Case {
        name: "gotour-deadlock",
        args: &["deadlock"],
        status: 2,
        ..GOTOUR
    },
    Case {
        name: "gotour-unknown",
        args: &["nothing"],
        status: 1,
        ..GOTOUR
    },
];

/// A test for each group and way to run it, so that they run side by side and a failure says where it stands.
macro_rules! groups {
    ($($group:ident)*) => {
        const GROUPS: &[&str] = &[$(stringify!($group)),*];

        mod threaded_backend {
            $(#[test] fn $group() { super::run_group(stringify!($group), "--backend=threaded", Some(super::Backend::Threaded)); })*
        }

        mod loop_backend {
            $(#[test] fn $group() { super::run_group(stringify!($group), "--backend=loop", Some(super::Backend::Loop)); })*
        }

        mod compact_form {
            $(#[test] fn $group() { super::run_group(stringify!($group), "--form=compact", None); })*
        }
    };
}

groups! { hello wordcount kernels notebook gotour }

#[test]
fn every_case_is_in_a_group_and_every_expected_file_in_a_case() {
    for case in CASES {
        assert!(
            GROUPS.contains(&case.group()),
            "no test runs the case {}",
            case.name
        );
    }
    for entry in fs::read_dir(examples().join("expected")).expect("examples/expected can be listed")
    {
        let path = entry.expect("an entry of examples/expected").path();
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        assert!(
            CASES.iter().any(|case| case.name == stem),
            "{} belongs to no case",
            path.display()
        );
    }
}

/// The expected files against Wasmtime: the command is in `TEFF_ORACLE`, and `TEFF_BLESS` writes them anew.
#[test]
#[ignore = "needs Wasmtime: see .ci/oracle.sh"]
fn oracle() {
    let engine = Engine {
        command: vec![env::var_os("TEFF_ORACLE").expect("TEFF_ORACLE names the wasmtime command")],
        // Go programs need more than Wasmtime's default stack.
        option: "-Wmax-wasm-stack=8388608",
        bless: env::var_os("TEFF_BLESS").is_some(),
    };
    engine.run(CASES.iter());
}

/// Runs the cases of a group with an option of `teff`, if this build has the backend that the option asks for.
fn run_group(group: &str, option: &'static str, backend: Option<Backend>) {
    if let Some(backend) = backend
        && !Config::BACKENDS.contains(&backend)
    {
        eprintln!("skipped: this build has no {backend:?} backend");
        return;
    }
    let command = match env::var("TEFF_GUESTS_TEFF") {
        Ok(words) => words.split_whitespace().map(OsString::from).collect(),
        Err(_) => vec![env!("CARGO_BIN_EXE_teff").into()],
    };
    let engine = Engine {
        command,
        option,
        bless: false,
    };
    engine.run(CASES.iter().filter(|case| case.group() == group));
}

/// A runtime whose command line is `COMMAND run OPTION [--dir HOST::GUEST] [--env K=V] FILE ARGS`.
struct Engine {
    command: Vec<OsString>,
    option: &'static str,
    /// Write the expected files instead of comparing with them.
    bless: bool,
}

/// What a run gave.
struct Outcome {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// `None` if a signal ended the process.
    status: Option<i32>,
}

impl Case {
    fn group(&self) -> &'static str {
        self.name.split('-').next().unwrap_or(self.name)
    }

    fn expected(&self, stream: &str) -> PathBuf {
        examples()
            .join("expected")
            .join(format!("{}.{stream}", self.name))
    }
}

impl Engine {
    fn run<'a>(&self, cases: impl Iterator<Item = &'a Case>) {
        let mut failures = Vec::new();
        for case in cases {
            for guest in case.guests {
                let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"))
                    .join(format!("guest{}-{}-{guest}", self.option, case.name));
                let _ = fs::remove_dir_all(&scratch);
                fs::create_dir_all(&scratch).expect("the scratch directory can be made");

                let mut wrong = match self.outcome(case, guest, &scratch) {
                    Ok(outcome) => self.judge(case, &outcome),
                    Err(message) => vec![message],
                };
                wrong.extend(check_leaves(case, &scratch));
                failures.extend(wrong.into_iter().map(|what| {
                    format!("{guest}.wasm, case {}, {}: {what}", case.name, self.option)
                }));
                let _ = fs::remove_dir_all(&scratch);
            }
        }
        assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
    }

    fn outcome(&self, case: &Case, guest: &str, scratch: &Path) -> Result<Outcome, String> {
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .arg("run")
            .arg(self.option)
            .current_dir(examples());
        for dir in case.dirs {
            let (host, guest) = match dir {
                Dir::Data(below, guest) => (Path::new("data").join(below), guest),
                Dir::Scratch(guest) => (scratch.to_owned(), guest),
            };
            command
                .arg("--dir")
                .arg(format!("{}::{guest}", host.display()));
        }
        for pair in case.env {
            command.args(["--env", pair]);
        }
        command.arg(format!("{guest}.wasm")).args(case.args);
        // The environment of the host is none of the guest's business.
        command.env("GREETING", "a leak");

        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("{command:?} does not start: {error}"))?;
        let input = match case.stdin {
            Some(file) => {
                fs::read(examples().join(file)).map_err(|error| format!("{file}: {error}"))?
            }
            None => Vec::new(),
        };
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        // A guest need not read its stdin, so a closed pipe is no failure.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = collect(child.stdout.take().expect("stdout is a pipe"));
        let stderr = collect(child.stderr.take().expect("stderr is a pipe"));
        let status = wait(&mut child)?;
        writer.join().expect("the writer does not panic");
        Ok(Outcome {
            stdout: stdout.join().expect("stdout is read"),
            stderr: stderr.join().expect("stderr is read"),
            status,
        })
    }

    fn judge(&self, case: &Case, outcome: &Outcome) -> Vec<String> {
        let mut wrong = Vec::new();
        if outcome.status != Some(case.status) {
            let how = outcome
                .status
                .map_or("killed by a signal".to_owned(), |status| {
                    format!("exit status {status}")
                });
            wrong.push(format!(
                "{how} instead of {}\n{}",
                case.status,
                String::from_utf8_lossy(&outcome.stderr)
            ));
        }
        let stderr = without_hints(&outcome.stderr);
        for (stream, got) in [("stdout", &outcome.stdout), ("stderr", &stderr)] {
            let path = case.expected(stream);
            if self.bless {
                // A stream without output has no file.
                let _ = fs::remove_file(&path);
                if !got.is_empty() {
                    fs::write(&path, got).expect("the expected file can be written");
                }
            }
            let expected = if path.exists() {
                fs::read(&path).expect("the expected file can be read")
            } else {
                Vec::new()
            };
            wrong
                .extend(difference(&expected, got).map(|what| format!("{stream} differs: {what}")));
        }
        wrong
    }
}

/// What the guest itself wrote: without teff's hints at what a guest that failed was not granted.
fn without_hints(stderr: &[u8]) -> Vec<u8> {
    let is_hint = |line: &&[u8]| {
        line.starts_with(b"teff: the guest had no ")
            || line.starts_with(b"teff: the guest was refused ")
    };
    let lines = stderr.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !is_hint(line))
        .collect::<Vec<_>>()
        .concat()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn collect(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for the end of a guest, which may take long under an emulator, but not for ever.
fn wait(child: &mut Child) -> Result<Option<i32>, String> {
    const LIMIT: Duration = Duration::from_secs(300);
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status.code());
        }
        if start.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("still running after {} s, killed", LIMIT.as_secs()));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The first line in which two outputs differ.
fn difference(expected: &[u8], got: &[u8]) -> Option<String> {
    if expected == got {
        return None;
    }
    let mut lines = expected
        .split_inclusive(|&byte| byte == b'\n')
        .zip(got.split_inclusive(|&byte| byte == b'\n'));
    let same = lines
        .by_ref()
        .take_while(|(one, other)| one == other)
        .count();
    let line = |text: &[u8]| match text.split_inclusive(|&byte| byte == b'\n').nth(same) {
        Some(line) => format!("{:?}", String::from_utf8_lossy(line)),
        None => "nothing more".to_owned(),
    };
    Some(format!(
        "line {}\n  expected {}\n  got      {}",
        same + 1,
        line(expected),
        line(got)
    ))
}

/// What is wrong with the files in a scratch directory.
fn check_leaves(case: &Case, scratch: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, expected) in case.leaves {
        match fs::read(scratch.join(name)) {
            Ok(got) => wrong.extend(
                difference(expected.as_bytes(), &got)
                    .map(|what| format!("the file {name} it left differs: {what}")),
            ),
            Err(error) => wrong.push(format!("the file {name} it should leave: {error}")),
        }
    }
    let entries = fs::read_dir(scratch).map(|entries| entries.filter_map(|entry| entry.ok()));
    for entry in entries.into_iter().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !case.leaves.iter().any(|(expected, _)| *expected == name) {
            wrong.push(format!("it left {name}, which it should not"));
        }
    }
    wrong
}
