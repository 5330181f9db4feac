//! `teff-fuzz`: random modules on every configuration of teff and on other engines; whatever differs is a bug.
//!
//! A module is made of a stream of choices, which a seed determines (`choices`), by one of two generators (`generate`,
//! `smith`). The engines (`engines`) run it and say what they observed (`outcome`); `compare` finds what differs, and
//! `shrink` makes the stream small while it still does. `campaign` does this seed after seed.

mod campaign;
mod choices;
mod compare;
mod engines;
mod generate;
mod outcome;
mod shrink;
mod smith;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::campaign::Campaign;
use crate::choices::Choices;
use crate::compare::{Engines, Extent, guarded, validate};

/// The exit code if the program could not do its work; 1 is for differences.
const FAILURE: u8 = 2;

/// Looks for modules that teff runs in another way than other engines, or in several ways itself.
///
/// Every module runs on five configurations of teff and on wasmi. Where one differs from wasmi, V8 decides, through the
/// command `node`; without that, every such difference is reported, and wasmi has bugs of its own. Build with --release:
/// teff's debug assertions and overflow checks are on in that profile, too.
///
/// The exit code is 0 if nothing differs, 1 if something does, 2 if the work could not be done.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Examples:
  teff-fuzz own --seconds 3600              an hour, from seed 1 on
  teff-fuzz smith --seconds 60 --seed 5000
  teff-fuzz show own 17 > module.wat        what seed 17 is
  teff-fuzz check module.wat                whether it still differs"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fuzz with the own generator, whose modules are hard for an interpreter
    Own(Plan),
    /// Fuzz with wasm-smith, whose modules are of every valid shape
    Smith(Plan),
    /// Run a module, .wasm or .wat, and say what differs
    Check {
        /// The module; it may import the functions `h.h0` and `h.h1` that the own generator's modules do
        file: PathBuf,
    },
    /// Print the module of a seed as text, and say what differs
    Show {
        /// The generator
        generator: Generator,
        /// The seed
        seed: u64,
        /// Write the module in the binary format, too
        #[arg(long, value_name = "FILE")]
        wasm: Option<PathBuf>,
    },
}

#[derive(Args)]
struct Plan {
    /// How long to look for differences; shrinking one can take a minute more
    #[arg(long)]
    seconds: u64,
    /// The first seed; the others follow it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many differences
    #[arg(long, default_value_t = 5, value_name = "N")]
    stop_after: usize,
    /// Where modules that differ go, shrunk, and the seed under way
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/out"), hide_default_value = true)]
    #[arg(
        help = "Where modules that differ go, shrunk, and the seed under way [default: fuzz/out]"
    )]
    out: PathBuf,
}

/// What makes modules of choices.
#[derive(Copy, Clone, ValueEnum)]
enum Generator {
    /// The own generator
    Own,
    /// wasm-smith
    Smith,
}

impl Generator {
    /// What files are called after.
    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Smith => "smith",
        }
    }

    /// The module of these choices; `None` if there is none.
    fn module(self, choices: &mut Choices) -> Option<Vec<u8>> {
        match self {
            Self::Own => Some(generate::generate(choices)),
            Self::Smith => smith::generate(choices),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    compare::silence_guarded_panics();
    match run(cli.command) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("teff-fuzz: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

/// Says whether something differed.
fn run(command: Command) -> Result<bool, String> {
    match command {
        Command::Own(plan) => fuzz(Generator::Own, plan),
        Command::Smith(plan) => fuzz(Generator::Smith, plan),
        Command::Check { file } => {
            // This reads the binary format as well, and its errors name the file.
            let wasm = wat::parse_file(&file).map_err(|error| error.to_string())?;
            validate(&wasm).map_err(|error| format!("{} is not valid: {error}", file.display()))?;
            report(&wasm, "")
        }
        Command::Show {
            generator,
            seed,
            wasm: file,
        } => {
            let wasm = guarded(|| generator.module(&mut Choices::random(seed)))
                .map_err(|message| format!("the generator panicked: {message}"))?
                .ok_or("there is no module of this seed")?;
            if let Some(file) = file {
                write(&file, &wasm)?;
            }
            let text = text_of(&wasm)?;
            println!("{text}");
            validate(&wasm).map_err(|error| format!("the module is not valid: {error}"))?;
            report(&wasm, ";; ")
        }
    }
}

fn fuzz(generator: Generator, plan: Plan) -> Result<bool, String> {
    Campaign {
        generator,
        first_seed: plan.seed,
        duration: Duration::from_secs(plan.seconds),
        stop_after: plan.stop_after,
        out: plan.out,
    }
    .run()
}

/// Prints what differs, every line behind the prefix, and says whether something does.
fn report(wasm: &[u8], prefix: &str) -> Result<bool, String> {
    let difference = Engines::new()?.difference(wasm, Extent::All);
    let text = difference.as_deref().unwrap_or("no difference");
    for line in text.lines() {
        println!("{prefix}{line}");
    }
    Ok(difference.is_some())
}

/// The module in the text format.
fn text_of(wasm: &[u8]) -> Result<String, String> {
    wasmprinter::print_bytes(wasm).map_err(|error| format!("the module cannot be printed: {error}"))
}

fn write(file: &std::path::Path, content: &[u8]) -> Result<(), String> {
    std::fs::write(file, content)
        .map_err(|error| format!("{} cannot be written: {error}", file.display()))
}
