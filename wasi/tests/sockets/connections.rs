//! Guests with one end of a connection or a pair: what is sent, received, ended, and what fails.

use std::{
    io::{Read, Write, pipe},
    net::{Shutdown, TcpStream, UdpSocket},
    os::unix::net::{UnixDatagram, UnixStream},
    thread,
    time::{Duration, Instant},
};

use teff_wasi::{DirPerms, Errno, FilePerms, WasiCtxBuilder};

use crate::guest::*;

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
