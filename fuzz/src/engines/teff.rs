//! teff in the configurations that are compared.

use teff_runtime::{
    Backend, CodeForm, Config, Engine, Error, Extern, Func, HeapType, Linker, Module, Result,
    Store, Trap, Val, ValType,
};

use super::{HOST_MODULE, MEMORY, TABLE, host_0, host_1};
use crate::outcome::{Ending, Outcome, RESET, ROUNDS, Type, argument};

/// More fuel than any module here burns: what is tested is metered code, not the end of it.
const FUEL: u64 = 1 << 50;

/// A configuration under test.
pub(crate) struct Configuration {
    /// What reports call it.
    pub(crate) name: &'static str,
    engine: Engine,
    metered: bool,
}

/// All configurations. Between them they have both backends, both code forms, code with fusion and without, and
/// metered code.
pub(crate) fn configurations() -> Result<Vec<Configuration>> {
    let (threaded, looped) = (Backend::Threaded, Backend::Loop);
    let (direct, compact) = (CodeForm::Direct, CodeForm::Compact);
    [
        ("threaded-direct", threaded, direct, true, false),
        ("loop-compact", looped, compact, true, false),
        ("threaded-compact", threaded, compact, true, false),
        ("loop-plain", looped, direct, false, false),
        ("threaded-direct-fuel", threaded, direct, true, true),
    ]
    .into_iter()
    .map(|(name, backend, form, fusion, metered)| {
        let mut config = Config::new();
        config
            .backend(backend)
            .code_form(form)
            .fusion(fusion)
            .consume_fuel(metered);
        Ok(Configuration {
            name,
            engine: Engine::new(&config)?,
            metered,
        })
    })
    .collect()
}

impl Configuration {
    /// Runs everything that the module exports.
    pub(crate) fn run(&self, wasm: &[u8]) -> Outcome {
        self.try_run(wasm)
            .unwrap_or_else(|error| Outcome::started(ending_of(&error)))
    }

    /// As `run`; errors are those before the first call, and of calls that cannot fail.
    fn try_run(&self, wasm: &[u8]) -> Result<Outcome> {
        let module = Module::new(&self.engine, wasm)?;
        let mut store = Store::new(&self.engine, ());
        if self.metered {
            store.set_fuel(FUEL)?;
        }
        let mut linker = Linker::new(&self.engine);
        linker.func_wrap(HOST_MODULE, "h0", host_0)?;
        linker.func_wrap(HOST_MODULE, "h1", host_1)?;
        let instance = linker.instantiate(&mut store, &module)?;
        let mut outcome = Outcome::started(Ending::Returned(Vec::new()));

        let mut exports: Vec<(String, Extern)> = instance
            .exports(&mut store)
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
                    let value = global.get(&mut store);
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
        .enumerate()
        .map(|(index, ty)| match ty {
            ValType::I32 => Val::I32(argument(Type::I32, round, index) as i32),
            ValType::I64 => Val::I64(argument(Type::I64, round, index) as i64),
            ValType::F32 => Val::F32(argument(Type::F32, round, index) as u32),
            ValType::F64 => Val::F64(argument(Type::F64, round, index)),
            ValType::Ref(ty) if ty.heap_type() == HeapType::Extern => Val::ExternRef(None),
            ValType::Ref(_) => Val::FuncRef(None),
            ValType::V128 => Val::V128(0),
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
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        Val::FuncRef(reference) => u64::from(reference.is_some()),
        Val::ExternRef(reference) => u64::from(reference.is_some()),
        Val::V128(_) => unreachable!("a vector, which no module here has"),
    }
}

fn ending_of(error: &Error) -> Ending {
    match error.downcast_ref::<Trap>() {
        Some(Trap::UndefinedElement | Trap::TableOutOfBounds) => Ending::Trapped(TABLE.to_owned()),
        Some(Trap::MemoryOutOfBounds) => Ending::Trapped(MEMORY.to_owned()),
        Some(trap) => Ending::Trapped(format!("{trap:?}")),
        None => Ending::Failed(format!("{error:?}")),
    }
}
