//! Seed after seed until the time is over, with what differs shrunk and written to files.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::choices::Choices;
use crate::compare::{Census, Engines, Extent, guarded, validate};
use crate::shrink::shrink;
use crate::{Generator, text_of, write};

/// Every so many modules wasmi's calls are counted.
const CENSUS_INTERVAL: u64 = 16;
/// How often a line says how far things are, if there is no terminal for a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// A search for differences.
pub(crate) struct Campaign {
    pub(crate) generator: Generator,
    pub(crate) first_seed: u64,
    pub(crate) duration: Duration,
    /// The number of differences to stop after.
    pub(crate) stop_after: usize,
    /// The folder for files.
    pub(crate) out: PathBuf,
}

impl Campaign {
    /// Runs the campaign; says whether something differed.
    pub(crate) fn run(&self) -> Result<bool, String> {
        fs::create_dir_all(&self.out)
            .map_err(|error| format!("{} cannot be created: {error}", self.out.display()))?;
        let name = self.generator.name();
        // Whoever finds this file finds the seed that brought the whole process down.
        let current = self.out.join(format!("{name}-current-seed"));
        let mut engines = Engines::new()?;
        let mut progress = Progress::new(self.duration);
        let mut census = Census::default();
        let (mut modules, mut found) = (0, 0);
        for seed in self.first_seed.. {
            if progress.is_over() || found >= self.stop_after {
                break;
            }
            progress.update(seed, modules, found);
            write(&current, format!("{seed}\n").as_bytes())?;

            let mut choices = Choices::random(seed);
            let Some(wasm) = self.module(seed, &mut choices)? else {
                continue;
            };
            modules += 1;
            if modules % CENSUS_INTERVAL == 0 {
                let of_module = engines.census(&wasm);
                census.calls += of_module.calls;
                census.traps += of_module.traps;
            }
            let Some(difference) = engines.difference(&wasm, Extent::All) else {
                continue;
            };
            found += 1;
            progress.line(&format!("seed {seed} differs\n{difference}\nshrinking ..."));
            let numbers = shrink(choices.into_recorded(), |numbers| {
                self.differs(&mut engines, numbers)
            });
            let report = self.save(&mut engines, seed, numbers)?;
            progress.line(&report);
        }
        progress.finish();
        // Nothing brought the process down; it does not matter if the file is gone already.
        let _ = fs::remove_file(&current);
        println!(
            "{name}: {modules} modules in {} s from seed {} on, {found} differences; of {} calls in a sample {} trapped",
            progress.seconds(),
            self.first_seed,
            census.calls,
            census.traps,
        );
        Ok(found > 0)
    }

    /// The module of this seed. A generator that panics or makes an invalid module is broken, and the campaign with it.
    fn module(&self, seed: u64, choices: &mut Choices) -> Result<Option<Vec<u8>>, String> {
        let module = guarded(|| self.generator.module(choices))
            .map_err(|message| format!("seed {seed}: the generator panicked: {message}"))?;
        if let Some(wasm) = &module {
            validate(wasm).map_err(|error| {
                format!("seed {seed}: the generated module is not valid: {error}")
            })?;
        }
        Ok(module)
    }

    /// Whether the module of these numbers is one, and differs.
    fn differs(&self, engines: &mut Engines, numbers: &[u32]) -> bool {
        let mut choices = Choices::replay(numbers.to_vec());
        let Ok(Some(wasm)) = guarded(|| self.generator.module(&mut choices)) else {
            return false;
        };
        validate(&wasm).is_ok() && engines.difference(&wasm, Extent::First).is_some()
    }

    /// Writes the module of these numbers; says where, and what differs in it.
    fn save(&self, engines: &mut Engines, seed: u64, numbers: Vec<u32>) -> Result<String, String> {
        let wasm = self
            .module(seed, &mut Choices::replay(numbers))?
            .ok_or_else(|| format!("seed {seed}: shrunk to no module"))?;
        let difference = engines.difference(&wasm, Extent::All);
        let difference = difference.as_deref().unwrap_or("no difference any more");
        let name = format!("{}-{seed}", self.generator.name());
        let text = self.out.join(format!("{name}.wat"));
        let comment: String = difference
            .lines()
            .map(|line| format!(";; {line}\n"))
            .collect();
        write(&self.out.join(format!("{name}.wasm")), &wasm)?;
        write(&text, format!("{}\n{comment}", text_of(&wasm)?).as_bytes())?;
        Ok(format!("shrunk to {}\n{difference}", text.display()))
    }
}

/// Says how far things are: by a bar on a terminal, by a line now and then elsewhere.
struct Progress {
    start: Instant,
    duration: Duration,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Progress {
    fn new(duration: Duration) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} s, {msg}");
            ProgressBar::new(duration.as_secs())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let start = Instant::now();
        Self {
            start,
            duration,
            bar,
            last_line: start,
        }
    }

    fn is_over(&self) -> bool {
        self.start.elapsed() >= self.duration
    }

    fn seconds(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    fn update(&mut self, seed: u64, modules: u64, found: usize) {
        let message = || format!("seed {seed}, {modules} modules, {found} differences");
        if let Some(bar) = &self.bar {
            bar.set_position(self.seconds());
            bar.set_message(message());
        } else if self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            eprintln!("{} s, {}", self.seconds(), message());
        }
    }

    /// Prints a line that stays.
    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
