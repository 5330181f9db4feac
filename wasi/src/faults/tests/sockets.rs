//! A guest's sockets behind faults.

use std::{time::Duration, vec, vec::Vec};

use super::world::*;
use crate::{WasiLimits, guest::field_u32, table::plain, types::Errno};

fn datagrams(sends: &[(u64, &[u8])]) -> Vec<Peer> {
    let sends = sends.iter().map(|(time, bytes)| (*time, bytes.to_vec()));
    vec![Peer {
        datagrams: true,
        sends: sends.collect(),
        ..Peer::default()
    }]
}

#[test]
fn what_arrives_is_there_after_the_delay() {
    let sends: &[(u64, &[u8])] = &[
        (100 * MS, b"one"),
        // While the guest waits for the first.
        (110 * MS, b"two"),
        (130 * MS, b"three"),
        (400 * MS, b"four"),
        (500 * MS, b""),
    ];
    let mut guest = Guest::hearing("delay=50ms", sends);
    assert_eq!(guest.read(3, 100), Ok((150 * MS, b"one".to_vec())));
    assert_eq!(guest.read(3, 100), Ok((160 * MS, b"two".to_vec())));
    // A read takes less than all, and the rest is there at once.
    assert_eq!(guest.read(3, 2), Ok((180 * MS, b"th".to_vec())));
    assert_eq!(guest.read(3, 9), Ok((180 * MS, b"ree".to_vec())));
    assert_eq!(guest.read(3, 100), Ok((450 * MS, b"four".to_vec())));
    assert_eq!(guest.read(3, 100), Ok((550 * MS, b"".to_vec())));
    assert_eq!(guest.read(3, 100), Ok((550 * MS, b"".to_vec())));
    // One wait for each arrival and one for each time, and not one more.
    assert_eq!(guest.world.lock().unwrap().waits, 10);
}

#[test]
fn pieces_that_are_there_are_read_together() {
    let sends: &[(u64, &[u8])] = &[(1, &[1; 4000]), (2, &[2; 10])];
    let mut guest = Guest::hearing("delay=1ms", sends);
    guest.sleep(10 * MS);
    // Nobody has looked before: the delay counts from now.
    let (now, bytes) = guest.read(3, 5000).unwrap();
    assert_eq!((now, bytes.len()), (11 * MS, 4010));
    assert_eq!(bytes[3999..4001], [1, 2]);
}

#[test]
fn a_poll_wakes_when_it_is_there() {
    let sends: &[(u64, &[u8])] = &[(100 * MS, b"one"), (110 * MS, b"two"), (300 * MS, b"")];
    let mut guest = Guest::hearing("delay=50ms", sends);
    // Times that come first.
    assert_eq!(guest.poll(&[(1, 3)], Some(90 * MS)), [(1, 0)]);
    assert_eq!(guest.poll(&[(1, 3)], Some(30 * MS)), [(1, 0)]);
    assert_eq!(guest.now(), 120 * MS);
    guest.world.lock().unwrap().waits = 0;
    assert_eq!(guest.poll(&[(1, 3)], Some(1000 * MS)), [(0, 3)]);
    assert_eq!(guest.now(), 150 * MS);
    assert!(guest.world.lock().unwrap().waits <= 2, "it spins");
    assert_eq!(guest.poll(&[(1, 3)], None), [(0, 3)]);
    assert_eq!(guest.read(3, 100), Ok((150 * MS, b"one".to_vec())));
    assert_eq!(guest.poll(&[(1, 3)], None), [(0, 3)]);
    assert_eq!(guest.now(), 160 * MS);
    assert_eq!(guest.read(3, 100), Ok((160 * MS, b"two".to_vec())));
    assert_eq!(guest.poll(&[(1, 3)], None), [(0, 0)]);
    assert_eq!(guest.read(3, 100), Ok((350 * MS, b"".to_vec())));
    // It can be written to all the time.
    assert_eq!(guest.poll(&[(2, 3)], None), [(0, 0)]);
}

#[test]
fn a_poll_sees_another_socket_first() {
    let peer = |time, bytes: &[u8]| Peer {
        sends: [(time, bytes.to_vec())].into(),
        ..Peer::default()
    };
    let peers = vec![peer(10 * MS, b"first"), peer(20 * MS, b"second")];
    let mut guest = Guest::new("delay=50ms", peers);
    assert_eq!(guest.poll(&[(1, 4), (1, 3)], None), [(1, 5)]);
    assert_eq!(guest.now(), 60 * MS);
    assert_eq!(guest.poll(&[(1, 4)], None), [(0, 6)]);
    assert_eq!(guest.now(), 70 * MS);
}

#[test]
fn a_call_that_must_not_wait_does_not() {
    let mut guest = Guest::hearing("delay=50ms", &[(0, b"now")]);
    plain::fd_fdstat_set_flags(&mut guest.ctx, &mut guest.mem, 3, NONBLOCK).unwrap();
    assert_eq!(guest.read(3, 100), Err(Errno::Again));
    assert_eq!((guest.now(), guest.world.lock().unwrap().waits), (0, 0));
    guest.sleep(49 * MS);
    assert_eq!(guest.read(3, 100), Err(Errno::Again));
    guest.sleep(MS);
    assert_eq!(guest.recv(3, 100, 1), Ok((b"now".to_vec(), 0)), "peek");
    assert_eq!(guest.read(3, 100), Ok((50 * MS, b"now".to_vec())));
}

#[test]
fn what_is_sent_leaves_after_the_delay() {
    let mut guest = Guest::hearing("delay=50ms", &[]);
    assert_eq!(guest.write(3, b"one"), Ok(3));
    guest.sleep(10 * MS);
    assert_eq!(guest.write(3, b"two"), Ok(3));
    assert_eq!((guest.now(), guest.got(0)), (10 * MS, vec![]));
    // The guest does something else, and it leaves all the same.
    guest.sleep(100 * MS);
    assert_eq!(
        guest.got(0),
        [(50 * MS, b"one".to_vec()), (60 * MS, b"two".to_vec())]
    );
}

#[test]
fn the_end_is_after_what_was_sent() {
    let mut guest = Guest::hearing("delay=50ms", &[]);
    guest.write(3, b"last").unwrap();
    plain::sock_shutdown(&mut guest.ctx, &mut guest.mem, 3, 2).unwrap();
    assert_eq!(guest.write(3, b"more"), Err(Errno::Pipe));
    plain::fd_close(&mut guest.ctx, &mut guest.mem, 3).unwrap();
    assert_eq!(guest.read(3, 1), Err(Errno::Badf));
    guest.sleep(100 * MS);
    assert_eq!(guest.got(0), [(50 * MS, b"last".to_vec())]);
    let world = guest.world.lock().unwrap();
    assert_eq!(world.peers[0].ended, [(50 * MS, 2)]);
    assert_eq!(world.peers[0].closed, Some(50 * MS));
}

#[test]
fn at_the_end_of_the_guest_all_leaves() {
    let mut guest = Guest::hearing("delay=50ms", &[]);
    guest.write(3, b"last words").unwrap();
    let Guest { ctx, world, .. } = guest;
    drop(ctx);
    let world = world.lock().unwrap();
    assert_eq!(world.peers[0].got, [(0, b"last words".to_vec())]);
    assert_eq!(world.peers[0].closed, Some(0));
}

#[test]
fn a_peer_without_room_is_waited_for() {
    let peer = Peer {
        room: Some(4),
        drained: 300 * MS,
        ..Peer::default()
    };
    let mut guest = Guest::new("delay=50ms", vec![peer]);
    guest.write(3, b"too much").unwrap();
    guest.sleep(1000 * MS);
    assert_eq!(
        guest.got(0),
        [(50 * MS, b"too ".to_vec()), (300 * MS, b"much".to_vec())]
    );
    assert!(guest.world.lock().unwrap().waits <= 4, "it spins");
    // The guest gets no more rid of than what may be under way.
    guest.world.lock().unwrap().peers[0].room = Some(0);
    plain::fd_fdstat_set_flags(&mut guest.ctx, &mut guest.mem, 3, NONBLOCK).unwrap();
    let mut sent = 0;
    while let Ok(more) = guest.write(3, &[7; 10_000]) {
        sent += more;
    }
    assert!((200_000..=256 << 10).contains(&sent), "{sent}");
    assert_eq!(guest.poll(&[(2, 3)], Some(MS)), [(1, 0)]);
    let mut world = guest.world.lock().unwrap();
    world.peers[0].drained = world.now + 1000 * MS;
    drop(world);
    assert_eq!(guest.poll(&[(2, 3)], Some(9999 * MS)), [(0, 0)]);
    guest.sleep(MS);
    let got: usize = guest.got(0)[2..].iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(got, sent);
}

#[test]
fn bandwidth_takes_its_time() {
    // To the guest: 100,000 bytes at 50,000 a second.
    let mut guest = Guest::hearing("bandwidth=50000", &[(0, &[1; 100_000]), (0, b"")]);
    let (mut bytes, mut reads) = (0, 0);
    loop {
        let (now, more) = guest.read(3, 1 << 18).unwrap();
        bytes += more.len();
        reads += 1;
        let passed = bytes as u64 * 20_000;
        assert!((passed..passed + 2000).contains(&now), "{bytes} at {now}");
        if more.is_empty() {
            break;
        }
    }
    assert_eq!((bytes, guest.now() / MS), (100_000, 2000));
    // One segment at a time.
    assert_eq!(reads, 100_000_usize.div_ceil(1460) + 1);

    // From the guest: it can be a second ahead, then it has to wait.
    let mut guest = Guest::hearing("bandwidth=50000", &[]);
    let mut sent = 0;
    while sent < 100_000 {
        sent += guest.write(3, &vec![2; 100_000 - sent]).unwrap();
    }
    let passed = guest.now() / MS;
    assert!((950..1200).contains(&passed), "{passed}");
    guest.sleep(2000 * MS);
    let got = guest.got(0);
    assert_eq!(
        got.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(),
        sent
    );
    assert_eq!(got.last().unwrap().0 / MS, 2000);
}

#[test]
fn a_segment_that_is_lost_is_late() {
    let mut guest = Guest::hearing("loss=100%,delay=10ms", &[(0, b"in")]);
    assert_eq!(guest.read(3, 9), Ok((210 * MS, b"in".to_vec())));
    guest.write(3, b"out").unwrap();
    guest.sleep(1000 * MS);
    assert_eq!(guest.got(0), [(420 * MS, b"out".to_vec())]);
}

#[test]
fn a_datagram_that_is_lost_never_comes() {
    let mut guest = Guest::new("loss=100%", datagrams(&[(0, b"in")]));
    assert_eq!(guest.poll(&[(1, 3)], Some(10_000 * MS)), [(1, 0)]);
    assert_eq!(guest.write(3, b"out"), Ok(3));
    guest.sleep(10_000 * MS);
    assert_eq!(guest.got(0), []);
}

#[test]
fn datagrams_are_whole() {
    let sends: &[(u64, &[u8])] = &[(0, b"long one"), (0, b"x"), (0, &[9; 5000])];
    let mut guest = Guest::new("delay=5ms", datagrams(sends));
    // Peeked at, cut, and gone.
    assert_eq!(guest.recv(3, 4, 1), Ok((b"long".to_vec(), 1)));
    assert_eq!(guest.poll(&[(1, 3)], None), [(0, 8)]);
    assert_eq!(guest.recv(3, 4, 0), Ok((b"long".to_vec(), 1)));
    assert_eq!(guest.recv(3, 4, 0), Ok((b"x".to_vec(), 0)));
    assert_eq!(guest.recv(3, 5000, 0), Ok((vec![9; 5000], 0)));
    assert_eq!(guest.write(3, &[3; 3000]), Ok(3000));
    guest.sleep(5 * MS);
    assert_eq!(guest.got(0), [(10 * MS, vec![3; 3000])]);
    assert_eq!(guest.write(3, &[3; 70_000]), Err(Errno::Msgsize));
    // With jitter they overtake one another, but all come.
    let sends: Vec<_> = (0..100).map(|n| (0, [n])).collect();
    let sends: Vec<_> = sends.iter().map(|(t, b)| (*t, &b[..])).collect();
    let mut guest = Guest::new("delay=20ms,jitter=20ms,seed=5", datagrams(&sends));
    let got: Vec<_> = (0..100).map(|_| guest.read(3, 9).unwrap().1[0]).collect();
    assert!(!got.is_sorted());
    let mut all = got;
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..100));
}

#[test]
fn a_reset_breaks_the_connection() {
    // By what arrives.
    let mut guest = Guest::hearing("reset=100%,delay=50ms", &[(0, b"in")]);
    assert_eq!(guest.poll(&[(1, 3)], None), [(0, 0)]);
    assert_eq!(guest.read(3, 9), Err(Errno::Connreset));
    assert_eq!(guest.read(3, 9), Ok((50 * MS, vec![])));
    assert_eq!(guest.write(3, b"x"), Err(Errno::Pipe));
    assert_eq!(guest.world.lock().unwrap().peers[0].ended, [(50 * MS, 3)]);
    // By what is sent: at once,
    let mut guest = Guest::hearing("reset=100%", &[]);
    assert_eq!(guest.write(3, b"x"), Err(Errno::Connreset));
    assert_eq!(guest.write(3, b"x"), Err(Errno::Pipe));
    assert_eq!(guest.got(0), []);
    // or later, while the guest waits for an answer.
    let mut guest = Guest::hearing("reset=100%,delay=50ms", &[(500 * MS, b"in")]);
    assert_eq!(guest.write(3, b"x"), Ok(1));
    assert_eq!(guest.read(3, 9), Err(Errno::Connreset));
    assert_eq!(guest.now(), 50 * MS);
    // Datagrams have no connection.
    let mut guest = Guest::new("reset=100%", datagrams(&[(0, b"in")]));
    assert_eq!(guest.read(3, 9), Ok((0, b"in".to_vec())));
}

#[test]
fn what_is_accepted_has_faults_too() {
    let listener = Peer {
        listener: true,
        ..Peer::default()
    };
    let mut guest = Guest::new("delay=50ms", vec![listener]);
    assert_eq!(guest.poll(&[(1, 3)], None), [(0, 0)]);
    plain::sock_accept(&mut guest.ctx, &mut guest.mem, 3, 0, OUT).unwrap();
    assert_eq!((guest.now(), field_u32(&guest.mem, OUT as usize)), (0, 4));
    assert_eq!(guest.read(4, 9), Ok((50 * MS, b"hello".to_vec())));
}

#[test]
fn waitall_collects_across_delays() {
    let sends: &[(u64, &[u8])] = &[(0, b"abc"), (100 * MS, b"def"), (200 * MS, b"gh")];
    let mut guest = Guest::hearing("delay=50ms", sends);
    assert_eq!(guest.recv(3, 7, 2), Ok((b"abcdefg".to_vec(), 0)));
    assert_eq!(guest.now(), 250 * MS);
    assert_eq!(guest.read(3, 7), Ok((250 * MS, b"h".to_vec())));
}

#[test]
fn waits_for_faults_count_towards_the_limit() {
    let peers = vec![Peer {
        sends: [(0, b"in".to_vec())].into(),
        ..Peer::default()
    }];
    let limits = WasiLimits::new().blocking(Duration::from_millis(30));
    let mut guest = Guest::with("delay=50ms", peers, limits);
    assert_eq!(guest.read(3, 9), Err(Errno::Timedout));
    assert_eq!(guest.now(), 30 * MS);
}
