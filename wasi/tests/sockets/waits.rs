//! Waits: how long they last, what ends them, and what they cost.

use std::{
    io::{Write, pipe},
    net::TcpStream,
    os::unix::net::UnixStream,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use teff_runtime::Trap;
use teff_wasi::{Errno, Faults, WasiCtxBuilder, WasiLimits};

use crate::{
    guest::*,
    things::{Device, Scratch},
};

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
fn waits_without_end_are_interrupted() {
    let [_, own, counted] = engines();
    for (engine, counter) in [(own, None), (counted, Some(&COUNTER))] {
        for call in [
            "pipe",
            "full pipe",
            "named pipe",
            "device",
            "full device",
            "socket",
            "recv",
            "waitall",
            "accept",
            "poll",
            "send",
            "sleep",
        ] {
            let (stdin, writer) = pipe().unwrap();
            let (reader, stdout) = pipe().unwrap();
            let scratch = Scratch::new();
            scratch.named_pipe("pipe");
            let (behind, device) = Device::pair();
            let (listener, _) = listener();
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut builder = WasiCtxBuilder::new();
            builder.stdin(stdin).stdout(stdout);
            builder.preopened_socket(listener).unwrap();
            builder.preopened_socket(theirs).unwrap();
            builder.preopened_file(device);
            scratch.grant(&mut builder);
            let mut guest = Guest::on(&engine, builder.build());
            let (stream, device, dir) = (FIRST + 1, FIRST + 2, FIRST + 3);
            // Other tests may count the same counter.
            guest.store.set_epoch_deadline(1 << 20);
            guest.ok("fd_fdstat_set_flags", &[FIRST, 0]);
            let named = guest.open(dir, "pipe");
            // From here on every call may be the one that is interrupted.
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
            guest.vector(100);
            let forever = |guest: &mut Guest, name: &str, args: &[i64]| {
                guest.vector(100_000);
                loop {
                    match guest.try_call(name, args) {
                        Ok(0) => {}
                        result => break result,
                    }
                }
            };
            let result = match call {
                "pipe" => guest.try_call("fd_read", &[0, VECTOR, 1, OUT]),
                "full pipe" => forever(&mut guest, "fd_write", &[1, VECTOR, 1, OUT]),
                "named pipe" => guest.try_call("fd_read", &[named, VECTOR, 1, OUT]),
                "device" => guest.try_call("fd_pread", &[device, VECTOR, 1, 0, OUT]),
                "full device" => forever(&mut guest, "fd_pwrite", &[device, VECTOR, 1, 0, OUT]),
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
                "send" => forever(&mut guest, "sock_send", &[stream, VECTOR, 1, 0, OUT]),
                _ => {
                    let count = guest.subscribe(&[], Some(u64::MAX));
                    guest.try_call("poll_oneoff", &[DATA, EVENTS, count, OUT])
                }
            };
            let error = result.expect_err(call);
            let trap = error.downcast_ref::<Trap>();
            assert_eq!(trap, Some(&Trap::Interrupt), "{call}: {error}");
            ticks.join().unwrap();
            drop((writer, reader, behind, ours));
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

/// One wait for all that there is: a file, pipes, sockets, a device and times. What is ready is told in the
/// order of the subscriptions, and what is not is left out.
#[test]
fn a_poll_is_for_any_mix() {
    for engine in engines() {
        let scratch = Scratch::new();
        scratch.file("file").write_all(b"12345").unwrap();
        let (stdin, mut to_stdin) = pipe().unwrap();
        let (_from_stdout, stdout) = pipe().unwrap();
        let (listener, address) = listener();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (mut behind, device) = Device::pair();
        let mut builder = WasiCtxBuilder::new();
        builder.stdin(stdin).stdout(stdout);
        builder.preopened_socket(listener).unwrap();
        builder.preopened_socket(theirs).unwrap();
        builder.preopened_file(device);
        scratch.grant(&mut builder);
        let mut guest = Guest::on(&engine, builder.build());
        guest.store.set_epoch_deadline(1 << 20);
        let (stream, device, dir) = (FIRST + 1, FIRST + 2, FIRST + 3);
        let file = guest.open(dir, "file");
        // All of these have nothing yet, so the time comes first.
        let waiting = [(READ, 0), (READ, FIRST), (READ, stream), (READ, device)];
        assert_eq!(guest.poll(&waiting, Some(5 * MS)), [(4, 0, 0, 0)]);
        // What can be read at once ends the wait: the file with what is left of it, and the room in a pipe.
        let mixed = [waiting.as_slice(), &[(READ, file), (WRITE, 1), (READ, 77)]].concat();
        let ready = [(4, 0, 5, 0), (5, 0, 0, 0), (6, Errno::Badf as u16, 0, 0)];
        assert_eq!(guest.poll(&mixed, Some(3_600_000 * MS)), ready);
        // One after the other becomes ready, and stays it.
        to_stdin.write_all(b"in").unwrap();
        assert_eq!(guest.poll(&waiting, None), [(0, 0, 2, 0)]);
        behind.write_all(b"device").unwrap();
        assert_eq!(guest.poll(&waiting, None).len(), 2);
        ours.write_all(b"stream").unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let events = guest.poll(&[mixed.as_slice(), &[(WRITE, stream)]].concat(), Some(0));
        let told: Vec<_> = events.iter().map(|event| event.0).collect();
        assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((events[0].2, events[2].2, events[4].2), (2, 6, 5));
    }
}

/// A device with offsets may have nothing yet as well; a guest that reads it waits, and then reads.
#[test]
fn a_device_is_waited_for() {
    for engine in engines() {
        let (mut behind, device) = Device::pair();
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_file(device);
        let mut guest = Guest::on(&engine, builder.build());
        guest.store.set_epoch_deadline(1 << 20);
        let late = later(move || {
            behind.write_all(b"measured").unwrap();
            behind
        });
        guest.vector(100);
        guest.ok("fd_pread", &[FIRST, VECTOR, 1, 7, OUT]);
        assert_eq!(guest.bytes(DATA, guest.u32(OUT) as usize), b"measured");
        // The guest has said that it does not want to wait.
        guest.ok("fd_fdstat_set_flags", &[FIRST, NONBLOCK]);
        guest.fails("fd_pread", &[FIRST, VECTOR, 1, 7, OUT], Errno::Again);
        late.join().unwrap();
    }
}

/// What takes long without waiting is done in pieces where it is to be interruptible, and at once elsewhere.
#[test]
fn large_transfers_are_done_in_pieces() {
    let (size, piece) = (3_u32 << 20, 1_u32 << 20);
    for (engine, expected) in engines().into_iter().zip([size, piece, piece]) {
        let scratch = Scratch::new();
        let (input, output) = (scratch.file("input"), scratch.file("output"));
        input.set_len(u64::from(size)).unwrap();
        let mut guest = Guest::on(
            &engine,
            WasiCtxBuilder::new().stdin(input).stdout(output).build(),
        );
        guest.store.set_epoch_deadline(1 << 20);
        // The same place many times over.
        let vectors = i64::from(size >> 16);
        for vector in 0..vectors {
            guest.put(VECTOR + vector * 8, &(DATA as u32).to_le_bytes());
            guest.put(VECTOR + vector * 8 + 4, &(1_u32 << 16).to_le_bytes());
        }
        for (call, args) in [
            ("fd_read", &[0, VECTOR, vectors, OUT][..]),
            ("fd_pread", &[0, VECTOR, vectors, 0, OUT]),
            ("fd_write", &[1, VECTOR, vectors, OUT]),
            ("fd_pwrite", &[1, VECTOR, vectors, 0, OUT]),
        ] {
            guest.ok(call, args);
            assert_eq!(guest.u32(OUT), expected, "{call}");
        }
    }
}

#[test]
fn waiting_has_a_limit() {
    let limit = Duration::from_millis(100);
    for call in [
        "fd_read",
        "fd_pread",
        "sock_recv",
        "sock_accept",
        "poll_oneoff",
        "sock_send",
    ] {
        let (listener, _) = listener();
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let (_behind, device) = Device::pair();
        let mut guest = Guest::new(|builder| {
            builder.preopened_socket(listener).unwrap();
            builder.preopened_socket(theirs).unwrap();
            builder.preopened_file(device);
            builder.limits(WasiLimits::new().blocking(limit));
        });
        let stream = FIRST + 1;
        guest.ok("fd_fdstat_set_flags", &[FIRST, 0]);
        guest.vector(100_000);
        let started = Instant::now();
        let mut run = || match call {
            "fd_read" => guest.call(call, &[stream, VECTOR, 1, OUT]),
            "fd_pread" => guest.call(call, &[stream + 1, VECTOR, 1, 0, OUT]),
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
