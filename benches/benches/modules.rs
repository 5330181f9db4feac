//! Modules: loading (decoding, validating, translating) in bytes a second, instances, and first calls.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::fs;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use teff_runtime::{CompilationMode, Config, Engine, Linker, Module, Store};
use teff_wasi::{WasiCtx, WasiCtxBuilder};

/// Small, middling, large: of C, Rust and Go.
const MODULES: [&str; 3] = ["json", "collections", "go"];

fn read(name: &str) -> &'static [u8] {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/wasm");
    let bytes = fs::read(directory.join(name).with_extension("wasm")).expect("the module");
    bytes.leak()
}

/// On one thread: validated only, validated and translated, and neither.
fn load(criterion: &mut Criterion) {
    for (name, mode) in [
        ("load", CompilationMode::LazyTranslation),
        ("load, eager", CompilationMode::Eager),
        ("load, lazy", CompilationMode::Lazy),
    ] {
        let mut group = criterion.benchmark_group(name);
        let mut config = Config::new();
        config.compilation_mode(mode).compilation_threads(1);
        let engine = Engine::new(&config).expect("an engine");
        for name in MODULES {
            let bytes = read(name);
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| Module::from_static(&engine, bytes).expect("a valid module"));
            });
        }
        group.finish();
    }
}

fn instantiate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("instantiate");
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi).expect("names that are free");
    for name in MODULES {
        let module = Module::from_static(&engine, read(name)).expect("a valid module");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut store = Store::new(&engine, WasiCtxBuilder::new().build());
                linker
                    .instantiate(&mut store, &module)
                    .expect("an instance");
                // With the store, so that taking it down is measured too.
                store
            });
        });
    }
    let module = wat::parse_str(r#"(module (func (export "f")))"#).expect("a module");
    let module = Module::new(&engine, module).expect("a valid module");
    let linker = Linker::new(&engine);
    group.bench_function("nothing", |bencher| {
        bencher.iter(|| {
            let mut store = Store::new(&engine, ());
            linker
                .instantiate(&mut store, &module)
                .expect("an instance");
            store
        });
    });
    group.finish();
}

/// A module of many equal functions, each called once: what the first call of a function adds.
fn translate(criterion: &mut Criterion) {
    const FUNCTIONS: usize = 200;
    let body = "(local.set 1 (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.load offset=8 (local.get 1))))
                (if (i32.gt_s (local.get 1) (i32.const 100)) (then (i32.store (local.get 0) (local.get 1))))"
        .repeat(40);
    let mut text = String::from("(module (memory 1)");
    let mut calls = String::new();
    for index in 0..FUNCTIONS {
        text += &format!("(func $f{index} (param i32) (local i32) {body})");
        calls += &format!("(call $f{index} (i32.const 8))");
    }
    text += &format!(r#"(func (export "run") {calls}))"#);
    let bytes: &'static [u8] = wat::parse_str(text).expect("a module").leak();
    let engine = Engine::default();
    let linker = Linker::new(&engine);
    let mut group = criterion.benchmark_group("translate");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("first calls", |bencher| {
        bencher.iter_batched(
            || {
                let module = Module::from_static(&engine, bytes).expect("a valid module");
                let mut store = Store::new(&engine, ());
                let instance = linker
                    .instantiate(&mut store, &module)
                    .expect("an instance");
                let run = instance
                    .get_typed_func::<(), ()>(&mut store, "run")
                    .expect("the export");
                (store, run)
            },
            |(mut store, run)| {
                run.call(&mut store, ()).expect("no trap");
                store
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, load, instantiate, translate);
criterion_main!(benches);
