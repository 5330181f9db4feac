//! What came of each directive, and the sums. The types here are the JSON report.

use std::collections::BTreeMap;

use serde::Serialize;

/// What came of a directive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status", content = "message")]
pub enum Status {
    /// teff did as the directive says.
    Passed,
    /// The directive holds, but it is about the text format: `wast` decided, not teff.
    TextDelegated,
    /// teff did something else.
    Failed(String),
    /// Not run, for this reason.
    Skipped(String),
}

/// One directive of a file.
#[derive(Clone, Debug, Serialize)]
pub struct DirectiveResult {
    /// Line in the file, from 1.
    pub line: usize,
    /// The directive's keyword.
    pub kind: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub status: Status,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct FileResult {
    /// The folder.
    pub group: String,
    /// The file's name.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// In the order of the file.
    pub directives: Vec<DirectiveResult>,
}

/// How many directives ended how.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Files counted.
    pub files: usize,
    /// See [`Status::Passed`].
    pub passed: usize,
    /// See [`Status::Failed`].
    pub failed: usize,
    /// See [`Status::Skipped`].
    pub skipped: usize,
    /// See [`Status::TextDelegated`].
    pub text_delegated: usize,
}

impl FileResult {
    /// The file's sums.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            files: 1,
            ..Totals::default()
        };
        for directive in &self.directives {
            match directive.status {
                Status::Passed => totals.passed += 1,
                Status::TextDelegated => totals.text_delegated += 1,
                Status::Failed(_) => totals.failed += 1,
                Status::Skipped(_) => totals.skipped += 1,
            }
        }
        totals
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.text_delegated += other.text_delegated;
    }
}

/// One suite in one configuration of the engine.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// The dispatch backend.
    pub backend: String,
    /// The form of translated code.
    pub form: String,
    /// The sums of all files.
    pub totals: Totals,
    /// Every file.
    pub files: Vec<FileResult>,
}

impl RunResult {
    /// Sums the files up.
    pub fn new(backend: String, form: String, files: Vec<FileResult>) -> Self {
        let mut totals = Totals::default();
        for file in &files {
            totals += file.totals();
        }
        Self {
            backend,
            form,
            totals,
            files,
        }
    }

    /// The sums by folder.
    pub fn groups(&self) -> BTreeMap<&str, Totals> {
        let mut groups: BTreeMap<&str, Totals> = BTreeMap::new();
        for file in &self.files {
            *groups.entry(&file.group).or_default() += file.totals();
        }
        groups
    }

    /// Every reason for which directives were skipped, and how many they are.
    pub fn skip_reasons(&self) -> BTreeMap<&str, usize> {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for directive in self.files.iter().flat_map(|file| &file.directives) {
            if let Status::Skipped(reason) = &directive.status {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        reasons
    }

    /// Every failure, as `folder/file:line: kind: message`.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for file in &self.files {
            for directive in &file.directives {
                if let Status::Failed(message) = &directive.status {
                    let (group, slash) =
                        (&file.group, if file.group.is_empty() { "" } else { "/" });
                    let (name, line, kind) = (&file.name, directive.line, directive.kind);
                    failures.push(format!("{group}{slash}{name}:{line}: {kind}: {message}"));
                }
            }
        }
        failures
    }
}

/// The report of all runs, as JSON has it.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// Version of this format.
    pub schema: u32,
    /// Always `teff`.
    pub engine: &'static str,
    /// teff's version.
    pub engine_version: &'static str,
    /// Which suite.
    pub suite: &'a str,
    /// Each configuration.
    pub runs: &'a [RunResult],
}

impl<'a> Report<'a> {
    /// The report of `runs`.
    pub fn new(suite: &'a str, runs: &'a [RunResult]) -> Self {
        let engine_version = env!("CARGO_PKG_VERSION");
        Self {
            schema: 1,
            engine: "teff",
            engine_version,
            suite,
            runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_json() {
        let directive = |line, status| DirectiveResult {
            line,
            kind: "assert_return",
            status,
        };
        let file = |group: &str, directives| FileResult {
            group: group.into(),
            name: "a.wast".into(),
            seconds: 0.5,
            directives,
        };
        let files = vec![
            file(
                "core",
                vec![
                    directive(1, Status::Passed),
                    directive(2, Status::TextDelegated),
                ],
            ),
            file(
                "core/gc",
                vec![directive(3, Status::Skipped("needs gc".into()))],
            ),
            file(
                "core",
                vec![directive(4, Status::Failed("got i32 1".into()))],
            ),
        ];
        let run = RunResult::new("loop".into(), "direct".into(), files);
        let all = Totals {
            files: 3,
            passed: 1,
            failed: 1,
            skipped: 1,
            text_delegated: 1,
        };
        assert_eq!(run.totals, all);
        assert_eq!(run.groups()["core"].files, 2);
        assert_eq!(run.skip_reasons()["needs gc"], 1);
        assert_eq!(run.failures(), ["core/a.wast:4: assert_return: got i32 1"]);

        let json = serde_json::to_value(Report::new("suite", &[run])).unwrap();
        let first = &json["runs"][0]["files"][0]["directives"][0];
        assert_eq!(first["status"], "passed");
        assert_eq!(first["line"], 1);
        let skipped = &json["runs"][0]["files"][1]["directives"][0];
        assert_eq!(
            (&skipped["status"], &skipped["message"]),
            (&"skipped".into(), &"needs gc".into())
        );
    }
}
