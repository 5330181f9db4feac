//! What came of all packages: a table, runtimes side by side, and the failures. A failure that every runtime has is
//! named as such: it is Go's, or WASI's, and no difference between them.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use serde::Serialize;

use super::output::{Outcome, excerpt};
use super::runner::{PackageRun, Problem};

/// All packages under one runtime.
#[derive(Clone, Debug)]
pub struct RuntimeRuns {
    /// The runtime's name.
    pub name: String,
    /// What it says of its version.
    pub version: String,
    /// The same packages, in the same order, as under other runtimes.
    pub packages: Vec<PackageRun>,
}

/// What failed: packages with the names of tests, or `(program)` if it is not a test that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Under one runtime, and not under all.
    pub own: Vec<(String, String, String)>,
    /// Under all of several runtimes.
    pub common: Vec<(String, String)>,
}

/// Stands for the program where a test's name would be.
const PROGRAM: &str = "(program)";

/// Compares the runtimes.
pub fn failures(runs: &[RuntimeRuns]) -> Failures {
    let sets: Vec<BTreeSet<(String, String)>> = runs
        .iter()
        .map(|run| run.packages.iter().flat_map(bad).collect())
        .collect();
    let mut failures = Failures::default();
    for run in runs {
        for failure in run.packages.iter().flat_map(bad) {
            if runs.len() > 1 && sets.iter().all(|set| set.contains(&failure)) {
                if !failures.common.contains(&failure) {
                    failures.common.push(failure);
                }
            } else {
                let (package, test) = failure;
                failures.own.push((run.name.clone(), package, test));
            }
        }
    }
    failures
}

fn bad(run: &PackageRun) -> Vec<(String, String)> {
    let tests = run.output.bad();
    let program = run.problem.iter().map(|_| PROGRAM);
    let name = |test: &str| (run.package.clone(), test.to_string());
    tests.chain(program).map(name).collect()
}

/// One package under one runtime, as JSON has it.
#[derive(Clone, Debug, Serialize)]
struct Row<'a> {
    package: &'a str,
    seconds: f64,
    problem: Option<&'a str>,
    tests: &'a [(String, Outcome)],
}

/// One runtime, as JSON has it.
#[derive(Clone, Debug, Serialize)]
struct Rows<'a> {
    runtime: &'a str,
    version: &'a str,
    packages: Vec<Row<'a>>,
}

/// The report of all runs, as JSON has it.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    schema: u32,
    go: &'a str,
    runtimes: Vec<Rows<'a>>,
}

impl<'a> Report<'a> {
    /// The report of `runs`, with a version of Go.
    pub fn new(go: &'a str, runs: &'a [RuntimeRuns]) -> Self {
        let row = |run: &'a PackageRun| Row {
            package: &run.package,
            seconds: run.seconds,
            problem: run.problem.as_ref().map(text_of),
            tests: &run.output.tests,
        };
        let rows = |run: &'a RuntimeRuns| Rows {
            runtime: &run.name,
            version: &run.version,
            packages: run.packages.iter().map(row).collect(),
        };
        Self {
            schema: 1,
            go,
            runtimes: runs.iter().map(rows).collect(),
        }
    }
}

fn text_of(problem: &Problem) -> &str {
    let (Problem::Ended(text) | Problem::NotRun(text)) = problem;
    text
}

/// Writes the table, and what failed with its output.
pub fn write(out: &mut impl Write, runs: &[RuntimeRuns]) -> fmt::Result {
    let Some(RuntimeRuns {
        packages: first, ..
    }) = runs.first()
    else {
        return Ok(());
    };
    let names = first.iter().map(|run| run.package.len());
    let width = names.max().unwrap_or(0).max("package".len());
    write!(out, "{:width$}", "")?;
    for run in runs {
        write!(out, "  {:^31}", run.name)?;
    }
    write!(out, "\n{:width$}", "package")?;
    for _ in runs {
        write!(
            out,
            "  {:>6} {:>6} {:>6} {:>10}",
            "pass", "fail", "skip", "seconds"
        )?;
    }
    writeln!(out)?;
    for (i, run) in first.iter().enumerate() {
        write!(out, "{:width$}", run.package)?;
        for runtime in runs {
            columns(out, &runtime.packages[i..=i])?;
        }
        writeln!(out)?;
    }
    write!(out, "{:width$}", "total")?;
    for runtime in runs {
        columns(out, &runtime.packages)?;
    }
    writeln!(out)?;

    let failures = failures(runs);
    if !failures.common.is_empty() {
        writeln!(out, "\nfailed under each runtime:")?;
    }
    for (package, test) in &failures.common {
        writeln!(out, "  {package}: {test}")?;
    }
    if !failures.own.is_empty() {
        writeln!(out, "\nfailed:")?;
    }
    for (runtime, package, test) in &failures.own {
        writeln!(out, "  {runtime}: {package}: {test}")?;
    }
    for runtime in runs {
        for run in &runtime.packages {
            details(out, &runtime.name, run)?;
        }
    }
    Ok(())
}

fn columns(out: &mut impl Write, packages: &[PackageRun]) -> fmt::Result {
    let count = |outcome| {
        packages
            .iter()
            .map(|run| run.output.count(outcome))
            .sum::<usize>()
    };
    let failed = count(Outcome::Failed) + count(Outcome::Unfinished);
    let seconds: f64 = packages.iter().map(|run| run.seconds).sum();
    // Marks a program that failed besides its tests.
    let mark = if packages.iter().any(|run| run.problem.is_some()) {
        "!"
    } else {
        ""
    };
    let (passed, skipped) = (count(Outcome::Passed), count(Outcome::Skipped));
    write!(
        out,
        "  {passed:>6} {:>6} {skipped:>6} {seconds:>10.1}",
        format!("{failed}{mark}")
    )
}

/// What was printed about failures: once for each outermost test.
fn details(out: &mut impl Write, runtime: &str, run: &PackageRun) -> fmt::Result {
    let outermost: BTreeSet<&str> = run
        .output
        .bad()
        .filter_map(|test| test.split('/').next())
        .collect();
    if outermost.is_empty() && run.problem.is_none() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{runtime}: {}: all output is in {}",
        run.package,
        run.log.display()
    )?;
    let indented = |text: &str| text.replace('\n', "\n    ");
    if let Some(problem) = &run.problem {
        writeln!(out, "  {PROGRAM}: {}", indented(text_of(problem)))?;
    }
    for test in outermost {
        writeln!(out, "    {}", indented(&excerpt(&run.text, test)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::output::Output;
    use super::*;

    fn package(name: &str, text: &str, problem: Option<&str>) -> PackageRun {
        PackageRun {
            package: name.into(),
            output: Output::parse(text),
            text: text.into(),
            log: "logs/x.txt".into(),
            seconds: 1.5,
            problem: problem.map(|text| Problem::Ended(text.into())),
        }
    }

    const BOTH: &str =
        "=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\nwhy\n--- FAIL: TestB (0.00s)\n";

    #[test]
    fn a_failure_of_all_runtimes_is_named_as_such() {
        let worse = BOTH.replace("PASS", "FAIL");
        let runtime = |name: &str, packages| RuntimeRuns {
            name: name.into(),
            version: "1".into(),
            packages,
        };
        let trap = package("io", "", Some("trap\nx"));
        let runs = [
            runtime("teff", vec![package("os", &worse, None), trap]),
            runtime(
                "wasmtime",
                vec![package("os", BOTH, None), package("io", "", None)],
            ),
        ];
        let found = failures(&runs);
        assert_eq!(found.common, [("os".into(), "TestB".into())]);
        let own =
            |package: &str, test: &str| ("teff".to_string(), package.to_string(), test.to_string());
        assert_eq!(found.own, [own("os", "TestA"), own("io", "(program)")]);
        // Under one runtime alone nothing is common.
        assert_eq!(failures(&runs[1..]).own.len(), 1);

        let mut text = String::new();
        write(&mut text, &runs).unwrap();
        assert!(
            text.contains(
                "\nos            0      2      0        1.5       1      1      0        1.5\n"
            ),
            "{text}"
        );
        assert!(text.contains("\nio            0     0!      0"), "{text}");
        assert!(
            text.contains("\nfailed under each runtime:\n  os: TestB\n"),
            "{text}"
        );
        assert!(text.contains("\n  (program): trap\n    x\n"), "{text}");
        assert!(text.contains("    === RUN   TestB\n    why\n"), "{text}");
        let json = serde_json::to_value(Report::new("go1", &runs)).unwrap();
        assert_eq!(json["runtimes"][0]["packages"][0]["tests"][0][1], "failed");
    }
}
