//! TinyWasm: runs one WASI program, with its default features. TinyWasm has no WASI, so it gets ours.

use std::process::ExitCode;
use std::rc::Rc;

use peer_wasi::{Function, Request, Type, Wasi, stages};
use tinywasm::types::{FuncType, WasmType, WasmValue};
use tinywasm::{FuncContext, HostFunction, Imports, Memory, ModuleInstance, Store};

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
            eprintln!("peer-tinywasm: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let bytes = peer_wasi::read(&args[0])?;
    let module = tinywasm::parse_bytes(&bytes).map_err(|error| error.to_string())?;
    let mut store = Store::default();
    let imports = imports(&mut store, args);
    let instance = ModuleInstance::instantiate(&mut store, &module, Some(imports))
        .map_err(|error| error.to_string())?;
    let start = instance
        .func::<(), ()>(&store, "_start")
        .map_err(|error| error.to_string())?;
    start
        .call(&mut store, ())
        .map_err(|error| error.to_string())
}

/// It always translates everything when it loads.
fn memory(path: &str, _eager: bool) -> Result<(), String> {
    let bytes = peer_wasi::read(path)?;
    stages::mark("start");
    let module = tinywasm::parse_bytes(&bytes).map_err(|error| error.to_string())?;
    stages::mark("loaded");
    let mut stores = Vec::new();
    for number in 0..=stages::FURTHER_INSTANCES {
        let mut store = Store::default();
        let imports = imports(&mut store, &[]);
        ModuleInstance::instantiate(&mut store, &module, Some(imports))
            .map_err(|error| error.to_string())?;
        stores.push(store);
        if number == 0 {
            stages::mark("instance");
        }
    }
    stages::mark("instances");
    Ok(())
}

fn imports(store: &mut Store, args: &[String]) -> Imports {
    let wasi = Rc::new(Wasi::new(args));
    let mut imports = Imports::new();
    for &function in Function::ALL {
        imports.define(
            peer_wasi::MODULE,
            function.name,
            host(store, function, wasi.clone()),
        );
    }
    imports
}

fn host(store: &mut Store, function: Function, wasi: Rc<Wasi>) -> tinywasm::Function {
    let parameters: Vec<WasmType> = function
        .parameters()
        .map(|kind| match kind {
            Type::I32 => WasmType::I32,
            Type::I64 => WasmType::I64,
        })
        .collect();
    let results: &[WasmType] = if function.has_result() {
        &[WasmType::I32]
    } else {
        &[]
    };
    let kind = FuncType::new(&parameters, results);
    HostFunction::from_untyped(store, &kind, move |mut context: FuncContext<'_>, args| {
        let mut words = [0u64; 16];
        for (word, arg) in words.iter_mut().zip(args) {
            *word = match arg {
                WasmValue::I32(value) => u64::from(*value as u32),
                WasmValue::I64(value) => *value as u64,
                _ => 0,
            };
        }
        let memory = context.memory("memory")?;
        let mut guest = Guest {
            store: context.store_mut(),
            memory,
        };
        let errno = function.call(&wasi, &mut guest, &words[..args.len()]);
        Ok(if function.has_result() {
            vec![WasmValue::I32(errno as i32)]
        } else {
            Vec::new()
        })
    })
}

struct Guest<'a> {
    store: &'a mut Store,
    memory: Memory,
}

impl peer_wasi::Memory for Guest<'_> {
    fn read(&self, at: u32, bytes: &mut [u8]) -> bool {
        self.memory
            .read_exact(self.store, at as usize, bytes)
            .is_ok()
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> bool {
        self.memory
            .copy_from_slice(self.store, at as usize, bytes)
            .is_ok()
    }
}
