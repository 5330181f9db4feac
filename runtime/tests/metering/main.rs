//! Metering: what is charged, resumable calls, interruption; in every backend, form and with fusion off.

mod bulk;
mod cost;
mod interrupt;
mod listing;
mod resume;
mod step;

use teff_runtime::{
    CodeForm, Config, Engine, Instance, Linker, Module, Result, ResumableCall, Store, Trap, Val,
};

/// Runs a test in an engine of each kind.
fn everywhere(configure: impl Fn(&mut Config), test: impl Fn(&Engine)) {
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            for fusion in [true, false] {
                let mut config = Config::new();
                config.backend(backend).code_form(form).fusion(fusion);
                configure(&mut config);
                test(&Engine::new(&config).unwrap());
            }
        }
    }
}

fn with_fuel(test: impl Fn(&Engine)) {
    everywhere(|config| _ = config.consume_fuel(true), test);
}

fn with_epochs(test: impl Fn(&Engine)) {
    everywhere(|config| _ = config.epoch_interruption(true), test);
}

/// A module, from text or binary.
fn module(engine: &Engine, source: impl AsRef<[u8]>) -> Module {
    Module::new(engine, wat::parse_bytes(source.as_ref()).unwrap()).unwrap()
}

fn instantiate<T>(linker: &Linker<T>, store: &mut Store<T>, text: &str) -> Result<Instance> {
    linker.instantiate(store, &module(linker.engine(), text))
}

fn i32s(args: &[i32]) -> Vec<Val> {
    args.iter().map(|arg| Val::I32(*arg)).collect()
}

/// Numbers, for comparing results.
fn bits(values: &[Val]) -> Vec<u64> {
    let bits = values.iter().map(|value| match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        other => panic!("{other:?} is no number"),
    });
    bits.collect()
}

#[track_caller]
fn traps<T: std::fmt::Debug>(result: Result<T>, trap: Trap) {
    let error = result.expect_err("it should trap");
    assert_eq!(error.downcast_ref(), Some(&trap), "{error:?}");
}

/// An instance of a module without imports, which exports `f`, and what `f` gives.
struct Program {
    store: Store<()>,
    instance: Instance,
    results: Vec<Val>,
}

impl Program {
    fn new(engine: &Engine, source: impl AsRef<[u8]>) -> Self {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module(engine, source), &[]).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        let results = f.ty(&store).results().map(|_| Val::I32(0)).collect();
        Self {
            store,
            instance,
            results,
        }
    }

    /// Calls `f` in one go; the results, or the trap, and the fuel used.
    fn run(&mut self, args: &[Val]) -> (Result<Vec<u64>, Trap>, u64) {
        const FUEL: u64 = 1 << 40;
        let f = self.instance.get_func(&mut self.store, "f").unwrap();
        self.store.set_fuel(FUEL).unwrap();
        let outcome = f.call(&mut self.store, args, &mut self.results);
        let outcome = outcome.map_err(|error| *error.downcast_ref::<Trap>().unwrap());
        let used = FUEL - self.store.get_fuel().unwrap();
        (outcome.map(|()| bits(&self.results)), used)
    }

    /// The same in slices of so much fuel.
    fn run_in_slices(&mut self, args: &[Val], slice: u64) -> (Result<Vec<u64>, Trap>, u64) {
        let f = self.instance.get_func(&mut self.store, "f").unwrap();
        let mut given = slice;
        self.store.set_fuel(given).unwrap();
        let mut call = f.call_resumable(&mut self.store, args, &mut self.results);
        loop {
            match call {
                Ok(ResumableCall::Finished) => break,
                Ok(ResumableCall::OutOfFuel(suspended)) => {
                    let left = self.store.get_fuel().unwrap();
                    assert!(left < suspended.required_fuel(), "it could have gone on");
                    given += slice;
                    self.store.set_fuel(left + slice).unwrap();
                    call = suspended.resume(&mut self.store, &mut self.results);
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    let trap = *error.downcast_ref::<Trap>().unwrap();
                    return (Err(trap), given - self.store.get_fuel().unwrap());
                }
            }
        }
        let used = given - self.store.get_fuel().unwrap();
        (Ok(bits(&self.results)), used)
    }
}
