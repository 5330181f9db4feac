//! A module as a container's program: loaded, linked, run with its lifecycle hooks, ended with an exit status. Knows the
//! runtime and WASI, nothing of containers.
//!
//! ```text
//! command:   __post_init, then _start
//! reactor:   _initialize, then __post_init; stays up until it is stopped
//! #function: _initialize, then the function
//! stopped:   _wasm_exit_graceful, then 128 and the signal
//! ```

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::time::Duration;

use teff_runtime::{
    Config, Engine, Error, ExternType, Instance, Linker, Module, Store, StoreLimitsBuilder, Trap,
};
use teff_wasi::{I32Exit, WasiCtx};

use super::signals::Stop;

/// A program's own entry.
const COMMAND: &str = "_start";
/// Sets a library up, before all other exports.
const REACTOR: &str = "_initialize";
/// Runs when a program has been set up and before it begins.
const POST_INIT: &str = "__post_init";
/// Runs when a program is asked to stop.
const EXIT_GRACEFUL: &str = "_wasm_exit_graceful";

/// Exit status of a guest that trapped: that of a native program that aborts.
const TRAPPED: i32 = 134;
/// Exit status when the guest cannot be run at all.
const FAILED: i32 = 1;

/// Bytes of a table's element.
const ELEMENT: u64 = 16;

/// A module that can be run.
pub(crate) struct Program {
    engine: Engine,
    module: Module,
    linker: Linker<WasiCtx>,
    /// What is to be called, if not what a module's kind says.
    function: Option<String>,
}

impl Program {
    /// Loads a module from a file: it stays mapped, so that all pods of a node share its pages.
    pub(crate) fn load(file: &File, name: &str, function: Option<String>) -> io::Result<Self> {
        Self::new(name, function, |engine| {
            // SAFETY: the file is one of an image, which is not changed while a container of it runs; a guest that may
            // write to it can harm its own process alone.
            unsafe { Module::from_mapped_open_file(engine, file) }
        })
    }

    /// The same from bytes.
    pub(crate) fn load_bytes(
        bytes: &[u8],
        name: &str,
        function: Option<String>,
    ) -> io::Result<Self> {
        Self::new(name, function, |engine| Module::new(engine, bytes))
    }

    fn new(
        name: &str,
        function: Option<String>,
        load: impl FnOnce(&Engine) -> teff_runtime::Result<Module>,
    ) -> io::Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config).map_err(|e| failed(name, e))?;
        let module = load(&engine).map_err(|e| failed(name, e))?;
        let mut linker = Linker::new(&engine);
        teff_wasi::add_imported_to_linker(&mut linker, &module, |wasi| wasi)
            .map_err(|e| failed(name, e))?;
        let program = Self {
            engine,
            module,
            linker,
            function,
        };
        program.check(name)?;
        Ok(program)
    }

    /// Would it run? What is missing is better known before the container is there.
    fn check(&self, name: &str) -> io::Result<()> {
        if let Some(import) = self
            .module
            .imports()
            .find(|import| !import.module().starts_with("wasi_"))
        {
            let (module, item) = (import.module(), import.name());
            return Err(failed(
                name,
                format!(
                    "it imports `{module}::{item}`; there is WASI preview 1 here and nothing else"
                ),
            ));
        }
        let is_function = |wanted: &str| {
            let mut exports = self.module.exports();
            exports
                .any(|export| export.name() == wanted && matches!(export.ty(), ExternType::Func(_)))
        };
        match &self.function {
            Some(function) if !is_function(function) => {
                Err(failed(name, format!("it exports no function `{function}`")))
            }
            Some(_) => Ok(()),
            None if is_function(COMMAND) || is_function(REACTOR) || is_function(POST_INIT) => {
                Ok(())
            }
            None => Err(failed(
                name,
                format!(
                    "it is no program: it exports neither `{COMMAND}` nor `{REACTOR}`; name a function as `{name}#function`"
                ),
            )),
        }
    }

    /// Begins to wait for signals: to be called before there are other threads.
    pub(crate) fn watch(&self, grace: Duration) -> io::Result<Stop> {
        Stop::watch(&self.engine, grace)
    }

    /// Runs it to its end; gives the exit status. What went wrong is told on standard error.
    pub(crate) fn run(&self, wasi: WasiCtx, memory: Option<u64>, stop: &Stop) -> i32 {
        let mut store = Store::new(&self.engine, wasi);
        if let Some(bytes) = memory {
            let elements = (bytes / 4 / ELEMENT).min(10_000_000);
            let limits =
                StoreLimitsBuilder::new().memory_size(usize::try_from(bytes).unwrap_or(usize::MAX));
            store.limiter(limits.table_elements(elements as usize).build());
        }
        store.set_epoch_deadline(1);
        // One that came before there was a deadline has begun its epoch already.
        if let Some(signal) = stop.signal() {
            return 128 + signal;
        }
        let instance = match self.linker.instantiate(&mut store, &self.module) {
            Ok(instance) => instance,
            Err(error) => return ended(&error, stop).unwrap_or_else(|signal| 128 + signal),
        };
        let signal = match self.call_all(&mut store, &instance) {
            Ok(Some(status)) => return status,
            // A reactor is up.
            Ok(None) => stop.wait(),
            Err(error) => match ended(&error, stop) {
                Ok(status) => return status,
                Err(signal) => signal,
            },
        };
        // What was interrupted is not gone on with, and the instance is at rest.
        store.set_epoch_deadline(1);
        match call(&mut store, &instance, EXIT_GRACEFUL) {
            Ok(_) => 128 + signal,
            Err(error) => ended(&error, stop).unwrap_or(128 + signal),
        }
    }

    /// All that is to be called; gives the exit status, or nothing if the program stays up.
    fn call_all(
        &self,
        store: &mut Store<WasiCtx>,
        instance: &Instance,
    ) -> teff_runtime::Result<Option<i32>> {
        if let Some(function) = &self.function {
            if function != REACTOR {
                call(store, instance, REACTOR)?;
            }
            return call_for_status(store, instance, function).map(Some);
        }
        if instance.get_func(&mut *store, COMMAND).is_some() {
            call(store, instance, POST_INIT)?;
            call(store, instance, COMMAND)?;
            return Ok(Some(0));
        }
        call(store, instance, REACTOR)?;
        call(store, instance, POST_INIT)?;
        Ok(None)
    }
}

/// Calls an export without parameters and results, if there is one of the name.
fn call(store: &mut Store<WasiCtx>, instance: &Instance, name: &str) -> teff_runtime::Result<()> {
    match instance.get_func(&mut *store, name) {
        Some(func) => func.typed::<(), ()>(&*store)?.call(store, ()),
        None => Ok(()),
    }
}

/// Calls an export without parameters, whose result, if there is one, is an exit status.
fn call_for_status(
    store: &mut Store<WasiCtx>,
    instance: &Instance,
    name: &str,
) -> teff_runtime::Result<i32> {
    let Some(func) = instance.get_func(&mut *store, name) else {
        return Err(Error::msg(format!(
            "there is no exported function `{name}`"
        )));
    };
    if let Ok(func) = func.typed::<(), i32>(&*store) {
        return func.call(store, ()).map(|status| status & 0xff);
    }
    let func = func.typed::<(), ()>(&*store).map_err(|_| {
        Error::msg(format!("the function `{name}` must have no parameters, and no result or an i32, which is the exit status"))
    })?;
    func.call(store, ()).map(|()| 0)
}

/// The exit status that an error means, or the signal that interrupted the guest. Tells what happened on standard error.
fn ended(error: &Error, stop: &Stop) -> Result<i32, i32> {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return Ok(status & 0xff);
    }
    let Some(trap) = error.downcast_ref::<Trap>() else {
        eprintln!("teff: {error}");
        return Ok(FAILED);
    };
    if let (Trap::Interrupt, Some(signal)) = (trap, stop.signal()) {
        return Err(signal);
    }
    let backtrace = error
        .backtrace()
        .map_or_else(String::new, |trace| format!("\n{trace}"));
    eprintln!("teff: the guest trapped: {error}{backtrace}");
    Ok(TRAPPED)
}

fn failed(name: &str, why: impl Display) -> io::Error {
    let why = why.to_string();
    let lines: Vec<_> = why.lines().map(str::trim).collect();
    io::Error::other(format!("{name}: {}", lines.join(" ")))
}
