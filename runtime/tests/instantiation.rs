//! Instantiation: imports, initialisation in the order of the spec, and what a trap leaves behind.

use teff_runtime::{
    Engine, Extern, Func, FuncType, Global, GlobalType, Instance, Memory, MemoryType, Module,
    Mutability, Ref, RefType, Result, Store, Table, TableType, Trap, Val, ValType,
};

fn module(text: &str) -> Module {
    Module::new(&Engine::default(), wat::parse_str(text).unwrap()).unwrap()
}

/// An instance without imports, in a store of its own.
fn instance(text: &str) -> (Store<()>, Instance) {
    let module = module(text);
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

fn with_imports(store: &mut Store<()>, text: &str, imports: &[Extern]) -> Result<Instance> {
    let module = Module::new(store.engine(), wat::parse_str(text).unwrap()).unwrap();
    Instance::new(store, &module, imports)
}

#[test]
fn globals_have_their_initial_values() {
    let (mut store, instance) = instance(
        r#"(module
            (func $f)
            (global (export "i32") i32 (i32.const -7))
            (global (export "i64") (mut i64) (i64.const 0x8000000000000000))
            (global (export "f32") f32 (f32.const 1.5))
            (global (export "f64") f64 (f64.const -0.25))
            (global (export "null") externref (ref.null extern))
            (global (export "func") funcref (ref.func $f))
            (export "f" (func $f)))"#,
    );
    let mut get = |name| instance.get_global(&mut store, name).unwrap().get(&store);
    assert_eq!(get("i32").unwrap_i32(), -7);
    assert_eq!(get("i64").unwrap_i64(), i64::MIN);
    assert_eq!(get("f32").unwrap_f32(), 1.5);
    assert_eq!(get("f64").unwrap_f64(), -0.25);
    assert!(get("null").unwrap_extern_ref().is_none());
    let func = get("func").unwrap_func_ref().unwrap();
    assert_eq!(func.ty(&store).results().len(), 0);
}

#[test]
fn constant_expressions_see_imported_globals() {
    let mut store = Store::<()>::default();
    let base = GlobalType::new(ValType::I32, Mutability::Const);
    let base = Global::new(&mut store, base, Val::I32(5)).unwrap();
    let instance = with_imports(
        &mut store,
        r#"(module
            (import "env" "base" (global $base i32))
            (global (export "sum") i32 (i32.sub (i32.mul (global.get $base) (i32.const 3)) (i32.const 20)))
            (memory (export "m") 1)
            (table (export "t") 10 funcref)
            (func $f)
            (data (i32.add (global.get $base) (i32.const 1)) "xy")
            (elem (global.get $base) func $f))"#,
        &[base.into()],
    )
    .unwrap();
    assert_eq!(
        instance
            .get_global(&mut store, "sum")
            .unwrap()
            .get(&store)
            .unwrap_i32(),
        -5
    );
    assert_eq!(
        &instance.get_memory(&mut store, "m").unwrap().data(&store)[4..9],
        b"\0\0xy\0"
    );
    let table = instance.get_table(&mut store, "t").unwrap();
    let set: Vec<_> = (0..10)
        .filter(|&i| !table.get(&store, i).unwrap().is_null())
        .collect();
    assert_eq!(set, [5]);
}

#[test]
fn segments_of_all_forms() {
    let (mut store, instance) = instance(
        r#"(module
            (table $a (export "a") 8 funcref)
            (table $b (export "b") 4 funcref)
            (table $c (export "c") 4 externref)
            (memory (export "m") 1)
            (type $none (func)) (type $one (func (param i32)))
            (func $f (type $none)) (func $g (type $one))
            (elem (i32.const 0) func $f $g)
            (elem (table $a) (i32.const 3) funcref (ref.func $g) (ref.null func) (ref.func $f))
            (elem (table $b) (i32.const 1) func $g $g)
            (elem (table $c) (i32.const 0) externref (ref.null extern))
            (elem declare func $f)
            (elem funcref (ref.func $f))
            (elem func $f $g)
            (data "passive")
            (data (i32.const 65533) "end")
            (data (memory 0) (i32.const 1) "\01\02\03")
            (data (i32.const 2) "\ff"))"#,
    );
    let mut shape = |name| {
        let table = instance.get_table(&mut store, name).unwrap();
        let params = |i| match table.get(&store, i).unwrap() {
            Ref::Func(Some(func)) => func.ty(&store).params().len().to_string(),
            Ref::Func(None) | Ref::Extern(None) => "-".to_string(),
            other => panic!("{other:?}"),
        };
        (0..table.size(&store)).map(params).collect::<String>()
    };
    assert_eq!(shape("a"), "01-1-0--");
    assert_eq!(shape("b"), "-11-");
    assert_eq!(shape("c"), "----");
    let memory = instance.get_memory(&mut store, "m").unwrap();
    assert_eq!(&memory.data(&store)[..5], b"\0\x01\xff\x03\0");
    assert_eq!(&memory.data(&store)[65533..], b"end");
}

#[test]
fn a_trap_leaves_earlier_writes() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let table = Table::new(
        &mut store,
        TableType::new(RefType::FUNCREF, 2, None),
        Ref::Func(None),
    )
    .unwrap();
    let imports =
        r#"(import "" "m" (memory 1)) (import "" "t" (table 2 funcref)) (func $f (param i64))"#;

    let text = format!(
        r#"(module {imports} (elem (i32.const 1) func $f) (data (i32.const 0) "first")
            (data (i32.const 65534) "four") (data (i32.const 10) "never"))"#
    );
    let error = with_imports(&mut store, &text, &[memory.into(), table.into()]).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
    assert_eq!(error.to_string(), "out of bounds memory access");
    assert_eq!(&memory.data(&store)[..12], b"first\0\0\0\0\0\0\0");
    assert_eq!(&memory.data(&store)[65534..], b"\0\0");
    // The function that was written stays alive.
    let Some(Ref::Func(Some(func))) = table.get(&store, 1) else {
        panic!()
    };
    assert_eq!(
        func.ty(&store),
        FuncType::new(store.engine(), [ValType::I64], [])
    );

    // Element segments come before data segments.
    let text =
        format!(r#"(module {imports} (data (i32.const 20) "no") (elem (i32.const 1) func $f $f))"#);
    let error = with_imports(&mut store, &text, &[memory.into(), table.into()]).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::TableOutOfBounds));
    assert_eq!(error.to_string(), "out of bounds table access");
    assert_eq!(&memory.data(&store)[20..22], b"\0\0");
}

#[test]
fn offsets_are_unsigned_and_empty_segments_may_touch_the_end() {
    let new = |text: &str| {
        let module = module(text);
        Instance::new(Store::new(module.engine(), ()), &module, &[])
    };
    new(r#"(module (memory 1) (data (i32.const 65536) ""))"#).unwrap();
    new("(module (table 3 funcref) (elem (i32.const 3) func))").unwrap();
    for text in [
        r#"(module (memory 1) (data (i32.const 65537) ""))"#,
        r#"(module (memory 1) (data (i32.const -1) "ab"))"#,
        r#"(module (memory 0) (data (i32.const 0) "a"))"#,
    ] {
        assert!(new(text).unwrap_err().is::<Trap>(), "{text}");
    }
    let text = "(module (table 3 funcref) (elem (i32.const -1) func))";
    assert_eq!(
        new(text).unwrap_err().downcast_ref(),
        Some(&Trap::TableOutOfBounds)
    );
}

#[test]
fn exports_of_imports_are_the_imports() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let ty = GlobalType::new(ValType::I64, Mutability::Var);
    let global = Global::new(&mut store, ty, Val::I64(1)).unwrap();
    let text = r#"(module (import "" "m" (memory 1)) (import "" "g" (global (mut i64)))
        (export "m" (memory 0)) (export "g" (global 0)))"#;
    let instance = with_imports(&mut store, text, &[memory.into(), global.into()]).unwrap();
    let again = instance.get_memory(&mut store, "m").unwrap();
    again.write(&mut store, 7, b"seen").unwrap();
    assert_eq!(&memory.data(&store)[7..11], b"seen");
    instance
        .get_global(&mut store, "g")
        .unwrap()
        .set(&mut store, Val::I64(-2))
        .unwrap();
    assert_eq!(global.get(&store).unwrap_i64(), -2);

    let names: Vec<_> = instance
        .exports(&mut store)
        .map(|e| e.name().to_string())
        .collect();
    assert_eq!(names, ["m", "g"]);
    assert!(instance.get_func(&mut store, "m").is_none());
    assert!(instance.get_export(&mut store, "x").is_none());
}

#[test]
fn imports_are_checked() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(2, Some(5))).unwrap();
    let table = TableType::new(RefType::FUNCREF, 2, None);
    let table = Table::new(&mut store, table, Ref::Func(None)).unwrap();
    let global = GlobalType::new(ValType::I32, Mutability::Const);
    let global = Global::new(&mut store, global, Val::I32(0)).unwrap();
    let func = Func::wrap(&mut store, |_: i32| 0_i64);
    let (memory, table): (Extern, Extern) = (memory.into(), table.into());
    let (global, func): (Extern, Extern) = (global.into(), func.into());

    let mut link = |import: &str, item: Extern| {
        let text = format!(r#"(module (import "mod" "name" ({import})))"#);
        with_imports(&mut store, &text, &[item])
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let matching = [
        ("memory 0", memory),
        ("memory 2", memory),
        ("memory 2 5", memory),
        ("memory 1 6", memory),
        ("table 2 funcref", table),
        ("table 0 funcref", table),
        ("global i32", global),
        ("func (param i32) (result i64)", func),
    ];
    for (import, item) in matching {
        link(import, item).unwrap();
    }
    let differing = [
        ("memory 3", memory, "memory 3, found memory 2 5"),
        ("memory 2 4", memory, "memory 2 4, found memory 2 5"),
        (
            "table 3 funcref",
            table,
            "table 3 funcref, found table 2 funcref",
        ),
        (
            "table 1 2 funcref",
            table,
            "table 1 2 funcref, found table 2 funcref",
        ),
        (
            "table 2 externref",
            table,
            "table 2 externref, found table 2 funcref",
        ),
        (
            "global (mut i32)",
            global,
            "global (mut i32), found global i32",
        ),
        ("global i64", global, "global i64, found global i32"),
        (
            "func (param i32)",
            func,
            "func (i32) -> (), found func (i32) -> (i64)",
        ),
        (
            "func (param i32) (result i64)",
            global,
            "func (i32) -> (i64), found global i32",
        ),
        ("memory 0", func, "memory 0, found func (i32) -> (i64)"),
    ];
    for (import, item, types) in differing {
        let message = format!("incompatible import type for `mod::name`: expected {types}");
        assert_eq!(link(import, item), Err(message), "{import}");
    }
}

#[test]
fn imports_match_the_present_size() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let table = TableType::new(RefType::FUNCREF, 1, None);
    let table = Table::new(&mut store, table, Ref::Func(None)).unwrap();
    let text = r#"(module (import "" "m" (memory 2)) (import "" "t" (table 3 funcref)))"#;
    assert!(with_imports(&mut store, text, &[memory.into(), table.into()]).is_err());
    memory.grow(&mut store, 1).unwrap();
    assert!(with_imports(&mut store, text, &[memory.into(), table.into()]).is_err());
    table.grow(&mut store, 2, Ref::Func(None)).unwrap();
    with_imports(&mut store, text, &[memory.into(), table.into()]).unwrap();
}

#[test]
fn the_number_of_imports_is_checked() {
    let mut store = Store::<()>::default();
    let func = Func::wrap(&mut store, || {});
    let text = r#"(module (import "a" "b" (func)))"#;
    for imports in [&[][..], &[func.into(), func.into()]] {
        let error = with_imports(&mut store, text, imports)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("the module has 1 imports, but {} were given", imports.len())
        );
    }
}

#[test]
fn a_module_of_another_engine_is_refused() {
    let mut store = Store::<()>::default();
    let module = module("(module)");
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert!(error.to_string().contains("different engines"), "{error}");
}

#[test]
fn many_data_segments() {
    // As Go's linker makes them: very many, of few bytes each.
    let mut text = String::from(r#"(module (memory (export "m") 16)"#);
    for i in 0..50_000 {
        text.push_str(&format!(
            "(data (i32.const {}) \"\\{:02x}\\{:02x}\")",
            i * 20,
            i & 0xff,
            i >> 8
        ));
    }
    text.push(')');
    let (mut store, instance) = instance(&text);
    let memory = instance.get_memory(&mut store, "m").unwrap();
    for (i, bytes) in memory
        .data(&store)
        .chunks_exact(20)
        .take(50_000)
        .enumerate()
    {
        assert_eq!(bytes[..2], (i as u16).to_le_bytes());
    }
}
