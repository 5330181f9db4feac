//! `teff-benches`: the same programs on teff and on other engines, in one run, as ratios.
//!
//! Every measured run is a process of its own, which loads one module, runs it and ends. So a run pays for all of its
//! work, from the bytes to the exit, and one engine's caches and memory do not touch another's. The engines take turns
//! within a round, so that a machine that gets slower does so for all; before any time is taken, outputs are compared
//! with what is expected. CPU time is counted (user and system), and the median of the rounds is reported.

mod compare;
mod engine;
mod measure;
mod peers;
mod programs;
mod report;
mod teff;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::compare::Plan;
use crate::engine::EngineKind;
use crate::programs::{Program, Size};

/// Measures teff, beside other engines (those only in a build with `--features peers`).
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure programs on engines, and print a table in Markdown
    ///
    /// The first engine is the reference of the ratios. An engine that fails, prints something else than the program
    /// should, or takes too long is shown as failed, and not timed.
    Compare {
        /// Only this engine (may be given several times; the first is the reference) [default: all]
        #[arg(long, value_name = "NAME")]
        engine: Vec<EngineKind>,
        /// Only the programs with this text in their name (may be given several times)
        #[arg(long, value_name = "TEXT")]
        bench: Vec<String>,
        /// How often each engine runs each program
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Run on this core [default: the last one]
        #[arg(long, value_name = "N")]
        core: Option<usize>,
        /// How long one run may take, in seconds; it may also take at most 20 times what the reference takes
        #[arg(long, value_name = "S", default_value_t = 60)]
        timeout: u64,
        /// Write all numbers to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Write the table to this file too
        #[arg(long, value_name = "FILE")]
        markdown: Option<PathBuf>,
    },
    /// Run one program on one engine, without measuring
    Run {
        #[arg(long, value_name = "NAME")]
        engine: EngineKind,
        #[arg(long, value_name = "NAME")]
        bench: String,
        /// The little work that the tests do
        #[arg(long)]
        tiny: bool,
    },
    /// Name the programs and the engines
    List,
    /// Run a module on teff in this process (what the other commands start)
    #[command(hide = true)]
    Teff {
        engine: EngineKind,
        module: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Compare {
            engine,
            bench,
            rounds,
            core,
            timeout,
            json,
            markdown,
        } => plan(engine, &bench, rounds, timeout)
            .and_then(|plan| compare::compare(&plan, core))
            .and_then(|report| {
                let table = report.markdown();
                print!("{table}");
                if let Some(path) = json {
                    write(&path, &report.json()?)?;
                }
                markdown.map_or(Ok(()), |path| write(&path, &table))
            }),
        Command::Run {
            engine,
            bench,
            tiny,
        } => run(engine, &bench, if tiny { Size::Tiny } else { Size::Full }),
        Command::List => {
            list();
            Ok(())
        }
        Command::Teff {
            engine,
            module,
            args,
        } => run_here(engine, &module, &args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("teff-benches: {message}");
            ExitCode::FAILURE
        }
    }
}

fn plan(
    engines: Vec<EngineKind>,
    bench: &[String],
    rounds: u32,
    timeout: u64,
) -> Result<Plan, String> {
    Ok(Plan {
        engines: if engines.is_empty() {
            EngineKind::available()
        } else {
            engines
        },
        programs: Program::matching(bench)?,
        rounds,
        limit: Duration::from_secs(timeout),
    })
}

fn run(engine: EngineKind, bench: &str, size: Size) -> Result<(), String> {
    let program = Program::named(bench)?;
    let status = engine
        .prepare()?
        .command(program, size)
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{bench} on {engine}: {status}"))
    }
}

fn run_here(engine: EngineKind, module: &Path, args: &[String]) -> Result<(), String> {
    let config = engine
        .config()
        .ok_or_else(|| format!("{engine} is not teff"))?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    teff::run(&config, programs::read(module)?, module, &args).map_err(|error| format!("{error:?}"))
}

fn list() {
    println!("Programs:");
    for program in Program::ALL {
        println!(
            "  {:<12} {:<5} {}",
            program.name, program.language, program.what
        );
    }
    println!("Engines of this build:");
    for engine in EngineKind::available() {
        println!("  {:<12} {engine}", engine.name());
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
