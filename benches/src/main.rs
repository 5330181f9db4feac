//! `teff-benches compare`: the same programs on teff and on other interpreters, in one run, as ratios.
//!
//! Every measured run is a process of its own, which loads one module, runs it and ends. So a run pays for all of its
//! work, from the bytes to the exit, and one engine's caches and memory do not touch another's. The engines take turns
//! within a round, so that a machine that gets slower does so for all; before any time is taken, their outputs are
//! compared. CPU time is counted (user and system), and the median of the rounds is reported.

mod engine;
mod measure;
mod report;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::engine::EngineKind;
use crate::measure::Run;
use crate::workload::Workload;

/// Measures teff, beside other interpreters.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure all engines of this build on all workloads, and print a table in Markdown
    Compare {
        /// How often each engine runs each workload
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Only the workloads with this text in their name
        #[arg(long, value_name = "TEXT", default_value = "")]
        workload: String,
        /// Where the example modules are
        #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))]
        examples: PathBuf,
    },
    /// Run one workload on one engine in this process, without measuring (what `compare` starts)
    Run {
        engine: EngineKind,
        workload: String,
        #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))]
        examples: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Compare {
            rounds,
            workload,
            examples,
        } => compare(rounds, &workload, &examples),
        Command::Run {
            engine,
            workload,
            examples,
        } => Workload::named(&workload).and_then(|workload| engine.run(workload, &examples)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("teff-benches: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(rounds: u32, filter: &str, examples: &std::path::Path) -> Result<(), String> {
    let workloads: Vec<_> = Workload::ALL
        .iter()
        .filter(|workload| workload.name.contains(filter))
        .collect();
    if workloads.is_empty() {
        return Err(format!("no workload has `{filter}` in its name"));
    }
    let engines = EngineKind::available();
    report::print_header(&engines, rounds);
    for workload in workloads {
        // The first round warms the file cache and is not counted: it only shows that all engines print the same.
        let mut reference: Option<Vec<u8>> = None;
        for &engine in &engines {
            let run = measure::run(engine, workload, examples)?;
            match &reference {
                None => reference = Some(run.stdout),
                Some(expected) if *expected != run.stdout => {
                    return Err(format!(
                        "{}: {engine} prints something else than {}",
                        workload.name, engines[0]
                    ));
                }
                Some(_) => {}
            }
        }
        let mut runs: Vec<Vec<Run>> = engines.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds as usize {
            // Each round begins with another engine.
            for turn in 0..engines.len() {
                let index = (round + turn) % engines.len();
                runs[index].push(measure::run(engines[index], workload, examples)?);
            }
        }
        report::print_row(workload, &runs);
    }
    Ok(())
}
