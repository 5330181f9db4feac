//! Linkers: names, shadowing, what is missing.

use teff_runtime::{
    Caller, Engine, Error, Extern, Func, FuncType, Instance, Linker, Memory, MemoryType, Module,
    Result, Store, Val, ValType,
};

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, wat::parse_str(text).unwrap()).unwrap()
}

fn call(store: &mut Store<i32>, item: Option<Extern>) -> Result<i32> {
    let func = item
        .and_then(Extern::into_func)
        .ok_or_else(|| Error::msg("no function"))?;
    func.typed::<(), i32>(&*store)?.call(store, ())
}

#[test]
fn names_are_found_in_any_store() {
    let mut linker = Linker::<i32>::new(&Engine::default());
    linker
        .func_wrap("a", "f", |caller: Caller<'_, i32>| *caller.data())
        .unwrap()
        .func_wrap("a", "g", || 7_i32)
        .unwrap()
        .func_wrap("b", "f", || 8_i32)
        .unwrap();
    for data in [1, 2] {
        let mut store = Store::new(linker.engine(), data);
        let mut result = |module, name| {
            let item = linker.get(&mut store, module, name);
            call(&mut store, item).ok()
        };
        assert_eq!(result("a", "f"), Some(data));
        assert_eq!(result("a", "g"), Some(7));
        assert_eq!(result("b", "f"), Some(8));
        assert_eq!(result("b", "g"), None);
        assert_eq!(result("c", "f"), None);
    }
}

#[test]
fn shadowing_must_be_allowed() {
    let mut linker = Linker::<i32>::new(&Engine::default());
    let mut store = Store::new(linker.engine(), 0);
    linker.func_wrap("m", "f", || 1_i32).unwrap();
    let error = linker
        .func_wrap("m", "f", || 2_i32)
        .unwrap_err()
        .to_string();
    assert!(error.contains("`m::f` is defined already"), "{error}");
    let before = linker.clone();
    linker
        .allow_shadowing(true)
        .func_wrap("m", "f", || 2_i32)
        .unwrap();
    for (linker, expected) in [(before, 1), (linker, 2)] {
        let item = linker.get(&mut store, "m", "f");
        assert_eq!(call(&mut store, item).unwrap(), expected);
    }
}

#[test]
fn missing_and_mismatched_imports() {
    let mut linker = Linker::<()>::new(&Engine::default());
    let mut store = Store::new(linker.engine(), ());
    linker.func_wrap("env", "f", |_: i32| {}).unwrap();
    let mut link = |text: &str| {
        linker
            .instantiate(&mut store, &module(linker.engine(), text))
            .map(drop)
    };
    let f = r#"(module (import "env" "f" (func (param i32)))"#;
    link(&format!("{f})")).unwrap();
    // The same import twice, and with another type.
    link(&format!(r#"{f} (import "env" "f" (func (param i32))))"#)).unwrap();
    let error = link(&format!(r#"{f} (import "env" "f" (func (param i64))))"#)).unwrap_err();
    let message =
        "incompatible import type for `env::f`: expected func (i64) -> (), found func (i32) -> ()";
    assert_eq!(error.to_string(), message);
    let error = link(r#"(module (import "env" "g" (memory 1)))"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown import: `env::g` has not been defined"
    );
}

#[test]
fn instances_export_to_each_other() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    linker.define(&store, "env", "memory", memory).unwrap();
    let first = module(
        &engine,
        r#"(module (import "env" "memory" (memory 1)) (global (export "g") i32 (i32.const 40))
            (table (export "t") 3 funcref) (export "m" (memory 0)))"#,
    );
    linker.module(&mut store, "first", &first).unwrap();
    let second = module(
        &engine,
        r#"(module (import "first" "g" (global i32)) (import "first" "m" (memory 1))
            (import "first" "t" (table 3 funcref)) (export "t" (table 0))
            (func $f) (elem (i32.const 2) func $f) (data (global.get 0) "hello"))"#,
    );
    let second = linker.instantiate(&mut store, &second).unwrap();
    assert_eq!(&memory.data(&store)[40..45], b"hello");
    linker.instance(&mut store, "second", second).unwrap();
    let table = linker
        .get(&mut store, "second", "t")
        .unwrap()
        .into_table()
        .unwrap();
    assert!(!table.get(&store, 2).unwrap().is_null());
    assert!(linker.instance(&mut store, "second", second).is_err());
}

#[test]
fn unknown_functions_can_be_traps() {
    let mut linker = Linker::<i32>::new(&Engine::default());
    let mut store = Store::new(linker.engine(), 0);
    linker.func_wrap("m", "known", || 5_i32).unwrap();
    let module = module(
        linker.engine(),
        r#"(module (import "m" "known" (func (result i32))) (import "m" "unknown" (func (param i32) (result i32)))
            (import "m" "unknown" (func (param i32) (result i32))))"#,
    );
    linker.define_unknown_imports_as_traps(&module).unwrap();
    linker.instantiate(&mut store, &module).unwrap();
    let item = linker.get(&mut store, "m", "known");
    assert_eq!(call(&mut store, item).unwrap(), 5);
    let unknown = linker
        .get(&mut store, "m", "unknown")
        .unwrap()
        .into_func()
        .unwrap();
    let error = unknown
        .call(&mut store, &[Val::I32(0)], &mut [Val::I32(0)])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown import: `m::unknown` has not been defined"
    );
}

#[test]
fn defaults() {
    let mut linker = Linker::<i32>::new(&Engine::default());
    let mut store = Store::new(linker.engine(), 0);
    linker
        .func_wrap("start", "_start", |mut caller: Caller<'_, i32>| {
            *caller.data_mut() += 1
        })
        .unwrap();
    linker.func_wrap("both", "_start", || {}).unwrap();
    linker
        .func_wrap("both", "", |mut caller: Caller<'_, i32>| {
            *caller.data_mut() += 10
        })
        .unwrap();
    for name in ["start", "both", "neither"] {
        let func = linker.get_default(&mut store, name).unwrap();
        func.call(&mut store, &[], &mut []).unwrap();
    }
    assert_eq!(*store.data(), 11);
    let memory = Memory::new(&mut store, MemoryType::new(0, None)).unwrap();
    linker.define(&store, "memory", "", memory).unwrap();
    assert!(linker.get_default(&mut store, "memory").is_err());
}

#[test]
#[should_panic = "object used with the wrong store"]
fn a_definition_of_another_store() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, || {});
    linker.define(&store, "m", "f", func).unwrap();
    let mut other = Store::new(&engine, ());
    let module = module(&engine, r#"(module (import "m" "f" (func)))"#);
    let _ = linker.instantiate(&mut other, &module);
}

#[test]
fn equal_types_of_different_modules_are_equal() {
    // The number of a type belongs to the engine, so a function links whichever module it comes from.
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let mut store = Store::new(&engine, ());
    let exporter = module(
        &engine,
        r#"(module (type (func (param f64))) (type $t (func (param i64 i64) (result i32)))
            (func (export "f") (type $t) (i32.const 0)))"#,
    );
    linker.module(&mut store, "m", &exporter).unwrap();
    drop(exporter);
    let importer = module(
        &engine,
        r#"(module (import "m" "f" (func (param i64 i64) (result i32))))"#,
    );
    let instance: Instance = linker.instantiate(&mut store, &importer).unwrap();
    assert_eq!(instance.exports(&mut store).len(), 0);
    let func = linker
        .get(&mut store, "m", "f")
        .unwrap()
        .into_func()
        .unwrap();
    assert_eq!(
        func.ty(&store),
        FuncType::new(&engine, [ValType::I64, ValType::I64], [ValType::I32])
    );
}
