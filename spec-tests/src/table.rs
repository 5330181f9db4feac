//! Results as text for people: a table by folder, the reasons for skipping, the failures.

use std::fmt::{self, Write};

use crate::result::{RunResult, Totals};

/// Most failures that are listed one by one.
const MAX_FAILURES: usize = 100;

/// Writes everything that there is to say about `run`.
pub fn write(out: &mut impl Write, run: &RunResult) -> fmt::Result {
    let groups = run.groups();
    let width = groups
        .keys()
        .map(|group| group.len())
        .max()
        .unwrap_or(0)
        .max("folder".len());
    writeln!(
        out,
        "{:width$} {:>6} {:>8} {:>8} {:>8} {:>8}",
        "folder", "files", "passed", "failed", "skipped", "text"
    )?;
    let mut line = |name: &str, totals: &Totals| {
        let Totals {
            files,
            passed,
            failed,
            skipped,
            text_delegated,
        } = totals;
        writeln!(
            out,
            "{name:width$} {files:>6} {passed:>8} {failed:>8} {skipped:>8} {text_delegated:>8}"
        )
    };
    for (group, totals) in &groups {
        line(group, totals)?;
    }
    line("total", &run.totals)?;

    let reasons = run.skip_reasons();
    if !reasons.is_empty() {
        writeln!(out, "\nskipped:")?;
        for (reason, count) in reasons {
            writeln!(out, "{count:>8}  {reason}")?;
        }
    }
    let failures = run.failures();
    if !failures.is_empty() {
        writeln!(out, "\nfailed:")?;
        for failure in failures.iter().take(MAX_FAILURES) {
            writeln!(out, "  {failure}")?;
        }
        if let Some(more @ 1..) = failures.len().checked_sub(MAX_FAILURES) {
            writeln!(
                out,
                "  ... and {more} more (--report json=FILE has them all)"
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{DirectiveResult, FileResult, Status};

    #[test]
    fn names_reasons_and_failures() {
        let directive = |line, status| DirectiveResult {
            line,
            kind: "invoke",
            status,
        };
        let file = FileResult {
            group: "core".into(),
            name: "a.wast".into(),
            seconds: 0.0,
            directives: vec![
                directive(1, Status::Skipped("needs simd".into())),
                directive(2, Status::Failed("trapped".into())),
            ],
        };
        let mut text = String::new();
        write(
            &mut text,
            &RunResult::new("loop".into(), "direct".into(), vec![file]),
        )
        .unwrap();
        assert!(
            text.contains("\ncore        1        0        1        1        0\n"),
            "{text}"
        );
        assert!(text.contains("       1  needs simd"), "{text}");
        assert!(text.contains("core/a.wast:2: invoke: trapped"), "{text}");
    }
}
