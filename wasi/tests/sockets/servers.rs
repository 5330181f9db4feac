//! Guests that listen: connections are accepted, counted, waited for, and freed.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::{UnixListener, UnixStream},
    thread,
    time::{Duration, Instant},
};

use teff_wasi::{Errno, Faults, WasiCtxBuilder, WasiLimits};

use crate::guest::*;

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
