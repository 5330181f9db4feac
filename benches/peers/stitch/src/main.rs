//! Stitch: runs one WASI program. Stitch has no WASI, so it gets ours.

use std::cell::Cell;
use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::Arc;

use makepad_stitch::{Engine, ExternType, Func, Instance, Linker, Mem, Module, Store};
use peer_wasi::{Bytes, Function, Request, Type, Wasi, stages};

thread_local! {
    /// The memory of the one instance; host functions are only given the store.
    static MEMORY: Cell<Option<Mem>> = const { Cell::new(None) };
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = peer_wasi::request(&args).and_then(|request| match request {
        Request::Version => {
            println!("{}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Request::Run(args) => run(args),
        Request::Memory { path, eager } => memory(path, eager),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peer-stitch: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let bytes = peer_wasi::read(&args[0])?;
    let mut store = Store::new(Engine::new());
    let module = Module::new(store.engine(), &bytes).map_err(|error| format!("{error:?}"))?;
    let instance = instantiate(&mut store, &module, args)?;
    MEMORY.set(instance.exported_mem("memory"));
    let start = instance.exported_func("_start").ok_or("no _start")?;
    start
        .call(&mut store, &[], &mut [])
        .map_err(|error| format!("{error:?}"))
}

fn memory(path: &str, eager: bool) -> Result<(), String> {
    if eager {
        return Err("it only translates what is called".to_owned());
    }
    let bytes = peer_wasi::read(path)?;
    let engine = Engine::new();
    stages::mark("start");
    let module = Module::new(&engine, &bytes).map_err(|error| format!("{error:?}"))?;
    stages::mark("loaded");
    let mut stores = Vec::new();
    for number in 0..=stages::FURTHER_INSTANCES {
        let mut store = Store::new(engine.clone());
        instantiate(&mut store, &module, &[])?;
        stores.push(store);
        if number == 0 {
            stages::mark("instance");
        }
    }
    stages::mark("instances");
    Ok(())
}

fn instantiate(store: &mut Store, module: &Module, args: &[String]) -> Result<Instance, String> {
    let wasi = Arc::new(Wasi::new(args));
    let mut linker = Linker::new();
    // Go imports some functions twice.
    let mut defined = HashSet::new();
    for ((from, name), kind) in module.imports() {
        let ExternType::Func(_) = kind else { continue };
        if from != peer_wasi::MODULE || !defined.insert(name.to_owned()) {
            continue;
        }
        let function = Function::ALL.iter().find(|function| function.name == name);
        let function = *function.ok_or_else(|| format!("no import {name}"))?;
        linker.define(from, name, host(store, function, wasi.clone())?);
    }
    linker
        .instantiate(store, module)
        .map_err(|error| format!("{error:?}"))
}

fn call(store: &mut Store, function: Function, wasi: &Wasi, args: &[u64]) -> i32 {
    let mut none: [u8; 0] = [];
    let bytes = match MEMORY.get() {
        Some(memory) => memory.bytes_mut(store),
        None => &mut none[..],
    };
    function.call(wasi, &mut Bytes(bytes), args) as i32
}

/// An address is 32 bits without a sign.
macro_rules! word {
    ($name:ident: i64) => {
        $name as u64
    };
    ($name:ident: i32) => {
        u64::from($name as u32)
    };
}

/// Stitch's host functions have static types: one closure for each shape in use.
macro_rules! shapes {
    ($store:ident, $function:ident, $wasi:ident, $types:ident, $($letters:literal: ($($name:ident: $type:tt),*);)*) => {
        match $types.as_str() {
            $($letters => Func::wrap($store, move |store: &mut Store $(, $name: $type)*| -> i32 {
                call(store, $function, &$wasi, &[$(word!($name: $type)),*])
            }),)*
            other => return Err(format!("no host function of the shape {other}")),
        }
    };
}

fn host(store: &mut Store, function: Function, wasi: Arc<Wasi>) -> Result<Func, String> {
    if !function.has_result() {
        return Ok(Func::wrap(store, move |store: &mut Store, a: i32| -> () {
            call(store, function, &wasi, &[u64::from(a as u32)]);
        }));
    }
    let types: String = function
        .parameters()
        .map(|kind| if kind == Type::I64 { 'I' } else { 'i' })
        .collect();
    Ok(shapes! { store, function, wasi, types,
        "": ();
        "i": (a: i32);
        "ii": (a: i32, b: i32);
        "iii": (a: i32, b: i32, c: i32);
        "iiii": (a: i32, b: i32, c: i32, d: i32);
        "iiiii": (a: i32, b: i32, c: i32, d: i32, e: i32);
        "iiiiii": (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32);
        "iiiiiii": (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32);
        "iI": (a: i32, b: i64);
        "iIi": (a: i32, b: i64, c: i32);
        "iII": (a: i32, b: i64, c: i64);
        "iIii": (a: i32, b: i64, c: i32, d: i32);
        "iIIi": (a: i32, b: i64, c: i64, d: i32);
        "iiiIi": (a: i32, b: i32, c: i32, d: i64, e: i32);
        "iiiiIIi": (a: i32, b: i32, c: i32, d: i32, e: i64, f: i64, g: i32);
        "iiiiiIIii": (a: i32, b: i32, c: i32, d: i32, e: i32, f: i64, g: i64, h: i32, i: i32);
    })
}
