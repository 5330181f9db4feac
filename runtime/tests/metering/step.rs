//! Calls in steps, and host functions that have nothing to give yet.

use super::*;
use teff_runtime::{Caller, Error, Func, Pending, Step};

/// What the host is asked, and how often it has to be asked until it answers.
#[derive(Default)]
struct Host {
    asked: Vec<(i64, u32)>,
    patience: u32,
    waited: u32,
}

/// `ask` twice gives the two values in another order, once it has been asked `patience` times.
fn linker(engine: &Engine) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    let ask = |mut caller: Caller<'_, Host>, a: i64, b: f32| -> Result<(f32, i64)> {
        let host = caller.data_mut();
        host.asked.push((a, b.to_bits()));
        host.waited += 1;
        if host.waited <= host.patience {
            return Err(Pending.into());
        }
        host.waited = 0;
        Ok((b + 1.0, a * 2))
    };
    linker.func_wrap("host", "ask", ask).unwrap();
    linker
}

/// Calls the host directly, through a table, and as a tail call, in between of values that wait on the stack.
const ASKS: &str = r#"(module
    (type $ask (func (param i64 f32) (result f32 i64)))
    (import "host" "ask" (func $ask (type $ask)))
    (table funcref (elem $ask $tail))
    (func $tail (type $ask) (return_call $ask (i64.add (local.get 0) (i64.const 1)) (local.get 1)))
    (func $tail_indirect (type $ask)
        (return_call_indirect (type $ask) (local.get 0) (local.get 1) (i32.const 0)))
    (func $sum (param f32 i64) (result i64)
        (i64.add (local.get 1) (i64.trunc_f32_s (local.get 0))))
    (func (export "f") (param $n i64) (result i64) (local $x i64)
        (loop
            (local.set $x (i64.add
                (local.get $x)
                (call $sum (call $ask (local.get $n) (f32.const 0.5)))))
            (local.set $x (i64.sub
                (call $sum (call_indirect (type $ask) (local.get $x) (f32.const 3) (i32.const 1)))
                (local.get $x)))
            (local.set $x (i64.xor
                (local.get $x)
                (call $sum (call $tail_indirect (local.get $n) (f32.const 9)))))
            (local.set $n (i64.sub (local.get $n) (i64.const 1)))
            (br_if 0 (i64.ne (local.get $n) (i64.const 0))))
        (local.get $x)))"#;

/// What `f` gives, by a plain call of a host that answers at once.
fn expected(engine: &Engine) -> (i64, Vec<(i64, u32)>) {
    let mut store = Store::new(engine, Host::default());
    if engine.config().is_epoch_interruption() {
        store.set_epoch_deadline(1);
    }
    let _ = store.set_fuel(1 << 40);
    let instance = instantiate(&linker(engine), &mut store, ASKS).unwrap();
    let f = instance
        .get_typed_func::<i64, i64>(&mut store, "f")
        .unwrap();
    let result = f.call(&mut store, 5).unwrap();
    (result, store.into_data().asked)
}

#[test]
fn a_host_function_is_called_again_until_it_answers() {
    everywhere(|_| (), waits);
    with_fuel(waits);
    with_epochs(waits);
}

fn waits(engine: &Engine) {
    let (result, asked) = expected(engine);
    for patience in [0, 1, 3] {
        let mut store = Store::new(
            engine,
            Host {
                patience,
                ..Host::default()
            },
        );
        store.set_epoch_deadline(1);
        let instance = instantiate(&linker(engine), &mut store, ASKS).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        let (mut results, mut waits) = ([Val::I64(0)], 0);
        let mut call = f.start(&[Val::I64(5)]);
        while call.step(&mut store, 1 << 20, &mut results).unwrap() == Step::HostCall {
            waits += 1;
        }
        assert!(call.is_over());
        assert_eq!(results[0].unwrap_i64(), result);
        assert_eq!(waits, 15 * patience);
        // The same arguments each time.
        let repeated = asked
            .iter()
            .flat_map(|ask| vec![*ask; patience as usize + 1]);
        assert_eq!(store.data().asked, repeated.collect::<Vec<_>>());
    }
}

#[test]
fn steps_of_any_length_come_to_the_same() {
    with_fuel(|engine| {
        let (result, _) = expected(engine);
        for fuel in [0, 1, 7, 60, 100_000] {
            let mut store = Store::new(
                engine,
                Host {
                    patience: 1,
                    ..Host::default()
                },
            );
            let instance = instantiate(&linker(engine), &mut store, ASKS).unwrap();
            let f = instance.get_func(&mut store, "f").unwrap();
            let (mut results, mut yields, mut waits) = ([Val::I64(0)], 0, 0);
            let mut call = f.start(&[Val::I64(5)]);
            loop {
                match call.step(&mut store, fuel, &mut results).unwrap() {
                    Step::Yield => yields += 1,
                    Step::HostCall => waits += 1,
                    _ => break,
                }
            }
            assert_eq!(results[0].unwrap_i64(), result, "steps of {fuel}");
            assert_eq!(waits, 15);
            assert_eq!(yields == 0, fuel >= 60, "{yields} yields of {fuel}");
        }
    });
}

#[test]
fn a_step_without_fuel_ends_at_the_deadline() {
    with_epochs(|engine| {
        let mut program = Program::new(engine, "(module (func (export \"f\") (loop (br 0))))");
        let f = program.instance.get_func(&mut program.store, "f").unwrap();
        let mut call = f.start(&[]);
        for _ in 0..3 {
            assert_eq!(
                call.step(&mut program.store, 0, &mut []).unwrap(),
                Step::Yield
            );
        }
        assert!(!call.is_over());
    });
}

#[test]
fn calls_take_turns() {
    with_fuel(|engine| {
        let text = r#"(module (func (export "f") (param i64) (result i64) (local i64)
            (loop
                (local.set 1 (i64.add (local.get 1) (local.get 0)))
                (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
                (br_if 0 (i64.ne (local.get 0) (i64.const 0))))
            (local.get 1)))"#;
        let mut program = Program::new(engine, text);
        let f = program.instance.get_func(&mut program.store, "f").unwrap();
        let mut calls: Vec<_> = (1..=10).map(|n| f.start(&[Val::I64(n * 30)])).collect();
        let mut sums = vec![[Val::I64(0)]; calls.len()];
        let mut order = Vec::new();
        while order.len() < calls.len() {
            for (i, call) in calls
                .iter_mut()
                .enumerate()
                .filter(|(_, call)| !call.is_over())
            {
                if call.step(&mut program.store, 200, &mut sums[i]).unwrap() == Step::Done {
                    order.push(i);
                }
            }
        }
        assert!(order.is_sorted(), "{order:?}");
        for (n, [sum]) in (1..).zip(&sums) {
            assert_eq!(sum.unwrap_i64(), n * 30 * (n * 30 + 1) / 2);
        }
    });
}

#[test]
fn what_cannot_wait_is_an_error() {
    everywhere(
        |_| (),
        |engine| {
            let mut store = Store::new(
                engine,
                Host {
                    patience: 9,
                    ..Host::default()
                },
            );
            let mut linker = linker(engine);
            let instance = instantiate(&linker, &mut store, ASKS).unwrap();
            let f = instance.get_func(&mut store, "f").unwrap();
            let refused = |result: Result<(), Error>| {
                let error = result.unwrap_err();
                assert!(error.to_string().contains("cannot be suspended"), "{error}");
                error
            };
            // A plain call, with a backtrace of where the host was called.
            let error = refused(f.call(&mut store, &[Val::I64(1)], &mut [Val::I64(0)]));
            assert_eq!(error.backtrace().unwrap().frames().len(), 1);

            // A plain call by a host function of a resumable call.
            let call = move |mut caller: Caller<'_, Host>| -> Result<()> {
                f.call(&mut caller, &[Val::I64(1)], &mut [Val::I64(0)])
            };
            linker.func_wrap("host", "call", call).unwrap();
            let text =
                r#"(module (import "host" "call" (func $call)) (func (export "g") (call $call)))"#;
            let outer = instantiate(&linker, &mut store, text).unwrap();
            let g = outer.get_func(&mut store, "g").unwrap();
            let mut call = g.start(&[]);
            refused(call.step(&mut store, 0, &mut []).map(|_| ()));
            let error = call.step(&mut store, 0, &mut []).unwrap_err();
            assert!(error.to_string().contains("the call is over"), "{error}");
        },
    );
}

#[test]
fn a_host_function_can_be_called_in_steps_itself() {
    let engine = Engine::default();
    let mut store = Store::new(
        &engine,
        Host {
            patience: 2,
            ..Host::default()
        },
    );
    let ask = linker(&engine).get(&mut store, "host", "ask").unwrap();
    let ask: Func = ask.into_func().unwrap();
    let mut call = ask.start(&[Val::I64(4), Val::from(2.0_f32)]);
    let mut results = [Val::I32(0), Val::I32(0)];
    let mut steps = Vec::new();
    while !call.is_over() {
        steps.push(call.step(&mut store, 0, &mut results).unwrap());
    }
    assert_eq!(steps, [Step::HostCall, Step::HostCall, Step::Done]);
    assert_eq!(bits(&results), [u64::from(3.0_f32.to_bits()), 8]);
}
