//! Every function of WASI preview1 as a guest calls it: through a linker, the interpreter, and the guest's
//! own memory.
//!
//! The signatures here were written down from the interface's `witx` files and not from the crate's table,
//! so that a wrong type in the table does not link.

use std::{
    env, fs,
    io::{Read, Write, pipe},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use teff_runtime::{Engine, Instance, Linker, Memory, Module, Result, Store, Val};
use teff_wasi::{DirPerms, Errno, FUNCTIONS, FilePerms, I32Exit, WasiCtx, WasiCtxBuilder};

/// The functions with their parameters: `i` for `i32`, `I` for `i64`.
const SIGNATURES: &[(&str, &str)] = &[
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_raise", "i"),
    ("sched_yield", ""),
    ("random_get", "ii"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// A guest that imports all functions and exports for each one that calls it, and a memory.
fn guest_wat() -> String {
    let types = |params: &str| {
        let types: Vec<_> = params
            .chars()
            .map(|c| if c == 'i' { "i32" } else { "i64" })
            .collect();
        format!("(param {})", types.join(" "))
    };
    let mut wat = String::from("(module\n");
    for (name, params) in SIGNATURES {
        let params = types(params);
        wat += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} {params} (result i32)))\n"
        );
    }
    wat += "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))\n";
    wat += "(memory (export \"memory\") 2)\n";
    for (name, params) in SIGNATURES {
        let get: String = (0..params.len())
            .map(|i| format!("(local.get {i})"))
            .collect();
        let params = types(params);
        wat += &format!("(func (export \"{name}\") {params} (result i32) (call ${name} {get}))\n");
    }
    wat +=
        "(func (export \"proc_exit\") (param i32) (call $proc_exit (local.get 0)) unreachable)\n";
    wat + ")"
}

/// A directory that is removed with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("teff-guest-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Instantiates a module with WASI.
fn instantiate(wat: &str, ctx: WasiCtx) -> Result<(Store<WasiCtx>, Instance)> {
    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str(wat)?)?;
    let mut linker = Linker::<WasiCtx>::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |ctx| ctx)?;
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module)?;
    Ok((store, instance))
}

/// Runs a module's `_start`.
fn run(wat: &str, ctx: WasiCtx) -> Result<()> {
    let (mut store, instance) = instantiate(wat, ctx)?;
    instance
        .get_typed_func::<(), ()>(&mut store, "_start")?
        .call(&mut store, ())
}

/// The guest of [`guest_wat`], running.
struct Guest {
    store: Store<WasiCtx>,
    instance: Instance,
    memory: Memory,
}

/// Where the tests put and find things in the guest's memory. Odd, because no address needs to be even.
const PATH: i64 = 0x1001;
const PATH2: i64 = 0x3001;
const VECTOR: i64 = 0x5003;
const OUT: i64 = 0x6005;
const DATA: i64 = 0x8007;

impl Guest {
    fn new(ctx: WasiCtx) -> Self {
        Self::from_wat(&guest_wat(), ctx)
    }

    fn from_wat(wat: &str, ctx: WasiCtx) -> Self {
        let (mut store, instance) = instantiate(wat, ctx).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Self {
            store,
            instance,
            memory,
        }
    }

    /// With a directory as the descriptor 3.
    fn with_dir(scratch: &Scratch) -> Self {
        let mut builder = WasiCtxBuilder::new();
        builder
            .preopened_dir(&scratch.0, "/", DirPerms::all(), FilePerms::all())
            .unwrap();
        Self::new(builder.build())
    }

    /// Calls a function: its error code, 0 for success.
    fn try_call(&mut self, name: &str, args: &[i64]) -> Result<u16> {
        let params = SIGNATURES.iter().find(|s| s.0 == name).map_or("i", |s| s.1);
        assert_eq!(params.len(), args.len(), "{name}");
        let args: Vec<_> = params
            .chars()
            .zip(args)
            .map(|(ty, arg)| {
                if ty == 'i' {
                    Val::I32(*arg as i32)
                } else {
                    Val::I64(*arg)
                }
            })
            .collect();
        let mut results = [Val::I32(-1)];
        let results = if name == "proc_exit" {
            &mut results[..0]
        } else {
            &mut results[..]
        };
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        func.call(&mut self.store, &args, results)?;
        Ok(results
            .first()
            .map_or(0, |result| result.i32().unwrap().try_into().unwrap()))
    }

    #[track_caller]
    fn call(&mut self, name: &str, args: &[i64]) -> u16 {
        self.try_call(name, args).unwrap()
    }

    #[track_caller]
    fn ok(&mut self, name: &str, args: &[i64]) {
        assert_eq!(self.call(name, args), 0, "{name}{args:?}");
    }

    fn put(&mut self, at: i64, bytes: &[u8]) -> i64 {
        self.memory
            .write(&mut self.store, at as usize, bytes)
            .unwrap();
        bytes.len() as i64
    }

    fn bytes(&self, at: i64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory
            .read(&self.store, at as usize, &mut bytes)
            .unwrap();
        bytes
    }

    fn u32(&self, at: i64) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().unwrap())
    }

    fn u64(&self, at: i64) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().unwrap())
    }

    /// Opens to read and write; creates with the flag 1.
    fn open(&mut self, path: &str, oflags: i64) -> i64 {
        let len = self.put(PATH, path.as_bytes());
        // The rights to read, write, seek and tell.
        let rights = 1 << 1 | 1 << 6 | 1 << 2 | 1 << 5;
        self.ok(
            "path_open",
            &[3, 1, PATH, len, oflags, rights, rights, 0, OUT],
        );
        i64::from(self.u32(OUT))
    }

    /// One vector to [`DATA`].
    fn vector(&mut self, len: i64) {
        self.put(VECTOR, &(DATA as u32).to_le_bytes());
        self.put(VECTOR + 4, &(len as u32).to_le_bytes());
    }

    fn read(&mut self, fd: i64) -> Vec<u8> {
        self.vector(100);
        self.ok("fd_read", &[fd, VECTOR, 1, OUT]);
        self.bytes(DATA, self.u32(OUT) as usize)
    }

    fn write(&mut self, fd: i64, bytes: &str) -> u16 {
        let len = self.put(DATA, bytes.as_bytes());
        self.vector(len);
        self.call("fd_write", &[fd, VECTOR, 1, OUT])
    }
}

#[test]
fn all_functions_link() {
    assert_eq!(SIGNATURES.len() + 1, 46);
    // Instantiation checks the types.
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    for (name, params) in SIGNATURES {
        let function = FUNCTIONS
            .iter()
            .find(|function| function.name == *name)
            .unwrap();
        assert_eq!(function.params.len(), params.len(), "{name}");
        assert!(function.returns_errno, "{name}");
        let args = vec![0; params.len()];
        assert_ne!(guest.call(name, &args), Errno::Nosys as u16, "{name}");
    }
}

#[test]
fn any_argument_is_survived() {
    let scratch = Scratch::new();
    let edges = [
        0,
        1,
        3,
        4,
        77,
        0xffff,
        0x1_fff8,
        0x2_0000,
        0x7fff_ffff,
        -1,
        i64::MIN,
        i64::MAX,
    ];
    let mut number = 0x2545_f491_4f6c_dd1d_u64;
    for (name, params) in SIGNATURES {
        // This one could wait for an age.
        if *name == "poll_oneoff" {
            continue;
        }
        for _ in 0..8 {
            let mut guest = Guest::with_dir(&scratch);
            guest.open("file", 1);
            guest.put(0, &[0xff, 0, 7, 1].repeat(0x4000));
            for _ in 0..50 {
                let args: Vec<_> = (0..params.len())
                    .map(|_| {
                        number ^= number << 13;
                        number ^= number >> 7;
                        number ^= number << 17;
                        edges[(number % edges.len() as u64) as usize]
                    })
                    .collect();
                if *name == "proc_raise" {
                    // It may end the guest.
                    continue;
                }
                // Nothing but an error code, and nothing outside of the memory.
                assert!(guest.call(name, &args) <= 76, "{name}{args:?}");
            }
        }
    }
}

/// A module from before 2020 imports the functions by another name; four of them differ.
#[test]
fn old_modules_link_and_run() {
    let wat: String = guest_wat()
        .replace("wasi_snapshot_preview1", "wasi_unstable")
        .lines()
        .filter(|line| !line.contains("sock_accept"))
        .collect();
    let scratch = Scratch::new();
    let mut builder = WasiCtxBuilder::new();
    builder
        .preopened_dir(&scratch.0, "/", DirPerms::all(), FilePerms::all())
        .unwrap();
    let mut guest = Guest::from_wat(&wat, builder.build());
    let fd = guest.open("file", 1);
    assert_eq!(guest.write(fd, "12345"), 0);
    // From the end, which has the number 1 here and 2 today.
    guest.ok("fd_seek", &[fd, -2, 1, OUT]);
    assert_eq!(guest.u64(OUT), 3);
    // The size is where the count of links ends today.
    guest.ok("fd_filestat_get", &[fd, OUT]);
    assert_eq!((guest.u32(OUT + 20), guest.u64(OUT + 24)), (1, 5));
}

/// A sleep counts from its own call, also after one that did not have to wait.
#[test]
fn a_sleep_after_a_look_is_as_long_as_asked() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    let mut sleep = |nanoseconds: u64| {
        guest.put(0, &[0; 48]);
        guest.put(16, &[1]);
        guest.put(24, &nanoseconds.to_le_bytes());
        guest.ok("poll_oneoff", &[0, 64, 1, OUT]);
    };
    sleep(0);
    std::thread::sleep(Duration::from_millis(60));
    let started = Instant::now();
    sleep(50_000_000);
    assert!(started.elapsed() >= Duration::from_millis(49));
}

#[test]
fn arguments_and_environment() {
    let ctx = WasiCtxBuilder::new()
        .args(&["guest", "", "äö"])
        .env("A", "1")
        .envs(&[("EMPTY", ""), ("B", "x=y")])
        .build();
    let mut guest = Guest::new(ctx);
    guest.ok("args_sizes_get", &[OUT, OUT + 4]);
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (3, 6 + 1 + 5));
    guest.ok("args_get", &[OUT, DATA]);
    assert_eq!(guest.bytes(DATA, 12), "guest\0\0äö\0".as_bytes());
    let pointers = [0, 4, 8].map(|at| i64::from(guest.u32(OUT + at)) - DATA);
    assert_eq!(pointers, [0, 6, 7]);
    guest.ok("environ_sizes_get", &[OUT, OUT + 4]);
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (3, 4 + 7 + 6));
    guest.ok("environ_get", &[OUT, DATA]);
    assert_eq!(guest.bytes(DATA, 17), b"A=1\0EMPTY=\0B=x=y\0");
    assert_eq!(
        guest.call("args_get", &[0x1_fffe, DATA]),
        Errno::Fault as u16
    );
}

#[test]
fn clocks_and_randomness() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    for id in 0..4 {
        guest.ok("clock_res_get", &[id, OUT]);
        assert!((1..=1_000_000_000).contains(&guest.u64(OUT)));
        guest.ok("clock_time_get", &[id, 1, OUT]);
        let first = guest.u64(OUT);
        guest.ok("clock_time_get", &[id, i64::MIN, OUT]);
        assert!(first > 0 && guest.u64(OUT) >= first);
    }
    assert_eq!(
        guest.call("clock_time_get", &[4, 0, OUT]),
        Errno::Inval as u16
    );
    assert_eq!(
        guest.call("clock_time_get", &[0, 0, 0x1_fff9]),
        Errno::Fault as u16
    );
    guest.ok("random_get", &[DATA, 32]);
    let first = guest.bytes(DATA, 32);
    guest.ok("random_get", &[DATA, 32]);
    assert!(first != [0; 32] && first != guest.bytes(DATA, 32));
    assert_eq!(guest.call("random_get", &[DATA, -1]), Errno::Fault as u16);
    guest.ok("sched_yield", &[]);
}

#[test]
fn files() {
    let scratch = Scratch::new();
    let mut guest = Guest::with_dir(&scratch);
    let file = guest.open("file", 1);
    assert_eq!(file, 4);
    assert_eq!(guest.write(file, "hello, world"), 0);
    assert_eq!(guest.u32(OUT), 12);
    guest.ok("fd_seek", &[file, -5, 2, OUT]);
    assert_eq!(guest.u64(OUT), 7);
    guest.ok("fd_tell", &[file, OUT]);
    assert_eq!(guest.u64(OUT), 7);
    assert_eq!(guest.read(file), b"world");
    guest.vector(5);
    guest.ok("fd_pread", &[file, VECTOR, 1, 0, OUT]);
    assert_eq!(guest.bytes(DATA, 5), b"hello");
    guest.ok("fd_pwrite", &[file, VECTOR, 1, 6, OUT]);
    assert_eq!(fs::read(scratch.0.join("file")).unwrap(), b"hello,hellod");
    guest.ok("fd_filestat_get", &[file, OUT]);
    assert_eq!(
        (guest.bytes(OUT + 16, 1), guest.u64(OUT + 32)),
        (vec![4], 12)
    );
    guest.ok("fd_fdstat_set_flags", &[file, 1]);
    guest.ok("fd_fdstat_get", &[file, OUT]);
    assert_eq!(guest.bytes(OUT, 4), [4, 0, 1, 0]);
    assert_ne!(guest.u64(OUT + 8) & (1 << 1), 0);
    guest.ok("fd_close", &[file]);
    assert_eq!(guest.write(file, "x"), Errno::Badf as u16);
    guest.ok("fd_prestat_get", &[3, OUT]);
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 1));
    guest.ok("fd_prestat_dir_name", &[3, OUT, 1]);
    assert_eq!(guest.bytes(OUT, 1), b"/");
    assert_eq!(guest.call("fd_prestat_get", &[4, OUT]), Errno::Badf as u16);
}

#[test]
fn paths() {
    let scratch = Scratch::new();
    let mut guest = Guest::with_dir(&scratch);
    let len = guest.put(PATH, b"dir");
    guest.ok("path_create_directory", &[3, PATH, len]);
    assert!(scratch.0.join("dir").is_dir());
    std::os::unix::fs::symlink("dir", scratch.0.join("link")).unwrap();
    let len = guest.put(PATH, b"link");
    guest.ok("path_readlink", &[3, PATH, len, DATA, 99, OUT]);
    assert_eq!((guest.u32(OUT), guest.bytes(DATA, 3)), (3, b"dir".to_vec()));
    guest.ok("path_filestat_get", &[3, 0, PATH, len, OUT]);
    assert_eq!(guest.bytes(OUT + 16, 1), [7]);
    guest.ok("path_filestat_get", &[3, 1, PATH, len, OUT]);
    assert_eq!(guest.bytes(OUT + 16, 1), [3]);
    let file = guest.open("link/file", 1);
    guest.ok("fd_close", &[file]);
    let (old, new) = (guest.put(PATH, b"dir/file"), guest.put(PATH2, b"moved"));
    guest.ok("path_rename", &[3, PATH, old, 3, PATH2, new]);
    assert!(scratch.0.join("moved").is_file());

    guest.ok("fd_readdir", &[3, DATA, 4096, 0, OUT]);
    let used = guest.u32(OUT) as usize;
    assert_eq!(
        used,
        5 * 24 + ".".len() + "..".len() + "dir".len() + "link".len() + "moved".len()
    );
    let listing = guest.bytes(DATA, used);
    assert!(listing.windows(5).any(|name| name == b"moved"));

    guest.ok("path_unlink_file", &[3, PATH2, new]);
    let len = guest.put(PATH, b"link");
    guest.ok("path_unlink_file", &[3, PATH, len]);
    let len = guest.put(PATH, b"dir");
    guest.ok("path_remove_directory", &[3, PATH, len]);
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    let len = guest.put(PATH, b"../x");
    assert_eq!(
        guest.call("path_create_directory", &[3, PATH, len]),
        Errno::Perm as u16
    );
}

#[test]
fn waiting() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    // Relative to the monotonic clock, as runtimes sleep.
    let mut subscription = [0; 48];
    subscription[0..8].copy_from_slice(&77_u64.to_le_bytes());
    subscription[16] = 1;
    subscription[24..32].copy_from_slice(&30_000_000_u64.to_le_bytes());
    guest.put(DATA, &subscription);
    let started = Instant::now();
    guest.ok("poll_oneoff", &[DATA, VECTOR, 1, OUT]);
    assert!(started.elapsed() >= Duration::from_millis(29));
    assert_eq!((guest.u32(OUT), guest.u64(VECTOR)), (1, 77));
    assert_eq!(guest.u32(VECTOR + 8), 0);
    assert_eq!(
        guest.call("poll_oneoff", &[DATA, VECTOR, 0, OUT]),
        Errno::Inval as u16
    );
}

#[test]
fn an_exit_is_an_error_with_the_status() {
    for status in [0, 1, 42, 255, -1, i32::MIN] {
        let mut guest = Guest::new(WasiCtxBuilder::new().build());
        let error = guest
            .try_call("proc_exit", &[i64::from(status)])
            .unwrap_err();
        assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(status)));
    }
}

#[test]
fn standard_streams_are_pipes() {
    let (stdin, mut to_guest) = pipe().unwrap();
    let (mut from_guest, stdout) = pipe().unwrap();
    to_guest.write_all(b"in").unwrap();
    let mut guest = Guest::new(WasiCtxBuilder::new().stdin(stdin).stdout(stdout).build());
    assert_eq!(guest.read(0), b"in");
    assert_eq!(guest.write(1, "out"), 0);
    assert_eq!(guest.write(2, "lost"), 0);
    drop(to_guest);
    assert_eq!(guest.read(0), b"");
    drop(guest);
    let mut out = String::new();
    from_guest.read_to_string(&mut out).unwrap();
    assert_eq!(out, "out");
}

/// Copies its input to its output, in pieces of seven bytes, and exits with their number.
const CAT: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (local $pieces i32)
        (i32.store (i32.const 0) (i32.const 100))
        (loop $next
            (i32.store (i32.const 4) (i32.const 7))
            (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
                (then unreachable))
            (if (i32.eqz (i32.load (i32.const 8)))
                (then (call $exit (local.get $pieces))))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
                (then unreachable))
            ;; Memory may grow, and move, between two calls.
            (drop (memory.grow (i32.const 1)))
            (local.set $pieces (i32.add (local.get $pieces) (i32.const 1)))
            (br $next))))"#;

#[test]
fn a_program_copies_its_input() {
    let scratch = Scratch::new();
    let text = "The quick brown fox jumps over the lazy dog.";
    fs::write(scratch.0.join("in"), text).unwrap();
    let stdin = fs::File::open(scratch.0.join("in")).unwrap();
    let stdout = fs::File::create(scratch.0.join("out")).unwrap();
    let error = run(
        CAT,
        WasiCtxBuilder::new().stdin(stdin).stdout(stdout).build(),
    )
    .unwrap_err();
    assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(7)));
    assert_eq!(fs::read_to_string(scratch.0.join("out")).unwrap(), text);
}

#[test]
fn a_directory_that_cannot_be_opened_is_named() {
    let mut builder = WasiCtxBuilder::new();
    let error = builder
        .preopened_dir("/no/such/dir", "/data", DirPerms::READ, FilePerms::READ)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`/no/such/dir`") && error.contains("`/data`"),
        "{error}"
    );
    assert!(error.contains("No such file"), "{error}");
}
