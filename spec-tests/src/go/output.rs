//! What a Go test program prints with `-test.v`: which tests there were, and what came of them.

use std::collections::BTreeMap;

use serde::Serialize;

/// What came of a test.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// `--- PASS`
    Passed,
    /// `--- FAIL`
    Failed,
    /// `--- SKIP`
    Skipped,
    /// It was begun, and the program ended before it did.
    Unfinished,
}

/// The tests of a program, subtests included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// In the order in which they began.
    pub tests: Vec<(String, Outcome)>,
    /// Is the last line `PASS`?
    pub passed: bool,
}

/// How a line begins that says that a test begins.
const RUN: &str = "=== RUN ";

/// How a line, or the rest of one, begins that says what came of a test.
const RESULTS: [(&str, Outcome); 3] = [
    ("--- PASS: ", Outcome::Passed),
    ("--- FAIL: ", Outcome::Failed),
    ("--- SKIP: ", Outcome::Skipped),
];

/// Most lines of a failed test's output that are shown.
const SHOWN: usize = 40;

impl Output {
    /// Reads what a program has printed.
    pub fn parse(text: &str) -> Self {
        let mut tests = Vec::new();
        let mut places = BTreeMap::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix(RUN) {
                // Names are unique: Go adds numbers.
                let name = name.trim_start();
                places.insert(name, tests.len());
                tests.push((name.to_string(), Outcome::Unfinished));
            } else if let Some((name, outcome)) = result(line)
                && let Some(&place) = places.get(name)
            {
                tests[place].1 = outcome;
            }
        }
        let passed = text.lines().next_back() == Some("PASS");
        Self { tests, passed }
    }

    /// How many tests ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.tests.iter().filter(|test| test.1 == outcome).count()
    }

    /// The names of the tests that failed or did not end.
    pub fn bad(&self) -> impl Iterator<Item = &str> {
        let bad = |outcome| matches!(outcome, Outcome::Failed | Outcome::Unfinished);
        let tests = self.tests.iter().filter(move |test| bad(test.1));
        tests.map(|test| &*test.0)
    }
}

/// The name and the outcome, if the line has them. What the test printed last, without ending its line, comes before.
fn result(line: &str) -> Option<(&str, Outcome)> {
    RESULTS.iter().find_map(|&(mark, outcome)| {
        let rest = &line[line.find(mark)? + mark.len()..];
        Some((rest.split(' ').next()?, outcome))
    })
}

/// What the outermost test around `name` printed, shortened.
pub(super) fn excerpt(text: &str, name: &str) -> String {
    let outermost = name.split('/').next().unwrap_or(name);
    let below = |name: &str| {
        name == outermost
            || name
                .strip_prefix(outermost)
                .is_some_and(|n| n.starts_with('/'))
    };
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| line.strip_prefix(RUN).map(str::trim_start) != Some(outermost))
        .take_while(|line| {
            line.strip_prefix(RUN)
                .is_none_or(|name| below(name.trim_start()))
        })
        .collect();
    let mut shown = lines[..lines.len().min(SHOWN)].join("\n");
    if let Some(more @ 1..) = lines.len().checked_sub(SHOWN) {
        shown += &format!("\n... and {more} more lines");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
=== RUN   TestA
=== RUN   TestA/sub_one
    a_test.go:1: about one
=== RUN   TestA/sub#01
--- FAIL: TestA (0.01s)
    --- PASS: TestA/sub_one (0.00s)
    --- FAIL: TestA/sub#01 (0.01s)
=== RUN   TestB
no end of line--- PASS: TestB (1.00s)
=== RUN   TestC
    c_test.go:2: --- FAIL: TestOther (0.00s)
--- SKIP: TestC (0.00s)
=== RUN   TestAlso
panic: x
";

    #[test]
    fn every_test_has_an_outcome() {
        let output = Output::parse(TEXT);
        let expected = [
            ("TestA", Outcome::Failed),
            ("TestA/sub_one", Outcome::Passed),
            ("TestA/sub#01", Outcome::Failed),
            ("TestB", Outcome::Passed),
            ("TestC", Outcome::Skipped),
            ("TestAlso", Outcome::Unfinished),
        ];
        let tests: Vec<_> = output
            .tests
            .iter()
            .map(|(name, outcome)| (&**name, *outcome))
            .collect();
        assert_eq!(tests, expected);
        assert!(!output.passed);
        assert_eq!(output.count(Outcome::Passed), 2);
        assert_eq!(
            output.bad().collect::<Vec<_>>(),
            ["TestA", "TestA/sub#01", "TestAlso"]
        );
        assert!(Output::parse("=== RUN   T\n--- PASS: T (0.00s)\nPASS\n").passed);
    }

    #[test]
    fn an_excerpt_is_the_outermost_tests() {
        let shown = excerpt(TEXT, "TestA/sub#01");
        assert!(shown.starts_with("=== RUN   TestA\n"), "{shown}");
        assert!(shown.ends_with("--- FAIL: TestA/sub#01 (0.01s)"), "{shown}");
        // Its name begins like another's.
        assert_eq!(excerpt(TEXT, "TestAlso"), "=== RUN   TestAlso\npanic: x");
        assert_eq!(excerpt(TEXT, "TestNone"), "");
        let long = format!("=== RUN   T\n{}", "line\n".repeat(100));
        assert!(excerpt(&long, "T").ends_with("\n... and 61 more lines"));
    }
}
