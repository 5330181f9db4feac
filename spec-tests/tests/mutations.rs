//! Damaged modules: valid ones of the suite, with bytes and sections changed. Each must give an error or
//! run within its limits, and every configuration must do the same with it.
//!
//! `TEFF_MUTATIONS` sets the number of modules. Seeds of failures are in `proptest-regressions`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config as ProptestConfig, FileFailurePersistence, TestRunner};
use teff_runtime::{
    CodeForm, Config, Engine, Error, Extern, ExternType, Func, Global, Instance, Memory, Module,
    Ref, Result, Store, StoreLimits, StoreLimitsBuilder, Table, Trap, Val,
};
use teff_spec_tests::pool;
use teff_spec_tests::suite::Suite;

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

// Mutations.

/// The suite's modules, which are valid in Wasm 3.0.
static MODULES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let scripts = pool::load(&Suite::embedded());
    scripts
        .iter()
        .flat_map(|script| script.modules())
        .map(<[u8]>::to_vec)
        .collect()
});

/// One change. Places are chosen among those that the bytes have when it is made.
#[derive(Clone, Debug)]
enum Mutation {
    Flip {
        at: Index,
        bit: u8,
        in_code: bool,
    },
    Set {
        at: Index,
        byte: u8,
        in_code: bool,
    },
    Truncate {
        at: Index,
    },
    Insert {
        at: Index,
        bytes: Vec<u8>,
    },
    Remove {
        at: Index,
        len: usize,
    },
    Splice {
        at: Index,
        from: Index,
        start: Index,
        len: usize,
    },
    SwapSections(Index, Index),
    RemoveSection(Index),
    RepeatSection(Index, Index),
    ForeignSection {
        at: Index,
        from: Index,
        section: Index,
    },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    // Bytes that mean much: small numbers, limits of LEB128, opcodes, types.
    let byte = || {
        prop_oneof![
            any::<u8>(),
            0_u8..0x20,
            Just(0x7f),
            Just(0x80),
            Just(0xff),
            0x60_u8..0x80
        ]
    };
    prop_oneof![
        6 => (index(), 0_u8..8, any::<bool>())
            .prop_map(|(at, bit, in_code)| Mutation::Flip { at, bit, in_code }),
        8 => (index(), byte(), any::<bool>())
            .prop_map(|(at, byte, in_code)| Mutation::Set { at, byte, in_code }),
        1 => index().prop_map(|at| Mutation::Truncate { at }),
        1 => (index(), vec(byte(), 1..8)).prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        1 => (index(), 1_usize..16).prop_map(|(at, len)| Mutation::Remove { at, len }),
        2 => (index(), index(), index(), 1_usize..64)
            .prop_map(|(at, from, start, len)| Mutation::Splice { at, from, start, len }),
        1 => (index(), index()).prop_map(|(a, b)| Mutation::SwapSections(a, b)),
        1 => index().prop_map(Mutation::RemoveSection),
        1 => (index(), index()).prop_map(|(a, b)| Mutation::RepeatSection(a, b)),
        2 => (index(), index(), index())
            .prop_map(|(at, from, section)| Mutation::ForeignSection { at, from, section }),
    ]
}

/// A valid module, damaged.
fn damaged_module() -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), vec(mutation(), 1..4)).prop_map(|(module, mutations)| {
        let mut bytes = MODULES[module.index(MODULES.len())].clone();
        for mutation in &mutations {
            mutation.apply(&mut bytes);
        }
        bytes
    })
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip { at, bit, in_code } => {
                if let Some(at) = place(bytes, at, *in_code) {
                    bytes[at] ^= 1 << bit;
                }
            }
            Self::Set { at, byte, in_code } => {
                if let Some(at) = place(bytes, at, *in_code) {
                    bytes[at] = *byte;
                }
            }
            Self::Truncate { at } => bytes.truncate(at.index(bytes.len() + 1)),
            Self::Insert { at, bytes: new } => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove { at, len } => {
                let at = at.index(bytes.len() + 1);
                let end = bytes.len().min(at + len);
                bytes.drain(at..end);
            }
            Self::Splice {
                at,
                from,
                start,
                len,
            } => {
                let from = &MODULES[from.index(MODULES.len())];
                let start = start.index(from.len());
                let new = &from[start..from.len().min(start + len)];
                let at = at.index(bytes.len() + 1);
                let end = bytes.len().min(at + new.len());
                bytes.splice(at..end, new.iter().copied());
            }
            Self::SwapSections(a, b) => edit_sections(bytes, |sections| {
                let (a, b) = (a.index(sections.len()), b.index(sections.len()));
                sections.swap(a, b);
            }),
            Self::RemoveSection(a) => edit_sections(bytes, |sections| {
                sections.remove(a.index(sections.len()));
            }),
            Self::RepeatSection(a, b) => edit_sections(bytes, |sections| {
                let section = sections[a.index(sections.len())].clone();
                sections.insert(b.index(sections.len() + 1), section);
            }),
            Self::ForeignSection { at, from, section } => {
                let from = &MODULES[from.index(MODULES.len())];
                let foreign = sections(from);
                if foreign.is_empty() {
                    return;
                }
                let foreign = from[foreign[section.index(foreign.len())].clone()].to_vec();
                edit_sections(bytes, |sections| {
                    // In the place of one of its kind, so that the order stays right.
                    match sections.iter().position(|section| section[0] == foreign[0]) {
                        Some(same) => sections[same] = foreign,
                        None => sections.insert(at.index(sections.len() + 1), foreign),
                    }
                });
            }
        }
    }
}

const CODE_SECTION: u8 = 10;
const HEADER: usize = 8;

/// A byte of the module, or of its code section.
fn place(bytes: &[u8], at: &Index, in_code: bool) -> Option<usize> {
    let code = || {
        sections(bytes)
            .into_iter()
            .find(|section| bytes[section.start] == CODE_SECTION)
    };
    let range = in_code.then(code).flatten().unwrap_or(0..bytes.len());
    (!range.is_empty()).then(|| range.start + at.index(range.len()))
}

/// The sections, with their ids and sizes; those before the first that is damaged.
fn sections(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut sections = Vec::new();
    let mut at = HEADER;
    while at < bytes.len() {
        let Some((size, body)) = leb128(bytes, at + 1) else {
            break;
        };
        let Some(end) = body.checked_add(size).filter(|end| *end <= bytes.len()) else {
            break;
        };
        sections.push(at..end);
        at = end;
    }
    sections
}

/// An unsigned number and where it ends.
fn leb128(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

fn edit_sections(bytes: &mut Vec<u8>, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let ranges = sections(bytes);
    let Some(last) = ranges.last() else { return };
    let rest = bytes[last.end..].to_vec();
    let mut sections: Vec<_> = ranges
        .iter()
        .map(|range| bytes[range.clone()].to_vec())
        .collect();
    edit(&mut sections);
    bytes.truncate(HEADER);
    bytes.extend(sections.into_iter().flatten());
    bytes.extend(rest);
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
        ran as u64 * 20 >= u64::from(cases),
        "only {ran} of {cases} modules ran"
    );
    assert!(
        called as u64 * 20 >= u64::from(cases),
        "only {called} calls returned"
    );
}

#[test]
fn sections_are_found() {
    let module = wat::parse_str("(module (func) (memory 1) (export \"f\" (func 0)))").unwrap();
    let ids: Vec<_> = sections(&module)
        .into_iter()
        .map(|section| module[section.start])
        .collect();
    assert_eq!(ids, [1, 3, 5, 7, 10]);
    let mut edited = module.clone();
    edit_sections(&mut edited, |sections| sections.swap(0, 1));
    assert_eq!(edited.len(), module.len());
    assert_ne!(edited, module);
    edit_sections(&mut edited, |sections| sections.swap(0, 1));
    assert_eq!(edited, module);
}
