//! Comparing what the engines say of a module.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use wasmparser::{Validator, WasmFeatures};

use crate::engines::teff::{self, Configuration};
use crate::engines::v8::{V8, Verdict};
use crate::engines::wasmi::Wasmi;
use crate::outcome::{Ending, Outcome};

/// All engines.
pub(crate) struct Engines {
    teff: Vec<Configuration>,
    wasmi: Wasmi,
    v8: V8,
}

/// How many configurations a comparison goes on to after one that differs.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Extent {
    /// None: enough to know that there is a difference.
    First,
    /// All, for a report.
    All,
}

/// How the calls of a module ended, to see that a generator makes modules that do something.
#[derive(Default)]
pub(crate) struct Census {
    pub(crate) calls: usize,
    pub(crate) traps: usize,
}

impl Engines {
    /// Starts all engines but V8, which starts when it is needed.
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {
            teff: teff::configurations()
                .map_err(|error| format!("teff cannot be configured: {error}"))?,
            wasmi: Wasmi::new(),
            v8: V8::default(),
        })
    }

    /// What wasmi says of the module, counted.
    pub(crate) fn census(&self, wasm: &[u8]) -> Census {
        let Ok(outcome) = guarded(|| self.wasmi.run(wasm)) else {
            return Census::default();
        };
        let trapped = |(_, ending): &&(String, Ending)| matches!(ending, Ending::Trapped(_));
        Census {
            calls: outcome.calls.len(),
            traps: outcome.calls.iter().filter(trapped).count(),
        }
    }

    /// What is wrong with teff's work on this module, if something is: a line or more for each way to differ.
    pub(crate) fn difference(&mut self, wasm: &[u8], extent: Extent) -> Option<String> {
        // If wasmi panics there is no quick answer, and V8 is asked about every configuration.
        let want = guarded(|| self.wasmi.run(wasm)).ok();
        // Descriptions, with the configurations that they are true of.
        let mut found: Vec<(String, Vec<&str>)> = Vec::new();
        for configuration in &self.teff {
            let description = match guarded(|| configuration.run(wasm)) {
                Ok(got) => judge(&mut self.v8, wasm, &got, want.as_ref()),
                Err(message) => Some(format!("panicked: {message}")),
            };
            let Some(description) = description else {
                continue;
            };
            match found.iter_mut().find(|(known, _)| *known == description) {
                Some((_, names)) => names.push(configuration.name),
                None => found.push((description, vec![configuration.name])),
            }
            if extent == Extent::First {
                break;
            }
        }
        let lines: Vec<String> = found
            .into_iter()
            .map(|(description, names)| format!("{}: {description}", names.join(", ")))
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// What is wrong with an outcome, by V8's word if it is not what wasmi says.
fn judge(v8: &mut V8, wasm: &[u8], got: &Outcome, want: Option<&Outcome>) -> Option<String> {
    if got.exhausted || want.is_some_and(|want| want.exhausted || want == got) {
        return None;
    }
    let mut description = match v8.judge(wasm, got) {
        Verdict::NoObjection => return None,
        Verdict::Objection(text) => text,
        Verdict::Unavailable(reason) => {
            format!("not what wasmi says; V8, which would decide, could not be asked: {reason}")
        }
    };
    if let Some(want) = want {
        describe(got, want, &mut description);
    }
    Some(description)
}

/// Adds what differs between the two to the description.
fn describe(got: &Outcome, want: &Outcome, description: &mut String) {
    let mut line = |what: &str, got: String, want: String| {
        if got != want {
            description.push_str(&format!("\n   {what}: got {got}, wasmi {want}"));
        }
    };
    line(
        "start",
        format!("{:x?}", got.start),
        format!("{:x?}", want.start),
    );
    for (got, want) in got.calls.iter().zip(&want.calls) {
        line(&got.0, format!("{:x?}", got.1), format!("{:x?}", want.1));
    }
    for (got, want) in got.globals.iter().zip(&want.globals) {
        let what = format!("global {}", got.0);
        line(&what, format!("{:x}", got.1), format!("{:x}", want.1));
    }
    for (block, (got, want)) in got.memory.iter().zip(&want.memory).enumerate() {
        let what = format!("hash of block {block} of memory");
        line(&what, format!("{got:x}"), format!("{want:x}"));
    }
    line(
        "size of memory",
        got.memory_size.to_string(),
        want.memory_size.to_string(),
    );
}

/// Says why the module is not valid with the features that teff has.
pub(crate) fn validate(wasm: &[u8]) -> Result<(), String> {
    let features = (WasmFeatures::WASM2 - WasmFeatures::SIMD)
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST;
    match Validator::new_with_features(features).validate_all(wasm) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

thread_local! {
    /// Whether a panic is awaited, which nothing needs to be printed about.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Makes panics within `guarded` silent. Others are bugs of the fuzzer and stay as loud as ever.
pub(crate) fn silence_guarded_panics() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !GUARDED.get() {
            loud(info);
        }
    }));
}

/// Calls `f`; if it panics, returns the message.
pub(crate) fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    GUARDED.set(true);
    // What a panic leaves behind is either dropped with it or an engine, which has no state between modules.
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(false);
    result.map_err(|payload| match payload.downcast_ref::<String>() {
        Some(message) => message.clone(),
        None => match payload.downcast_ref::<&str>() {
            Some(message) => (*message).to_owned(),
            None => "no message".to_owned(),
        },
    })
}
