//! What a device without an operating system does: a guest with a read-only image of files in flash, a small
//! tree in memory to write to, a serial line as its output, and a clock that counts ticks. No host is asked
//! for anything; `std` is here only to print.
//!
//! The guest copies the device's settings to its memory, and says on the serial line that it did so.
//!
//! ```sh
//! cargo run -p teff-wasi --example embedded
//! ```

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use teff_runtime::{Engine, Error, Linker, Module, Result, Store};
use teff_wasi::{
    DirPerms, Errno, FilePerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiLimits,
    platform::{
        Blocking, Clock, File, Filestat, Filetype, Platform, Source, WriteBuffers,
        memory::MemoryDir,
        romfs::{Builder, RomDir},
    },
};

/// A millisecond, in nanoseconds.
const TICK: u64 = 1_000_000;

/// The board. On a real one, an interrupt of its timer counts the ticks.
#[derive(Clone)]
struct Board {
    ticks: Arc<AtomicU64>,
    seed: Arc<AtomicU64>,
}

impl Board {
    fn time(&self) -> u64 {
        // Each look takes a tick, so that time passes here.
        self.ticks.fetch_add(1, Ordering::Relaxed) * TICK
    }
}

impl Platform for Board {
    fn now(&self, clock: Clock) -> std::result::Result<u64, Errno> {
        match clock {
            Clock::Monotonic | Clock::MonotonicRaw => Ok(self.time()),
            // It has no calendar, and no processes whose time it could tell.
            _ => Err(Errno::Notsup),
        }
    }

    fn resolution(&self, clock: Clock) -> std::result::Result<u64, Errno> {
        self.now(clock).map(|_| TICK)
    }

    /// NOT RANDOM: a counter, the same after each start. Maps and tests can live with that; keys, nonces and
    /// tokens cannot. A board with a random number generator reads it here, and one without any should
    /// answer `notsup`, or withhold randomness by `WasiCtxBuilder::allow_random(false)`.
    fn random(&self, buffer: &mut [u8]) -> std::result::Result<(), Errno> {
        for byte in buffer {
            let count = self.seed.fetch_add(1, Ordering::Relaxed);
            *byte = count.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
        }
        Ok(())
    }

    fn wait(
        &self,
        _sources: &mut [Source],
        timeout: Option<u64>,
    ) -> std::result::Result<(), Errno> {
        // Nothing here makes anybody wait but the clock. A real board sleeps until its next interrupt.
        let ticks = timeout.ok_or(Errno::Notsup)?.div_ceil(TICK);
        self.ticks.fetch_add(ticks, Ordering::Relaxed);
        Ok(())
    }
}

/// The serial line, of which somebody keeps what was sent.
#[derive(Clone, Default)]
struct Serial(Arc<Mutex<Vec<u8>>>);

impl File for Serial {
    fn filestat(&self) -> std::result::Result<Filestat, Errno> {
        Ok(Filestat {
            dev: 0,
            ino: 0,
            // One that cannot seek: a guest takes it for a terminal, and writes each line at once.
            filetype: Filetype::CharacterDevice,
            nlink: 1,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        })
    }

    fn write(
        &self,
        buffers: &mut WriteBuffers<'_>,
        _blocking: Blocking,
    ) -> std::result::Result<usize, Errno> {
        let mut sent = self.0.lock().map_err(|_| Errno::Io)?;
        buffers.drain(|bytes| {
            sent.extend_from_slice(bytes);
            Ok(bytes.len())
        })
    }
}

/// The guest. A device has it as a binary, in its flash.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "settings.toml")
    (data (i32.const 80) "copy")
    (data (i32.const 96) "copied: ")
    (func $check (param $error i32)
        (if (local.get $error) (then (call $exit (local.get $error)))))
    (func (export "_start")
        ;; A buffer of 1,000 bytes at 1,024; its record is at 0.
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 1000))
        ;; Descriptor 3 is the flash: open for reading, read.
        (call $check (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 13)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)))
        (call $check
            (call $read (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 4)))
        ;; Descriptor 4 is the memory: create, open for writing, write what was read.
        (call $check (call $open (i32.const 4) (i32.const 1) (i32.const 80) (i32.const 4)
            (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
        (call $check
            (call $write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 8)))
        ;; A word before it, to standard output.
        (i64.store (i32.const 16) (i64.const 0x0000000800000060))
        (i64.store (i32.const 24) (i64.load (i32.const 0)))
        (call $check (call $write (i32.const 1) (i32.const 16) (i32.const 2) (i32.const 8)))))"#;

fn main() -> Result<()> {
    // On the machine that makes the device's image; `teff pack` does this too.
    let mut builder = Builder::new("device");
    builder
        .file("settings.toml", "interval = 5\n")
        .map_err(Error::msg)?;
    let flash: &'static [u8] = builder.build().map_err(Error::msg)?.leak();

    // On the device: `flash` is an address in its flash, or an `include_bytes!`.
    let board = Board {
        ticks: Arc::default(),
        seed: Arc::default(),
    };
    let serial = Serial::default();
    let clock = board.clone();
    let memory = MemoryDir::builder()
        .limit(8 * 1024)
        .clock(move || clock.time())
        .build();
    let rom = RomDir::new(flash).map_err(Error::msg)?;
    let ctx = WasiCtxBuilder::new()
        .arg("guest")
        .device("DEVICE_UUID", "0000-0001")
        .platform(board)
        .stdout_file(serial.clone())
        .stderr_file(serial.clone())
        .preopened_tree(rom, "/", DirPerms::READ, FilePerms::READ)
        .preopened_tree(memory.clone(), "/tmp", DirPerms::all(), FilePerms::all())
        .limits(WasiLimits::new().open_fds(16))
        .build();

    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str(GUEST).map_err(Error::msg)?)?;
    let mut linker = Linker::<WasiCtx>::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |ctx| ctx)?;
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    if let Err(error) = start.call(&mut store, ()) {
        return Err(match error.downcast_ref::<I32Exit>() {
            Some(exit) => Error::msg(format!("the guest ended with {}", exit.0)),
            None => error,
        });
    }

    let sent = serial.0.lock().map_err(|_| Error::msg("no serial line"))?;
    print!("the serial line: {}", String::from_utf8_lossy(&sent));
    let copy = memory
        .read("copy")
        .map_err(|error| Error::msg(error.name()))?;
    print!("the file in memory: {}", String::from_utf8_lossy(&copy));
    let used = memory.used().map_err(|error| Error::msg(error.name()))?;
    println!("the tree in memory takes {used} bytes");
    Ok(())
}
