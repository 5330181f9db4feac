//! What came of the tests: sums by folder, the JSON report, and text for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Serialize;

use super::suite::NotRun;

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status", content = "message")]
pub enum Status {
    /// Everything was as specified.
    Passed,
    /// Something was not; what, and the output.
    Failed(String),
    /// Not run, for this reason.
    Skipped(String),
}

/// One test.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// Its folder.
    pub folder: String,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// What came of it.
    #[serde(flatten)]
    pub status: Status,
}

/// How many tests ended how.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// See [`Status::Passed`].
    pub passed: usize,
    /// See [`Status::Failed`].
    pub failed: usize,
    /// See [`Status::Skipped`].
    pub skipped: usize,
}

impl Totals {
    fn add(&mut self, status: &Status) {
        match status {
            Status::Passed => self.passed += 1,
            Status::Failed(_) => self.failed += 1,
            Status::Skipped(_) => self.skipped += 1,
        }
    }
}

/// All tests with one backend.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The dispatch backend, if one was asked for.
    pub backend: Option<String>,
    /// The sums.
    pub totals: Totals,
    /// Every test.
    pub cases: Vec<CaseResult>,
}

impl Run {
    pub(super) fn new(backend: Option<String>, cases: Vec<CaseResult>) -> Self {
        let mut totals = Totals::default();
        for case in &cases {
            totals.add(&case.status);
        }
        Self {
            backend,
            totals,
            cases,
        }
    }

    fn folders(&self) -> BTreeMap<&str, Totals> {
        let mut folders: BTreeMap<&str, Totals> = BTreeMap::new();
        for case in &self.cases {
            folders.entry(&case.folder).or_default().add(&case.status);
        }
        folders
    }
}

/// The report of all runs, as JSON has it.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// Version of this format.
    pub schema: u32,
    /// What the command calls itself.
    pub engine: &'a str,
    /// With each backend.
    pub runs: &'a [Run],
}

/// Writes everything that there is to say about `run`.
pub fn write(out: &mut impl Write, run: &Run, not_run: &[NotRun]) -> fmt::Result {
    let folders = run.folders();
    let names = folders.keys().map(|folder| folder.len());
    let width = names.max().unwrap_or(0).max("folder".len());
    writeln!(
        out,
        "{:width$} {:>6} {:>7} {:>7} {:>8}",
        "folder", "tests", "passed", "failed", "skipped"
    )?;
    for (name, totals) in folders.iter().chain([(&"total", &run.totals)]) {
        let Totals {
            passed,
            failed,
            skipped,
        } = totals;
        let tests = passed + failed + skipped;
        writeln!(
            out,
            "{name:width$} {tests:>6} {passed:>7} {failed:>7} {skipped:>8}"
        )?;
    }
    if !not_run.is_empty() {
        writeln!(out, "\nnot run, not counted:")?;
    }
    for NotRun { folder, reason } in not_run {
        writeln!(out, "  {folder}: {reason}")?;
    }
    list(out, run, "skipped", |status| match status {
        Status::Skipped(reason) => Some(reason),
        _ => None,
    })?;
    list(out, run, "failed", |status| match status {
        Status::Failed(message) => Some(message),
        _ => None,
    })
}

/// The tests for which there is a text, with it.
fn list(
    out: &mut impl Write,
    run: &Run,
    title: &str,
    text: impl Fn(&Status) -> Option<&String>,
) -> fmt::Result {
    let mut first = true;
    for case in &run.cases {
        let Some(text) = text(&case.status) else {
            continue;
        };
        if std::mem::take(&mut first) {
            writeln!(out, "\n{title}:")?;
        }
        let text = text.replace('\n', "\n      ");
        writeln!(out, "  {}/{}: {text}", case.folder, case.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_lists_and_json() {
        let case = |folder: &str, name: &str, status| CaseResult {
            folder: folder.into(),
            name: name.into(),
            seconds: 0.5,
            status,
        };
        let cases = vec![
            case("c", "a", Status::Passed),
            case("c", "b", Status::Failed("exit status: 1\nstderr: x".into())),
            case("rust", "a", Status::Skipped("steps".into())),
        ];
        let run = Run::new(Some("loop".into()), cases);
        let not_run = NotRun {
            folder: "threads".into(),
            reason: "none".into(),
        };
        let mut text = String::new();
        write(&mut text, &run, &[not_run]).unwrap();
        assert!(
            text.contains("\nc           2       1       1        0\n"),
            "{text}"
        );
        assert!(
            text.contains("\ntotal       3       1       1        1\n"),
            "{text}"
        );
        assert!(text.contains("\n  threads: none\n"), "{text}");
        assert!(text.contains("\nskipped:\n  rust/a: steps\n"), "{text}");
        let failed = "\nfailed:\n  c/b: exit status: 1\n      stderr: x\n";
        assert!(text.contains(failed), "{text}");

        let report = Report {
            schema: 1,
            engine: "teff 0",
            runs: &[run],
        };
        let json = serde_json::to_value(report).unwrap();
        assert_eq!(json["runs"][0]["cases"][0]["status"], "passed");
        assert_eq!(json["runs"][0]["cases"][2]["message"], "steps");
        assert_eq!(json["runs"][0]["totals"]["failed"], 1);
    }
}
