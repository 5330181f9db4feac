//! When function bodies are validated and translated, and on how many threads: what runs is the same, and
//! nothing invalid runs.

use teff_runtime::{
    CodeForm, CompilationMode, Config, Engine, Error, Extern, Func, Instance, Linker, Module,
    Result, Store, Trap, Val, disassemble,
};

const MODES: [CompilationMode; 3] = [
    CompilationMode::Eager,
    CompilationMode::LazyTranslation,
    CompilationMode::Lazy,
];

/// Runs a test in every backend and form, in the given mode.
fn everywhere(mode: CompilationMode, test: impl Fn(&Engine)) {
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            let mut config = Config::new();
            config
                .backend(backend)
                .code_form(form)
                .compilation_mode(mode);
            test(&Engine::new(&config).unwrap());
        }
    }
}

fn module(engine: &Engine, text: &str) -> Result<Module> {
    Module::new(engine, wat::parse_str(text).unwrap())
}

#[test]
fn all_modes_run_the_same() {
    for mode in MODES {
        everywhere(mode, |engine| {
            let module = module(
                engine,
                r#"(module
                    (import "host" "add" (func $add (param i32 i32) (result i32)))
                    (memory 1) (data (i32.const 8) "\05")
                    (table funcref (elem $fib $double))
                    (global $started (mut i32) (i32.const 0))
                    (start $start)
                    (func $start (global.set $started (i32.load8_u (i32.const 8))))
                    (func $double (param i32) (result i32) (call $add (local.get 0) (local.get 0)))
                    (func $fib (param i32) (result i32)
                        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                            (then (local.get 0))
                            (else (call $add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
                    (func (export "run") (param i32 i32) (result i32)
                        (i32.add (global.get $started)
                            (call_indirect (param i32) (result i32) (local.get 1) (local.get 0))))
                    (func (export "trap") (unreachable)))"#,
            )
            .unwrap();
            let mut linker = Linker::new(engine);
            linker
                .func_wrap("host", "add", |a: i32, b: i32| a + b)
                .unwrap();
            let mut store = Store::new(engine, ());
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let run = instance
                .get_typed_func::<(i32, i32), i32>(&mut store, "run")
                .unwrap();
            assert_eq!(run.call(&mut store, (0, 10)).unwrap(), 5 + 55);
            assert_eq!(run.call(&mut store, (1, 10)).unwrap(), 5 + 20);
            assert_eq!(run.call(&mut store, (0, 20)).unwrap(), 5 + 6765);
            let trap = instance
                .get_typed_func::<(), ()>(&mut store, "trap")
                .unwrap();
            let error = trap.call(&mut store, ()).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
            assert_eq!(error.backtrace().unwrap().frames()[0].func_index(), 5);
        });
    }
}

/// `bad` would add 1 to the global, and is invalid at its end. Each other function reaches it in another way.
const WITH_AN_INVALID_FUNCTION: &str = r#"(module
    (type $none (func))
    (import "host" "note" (func $note))
    (table (export "table") funcref (elem $bad $good))
    (global $ran (export "ran") (mut i32) (i32.const 0))
    (func $bad (export "bad")
        (global.set $ran (i32.add (global.get $ran) (i32.const 1)))
        (call $note)
        (drop (i64.add (i32.const 1) (i64.const 1))))
    (func $good (export "good"))
    (func (export "call") (call $bad))
    (func (export "call_indirect") (call_indirect (type $none) (i32.const 0)))
    (func (export "return_call") (return_call $bad))
    (func (export "return_call_indirect") (return_call_indirect (type $none) (i32.const 0))))"#;

fn is_refusal(error: &Error, name: &str) {
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("function {name} is invalid: "))
            && text.contains("type mismatch"),
        "{text}"
    );
}

#[test]
fn an_invalid_function_fails_every_caller_and_nothing_of_it_runs() {
    everywhere(CompilationMode::Lazy, |engine| {
        let module = module(engine, WITH_AN_INVALID_FUNCTION).unwrap();
        let mut linker = Linker::<u32>::new(engine);
        let note = |mut caller: teff_runtime::Caller<'_, u32>| *caller.data_mut() += 1;
        linker.func_wrap("host", "note", note).unwrap();
        let mut store = Store::new(engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let names = [
            "bad",
            "call",
            "call_indirect",
            "return_call",
            "return_call_indirect",
        ];
        // Twice: it does not become valid by having been called.
        for name in names.into_iter().chain(names) {
            let func = instance.get_func(&mut store, name).unwrap();
            is_refusal(&func.call(&mut store, &[], &mut []).unwrap_err(), "1 `bad`");
            let typed = func.typed::<(), ()>(&store).unwrap();
            is_refusal(&typed.call(&mut store, ()).unwrap_err(), "1 `bad`");
        }
        // The functions that called it are in the backtrace.
        let call = instance.get_func(&mut store, "call").unwrap();
        let error = call.call(&mut store, &[], &mut []).unwrap_err();
        let frames = error.backtrace().unwrap().frames();
        assert_eq!(frames.last().unwrap().func_index(), 3);

        // From the table, and from another instance.
        let table = instance.get_table(&mut store, "table").unwrap();
        let bad: Func = match table.get(&mut store, 0) {
            Some(teff_runtime::Ref::Func(Some(func))) => func,
            other => panic!("{other:?}"),
        };
        is_refusal(&bad.call(&mut store, &[], &mut []).unwrap_err(), "1 `bad`");
        let importer = self::module(
            engine,
            r#"(module (import "" "bad" (func $bad))
                (func (export "call") (call $bad)) (func (export "tail") (return_call $bad)))"#,
        )
        .unwrap();
        let importer = Instance::new(&mut store, &importer, &[Extern::Func(bad)]).unwrap();
        for name in ["call", "tail"] {
            let func = importer.get_func(&mut store, name).unwrap();
            is_refusal(&func.call(&mut store, &[], &mut []).unwrap_err(), "1 `bad`");
        }

        // Nothing happened, and what is valid still works.
        let ran = instance.get_global(&mut store, "ran").unwrap();
        assert!(matches!(ran.get(&mut store), Val::I32(0)));
        assert_eq!(*store.data(), 0);
        let good = instance
            .get_typed_func::<(), ()>(&mut store, "good")
            .unwrap();
        good.call(&mut store, ()).unwrap();
    });
}

#[test]
fn an_invalid_start_function_fails_instantiation() {
    everywhere(CompilationMode::Lazy, |engine| {
        let module = module(
            engine,
            r#"(module (memory (export "m") 1) (start $s)
                (func $s (i32.store8 (i32.const 0) (i32.const 1)) (drop)))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        is_refusal(
            &Instance::new(&mut store, &module, &[]).unwrap_err(),
            "0 `s`",
        );
    });
}

#[test]
fn only_lazy_validation_accepts_invalid_bodies() {
    for mode in MODES {
        everywhere(mode, |engine| {
            let binary = wat::parse_str(WITH_AN_INVALID_FUNCTION).unwrap();
            let error = Module::validate(engine, &binary).unwrap_err().to_string();
            assert!(error.contains("type mismatch"), "{error}");
            match (mode, Module::new(engine, &binary)) {
                (CompilationMode::Lazy, module) => {
                    let module = module.unwrap();
                    let mut text = String::new();
                    is_refusal(&disassemble(&module, 1, &mut text).unwrap_err(), "1 `bad`");
                    disassemble(&module, 2, &mut text).unwrap();
                }
                (_, module) => assert_eq!(module.unwrap_err().to_string(), error),
            }
            // All else is validated in every mode.
            for text in [
                "(module (func (export \"f\") (param i64)) (start 0))",
                "(module (data (i32.const 0) \"x\"))",
                "(module (memory 1) (data (i64.const 0) \"x\"))",
                "(module (memory 1) (data (offset (i32.const 0) (i32.const 0)) \"x\"))",
                "(module (global i32 (i64.const 0)))",
                "(module (func (type 7)))",
            ] {
                let binary = wat::parse_str(text);
                assert!(binary.is_err() || Module::new(engine, binary.unwrap()).is_err());
            }
        });
    }
}

#[test]
fn what_cannot_be_translated_is_found_when_it_is_translated() {
    // Calls with many results make a frame that is too large.
    let results = "i64 ".repeat(1000);
    let calls = "(call $many)".repeat(2200);
    let text = format!(
        "(module (func $many (result {results}) (unreachable))
            (func (export \"f\") {calls} (unreachable)))"
    );
    for mode in MODES {
        let mut config = Config::new();
        config.compilation_mode(mode);
        let engine = Engine::new(&config).unwrap();
        let error = match module(&engine, &text) {
            Err(error) => {
                assert_eq!(mode, CompilationMode::Eager);
                error
            }
            Ok(module) => {
                assert_ne!(mode, CompilationMode::Eager);
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let f = instance.get_func(&mut store, "f").unwrap();
                f.call(&mut store, &[], &mut []).unwrap_err()
            }
        };
        let error = error.to_string();
        assert!(error.contains("function 1 needs a frame of"), "{error}");
    }
}

mod binary {
    //! Large modules, put together by hand: text of this size takes long to parse.

    fn leb(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn sized(content: &[u8]) -> Vec<u8> {
        [leb(content.len()), content.to_vec()].concat()
    }

    fn section(id: u8, items: &[Vec<u8>]) -> Vec<u8> {
        let content = [leb(items.len()), items.concat()].concat();
        [vec![id], sized(&content)].concat()
    }

    /// A module of functions `[] -> [i32]`, all exported by their number. The body of each leaves the value
    /// that `result` says; with no value, it is invalid at its end.
    pub(super) fn module(functions: usize, result: impl Fn(usize) -> Option<u8>) -> Vec<u8> {
        let bodies = (0..functions).map(|function| {
            // No locals; 700 times an `i32.const` and a `drop`; the value; the end.
            let filler = [0x41, 0x01, 0x1a].repeat(700);
            let value = match result(function) {
                Some(value) => vec![0x41, value],
                None => vec![0x42, 0],
            };
            sized(&[vec![0], filler, value, vec![0x0b]].concat())
        });
        let exports = (0..functions).map(|function| {
            let name = function.to_string();
            [sized(name.as_bytes()), vec![0], leb(function)].concat()
        });
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[vec![0x60, 0, 1, 0x7f]]),
            section(3, &vec![leb(0); functions]),
            section(7, &exports.collect::<Vec<_>>()),
            section(10, &bodies.collect::<Vec<_>>()),
        ]
        .concat()
    }

    /// A module with a memory and a data section of these segments, whose count is `count`.
    pub(super) fn with_data(segments: &[&[u8]], count: usize) -> Vec<u8> {
        let content = [leb(count), segments.concat()].concat();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(5, &[vec![0, 1]]),
            section(7, &[[sized(b"m"), vec![2, 0]].concat()]),
            vec![11],
            sized(&content),
        ]
        .concat()
    }
}

/// Functions enough for about ten batches of 64 KB.
const MANY: usize = 320;

fn with_threads(mode: CompilationMode, threads: usize) -> Engine {
    let mut config = Config::new();
    config.compilation_mode(mode).compilation_threads(threads);
    Engine::new(&config).unwrap()
}

#[test]
fn a_large_module_runs_whatever_compiled_it() {
    let bytes = binary::module(MANY, |function| Some((function % 50) as u8));
    for mode in MODES {
        for threads in [0, 1, 2, 5, usize::MAX] {
            let engine = with_threads(mode, threads);
            let module = Module::new(&engine, &bytes).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            for function in 0..MANY {
                let name = function.to_string();
                let func = instance
                    .get_typed_func::<(), i32>(&mut store, &name)
                    .unwrap();
                assert_eq!(func.call(&mut store, ()).unwrap(), function as i32 % 50);
            }
        }
    }
}

#[test]
fn the_first_invalid_function_is_the_error_on_any_number_of_threads() {
    for invalid in [
        &[0][..],
        &[7, 8],
        &[130, 131, 319],
        &[319],
        &[33, 64, 65, 66, 200],
    ] {
        let bytes = binary::module(MANY, |function| (!invalid.contains(&function)).then_some(1));
        let serial = Module::new(&with_threads(CompilationMode::Eager, 1), &bytes);
        let serial = serial.unwrap_err().to_string();
        // With all invalid ones but the first made valid, it is the same error.
        let first = binary::module(MANY, |function| (function != invalid[0]).then_some(1));
        for threads in [1, 2, 8] {
            let engine = with_threads(CompilationMode::LazyTranslation, threads);
            for bytes in [&bytes, &first] {
                let error = Module::new(&engine, bytes).unwrap_err().to_string();
                assert_eq!(error, serial);
            }
            let error = Module::validate(&engine, &bytes).unwrap_err();
            assert_eq!(error.to_string(), serial);
        }
    }
}

#[test]
fn threads_translate_the_same_module_when_it_runs() {
    let bytes = binary::module(MANY, |function| Some((function % 60) as u8));
    for mode in MODES {
        let engine = with_threads(mode, 2);
        let module = Module::new(&engine, &bytes).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let module = &module;
                scope.spawn(move || {
                    let mut store = Store::new(module.engine(), ());
                    let instance = Instance::new(&mut store, module, &[]).unwrap();
                    for function in 0..MANY {
                        let function = (function * 7 + thread * 80) % MANY;
                        let name = function.to_string();
                        let func = instance
                            .get_typed_func::<(), i32>(&mut store, &name)
                            .unwrap();
                        assert_eq!(func.call(&mut store, ()).unwrap(), function as i32 % 60);
                    }
                });
            }
        });
    }
}

#[test]
fn the_memory_report_grows_with_what_is_translated() {
    let bytes = binary::module(MANY, |_| Some(1));
    let report = |mode, form| {
        let mut config = Config::new();
        config.compilation_mode(mode).code_form(form);
        let module = Module::new(&Engine::new(&config).unwrap(), &bytes).unwrap();
        (module.memory_report(), module)
    };
    let (eager, _) = report(CompilationMode::Eager, CodeForm::Direct);
    assert_eq!((eager.functions, eager.translated_functions), (MANY, MANY));
    // Two bytes for the size of each body are not of it, but the byte for its locals is.
    assert_eq!(eager.bodies, MANY * (1 + 2100 + 2 + 1));
    assert_eq!(eager.translated_bodies, eager.bodies);
    assert_eq!(eager.binary, bytes.len());
    assert!(eager.code > 0 && eager.code <= eager.code_allocated);
    assert!(eager.function_tables < eager.tables);
    let (compact, _) = report(CompilationMode::Eager, CodeForm::Compact);
    assert!(compact.code < eager.code || Config::BACKENDS[0] == teff_runtime::Backend::Loop);

    let (before, module) = report(CompilationMode::LazyTranslation, CodeForm::Direct);
    assert_eq!(
        (
            before.translated_functions,
            before.translated_bodies,
            before.code
        ),
        (0, 0, 0)
    );
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let func = instance.get_func(&mut store, "7").unwrap();
    func.call(&mut store, &[], &mut [Val::I32(0)]).unwrap();
    let after = module.memory_report();
    assert_eq!(after.translated_functions, 1);
    assert_eq!(after.translated_bodies, eager.bodies / MANY);
    assert!(after.code > 0 && after.code < eager.code && after.scratch > 0);
}

#[test]
fn data_sections_that_look_plain() {
    let engine = Engine::default();
    let check = |segments: &[&[u8]], count, accepted: bool| {
        let bytes = binary::with_data(segments, count);
        let module = Module::new(&engine, &bytes);
        assert_eq!(module.is_ok(), accepted, "{segments:02x?}: {module:?}");
        assert_eq!(Module::validate(&engine, &bytes).is_ok(), accepted);
        module.ok().map(|module| {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = instance.get_memory(&mut store, "m").unwrap();
            memory.data(&store)[..8].to_vec()
        })
    };
    let abc: &[u8] = &[0, 0x41, 1, 0x0b, 3, b'a', b'b', b'c'];
    let d: &[u8] = &[0, 0x41, 2, 0x0b, 1, b'd'];
    assert_eq!(check(&[abc, d], 2, true).unwrap(), b"\0adc\0\0\0\0");
    assert_eq!(check(&[d, abc], 2, true).unwrap(), b"\0abc\0\0\0\0");
    assert_eq!(check(&[], 0, true).unwrap(), [0; 8]);
    // Longer encodings, an index, an extended expression, a passive segment among others.
    let long: &[u8] = &[0x80, 0, 0x41, 0x82, 0, 0x0b, 0x81, 0, b'e'];
    let indexed: &[u8] = &[2, 0, 0x41, 2, 0x0b, 1, b'f'];
    let extended: &[u8] = &[0, 0x41, 1, 0x41, 1, 0x6a, 0x0b, 1, b'g'];
    let passive: &[u8] = &[1, 1, b'h'];
    assert_eq!(check(&[abc, long], 2, true).unwrap(), b"\0aec\0\0\0\0");
    assert_eq!(check(&[abc, indexed], 2, true).unwrap(), b"\0afc\0\0\0\0");
    assert_eq!(check(&[abc, extended], 2, true).unwrap(), b"\0agc\0\0\0\0");
    assert_eq!(
        check(&[d, passive, d, abc], 4, true).unwrap(),
        b"\0abc\0\0\0\0"
    );
    // More or fewer than there are; cut off; bytes left; not a constant of the right type; numbers too long.
    check(&[abc, d], 1, false);
    check(&[abc, d], 3, false);
    check(&[abc, &d[..5]], 2, false);
    check(&[abc, d, &[0]], 2, false);
    check(&[abc, &[0, 0x42, 2, 0x0b, 1, b'd']], 2, false);
    check(&[abc, &[0, 0x0b, 1, b'd']], 2, false);
    check(&[abc, &[0, 0x41, 2, 0x41, 2, 0x0b, 1, b'd']], 2, false);
    check(&[abc, &[0, 0x41, 2, 0x1a, 1, b'd']], 2, false);
    check(&[abc, &[3, 0x41, 2, 0x0b, 1, b'd']], 2, false);
    check(
        &[&[0, 0x41, 0x80, 0x80, 0x80, 0x80, 0x70, 0x0b, 1, b'd']],
        1,
        false,
    );
    check(
        &[&[0, 0x41, 2, 0x0b, 0x81, 0x80, 0x80, 0x80, 0x10, b'd']],
        1,
        false,
    );
    // As many as the validator allows, and one more.
    let empty: &[u8] = &[0, 0x41, 0, 0x0b, 0];
    check(&vec![empty; 100_000], 100_000, true);
    check(&vec![empty; 100_001], 100_001, false);
}
