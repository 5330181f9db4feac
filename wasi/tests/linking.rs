//! Linking: the types of the functions are checked, under both names, and calls find their caller's memory.

use teff_runtime::{Engine, Linker, Module, Result, Store, ValType};
use teff_wasi::{FUNCTIONS, I32Exit, WasiCtx, WasiCtxBuilder};

/// Links and instantiates a module.
fn link(engine: &Engine, wat: &str) -> Result<()> {
    let module = Module::new(engine, wat::parse_str(wat)?)?;
    let mut linker = Linker::<WasiCtx>::new(engine);
    teff_wasi::add_imported_to_linker(&mut linker, &module, |ctx| ctx)?;
    let mut store = Store::new(engine, WasiCtxBuilder::new().build());
    linker.instantiate(&mut store, &module).map(drop)
}

/// Runs a module's `_start`.
fn run(wat: &str) -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str(wat)?)?;
    let mut linker = Linker::<WasiCtx>::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |ctx| ctx)?;
    let mut store = Store::new(&engine, WasiCtxBuilder::new().build());
    let instance = linker.instantiate(&mut store, &module)?;
    instance
        .get_typed_func::<(), ()>(&mut store, "_start")?
        .call(&mut store, ())
}

fn is_i64(ty: &ValType) -> bool {
    matches!(ty, ValType::I64)
}

#[test]
fn other_types_do_not_link() {
    let engine = Engine::default();
    for version in ["wasi_snapshot_preview1", "wasi_unstable"] {
        for function in FUNCTIONS {
            let name = function.name;
            if version == "wasi_unstable" && name == "sock_accept" {
                // It came later.
                let wat = format!(
                    r#"(module (import "{version}" "{name}" (func (param i32 i32 i32) (result i32))))"#
                );
                let error = link(&engine, &wat).unwrap_err().to_string();
                assert!(error.contains("unknown import"), "{error}");
                continue;
            }
            let link = |params: &[bool], result: &str| {
                let params: String = params
                    .iter()
                    .map(|long| if *long { " i64" } else { " i32" })
                    .collect();
                let wat = format!(
                    r#"(module (import "{version}" "{name}" (func (param{params}) {result})))"#
                );
                link(&engine, &wat).map_err(|error| error.to_string())
            };
            let refused = |params: &[bool], result: &str| {
                let error = link(params, result).expect_err(name);
                assert!(error.contains("incompatible import type"), "{error}");
                assert!(error.contains(name), "{error}");
            };
            let params: Vec<_> = function.params.iter().map(|(_, ty)| is_i64(ty)).collect();
            let (result, other) = match function.returns_errno {
                true => ("(result i32)", ""),
                false => ("", "(result i32)"),
            };
            link(&params, result).unwrap();
            refused(&params, other);
            refused(&params, "(result i64)");
            refused(&[&params[..], &[false]].concat(), result);
            for place in 0..params.len() {
                let mut flipped = params.clone();
                flipped[place] ^= true;
                refused(&flipped, result);
                flipped.remove(place);
                refused(&flipped, result);
            }
        }
    }
}

#[test]
fn a_second_context_in_one_linker_is_refused() {
    let engine = Engine::default();
    let mut linker = Linker::<WasiCtx>::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |ctx| ctx).unwrap();
    assert!(teff_wasi::add_to_linker(&mut linker, |ctx| ctx).is_err());
}

#[test]
fn without_a_memory_a_call_says_so() {
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (memory 1)
        (func (export "_start") (drop (call $close (i32.const 0)))))"#;
    let error = run(wat).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("`wasi_snapshot_preview1::fd_close`"),
        "{message}"
    );
    assert!(
        message.contains("exports no memory named `memory`"),
        "{message}"
    );
    // The end of a program needs none.
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "_start") (call $exit (i32.const 3))))"#;
    let error = run(wat).unwrap_err();
    assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(3)));
}

/// Two instances with one context: each call reads and writes the memory of who makes it, in whatever order
/// they come.
#[test]
fn each_instance_has_its_own_memory() {
    let engine = Engine::default();
    // Its memory is the second of its exports, or the first.
    let guest = |before: &str| {
        let wat = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
                {before}
                (memory (export "memory") 1)
                (func (export "sizes") (param i32) (result i32)
                    (if (call $sizes (local.get 0) (i32.const 64)) (then unreachable))
                    (i32.load (local.get 0))))"#
        );
        Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap()
    };
    let modules = [
        guest(r#"(global (export "a") i32 (i32.const 0))"#),
        guest(""),
    ];
    let mut linker = Linker::<WasiCtx>::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |ctx| ctx).unwrap();
    let ctx = |count| WasiCtxBuilder::new().args(&vec!["x"; count]).build();
    let mut store = Store::new(&engine, ctx(3));
    let instances =
        [0, 1, 0].map(|module| linker.instantiate(&mut store, &modules[module]).unwrap());
    let memories = instances.map(|instance| instance.get_memory(&mut store, "memory").unwrap());
    for (call, which) in [0, 1, 1, 2, 0, 2].into_iter().enumerate() {
        let place = 128 + 4 * call;
        let sizes = instances[which]
            .get_typed_func::<u32, u32>(&mut store, "sizes")
            .unwrap();
        assert_eq!(sizes.call(&mut store, place as u32).unwrap(), 3);
        for (other, memory) in memories.iter().enumerate() {
            let expected = if other == which { 3 } else { 0 };
            assert_eq!(memory.data(&store)[place], expected, "{call} {other}");
        }
    }
    // A context that goes on in another store does not remember the memory of the first.
    let used = std::mem::replace(store.data_mut(), ctx(0));
    drop(store);
    let mut store = Store::new(&engine, used);
    let instance = linker.instantiate(&mut store, &modules[1]).unwrap();
    let sizes = instance
        .get_typed_func::<u32, u32>(&mut store, "sizes")
        .unwrap();
    assert_eq!(sizes.call(&mut store, 128).unwrap(), 3);
}
