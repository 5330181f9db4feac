//! Sockets and waits of the host as a guest has them: loopback TCP, pairs of UNIX sockets, datagrams and
//! pipes, through the interpreter.
//!
//! Other threads of a test play the world. A test never asks whether something was fast, only that it did
//! not come before its time.
#![cfg(unix)]

use std::{
    io::{self, Read, Write, pipe},
    net::{Shutdown, TcpListener, TcpStream, UdpSocket},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use teff_runtime::{Config, Engine, Instance, Linker, Memory, Module, Result, Store, Trap, Val};
use teff_wasi::{DirPerms, Errno, Faults, FilePerms, WasiCtx, WasiCtxBuilder, WasiLimits};

/// The functions that are called here, with their parameters: `i` for `i32`, `I` for `i64`.
const SIGNATURES: &[(&str, &str)] = &[
    ("clock_time_get", "iIi"),
    ("fd_close", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_prestat_get", "ii"),
    ("fd_pread", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_write", "iiii"),
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

struct Guest {
    store: Store<WasiCtx>,
    instance: Instance,
    memory: Memory,
}

/// Places in the guest's memory. Odd, because no address needs to be even.
const VECTOR: i64 = 0x0103;
const OUT: i64 = 0x1001;
const EVENTS: i64 = 0x2001;
const DATA: i64 = 0x4007;

const NONBLOCK: i64 = 1 << 2;
const PEEK: i64 = 1;
const WAITALL: i64 = 2;
const READ: u8 = 1;
const WRITE: u8 = 2;
const MS: u64 = 1_000_000;

/// The first descriptor after the standard streams.
const FIRST: i64 = 3;

/// A wait of a test that must end. Nothing here takes a hundredth of it.
const HANG: Duration = Duration::from_secs(60);

impl Guest {
    fn on(engine: &Engine, ctx: WasiCtx) -> Self {
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

    fn new(grant: impl FnOnce(&mut WasiCtxBuilder)) -> Self {
        let mut builder = WasiCtxBuilder::new();
        grant(&mut builder);
        Self::on(&Engine::default(), builder.build())
    }

    fn try_call(&mut self, name: &str, args: &[i64]) -> Result<u16> {
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
    fn call(&mut self, name: &str, args: &[i64]) -> u16 {
        self.try_call(name, args).unwrap()
    }

    #[track_caller]
    fn ok(&mut self, name: &str, args: &[i64]) {
        assert_eq!(self.call(name, args), 0, "{name}{args:?}");
    }

    #[track_caller]
    fn fails(&mut self, name: &str, args: &[i64], error: Errno) {
        let code = self.call(name, args);
        assert_eq!(code, error as u16, "{name}{args:?} is not {}", error.name());
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

    fn u16(&self, at: i64) -> u16 {
        u16::from_le_bytes(self.bytes(at, 2).try_into().unwrap())
    }

    fn u32(&self, at: i64) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().unwrap())
    }

    fn u64(&self, at: i64) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().unwrap())
    }

    fn vector(&mut self, len: i64) {
        self.put(VECTOR, &(DATA as u32).to_le_bytes());
        self.put(VECTOR + 4, &(len as u32).to_le_bytes());
    }

    /// What is received, and is it cut?
    fn recv(&mut self, fd: i64, len: i64, flags: i64) -> std::result::Result<(Vec<u8>, u16), u16> {
        self.vector(len);
        match self.call("sock_recv", &[fd, VECTOR, 1, flags, OUT, OUT + 4]) {
            0 => Ok((self.bytes(DATA, self.u32(OUT) as usize), self.u16(OUT + 4))),
            error => Err(error),
        }
    }

    fn transfer(&mut self, name: &str, fd: i64, bytes: &[u8]) -> std::result::Result<u32, u16> {
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

    fn send(&mut self, fd: i64, bytes: &[u8]) -> std::result::Result<u32, u16> {
        self.transfer("sock_send", fd, bytes)
    }

    fn write(&mut self, fd: i64, bytes: &[u8]) -> std::result::Result<u32, u16> {
        self.transfer("fd_write", fd, bytes)
    }

    fn read(&mut self, fd: i64, len: i64) -> std::result::Result<Vec<u8>, u16> {
        self.vector(len);
        match self.call("fd_read", &[fd, VECTOR, 1, OUT]) {
            0 => Ok(self.bytes(DATA, self.u32(OUT) as usize)),
            error => Err(error),
        }
    }

    fn accept(&mut self, flags: i64) -> std::result::Result<i64, u16> {
        match self.call("sock_accept", &[FIRST, flags, OUT]) {
            0 => Ok(i64::from(self.u32(OUT))),
            error => Err(error),
        }
    }

    /// Writes subscriptions: descriptors to read or write, then a relative time. Their number.
    fn subscribe(&mut self, fds: &[(u8, i64)], timeout: Option<u64>) -> i64 {
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
    fn poll(&mut self, fds: &[(u8, i64)], timeout: Option<u64>) -> Vec<(u64, u16, u64, u16)> {
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
    fn fdstat(&mut self, fd: i64) -> (u8, u16) {
        self.ok("fd_fdstat_get", &[fd, OUT]);
        (self.bytes(OUT, 1)[0], self.u16(OUT + 2))
    }

    /// The processor time of this thread.
    fn thread_time(&mut self) -> Duration {
        self.ok("clock_time_get", &[3, 1, OUT]);
        Duration::from_nanos(self.u64(OUT))
    }
}

/// A listener of the host, and its address.
fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A guest that listens, and where.
fn server() -> (Guest, std::net::SocketAddr) {
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
fn paired() -> (Guest, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(HANG)).unwrap();
    let guest = Guest::new(|builder| {
        builder.preopened_socket(theirs).unwrap();
    });
    (guest, ours)
}

/// Does this after a while, in which the guest most likely begins to wait. No test depends on it.
fn later<R: Send + 'static>(act: impl FnOnce() -> R + Send + 'static) -> thread::JoinHandle<R> {
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(50));
        act()
    })
}

#[test]
fn a_connection_is_accepted_and_served() {
    let (mut guest, address) = server();
    // The type of a stream socket.
    assert_eq!(guest.fdstat(FIRST), (6, 0));
    let client = later(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"ping").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    });
    let connection = guest.accept(0).unwrap();
    assert_eq!(connection, FIRST + 1);
    assert_eq!(guest.fdstat(connection), (6, 0));
    assert_eq!(guest.recv(connection, 100, 0), Ok((b"ping".to_vec(), 0)));
    assert_eq!(guest.send(connection, b"pong"), Ok(4));
    assert_eq!(guest.write(connection, b", and bye"), Ok(9));
    guest.ok("fd_close", &[connection]);
    assert_eq!(client.join().unwrap(), "pong, and bye");
    // It has no offset.
    let (mut guest, _ours) = paired();
    guest.vector(1);
    guest.fails("fd_pread", &[FIRST, VECTOR, 1, 0, OUT], Errno::Spipe);
    guest.fails("fd_seek", &[FIRST, 0, 1, OUT], Errno::Spipe);
}

#[test]
fn what_would_block_is_again() {
    let (mut guest, address) = server();
    guest.ok("fd_fdstat_set_flags", &[FIRST, NONBLOCK]);
    assert_eq!(guest.fdstat(FIRST), (6, NONBLOCK as u16));
    assert_eq!(guest.accept(0), Err(Errno::Again as u16));
    let mut client = TcpStream::connect(address).unwrap();
    assert_eq!(guest.poll(&[(READ, FIRST)], None).len(), 1);
    // What is accepted does not have the listener's flag, but the one that was asked for.
    let connection = guest.accept(NONBLOCK).unwrap();
    assert_eq!(guest.fdstat(connection), (6, NONBLOCK as u16));
    assert_eq!(guest.recv(connection, 9, 0), Err(Errno::Again as u16));
    assert_eq!(guest.read(connection, 9), Err(Errno::Again as u16));
    client.write_all(b"x").unwrap();
    let _other = TcpStream::connect(address).unwrap();
    assert_eq!(guest.poll(&[(READ, FIRST)], None).len(), 1);
    let other = guest.accept(0).unwrap();
    assert_eq!(guest.fdstat(other), (6, 0));
    // Sending until the host takes no more.
    let mut sent = 0;
    let error = loop {
        match guest.send(connection, &[7; 50_000]) {
            Ok(more) => sent += u64::from(more),
            Err(error) => break error,
        }
    };
    assert_eq!(error, Errno::Again as u16);
    let mut received = vec![0; sent as usize];
    client.read_exact(&mut received).unwrap();
    assert!(received.iter().all(|byte| *byte == 7));
}

#[test]
fn a_call_on_what_is_no_such_socket_fails() {
    let (reader, _writer) = pipe().unwrap();
    let (listener, address) = listener();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let mut guest = Guest::new(|builder| {
        builder.stdin(reader);
        builder.preopened_socket(listener).unwrap();
        builder.preopened_socket(theirs).unwrap();
        builder
            .preopened_dir(".", "/", DirPerms::READ, FilePerms::READ)
            .unwrap();
    });
    let (listener, stream, dir) = (3, 4, 5);
    guest.vector(10);
    let functions: [(&str, &[i64]); 4] = [
        ("sock_accept", &[0, OUT]),
        ("sock_recv", &[VECTOR, 1, 0, OUT, OUT + 4]),
        ("sock_send", &[VECTOR, 1, 0, OUT]),
        ("sock_shutdown", &[3]),
    ];
    for (name, args) in functions {
        for fd in [0, 1, dir, 99, -1] {
            let error = match fd {
                99 | -1 => Errno::Badf,
                _ => Errno::Notsock,
            };
            guest.fails(name, &[&[fd], args].concat(), error);
        }
    }
    // It does not listen, or it does nothing else.
    guest.fails("sock_accept", &[stream, 0, OUT], Errno::Inval);
    assert_eq!(guest.recv(listener, 9, 0), Err(Errno::Notconn as u16));
    assert_eq!(guest.read(listener, 9), Err(Errno::Notconn as u16));
    assert_eq!(guest.send(listener, b"x"), Err(Errno::Pipe as u16));
    // Flags that are not the interface's, and such that are not for this.
    guest.fails("sock_accept", &[listener, 0, OUT], Errno::Again);
    guest.fails("sock_accept", &[listener, 1, OUT], Errno::Inval);
    guest.fails("sock_accept", &[listener, 1 << 16, OUT], Errno::Inval);
    guest.fails(
        "sock_recv",
        &[stream, VECTOR, 1, 4, OUT, OUT + 4],
        Errno::Inval,
    );
    guest.fails("sock_send", &[stream, VECTOR, 1, 1, OUT], Errno::Inval);
    guest.fails("sock_shutdown", &[stream, 0], Errno::Inval);
    guest.fails("sock_shutdown", &[stream, 4], Errno::Inval);
    // Places outside of the memory: before anything is accepted or received.
    let end = 4 << 16;
    let mut client = TcpStream::connect(address).unwrap();
    guest.fails("sock_accept", &[listener, 0, end - 3], Errno::Fault);
    let connection = guest.accept(0).unwrap();
    client.write_all(b"still here").unwrap();
    for (received, flags) in [(end - 3, OUT), (OUT, end - 1)] {
        let args = [connection, VECTOR, 1, 0, received, flags];
        guest.fails("sock_recv", &args, Errno::Fault);
    }
    let args = [connection, end - 7, 1, 0, OUT, OUT + 4];
    guest.fails("sock_recv", &args, Errno::Fault);
    assert_eq!(guest.recv(connection, 99, WAITALL | PEEK).unwrap().1, 0);
    assert_eq!(
        guest.recv(connection, 10, WAITALL).unwrap().0,
        b"still here"
    );
    // A right that was given up.
    let all_but = |bit: u32| i64::MAX & !(1 << bit);
    guest.ok("fd_fdstat_get", &[connection, OUT]);
    let rights = guest.u64(OUT + 8) as i64;
    let fewer = rights & all_but(28) & all_but(1);
    guest.ok("fd_fdstat_set_rights", &[connection, fewer, 0]);
    guest.fails("sock_shutdown", &[connection, 3], Errno::Notcapable);
    assert_eq!(guest.recv(connection, 9, 0), Err(Errno::Badf as u16));
    assert_eq!(guest.send(connection, b"x"), Ok(1));
}

#[test]
fn what_is_no_socket_is_not_granted_as_one() {
    let (reader, _writer) = pipe().unwrap();
    let mut builder = WasiCtxBuilder::new();
    let error = builder.preopened_socket(reader).map(drop).unwrap_err();
    assert!(error.to_string().contains("notsock"), "{error}");
}

#[test]
fn what_is_looked_at_stays() {
    let (mut guest, mut ours) = paired();
    ours.write_all(b"hello").unwrap();
    assert_eq!(guest.recv(FIRST, 4, PEEK), Ok((b"hell".to_vec(), 0)));
    assert_eq!(guest.recv(FIRST, 9, PEEK), Ok((b"hello".to_vec(), 0)));
    assert_eq!(guest.poll(&[(READ, FIRST)], None), [(0, 0, 5, 0)]);
    assert_eq!(guest.read(FIRST, 4), Ok(b"hell".to_vec()));
    assert_eq!(guest.recv(FIRST, 9, 0), Ok((b"o".to_vec(), 0)));
    // Nothing wanted is nothing waited for.
    assert_eq!(guest.recv(FIRST, 0, 0), Ok((vec![], 0)));
}

#[test]
fn waitall_waits_for_all() {
    for engine in engines() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_socket(theirs).unwrap();
        let mut guest = Guest::on(&engine, builder.build());
        // Longer than the end of the test.
        guest.store.set_epoch_deadline(1 << 20);
        let late = later(move || {
            for piece in [&b"ab"[..], b"cde", b"f", b"gh"] {
                ours.write_all(piece).unwrap();
                thread::sleep(Duration::from_millis(20));
            }
        });
        // Into two buffers, with a border inside of a piece.
        guest.vector(3);
        guest.put(VECTOR + 8, &(DATA as u32 + 100).to_le_bytes());
        guest.put(VECTOR + 12, &4_u32.to_le_bytes());
        guest.ok("sock_recv", &[FIRST, VECTOR, 2, WAITALL, OUT, OUT + 4]);
        assert_eq!(guest.u32(OUT), 7);
        assert_eq!(guest.bytes(DATA, 3), b"abc");
        assert_eq!(guest.bytes(DATA + 100, 4), b"defg");
        // The end comes before all is there.
        assert_eq!(guest.recv(FIRST, 9, WAITALL), Ok((b"h".to_vec(), 0)));
        assert_eq!(guest.recv(FIRST, 9, WAITALL), Ok((vec![], 0)));
        late.join().unwrap();
    }
    // The guest has said that it does not want to wait.
    let (mut guest, mut ours) = paired();
    guest.ok("fd_fdstat_set_flags", &[FIRST, NONBLOCK]);
    assert_eq!(guest.recv(FIRST, 9, WAITALL), Err(Errno::Again as u16));
    ours.write_all(b"abc").unwrap();
    assert_eq!(guest.recv(FIRST, 9, WAITALL), Ok((b"abc".to_vec(), 0)));
}

#[test]
fn datagrams_are_whole_or_cut() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let (udp, other) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("127.0.0.1:0").unwrap(),
    );
    udp.connect(other.local_addr().unwrap()).unwrap();
    other.connect(udp.local_addr().unwrap()).unwrap();
    let mut guest = Guest::new(|builder| {
        builder.preopened_socket(theirs).unwrap();
        builder.preopened_socket(udp).unwrap();
    });
    // The type of a datagram socket.
    assert_eq!(guest.fdstat(3), (5, 0));
    assert_eq!(guest.fdstat(4), (5, 0));
    for datagram in ["a long one", "short", "", "last"] {
        ours.send(datagram.as_bytes()).unwrap();
    }
    assert_eq!(guest.recv(3, 6, PEEK), Ok((b"a long".to_vec(), 1)));
    assert_eq!(guest.recv(3, 6, 0), Ok((b"a long".to_vec(), 1)));
    // Waiting for all is for streams.
    assert_eq!(guest.recv(3, 6, WAITALL), Ok((b"short".to_vec(), 0)));
    assert_eq!(guest.recv(3, 6, 0), Ok((vec![], 0)));
    assert_eq!(guest.read(3, 2), Ok(b"la".to_vec()));
    assert_eq!(guest.send(3, b"to you"), Ok(6));
    assert_eq!(guest.write(3, b"too"), Ok(3));
    let mut bytes = [0; 99];
    assert_eq!(ours.recv(&mut bytes).unwrap(), 6);
    assert_eq!(ours.recv(&mut bytes).unwrap(), 3);
    // Over the network.
    other.send(b"over the network").unwrap();
    assert_eq!(guest.poll(&[(READ, 4)], None).len(), 1);
    assert_eq!(guest.recv(4, 4, 0), Ok((b"over".to_vec(), 1)));
    assert_eq!(guest.send(4, b"back"), Ok(4));
    assert_eq!(other.recv(&mut bytes).unwrap(), 4);
    assert_eq!(guest.send(4, &[0; 70_000]), Err(Errno::Msgsize as u16));
    guest.fails("sock_accept", &[3, 0, OUT], Errno::Inval);
}

#[test]
fn a_peer_that_has_gone_is_an_error_and_no_signal() {
    let (mut guest, ours) = paired();
    drop(ours);
    // A signal would have ended this process.
    for _ in 0..2 {
        assert_eq!(guest.send(FIRST, b"x"), Err(Errno::Pipe as u16));
        assert_eq!(guest.write(FIRST, b"x"), Err(Errno::Pipe as u16));
    }
    assert_eq!(guest.recv(FIRST, 9, 0), Ok((vec![], 0)));
    // Ready, because it has gone.
    let hangup = 1;
    let events = guest.poll(&[(READ, FIRST), (WRITE, FIRST)], None);
    assert_eq!(events, [(0, 0, 0, hangup), (1, 0, 0, hangup)]);

    let (mut guest, address) = server();
    let client = TcpStream::connect(address).unwrap();
    let connection = guest.accept(0).unwrap();
    drop(client);
    let started = Instant::now();
    // The first goes to a host that answers that nobody is there.
    let error = loop {
        assert!(started.elapsed() < HANG);
        if let Err(error) = guest.send(connection, b"x") {
            break error;
        }
    };
    assert!(
        [Errno::Pipe as u16, Errno::Connreset as u16].contains(&error),
        "{error}"
    );
}

#[test]
fn each_direction_can_be_ended() {
    // What the guest sends.
    let (mut guest, mut ours) = paired();
    guest.send(FIRST, b"all").unwrap();
    guest.ok("sock_shutdown", &[FIRST, 2]);
    let mut received = String::new();
    ours.read_to_string(&mut received).unwrap();
    assert_eq!(received, "all");
    assert_eq!(guest.send(FIRST, b"more"), Err(Errno::Pipe as u16));
    ours.write_all(b"answer").unwrap();
    assert_eq!(guest.recv(FIRST, 9, 0), Ok((b"answer".to_vec(), 0)));
    // What it receives.
    let (mut guest, mut ours) = paired();
    guest.ok("sock_shutdown", &[FIRST, 1]);
    assert_eq!(guest.recv(FIRST, 9, 0), Ok((vec![], 0)));
    assert_eq!(guest.send(FIRST, b"one way"), Ok(7));
    let mut bytes = [0; 7];
    ours.read_exact(&mut bytes).unwrap();
    // Both, also from the other side.
    guest.ok("sock_shutdown", &[FIRST, 3]);
    assert_eq!(guest.recv(FIRST, 9, 0), Ok((vec![], 0)));
    assert_eq!(guest.send(FIRST, b"x"), Err(Errno::Pipe as u16));
    let (mut guest, ours) = paired();
    ours.shutdown(Shutdown::Both).unwrap();
    assert_eq!(guest.recv(FIRST, 9, 0), Ok((vec![], 0)));
    assert_eq!(guest.send(FIRST, b"x"), Err(Errno::Pipe as u16));
    // A listener that listens no more lets nobody wait.
    let (mut guest, _) = server();
    guest.ok("sock_shutdown", &[FIRST, 3]);
    assert!(guest.accept(0).is_err());
}

#[test]
fn polls_know_sockets() {
    let (mut guest, address) = server();
    assert_eq!(guest.poll(&[(READ, FIRST)], Some(MS)), [(1, 0, 0, 0)]);
    let client = later(move || TcpStream::connect(address).unwrap());
    let events = guest.poll(&[(READ, FIRST)], None);
    assert_eq!((events.len(), events[0].1), (1, 0));
    let mut client = client.join().unwrap();
    let connection = guest.accept(0).unwrap();
    // Room at once, bytes later.
    let both = [(READ, connection), (WRITE, connection)];
    assert_eq!(guest.poll(&both, None), [(1, 0, 0, 0)]);
    let late = later(move || {
        client.write_all(b"four").unwrap();
        client
    });
    let events = guest.poll(&[(READ, FIRST), (READ, connection)], None);
    assert_eq!(events, [(1, 0, 4, 0)]);
    drop(late.join().unwrap());
    assert_eq!(guest.read(connection, 9), Ok(b"four".to_vec()));
    assert_eq!(guest.poll(&[(READ, connection)], None).len(), 1);
    assert_eq!(guest.read(connection, 9), Ok(vec![]));
    // One that is gone is an event of its own.
    guest.ok("fd_close", &[connection]);
    let events = guest.poll(&[(READ, connection), (READ, FIRST)], None);
    assert_eq!(events, [(0, Errno::Badf as u16, 0, 0)]);
}

#[test]
fn a_time_counts_from_its_own_call() {
    let (mut guest, _ours) = paired();
    // This one is over at once, and its time must not count for the next.
    let wait = 300 * MS;
    assert_eq!(guest.poll(&[(WRITE, FIRST)], Some(wait)).len(), 1);
    thread::sleep(Duration::from_nanos(wait));
    let started = Instant::now();
    assert_eq!(guest.poll(&[(READ, FIRST)], Some(wait)), [(1, 0, 0, 0)]);
    let passed = started.elapsed().as_nanos() as u64;
    assert!(passed >= wait - MS, "{passed}");
}

#[test]
fn descriptors_are_freed() {
    let (mut guest, address) = server();
    for _ in 0..100 {
        let mut client = TcpStream::connect(address).unwrap();
        let connection = guest.accept(0).unwrap();
        assert_eq!(connection, FIRST + 1, "the number is used again");
        guest.ok("fd_close", &[connection]);
        client.set_read_timeout(Some(HANG)).unwrap();
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0, "the host has it open");
        assert_eq!(guest.recv(connection, 9, 0), Err(Errno::Badf as u16));
    }
    // One that is replaced is closed.
    let mut clients = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    let (first, second) = (guest.accept(0).unwrap(), guest.accept(0).unwrap());
    guest.ok("fd_renumber", &[second, first]);
    clients[0].set_read_timeout(Some(HANG)).unwrap();
    assert_eq!(clients[0].read(&mut [0; 9]).unwrap(), 0);
    clients[1].write_all(b"second").unwrap();
    assert_eq!(guest.read(first, 9), Ok(b"second".to_vec()));
    // So are all at the end of the guest; nobody listens then.
    drop(guest);
    clients[1].set_read_timeout(Some(HANG)).unwrap();
    assert_eq!(clients[1].read(&mut [0; 9]).unwrap(), 0);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn sockets_count_towards_limits() {
    let (listener, address) = listener();
    let mut guest = Guest::new(|builder| {
        builder.preopened_socket(listener).unwrap();
        builder.limits(WasiLimits::new().open_fds(5).bytes_written(10));
    });
    let mut clients = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    let connection = guest.accept(0).unwrap();
    assert_eq!(guest.accept(0), Err(Errno::Mfile as u16));
    // Nobody was turned away.
    guest.ok("fd_close", &[connection]);
    let connection = guest.accept(0).unwrap();
    assert_eq!(guest.send(connection, b"1234567"), Ok(7));
    assert_eq!(guest.write(connection, b"abcdefg"), Ok(3));
    assert_eq!(guest.send(connection, b"x"), Err(Errno::Dquot as u16));
    let refusals: Vec<_> = guest.store.data().refusals().to_vec();
    assert_eq!(refusals.len(), 2, "{refusals:?}");
    drop(guest);
    let mut received = String::new();
    clients[1].read_to_string(&mut received).unwrap();
    assert_eq!(received, "1234567abc");
}

/// The counter of [`Config::epoch_source`].
static COUNTER: AtomicUsize = AtomicUsize::new(0);

/// Engines whose waits are not interrupted, are, and are by a counter that tells nobody.
fn engines() -> [Engine; 3] {
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

#[test]
fn waits_without_end_are_interrupted() {
    let [_, own, counted] = engines();
    for (engine, counter) in [(own, None), (counted, Some(&COUNTER))] {
        for call in [
            "pipe", "socket", "recv", "waitall", "accept", "poll", "send", "sleep",
        ] {
            let (stdin, writer) = pipe().unwrap();
            let (listener, _) = listener();
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut builder = WasiCtxBuilder::new();
            builder.stdin(stdin);
            builder.preopened_socket(listener).unwrap();
            builder.preopened_socket(theirs).unwrap();
            let mut guest = Guest::on(&engine, builder.build());
            let stream = FIRST + 1;
            // Other tests may count the same counter.
            guest.store.set_epoch_deadline(1000);
            let ticking = engine.clone();
            let ticks = later(move || {
                for _ in 0..1000 {
                    match counter {
                        Some(counter) => _ = counter.fetch_add(1, Ordering::Relaxed),
                        None => ticking.increment_epoch(),
                    }
                }
            });
            guest.ok("fd_fdstat_set_flags", &[FIRST, 0]);
            guest.vector(100);
            let result = match call {
                "pipe" => guest.try_call("fd_read", &[0, VECTOR, 1, OUT]),
                "socket" => guest.try_call("fd_read", &[stream, VECTOR, 1, OUT]),
                "recv" => guest.try_call("sock_recv", &[stream, VECTOR, 1, 0, OUT, OUT + 4]),
                "waitall" => {
                    (&ours).write_all(b"not all").unwrap();
                    guest.try_call("sock_recv", &[stream, VECTOR, 1, WAITALL, OUT, OUT + 4])
                }
                "accept" => guest.try_call("sock_accept", &[FIRST, 0, OUT]),
                "poll" => {
                    let count = guest.subscribe(&[(READ, 0), (READ, FIRST), (READ, stream)], None);
                    guest.try_call("poll_oneoff", &[DATA, EVENTS, count, OUT])
                }
                "send" => {
                    guest.vector(100_000);
                    loop {
                        match guest.try_call("sock_send", &[stream, VECTOR, 1, 0, OUT]) {
                            Ok(0) => {}
                            result => break result,
                        }
                    }
                }
                _ => {
                    let count = guest.subscribe(&[], Some(u64::MAX));
                    guest.try_call("poll_oneoff", &[DATA, EVENTS, count, OUT])
                }
            };
            let error = result.expect_err(call);
            let trap = error.downcast_ref::<Trap>();
            assert_eq!(trap, Some(&Trap::Interrupt), "{call}: {error}");
            ticks.join().unwrap();
            drop((writer, ours));
        }
    }
}

#[test]
fn a_wait_that_is_not_interrupted_goes_on() {
    for engine in engines() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_socket(theirs).unwrap();
        let mut guest = Guest::on(&engine, builder.build());
        guest.store.set_epoch_deadline(1 << 20);
        let ticking = engine.clone();
        let late = later(move || {
            // Epochs that are not the deadline wake it in vain.
            for _ in 0..20 {
                ticking.increment_epoch();
                thread::sleep(Duration::from_millis(1));
            }
            ours.write_all(b"at last").unwrap();
            ours
        });
        assert_eq!(guest.read(FIRST, 9), Ok(b"at last".to_vec()));
        late.join().unwrap();
    }
}

#[test]
fn waiting_has_a_limit() {
    let limit = Duration::from_millis(100);
    for call in [
        "fd_read",
        "sock_recv",
        "sock_accept",
        "poll_oneoff",
        "sock_send",
    ] {
        let (listener, _) = listener();
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let mut guest = Guest::new(|builder| {
            builder.preopened_socket(listener).unwrap();
            builder.preopened_socket(theirs).unwrap();
            builder.limits(WasiLimits::new().blocking(limit));
        });
        let stream = FIRST + 1;
        guest.ok("fd_fdstat_set_flags", &[FIRST, 0]);
        guest.vector(100_000);
        let started = Instant::now();
        let mut run = || match call {
            "fd_read" => guest.call(call, &[stream, VECTOR, 1, OUT]),
            "sock_recv" => guest.call(call, &[stream, VECTOR, 1, 0, OUT, OUT + 4]),
            "sock_accept" => guest.call(call, &[FIRST, 0, OUT]),
            "poll_oneoff" => {
                let count = guest.subscribe(&[(READ, stream)], None);
                guest.call(call, &[DATA, EVENTS, count, OUT])
            }
            _ => loop {
                match guest.call(call, &[stream, VECTOR, 1, 0, OUT]) {
                    0 => {}
                    error => break error,
                }
            },
        };
        assert_eq!(run(), Errno::Timedout as u16, "{call}");
        assert!(
            started.elapsed() >= limit - Duration::from_millis(1),
            "{call}"
        );
        // Nothing is left of it.
        assert_eq!(run(), Errno::Timedout as u16, "{call}");
        let (function, _, count) = guest.store.data().refusals()[0];
        assert_eq!((function, count), (call, 2));
    }
}

#[test]
fn an_idle_wait_uses_no_processor() {
    let faults = Faults::new().delay(Duration::from_millis(1));
    for (engine, faults) in engines().into_iter().flat_map(|engine| {
        let again = engine.clone();
        [(engine, None), (again, Some(faults))]
    }) {
        let (listener, _) = listener();
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_socket(listener).unwrap();
        builder.preopened_socket(theirs).unwrap();
        if let Some(faults) = faults {
            builder.net_faults(faults);
        }
        let mut guest = Guest::on(&engine, builder.build());
        guest.store.set_epoch_deadline(1 << 20);
        let before = guest.thread_time();
        let fds = [(READ, FIRST), (READ, FIRST + 1)];
        assert_eq!(guest.poll(&fds, Some(300 * MS)), [(2, 0, 0, 0)]);
        let used = guest.thread_time() - before;
        // A loop would use as much as it gets of 300.
        assert!(used < Duration::from_millis(60), "{used:?}");
    }
}

#[test]
fn faults_of_the_network_are_on_real_sockets() {
    let delay = Duration::from_millis(40);
    for engine in engines() {
        let (listener, address) = listener();
        let mut builder = WasiCtxBuilder::new();
        builder
            .preopened_socket(listener)
            .unwrap()
            .net_faults(Faults::new().delay(delay));
        let mut guest = Guest::on(&engine, builder.build());
        guest.store.set_epoch_deadline(1 << 20);
        let client = thread::spawn(move || {
            let mut client = TcpStream::connect(address).unwrap();
            let started = Instant::now();
            client.write_all(b"ping").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            (answer, started.elapsed())
        });
        guest.ok("fd_fdstat_set_flags", &[FIRST, 0]);
        let connection = guest.accept(0).unwrap();
        assert_eq!(guest.poll(&[(READ, connection)], None), [(0, 0, 4, 0)]);
        assert_eq!(guest.read(connection, 9), Ok(b"ping".to_vec()));
        // A megabyte is more than what may be under way; then it is closed with much of it unsent.
        let answer = "0123456789abcdef".repeat(1 << 12);
        for _ in 0..16 {
            let mut rest = answer.as_bytes();
            while !rest.is_empty() {
                let sent = guest.send(connection, rest).unwrap();
                rest = &rest[sent as usize..];
            }
        }
        guest.ok("fd_close", &[connection]);
        // The guest waits for something else, and by that for this.
        while !client.is_finished() {
            guest.poll(&[(READ, FIRST)], Some(10 * MS));
        }
        let (got, passed) = client.join().unwrap();
        assert_eq!(got, answer.repeat(16));
        assert!(passed >= 2 * delay, "{passed:?}");
    }
}

#[test]
fn unix_listeners_serve_too() -> io::Result<()> {
    let path = std::env::temp_dir().join(format!("teff-sockets-{}", std::process::id()));
    let listener = UnixListener::bind(&path)?;
    let client = UnixStream::connect(&path);
    std::fs::remove_file(&path)?;
    let mut guest = Guest::new(|builder| {
        builder.preopened_socket(listener).unwrap();
    });
    let mut client = client?;
    client.write_all(b"local")?;
    let connection = guest.accept(0).unwrap();
    assert_eq!(guest.fdstat(connection), (6, 0));
    assert_eq!(guest.read(connection, 9), Ok(b"local".to_vec()));
    Ok(())
}
