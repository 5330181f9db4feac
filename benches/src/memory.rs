//! `memory`: how much a module costs when it is loaded, with all its code translated, and for each instance of it.
//! Each number is taken in a process of its own, which tells what is resident and allocated at each stage.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::build;
use crate::compare::{prepare, progress_bar};
use crate::engine::{EngineKind, Runner};
use crate::measure;
use crate::programs;
use crate::stages::FURTHER_INSTANCES;

/// What a process said at one stage, in bytes.
#[derive(Copy, Clone)]
struct Stage {
    resident: f64,
    allocated: f64,
}

/// The stages of one process: `start`, `loaded` (not in every engine), `instance` (the first), `instances` (all).
struct Stages(BTreeMap<String, Stage>);

/// Measures the engines, and returns a table in Markdown for each module.
pub(crate) fn memory(engines: &[EngineKind]) -> Result<String, String> {
    let runners = prepare(engines)?;
    let modules = modules();
    let bar = progress_bar(modules.len() * runners.len());
    let mut text = format!(
        "MiB resident beyond the started engine, with one instance; KiB resident for each of {FURTHER_INSTANCES} further \
         instances; and bytes of translated code for each byte of Wasm code (by malloc's count).\n"
    );
    for module in modules {
        let bytes = programs::read(&module)?;
        let code = code_size(&bytes).unwrap_or(bytes.len());
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(
            text,
            "\n**{name}**: {:.1} KiB, {:.1} KiB of it code\n\n| | loaded, as by default | all translated | further instance | code / Wasm code |\n|---|--:|--:|--:|--:|",
            bytes.len() as f64 / 1024.0,
            code as f64 / 1024.0
        );
        for runner in &runners {
            bar.set_message(format!("{name}: {}", runner.engine));
            row(&mut text, runner, &module, code as f64);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(text)
}

/// From some tens of KiB to some MiB.
fn modules() -> Vec<PathBuf> {
    let wasm = programs::directory().join("wasm");
    vec![
        wasm.join("json.wasm"),
        wasm.join("collections.wasm"),
        wasm.join("go.wasm"),
        build::root().join("examples/gotour.wasm"),
    ]
}

fn row(text: &mut String, runner: &Runner, module: &Path, code: f64) {
    let Some((by_default, eager)) = runner.memory_commands(module) else {
        return;
    };
    let _ = write!(text, "| {} |", runner.label());
    let lazy = match Stages::of(by_default) {
        Ok(stages) => stages,
        Err(reason) => {
            let _ = writeln!(text, " failed: {reason} | | | |");
            return;
        }
    };
    let eager = Stages::of(eager).ok();
    let mib = |stages: &Stages| {
        stages
            .resident("instance")
            .map(|bytes| bytes / (1024.0 * 1024.0))
    };
    cell(text, mib(&lazy), "");
    cell(text, eager.as_ref().and_then(mib), "");
    let further = lazy.resident("instances").zip(lazy.resident("instance"));
    let further = further.map(|(all, one)| (all - one) / FURTHER_INSTANCES as f64);
    cell(text, further.map(|bytes| bytes / 1024.0), "");
    // The same process but for the translation; in an engine without that choice all that loading allocates.
    let translated = eager.as_ref().and_then(|eager| {
        let difference = eager.allocated("instance")? - lazy.allocated("instance")?;
        if difference > 0.1 * code {
            return Some(("", difference));
        }
        let all = eager.allocated("loaded").or(further)?;
        Some(("at most ", all))
    });
    let note = translated.map_or("", |(note, _)| note);
    cell(text, translated.map(|(_, bytes)| bytes / code), note);
    text.push('\n');
}

fn cell(text: &mut String, value: Option<f64>, note: &str) {
    let _ = match value {
        Some(value) => write!(text, " {note}{value:.2} |"),
        None => write!(text, " - |"),
    };
}

impl Stages {
    /// Runs a process that prints its stages.
    fn of(command: Command) -> Result<Self, String> {
        let run = measure::run(command, Duration::from_secs(120))?;
        if let Some(reason) = run.failure(&run.stdout) {
            return Err(reason);
        }
        let mut stages = BTreeMap::new();
        for line in String::from_utf8_lossy(&run.stdout).lines() {
            let mut words = line.split(' ');
            let mut next = || words.next().ok_or_else(|| format!("`{line}` is no stage"));
            let name = next()?.to_owned();
            let mut number = || -> Result<f64, String> {
                let word = next()?;
                word.parse().map_err(|_| format!("`{word}` is no number"))
            };
            let (resident, allocated) = (number()?, number()?);
            stages.insert(
                name,
                Stage {
                    resident,
                    allocated,
                },
            );
        }
        Ok(Self(stages))
    }

    /// Beyond what there was at the start.
    fn resident(&self, stage: &str) -> Option<f64> {
        Some(self.0.get(stage)?.resident - self.0.get("start")?.resident)
    }

    /// Beyond what there was at the start.
    fn allocated(&self, stage: &str) -> Option<f64> {
        Some(self.0.get(stage)?.allocated - self.0.get("start")?.allocated)
    }
}

/// The size of the code section; nothing if the module is not well formed.
fn code_size(module: &[u8]) -> Option<usize> {
    let mut rest = module.get(8..)?;
    loop {
        let (&id, after) = rest.split_first()?;
        let mut size = 0usize;
        let mut used = 0;
        for &byte in after.iter().take(5) {
            size |= usize::from(byte & 0x7f) << (7 * used);
            used += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if id == 10 {
            return Some(size);
        }
        rest = after.get(used..)?.get(size..)?;
    }
}
