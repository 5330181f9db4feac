//! `compare`: every chosen program on every chosen engine, outputs checked first, then rounds in which the engines take
//! turns.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::{EngineKind, Runner};
use crate::measure::{self, Run};
use crate::programs::{Program, Size};
use crate::report::{Cell, Report, Row, Times};

/// What to compare, and how.
pub(crate) struct Plan {
    pub(crate) engines: Vec<EngineKind>,
    pub(crate) programs: Vec<&'static Program>,
    pub(crate) size: Size,
    pub(crate) rounds: u32,
    /// How long one run may take.
    pub(crate) limit: Duration,
}

/// A run may also take no longer than this many times what the reference takes (but always some seconds).
const SLOWEST_RATIO: u32 = 20;
const ALWAYS_ALLOWED: Duration = Duration::from_secs(10);

pub(crate) fn compare(plan: &Plan, core: Option<usize>) -> Result<Report, String> {
    let runners = prepare(&plan.engines)?;
    // Only now, so that cargo may use all cores.
    let core = measure::pin(core)?;
    let bar = progress_bar(plan.programs.len() * runners.len() * (plan.rounds as usize + 1));
    let mut rows = Vec::new();
    for program in &plan.programs {
        rows.push(measure_program(plan, program, &runners, &bar)?);
    }
    bar.finish_and_clear();
    Ok(Report::new(&runners, plan.rounds, core, rows))
}

/// Builds what the engines need.
pub(crate) fn prepare(engines: &[EngineKind]) -> Result<Vec<Runner>, String> {
    let bar = progress_bar(engines.len());
    let mut runners = Vec::new();
    for engine in engines {
        bar.set_message(format!("building what {engine} needs"));
        runners.push(engine.prepare()?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(runners)
}

pub(crate) fn progress_bar(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {elapsed}, {eta} to go  {msg}");
    ProgressBar::new(steps as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn measure_program(
    plan: &Plan,
    program: &'static Program,
    runners: &[Runner],
    bar: &ProgressBar,
) -> Result<Row, String> {
    let expected = program.expected(plan.size)?;
    let mut limit = plan.limit;
    let run = |runner: &Runner, limit: Duration| -> Result<Run, Cell> {
        bar.set_message(format!("{}: {}", program.name, runner.engine));
        bar.inc(1);
        let command = runner.command(program, plan.size).ok_or(Cell::Absent)?;
        let run = measure::run(command, limit).map_err(Cell::Failed)?;
        match run.failure(&expected) {
            None => Ok(run),
            Some(reason) => Err(Cell::Failed(reason)),
        }
    };
    // The first round warms the file cache and is not counted: it shows who computes this program as it should be.
    let mut results: Vec<Result<Vec<Run>, Cell>> = Vec::new();
    for (index, runner) in runners.iter().enumerate() {
        let first = run(runner, limit);
        if index == 0
            && let Ok(reference) = &first
        {
            limit = limit.min((reference.wall * SLOWEST_RATIO).max(ALWAYS_ALLOWED));
        }
        results.push(first.map(|_| Vec::new()));
    }
    for round in 0..plan.rounds as usize {
        // Each round begins with another engine.
        for turn in 0..runners.len() {
            let index = (round + turn) % runners.len();
            let Ok(runs) = &mut results[index] else {
                bar.inc(1);
                continue;
            };
            match run(&runners[index], limit) {
                Ok(run) => runs.push(run),
                Err(cell) => results[index] = Err(cell),
            }
        }
    }
    let cells = results.into_iter().map(|result| match result {
        Ok(runs) => Cell::Measured(Times::of(&runs)),
        Err(cell) => cell,
    });
    Ok(Row {
        program: program.name,
        language: program.language,
        cells: cells.collect(),
    })
}
