//! `starts`: whole command lines, from exec to exit, for modules from some KiB to many MiB: what it costs to start an
//! engine, load a module, and run the little of it that prints a line.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::build;
use crate::compare::progress_bar;
use crate::engine::{EngineKind, Runner};
use crate::measure::{self, Run};
use crate::peak::peak_kib;
use crate::programs;
use crate::report::{Times, processor};

/// What to measure, and how.
pub(crate) struct Plan {
    pub(crate) engines: Vec<EngineKind>,
    /// Further columns of the command `teff`: a label and the options of `teff run`.
    pub(crate) variants: Vec<(String, Vec<String>)>,
    pub(crate) modules: Vec<String>,
    pub(crate) runs: u32,
    pub(crate) limit: Duration,
}

/// A command line that runs one module, and by what it is known that it did.
struct Module {
    name: &'static str,
    what: &'static str,
    path: PathBuf,
    args: &'static [&'static str],
    /// Part of what it prints.
    prints: &'static str,
}

/// No engine is run for longer than this on one module, however many runs were asked for (but always some).
const LONGEST: Duration = Duration::from_secs(30);
const ALWAYS: u32 = 5;

#[derive(Serialize)]
pub(crate) struct Report {
    processor: String,
    core: Option<usize>,
    modules: Vec<ModuleReport>,
}

#[derive(Serialize)]
struct ModuleReport {
    module: &'static str,
    what: &'static str,
    bytes: u64,
    engines: Vec<EngineReport>,
}

#[derive(Serialize)]
struct EngineReport {
    engine: String,
    runs: usize,
    /// Of one run more. Nothing where the system does not tell.
    peak_kib: Option<u64>,
    /// Nothing if it failed, for this reason.
    times: Result<Times, String>,
}

pub(crate) fn starts(plan: &Plan, core: Option<usize>) -> Result<Report, String> {
    let modules = modules(&plan.modules)?;
    let starters = starters(plan)?;
    let core = measure::pin(core)?;
    let mut reports = Vec::new();
    for module in &modules {
        reports.push(measure_module(plan, module, &starters)?);
    }
    Ok(Report {
        processor: processor(),
        core,
        modules: reports,
    })
}

/// An engine with the beginning of its command line.
struct Starter {
    label: String,
    program: PathBuf,
    args: Vec<OsString>,
}

impl Starter {
    /// Copies the program, as an installation would. What a linker has just written lies in the file cache in smaller
    /// pieces than what was copied or read, which costs a start up to a quarter more.
    fn new(label: String, command: &Command, args: &[String]) -> Result<Self, String> {
        let from = PathBuf::from(command.get_program());
        let directory = build::target_directory()?.join("starts/bin");
        let program = directory.join(from.file_name().unwrap_or(from.as_os_str()));
        fs::create_dir_all(&directory)
            .and_then(|()| fs::copy(&from, &program))
            .map_err(|error| {
                format!(
                    "cannot copy {} to {}: {error}",
                    from.display(),
                    program.display()
                )
            })?;
        let args = command
            .get_args()
            .map(OsString::from)
            .chain(args.iter().map(OsString::from));
        Ok(Self {
            label,
            program,
            args: args.collect(),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        command
    }
}

fn starters(plan: &Plan) -> Result<Vec<Starter>, String> {
    let mut starters = Vec::new();
    for &engine in &plan.engines {
        if engine.config().is_none() {
            let runner: Runner = engine.prepare()?;
            if let Some(command) = runner.module_command() {
                starters.push(Starter::new(runner.label(), &command, &[])?);
            }
            continue;
        }
        // teff is measured as the command that people use, with its defaults and with the options asked for.
        if engine != EngineKind::Teff {
            continue;
        }
        let mut teff = Command::new(build::teff_command()?);
        teff.arg("run");
        let always = [
            ("teff".to_owned(), Vec::new()),
            (
                "teff, validated lazily".to_owned(),
                vec!["--compilation-mode".to_owned(), "lazy".to_owned()],
            ),
        ];
        for (label, options) in always.iter().chain(&plan.variants) {
            starters.push(Starter::new(label.clone(), &teff, options)?);
        }
    }
    Ok(starters)
}

/// The modules with one of these names; those that cannot be built here are left out, with a remark.
fn modules(names: &[String]) -> Result<Vec<Module>, String> {
    let built = build::target_directory()?.join("starts");
    let script = programs::directory().join("starts/build.sh");
    let done = Command::new("bash").arg(&script).arg(&built).status();
    if !done.is_ok_and(|status| status.success()) {
        eprintln!(
            "{} failed: the modules that it builds are left out",
            script.display()
        );
    }
    let all = [
        Module {
            name: "hello-c",
            what: "a C program, puts",
            path: programs::directory().join("wasm/hello.wasm"),
            args: &[],
            prints: "Hello from C",
        },
        Module {
            name: "hello-go",
            what: "a Go program, fmt.Println",
            path: built.join("hello-go.wasm"),
            args: &[],
            prints: "Hello from Go",
        },
        Module {
            name: "gotour",
            what: "a larger Go program of which little runs",
            path: build::root().join("examples/gotour.wasm"),
            args: &["hello"],
            prints: "",
        },
        Module {
            name: "go-test",
            what: "the test binary of Go's encoding/json, without running a test",
            path: built.join("go-test.wasm"),
            args: &["-test.run=^$"],
            prints: "PASS",
        },
    ];
    if let Some(wrong) = names
        .iter()
        .find(|name| all.iter().all(|module| module.name != **name))
    {
        return Err(format!("no module to start is called `{wrong}`"));
    }
    let wanted = |module: &Module| {
        module.path.exists() && (names.is_empty() || names.iter().any(|name| name == module.name))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

fn measure_module(
    plan: &Plan,
    module: &Module,
    starters: &[Starter],
) -> Result<ModuleReport, String> {
    let command = |starter: &Starter| {
        let mut command = starter.command();
        command.arg(&module.path).args(module.args);
        command
    };
    let run = |starter: &Starter| -> Result<Run, String> {
        let run = measure::run(command(starter), plan.limit)?;
        let prints = String::from_utf8_lossy(&run.stdout).contains(module.prints);
        // What it prints was checked just now: only the status is left to look at.
        match run.failure(&run.stdout) {
            Some(reason) => Err(reason),
            None if run.stdout.is_empty() || !prints => Err("wrong output".to_owned()),
            None => Ok(run),
        }
    };
    // Not counted: it warms the file cache, finds who fails, and how many runs there is time for.
    let bar = progress_bar(starters.len());
    let mut results: Vec<(Result<Vec<Run>, String>, u32)> = Vec::new();
    for starter in starters {
        bar.set_message(format!("{}: {}", module.name, starter.label));
        let first = run(starter);
        let wanted = first.as_ref().map_or(0, |run| {
            let affordable = LONGEST.as_micros() / run.wall.as_micros().max(1);
            u32::try_from(affordable)
                .unwrap_or(u32::MAX)
                .clamp(ALWAYS, plan.runs.max(ALWAYS))
        });
        results.push((first.map(|_| Vec::new()), wanted.min(plan.runs)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let bar = progress_bar(results.iter().map(|(_, wanted)| *wanted as usize).sum());
    bar.set_message(module.name);
    let mut order: Vec<usize> = (0..starters.len()).collect();
    for round in 0..plan.runs {
        // Each run finds caches as the one before left them: so none always comes after the same other one.
        shuffle(&mut order, round);
        for &index in &order {
            let (result, wanted) = &mut results[index];
            let Ok(runs) = result else { continue };
            if runs.len() < *wanted as usize {
                match run(&starters[index]) {
                    Ok(run) => runs.push(run),
                    Err(reason) => *result = Err(reason),
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    let engines = starters
        .iter()
        .zip(results)
        .map(|(starter, (result, _))| EngineReport {
            engine: starter.label.clone(),
            runs: result.as_ref().map_or(0, Vec::len),
            peak_kib: result
                .as_ref()
                .ok()
                .and_then(|_| peak_kib(command(starter)).ok()?),
            times: result.map(|runs| Times::of(&runs)),
        });
    Ok(ModuleReport {
        module: module.name,
        what: module.what,
        bytes: file_size(&module.path)?,
        engines: engines.collect(),
    })
}

/// Puts a list in another order, for each round a different one.
fn shuffle(order: &mut [usize], round: u32) {
    // A linear congruential generator (Knuth's MMIX).
    let mut state = u64::from(round) + 1;
    for last in (1..order.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (state >> 33) as usize % (last + 1));
    }
}

fn file_size(path: &Path) -> Result<u64, String> {
    let data = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(data.len())
}

impl Report {
    pub(crate) fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| error.to_string())
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "Whole command lines from exec to exit, interleaved, on one core of {}. CPU time is user and system.\n",
            self.processor
        );
        for module in &self.modules {
            let _ = writeln!(
                text,
                "\n**{}**: {}, {:.1} KiB\n\n| | CPU, median | CPU, least | wall, median | peak memory | runs |\n|---|--:|--:|--:|--:|--:|",
                module.module,
                module.what,
                module.bytes as f64 / 1024.0
            );
            for engine in &module.engines {
                let _ = match &engine.times {
                    Ok(times) => writeln!(
                        text,
                        "| {} | {:.2} ms | {:.2} ms | {:.2} ms | {} | {} |",
                        engine.engine,
                        times.cpu * 1e3,
                        times.cpu_min * 1e3,
                        times.wall * 1e3,
                        engine.peak_kib.map_or("?".to_owned(), |peak| {
                            format!("{:.1} MiB", peak as f64 / 1024.0)
                        }),
                        engine.runs
                    ),
                    Err(reason) => {
                        writeln!(text, "| {} | failed: {reason} | | | | |", engine.engine)
                    }
                };
            }
        }
        text
    }
}
