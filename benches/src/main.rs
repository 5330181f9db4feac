//! `teff-benches`: the same programs on teff and on other engines, in one run, as ratios.
//!
//! Every measured run is a process of its own, which loads one module, runs it and ends. So a run pays for all of its
//! work, from the bytes to the exit, and one engine's caches and memory do not touch another's. The engines take turns
//! within a round, so that a machine that gets slower does so for all; before any time is taken, outputs are compared
//! with what is expected. CPU time is counted (user and system), and the median of the rounds is reported.

mod build;
mod compare;
mod engine;
mod measure;
mod memory;
mod peak;
mod plot;
mod programs;
mod report;
#[allow(unreachable_pub, reason = "shared with the peers, where it is public")]
#[path = "../peers/wasi/src/stages.rs"]
mod stages;
mod starts;
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
        /// The little work that the tests do: to try the command, not to measure
        #[arg(long)]
        tiny: bool,
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
        /// Draw the ratios to this file
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Measure what it costs to start: whole command lines, from exec to exit
    ///
    /// teff is the command `teff run`, which is built for this; the others are minimal commands of their own.
    Starts {
        /// Only this engine (may be given several times) [default: all]
        #[arg(long, value_name = "NAME")]
        engine: Vec<EngineKind>,
        /// Only this module: hello-c, hello-go, gotour or go-test (may be given several times)
        #[arg(long, value_name = "NAME")]
        module: Vec<String>,
        /// A further row for teff with options of `teff run`, such as `4 threads=--compilation-threads 4` (may be given several times)
        #[arg(long, value_name = "LABEL=OPTIONS", value_parser = variant)]
        variant: Vec<(String, Vec<String>)>,
        /// How often each is run (large modules less often)
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        runs: u32,
        /// Run on this core [default: the last one]
        #[arg(long, value_name = "N")]
        core: Option<usize>,
        /// Write all numbers to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Write the tables to this file too
        #[arg(long, value_name = "FILE")]
        markdown: Option<PathBuf>,
    },
    /// Measure the memory of a loaded module, of its translated code and of further instances
    Memory {
        /// Only this engine (may be given several times) [default: all]
        #[arg(long, value_name = "NAME")]
        engine: Vec<EngineKind>,
        /// Write the tables to this file too
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
        /// Tell the memory of loading it instead
        #[arg(long)]
        memory: bool,
        /// The same with everything translated
        #[arg(long)]
        memory_eager: bool,
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
            tiny,
            core,
            timeout,
            json,
            markdown,
            svg,
        } => plan(engine, &bench, size(tiny), rounds, timeout)
            .and_then(|plan| compare::compare(&plan, core))
            .and_then(|report| {
                if let Some(path) = json {
                    write(&path, &report.json()?)?;
                }
                if let Some(path) = svg {
                    write(&path, &plot::svg(&report))?;
                }
                show(&report.markdown(), markdown)
            }),
        Command::Starts {
            engine,
            module,
            variant,
            runs,
            core,
            json,
            markdown,
        } => {
            let plan = starts::Plan {
                engines: or_all(engine),
                variants: variant,
                modules: module,
                runs,
                limit: Duration::from_secs(120),
            };
            starts::starts(&plan, core).and_then(|report| {
                if let Some(path) = json {
                    write(&path, &report.json()?)?;
                }
                show(&report.markdown(), markdown)
            })
        }
        Command::Memory { engine, markdown } => {
            memory::memory(&or_all(engine)).and_then(|table| show(&table, markdown))
        }
        Command::Run {
            engine,
            bench,
            tiny,
        } => run(engine, &bench, size(tiny)),
        Command::List => {
            list();
            Ok(())
        }
        Command::Teff {
            engine,
            memory,
            memory_eager,
            module,
            args,
        } => here(
            engine,
            (memory || memory_eager).then_some(memory_eager),
            &module,
            &args,
        ),
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
    size: Size,
    rounds: u32,
    timeout: u64,
) -> Result<Plan, String> {
    Ok(Plan {
        engines: or_all(engines),
        programs: Program::matching(bench)?,
        size,
        rounds,
        limit: Duration::from_secs(timeout),
    })
}

fn run(engine: EngineKind, bench: &str, size: Size) -> Result<(), String> {
    let program = Program::named(bench)?;
    let command = engine.prepare()?.command(program, size);
    let mut command = command.ok_or_else(|| format!("there is no {bench} for {engine}"))?;
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{bench} on {engine}: {status}"))
    }
}

/// Runs a module, or tells its memory: `memory` says whether with everything translated.
fn here(
    engine: EngineKind,
    memory: Option<bool>,
    module: &Path,
    args: &[String],
) -> Result<(), String> {
    let config = engine
        .config()
        .ok_or_else(|| format!("{engine} is not teff"))?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let bytes = programs::read(module)?;
    match memory {
        None => teff::run(&config, engine.is_metered(), bytes, module, &args),
        Some(eager) => teff::memory(config, bytes, eager),
    }
    .map_err(|error| format!("{error:?}"))
}

fn size(tiny: bool) -> Size {
    if tiny { Size::Tiny } else { Size::Full }
}

fn or_all(engines: Vec<EngineKind>) -> Vec<EngineKind> {
    if engines.is_empty() {
        EngineKind::available()
    } else {
        engines
    }
}

/// Reads `LABEL=OPTIONS`.
fn variant(text: &str) -> Result<(String, Vec<String>), String> {
    let (label, options) = text.split_once('=').ok_or("it has no `=`")?;
    let options = options.split_whitespace().map(str::to_owned);
    Ok((format!("teff, {label}"), options.collect()))
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

/// Prints a text, and writes it to a file if one is given.
fn show(text: &str, file: Option<PathBuf>) -> Result<(), String> {
    print!("{text}");
    file.map_or(Ok(()), |path| write(&path, text))
}
