//! Calls between Wasm and the host, and what instructions do to a store's objects, in every backend and form
//! of code.

use teff_runtime::{
    Caller, CodeForm, Config, Engine, Error, Extern, ExternRef, Func, FuncType, Instance, Linker,
    Module, Ref, Result, Store, StoreLimitsBuilder, Trap, Val, ValType,
};

/// Runs a test in an engine of each kind.
fn everywhere(configure: impl Fn(&mut Config), test: impl Fn(&Engine)) {
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            let mut config = Config::new();
            config.backend(backend).code_form(form);
            configure(&mut config);
            test(&Engine::new(&config).unwrap());
        }
    }
}

fn each(test: impl Fn(&Engine)) {
    everywhere(|_| {}, test);
}

fn instantiate<T>(linker: &Linker<T>, store: &mut Store<T>, text: &str) -> Result<Instance> {
    linker.instantiate(
        store,
        &Module::new(linker.engine(), wat::parse_str(text).unwrap())?,
    )
}

/// Calls an export without parameters or results.
fn run<T>(store: &mut Store<T>, instance: Instance, name: &str) -> Result<()> {
    instance
        .get_typed_func::<(), ()>(&mut *store, name)?
        .call(store, ())
}

#[test]
fn arguments_and_results_of_every_type() {
    each(|engine| {
        let mut linker = Linker::<Vec<String>>::new(engine);
        linker
            .func_wrap(
                "host",
                "f",
                |mut caller: Caller<'_, Vec<String>>,
                 a: i32,
                 b: i64,
                 c: f32,
                 d: f64,
                 e: Option<Func>,
                 f: Option<ExternRef>|
                 -> (f64, i32, Option<ExternRef>, Option<Func>, i64, f32) {
                    let seen = format!("{a} {b} {c} {d} {}", e.is_some());
                    caller.data_mut().push(seen);
                    (d + 1.0, a + 1, f, e, b + 1, c + 1.0)
                },
            )
            .unwrap();
        let mut store = Store::new(engine, Vec::new());
        let instance = instantiate(
            &linker,
            &mut store,
            r#"(module
                (import "host" "f" (func $f (param i32 i64 f32 f64 funcref externref)
                    (result f64 i32 externref funcref i64 f32)))
                (elem declare func $f)
                (func (export "f") (param externref) (result f64 i32 externref funcref i64 f32)
                    (call $f (i32.const -2) (i64.const 0x1_0000_0000) (f32.const 0.5) (f64.const -1.25)
                        (ref.func $f) (local.get 0))))"#,
        )
        .unwrap();
        type Results = (f64, i32, Option<ExternRef>, Option<Func>, i64, f32);
        let func = instance
            .get_typed_func::<Option<ExternRef>, Results>(&mut store, "f")
            .unwrap();
        let data = ExternRef::new(&mut store, "data").unwrap();
        let (a, b, c, d, e, f) = func.call(&mut store, Some(data)).unwrap();
        assert_eq!((a, b, e, f), (-0.25, -1, 0x1_0000_0001, 1.5));
        assert_eq!(
            c.unwrap().data(&store).unwrap().downcast_ref(),
            Some(&"data")
        );
        assert_eq!(d.unwrap().ty(&store).params().len(), 6);
        assert!(func.call(&mut store, None).unwrap().2.is_none());
        assert_eq!(store.data()[0], "-2 4294967296 0.5 -1.25 true");
    });
}

#[test]
fn narrow_values_are_cut_at_the_edge() {
    // The upper half of a slot is whatever a wider value left there.
    each(|engine| {
        let mut linker = Linker::<()>::new(engine);
        linker.func_wrap("host", "id", |x: i32| x).unwrap();
        let ty = FuncType::new(
            engine,
            [ValType::I32, ValType::F32],
            [ValType::F32, ValType::I32],
        );
        linker
            .func_new("host", "swap", ty, |_, params, results| {
                results.copy_from_slice(&[params[1], params[0]]);
                Ok(())
            })
            .unwrap();
        let mut store = Store::new(engine, ());
        let instance = instantiate(
            &linker,
            &mut store,
            r#"(module
                (import "host" "id" (func $id (param i32) (result i32)))
                (import "host" "swap" (func $swap (param i32 f32) (result f32 i32)))
                (func (export "wrap") (param i64) (result i32) (i32.wrap_i64 (local.get 0)))
                (func (export "id") (param i64) (result i64)
                    (i64.extend_i32_u (call $id (i32.wrap_i64 (local.get 0)))))
                (func (export "swap") (param i64) (result f32 i32)
                    (call $swap (i32.wrap_i64 (local.get 0)) (f32.const 2)))
                (global (export "g") (mut i32) (i32.const 0))
                (func (export "set") (param i64) (global.set 0 (i32.wrap_i64 (local.get 0)))))"#,
        )
        .unwrap();
        let wide = 0x1234_5678_ffff_fffe_u64 as i64;
        let call = instance
            .get_typed_func::<i64, i32>(&mut store, "wrap")
            .unwrap();
        assert_eq!(call.call(&mut store, wide).unwrap(), -2);
        let call = instance
            .get_typed_func::<i64, i64>(&mut store, "id")
            .unwrap();
        assert_eq!(call.call(&mut store, wide).unwrap(), 0xffff_fffe);
        let call = instance
            .get_typed_func::<i64, (f32, i32)>(&mut store, "swap")
            .unwrap();
        assert_eq!(call.call(&mut store, wide).unwrap(), (2.0, -2));
        run_with(&mut store, instance, "set", wide);
        assert_eq!(
            instance
                .get_global(&mut store, "g")
                .unwrap()
                .get(&store)
                .unwrap_i32(),
            -2
        );
    });
}

fn run_with(store: &mut Store<()>, instance: Instance, name: &str, arg: i64) {
    instance
        .get_typed_func::<i64, ()>(&mut *store, name)
        .unwrap()
        .call(store, arg)
        .unwrap();
}

#[test]
fn a_host_function_sees_its_caller() {
    each(|engine| {
        let mut linker = Linker::<usize>::new(engine);
        linker
            .func_wrap(
                "host",
                "log",
                |mut caller: Caller<'_, usize>, at: u32, len: u32| -> Result<u32> {
                    let memory = caller
                        .get_export("memory")
                        .and_then(Extern::into_memory)
                        .ok_or_else(|| Error::msg("no memory"))?;
                    assert!(caller.get_export("absent").is_none());
                    let (bytes, total) = memory.data_and_store_mut(&mut caller);
                    let text = &mut bytes[at as usize..][..len as usize];
                    *total += text.len();
                    text.make_ascii_uppercase();
                    // The memory may move; the caller has to notice.
                    memory.grow(&mut caller, 3)?;
                    Ok(memory.size(&caller) as u32)
                },
            )
            .unwrap();
        let mut store = Store::new(engine, 0);
        let module = |data: &str| {
            format!(
                r#"(module (import "host" "log" (func $log (param i32 i32) (result i32)))
                    (memory (export "memory") 1) (data (i32.const 8) "{data}")
                    (func (export "run") (result i32)
                        (drop (call $log (i32.const 8) (i32.const 2)))
                        (i32.add (i32.load8_u (i32.const 9)) (i32.load8_u (i32.const 0x3ffff)))))"#
            )
        };
        for (text, second) in [("abc", b'B'), ("xyz", b'Y')] {
            let instance = instantiate(&linker, &mut store, &module(text)).unwrap();
            let func = instance
                .get_typed_func::<(), i32>(&mut store, "run")
                .unwrap();
            assert_eq!(func.call(&mut store, ()).unwrap(), i32::from(second));
        }
        assert_eq!(*store.data(), 4);

        // Called by the host there is no caller.
        let log = linker
            .get(&mut store, "host", "log")
            .unwrap()
            .into_func()
            .unwrap();
        let error = log
            .call(&mut store, &[Val::I32(0); 2], &mut [Val::I32(0)])
            .unwrap_err();
        assert_eq!(error.to_string(), "no memory");
    });
}

#[test]
fn errors_pass_through_wasm() {
    each(|engine| {
        let mut linker = Linker::<i32>::new(engine);
        linker
            .func_wrap("host", "fail", || -> Result<()> {
                Err(Error::msg("the disk is full"))
            })
            .unwrap();
        linker
            .func_wrap("host", "count", |mut caller: Caller<'_, i32>| {
                *caller.data_mut() += 1
            })
            .unwrap();
        let mut store = Store::new(engine, 0);
        let instance = instantiate(
            &linker,
            &mut store,
            r#"(module $guest
                (import "host" "fail" (func $fail)) (import "host" "count" (func $count))
                (func $inner (call $count) (call $fail) (call $count))
                (func $outer (export "host_error") (call $inner))
                (func $trap (export "trap") (call $count) unreachable)
                (func (export "ok") (call $count)))"#,
        )
        .unwrap();
        for _ in 0..3 {
            let error = run(&mut store, instance, "host_error").unwrap_err();
            assert_eq!(error.to_string(), "the disk is full");
            let frames = error.backtrace().unwrap().frames();
            let names: Vec<_> = frames.iter().map(|frame| frame.func_name()).collect();
            assert_eq!(names, [Some("inner"), Some("outer")]);
            assert_eq!(frames[0].module_name(), Some("guest"));

            let error = run(&mut store, instance, "trap").unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
            assert_eq!(error.backtrace().unwrap().frames()[0].func_index(), 4);
            run(&mut store, instance, "ok").unwrap();
        }
        assert_eq!(*store.data(), 9);
    });
}

#[test]
fn panics_pass_through_wasm() {
    each(|engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("host", "panic", || -> () { panic!("from the host") })
            .unwrap();
        let mut store = Store::new(engine, ());
        let text = r#"(module (import "host" "panic" (func $panic))
            (func (export "panic") (call $panic)) (func (export "ok")))"#;
        let instance = instantiate(&linker, &mut store, text).unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&mut store, instance, "panic").unwrap();
        }));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"from the host"));
        run(&mut store, instance, "ok").unwrap();
    });
}

#[test]
fn wasm_and_host_nest() {
    let text = r#"(module
        (import "host" "down" (func $down (param i32) (result i32)))
        (func (export "down") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (local.get 0) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.const 0)))))"#;
    let link = |engine: &Engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap(
                "host",
                "down",
                |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
                    let down = caller.get_export("down").and_then(Extern::into_func);
                    let down = down.ok_or_else(|| Error::msg("no function"))?;
                    down.typed::<i32, i32>(&caller)?.call(&mut caller, n)
                },
            )
            .unwrap();
        let mut store = Store::new(engine, ());
        let instance = instantiate(&linker, &mut store, text).unwrap();
        let down = instance
            .get_typed_func::<i32, i32>(&mut store, "down")
            .unwrap();
        (store, down)
    };
    everywhere(
        |config| _ = config.max_host_nesting(10),
        |engine| {
            let (mut store, down) = link(engine);
            for _ in 0..2 {
                assert_eq!(down.call(&mut store, 9).unwrap(), 45);
                let error = down.call(&mut store, 10).unwrap_err();
                assert_eq!(error.downcast_ref(), Some(&Trap::StackOverflow));
            }
        },
    );
}

#[test]
fn the_start_function_runs_at_instantiation() {
    each(|engine| {
        let mut linker = Linker::<Vec<i32>>::new(engine);
        linker
            .func_wrap(
                "host",
                "push",
                |mut caller: Caller<'_, Vec<i32>>, x: i32| caller.data_mut().push(x),
            )
            .unwrap();
        let mut store = Store::new(engine, Vec::new());
        let text = r#"(module (import "host" "push" (func $push (param i32)))
            (memory 1) (data (i32.const 4) "\2a")
            (func $start (call $push (i32.load (i32.const 4))))
            (start $start))"#;
        instantiate(&linker, &mut store, text).unwrap();
        // The start function may be an import.
        linker
            .func_wrap("host", "begin", |mut caller: Caller<'_, Vec<i32>>| {
                caller.data_mut().push(1)
            })
            .unwrap();
        let text = r#"(module (import "host" "begin" (func $begin)) (start $begin))"#;
        instantiate(&linker, &mut store, text).unwrap();
        assert_eq!(store.data(), &[42, 1]);

        let text = r#"(module (func $start unreachable) (start $start))"#;
        let error = instantiate(&linker, &mut store, text).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
    });
}

#[test]
fn linker_module_initialises_reactors() {
    each(|engine| {
        let mut linker = Linker::<()>::new(engine);
        let mut store = Store::new(engine, ());
        let text = r#"(module (global $g (export "g") (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $g (i32.const 5))))"#;
        let module = Module::new(engine, wat::parse_str(text).unwrap()).unwrap();
        linker.module(&mut store, "lib", &module).unwrap();
        let global = linker
            .get(&mut store, "lib", "g")
            .unwrap()
            .into_global()
            .unwrap();
        assert_eq!(global.get(&store).unwrap_i32(), 5);
    });
}

#[test]
fn functions_cross_instances() {
    each(|engine| {
        let mut linker = Linker::<()>::new(engine);
        let mut store = Store::new(engine, ());
        let first = instantiate(
            &linker,
            &mut store,
            r#"(module (memory (export "memory") 1) (data (i32.const 0) "\07")
                (table (export "table") 2 funcref)
                (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
                (func (export "indirect") (param i32) (result i32)
                    (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))"#,
        )
        .unwrap();
        linker.instance(&mut store, "first", first).unwrap();
        let second = instantiate(
            &linker,
            &mut store,
            r#"(module
                (import "first" "load" (func $load (param i32) (result i32)))
                (import "first" "table" (table 2 funcref))
                (memory 1) (data (i32.const 0) "\64\65")
                (func $sum (param i32) (result i32)
                    (i32.add (call $load (i32.const 0)) (i32.load8_u (local.get 0))))
                (elem (i32.const 0) func $sum)
                (export "sum" (func $sum)) (export "load" (func $load)))"#,
        )
        .unwrap();
        for (instance, name, expected) in [
            (second, "sum", 0x65 + 7),
            (first, "indirect", 0x65 + 7),
            (second, "load", 0),
        ] {
            let func = instance
                .get_typed_func::<i32, i32>(&mut store, name)
                .unwrap();
            assert_eq!(func.call(&mut store, 1).unwrap(), expected, "{name}");
        }
        // What the host puts into a table is called as well.
        let table = first.get_table(&mut store, "table").unwrap();
        let host = Func::wrap(&mut store, |x: i32| x * 10);
        table.set(&mut store, 0, host.into()).unwrap();
        let func = first
            .get_typed_func::<i32, i32>(&mut store, "indirect")
            .unwrap();
        assert_eq!(func.call(&mut store, 7).unwrap(), 70);
        table.set(&mut store, 0, Ref::Func(None)).unwrap();
        let error = func.call(&mut store, 7).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::IndirectCallToNull));
        let other = Func::wrap(&mut store, |x: i64| x);
        table.set(&mut store, 0, other.into()).unwrap();
        let error = func.call(&mut store, 7).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::BadSignature));
    });
}

#[test]
fn segment_instructions() {
    each(|engine| {
        let linker = Linker::<()>::new(engine);
        let mut store = Store::new(engine, ());
        let instance = instantiate(
            &linker,
            &mut store,
            r#"(module
                (memory (export "m") 1) (table $t (export "t") 6 funcref)
                (data (i32.const 0) "active") (data $d "passive")
                (func $f) (func $g)
                (elem (i32.const 5) func $f)
                (elem $e funcref (ref.func $f) (ref.null func) (ref.func $g))
                (func (export "memory") (param i32 i32 i32)
                    (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
                (func (export "memory_active") (param i32 i32 i32)
                    (memory.init 0 (local.get 0) (local.get 1) (local.get 2)))
                (func (export "table") (param i32 i32 i32)
                    (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
                (func (export "table_active") (param i32 i32 i32)
                    (table.init $t 0 (local.get 0) (local.get 1) (local.get 2)))
                (func (export "copy") (param i32 i32 i32)
                    (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)))
                (func (export "drop") (data.drop $d) (elem.drop $e) (data.drop 0) (elem.drop 0)))"#,
        )
        .unwrap();
        type Three = (i32, i32, i32);
        let call = |store: &mut Store<()>, name, args| {
            let func = instance
                .get_typed_func::<Three, ()>(&mut *store, name)
                .unwrap();
            func.call(store, args)
                .map_err(|error| *error.downcast_ref::<Trap>().unwrap())
        };
        let shape = |store: &mut Store<()>| {
            let table = instance.get_table(&mut *store, "t").unwrap();
            let is_set = |i| !table.get(&*store, i).unwrap().is_null();
            (0..6)
                .map(is_set)
                .map(|set| if set { 'x' } else { '-' })
                .collect::<String>()
        };
        let store = &mut store;
        let (memory, table) = (Err(Trap::MemoryOutOfBounds), Err(Trap::TableOutOfBounds));

        assert_eq!(call(store, "memory", (8, 1, 4)), Ok(()));
        assert_eq!(call(store, "memory", (65_534, 5, 2)), Ok(()));
        assert_eq!(call(store, "memory", (65_535, 0, 2)), memory);
        assert_eq!(call(store, "memory", (0, 5, 3)), memory);
        assert_eq!(call(store, "memory", (0, -1, 2)), memory);
        assert_eq!(call(store, "memory", (65_536, 7, 0)), Ok(()));
        assert_eq!(call(store, "memory", (65_537, 0, 0)), memory);
        let data = instance.get_memory(&mut *store, "m").unwrap();
        assert_eq!(&data.data(&*store)[..13], b"active\0\0assi\0");
        assert_eq!(&data.data(&*store)[65_534..], b"ve");

        assert_eq!(shape(store), "-----x");
        assert_eq!(call(store, "table", (1, 1, 2)), Ok(()));
        assert_eq!(shape(store), "--x--x");
        assert_eq!(call(store, "table", (0, 0, 4)), table);
        assert_eq!(call(store, "table", (5, 0, 2)), table);
        assert_eq!(shape(store), "--x--x");
        assert_eq!(call(store, "copy", (1, 2, 4)), Ok(()));
        assert_eq!(shape(store), "-x--xx");
        assert_eq!(call(store, "copy", (2, 1, 4)), Ok(()));
        assert_eq!(shape(store), "-xx--x");
        assert_eq!(call(store, "copy", (3, 0, 4)), table);

        // Active segments are dropped at instantiation.
        assert_eq!(call(store, "memory_active", (0, 0, 1)), memory);
        assert_eq!(call(store, "memory_active", (0, 0, 0)), Ok(()));
        assert_eq!(call(store, "table_active", (0, 0, 1)), table);
        run(store, instance, "drop").unwrap();
        run(store, instance, "drop").unwrap();
        assert_eq!(call(store, "memory", (0, 0, 1)), memory);
        assert_eq!(call(store, "memory", (0, 0, 0)), Ok(()));
        assert_eq!(call(store, "table", (0, 0, 1)), table);
        assert_eq!(call(store, "table", (0, 0, 0)), Ok(()));
    });
}

#[test]
fn growth_beyond_the_limits_fails_softly() {
    each(|engine| {
        let linker = Linker::<()>::new(engine);
        let mut store = Store::new(engine, ());
        store.limiter(
            StoreLimitsBuilder::new()
                .memory_size(4 * 65_536)
                .table_elements(6)
                .build(),
        );
        let instance = instantiate(
            &linker,
            &mut store,
            r#"(module (memory 1 10) (table 2 externref)
                (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "size") (param i32) (result i32) (memory.size))
                (func (export "table") (param i32) (result i32)
                    (table.grow (ref.null extern) (local.get 0))))"#,
        )
        .unwrap();
        let mut call = |name, delta| {
            let func = instance
                .get_typed_func::<i32, i32>(&mut store, name)
                .unwrap();
            func.call(&mut store, delta).unwrap()
        };
        assert_eq!(call("memory", 4), -1);
        assert_eq!(call("memory", -1), -1);
        assert_eq!(call("memory", 3), 1);
        assert_eq!(
            (call("memory", 1), call("memory", 0), call("size", 0)),
            (-1, 4, 4)
        );
        assert_eq!(
            (call("table", 5), call("table", 4), call("table", 1)),
            (-1, 2, -1)
        );
    });
}

#[test]
fn a_trap_behind_a_tail_call_out_of_the_outermost_function() {
    each(|engine| {
        let mut linker = Linker::new(engine);
        let mut store = Store::new(engine, ());
        let text = r#"(module $b (func $t (export "t") (unreachable)))"#;
        let library = instantiate(&linker, &mut store, text).unwrap();
        linker.instance(&mut store, "b", library).unwrap();
        let text = r#"(module (import "b" "t" (func $t)) (func (export "f") (return_call $t)))"#;
        let instance = instantiate(&linker, &mut store, text).unwrap();
        let error = run(&mut store, instance, "f").unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
        let frames = error.backtrace().unwrap().frames();
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].func_name(), Some("t"));
    });
}

#[test]
fn fuel_is_used_up() {
    everywhere(
        |config| _ = config.consume_fuel(true),
        |engine| {
            let mut linker = Linker::<u64>::new(engine);
            linker
                .func_wrap(
                    "host",
                    "look",
                    |mut caller: Caller<'_, u64>| -> Result<()> {
                        *caller.data_mut() = caller.get_fuel()?;
                        caller.set_fuel(1_000)
                    },
                )
                .unwrap();
            let mut store = Store::new(engine, 0);
            let text = r#"(module (import "host" "look" (func $look))
                (func (export "spin") (loop (br 0))) (func (export "look") (call $look)))"#;
            let instance = instantiate(&linker, &mut store, text).unwrap();
            store.set_fuel(100_000).unwrap();
            let error = run(&mut store, instance, "spin").unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
            store.set_fuel(500).unwrap();
            run(&mut store, instance, "look").unwrap();
            assert!((400..=500).contains(store.data()), "{}", store.data());
            let left = store.get_fuel().unwrap();
            assert!((900..=1_000).contains(&left), "{left}");
        },
    );
}

#[test]
fn a_trap_after_a_tail_call_out_of_the_instance_has_a_backtrace() {
    each(|engine| {
        let linker = Linker::new(engine);
        let mut store = Store::new(engine, ());
        let callee = r#"(module (func (export "f") (unreachable)))"#;
        let callee = instantiate(&linker, &mut store, callee).unwrap();
        let f = callee.get_func(&mut store, "f").unwrap();
        let caller = wat::parse_str(
            r#"(module (import "" "f" (func $f))
                (func $tail (export "tail") (return_call $f))
                (func (export "call") (call $tail)))"#,
        );
        let caller = Module::new(engine, caller.unwrap()).unwrap();
        let caller = Instance::new(&mut store, &caller, &[Extern::Func(f)]).unwrap();
        // The function that made the tail call is gone; nothing is left of the call from the host.
        for (name, expected) in [("tail", &[0][..]), ("call", &[0, 2])] {
            let error = run(&mut store, caller, name).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
            let frames = error.backtrace().unwrap().frames();
            let indices: Vec<_> = frames.iter().map(|frame| frame.func_index()).collect();
            assert_eq!(indices, expected, "{name}");
        }
    });
}
