//! Families of operations, each as a loop whose body is the same few instructions many times, as a compiler would leave
//! them: time for one instance of the body. The loop itself is `loop` among them.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use teff_runtime::{Backend, Config, Engine, Linker, Module, Store};

/// How often a body is in the loop, and how often the loop runs.
const COPIES: u64 = 16;
const TURNS: u64 = 10_000;

/// Names, and bodies that may use: the locals $i and $j (i32), $x and $y (i64), $a and $b (f64), $f and $g (f32), $n (the
/// turn, i32), the globals $global and $global64, 64 KiB of memory, and the functions beside them.
const BODIES: &[(&str, &str)] = &[
    ("loop", ""),
    // Integers.
    ("i32.add", "(local.set $i (i32.add (local.get $i) (local.get $j)))"),
    ("i32.add constant", "(local.set $i (i32.add (local.get $i) (i32.const 3)))"),
    ("i32.mul", "(local.set $i (i32.mul (local.get $i) (local.get $j)))"),
    ("i32.div_u", "(local.set $i (i32.div_u (local.get $n) (i32.or (local.get $j) (i32.const 1))))"),
    (
        "i32 rotate, xor, add",
        "(local.set $i (i32.add (i32.xor (i32.rotl (local.get $i) (i32.const 7)) (local.get $j)) (local.get $n)))",
    ),
    (
        "i32 shift and mask",
        "(local.set $i (i32.and (i32.shr_u (local.get $j) (i32.const 5)) (i32.const 255)))",
    ),
    ("i64.add", "(local.set $x (i64.add (local.get $x) (local.get $y)))"),
    (
        "i64 multiply and rotate",
        "(local.set $x (i64.rotl (i64.mul (i64.add (local.get $x) (local.get $y)) (i64.const 0x9e3779b97f4a7c15)) (i64.const 31)))",
    ),
    ("i64.extend_i32_u", "(local.set $x (i64.add (local.get $x) (i64.extend_i32_u (local.get $n))))"),
    ("i32.popcnt, clz, ctz", "(local.set $i (i32.add (i32.popcnt (local.get $j)) (i32.add (i32.clz (local.get $n)) (i32.ctz (local.get $n)))))"),
    // Floats.
    ("f64.add", "(local.set $a (f64.add (local.get $a) (local.get $b)))"),
    ("f64 multiply and add", "(local.set $a (f64.add (f64.mul (local.get $a) (local.get $b)) (local.get $b)))"),
    ("f64.div", "(local.set $a (f64.div (local.get $a) (local.get $b)))"),
    ("f64.sqrt", "(local.set $a (f64.sqrt (local.get $a)))"),
    ("f32 multiply and add", "(local.set $f (f32.add (f32.mul (local.get $f) (local.get $g)) (local.get $g)))"),
    ("f64.convert_i32_s", "(local.set $a (f64.add (local.get $a) (f64.convert_i32_s (local.get $n))))"),
    ("i32.trunc_sat_f64_s", "(local.set $i (i32.trunc_sat_f64_s (local.get $a)))"),
    // Locals, globals, control.
    ("copy a local", "(local.set $i (local.get $j)) (local.set $j (local.get $n))"),
    ("global.get and global.set", "(global.set $global (i32.add (global.get $global) (local.get $n)))"),
    ("select", "(local.set $i (select (local.get $i) (local.get $j) (i32.lt_u (local.get $n) (local.get $j))))"),
    ("if", "(if (i32.and (local.get $n) (i32.const 1)) (then (local.set $i (i32.add (local.get $i) (local.get $n)))))"),
    ("if with else", "(local.set $i (if (result i32) (i32.gt_s (local.get $n) (local.get $j)) (then (local.get $n)) (else (local.get $j))))"),
    (
        "br_table",
        "(block $d (block $c (block $b2 (block $a2 (br_table $a2 $b2 $c $d (i32.and (local.get $n) (i32.const 3))))
            (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $d))
            (local.set $i (i32.sub (local.get $i) (i32.const 5))) (br $d))
            (local.set $i (i32.xor (local.get $i) (i32.const 7))))",
    ),
    // Memory.
    ("i32.load", "(local.set $i (i32.load offset=16 (local.get $j)))"),
    ("i32.store", "(i32.store offset=16 (local.get $j) (local.get $i))"),
    ("i32.load8_u", "(local.set $i (i32.load8_u (i32.add (local.get $j) (i32.const 9))))"),
    ("i64.load and i64.store", "(i64.store offset=64 (local.get $j) (i64.load offset=8 (local.get $j)))"),
    (
        "f64 in an array",
        "(local.set $a (f64.add (local.get $a) (f64.load (i32.add (local.get $j) (i32.shl (i32.and (local.get $n) (i32.const 255)) (i32.const 3))))))",
    ),
    (
        "read, change, write",
        "(i32.store (local.get $j) (i32.add (i32.load (local.get $j)) (local.get $n)))",
    ),
    ("memory.fill of 256 bytes", "(memory.fill (i32.const 1024) (local.get $n) (i32.const 256))"),
    ("memory.copy of 256 bytes", "(memory.copy (i32.const 1024) (i32.const 4096) (i32.const 256))"),
    ("memory.size", "(local.set $i (memory.size))"),
];

fn module(body: &str) -> String {
    let bodies = body.repeat(COPIES as usize);
    format!(
        r#"(module (memory 1)
  (global $global (mut i32) (i32.const 0))
  (func (export "run") (param $n i32) (param $j i32) (result i32)
    (local $i i32) (local $x i64) (local $y i64) (local $a f64) (local $b f64) (local $f f32) (local $g f32)
    (local.set $x (i64.const 88172645463325252)) (local.set $y (i64.const 0x123456789abcdef))
    (local.set $a (f64.const 1.25)) (local.set $b (f64.const 0.999))
    (local.set $f (f32.const 1.25)) (local.set $g (f32.const 0.999))
    (loop $turn
      {bodies}
      (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.add (local.get $i)
      (i32.add (i32.wrap_i64 (local.get $x))
        (i32.add (i32.trunc_sat_f64_s (local.get $a)) (i32.trunc_sat_f32_s (local.get $f)))))))"#
    )
}

fn operations(criterion: &mut Criterion) {
    for &backend in Config::BACKENDS {
        let name = if backend == Backend::Loop {
            "operations, loop"
        } else {
            "operations"
        };
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(COPIES * TURNS));
        let mut config = Config::new();
        config.backend(backend);
        let engine = Engine::new(&config).expect("an engine");
        for (name, body) in BODIES {
            let bytes = wat::parse_str(module(body)).expect("a module");
            let module = Module::new(&engine, bytes).expect("a valid module");
            let mut store = Store::new(&engine, ());
            let instance = Linker::new(&engine)
                .instantiate(&mut store, &module)
                .expect("an instance");
            let run = instance
                .get_typed_func::<(i32, i32), i32>(&mut store, "run")
                .expect("the export");
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| run.call(&mut store, (TURNS as i32, 128)).expect("no trap"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, operations);
criterion_main!(benches);
