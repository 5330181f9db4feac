//! Calls: from Wasm to Wasm, through tables, to the host and from the host. Time for one call.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use teff_runtime::{Caller, Engine, Linker, Module, Store, Val};

const TURNS: u64 = 10_000;

/// Each export runs its call once a turn; the parameter is the number of turns.
const MODULE: &str = r#"(module
  (import "host" "nothing" (func $nothing))
  (import "host" "add" (func $host_add (param i32 i32) (result i32)))
  (import "host" "count" (func $count (param i64)))
  (import "host" "dynamic" (func $dynamic (param i32) (result i32)))
  (type $one (func (param i32) (result i32)))
  (table 4 funcref)
  (elem (i32.const 0) $leaf $second $leaf $second)

  (func $leaf (export "leaf") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $second (type $one) (i32.xor (local.get 0) (i32.const 5)))
  (func $empty)
  (func $many (param i32 i64 f64 i32 i32 i64) (result i64)
    (i64.add (local.get 1) (i64.extend_i32_u (i32.add (local.get 0) (i32.add (local.get 3) (local.get 4))))))
  (func $tail (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call $tail (i32.sub (local.get 0) (i32.const 1))))
      (else (i32.const 7))))
  (func $down (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0))
      (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))))

  (func (export "empty") (param $n i32) (result i32)
    (loop $l (call $empty) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 0))
  (func (export "one argument") (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (call $leaf (local.get $i)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $i))
  (func (export "six arguments") (param $n i32) (result i32) (local $x i64)
    (loop $l
      (local.set $x
        (call $many (local.get $n) (local.get $x) (f64.const 1) (i32.const 3) (local.get $n) (local.get $x)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.wrap_i64 (local.get $x)))
  (func (export "call_indirect, one target") (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (call_indirect (type $one) (local.get $i) (i32.const 0)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $i))
  (func (export "call_indirect, two targets") (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (call_indirect (type $one) (local.get $i) (i32.and (local.get $n) (i32.const 3))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $i))
  (func (export "tail calls") (param $n i32) (result i32) (call $tail (local.get $n)))
  (func (export "depth") (param $n i32) (result i32) (call $down (local.get $n)))
  (func (export "host function without arguments") (param $n i32) (result i32)
    (loop $l (call $nothing) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 0))
  (func (export "host function of two arguments") (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (call $host_add (local.get $i) (local.get $n)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $i))
  (func (export "host function with the store") (param $n i32) (result i32)
    (loop $l
      (call $count (i64.extend_i32_u (local.get $n)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 0))
  (func (export "host function of dynamic type") (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (call $dynamic (local.get $i)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $i)))"#;

const EXPORTS: [&str; 11] = [
    "empty",
    "one argument",
    "six arguments",
    "call_indirect, one target",
    "call_indirect, two targets",
    "tail calls",
    "depth",
    "host function without arguments",
    "host function of two arguments",
    "host function with the store",
    "host function of dynamic type",
];

fn calls(criterion: &mut Criterion) {
    let engine = Engine::default();
    let bytes = wat::parse_str(MODULE).expect("a module");
    let module = Module::new(&engine, bytes).expect("a valid module");
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "nothing", || {})
        .expect("a name that is free");
    linker
        .func_wrap("host", "add", |a: i32, b: i32| a.wrapping_add(b))
        .expect("a name that is free");
    linker
        .func_wrap("host", "count", |mut caller: Caller<'_, u64>, by: i64| {
            *caller.data_mut() = caller.data().wrapping_add(by as u64);
        })
        .expect("a name that is free");
    let import = module
        .imports()
        .find_map(|import| (import.name() == "dynamic").then(|| import.ty().func().cloned()))
        .flatten()
        .expect("the type of the import");
    linker
        .func_new("host", "dynamic", import, |_, args, results| {
            results[0] = Val::I32(args[0].unwrap_i32().wrapping_add(1));
            Ok(())
        })
        .expect("a name that is free");
    let mut store = Store::new(&engine, 0u64);
    let instance = linker
        .instantiate(&mut store, &module)
        .expect("an instance");

    let mut group = criterion.benchmark_group("calls");
    group.throughput(Throughput::Elements(TURNS));
    for name in EXPORTS {
        let run = instance
            .get_typed_func::<i32, i32>(&mut store, name)
            .expect("the export");
        group.bench_function(name, |bencher| {
            bencher.iter(|| run.call(&mut store, TURNS as i32).expect("no trap"));
        });
    }
    group.throughput(Throughput::Elements(1));
    let leaf = instance
        .get_typed_func::<i32, i32>(&mut store, "leaf")
        .expect("the export");
    group.bench_function("from the host, typed", |bencher| {
        bencher.iter(|| leaf.call(&mut store, 1).expect("no trap"));
    });
    let leaf = instance.get_func(&mut store, "leaf").expect("the export");
    group.bench_function("from the host, dynamic", |bencher| {
        let mut results = [Val::I32(0)];
        bencher.iter(|| {
            leaf.call(&mut store, &[Val::I32(1)], &mut results)
                .expect("no trap")
        });
    });
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
