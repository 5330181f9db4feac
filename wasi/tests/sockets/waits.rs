//! Waits: how long they last, what ends them, and what they cost.

use std::{
    io::{Write, pipe},
    os::unix::net::UnixStream,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use teff_runtime::Trap;
use teff_wasi::{Errno, Faults, WasiCtxBuilder, WasiLimits};

use crate::guest::*;

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
