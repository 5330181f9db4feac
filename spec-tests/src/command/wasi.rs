//! `teff-spec-tests wasi`: the tests of WASI preview 1, by the command `teff`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use teff_spec_tests::program::Program;
use teff_spec_tests::wasi::{self, Options, Report, Suite};

use super::{BackendArg, parse_report, print, progress_bar, write_report};

/// Run the preview 1 tests of WebAssembly/wasi-testsuite.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo build --release -p teff-cli            first: the tests run the command teff
  teff-spec-tests wasi --suite wasi-testsuite  the suite: a checkout of its branch prod/testsuite-base
  teff-spec-tests wasi --suite wasi-testsuite --filter rust/ --backend all
  teff-spec-tests wasi --suite wasi-testsuite --teff \"qemu-aarch64-static PATH/teff\"

Folders are found by their manifest.json. Those of other versions of WASI, and of wasi-threads, are not run; the
command says so. The exit status is 0 if nothing failed, and 1 otherwise.")]
pub(crate) struct Wasi {
    /// The suite, with built tests
    #[arg(long, value_name = "DIR")]
    suite: PathBuf,
    /// Only tests whose folder and name contain this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The command to test, or words that begin its command line [default: the teff beside this program]
    #[arg(long, value_name = "COMMAND")]
    teff: Option<String>,
    /// How instructions are dispatched
    #[arg(long, value_enum, default_value_t = BackendArg::Default)]
    backend: BackendArg,
    /// Write every result to a file
    #[arg(long, value_name = "json=FILE", value_parser = parse_report)]
    report: Option<PathBuf>,
    /// Most time for one test, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    time_limit: u64,
}

impl Wasi {
    /// Runs everything; true if nothing failed.
    pub(crate) fn run(&self) -> Result<bool, String> {
        let program = match &self.teff {
            Some(command) => Program::named(command),
            None => Program::teff_beside()?,
        };
        let version = program.version()?;
        let mut suite = Suite::directory(&self.suite)?;
        if let Some(text) = &self.filter {
            suite.filter(text);
            if suite.cases.is_empty() {
                return Err(format!("no test's folder and name contain `{text}`"));
            }
        }
        let mut runs = Vec::new();
        for backend in self.backend.for_teff() {
            let options = Options {
                program: program.clone(),
                backend: backend.map(str::to_string),
                time_limit: Duration::from_secs(self.time_limit),
            };
            let bar = progress_bar(suite.cases.len());
            let run = wasi::run(&suite, &options, |case| {
                bar.set_message(case.name.clone());
                bar.inc(1);
            });
            bar.finish_and_clear();
            let mut text = format!("{version}, {} backend\n\n", backend.unwrap_or("default"));
            wasi::write(&mut text, &run, &suite.not_run).expect("a string takes any text");
            text.push('\n');
            print(&text)?;
            runs.push(run);
        }
        if let Some(path) = &self.report {
            let report = Report {
                schema: 1,
                engine: &version,
                runs: &runs,
            };
            write_report(path, &report)?;
        }
        Ok(runs.iter().all(|run| run.totals.failed == 0))
    }
}
