//! `teff-spec-tests run`: scripts of the official suite, in the configurations asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use teff_runtime::{Backend, CodeForm, Config};
use teff_spec_tests::pool::{self, Options};
use teff_spec_tests::result::{FileResult, Report, RunResult, Status};
use teff_spec_tests::suite::Suite;
use teff_spec_tests::table;

use super::{BackendArg, parse_report, print, progress_bar, write_report};

/// Run test files: those named, those below --suite, or else the suite that is built in.
#[derive(Args)]
#[command(after_help = "\
Examples:
  teff-spec-tests run                                    the built-in suite, default backend
  teff-spec-tests run --backend all --form all           in every configuration
  teff-spec-tests run --filter core/simd                 only files whose path has this text
  teff-spec-tests run --suite spec/test/core             a checkout of the specification
  teff-spec-tests run -vv my.wast                        one file, every directive
  teff-spec-tests run --report json=results.json         every directive's result as JSON

The exit status is 0 if nothing failed, and 1 otherwise. The column `text` counts the assertions about
the text format that hold: they are decided by the crate `wast`, not by teff.")]
pub(crate) struct Run {
    /// Test scripts
    #[arg(value_name = "FILE.wast", conflicts_with = "suite")]
    files: Vec<PathBuf>,
    /// All .wast files below this directory
    #[arg(long, value_name = "DIR")]
    suite: Option<PathBuf>,
    /// How instructions are dispatched
    #[arg(long, value_enum, default_value_t = BackendArg::Default)]
    backend: BackendArg,
    /// How translated code names its handlers
    #[arg(long, value_enum, default_value_t = FormArg::Direct)]
    form: FormArg,
    /// Meter the code, with fuel and epochs enough
    #[arg(long)]
    metered: bool,
    /// Make an image of each module, and run that: code in the compact form
    #[arg(long)]
    images: bool,
    /// Only files whose folder and name contain this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write every result to a file
    #[arg(long, value_name = "json=FILE", value_parser = parse_report)]
    report: Option<PathBuf>,
    /// Fail refused modules whose error does not contain the specification's message
    #[arg(long)]
    strict_messages: bool,
    /// Most time for one file, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    time_limit: u64,
    /// List files; twice: every directive that did not pass
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Copy, Clone, PartialEq, Eq, ValueEnum)]
enum FormArg {
    Direct,
    Compact,
    All,
}

impl Run {
    fn suite(&self) -> Result<Suite, String> {
        let mut suite = match &self.suite {
            _ if !self.files.is_empty() => Suite::files(&self.files),
            Some(dir) => Suite::directory(dir)?,
            None => Suite::embedded(),
        };
        if let Some(text) = &self.filter {
            suite.filter(text);
            if suite.files.is_empty() {
                return Err(format!("no file's path contains `{text}`"));
            }
        }
        Ok(suite)
    }

    fn configurations(&self) -> Result<Vec<Options>, String> {
        let backends = match self.backend {
            BackendArg::Default => &Config::BACKENDS[..1],
            BackendArg::Threaded => &[Backend::Threaded],
            BackendArg::Loop => &[Backend::Loop],
            BackendArg::All => Config::BACKENDS,
        };
        let forms: &[_] = match self.form {
            _ if self.images => &[CodeForm::Compact],
            FormArg::Direct => &[CodeForm::Direct],
            FormArg::Compact => &[CodeForm::Compact],
            FormArg::All => &[CodeForm::Direct, CodeForm::Compact],
        };
        let mut all = Vec::new();
        for &backend in backends {
            if !Config::BACKENDS.contains(&backend) {
                return Err(format!("this build of teff has no {backend:?} backend"));
            }
            all.extend(forms.iter().map(|&form| Options {
                metered: self.metered,
                images: self.images,
                strict_messages: self.strict_messages,
                time_limit: Duration::from_secs(self.time_limit),
                ..Options::new(backend, form)
            }));
        }
        Ok(all)
    }

    /// Runs everything; true if nothing failed.
    pub(crate) fn run(&self) -> Result<bool, String> {
        let suite = self.suite()?;
        let configurations = self.configurations()?;
        let scripts = pool::load(&suite);
        let mut runs: Vec<RunResult> = Vec::new();
        for options in &configurations {
            let bar = progress_bar(scripts.len());
            let run = pool::run(&scripts, options, |file| {
                bar.set_message(file.name.clone());
                bar.inc(1);
            });
            bar.finish_and_clear();
            let run = run.map_err(|e| format!("cannot make an engine: {e}"))?;
            print(&self.text(&suite.name, &run))?;
            runs.push(run);
        }
        if let Some(path) = &self.report {
            write_report(path, &Report::new(&suite.name, &runs))?;
        }
        Ok(runs.iter().all(|run| run.totals.failed == 0))
    }

    fn text(&self, suite: &str, run: &RunResult) -> String {
        let (backend, form) = (&run.backend, &run.form);
        let metered = if self.metered { ", metered" } else { "" };
        let images = if self.images { ", images" } else { "" };
        let mut text = format!("{suite}: {backend} backend, {form} form{metered}{images}\n\n");
        if self.verbose > 0 {
            for file in &run.files {
                self.describe(file, &mut text);
            }
            text.push('\n');
        }
        table::write(&mut text, run).expect("a string takes any text");
        text.push('\n');
        text
    }

    fn describe(&self, file: &FileResult, text: &mut String) {
        use std::fmt::Write;
        let totals = file.totals();
        let _ = writeln!(
            text,
            "{}/{}: {} passed, {} failed, {} skipped, {} text, {:.2} s",
            file.group,
            file.name,
            totals.passed,
            totals.failed,
            totals.skipped,
            totals.text_delegated,
            file.seconds
        );
        if self.verbose < 2 {
            return;
        }
        for directive in &file.directives {
            let (line, kind) = (directive.line, directive.kind);
            let _ = match &directive.status {
                Status::Passed | Status::TextDelegated => Ok(()),
                Status::Failed(why) => writeln!(text, "  {line}: {kind}: FAILED: {why}"),
                Status::Skipped(why) => writeln!(text, "  {line}: {kind}: skipped: {why}"),
            };
        }
    }
}
