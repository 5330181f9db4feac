//! The table, in Markdown: medians, and for each further engine how many times the CPU time of the first it takes.

use std::fs;

use crate::engine::EngineKind;
use crate::measure::Run;
use crate::workload::Workload;

pub(crate) fn print_header(engines: &[EngineKind], rounds: u32) {
    println!(
        "CPU seconds from the module's bytes to its exit, median of {rounds} interleaved rounds, and peak memory."
    );
    println!(
        "A ratio above 1 means that {} needs less time. {}\n",
        engines[0],
        machine()
    );
    let mut header = "| workload |".to_owned();
    let mut rule = "|---|".to_owned();
    for engine in engines {
        header += &format!(" {engine} | MiB |");
        rule += "--:|--:|";
    }
    for engine in &engines[1..] {
        header += &format!(" {engine} / {} |", engines[0]);
        rule += "--:|";
    }
    println!("{header}\n{rule}");
}

/// One workload: `runs` has the rounds of each engine, in the order of the header.
pub(crate) fn print_row(workload: &Workload, runs: &[Vec<Run>]) {
    let seconds: Vec<f64> = runs
        .iter()
        .map(|rounds| median(rounds.iter().map(|run| run.cpu.as_secs_f64())))
        .collect();
    let mut row = format!("| {} |", workload.name);
    for (rounds, seconds) in runs.iter().zip(&seconds) {
        let peak = median(rounds.iter().map(|run| run.peak_kib as f64 / 1024.0));
        row += &format!(" {seconds:.3} | {peak:.1} |");
    }
    for other in &seconds[1..] {
        row += &format!(" {:.2} |", other / seconds[0]);
    }
    println!("{row}");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

/// The processor, as far as the system names it.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'));
    format!(
        "{} ({}).",
        model.map_or("Processor", |(_, name)| name.trim()),
        std::env::consts::ARCH
    )
}
