//! A host module of one's own beside WASI, and a function of WASI that is shadowed: this guest sees a clock
//! that a test bench sets, and writes to a sensor's log that the host keeps.
//!
//! ```sh
//! cargo run -p teff-wasi --example shadow
//! ```

use teff_runtime::{Caller, Engine, Extern, Linker, Module, Result, Store};
use teff_wasi::{WasiCtx, WasiCtxBuilder};

/// What the store holds: WASI's context, and what our own functions need.
struct Bench {
    wasi: WasiCtx,
    /// The time that the guest sees, in nanoseconds since 1970.
    time: u64,
    log: Vec<(u64, f32)>,
}

/// Asks for the time twice and logs a value at each.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock_time_get (param i32 i64 i32) (result i32)))
    (import "sensor" "log" (func $log (param i64 f32)))
    (memory (export "memory") 1)
    (func $once (param $value f32)
        (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 0)))
        (call $log (i64.load (i32.const 0)) (local.get $value)))
    (func (export "_start")
        (call $once (f32.const 20.5))
        (call $once (f32.const 21.25))))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str(GUEST).expect("the text is valid"))?;
    let mut linker = Linker::<Bench>::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |bench| &mut bench.wasi)?;

    // A host module is functions with one module name.
    linker.func_wrap(
        "sensor",
        "log",
        |mut caller: Caller<'_, Bench>, time: u64, value: f32| {
            caller.data_mut().log.push((time, value));
        },
    )?;

    // WASI's own clock is defined already: only with shadowing may another take its place.
    linker.allow_shadowing(true);
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "clock_time_get",
        |mut caller: Caller<'_, Bench>, _clock: u32, _precision: u64, result: u32| -> Result<u32> {
            let memory = caller.get_export("memory").and_then(Extern::into_memory);
            let memory = memory.expect("this guest exports its memory");
            let now = caller.data().time;
            caller.data_mut().time += 1_000_000_000;
            memory.write(&mut caller, result as usize, &now.to_le_bytes())?;
            Ok(0)
        },
    )?;

    let bench = Bench {
        wasi: WasiCtxBuilder::new().build(),
        time: 1_800_000_000_000_000_000,
        log: Vec::new(),
    };
    let mut store = Store::new(&engine, bench);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    start.call(&mut store, ())?;
    for (time, value) in &store.data().log {
        println!("{} s: {value} degrees", time / 1_000_000_000);
    }
    assert_eq!(store.data().log.len(), 2);
    assert_eq!(store.data().log[1].0 - store.data().log[0].0, 1_000_000_000);
    Ok(())
}
