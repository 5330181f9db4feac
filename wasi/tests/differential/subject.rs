//! teff's side: a guest that imports every function and exports it again, with a memory.

use std::{collections::HashMap, fs, sync::OnceLock};

use teff_runtime::{Engine, Func, Linker, Memory, Module, Store, Val};
use teff_wasi::{DirPerms, FilePerms, PathResolution, WasiCtx, WasiCtxBuilder};

use crate::{
    Outcome, Trap,
    calls::FUNCTIONS,
    tree::{ONE, STDIO, Scratch, TWO},
};

pub(crate) struct Subject {
    store: Store<WasiCtx>,
    memory: Memory,
    functions: HashMap<&'static str, Func>,
}

/// The guest.
fn wat() -> String {
    let mut imports = String::new();
    let mut exports = String::new();
    for function in FUNCTIONS {
        let name = function.name;
        let types: Vec<_> = function
            .params
            .iter()
            .flat_map(|param| param.1.types())
            .copied()
            .collect();
        let params = types.join(" ");
        imports += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\" \
             (func ${name} (param {params}) (result i32)))\n"
        );
        let get: String = (0..types.len())
            .map(|i| format!("(local.get {i})"))
            .collect();
        exports += &format!(
            "(func (export \"{name}\") (param {params}) (result i32) (call ${name} {get}))\n"
        );
    }
    format!("(module\n{imports}(memory (export \"memory\") 1 1)\n{exports})")
}

/// The guest, compiled once, and the functions that it imports.
fn linked() -> &'static (Engine, Module, Linker<WasiCtx>) {
    static LINKED: OnceLock<(Engine, Module, Linker<WasiCtx>)> = OnceLock::new();
    LINKED.get_or_init(|| {
        let engine = Engine::default();
        let wasm = wat::parse_str(wat()).expect("the guest is well-formed");
        let module = Module::new(&engine, wasm).expect("the guest is valid");
        let mut linker = Linker::new(&engine);
        teff_wasi::add_to_linker(&mut linker, |ctx| ctx).expect("the linker is new");
        (engine, module, linker)
    })
}

impl Subject {
    pub(crate) fn new(
        scratch: &Scratch,
        read_only: bool,
        resolution: PathResolution,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let open = |number: usize| {
            fs::File::options()
                .read(number == 0)
                .write(number > 0)
                .open(scratch.path(STDIO[number]))
                .expect("the scratch directory is new")
        };
        let mut builder = WasiCtxBuilder::new();
        builder.args(args).envs(env).path_resolution(resolution);
        builder.stdin(open(0)).stdout(open(1)).stderr(open(2));
        let perms = if read_only {
            (DirPerms::READ, FilePerms::READ)
        } else {
            (DirPerms::all(), FilePerms::all())
        };
        for (name, (dir, file)) in [(ONE, (DirPerms::all(), FilePerms::all())), (TWO, perms)] {
            builder
                .preopened_dir(scratch.path(name), format!("/{name}"), dir, file)
                .expect("the scratch directory is new");
        }
        let (engine, module, linker) = linked();
        let mut store = Store::new(engine, builder.build());
        let instance = linker
            .instantiate(&mut store, module)
            .expect("all functions are there");
        let memory = instance
            .get_memory(&mut store, "memory")
            .expect("the guest has a memory");
        let functions = FUNCTIONS
            .iter()
            .map(|function| {
                let func = instance.get_func(&mut store, function.name);
                (function.name, func.expect("the guest exports it"))
            })
            .collect();
        Self {
            store,
            memory,
            functions,
        }
    }

    pub(crate) fn memory(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    /// Calls a function with WebAssembly's arguments.
    pub(crate) fn call(&mut self, function: &str, args: &[u64]) -> Outcome {
        let func = self.functions[function];
        let types = FUNCTIONS
            .iter()
            .filter(|known| known.name == function)
            .flat_map(|known| known.params)
            .flat_map(|param| param.1.types());
        let args: Vec<_> = types
            .zip(args)
            .map(|(ty, arg)| match *ty {
                "i32" => Val::I32(*arg as i32),
                _ => Val::I64(*arg as i64),
            })
            .collect();
        let mut results = [Val::I32(-1)];
        match func.call(&mut self.store, &args, &mut results) {
            Ok(()) => Outcome::Errno(results[0].i32().unwrap_or(-1) as u16),
            Err(error) => Outcome::Trap(Trap::new(error.to_string())),
        }
    }
}
