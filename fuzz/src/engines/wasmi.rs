//! wasmi, the quick oracle: in the same process, and almost always right.

use wasmi::{
    Config, Engine, Error, Extern, F32, F64, Func, Linker, Module, Store, TrapCode, Val, ValType,
};

use super::{HOST_MODULE, MEMORY, TABLE, host_0, host_1};
use crate::outcome::{Ending, Outcome, RESET, ROUNDS, Type, argument};

/// wasmi with the features that teff has.
pub(crate) struct Wasmi {
    engine: Engine,
}

impl Wasmi {
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config
            .wasm_tail_call(true)
            .wasm_extended_const(true)
            .wasm_multi_value(true)
            .wasm_reference_types(true)
            .wasm_bulk_memory(true);
        config.set_max_recursion_depth(100_000);
        config.set_max_stack_height(64 << 20);
        Self {
            engine: Engine::new(&config),
        }
    }

    /// Runs everything that the module exports.
    pub(crate) fn run(&self, wasm: &[u8]) -> Outcome {
        self.try_run(wasm)
            .unwrap_or_else(|error| Outcome::started(ending_of(&error)))
    }

    /// As `run`; errors are those before the first call, and of calls that cannot fail.
    fn try_run(&self, wasm: &[u8]) -> Result<Outcome, Error> {
        let module = Module::new(&self.engine, wasm)?;
        let mut store = Store::new(&self.engine, ());
        let mut linker = Linker::new(&self.engine);
        linker.func_wrap(HOST_MODULE, "h0", host_0)?;
        linker.func_wrap(HOST_MODULE, "h1", host_1)?;
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        let mut outcome = Outcome::started(Ending::Returned(Vec::new()));

        let mut exports: Vec<(String, Extern)> = instance
            .exports(&store)
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        exports.sort_by(|a, b| a.0.cmp(&b.0));
        let reset = exports
            .iter()
            .find(|(name, _)| name == RESET)
            .and_then(|(_, export)| export.into_func());

        'calls: for (name, export) in &exports {
            let Some(callee) = export.into_func().filter(|_| name != RESET) else {
                continue;
            };
            for round in 0..ROUNDS {
                if let Some(reset) = &reset {
                    reset.call(&mut store, &[], &mut [])?;
                }
                let ending = call(&mut store, &callee, round);
                if !outcome.note_call(name, round, ending) {
                    break 'calls;
                }
            }
        }
        for (name, export) in exports {
            match export {
                Extern::Global(global) => {
                    let value = global.get(&store);
                    outcome.globals.push((name, bits(&value)));
                }
                Extern::Memory(memory) => outcome.note_memory(memory.data(&store)),
                _ => {}
            }
        }
        Ok(outcome)
    }
}

fn call(store: &mut Store<()>, callee: &Func, round: usize) -> Ending {
    let ty = callee.ty(&*store);
    let arguments: Vec<Val> = ty
        .params()
        .iter()
        .enumerate()
        .map(|(index, ty)| match ty {
            ValType::I32 => Val::I32(argument(Type::I32, round, index) as i32),
            ValType::I64 => Val::I64(argument(Type::I64, round, index) as i64),
            ValType::F32 => Val::F32(F32::from_bits(argument(Type::F32, round, index) as u32)),
            ValType::F64 => Val::F64(F64::from_bits(argument(Type::F64, round, index))),
            other => Val::default_for_ty(*other),
        })
        .collect();
    let mut results = vec![Val::I32(0); ty.results().len()];
    match callee.call(store, &arguments, &mut results) {
        Ok(()) => Ending::Returned(results.iter().map(bits).collect()),
        Err(error) => ending_of(&error),
    }
}

fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        Val::F32(value) => u64::from(value.to_bits()),
        Val::F64(value) => value.to_bits(),
        Val::FuncRef(reference) => u64::from(!reference.is_null()),
        Val::ExternRef(reference) => u64::from(!reference.is_null()),
        other => unreachable!("a value of a type that no module here has: {other:?}"),
    }
}

fn ending_of(error: &Error) -> Ending {
    match error.as_trap_code() {
        Some(TrapCode::TableOutOfBounds) => Ending::Trapped(TABLE.to_owned()),
        Some(TrapCode::MemoryOutOfBounds) => Ending::Trapped(MEMORY.to_owned()),
        Some(trap) => Ending::Trapped(format!("{trap:?}")),
        // An active segment out of bounds is a trap in the specification.
        None if format!("{error:?}").contains("ElementSegmentDoesNotFit") => {
            Ending::Trapped(TABLE.to_owned())
        }
        None => Ending::Failed(format!("{error:?}")),
    }
}
