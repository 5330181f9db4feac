//! Runs a package's test program, with what Go's own wrapper for wasip1 gives it: the whole file system, the
//! package's directory as the current one, and a few variables.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, End};
use crate::program::Program;
use crate::scratch::Scratch;

use super::output::Output;

/// The Wasm stack that Go's programs get: what Go's wrapper gives Wasmtime.
const STACK: usize = 8 << 20;

/// What runs test programs.
#[derive(Clone, Debug)]
pub enum Runtime {
    /// The command `teff`, with a value for its option `--backend`.
    Teff(Program, Option<String>),
    /// The command `wasmtime`, which teff is compared with.
    Wasmtime(Program),
}

/// Why a package failed besides its tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// How the program ended, with the end of what it printed.
    Ended(String),
    /// It could not be run.
    NotRun(String),
}

/// What came of a package.
#[derive(Clone, Debug)]
pub struct PackageRun {
    /// Its import path.
    pub package: String,
    /// Its tests.
    pub output: Output,
    /// All that the program printed.
    pub text: String,
    /// Where that is kept.
    pub log: PathBuf,
    /// How long it took.
    pub seconds: f64,
    /// What was wrong besides tests.
    pub problem: Option<Problem>,
}

impl Runtime {
    /// Its name, for tables and file names.
    pub fn name(&self) -> String {
        match self {
            Self::Teff(_, None) => "teff".into(),
            Self::Teff(_, Some(backend)) => format!("teff-{backend}"),
            Self::Wasmtime(_) => "wasmtime".into(),
        }
    }

    /// What it says of its version.
    pub fn version(&self) -> Result<String, String> {
        let (Self::Teff(program, _) | Self::Wasmtime(program)) = self;
        program.version()
    }

    /// The command line up to the guest's environment.
    fn command(&self) -> Command {
        let (Self::Teff(program, _) | Self::Wasmtime(program)) = self;
        let mut command = program.command();
        command.arg("run");
        match self {
            Self::Teff(_, backend) => {
                command.args(["--stack", &STACK.to_string()]);
                if let Some(backend) = backend {
                    command.args(["--backend", backend]);
                }
            }
            Self::Wasmtime(_) => {
                command.args(["-W", &format!("max-wasm-stack={STACK}")]);
            }
        }
        command.args(["--dir", "/"]);
        command
    }
}

/// Runs `program`, the tests of `package`, in `dir`; what it prints is kept in the directory `logs`.
pub fn run(
    runtime: &Runtime,
    package: &str,
    program: &Path,
    dir: &Path,
    filter: Option<&str>,
    logs: &Path,
    limit: Duration,
) -> PackageRun {
    let name = format!("{}.{}.txt", package.replace('/', "_"), runtime.name());
    let mut run = PackageRun {
        package: package.into(),
        output: Output::default(),
        text: String::new(),
        log: logs.join(name),
        seconds: 0.0,
        problem: None,
    };
    match start(runtime, program, dir, filter, limit) {
        Ok(done) => {
            run.text = String::from_utf8_lossy(&done.stdout).into_owned();
            run.output = Output::parse(&run.text);
            run.seconds = done.seconds;
            run.problem = problem(done.end, &run.output, &run.text);
            if let Err(e) = fs::create_dir_all(logs).and_then(|()| fs::write(&run.log, &run.text)) {
                run.problem = Some(Problem::NotRun(format!(
                    "cannot write {}: {e}",
                    run.log.display()
                )));
            }
        }
        Err(e) => {
            run.problem = Some(Problem::NotRun(format!(
                "cannot run {}: {e}",
                runtime.name()
            )))
        }
    }
    run
}

fn start(
    runtime: &Runtime,
    program: &Path,
    dir: &Path,
    filter: Option<&str>,
    limit: Duration,
) -> io::Result<process::Finished> {
    let scratch = Scratch::new()?;
    let mut command = runtime.command();
    let variables = [
        ("PWD", dir.into()),
        ("PATH", env::var_os("PATH").unwrap_or_default()),
        ("HOME", scratch.path().into()),
        ("TMPDIR", OsString::from(scratch.path())),
    ];
    for (name, value) in variables {
        let mut assignment = OsString::from(name);
        assignment.push("=");
        assignment.push(value);
        command.arg("--env").arg(assignment);
    }
    command.arg(program).args(["-test.short", "-test.v"]);
    if let Some(filter) = filter {
        command.arg(format!("-test.run={filter}"));
    }
    command.current_dir(dir);
    process::run_merged(command, limit)
}

/// A program that says that it passed, and none of whose tests say otherwise, has no problem; nor has one that failed
/// as Go's programs do, because some of its tests did.
fn problem(end: End, output: &Output, text: &str) -> Option<Problem> {
    let failed = output.bad().next().is_some();
    let unfinished = output.count(super::Outcome::Unfinished) > 0;
    if end.is(0) && output.passed && !failed || end.is(1) && failed && !unfinished {
        return None;
    }
    let last: Vec<&str> = text.lines().rev().take(15).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    let how = match end {
        end if end.is(0) && !output.passed => "it ended without the line PASS".to_string(),
        end => end.to_string(),
    };
    Some(Problem::Ended(format!("{how}\n{}", last.join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A package's run by a script that gets teff's command line.
    fn run_script(script: &str, backend: Option<&str>) -> PackageRun {
        let scratch = Scratch::new().unwrap();
        let teff = scratch.path().join("teff");
        fs::write(&teff, script).unwrap();
        fs::set_permissions(&teff, PermissionsExt::from_mode(0o755)).unwrap();
        let program = Program::named(&format!("sh {}", teff.display()));
        let runtime = Runtime::Teff(program, backend.map(str::to_string));
        let dir = scratch.path();
        let logs = dir.join("logs");
        let limit = Duration::from_secs(if script.contains("sleep") { 2 } else { 60 });
        let run = run(
            &runtime,
            "io/fs",
            &dir.join("p.wasm"),
            dir,
            Some("^TestA$"),
            &logs,
            limit,
        );
        assert_eq!(
            fs::read_to_string(logs.join(run.log.file_name().unwrap())).unwrap(),
            run.text
        );
        run
    }

    #[test]
    fn the_command_line_is_that_of_gos_wrapper() {
        let script = r#"for a in "$@"; do printf '%s ' "${a##*/}"; done; echo; pwd"#;
        let run = run_script(script, Some("loop"));
        let (line, pwd) = run.text.split_once('\n').unwrap();
        let begin = "run --stack 8388608 --backend loop --dir  --env teff-spec-tests-";
        assert!(line.starts_with(begin), "{line}");
        assert!(
            line.ends_with("p.wasm -test.short -test.v -test.run=^TestA$ "),
            "{line}"
        );
        assert!(pwd.contains("teff-spec-tests-"), "{pwd}");
        assert!(run.log.ends_with("io_fs.teff-loop.txt"));
    }

    #[test]
    fn a_program_that_passes_must_say_so() {
        let passed = "echo '=== RUN   TestA'; echo '--- PASS: TestA (0.00s)'; ";
        let problem = |script: &str| run_script(&format!("{passed}{script}"), None).problem;
        let ended = |script: &str| match problem(script) {
            Some(Problem::Ended(how)) => how,
            other => panic!("{other:?}"),
        };
        assert_eq!(problem("echo PASS"), None);
        let fails = "echo '=== RUN   TestB'; echo '--- FAIL: TestB (0.00s)'; echo FAIL; ";
        assert_eq!(problem(&format!("{fails} exit 1")), None);
        assert!(ended("echo PASS; exit 2").starts_with("exit status: 2\n"));
        assert!(ended("true").starts_with("it ended without the line PASS"));
        assert!(ended("echo '=== RUN   TestB'; echo trap >&2; exit 134").ends_with("\ntrap"));
        // Exit status 1 is teff's too, if it cannot run the program.
        assert!(ended("exit 1").starts_with("exit status: 1"));
        assert!(ended("exec sleep 600").starts_with("not done after 2 seconds"));
    }
}
