//! Runs many scripts at once. Each runs on a thread of its own, with a time limit: neither a panic nor a
//! hang in one of them stops the others. Knows threads; leaves the directives to the runner.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use teff_runtime::{Backend, CodeForm, CompilationMode, Config, Engine, Result};

use crate::features::Supported;
use crate::result::{DirectiveResult, FileResult, RunResult, Status};
use crate::runner::Runner;
use crate::script::{ParseError, Script};
use crate::state::Rules;
use crate::suite::{Suite, SuiteFile};

/// A file with its script.
#[derive(Clone, Debug)]
pub struct Loaded {
    file: SuiteFile,
    /// The script, or why the file is none.
    script: std::result::Result<Arc<Script>, ParseError>,
}

impl Loaded {
    /// The binaries of all modules that the file defines and that are meant to be valid.
    pub fn modules(&self) -> impl Iterator<Item = &[u8]> {
        self.script.iter().flat_map(|script| script.modules())
    }
}

/// The engine's configuration, and what a run is held to.
#[derive(Copy, Clone, Debug)]
pub struct Options {
    /// The dispatch backend.
    pub backend: Backend,
    /// The form of translated code.
    pub form: CodeForm,
    /// When functions are validated and translated.
    pub mode: CompilationMode,
    /// Does one instruction do the work of several?
    pub fusion: bool,
    /// Is the code metered, with fuel and epochs enough?
    pub metered: bool,
    /// Is each module made into an image, which is what runs?
    pub images: bool,
    /// Must the messages of refused modules be the specification's?
    pub strict_messages: bool,
    /// Most time for a file: a safety net, not a measure.
    pub time_limit: Duration,
}

impl Options {
    /// The default compilation mode, lenient about the messages of refused modules, with a time limit that
    /// only a hang reaches.
    pub const fn new(backend: Backend, form: CodeForm) -> Self {
        Self {
            backend,
            form,
            mode: CompilationMode::LazyTranslation,
            fusion: true,
            metered: false,
            images: false,
            strict_messages: false,
            time_limit: Duration::from_secs(300),
        }
    }
}

/// Native stack of a script's thread. Parsers of text and modules recurse; Wasm calls do not.
const STACK: usize = 8 << 20;

/// Reads and parses all files of a suite.
pub fn load(suite: &Suite) -> Vec<Loaded> {
    parallel(&suite.files, |file| {
        let parse = || {
            let text = file
                .text()
                .map_err(|message| ParseError { line: 0, message })?;
            Script::parse(&text).map(Arc::new)
        };
        let script = catch_unwind(parse).unwrap_or_else(|panic| {
            Err(ParseError {
                line: 0,
                message: format!("the parser panicked: {}", text_of(&*panic)),
            })
        });
        Loaded {
            file: file.clone(),
            script,
        }
    })
}

/// Runs all scripts in one configuration; `done` is called after each.
pub fn run(
    scripts: &[Loaded],
    options: &Options,
    done: impl Fn(&FileResult) + Sync,
) -> Result<RunResult> {
    let mut config = Config::new();
    config
        .backend(options.backend)
        .code_form(options.form)
        .compilation_mode(options.mode)
        .fusion(options.fusion)
        .consume_fuel(options.metered)
        .epoch_interruption(options.metered)
        .wasm_custom_page_sizes(true);
    let engine = Engine::new(&config)?;
    let supported = Supported::probe(&engine);
    let files = parallel(scripts, |loaded| {
        let rules = Rules {
            supported,
            beyond_wasm3: loaded.file.beyond_wasm3(),
            older_than_wasm3: loaded.file.is_older_than_wasm3(),
            strict_messages: options.strict_messages,
            validates_lazily: options.mode == CompilationMode::Lazy,
            images: options.images,
        };
        let result = run_file(loaded, &engine, rules, options.time_limit);
        done(&result);
        result
    });
    Ok(RunResult::new(
        format!("{:?}", options.backend).to_lowercase(),
        format!("{:?}", options.form).to_lowercase(),
        files,
    ))
}

fn run_file(loaded: &Loaded, engine: &Engine, rules: Rules, time_limit: Duration) -> FileResult {
    let start = Instant::now();
    let directives = match &loaded.script {
        Ok(script) => run_script(script, engine, rules, time_limit),
        Err(error) => {
            let status = Status::Failed(error.message.clone());
            vec![DirectiveResult {
                line: error.line,
                kind: "parse",
                status,
            }]
        }
    };
    FileResult {
        group: loaded.file.group.clone(),
        name: loaded.file.name.clone(),
        seconds: start.elapsed().as_secs_f64(),
        directives,
    }
}

/// Results are shared with the thread, so that those before a panic or a hang count.
type Results = Arc<Mutex<Vec<DirectiveResult>>>;

fn run_script(
    script: &Arc<Script>,
    engine: &Engine,
    rules: Rules,
    time_limit: Duration,
) -> Vec<DirectiveResult> {
    let engine = engine.clone();
    supervise(script, time_limit, move |script, sink| {
        let runner = Runner::new(&engine, rules);
        runner
            .map_err(|error| format!("cannot set up a store: {error}"))?
            .run(script, sink);
        Ok(())
    })
}

/// What gives results to whom they are passed, until it is done or cannot go on.
trait Job:
    FnOnce(&Script, &mut dyn FnMut(DirectiveResult)) -> std::result::Result<(), String> + Send + 'static
{
}

impl<F> Job for F where
    F: FnOnce(&Script, &mut dyn FnMut(DirectiveResult)) -> std::result::Result<(), String>
        + Send
        + 'static
{
}

/// Runs `job` on a thread, for so long at most; one result for every directive, whatever happens.
fn supervise(script: &Arc<Script>, time_limit: Duration, job: impl Job) -> Vec<DirectiveResult> {
    let results = Results::default();
    let (sender, receiver) = channel();
    let work = {
        let (script, results) = (script.clone(), results.clone());
        move || {
            let mut sink = |result| lock(&results).push(result);
            let run = AssertUnwindSafe(|| job(&script, &mut sink));
            let outcome = catch_unwind(run)
                .unwrap_or_else(|panic| Err(format!("panicked: {}", text_of(&*panic))));
            // Nobody listens any more after the time limit.
            let _ = sender.send(outcome);
        }
    };
    let outcome = match thread::Builder::new().stack_size(STACK).spawn(work) {
        Err(error) => Err(format!("cannot start a thread: {error}")),
        Ok(_) => match receiver.recv_timeout(time_limit) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("not done after {} seconds", time_limit.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err("the thread died".into()),
        },
    };
    let mut results = std::mem::take(&mut *lock(&results));
    if let Err(message) = outcome {
        fail_rest(&mut results, script, &message);
    }
    results
}

/// Counts every directive that has no result as failed: the first for `message`, the others because of it.
fn fail_rest(results: &mut Vec<DirectiveResult>, script: &Script, message: &str) {
    let mut message = message.to_string();
    let all = script
        .directives
        .iter()
        .flat_map(|d| std::iter::repeat_n(d, d.command.count()));
    for directive in all.skip(results.len()) {
        let (line, kind) = (directive.line, directive.command.kind());
        results.push(DirectiveResult {
            line,
            kind,
            status: Status::Failed(message),
        });
        message = "not run, because of the failure above".into();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message of a panic.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "for an unknown reason",
    }
}

/// `map` over `items` on all processors; results in the order of the items.
pub(crate) fn parallel<T: Sync, R: Send>(items: &[T], map: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len());
    let work = || {
        let mut results = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            match items.get(i) {
                Some(item) => results.push((i, map(item))),
                None => return results,
            }
        }
    };
    let mut results = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut results = Vec::with_capacity(items.len());
        for worker in workers {
            results.extend(
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        results
    });
    results.sort_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: DirectiveResult = DirectiveResult {
        line: 1,
        kind: "module",
        status: Status::Passed,
    };

    fn statuses(job: impl Job) -> Vec<Status> {
        let script = Script::parse("(module)\n(invoke \"f\")\n(invoke \"g\")").unwrap();
        let results = supervise(&Arc::new(script), Duration::from_millis(200), job);
        assert_eq!(
            results.iter().map(|result| result.line).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        results.into_iter().map(|result| result.status).collect()
    }

    /// The directive that did not end, and the one that did not start.
    fn failed(message: &str) -> [Status; 3] {
        let rest = "not run, because of the failure above";
        [
            Status::Passed,
            Status::Failed(message.into()),
            Status::Failed(rest.into()),
        ]
    }

    #[test]
    fn a_panic_fails_the_rest_of_its_script() {
        let panics = |_: &Script, sink: &mut dyn FnMut(DirectiveResult)| {
            sink(PASSED);
            std::panic::resume_unwind(Box::new("like this"))
        };
        assert_eq!(statuses(panics), failed("panicked: like this"));
    }

    #[test]
    fn a_hang_fails_the_rest_of_its_script() {
        let hangs = |_: &Script, sink: &mut dyn FnMut(DirectiveResult)| {
            sink(PASSED);
            loop {
                thread::park();
            }
        };
        assert_eq!(statuses(hangs), failed("not done after 0 seconds"));
    }

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<u64> = (0..100).collect();
        let doubled = parallel(&items, |item| {
            thread::sleep(Duration::from_micros(100 - item));
            item * 2
        });
        assert!(
            doubled
                .iter()
                .enumerate()
                .all(|(i, item)| *item == i as u64 * 2)
        );
    }
}
