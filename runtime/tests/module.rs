//! Decoding: what a module says of itself, and which bytes are refused.

use teff_runtime::{
    Engine, Error, ExternType, FuncType, GlobalType, MemoryType, Module, Mutability, RefType,
    Result, TableType, ValType,
};

fn module(text: &str) -> Result<Module> {
    Module::new(&Engine::default(), wat::parse_str(text).unwrap())
}

#[track_caller]
fn refused(text: &str, message: &str) {
    let error = module(text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn imports_in_order_with_duplicates() {
    let module = module(
        r#"(module
            (import "a" "f" (func (param i32 i64) (result f32)))
            (import "a" "g" (global (mut f64)))
            (import "" "" (memory 1 2))
            (import "b" "t" (table 3 externref))
            (import "a" "f" (func)))"#,
    )
    .unwrap();
    let imports: Vec<_> = module
        .imports()
        .map(|i| (i.module(), i.name(), i.ty()))
        .collect();
    let engine = module.engine();
    let func = FuncType::new(engine, [ValType::I32, ValType::I64], [ValType::F32]);
    assert_eq!(
        imports,
        [
            ("a", "f", ExternType::Func(func)),
            (
                "a",
                "g",
                GlobalType::new(ValType::F64, Mutability::Var).into()
            ),
            ("", "", MemoryType::new(1, Some(2)).into()),
            ("b", "t", TableType::new(RefType::EXTERNREF, 3, None).into()),
            ("a", "f", FuncType::new(engine, [], []).into()),
        ]
    );
    assert_eq!(module.imports().len(), 5);
}

#[test]
fn exports_in_order_and_by_name() {
    let module = module(
        r#"(module
            (import "m" "f" (func (param i32)))
            (func $own (result i64) (i64.const 0))
            (memory (export "memory") 1)
            (table (export "a table") 0 7 funcref)
            (global (export "") i32 (i32.const 1))
            (export "z" (func 0))
            (export "own" (func $own))
            (export "again" (func $own)))"#,
    )
    .unwrap();
    let engine = module.engine();
    let (imported, own) = (
        FuncType::new(engine, [ValType::I32], []),
        FuncType::new(engine, [], [ValType::I64]),
    );
    let expected: [(&str, ExternType); 6] = [
        ("memory", MemoryType::new(1, None).into()),
        (
            "a table",
            TableType::new(RefType::FUNCREF, 0, Some(7)).into(),
        ),
        ("", GlobalType::new(ValType::I32, Mutability::Const).into()),
        ("z", imported.into()),
        ("own", own.clone().into()),
        ("again", own.into()),
    ];
    assert_eq!(
        module
            .exports()
            .map(|e| (e.name(), e.ty()))
            .collect::<Vec<_>>(),
        expected
    );
    for (name, ty) in expected {
        assert_eq!(module.get_export(name), Some(ty));
    }
    assert_eq!(module.get_export("absent"), None);
}

#[test]
fn names() {
    assert_eq!(
        module("(module $the_name)").unwrap().name(),
        Some("the_name")
    );
    assert_eq!(module("(module)").unwrap().name(), None);
    // A broken name section is no error.
    let mut bytes = wat::parse_str("(module)").unwrap();
    bytes.extend_from_slice(b"\0\x07\x04name\0\x05");
    let broken = Module::new(&Engine::default(), &bytes).unwrap();
    assert_eq!(broken.name(), None);
}

#[test]
fn the_three_ways_to_hold_bytes() {
    static BYTES: &[u8] = b"\0asm\x01\0\0\0";
    let engine = Engine::default();
    assert_eq!(Module::new(&engine, BYTES).unwrap().exports().len(), 0);
    assert_eq!(
        Module::from_static(&engine, BYTES).unwrap().exports().len(),
        0
    );

    #[cfg(unix)]
    {
        let path = std::env::temp_dir().join(format!("teff-mapped-{}.wasm", std::process::id()));
        std::fs::write(
            &path,
            wat::parse_str(r#"(module (memory (export "m") 1))"#).unwrap(),
        )
        .unwrap();
        // SAFETY: nobody else knows this file.
        let mapped = unsafe { Module::from_mapped_file(&engine, &path) };
        std::fs::remove_file(&path).unwrap();
        assert!(mapped.unwrap().get_export("m").is_some());
        // SAFETY: there is no file.
        let absent: Error = unsafe { Module::from_mapped_file(&engine, &path) }.unwrap_err();
        assert!(
            absent.to_string().contains("cannot map the file"),
            "{absent}"
        );
        assert!(absent.is::<std::io::Error>());
    }
}

#[test]
fn bytes_that_are_no_module() {
    let engine = Engine::default();
    let error = |bytes: &[u8]| {
        let error = Module::new(&engine, bytes).unwrap_err().to_string();
        assert_eq!(
            Module::validate(&engine, bytes).unwrap_err().to_string(),
            error
        );
        error
    };
    assert!(error(b"").contains("not a WebAssembly module"));
    assert!(error(b"(module)").contains("not a WebAssembly module"));
    assert!(error(b"\0asm\x02\0\0\0").contains("invalid module"));
    assert!(error(b"\0asm\x01\0\0").contains("invalid module"));
    assert!(error(b"\0asm\x0d\0\x01\0").contains("invalid module"));
    // A section that promises more than there is.
    assert!(
        error(b"\0asm\x01\0\0\0\x01\x85\x80\x80\x80\x00\xff\xff\xff").contains("invalid module")
    );
    assert!(error(b"\0asm\x01\0\0\0\x03\x02\xff\x7f").contains("invalid module"));
}

#[test]
fn every_prefix_of_a_module_is_refused_or_a_module() {
    let bytes = wat::parse_str(
        r#"(module (import "a" "b" (func)) (memory 1) (table 2 funcref) (global i32 (i32.const 1))
            (func (export "f") (param i32) (result i32) local.get 0)
            (elem (i32.const 0) func 0 1) (elem funcref (ref.null func) (ref.func 1))
            (data (i32.const 0) "abc") (data "def"))"#,
    )
    .unwrap();
    let engine = Engine::default();
    let accepted = (0..=bytes.len())
        .filter(|&len| Module::new(&engine, &bytes[..len]).is_ok())
        .count();
    // Prefixes that end between sections are modules, up to where functions lack their code.
    assert!((1..8).contains(&accepted), "{accepted}");
    assert!(Module::new(&engine, &bytes).is_ok());
}

#[test]
fn function_bodies_are_validated() {
    refused(
        "(module (func (result i32) (i64.const 0)))",
        "type mismatch",
    );
    refused("(module (func) (func (drop)))", "type mismatch");
}

#[test]
fn proposals_that_are_on() {
    let accepted = [
        "(module (func (result i32 i64) (i32.const 0) (i64.const 0)))",
        "(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))",
        "(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))",
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
        "(module (table 1 externref) (table 1 funcref) (func (result externref) (table.get 0 (i32.const 0))))",
        "(module (global (import \"\" \"\") (mut i32)))",
        "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        "(module (func $f (return_call $f)))",
    ];
    for text in accepted {
        module(text).unwrap();
    }
}

#[test]
fn proposals_that_are_off() {
    refused("(module (func (drop (v128.const i32x4 0 0 0 0))))", "SIMD");
    refused("(module (memory 1) (memory 1))", "memories");
    refused("(module (memory i64 1))", "memory64");
    refused("(module (memory 1 1 shared))", "threads");
    refused("(module (tag))", "exceptions");
    refused("(module (type (struct)))", "gc");
    refused("(module (func (param (ref func))))", "reference");
}
