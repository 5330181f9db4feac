//! `compare`: every chosen program on every chosen engine, outputs checked first, then rounds in which the engines take
//! turns.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::{EngineKind, Runner};
use crate::measure::{self, Run};
use crate::programs::{Program, Size};
use crate::report::{Cell, Report, Row, Times, median};

/// What to compare, and how.
pub(crate) struct Plan {
    pub(crate) engines: Vec<EngineKind>,
    pub(crate) programs: Vec<&'static Program>,
    pub(crate) rounds: u32,
    /// How long one run may take.
    pub(crate) limit: Duration,
}

/// A run may also take no longer than this many times what the reference takes (but always some seconds).
const SLOWEST_RATIO: u32 = 20;
const ALWAYS_ALLOWED: Duration = Duration::from_secs(10);

pub(crate) fn compare(plan: &Plan, core: Option<usize>) -> Result<Report, String> {
    let mut runners = Vec::new();
    for engine in &plan.engines {
        eprintln!("preparing {engine}");
        runners.push(engine.prepare()?);
    }
    // Only now, so that cargo may use all cores.
    let core = measure::pin(core)?;
    let steps = plan.programs.len() * runners.len() * (plan.rounds as usize + 1);
    let bar = ProgressBar::new(steps as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} of about {duration}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut rows = Vec::new();
    for program in &plan.programs {
        rows.push(measure_program(plan, program, &runners, &bar)?);
    }
    bar.finish_and_clear();
    Ok(Report::new(plan, core, rows))
}

fn measure_program(
    plan: &Plan,
    program: &'static Program,
    runners: &[Runner],
    bar: &ProgressBar,
) -> Result<Row, String> {
    let expected = program.expected(Size::Full)?;
    let mut limit = plan.limit;
    let run = |runner: &Runner, limit: Duration| -> Result<Run, String> {
        bar.set_message(format!("{}: {}", program.name, runner.engine));
        let run = measure::run(runner.command(program, Size::Full), limit)?;
        bar.inc(1);
        match run.failure(&expected) {
            None => Ok(run),
            Some(reason) => Err(reason),
        }
    };
    // The first round warms the file cache and is not counted: it shows who computes this program as it should be.
    let mut results: Vec<Result<Vec<Run>, String>> = Vec::new();
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
                Err(reason) => results[index] = Err(reason),
            }
        }
    }
    let cells = results.into_iter().map(|result| match result {
        Ok(runs) => Cell::Measured(Times::of(&runs)),
        Err(failed) => Cell::Failed(failed),
    });
    Ok(Row {
        program: program.name,
        language: program.language,
        cells: cells.collect(),
    })
}

impl Times {
    fn of(runs: &[Run]) -> Self {
        let cpu: Vec<f64> = runs.iter().map(|run| run.cpu.as_secs_f64()).collect();
        let wall: Vec<f64> = runs.iter().map(|run| run.wall.as_secs_f64()).collect();
        let peak: Vec<f64> = runs.iter().map(|run| run.peak_kib as f64).collect();
        Self {
            cpu: median(&cpu),
            cpu_min: cpu.iter().copied().fold(f64::INFINITY, f64::min),
            wall: median(&wall),
            peak_kib: median(&peak) as u64,
        }
    }
}
