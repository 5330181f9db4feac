//! What `teff.h` adds: configuration, limits, metering, calls in steps, reasons.

use alloc::{boxed::Box, format};
use core::mem::MaybeUninit;

use teff_runtime::{Backend, CompilationMode, Config, Execution, Module, Step, Trap, Val};

use crate::{
    engine::{wasm_config_t, wasm_engine_t},
    func::{Call, store_results, trapping},
    guard::{Failed, c_api},
    reference::{Object, wasm_func_t, wasm_module_t, wasm_trap_t},
    store::{StoreRef, unlimited, wasm_store_t},
    trap::TrapObject,
    val::wasm_val_vec_t,
    vector::{Vector, wasm_byte_vec_t},
};

#[repr(C)]
pub(crate) struct teff_limits_t {
    memory_bytes: usize,
    table_elements: usize,
    instances: usize,
    tables: usize,
    memories: usize,
}

/// A call in steps. It keeps its store.
pub(crate) struct teff_call_t {
    store: StoreRef,
    execution: Execution,
    /// Room for the results; zero or null of their types at first.
    results: alloc::vec::Vec<Val>,
}

#[repr(u8)]
#[derive(Copy, Clone)]
pub(crate) enum teff_step_t {
    Yield = 0,
    HostCall = 1,
    Done = 2,
    Trapped = 3,
}

impl Failed for teff_step_t {
    fn failed() -> Self {
        Self::Trapped
    }
}

/// The header's number of a trap.
fn code(trap: Option<Trap>) -> u8 {
    match trap {
        Some(Trap::StackOverflow) => 1,
        Some(Trap::MemoryOutOfBounds) => 2,
        Some(Trap::TableOutOfBounds) => 3,
        Some(Trap::UndefinedElement) => 4,
        Some(Trap::IndirectCallToNull) => 5,
        Some(Trap::BadSignature) => 6,
        Some(Trap::IntegerOverflow) => 7,
        Some(Trap::IntegerDivisionByZero) => 8,
        Some(Trap::BadConversionToInteger) => 9,
        Some(Trap::UnreachableCodeReached) => 10,
        Some(Trap::OutOfFuel) => 11,
        Some(Trap::Interrupt) => 12,
        _ => 0,
    }
}

type TrapOut<'a> = Option<&'a mut MaybeUninit<Option<Box<wasm_trap_t>>>>;

fn write_trap(out: TrapOut<'_>, trap: Option<Box<wasm_trap_t>>) {
    if let Some(out) = out {
        out.write(trap);
    }
}

c_api! {
    fn teff_config_consume_fuel(config: &mut wasm_config_t, enable: bool) {
        config.config.consume_fuel(enable);
    }

    fn teff_config_epoch_interruption(config: &mut wasm_config_t, enable: bool) {
        config.config.epoch_interruption(enable);
    }

    fn teff_config_max_wasm_stack(config: &mut wasm_config_t, bytes: usize) {
        config.config.max_wasm_stack(bytes);
    }

    fn teff_config_max_host_nesting(config: &mut wasm_config_t, levels: u32) {
        config.config.max_host_nesting(levels);
    }

    fn teff_config_compilation_threads(config: &mut wasm_config_t, threads: usize) {
        config.config.compilation_threads(threads);
    }

    fn teff_config_compilation_mode(config: &mut wasm_config_t, mode: u8) -> bool {
        let mode = match mode {
            0 => CompilationMode::Eager,
            1 => CompilationMode::LazyTranslation,
            2 => CompilationMode::Lazy,
            _ => return false,
        };
        config.config.compilation_mode(mode);
        true
    }

    fn teff_config_custom_page_sizes(config: &mut wasm_config_t, enable: bool) {
        config.config.wasm_custom_page_sizes(enable);
    }

    fn teff_config_deterministic(config: &mut wasm_config_t, enable: bool) {
        config.config.deterministic(enable);
    }

    fn teff_config_backend(config: &mut wasm_config_t, backend: u8) -> bool {
        let backend = match backend {
            0 => Backend::Threaded,
            1 => Backend::Loop,
            _ => return false,
        };
        let has = Config::BACKENDS.contains(&backend);
        if has {
            config.config.backend(backend);
        }
        has
    }

    fn teff_store_limit(store: &wasm_store_t, limits: &teff_limits_t) {
        let limits = unlimited()
            .memory_size(limits.memory_bytes)
            .table_elements(limits.table_elements)
            .instances(limits.instances)
            .tables(limits.tables)
            .memories(limits.memories);
        store.state.limit(limits.build());
    }

    fn teff_store_set_fuel(store: &wasm_store_t, fuel: u64) -> bool {
        store.state.context().set_fuel(fuel).is_ok()
    }

    fn teff_store_fuel(store: &wasm_store_t) -> u64 {
        store.state.context().get_fuel().unwrap_or(0)
    }

    fn teff_engine_increment_epoch(engine: &wasm_engine_t) {
        engine.engine.increment_epoch();
    }

    fn teff_store_set_epoch_deadline(store: &wasm_store_t, epochs: u64) {
        store.state.context().set_epoch_deadline(epochs);
    }

    fn teff_call_new(
        func: &wasm_func_t,
        args: Option<&wasm_val_vec_t>,
        trap: TrapOut<'_>,
    ) -> Option<Box<teff_call_t>> {
        let store = func.store.clone();
        match trapping(&store, || Call::new(func, args)) {
            Ok(Call { func, args, results }) => {
                write_trap(trap, None);
                let execution = func.start(&args);
                Some(Box::new(teff_call_t { store, execution, results }))
            }
            Err(error) => {
                write_trap(trap, Some(error));
                None
            }
        }
    }

    fn teff_call_delete(_call: Option<Box<teff_call_t>>) {}

    fn teff_call_step(
        call: &mut teff_call_t,
        fuel: u64,
        results: Option<&mut wasm_val_vec_t>,
        trap: TrapOut<'_>,
    ) -> teff_step_t {
        let store = call.store.clone();
        let step = trapping(&store, || {
            call.execution.step(store.context(), fuel, &mut call.results)
        });
        let step = match step {
            Ok(Step::HostCall) => teff_step_t::HostCall,
            Ok(Step::Done) => {
                let room = results.map_or(&mut [][..], Vector::as_uninit);
                store_results(&store, &call.results, room);
                teff_step_t::Done
            }
            Ok(_) => teff_step_t::Yield,
            Err(error) => {
                write_trap(trap, Some(error));
                return teff_step_t::Trapped;
            }
        };
        write_trap(trap, None);
        step
    }

    fn teff_trap_pending(store: &wasm_store_t) -> Option<Box<wasm_trap_t>> {
        Some(wasm_trap_t::new(&store.state, Object::Trap(TrapObject::pending())))
    }

    fn teff_module_new(
        store: &wasm_store_t,
        binary: &wasm_byte_vec_t,
        error: Option<&mut MaybeUninit<wasm_byte_vec_t>>,
    ) -> Option<Box<wasm_module_t>> {
        let store = &store.state;
        let module = Module::new(store.context().engine(), binary.as_slice());
        let (module, message) = match module {
            Ok(module) => (Some(wasm_module_t::of_module(store, module)), Vector::EMPTY),
            Err(error) => (None, Vector::of_message(&format!("{error}"))),
        };
        if let Some(error) = error {
            error.write(message);
        }
        module
    }

    fn teff_trap_code(trap: &wasm_trap_t) -> u8 {
        code(trap.as_trap().and_then(|trap| trap.code))
    }
}
