//! Runs tests: each is a call of the command, in a process and with a directory of its own.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::pool::parallel;
use crate::process::{self, End, Finished};
use crate::program::Program;
use crate::scratch::{Scratch, copy_tree};

use super::report::{CaseResult, Run, Status};
use super::suite::{Case, Specification, Suite, Unusable};

/// How tests are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The command `teff`, or one with the same options.
    pub program: Program,
    /// The value of its option `--backend`, if that is given.
    pub backend: Option<String>,
    /// Most time for a test: a safety net, not a measure.
    pub time_limit: Duration,
}

/// Most bytes of a stream that are reported.
const SHOWN: usize = 2_000;

/// Runs all tests; `done` is called after each.
pub fn run(suite: &Suite, options: &Options, done: impl Fn(&CaseResult) + Sync) -> Run {
    let cases = parallel(&suite.cases, |case| {
        let start = Instant::now();
        let status = match &case.specification {
            Ok(specification) => run_case(case, specification, options),
            Err(Unusable::Wrong(message)) => Status::Failed(message.clone()),
            Err(Unusable::Operations) => {
                Status::Skipped("its specification has steps, which this tool does not know".into())
            }
        };
        let result = CaseResult {
            folder: case.folder.clone(),
            name: case.name.clone(),
            seconds: start.elapsed().as_secs_f64(),
            status,
        };
        done(&result);
        result
    });
    Run::new(options.backend.clone(), cases)
}

fn run_case(case: &Case, specification: &Specification, options: &Options) -> Status {
    // It must outlive the program, which has its root there.
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(e) => return Status::Failed(format!("cannot make a temporary directory: {e}")),
    };
    match start(case, specification, options, scratch.path()) {
        Ok(done) => judge(specification, &done),
        Err(message) => Status::Failed(message),
    }
}

fn start(
    case: &Case,
    specification: &Specification,
    options: &Options,
    scratch: &Path,
) -> Result<Finished, String> {
    let mut command = options.program.command();
    command.arg("run");
    if let Some(backend) = &options.backend {
        command.args(["--backend", backend]);
    }
    if let Some(root) = &specification.root {
        let (from, to) = (case.wasm.with_file_name(root), scratch.join("root"));
        copy_tree(&from, &to).map_err(|e| format!("cannot copy {}: {e}", from.display()))?;
        let mut dir = OsString::from(to);
        dir.push("::/");
        command.arg("--dir").arg(dir);
    }
    for (name, value) in &specification.env {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    command.arg(&case.wasm).args(&specification.args);
    process::run(command, options.time_limit)
        .map_err(|e: io::Error| format!("cannot run teff: {e}"))
}

/// Passed if all is as specified; else everything that is not, and what the program wrote.
fn judge(specification: &Specification, done: &Finished) -> Status {
    let mut wrong = Vec::new();
    let code = specification.exit_code;
    match done.end {
        end if end.is(code) => {}
        End::Status(status) => wrong.push(format!("{status}, expected {code}")),
        timed_out => wrong.push(timed_out.to_string()),
    }
    let streams = [
        ("stdout", &specification.stdout, &done.stdout),
        ("stderr", &specification.stderr, &done.stderr),
    ];
    for (name, expected, got) in streams {
        if let Some(expected) = expected
            && expected.as_bytes() != got.as_slice()
        {
            wrong.push(format!("{name} is not {expected:?}"));
        }
    }
    if wrong.is_empty() {
        return Status::Passed;
    }
    let mut message = wrong.join("; ");
    for (name, _, got) in streams {
        if !got.is_empty() {
            let shown = String::from_utf8_lossy(&got[..got.len().min(SHOWN)]);
            message += &format!("\n{name}: {}", shown.trim_end());
        }
    }
    Status::Failed(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A program in `dir` that does as the script says with the arguments that teff would get.
    fn stand_in(dir: &Path, script: &str) -> Program {
        let path = dir.join("teff");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        // Through the shell: a file that another thread's child may still have open for writing cannot be executed.
        Program::named(&format!("sh {}", path.display()))
    }

    fn status(script: &str, specification: Specification) -> Status {
        let scratch = Scratch::new().unwrap();
        fs::create_dir(scratch.path().join("fs.dir")).unwrap();
        fs::write(scratch.path().join("fs.dir/file"), "here").unwrap();
        let case = Case {
            folder: "c".into(),
            name: "a".into(),
            wasm: scratch.path().join("a.wasm"),
            specification: Ok(specification),
        };
        let options = Options {
            program: stand_in(scratch.path(), script),
            backend: Some("loop".into()),
            time_limit: Duration::from_secs(if script.contains("sleep") { 2 } else { 60 }),
        };
        let suite = Suite {
            cases: vec![case],
            not_run: Vec::new(),
        };
        let mut run = run(&suite, &options, |_| ());
        // The test's own directory is never written to.
        assert_eq!(
            fs::read(scratch.path().join("fs.dir/file")).unwrap(),
            b"here"
        );
        run.cases.remove(0).status
    }

    fn failure(script: &str, specification: Specification) -> String {
        match status(script, specification) {
            Status::Failed(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_teffs() {
        let specification = Specification {
            args: vec!["x y".into()],
            env: [("K".into(), "v w".into())].into(),
            stdout: Some("run --backend loop --env K=v w a.wasm x y ".into()),
            ..Specification::default()
        };
        let script = r#"for a in "$@"; do printf '%s ' "${a##*/}"; done"#;
        assert_eq!(status(script, specification), Status::Passed);
    }

    #[test]
    fn the_root_is_a_copy() {
        let specification = Specification {
            root: Some("fs.dir".into()),
            stdout: Some("here".into()),
            exit_code: 7,
            ..Specification::default()
        };
        let script = r#"d=${5%::/}; cat "$d/file"; echo gone >"$d/file"; exit 7"#;
        assert_eq!(status(script, specification), Status::Passed);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let none = Specification::default;
        let message = failure("echo why >&2; exit 134", none());
        assert!(
            message.starts_with("exit status: 134, expected 0"),
            "{message}"
        );
        assert!(message.ends_with("\nstderr: why"), "{message}");
        let output = Specification {
            stdout: Some("hello".into()),
            stderr: Some("".into()),
            ..none()
        };
        let message = failure("echo hello", output.clone());
        assert_eq!(message, "stdout is not \"hello\"\nstdout: hello");
        let message = failure("printf hello; echo x >&2", output);
        assert!(message.starts_with("stderr is not \"\""), "{message}");
        assert!(failure("kill -SEGV $$", none()).contains("signal"));
        assert!(failure("exec sleep 600", none()).contains("not done after 2 seconds"));
        let root = Specification {
            root: Some("none.dir".into()),
            ..none()
        };
        assert!(failure("", root).contains("none.dir"));
    }
}
