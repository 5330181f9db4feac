//! Depth: of Wasm calls, of Wasm and host functions that call each other, of tail calls. None of it may
//! overflow the native stack, not even a small one; and a panic of the host comes back to the embedder.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use teff_runtime::{
    AsContextMut, Backend, Caller, CodeForm, Config, Engine, Error, Extern, Func, Instance, Linker,
    Module, Result, Store, Trap,
};

/// The stack of a program's first thread on Linux, and one of a small device or a big thread pool.
const NATIVE_STACKS: [usize; 2] = [8 << 20, 256 << 10];

const SMALL_STACK: usize = 256 << 10;

/// Runs `test` in every configuration, on a thread whose native stack has `bytes`.
fn everywhere(bytes: usize, test: fn(&Engine)) {
    everywhere_with(bytes, |_| (), test);
}

fn everywhere_with(bytes: usize, configure: fn(&mut Config), test: fn(&Engine)) {
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            on_thread(bytes, backend, form, configure, test);
        }
    }
}

fn on_thread(
    bytes: usize,
    backend: Backend,
    form: CodeForm,
    configure: fn(&mut Config),
    test: fn(&Engine),
) {
    let run = move || {
        let mut config = Config::new();
        config.backend(backend).code_form(form);
        configure(&mut config);
        test(&Engine::new(&config).unwrap());
    };
    let name = format!("{backend:?} {form:?}, {} KiB native stack", bytes >> 10);
    let thread = thread::Builder::new()
        .name(name)
        .stack_size(bytes)
        .spawn(run)
        .unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, wat::parse_str(text).unwrap()).unwrap()
}

fn func(store: impl AsContextMut, instance: &Instance, name: &str) -> Func {
    instance
        .get_func(store, name)
        .unwrap_or_else(|| panic!("no export {name}"))
}

/// Calls an export that takes and gives nothing.
fn call(mut store: impl AsContextMut, instance: &Instance, name: &str) -> Result<()> {
    func(&mut store, instance, name).call(store, &[], &mut [])
}

#[track_caller]
fn assert_overflow<T>(result: Result<T>) {
    match result {
        Ok(_) => panic!("expected a stack overflow"),
        Err(error) => {
            let trap = error.downcast_ref::<Trap>();
            assert_eq!(trap, Some(&Trap::StackOverflow), "{error:?}");
            assert_eq!(trap.unwrap().to_string(), "call stack exhausted");
        }
    }
}

// Wasm alone.

const RECURSION: &str = r#"(module
    (type $void (func))
    (table funcref (elem $indirect $even $odd))
    (func $direct (export "direct") (call $direct))
    (func $indirect (export "indirect") (call_indirect (type $void) (i32.const 0)))
    (func $even (export "mutual") (call_indirect (type $void) (i32.const 2)))
    (func $odd (call $even))
    (func $wide (export "wide") (call $frame (i64.const 1) (f64.const 2) (i32.const 3)) (drop))
    (func $frame (param i64 f64 i32) (result i64)
        (local i64 i64 i64 i64 i64 i64 i64 i64 f32 f32 f32 f32)
        (i64.add
            (call $frame (i64.add (local.get 0) (local.get 3)) (local.get 1) (local.get 2))
            (i64.const 1)))
    (func $depth (export "depth") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (call $depth (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
            (else (i32.const 0)))))"#;

#[test]
fn endless_recursion_traps() {
    for stack in NATIVE_STACKS {
        everywhere(stack, |engine| {
            let mut store = Store::new(engine, ());
            let instance = Instance::new(&mut store, &module(engine, RECURSION), &[]).unwrap();
            // Twice: the first overflow must leave the stack as it was.
            for name in ["direct", "indirect", "mutual", "wide", "direct"] {
                assert_overflow(call(&mut store, &instance, name));
            }
            let depth = func(&mut store, &instance, "depth")
                .typed::<i32, i32>(&store)
                .unwrap();
            assert_eq!(depth.call(&mut store, 10_000).unwrap(), 10_000);
        });
    }
}

#[test]
fn the_wasm_stack_limits_the_depth_not_the_native_one() {
    everywhere_with(
        SMALL_STACK,
        |config| _ = config.max_wasm_stack(64 << 20),
        |engine| {
            let mut store = Store::new(engine, ());
            let instance = Instance::new(&mut store, &module(engine, RECURSION), &[]).unwrap();
            let depth = func(&mut store, &instance, "depth")
                .typed::<i32, i32>(&store)
                .unwrap();
            assert_eq!(depth.call(&mut store, 500_000).unwrap(), 500_000);
        },
    );
    everywhere_with(
        SMALL_STACK,
        |config| _ = config.max_wasm_stack(4 << 10),
        |engine| {
            let mut store = Store::new(engine, ());
            let instance = Instance::new(&mut store, &module(engine, RECURSION), &[]).unwrap();
            let depth = func(&mut store, &instance, "depth")
                .typed::<i32, i32>(&store)
                .unwrap();
            assert_overflow(depth.call(&mut store, 10_000));
        },
    );
}

#[test]
fn frames_too_big_for_the_stack_trap() {
    everywhere_with(
        SMALL_STACK,
        |config| _ = config.max_wasm_stack(64 << 10),
        |engine| {
            let locals = "i64 ".repeat(40_000);
            let text = format!(
                r#"(module
                    (func $big (local {locals}) (local.set 39999 (i64.const 1)))
                    (func (export "big") (call $big))
                    (func (export "small")))"#
            );
            let mut store = Store::new(engine, ());
            let instance = Instance::new(&mut store, &module(engine, &text), &[]).unwrap();
            assert_overflow(call(&mut store, &instance, "big"));
            call(&mut store, &instance, "small").unwrap();
        },
    );
}

// Wasm and host functions that call each other.

/// The host function calls the caller's export `go`.
fn call_go(mut caller: Caller<'_, ()>) -> Result<()> {
    let Some(Extern::Func(go)) = caller.get_export("go") else {
        return Err(Error::msg("the caller has no export `go`"));
    };
    go.call(&mut caller, &[], &mut [])
}

fn assert_reentry_overflows(engine: &Engine, text: &str) {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "again", call_go).unwrap();
    let mut store = Store::new(engine, ());
    let instance = linker
        .instantiate(&mut store, &module(engine, text))
        .unwrap();
    for _ in 0..3 {
        assert_overflow(call(&mut store, &instance, "go"));
    }
    call(&mut store, &instance, "nothing").unwrap();
}

#[test]
fn reentry_through_a_host_function_traps() {
    for stack in NATIVE_STACKS {
        everywhere(stack, |engine| {
            assert_reentry_overflows(
                engine,
                r#"(module
                    (import "host" "again" (func $again))
                    (func (export "nothing"))
                    (func (export "go") (call $again)))"#,
            );
        });
    }
}

#[test]
fn reentry_through_a_table_traps() {
    everywhere(SMALL_STACK, |engine| {
        assert_reentry_overflows(
            engine,
            r#"(module
                (type $void (func))
                (import "host" "again" (func $again))
                (table funcref (elem $again))
                (func (export "nothing"))
                (func (export "go") (call_indirect (type $void) (i32.const 0))))"#,
        );
    });
}

#[test]
fn reentry_through_tail_calls_traps() {
    everywhere(SMALL_STACK, |engine| {
        assert_reentry_overflows(
            engine,
            r#"(module
                (type $void (func))
                (import "host" "again" (func $again))
                (table funcref (elem $again))
                (func (export "nothing"))
                (func $tail (return_call $again))
                (func (export "go") (call $tail) (return_call_indirect (type $void) (i32.const 0))))"#,
        );
    });
}

#[test]
fn reentry_through_a_start_function_traps() {
    /// The module whose start function calls the host function, and that function.
    struct Again {
        module: Module,
        host: Option<Func>,
    }
    everywhere(SMALL_STACK, |engine| {
        let text = r#"(module
            (import "host" "again" (func $again))
            (start $go)
            (func $go (call $again)))"#;
        let again = Again {
            module: module(engine, text),
            host: None,
        };
        let mut store = Store::new(engine, again);
        let host = Func::wrap(&mut store, |mut caller: Caller<'_, Again>| -> Result<()> {
            let module = caller.data().module.clone();
            let host = caller.data().host.expect("set before the first call");
            Instance::new(&mut caller, &module, &[host.into()]).map(drop)
        });
        store.data_mut().host = Some(host);
        let module = store.data().module.clone();
        for _ in 0..3 {
            assert_overflow(Instance::new(&mut store, &module, &[host.into()]));
        }
    });
}

#[test]
fn reentry_between_two_instances_traps() {
    everywhere(SMALL_STACK, |engine| {
        let mut store = Store::new(engine, None::<Func>);
        let host = Func::wrap(
            &mut store,
            |mut caller: Caller<'_, Option<Func>>| -> Result<()> {
                let target = caller.data().expect("set before the first call");
                target.call(&mut caller, &[], &mut [])
            },
        );
        let relay = r#"(module
            (import "" "next" (func $next))
            (func (export "go") (call $next)))"#;
        let relay = module(engine, relay);
        let first = Instance::new(&mut store, &relay, &[host.into()]).unwrap();
        let first = func(&mut store, &first, "go");
        let second = Instance::new(&mut store, &relay, &[first.into()]).unwrap();
        let second = func(&mut store, &second, "go");
        *store.data_mut() = Some(second);
        assert_overflow(second.call(&mut store, &[], &mut []));
    });
}

#[test]
fn host_nesting_has_the_configured_limit() {
    everywhere_with(
        SMALL_STACK,
        |config| _ = config.max_host_nesting(10),
        |engine| {
            let mut linker = Linker::new(engine);
            let calls = Arc::new(AtomicUsize::new(0));
            let counter = calls.clone();
            let again = move |caller: Caller<'_, ()>| {
                counter.fetch_add(1, Ordering::Relaxed);
                call_go(caller)
            };
            linker.func_wrap("host", "again", again).unwrap();
            let text = r#"(module
                (import "host" "again" (func $again))
                (func (export "go") (call $again)))"#;
            let mut store = Store::new(engine, ());
            let instance = linker
                .instantiate(&mut store, &module(engine, text))
                .unwrap();
            assert_overflow(call(&mut store, &instance, "go"));
            let calls = calls.load(Ordering::Relaxed);
            assert!(
                (5..=20).contains(&calls),
                "{calls} nested calls with a limit of 10"
            );
        },
    );
}

// Panics.

#[test]
fn a_panic_of_the_host_unwinds_to_the_embedder() {
    everywhere(SMALL_STACK, |engine| {
        let mut linker = Linker::new(engine);
        let panic = |n: i32| {
            if n == 0 {
                // Without the panic hook's message, which would look like a failure of this test.
                std::panic::resume_unwind(Box::new("from the host"));
            }
        };
        linker.func_wrap("host", "panic", panic).unwrap();
        linker.func_wrap("host", "again", call_go).unwrap();
        let text = r#"(module
            (import "host" "panic" (func $panic (param i32)))
            (import "host" "again" (func $again))
            (memory (export "memory") 1)
            (global $calls (mut i32) (i32.const 0))
            (func $count (result i32)
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (global.get $calls))
            (func $down (param i32) (result i32)
                (if (local.get 0)
                    (then (return (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))))
                (call $panic (i32.const 0))
                (i32.const 0))
            (func (export "deep") (drop (call $down (i32.const 1000))))
            (func (export "go") (drop (call $down (i32.const 10))))
            (func (export "nested") (call $again))
            (func (export "fine") (call $panic (i32.const 1)))
            (func (export "calls") (result i32) (call $count))
            (func $depth (export "depth") (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (call $depth (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
                    (else (i32.const 0)))))"#;
        let mut store = Store::new(engine, ());
        let instance = linker
            .instantiate(&mut store, &module(engine, text))
            .unwrap();
        let depth = func(&mut store, &instance, "depth")
            .typed::<i32, i32>(&store)
            .unwrap();
        let calls = func(&mut store, &instance, "calls")
            .typed::<(), i32>(&store)
            .unwrap();
        // So often that anything left behind, of the Wasm stack or of the nesting, would run out.
        for round in 1..=500 {
            for name in ["deep", "nested"] {
                let run = AssertUnwindSafe(|| call(&mut store, &instance, name));
                let panic = catch_unwind(run).expect_err("the panic must come through");
                assert_eq!(panic.downcast_ref::<&str>(), Some(&"from the host"));
            }
            call(&mut store, &instance, "fine").unwrap();
            assert_eq!(calls.call(&mut store, ()).unwrap(), round);
        }
        assert_eq!(depth.call(&mut store, 10_000).unwrap(), 10_000);
    });
}

// Tail calls.

#[test]
fn a_million_tail_calls_take_constant_space() {
    everywhere_with(
        SMALL_STACK,
        |config| _ = config.max_wasm_stack(8 << 10),
        |engine| {
            let text = r#"(module
                (type $count (func (param i32 i64) (result i64)))
                (table funcref (elem $direct $indirect $even $odd $wide))
                (func $direct (export "direct") (type $count)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                    (return_call $direct
                        (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1))))
                (func $indirect (export "indirect") (type $count)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                    (return_call_indirect (type $count)
                        (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1))
                        (i32.const 1)))
                (func $even (export "mutual") (type $count)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                    (return_call $odd
                        (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1))))
                (func $odd (type $count)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                    (return_call_indirect (type $count)
                        (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1))
                        (i32.const 2)))
                (func $wide (export "frames") (type $count)
                    (local i64 i64 i64 i64 i64 i64)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                    (return_call $narrow
                        (i32.sub (local.get 0) (i32.const 1)) (i64.const 7) (i64.const 7) (i64.const 7)
                        (i64.add (local.get 1) (i64.const 1))))
                (func $narrow (param i32 i64 i64 i64 i64) (result i64)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 4))))
                    (return_call $wide
                        (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 4) (i64.const 1)))))"#;
            let mut store = Store::new(engine, ());
            let instance = Instance::new(&mut store, &module(engine, text), &[]).unwrap();
            for name in ["direct", "indirect", "mutual", "frames"] {
                let count = func(&mut store, &instance, name);
                let count = count.typed::<(i32, i64), i64>(&store).unwrap();
                let calls = count.call(&mut store, (1_000_000, 0)).unwrap();
                assert_eq!(calls, 1_000_000, "{name}");
            }
        },
    );
}

#[test]
fn a_million_tail_calls_between_instances_take_constant_space() {
    everywhere_with(
        SMALL_STACK,
        |config| _ = config.max_wasm_stack(8 << 10),
        |engine| {
            let text = r#"(module
                (type $count (func (param i32 i64) (result i64)))
                (import "" "table" (table 2 funcref))
                (import "" "other" (global $other i32))
                (func $step (export "step") (type $count)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                    (return_call_indirect (type $count)
                        (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1))
                        (global.get $other)))
                (elem (table 0) (offset (i32.sub (i32.const 1) (global.get $other))) func $step))"#;
            let shared = r#"(module
                (table (export "table") 2 funcref)
                (global (export "zero") i32 (i32.const 0))
                (global (export "one") i32 (i32.const 1)))"#;
            let mut store = Store::new(engine, ());
            let shared = Instance::new(&mut store, &module(engine, shared), &[]).unwrap();
            let export = |store: &mut Store<()>, name| shared.get_export(store, name).unwrap();
            let table = export(&mut store, "table");
            let (zero, one) = (export(&mut store, "zero"), export(&mut store, "one"));
            let step = module(engine, text);
            let first = Instance::new(&mut store, &step, &[table, one]).unwrap();
            Instance::new(&mut store, &step, &[table, zero]).unwrap();
            let count = func(&mut store, &first, "step");
            let count = count.typed::<(i32, i64), i64>(&store).unwrap();
            assert_eq!(count.call(&mut store, (1_000_000, 0)).unwrap(), 1_000_000);
        },
    );
}
