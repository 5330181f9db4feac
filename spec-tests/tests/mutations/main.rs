//! Damaged modules: valid ones of the suite, with bytes and sections changed. Each must give an error or
//! run within its limits, and every configuration must do the same with it.
//!
//! `mutate` makes them, this file runs them. `TEFF_MUTATIONS` sets the number of modules. Seeds of failures are in `proptest-regressions`.

mod mutate;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, FileFailurePersistence, TestRunner};
use teff_runtime::{
    CodeForm, Config, Engine, Error, Extern, ExternType, Func, Global, Instance, Memory, Module,
    Ref, Result, Store, StoreLimits, StoreLimitsBuilder, Table, Trap, Val,
};

use mutate::{MODULES, damaged_module};

// Limits.

const DEFAULT_CASES: u32 = 1_000;
const FUEL: u64 = 50_000;
const WASM_STACK: usize = 64 << 10;
const MEMORY: usize = 4 << 20;
const TABLE_ELEMENTS: usize = 10_000;
/// Most calls of exports for one module.
const CALLS: usize = 40;
/// Most heap for one module in one configuration, over all that it asks for. Measured peaks are far below.
const HEAP: usize = 64 << 20;
/// A module that takes longer hangs.
const TIME_LIMIT: Duration = Duration::from_secs(60);

fn limits() -> StoreLimits {
    StoreLimitsBuilder::new()
        .memory_size(MEMORY)
        .table_elements(TABLE_ELEMENTS)
        .instances(4)
        .tables(16)
        .memories(16)
        .build()
}

// What is measured: the heap, and the time.

static HEAP_NOW: AtomicUsize = AtomicUsize::new(0);
static HEAP_PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with the sums above.
struct Counting;

impl Counting {
    fn add(bytes: usize) {
        let now = HEAP_NOW.fetch_add(bytes, Relaxed) + bytes;
        HEAP_PEAK.fetch_max(now, Relaxed);
    }
}

// SAFETY: every request goes to `System` as it is; the sums do not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HEAP_NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `block` came from `System`, as all of ours do; the caller vouches for the layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The module at work, and since when.
static AT_WORK: Mutex<Option<(Instant, Vec<u8>)>> = Mutex::new(None);

/// Ends the process if a module hangs: a test cannot be stopped in any other way.
fn watch() {
    thread::spawn(|| {
        loop {
            thread::sleep(Duration::from_secs(1));
            let at_work = AT_WORK.lock().unwrap();
            if let Some((since, bytes)) = &*at_work
                && since.elapsed() > TIME_LIMIT
            {
                eprintln!("this module hangs: {}", hex(bytes));
                std::process::abort();
            }
        }
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// Running.

/// What a module did.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    NotInstantiated(String),
    Ran {
        calls: Vec<Result<u64, String>>,
        fuel: u64,
        memory: u64,
    },
}

fn run(engine: &Engine, bytes: &[u8]) -> Outcome {
    let valid = Module::validate(engine, bytes);
    let module = Module::new(engine, bytes);
    assert_eq!(
        valid.is_ok(),
        module.is_ok(),
        "validate and new do not agree"
    );
    let Ok(module) = module else {
        return Outcome::Refused;
    };
    let mut store = Store::new(engine, ());
    store.limiter(limits());
    store.set_fuel(FUEL).unwrap();
    let instance =
        stubs(&mut store, &module).and_then(|imports| Instance::new(&mut store, &module, &imports));
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => return Outcome::NotInstantiated(text_of(&error)),
    };
    let exports: Vec<_> = instance
        .exports(&mut store)
        .map(|export| export.into_extern())
        .collect();
    let calls = exports
        .iter()
        .filter_map(|export| export.into_func())
        .take(CALLS);
    let calls = calls
        .map(|func| call(&mut store, func).map_err(|error| text_of(&error)))
        .collect();
    let mut memory = DefaultHasher::new();
    for export in &exports {
        match export {
            Extern::Memory(exported) => {
                let data = exported.data(&store);
                assert!(data.len() <= MEMORY, "a memory of {} bytes", data.len());
                data.hash(&mut memory);
            }
            Extern::Table(table) => {
                let size = table.size(&store);
                assert!(size <= TABLE_ELEMENTS as u64, "a table of {size} elements");
            }
            _ => {}
        }
    }
    Outcome::Ran {
        calls,
        fuel: store.get_fuel().unwrap(),
        memory: memory.finish(),
    }
}

/// Imports that do nothing: functions that give zeros, globals of zero, memories and tables as asked for.
fn stubs(store: &mut Store<()>, module: &Module) -> Result<Vec<Extern>> {
    fn zero(ty: &teff_runtime::ValType) -> Result<Val> {
        Val::default_for_ty(ty).ok_or_else(|| Error::msg(format!("{ty} has no default")))
    }
    let mut imports = Vec::new();
    for import in module.imports() {
        imports.push(match import.ty() {
            ExternType::Func(ty) => {
                let results = ty
                    .results()
                    .map(|ty| zero(&ty))
                    .collect::<Result<Vec<_>>>()?;
                let stub = move |_: teff_runtime::Caller<'_, ()>, _: &[Val], out: &mut [Val]| {
                    out.copy_from_slice(&results);
                    Ok(())
                };
                Func::new(&mut *store, ty, stub).into()
            }
            ExternType::Global(ty) => {
                let value = zero(ty.content())?;
                Global::new(&mut *store, ty, value)?.into()
            }
            ExternType::Table(ty) => {
                let null = match zero(&teff_runtime::ValType::Ref(*ty.element()))? {
                    Val::FuncRef(func) => Ref::Func(func),
                    Val::ExternRef(value) => Ref::Extern(value),
                    _ => return Err(Error::msg("a table of no references")),
                };
                Table::new(&mut *store, ty, null)?.into()
            }
            ExternType::Memory(ty) => Memory::new(&mut *store, ty)?.into(),
        });
    }
    Ok(imports)
}

/// Calls with zeros; the results as a hash.
fn call(store: &mut Store<()>, func: Func) -> Result<u64> {
    let ty = func.ty(&mut *store);
    let args: Option<Vec<_>> = ty.params().map(|ty| Val::default_for_ty(&ty)).collect();
    let args = args.ok_or_else(|| Error::msg("a parameter has no default"))?;
    let mut results = vec![Val::I32(0); ty.results().len()];
    func.call(store, &args, &mut results)?;
    let mut hash = DefaultHasher::new();
    for result in &results {
        match result {
            Val::I32(v) => v.hash(&mut hash),
            Val::I64(v) => v.hash(&mut hash),
            // The specification leaves open which NaN an operation gives.
            Val::F32(v) if f32::from_bits(*v).is_nan() => "nan".hash(&mut hash),
            Val::F64(v) if f64::from_bits(*v).is_nan() => "nan".hash(&mut hash),
            Val::F32(v) => v.hash(&mut hash),
            Val::F64(v) => v.hash(&mut hash),
            Val::V128(v) => v.hash(&mut hash),
            Val::FuncRef(v) => v.is_some().hash(&mut hash),
            Val::ExternRef(v) => v.is_some().hash(&mut hash),
        }
    }
    Ok(hash.finish())
}

fn text_of(error: &Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => format!("trap: {trap}"),
        None => error.to_string(),
    }
}

#[test]
fn damaged_modules_fail_or_run_within_limits() {
    let cases = match std::env::var("TEFF_MUTATIONS") {
        Ok(cases) => cases
            .parse()
            .expect("TEFF_MUTATIONS is a number of modules"),
        Err(_) => DEFAULT_CASES,
    };
    let mut engines = Vec::new();
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            let mut config = Config::new();
            config
                .backend(backend)
                .code_form(form)
                .consume_fuel(true)
                .max_wasm_stack(WASM_STACK);
            engines.push((backend, form, Engine::new(&config).unwrap()));
        }
    }
    assert!(
        MODULES.len() > 1_000,
        "only {} modules to begin with",
        MODULES.len()
    );
    let (ran, called) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let peak = AtomicUsize::new(0);
    watch();

    let config = ProptestConfig {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/mutations.txt",
        ))),
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&damaged_module(), |bytes| {
        let mut first = None;
        for (backend, form, engine) in &engines {
            *AT_WORK.lock().unwrap() = Some((Instant::now(), bytes.clone()));
            let before = HEAP_NOW.load(Relaxed);
            HEAP_PEAK.store(before, Relaxed);
            let outcome = run(engine, &bytes);
            *AT_WORK.lock().unwrap() = None;
            let heap = HEAP_PEAK.load(Relaxed).saturating_sub(before);
            peak.fetch_max(heap, Relaxed);
            prop_assert!(heap <= HEAP, "{heap} bytes of heap: {}", hex(&bytes));
            if let Outcome::Ran { calls, .. } = &outcome {
                ran.fetch_add(1, Relaxed);
                called.fetch_add(calls.iter().filter(|call| call.is_ok()).count(), Relaxed);
            }
            match &first {
                None => first = Some(outcome),
                Some(first) => {
                    prop_assert_eq!(first, &outcome, "{:?} {:?}: {}", backend, form, hex(&bytes));
                }
            }
        }
        Ok(())
    });
    let (ran, called) = (
        ran.into_inner() / engines.len(),
        called.into_inner() / engines.len(),
    );
    println!(
        "{cases} modules: {ran} ran, with {called} calls that returned; at most {} KiB of heap",
        peak.into_inner() >> 10
    );
    if let Err(error) = result {
        panic!("{error}");
    }
    // Else the mutations would test the validator alone.
    assert!(
        ran as u64 * 8 >= u64::from(cases),
        "only {ran} of {cases} modules ran"
    );
    assert!(
        called as u64 * 8 >= u64::from(cases),
        "only {called} calls returned"
    );
}
