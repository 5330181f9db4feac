//! What a comparison found, and its table in Markdown and its JSON.

use std::fmt::Write;
use std::fs;

use serde::Serialize;

use crate::engine::Runner;
use crate::measure::Run;

/// A comparison that is done.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) processor: String,
    architecture: &'static str,
    /// The core that everything was pinned to.
    core: Option<usize>,
    rounds: u32,
    /// The first is the reference of the ratios.
    pub(crate) engines: Vec<EngineColumn>,
    pub(crate) programs: Vec<Row>,
}

#[derive(Serialize)]
pub(crate) struct EngineColumn {
    pub(crate) name: String,
    pub(crate) label: String,
    /// The geometric mean of its times by the reference's, over the programs that both ran.
    pub(crate) ratio: Option<f64>,
    /// How many programs these are.
    pub(crate) counted: usize,
}

/// One program, with a cell for each engine.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) program: &'static str,
    pub(crate) language: &'static str,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cell {
    Measured(Times),
    /// There is no such program for this engine.
    Absent,
    /// Why it does not count.
    Failed(String),
}

/// Of all rounds: seconds and KiB, medians but for the minimum.
#[derive(Serialize)]
pub(crate) struct Times {
    pub(crate) cpu: f64,
    pub(crate) cpu_min: f64,
    pub(crate) wall: f64,
}

impl Times {
    pub(crate) fn of(runs: &[Run]) -> Self {
        let cpu: Vec<f64> = runs.iter().map(|run| run.cpu.as_secs_f64()).collect();
        let wall: Vec<f64> = runs.iter().map(|run| run.wall.as_secs_f64()).collect();
        Self {
            cpu: median(&cpu),
            cpu_min: cpu.iter().copied().fold(f64::INFINITY, f64::min),
            wall: median(&wall),
        }
    }
}

impl Row {
    fn times(&self, engine: usize) -> Option<&Times> {
        match &self.cells[engine] {
            Cell::Measured(times) => Some(times),
            Cell::Absent | Cell::Failed(_) => None,
        }
    }

    /// An engine's time by the reference's.
    pub(crate) fn ratio(&self, engine: usize) -> Option<f64> {
        Some(self.times(engine)?.cpu / self.times(0)?.cpu)
    }
}

impl Report {
    pub(crate) fn new(
        runners: &[Runner],
        rounds: u32,
        core: Option<usize>,
        programs: Vec<Row>,
    ) -> Self {
        let engines = runners.iter().enumerate().map(|(index, runner)| {
            let ratios: Vec<f64> = programs.iter().filter_map(|row| row.ratio(index)).collect();
            EngineColumn {
                name: runner.engine.name(),
                label: runner.label(),
                ratio: geometric_mean(&ratios),
                counted: ratios.len(),
            }
        });
        Self {
            processor: processor(),
            architecture: std::env::consts::ARCH,
            core,
            rounds,
            engines: engines.collect(),
            programs,
        }
    }

    pub(crate) fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| error.to_string())
    }

    /// The table: seconds of the reference, ratios of the others, and what failed below it.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        let reference = &self.engines[0].label;
        let _ = writeln!(
            text,
            "CPU time (user and system) of the whole run, from exec to exit; medians of {} interleaved rounds on {} ({}). \
             {reference} in seconds, the others as multiples of {reference}'s time: above 1 is slower than {reference}.\n",
            self.rounds, self.processor, self.architecture
        );
        let _ = write!(text, "| program | |");
        for engine in &self.engines {
            let _ = write!(text, " {} |", engine.label);
        }
        let _ = writeln!(text, "\n|---|---|{}", "--:|".repeat(self.engines.len()));
        let mut failures = String::new();
        for row in &self.programs {
            let _ = write!(text, "| {} | {} |", row.program, row.language);
            for (index, cell) in row.cells.iter().enumerate() {
                let _ = match cell {
                    Cell::Measured(times) if index == 0 => write!(text, " {:.3} s |", times.cpu),
                    Cell::Measured(times) => match row.ratio(index) {
                        Some(ratio) => write!(text, " {ratio:.2} |"),
                        None => write!(text, " {:.3} s |", times.cpu),
                    },
                    Cell::Absent => write!(text, " - |"),
                    Cell::Failed(reason) => {
                        let _ = writeln!(
                            failures,
                            "- {} fails {}: {reason}",
                            self.engines[index].label, row.program
                        );
                        write!(text, " failed |")
                    }
                };
            }
            text.push('\n');
        }
        let _ = write!(text, "| **geometric mean** | |");
        for engine in &self.engines {
            let _ = match engine.ratio {
                Some(ratio) if engine.counted == self.programs.len() => {
                    write!(text, " **{ratio:.2}** |")
                }
                Some(ratio) => write!(text, " **{ratio:.2}** of {} |", engine.counted),
                None => write!(text, " - |"),
            };
        }
        text.push('\n');
        if !failures.is_empty() {
            let _ = write!(text, "\n{failures}");
        }
        text
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

fn geometric_mean(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().map(|value| value.ln()).sum();
    (!values.is_empty()).then(|| (sum / values.len() as f64).exp())
}

/// The processor, as far as the system names it.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'));
    model.map_or_else(
        || "an unknown processor".to_owned(),
        |(_, name)| name.trim().to_owned(),
    )
}
