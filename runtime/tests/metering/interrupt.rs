//! Interruption by epochs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Wake, Waker},
    thread,
    time::Duration,
};

use teff_runtime::{AsContext, Caller};

use super::*;

/// Runs `test` while another thread waits a little and then begins the next epoch.
fn interrupted(test: impl Fn(&Engine, &mut Store<()>)) {
    with_epochs(|engine| {
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(1);
        let other = engine.clone();
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(5));
                other.increment_epoch();
            });
            test(engine, &mut store);
        });
    });
}

/// `f` of this module must not go on after the epoch.
fn does_not_go_on(text: &str) {
    interrupted(|engine, store| {
        let instance = instantiate(&Linker::new(engine), store, text).unwrap();
        let f = instance.get_typed_func::<(), ()>(&mut *store, "f").unwrap();
        traps(f.call(&mut *store, ()), Trap::Interrupt);
        // Nor does anything else.
        traps(f.call(&mut *store, ()), Trap::Interrupt);
    });
}

#[test]
fn endless_loops() {
    does_not_go_on(r#"(module (func (export "f") (loop (br 0))))"#);
    does_not_go_on(r#"(module (func (export "f") (loop (br_if 0 (i32.const 1)))))"#);
    does_not_go_on(r#"(module (func (export "f") (loop (br_table 0 0 (i32.const 0)))))"#);
    does_not_go_on(
        r#"(module (func (export "f") (i32.const 1)
            (loop (param i32) (br_if 0 (i32.const 2) (i32.eq (i32.const 1))) (br 0 (i32.const 1)))))"#,
    );
}

#[test]
fn endless_recursion() {
    // By tail calls, of each kind, and by calls that return.
    does_not_go_on(r#"(module (func $f (export "f") (return_call $f)))"#);
    does_not_go_on(
        r#"(module (table funcref (elem $f))
            (func $f (export "f") (return_call_indirect (i32.const 0))))"#,
    );
    does_not_go_on(
        r#"(module (func $g (param i32)
                (if (local.get 0) (then
                    (call $g (i32.sub (local.get 0) (i32.const 1)))
                    (call $g (i32.sub (local.get 0) (i32.const 1))))))
            (func (export "f") (call $g (i32.const 60))))"#,
    );
}

#[test]
fn between_instances() {
    interrupted(|engine, store| {
        let mut linker = Linker::new(engine);
        let text = r#"(module (table (export "t") 1 funcref)
            (func (export "go") (return_call_indirect (i32.const 0))))"#;
        let library = instantiate(&linker, store, text).unwrap();
        linker.instance(&mut *store, "library", library).unwrap();
        let text = r#"(module
            (import "library" "go" (func $go)) (import "library" "t" (table 1 funcref))
            (func $f (export "f") (return_call $go))
            (elem (i32.const 0) $f))"#;
        let instance = instantiate(&linker, store, text).unwrap();
        let f = instance.get_typed_func::<(), ()>(&mut *store, "f").unwrap();
        traps(f.call(&mut *store, ()), Trap::Interrupt);
    });
}

#[test]
fn bulk_instructions() {
    // One instruction moves 64 MiB, which takes far longer than the look between two chunks.
    for instruction in [
        "(memory.fill (i32.const 0) (i32.const 7) (i32.const 0x4000000))",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const 0x3ffffff))",
        "(memory.copy (i32.const 1) (i32.const 0) (i32.const 0x3ffffff))",
        "(table.fill (i32.const 0) (ref.func $f) (i32.const 1000000))",
        "(table.copy (i32.const 0) (i32.const 1) (i32.const 999999))",
    ] {
        does_not_go_on(&format!(
            r#"(module (memory 1024) (table 1000000 funcref)
                (func $f (export "f") (loop {instruction} (br 0))))"#
        ));
    }
}

#[test]
fn a_start_function() {
    interrupted(|engine, store| {
        let text = "(module (func $start (loop (br 0))) (start $start))";
        traps(
            instantiate(&Linker::new(engine), store, text),
            Trap::Interrupt,
        );
    });
}

#[test]
fn deadlines() {
    with_epochs(|engine| {
        let text = r#"(module (func (export "f") (result i32) (i32.const 5)))"#;
        let mut store = Store::new(engine, ());
        let instance = instantiate(&Linker::new(engine), &mut store, text).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        // A new store's deadline has come.
        traps(f.call(&mut store, ()), Trap::Interrupt);
        store.set_epoch_deadline(2);
        assert_eq!(f.call(&mut store, ()).unwrap(), 5);
        engine.increment_epoch();
        assert_eq!(f.call(&mut store, ()).unwrap(), 5);
        engine.increment_epoch();
        traps(f.call(&mut store, ()), Trap::Interrupt);
        engine.increment_epoch();
        traps(f.call(&mut store, ()), Trap::Interrupt);
        store.set_epoch_deadline(u64::MAX);
        assert_eq!(f.call(&mut store, ()).unwrap(), 5);
        // Fuel is another matter.
        assert!(store.set_fuel(1).is_err());
    });
    // Where it is off, epochs do nothing.
    with_fuel(|engine| {
        let text = r#"(module (func (export "f") (result i32) (i32.const 5)))"#;
        let mut store = Store::new(engine, ());
        let instance = instantiate(&Linker::new(engine), &mut store, text).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        store.set_fuel(100).unwrap();
        store.set_epoch_deadline(0);
        engine.increment_epoch();
        assert_eq!(f.call(&mut store, ()).unwrap(), 5);
    });
}

#[test]
fn a_counter_of_the_embedder() {
    static TICKS: AtomicUsize = AtomicUsize::new(usize::MAX - 1);
    everywhere(
        |config| _ = config.epoch_interruption(true).epoch_source(&TICKS),
        |engine| {
            // It wraps around meanwhile.
            TICKS.store(usize::MAX - 1, Ordering::Relaxed);
            let mut store = Store::new(engine, ());
            let mut linker = Linker::new(engine);
            linker
                .func_wrap("host", "tick", || _ = TICKS.fetch_add(1, Ordering::Relaxed))
                .unwrap();
            let text = r#"(module (import "host" "tick" (func $tick))
                (global $n (export "n") (mut i32) (i32.const 0))
                (func (export "f") (loop
                    (global.set $n (i32.add (global.get $n) (i32.const 1)))
                    (call $tick)
                    (br 0))))"#;
            let instance = instantiate(&linker, &mut store, text).unwrap();
            let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
            store.set_epoch_deadline(5);
            traps(f.call(&mut store, ()), Trap::Interrupt);
            // The host function was looked behind at once.
            let n = instance.get_global(&mut store, "n").unwrap();
            assert_eq!(n.get(&mut store).unwrap_i32(), 5);
        },
    );
}

#[test]
fn an_interrupted_call_goes_on() {
    with_epochs(|engine| {
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        let other = engine.clone();
        linker
            .func_wrap("host", "next", move || other.increment_epoch())
            .unwrap();
        let text = r#"(module (import "host" "next" (func $next))
            (func (export "f") (param i32) (result i32) (local i32)
                (loop
                    (call $next)
                    (local.set 1 (i32.add (local.get 1) (i32.const 1)))
                    (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
                (local.get 1)))"#;
        let instance = instantiate(&linker, &mut store, text).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        let mut results = i32s(&[0]);
        let mut stops = 0;
        let mut call = f
            .call_resumable(&mut store, &i32s(&[100]), &mut results)
            .unwrap();
        while let ResumableCall::Interrupted(suspended) = call {
            stops += 1;
            store.set_epoch_deadline(10);
            call = suspended.resume(&mut store, &mut results).unwrap();
        }
        assert!(matches!(call, ResumableCall::Finished));
        assert_eq!(bits(&results), [100]);
        // Before the first turn, and after every ten of them; the last one ends the loop.
        assert_eq!(stops, 1 + 100 / 10 - 1);
    });
}

/// A host function that waits, as those of WASI do.
#[test]
fn a_host_function_that_waits_is_woken() {
    struct Bell(mpsc::Sender<()>);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    with_epochs(|engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("host", "wait", |caller: Caller<'_, ()>| {
                let (bell, rung) = mpsc::channel();
                let engine = caller.as_context().engine().clone();
                let _registered = engine.wake_on_epoch(Waker::from(Arc::new(Bell(bell))));
                while !caller.as_context().epoch_deadline_reached() {
                    rung.recv().unwrap();
                }
            })
            .unwrap();
        let text = r#"(module (import "host" "wait" (func $wait)) (func (export "f") call $wait (loop br 0)))"#;
        let mut store = Store::new(engine, ());
        let instance = instantiate(&linker, &mut store, text).unwrap();
        store.set_epoch_deadline(2);
        let other = engine.clone();
        let thread = thread::spawn(move || {
            for _ in 0..2 {
                thread::sleep(Duration::from_millis(2));
                other.increment_epoch();
            }
        });
        let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
        let error = f.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
        thread.join().unwrap();
    });
}
