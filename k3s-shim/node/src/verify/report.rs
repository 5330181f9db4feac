//! What verify says: steps of checks, as a table or as JSON, and as an exit status. Knows nothing of what is checked.

use std::fmt::Write;

use serde::Serialize;

/// What came out of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Pass,
    /// It could not be seen from here.
    Unknown,
    /// It works, and could be better.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// What was found, and where it is wrong, what to do.
    pub(crate) detail: String,
}

/// One of the four steps.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    /// What it adds to the exit status if it fails.
    pub(crate) bit: u8,
    pub(crate) checks: Vec<Check>,
}

/// The names of the steps, with their bits of the exit status. 1 and 2 are those of errors that have nothing to do with
/// what is verified.
pub(crate) const STEPS: [(&str, u8); 4] = [
    ("network readiness", 4),
    ("WASI capabilities", 8),
    ("CRI compatibility", 16),
    ("security policy", 32),
];

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) version: &'static str,
    /// Whom was asked.
    pub(crate) through: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) exit_status: u8,
}

/// The checks of a step, as they come.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    pub(crate) fn pass(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, Verdict::Pass, detail);
    }

    pub(crate) fn unknown(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, Verdict::Unknown, detail);
    }

    pub(crate) fn warn(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, Verdict::Warn, detail);
    }

    pub(crate) fn fail(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, Verdict::Fail, detail);
    }

    /// Passes if it is so.
    pub(crate) fn that(&mut self, name: &str, is: bool, detail: impl Into<String>) {
        self.add(name, if is { Verdict::Pass } else { Verdict::Fail }, detail);
    }

    fn add(&mut self, name: &str, verdict: Verdict, detail: impl Into<String>) {
        self.0.push(Check {
            name: name.into(),
            verdict,
            detail: detail.into(),
        });
    }

    #[cfg(test)]
    pub(crate) fn verdict(&self, name: &str) -> Verdict {
        let found = self.0.iter().find(|check| check.name == name);
        found
            .unwrap_or_else(|| panic!("no check {name}: {self:?}"))
            .verdict
    }
}

impl Report {
    /// Of the checks of each step. `strict`: what could be better, and what could not be seen, counts as failed.
    pub(crate) fn new(through: String, steps: [Checks; 4], strict: bool) -> Self {
        let steps: Vec<Step> = STEPS
            .into_iter()
            .zip(steps)
            .map(|((name, bit), Checks(checks))| Step {
                name,
                bit,
                verdict: checks
                    .iter()
                    .map(|check| check.verdict)
                    .max()
                    .unwrap_or(Verdict::Unknown),
                checks,
            })
            .collect();
        let failed = |step: &&Step| {
            step.verdict == Verdict::Fail || (strict && step.verdict != Verdict::Pass)
        };
        let exit_status = steps.iter().filter(failed).map(|step| step.bit).sum();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            through,
            steps,
            exit_status,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "teff-shim {} verify, through {}\n",
            self.version, self.through
        );
        let checks = || self.steps.iter().flat_map(|step| &step.checks);
        let width = checks().map(|check| check.name.chars().count()).max();
        let width = width.unwrap_or(0);
        for (number, step) in self.steps.iter().enumerate() {
            let _ = writeln!(
                text,
                "\n{}. {}: {}",
                number + 1,
                step.name,
                word(step.verdict)
            );
            for check in &step.checks {
                let lines = check.detail.lines().collect::<Vec<_>>();
                let detail = lines.join(&format!("\n   {:7}  {:width$}  ", "", ""));
                let _ = writeln!(
                    text,
                    "   {:7}  {:width$}  {detail}",
                    word(check.verdict),
                    check.name
                );
            }
        }
        let _ = match self.exit_status {
            0 => writeln!(text, "\nReady."),
            status => writeln!(text, "\nNot ready (exit status {status})."),
        };
        text
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "ok",
        Verdict::Unknown => "unknown",
        Verdict::Warn => "warning",
        Verdict::Fail => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_bit() {
        let steps = || {
            let mut steps: [Checks; 4] = Default::default();
            for checks in &mut steps {
                checks.pass("a", "fine");
            }
            steps
        };
        assert_eq!(Report::new("t".into(), steps(), true).exit_status, 0);
        for (index, (_, bit)) in STEPS.into_iter().enumerate() {
            let mut failed = steps();
            failed[index].fail("b", "broken\nhere");
            let report = Report::new("t".into(), failed, false);
            assert_eq!(report.exit_status, bit);
            assert!(
                report
                    .table()
                    .contains("FAILED   b  broken\n               here"),
                "{}",
                report.table()
            );
            let mut doubtful = steps();
            doubtful[index].unknown("b", "?");
            assert_eq!(Report::new("t".into(), doubtful, false).exit_status, 0);
            let mut doubtful = steps();
            doubtful[index].warn("b", "?");
            assert_eq!(Report::new("t".into(), doubtful, true).exit_status, bit);
        }
    }
}
