//! Calls that are suspended and go on.

use super::*;
use teff_runtime::{Caller, SuspendedCall, TypedResumableCall};

/// Everything that a call can be in the middle of: loops, recursion, calls of every kind, values of every type
/// in accumulators, pinned locals and slots.
const PROGRAM: &str = r#"(module
    (type $binary (func (param i64 f64) (result f64)))
    (memory 1)
    (global $g (mut i32) (i32.const 3))
    (table funcref (elem $mix $sum))
    (func $mix (param i64 f64) (result f64) (local $i i32) (local $x f32)
        (loop
            (local.set $x (f32.add (f32.mul (local.get $x) (f32.const 0.5)) (f32.const 1.25)))
            (local.set 1 (f64.add (local.get 1) (f64.promote_f32 (local.get $x))))
            (local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 7)) (i64.const 3)))
            (i64.store (local.get $i) (local.get 0))
            (local.set $i (i32.add (local.get $i) (i32.const 8)))
            (br_if 0 (i32.lt_u (local.get $i) (i32.const 80))))
        (f64.add (local.get 1) (f64.convert_i64_s (local.get 0))))
    (func $sum (param i64 f64) (result f64)
        (if (result f64) (i64.eqz (local.get 0))
            (then (local.get 1))
            (else (return_call_indirect (type $binary)
                (i64.sub (local.get 0) (i64.const 1))
                (f64.add (local.get 1) (f64.const 0.5))
                (i32.const 1)))))
    (func $many (param i32) (result i32 f64 i64)
        (global.set $g (i32.add (global.get $g) (local.get 0)))
        (global.get $g)
        (call $mix (i64.extend_i32_u (local.get 0)) (f64.const 0.25))
        (i64.load (i32.mul (local.get 0) (i32.const 8))))
    (func $deep (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (local.get 0) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))
    (func (export "f") (param $n i32) (result f64 i64 i32) (local $a f64) (local $b i64) (local $c i32)
        (loop
            (block $two (block $one (block $zero
                (br_table $zero $one $two (i32.rem_u (local.get $n) (i32.const 3))))
                (local.set $a (f64.add (local.get $a)
                    (call_indirect (type $binary) (i64.const 20) (local.get $a) (i32.const 1))))
                (br $two))
                (call $many (local.get $n))
                (local.set $b (i64.add (local.get $b)))
                (local.set $a (f64.add (local.get $a)))
                (local.set $c (i32.add (local.get $c))))
            (local.set $c (i32.add (local.get $c) (call $deep (local.get $n))))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if 0 (local.get $n)))
        (local.get $a) (local.get $b) (local.get $c)))"#;

#[test]
fn a_call_can_stop_anywhere() {
    let agreed = std::cell::Cell::new(None::<u64>);
    with_fuel(|engine| {
        let args = i32s(&[9]);
        // The module has state, so each run needs its own.
        let (results, fuel) = Program::new(engine, PROGRAM).run(&args);
        assert!(fuel > 1_000, "{fuel}");
        assert_eq!(
            agreed.replace(Some(fuel)).unwrap_or(fuel),
            fuel,
            "{engine:?}"
        );
        for slice in [1, 2, 3, 7, 1000] {
            let found = Program::new(engine, PROGRAM).run_in_slices(&args, slice);
            assert_eq!(found, (results.clone(), fuel), "slices of {slice}");
        }
        // Without metering the results are the same.
        let mut config = engine.config().clone();
        let mut store = Store::new(&Engine::new(config.consume_fuel(false)).unwrap(), ());
        let module = module(store.engine(), PROGRAM);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut free = i32s(&[0; 3]);
        let f = instance.get_func(&mut store, "f").unwrap();
        f.call(&mut store, &args, &mut free).unwrap();
        assert_eq!(results, Ok(bits(&free)));
    });
}

/// Counts to its argument in a global, and gives the argument.
const COUNT: &str = r#"(module
    (global $n (export "n") (mut i32) (i32.const 0))
    (func (export "f") (param i32) (result i32)
        (loop
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (br_if 0 (i32.lt_u (global.get $n) (local.get 0))))
        (local.get 0)))"#;

#[track_caller]
fn suspended<T>(call: TypedResumableCall<T>) -> teff_runtime::TypedSuspendedCall<T> {
    match call {
        TypedResumableCall::OutOfFuel(call) | TypedResumableCall::Interrupted(call) => call,
        _ => panic!("it finished"),
    }
}

#[track_caller]
fn finished<T>(call: TypedResumableCall<T>) -> T {
    match call {
        TypedResumableCall::Finished(results) => results,
        _ => panic!("it was suspended"),
    }
}

#[test]
fn suspended_calls_do_not_get_in_each_others_way() {
    with_fuel(|engine| {
        let linker = Linker::new(engine);
        let mut store = Store::new(engine, ());
        let instances: Vec<_> = (0..4)
            .map(|_| instantiate(&linker, &mut store, COUNT).unwrap())
            .collect();
        let mut typed = |i: usize| {
            let f: Instance = instances[i];
            f.get_typed_func::<i32, i32>(&mut store, "f").unwrap()
        };
        let funcs = [typed(0), typed(1), typed(2), typed(3)];
        let mut calls = Vec::new();
        for (i, f) in funcs.iter().enumerate() {
            store.set_fuel(500).unwrap();
            calls.push(Some(suspended(
                f.call_resumable(&mut store, 1000 + i as i32).unwrap(),
            )));
        }
        // An ordinary call meanwhile, on what is the fourth's global too: it starts where that one is.
        store.set_fuel(1 << 20).unwrap();
        assert_eq!(funcs[3].call(&mut store, 700).unwrap(), 700);
        // One is dropped, the others go on in any order.
        drop(calls[1].take());
        for i in [2, 0, 3] {
            let call = calls[i].take().unwrap().resume(&mut store).unwrap();
            assert_eq!(finished(call), 1000 + i as i32);
        }
        let mut n = |i: usize| {
            let n = instances[i].get_global(&mut store, "n").unwrap();
            n.get(&mut store).unwrap_i32()
        };
        assert_eq!([n(0), n(2), n(3)], [1000, 1002, 1003]);
        assert!((1..1000).contains(&n(1)));
    });
}

#[test]
fn a_suspended_call_may_outlive_its_store() {
    with_fuel(|engine| {
        let mut store = Store::new(engine, ());
        let instance = instantiate(&Linker::new(engine), &mut store, COUNT).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        store.set_fuel(100).unwrap();
        let mut results = i32s(&[0]);
        let call = f
            .call_resumable(&mut store, &i32s(&[1000]), &mut results)
            .unwrap();
        let ResumableCall::OutOfFuel(call) = call else {
            panic!("{call:?}")
        };
        drop(store);
        fn sent<T: Send + Sync>(value: T) -> T {
            value
        }
        drop(sent::<SuspendedCall>(call));
    });
}

#[test]
#[should_panic(expected = "wrong store")]
fn in_another_store() {
    let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = instantiate(&Linker::new(&engine), &mut store, COUNT).unwrap();
    let f = instance
        .get_typed_func::<i32, i32>(&mut store, "f")
        .unwrap();
    let call = suspended(f.call_resumable(&mut store, 5).unwrap());
    let _ = call.resume(&mut Store::new(&engine, ()));
}

#[test]
fn what_an_ordinary_call_cannot_do() {
    with_fuel(|engine| {
        let mut store = Store::new(engine, ());
        let instance = instantiate(&Linker::new(engine), &mut store, COUNT).unwrap();
        let f = instance
            .get_typed_func::<i32, i32>(&mut store, "f")
            .unwrap();
        store.set_fuel(100).unwrap();
        traps(f.call(&mut store, 1000), Trap::OutOfFuel);
        // The store is as good as before.
        store.set_fuel(100_000).unwrap();
        assert_eq!(f.call(&mut store, 1000).unwrap(), 1000);
    });
}

#[test]
fn a_start_function_runs_out_of_fuel() {
    with_fuel(|engine| {
        let mut store = Store::new(engine, ());
        let endless = "(module (func $start (loop (br 0))) (start $start))";
        store.set_fuel(10_000).unwrap();
        traps(
            instantiate(&Linker::new(engine), &mut store, endless),
            Trap::OutOfFuel,
        );
        assert!(store.get_fuel().unwrap() < 10);
        store.set_fuel(10_000).unwrap();
        let finite = "(module (func $start (drop (i32.const 1))) (start $start))";
        instantiate(&Linker::new(engine), &mut store, finite).unwrap();
        assert_eq!(store.get_fuel().unwrap(), 10_000 - 2);
    });
}

#[test]
fn deep_recursion_is_suspended_and_goes_on() {
    let text = r#"(module (func $f (export "f") (param i32) (result i64)
        (if (result i64) (local.get 0)
            (then (i64.add (i64.const 3) (call $f (i32.sub (local.get 0) (i32.const 1)))))
            (else (i64.const 0)))))"#;
    with_fuel(|engine| {
        let mut program = Program::new(engine, text);
        let (results, fuel) = program.run(&i32s(&[5_000]));
        assert_eq!(results, Ok(vec![15_000]));
        assert_eq!(program.run_in_slices(&i32s(&[5_000]), 100), (results, fuel));
        // Endless recursion: also a call that is resumed comes to the end of the stack.
        let endless =
            r#"(module (func $f (export "f") (result i32) (i32.add (call $f) (i32.const 1))))"#;
        let (results, fuel) = Program::new(engine, endless).run(&[]);
        assert_eq!(results, Err(Trap::StackOverflow));
        assert_eq!(
            Program::new(engine, endless).run_in_slices(&[], 10_000),
            (results, fuel)
        );
    });
}

/// A library, and a program that calls it, and the host, which calls the program's `inner`.
const LIBRARY: &str = r#"(module (func (export "spin") (param i32) (result i32) (local i32)
    (loop
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
    (local.get 1)))"#;
const NESTED: &str = r#"(module
    (import "library" "spin" (func $spin (param i32) (result i32)))
    (import "host" "again" (func $again (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "inner") (param i32) (result i32) (call $spin (local.get 0)))
    (func (export "f") (param i32 i32) (result i32)
        (i32.store (i32.const 8) (call $spin (local.get 0)))
        (i32.store (i32.const 12) (call $again (local.get 1)))
        (i32.add
            (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 12)))
            (call $spin (local.get 0)))))"#;

fn nested(
    engine: &Engine,
    again: impl Fn(Caller<'_, ()>, i32) -> Result<i32> + Send + Sync + 'static,
) -> (Store<()>, teff_runtime::TypedFunc<(i32, i32), i32>) {
    let mut linker = Linker::new(engine);
    let mut store = Store::new(engine, ());
    let library = instantiate(&linker, &mut store, LIBRARY).unwrap();
    linker.instance(&mut store, "library", library).unwrap();
    linker.func_wrap("host", "again", again).unwrap();
    let instance = instantiate(&linker, &mut store, NESTED).unwrap();
    let f = instance.get_typed_func(&mut store, "f").unwrap();
    (store, f)
}

fn inner(caller: &mut Caller<'_, ()>) -> teff_runtime::TypedFunc<i32, i32> {
    let inner = caller.get_export("inner").unwrap().into_func().unwrap();
    inner.typed(&caller).unwrap()
}

#[test]
fn in_another_instance_and_around_the_host() {
    with_fuel(|engine| {
        let (mut store, f) = nested(engine, |mut caller, n| {
            // The inner call gets all it needs; what the outer one has left is restored.
            let left = caller.get_fuel()?;
            caller.set_fuel(1 << 30)?;
            let result = inner(&mut caller).call(&mut caller, n);
            caller.set_fuel(left)?;
            result
        });
        for slice in [3, 100] {
            store.set_fuel(slice).unwrap();
            let mut call = f.call_resumable(&mut store, (500, 70)).unwrap();
            let mut stops = 0;
            let result = loop {
                match call {
                    TypedResumableCall::Finished(result) => break result,
                    other => {
                        stops += 1;
                        let fuel = store.get_fuel().unwrap() + slice;
                        store.set_fuel(fuel).unwrap();
                        call = suspended(other).resume(&mut store).unwrap();
                    }
                }
            };
            assert_eq!(result, 500 + 70 + 500);
            assert!(stops > 50, "{stops}");
        }
    });
}

#[test]
fn only_the_outermost_call_is_suspended() {
    with_fuel(|engine| {
        let (mut store, f) = nested(engine, |mut caller, n| {
            inner(&mut caller).call(&mut caller, n)
        });
        // Enough for the first loop, but not for the one in the inner call.
        store.set_fuel(1_000).unwrap();
        traps(f.call_resumable(&mut store, (10, 100_000)), Trap::OutOfFuel);
        // The host function may see to it that the program goes on.
        let (mut store, f) = nested(engine, |mut caller, n| {
            Ok(inner(&mut caller).call(&mut caller, n).unwrap_or(-1))
        });
        store.set_fuel(1_000).unwrap();
        let call = suspended(f.call_resumable(&mut store, (10, 100_000)).unwrap());
        store.set_fuel(1_000).unwrap();
        assert_eq!(finished(call.resume(&mut store).unwrap()), 10 - 1 + 10);
    });
}

#[test]
fn a_host_function_makes_resumable_calls() {
    with_fuel(|engine| {
        // Resumed in the host function, and one left behind.
        let (mut store, f) = nested(engine, |mut caller, n| {
            let inner = inner(&mut caller);
            let left = caller.get_fuel()?;
            caller.set_fuel(50)?;
            let lost = suspended(inner.call_resumable(&mut caller, n)?);
            let mut call = inner.call_resumable(&mut caller, n)?;
            let result = loop {
                match call {
                    TypedResumableCall::Finished(result) => break result,
                    other => {
                        caller.set_fuel(caller.get_fuel()? + 1_000)?;
                        call = suspended(other).resume(&mut caller)?;
                    }
                }
            };
            drop(lost);
            caller.set_fuel(left)?;
            Ok(result)
        });
        store.set_fuel(1 << 20).unwrap();
        assert_eq!(f.call(&mut store, (10, 5_000)).unwrap(), 10 + 5_000 + 10);
        store.set_fuel(40).unwrap();
        let call = suspended(f.call_resumable(&mut store, (10, 5_000)).unwrap());
        store.set_fuel(1 << 20).unwrap();
        assert_eq!(finished(call.resume(&mut store).unwrap()), 10 + 5_000 + 10);
    });
}

#[test]
fn a_panic_of_the_host_in_a_resumed_call() {
    with_fuel(|engine| {
        let (mut store, f) = nested(engine, |_, n| match n {
            0 => panic!("on purpose"),
            n => Ok(n),
        });
        store.set_fuel(40).unwrap();
        let call = suspended(f.call_resumable(&mut store, (10, 0)).unwrap());
        store.set_fuel(1 << 20).unwrap();
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            call.resume(&mut store).map(drop)
        }));
        assert!(unwound.is_err());
        assert_eq!(f.call(&mut store, (10, 7)).unwrap(), 27);
    });
}

#[test]
fn host_functions_and_small_stacks() {
    let configure = |config: &mut Config| {
        config.consume_fuel(true).max_wasm_stack(4 << 10);
    };
    everywhere(configure, |engine| {
        let mut store = Store::new(engine, ());
        let host = teff_runtime::Func::wrap(&mut store, |n: i32| n + 1);
        let host = host.typed::<i32, i32>(&store).unwrap();
        assert_eq!(finished(host.call_resumable(&mut store, 4).unwrap()), 5);
        // Stacks are freed: many calls that are dropped where they are.
        let instance = instantiate(&Linker::new(engine), &mut store, COUNT).unwrap();
        let f = instance
            .get_typed_func::<i32, i32>(&mut store, "f")
            .unwrap();
        for _ in 0..1_000 {
            store.set_fuel(20).unwrap();
            drop(suspended(f.call_resumable(&mut store, i32::MAX).unwrap()));
        }
    });
}
