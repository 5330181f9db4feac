//! A guest that calls functions of WASI one by one, and the world around it.

use std::{
    net::TcpListener, os::unix::net::UnixStream, sync::atomic::AtomicUsize, thread, time::Duration,
};

use teff_runtime::{Config, Engine, Instance, Linker, Memory, Module, Result, Store, Val};
use teff_wasi::{Errno, WasiCtx, WasiCtxBuilder};

/// The functions that are called here, with their parameters: `i` for `i32`, `I` for `i64`.
const SIGNATURES: &[(&str, &str)] = &[
    ("clock_time_get", "iIi"),
    ("fd_close", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_prestat_get", "ii"),
    ("fd_pread", "iiiIi"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_write", "iiii"),
    ("path_open", "iiiiiIIii"),
    ("poll_oneoff", "iiii"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// A guest that imports them and exports for each one that calls it, and a memory.
fn guest_wat() -> String {
    let mut wat = String::from("(module\n");
    let types = |params: &str| {
        params
            .chars()
            .map(|c| if c == 'i' { " i32" } else { " i64" })
            .collect::<String>()
    };
    for (name, params) in SIGNATURES {
        let params = types(params);
        wat += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\"
                (func ${name} (param{params}) (result i32)))\n"
        );
    }
    wat += "(memory (export \"memory\") 4)\n";
    for (name, params) in SIGNATURES {
        let get: String = (0..params.len())
            .map(|i| format!("(local.get {i})"))
            .collect();
        let params = types(params);
        wat += &format!(
            "(func (export \"{name}\") (param{params}) (result i32) (call ${name} {get}))\n"
        );
    }
    wat + ")"
}

/// An instance of it, and what it was granted.
pub(crate) struct Guest {
    pub(crate) store: Store<WasiCtx>,
    instance: Instance,
    memory: Memory,
}

/// Places in the guest's memory. Odd, because no address needs to be even.
pub(crate) const VECTOR: i64 = 0x0103;
pub(crate) const OUT: i64 = 0x1001;
pub(crate) const EVENTS: i64 = 0x2001;
pub(crate) const DATA: i64 = 0x4007;

pub(crate) const NONBLOCK: i64 = 1 << 2;
pub(crate) const PEEK: i64 = 1;
pub(crate) const WAITALL: i64 = 2;
pub(crate) const READ: u8 = 1;
pub(crate) const WRITE: u8 = 2;
pub(crate) const MS: u64 = 1_000_000;

/// The first descriptor after the standard streams.
pub(crate) const FIRST: i64 = 3;

/// A wait of a test that must end. Nothing here takes a hundredth of it.
pub(crate) const HANG: Duration = Duration::from_secs(60);

impl Guest {
    pub(crate) fn on(engine: &Engine, ctx: WasiCtx) -> Self {
        let module = Module::new(engine, wat::parse_str(guest_wat()).unwrap()).unwrap();
        let mut linker = Linker::<WasiCtx>::new(engine);
        teff_wasi::add_to_linker(&mut linker, |ctx| ctx).unwrap();
        let mut store = Store::new(engine, ctx);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Self {
            store,
            instance,
            memory,
        }
    }

    pub(crate) fn new(grant: impl FnOnce(&mut WasiCtxBuilder)) -> Self {
        let mut builder = WasiCtxBuilder::new();
        grant(&mut builder);
        Self::on(&Engine::default(), builder.build())
    }

    pub(crate) fn try_call(&mut self, name: &str, args: &[i64]) -> Result<u16> {
        let (_, params) = SIGNATURES.iter().find(|s| s.0 == name).unwrap();
        assert_eq!(params.len(), args.len(), "{name}");
        let args: Vec<_> = params
            .chars()
            .zip(args)
            .map(|(ty, arg)| match ty {
                'i' => Val::I32(*arg as i32),
                _ => Val::I64(*arg),
            })
            .collect();
        let mut results = [Val::I32(-1)];
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        func.call(&mut self.store, &args, &mut results)?;
        Ok(results[0].i32().unwrap().try_into().unwrap())
    }

    /// Calls a function: its error, if it has one.
    #[track_caller]
    pub(crate) fn call(&mut self, name: &str, args: &[i64]) -> u16 {
        self.try_call(name, args).unwrap()
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, name: &str, args: &[i64]) {
        assert_eq!(self.call(name, args), 0, "{name}{args:?}");
    }

    #[track_caller]
    pub(crate) fn fails(&mut self, name: &str, args: &[i64], error: Errno) {
        let code = self.call(name, args);
        assert_eq!(code, error as u16, "{name}{args:?} is not {}", error.name());
    }

    pub(crate) fn put(&mut self, at: i64, bytes: &[u8]) -> i64 {
        self.memory
            .write(&mut self.store, at as usize, bytes)
            .unwrap();
        bytes.len() as i64
    }

    pub(crate) fn bytes(&self, at: i64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory
            .read(&self.store, at as usize, &mut bytes)
            .unwrap();
        bytes
    }

    pub(crate) fn u16(&self, at: i64) -> u16 {
        u16::from_le_bytes(self.bytes(at, 2).try_into().unwrap())
    }

    pub(crate) fn u32(&self, at: i64) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().unwrap())
    }

    pub(crate) fn u64(&self, at: i64) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().unwrap())
    }

    pub(crate) fn vector(&mut self, len: i64) {
        self.put(VECTOR, &(DATA as u32).to_le_bytes());
        self.put(VECTOR + 4, &(len as u32).to_le_bytes());
    }

    /// What is received, and is it cut?
    pub(crate) fn recv(
        &mut self,
        fd: i64,
        len: i64,
        flags: i64,
    ) -> std::result::Result<(Vec<u8>, u16), u16> {
        self.vector(len);
        match self.call("sock_recv", &[fd, VECTOR, 1, flags, OUT, OUT + 4]) {
            0 => Ok((self.bytes(DATA, self.u32(OUT) as usize), self.u16(OUT + 4))),
            error => Err(error),
        }
    }

    pub(crate) fn transfer(
        &mut self,
        name: &str,
        fd: i64,
        bytes: &[u8],
    ) -> std::result::Result<u32, u16> {
        let len = self.put(DATA, bytes);
        self.vector(len);
        let error = match name {
            "sock_send" => self.call(name, &[fd, VECTOR, 1, 0, OUT]),
            _ => self.call(name, &[fd, VECTOR, 1, OUT]),
        };
        match error {
            0 => Ok(self.u32(OUT)),
            error => Err(error),
        }
    }

    pub(crate) fn send(&mut self, fd: i64, bytes: &[u8]) -> std::result::Result<u32, u16> {
        self.transfer("sock_send", fd, bytes)
    }

    pub(crate) fn write(&mut self, fd: i64, bytes: &[u8]) -> std::result::Result<u32, u16> {
        self.transfer("fd_write", fd, bytes)
    }

    pub(crate) fn read(&mut self, fd: i64, len: i64) -> std::result::Result<Vec<u8>, u16> {
        self.vector(len);
        match self.call("fd_read", &[fd, VECTOR, 1, OUT]) {
            0 => Ok(self.bytes(DATA, self.u32(OUT) as usize)),
            error => Err(error),
        }
    }

    pub(crate) fn accept(&mut self, flags: i64) -> std::result::Result<i64, u16> {
        match self.call("sock_accept", &[FIRST, flags, OUT]) {
            0 => Ok(i64::from(self.u32(OUT))),
            error => Err(error),
        }
    }

    /// Opens a file beneath a directory to read.
    pub(crate) fn open(&mut self, dir: i64, path: &str) -> i64 {
        let len = self.put(DATA, path.as_bytes());
        let read = 1 << 1;
        self.ok("path_open", &[dir, 0, DATA, len, 0, read, 0, 0, OUT]);
        i64::from(self.u32(OUT))
    }

    /// Writes subscriptions: descriptors to read or write, then a relative time. Their number.
    pub(crate) fn subscribe(&mut self, fds: &[(u8, i64)], timeout: Option<u64>) -> i64 {
        let mut records = Vec::new();
        let mut add = |tag: u8, fd: i64, timeout: u64| {
            let mut record = [0; 48];
            record[0..8].copy_from_slice(&(records.len() as u64 / 48).to_le_bytes());
            record[8] = tag;
            record[16..20].copy_from_slice(&(fd as u32).to_le_bytes());
            record[24..32].copy_from_slice(&timeout.to_le_bytes());
            records.extend_from_slice(&record);
        };
        for (tag, fd) in fds {
            add(*tag, *fd, 0);
        }
        if let Some(timeout) = timeout {
            add(0, 1, timeout);
        }
        self.put(DATA, &records) / 48
    }

    /// What has happened: the number of the subscription, its error, bytes and flags.
    pub(crate) fn poll(
        &mut self,
        fds: &[(u8, i64)],
        timeout: Option<u64>,
    ) -> Vec<(u64, u16, u64, u16)> {
        let count = self.subscribe(fds, timeout);
        self.ok("poll_oneoff", &[DATA, EVENTS, count, OUT]);
        (0..i64::from(self.u32(OUT)))
            .map(|event| EVENTS + event * 32)
            .map(|at| {
                let (error, bytes) = (self.u16(at + 8), self.u64(at + 16));
                (self.u64(at), error, bytes, self.u16(at + 24))
            })
            .collect()
    }

    /// The type and flags of a descriptor.
    pub(crate) fn fdstat(&mut self, fd: i64) -> (u8, u16) {
        self.ok("fd_fdstat_get", &[fd, OUT]);
        (self.bytes(OUT, 1)[0], self.u16(OUT + 2))
    }

    /// The processor time of this thread.
    pub(crate) fn thread_time(&mut self) -> Duration {
        self.ok("clock_time_get", &[3, 1, OUT]);
        Duration::from_nanos(self.u64(OUT))
    }
}

/// A listener of the host, and its address.
pub(crate) fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A guest that listens, and where.
pub(crate) fn server() -> (Guest, std::net::SocketAddr) {
    let (listener, address) = listener();
    let mut guest = Guest::new(|builder| {
        builder.preopened_socket(listener).unwrap();
    });
    // At first it does not block.
    assert_eq!(guest.fdstat(FIRST), (6, NONBLOCK as u16));
    guest.ok("fd_fdstat_set_flags", &[FIRST, 0]);
    (guest, address)
}

/// A guest with one end of a pair as its descriptor 3, and the other end.
pub(crate) fn paired() -> (Guest, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(HANG)).unwrap();
    let guest = Guest::new(|builder| {
        builder.preopened_socket(theirs).unwrap();
    });
    (guest, ours)
}

/// Does this after a while, in which the guest most likely begins to wait. No test depends on it.
pub(crate) fn later<R: Send + 'static>(
    act: impl FnOnce() -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(50));
        act()
    })
}

/// The counter of [`Config::epoch_source`].
pub(crate) static COUNTER: AtomicUsize = AtomicUsize::new(0);

/// Engines whose waits are not interrupted, are, and are by a counter that tells nobody.
pub(crate) fn engines() -> [Engine; 3] {
    let engine = |set: &dyn Fn(&mut Config)| {
        let mut config = Config::new();
        set(&mut config);
        Engine::new(&config).unwrap()
    };
    [
        engine(&|_| {}),
        engine(&|config| {
            config.epoch_interruption(true);
        }),
        engine(&|config| {
            config.epoch_interruption(true).epoch_source(&COUNTER);
        }),
    ]
}
