//! `teff run`: a module with WASI. Knows the order of things; leaves WASI itself to `teff-wasi`.

use std::mem::ManuallyDrop;

use teff_runtime::{CodeForm, Engine, Instance, Linker, Module, Store, StoreLimitsBuilder};
use teff_wasi::WasiCtx;

use crate::args::{FormArg, Run};
use crate::failure::{Failure, Result};
use crate::grants;
use crate::invoke::{exported_functions, invoke};
use crate::keys;
use crate::load::Source;
use crate::timeout::Watchdog;

/// What the store holds.
struct State {
    wasi: WasiCtx,
}

/// The export that is a program.
const COMMAND: &str = "_start";

/// The export that sets a library up, before all other exports.
const REACTOR: &str = "_initialize";

pub(crate) fn run(args: &Run) -> Result<()> {
    let source = Source::open(&args.file())?;
    let mut config = args.config()?;
    if source.is_image() {
        if args.form == Some(FormArg::Direct) {
            return Err(Failure::message(format!(
                "--form direct: {} is an image, whose code is compact",
                args.file().display()
            )));
        }
        config.code_form(CodeForm::Compact);
    }
    let engine = Engine::new(&config).map_err(Failure::message)?;
    let _watchdog = match args.timeout {
        Some(time) => Some(Watchdog::start(&engine, time)?),
        None => None,
    };
    let module = ManuallyDrop::new(match &args.trusted_key {
        Some(key) => source.signed_module(&engine, &keys::trusted(key)?)?,
        None => source.module(&engine)?,
    });
    let state = State {
        wasi: grants::wasi(args)?,
    };

    // What the guest uses is not given back piece by piece at the end: the system takes it all at once.
    let mut linker = ManuallyDrop::new(Linker::new(&engine));
    teff_wasi::add_imported_to_linker(&mut linker, &module, |state: &mut State| &mut state.wasi)
        .map_err(Failure::message)?;
    if !args.device.is_empty() {
        teff_wasi::add_device_to_linker(&mut linker, |state: &mut State| &mut state.wasi)
            .map_err(Failure::message)?;
    }
    let mut store = ManuallyDrop::new(Store::new(&engine, state));
    let store = &mut *store;
    if let Some(bytes) = args.max_memory {
        store.limiter(StoreLimitsBuilder::new().memory_size(bytes).build());
    }
    if let Some(fuel) = args.fuel {
        store.set_fuel(fuel).map_err(Failure::message)?;
    }
    // The watchdog begins the next epoch, and nobody else.
    store.set_epoch_deadline(u64::from(args.timeout.is_some()));
    let result = start(args, &linker, store, &module);
    let failed = !matches!(result, Ok(()) | Err(Failure::Exit(0)));
    if failed || args.audit {
        grants::report(args, &store.data().wasi, &module, failed);
    }
    result
}

/// Instantiates the module and runs what is to be run.
fn start(
    args: &Run,
    linker: &Linker<State>,
    store: &mut Store<State>,
    module: &Module,
) -> Result<()> {
    let instance = match linker.instantiate(&mut *store, module) {
        Ok(instance) => instance,
        Err(error) => {
            check_imports(linker, store, module)?;
            return Err(Failure::from_guest(&error));
        }
    };

    let name = match &args.invoke {
        Some(name) => name,
        None => return run_default(store, &instance, module),
    };
    if name != REACTOR {
        call_if_exported(store, &instance, REACTOR)?;
    }
    invoke(store, &instance, name, args.args())
}

/// Names what the module imports and nobody provides, if linking failed for it.
fn check_imports(linker: &Linker<State>, store: &mut Store<State>, module: &Module) -> Result<()> {
    let mut unknown = Vec::new();
    for import in module.imports() {
        if linker.get_by_import(&mut *store, &import).is_none() {
            unknown.push(import);
        }
    }
    let Some(first) = unknown.first() else {
        return Ok(());
    };
    let more = match unknown.len() {
        1 => String::new(),
        n => format!(" (and {} more: see `teff inspect`)", n - 1),
    };
    Err(Failure::message(format!(
        "unknown import `{}::{}`, a {}{more}: `teff run` provides only WASI preview 1 (and `device.get` with --device); build \
         the module for wasm32-wasip1, or embed it with the crate teff-runtime and define the import",
        first.module(),
        first.name(),
        first.ty()
    )))
}

/// Without `--invoke`: a command is run, a reactor set up.
fn run_default(store: &mut Store<State>, instance: &Instance, module: &Module) -> Result<()> {
    if call_if_exported(store, instance, COMMAND)? || call_if_exported(store, instance, REACTOR)? {
        return Ok(());
    }
    // A start function has run already.
    if module.has_start_function() {
        return Ok(());
    }
    let functions = exported_functions(store, instance);
    let hint = match functions.as_slice() {
        [] => "it exports no functions at all".to_string(),
        functions => format!("call one with --invoke: it has {}", functions.join(", ")),
    };
    Err(Failure::message(format!(
        "the module has no `{COMMAND}` to run; {hint}"
    )))
}

/// Calls an export without parameters and results, if there is one of the name.
fn call_if_exported(store: &mut Store<State>, instance: &Instance, name: &str) -> Result<bool> {
    let Some(func) = instance.get_func(&mut *store, name) else {
        return Ok(false);
    };
    let func = func.typed::<(), ()>(&*store).map_err(|_| {
        Failure::message(format!(
            "the export `{name}` has parameters or results; it must have none"
        ))
    })?;
    func.call(store, ()).map_err(|e| Failure::from_guest(&e))?;
    Ok(true)
}
