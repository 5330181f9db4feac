//! Faults, on a clock and sockets that are the test's own: nothing here waits.

use std::{
    boxed::Box,
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
    vec::Vec,
};

use super::{
    Faults,
    line::{Fate, Line, RETRANSMISSION},
};
use crate::{
    WasiCtx, WasiCtxBuilder, WasiLimits,
    guest::{field_u16, field_u32, field_u64},
    platform::{
        Blocking, Clock, File, Interest, Platform, ReadBuffers, Readiness, Source, WriteBuffers,
    },
    table::plain,
    types::{Errno, Filestat, Filetype, Riflags, Roflags, Sdflags},
};

const MS: u64 = 1_000_000;

/// The world outside of one guest.
#[derive(Default)]
struct World {
    now: u64,
    /// How often the guest has waited.
    waits: usize,
    peers: Vec<Peer>,
}

/// The other side of a socket.
#[derive(Default)]
struct Peer {
    datagrams: bool,
    listener: bool,
    /// What it will have sent, and when; nothing is its end.
    sends: VecDeque<(u64, Vec<u8>)>,
    /// What has come to it, and when.
    got: Vec<(u64, Vec<u8>)>,
    /// How many bytes it has room for; all if `None`.
    room: Option<usize>,
    /// When it has room again for as many.
    drained: u64,
    /// The directions that were ended, when.
    ended: Vec<(u64, u8)>,
    closed: Option<u64>,
}

impl World {
    /// Is there something to read for the guest?
    fn readable(&self, peer: usize) -> bool {
        let first = self.peers[peer].sends.front();
        self.peers[peer].listener || first.is_some_and(|(time, _)| *time <= self.now)
    }

    fn writable(&mut self, peer: usize) -> bool {
        let now = self.now;
        let peer = &mut self.peers[peer];
        if peer.room == Some(0) && peer.drained != 0 && peer.drained <= now {
            peer.room = None;
        }
        peer.room != Some(0)
    }

    /// When does something happen without the guest?
    fn next(&self) -> Option<u64> {
        let sends = self.peers.iter().filter_map(|peer| peer.sends.front());
        let drained = self.peers.iter().map(|peer| &peer.drained);
        let times = sends.map(|(time, _)| time).chain(drained);
        times.copied().filter(|time| *time > self.now).min()
    }
}

type Shared = Arc<Mutex<World>>;

struct FakePlatform(Shared);

impl Platform for FakePlatform {
    fn now(&self, _clock: Clock) -> Result<u64, Errno> {
        Ok(self.0.lock().unwrap().now)
    }

    fn resolution(&self, _clock: Clock) -> Result<u64, Errno> {
        Ok(1)
    }

    fn random(&self, _buffer: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::Notsup)
    }

    fn wait(&self, sources: &mut [Source], timeout: Option<u64>) -> Result<(), Errno> {
        let mut world = self.0.lock().unwrap();
        world.waits += 1;
        let until = timeout.map(|timeout| world.now.saturating_add(timeout));
        loop {
            let mut any = false;
            for source in &mut *sources {
                source.ready = match source.interest {
                    Interest::Read => world.readable(source.handle as usize),
                    Interest::Write => world.writable(source.handle as usize),
                };
                any |= source.ready;
            }
            if any || until.is_some_and(|until| until <= world.now) {
                return Ok(());
            }
            let next = [until, world.next()].into_iter().flatten().min();
            world.now = next.expect("this wait would never end");
        }
    }
}

struct FakeSocket(Shared, usize);

impl File for FakeSocket {
    fn filestat(&self) -> Result<Filestat, Errno> {
        let filetype = match self.0.lock().unwrap().peers[self.1].datagrams {
            true => Filetype::SocketDgram,
            false => Filetype::SocketStream,
        };
        Ok(Filestat {
            dev: 0,
            ino: self.1 as u64,
            filetype,
            nlink: 1,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        })
    }

    fn is_listener(&self) -> bool {
        self.0.lock().unwrap().peers[self.1].listener
    }

    fn readiness(&self, _interest: Interest) -> Readiness {
        Readiness::Ask(self.1 as i32)
    }

    fn accept(&self, _blocking: Blocking) -> Result<Box<dyn File>, Errno> {
        // Whoever connects has said something already.
        let mut world = self.0.lock().unwrap();
        let now = world.now;
        world.peers.push(Peer {
            sends: [(now, b"hello".to_vec())].into(),
            ..Peer::default()
        });
        Ok(Box::new(Self(Arc::clone(&self.0), world.peers.len() - 1)))
    }

    fn recv(
        &self,
        buffers: &mut ReadBuffers<'_>,
        _flags: Riflags,
        blocking: Blocking,
    ) -> Result<(usize, Roflags), Errno> {
        assert_eq!(blocking, Blocking::Forbidden);
        let mut world = self.0.lock().unwrap();
        if !world.readable(self.1) {
            return Err(Errno::Again);
        }
        let peer = &mut world.peers[self.1];
        let (_, bytes) = peer.sends.front_mut().unwrap();
        let copied = buffers.copy_from(bytes);
        bytes.drain(..copied);
        // The end stays.
        if copied > 0 && (bytes.is_empty() || peer.datagrams) {
            peer.sends.pop_front();
        }
        Ok((copied, Roflags::empty()))
    }

    fn send(&self, buffers: &mut WriteBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        assert_eq!(blocking, Blocking::Forbidden);
        let mut world = self.0.lock().unwrap();
        if !world.writable(self.1) {
            return Err(Errno::Again);
        }
        let now = world.now;
        let peer = &mut world.peers[self.1];
        if let Some(room) = &mut peer.room {
            buffers.limit(*room);
            *room -= buffers.len();
        }
        let mut bytes = Vec::new();
        let sent = buffers.drain(|more| {
            bytes.extend_from_slice(more);
            Ok(more.len())
        });
        peer.got.push((now, bytes));
        sent
    }

    fn shutdown(&self, how: Sdflags) -> Result<(), Errno> {
        let mut world = self.0.lock().unwrap();
        let now = world.now;
        let peer = &mut world.peers[self.1];
        peer.ended.push((now, how.bits()));
        if how.contains(Sdflags::RD) {
            peer.sends = [(now, Vec::new())].into();
        }
        Ok(())
    }
}

impl Drop for FakeSocket {
    fn drop(&mut self) {
        let mut world = self.0.lock().unwrap();
        let now = world.now;
        world.peers[self.1].closed = Some(now);
    }
}

/// A guest with sockets from the descriptor 3 on.
struct Guest {
    ctx: WasiCtx,
    mem: Vec<u8>,
    world: Shared,
}

const OUT: u32 = 0x100;
const EVENTS: u32 = 0x200;
const DATA: u32 = 0x1000;
const NONBLOCK: u32 = 1 << 2;

impl Guest {
    fn with(faults: &str, peers: Vec<Peer>, limits: WasiLimits) -> Self {
        let count = peers.len();
        let world = Arc::new(Mutex::new(World {
            peers,
            ..World::default()
        }));
        let mut builder = WasiCtxBuilder::new();
        builder
            .platform(FakePlatform(Arc::clone(&world)))
            .limits(limits)
            .net_faults(Faults::parse(faults).unwrap());
        for peer in 0..count {
            builder.preopened_file(FakeSocket(Arc::clone(&world), peer));
        }
        Self {
            ctx: builder.build(),
            mem: vec![0; 1 << 20],
            world,
        }
    }

    fn new(faults: &str, peers: Vec<Peer>) -> Self {
        Self::with(faults, peers, WasiLimits::new())
    }

    /// One peer that sends this.
    fn hearing(faults: &str, sends: &[(u64, &[u8])]) -> Self {
        let sends = sends.iter().map(|(time, bytes)| (*time, bytes.to_vec()));
        Self::new(
            faults,
            vec![Peer {
                sends: sends.collect(),
                ..Peer::default()
            }],
        )
    }

    fn now(&self) -> u64 {
        self.world.lock().unwrap().now
    }

    fn got(&self, peer: usize) -> Vec<(u64, Vec<u8>)> {
        self.world.lock().unwrap().peers[peer].got.clone()
    }

    fn vector(&mut self, len: u32) {
        self.mem[0..4].copy_from_slice(&DATA.to_le_bytes());
        self.mem[4..8].copy_from_slice(&len.to_le_bytes());
    }

    /// What is received, with the flags.
    fn recv(&mut self, fd: u32, len: u32, flags: u32) -> Result<(Vec<u8>, u16), Errno> {
        self.vector(len);
        plain::sock_recv(&mut self.ctx, &mut self.mem, fd, 0, 1, flags, OUT, OUT + 4)?;
        let len = field_u32(&self.mem, OUT as usize) as usize;
        let flags = field_u16(&self.mem, OUT as usize + 4);
        Ok((self.mem[DATA as usize..][..len].to_vec(), flags))
    }

    /// What is read, and when.
    fn read(&mut self, fd: u32, len: u32) -> Result<(u64, Vec<u8>), Errno> {
        self.vector(len);
        plain::fd_read(&mut self.ctx, &mut self.mem, fd, 0, 1, OUT)?;
        let len = field_u32(&self.mem, OUT as usize) as usize;
        Ok((self.now(), self.mem[DATA as usize..][..len].to_vec()))
    }

    fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<usize, Errno> {
        self.mem[DATA as usize..][..bytes.len()].copy_from_slice(bytes);
        self.vector(bytes.len() as u32);
        plain::fd_write(&mut self.ctx, &mut self.mem, fd, 0, 1, OUT)?;
        Ok(field_u32(&self.mem, OUT as usize) as usize)
    }

    /// Waits for descriptors (1 to read, 2 to write) or for a time: what has happened, as the number of the
    /// subscription and the bytes.
    fn poll(&mut self, fds: &[(u8, u32)], timeout: Option<u64>) -> Vec<(u64, u64)> {
        let mut count = 0;
        let mut subscribe = |tag: u8, fd: u32, timeout: u64| {
            let record = &mut self.mem[DATA as usize + count * 48..][..48];
            record.fill(0);
            record[0..8].copy_from_slice(&(count as u64).to_le_bytes());
            record[8] = tag;
            record[16..20].copy_from_slice(&fd.to_le_bytes());
            record[24..32].copy_from_slice(&timeout.to_le_bytes());
            count += 1;
        };
        for (tag, fd) in fds {
            subscribe(*tag, *fd, 0);
        }
        if let Some(timeout) = timeout {
            subscribe(0, 1, timeout);
        }
        let count = count as u32;
        plain::poll_oneoff(&mut self.ctx, &mut self.mem, DATA, EVENTS, count, OUT).unwrap();
        (0..field_u32(&self.mem, OUT as usize) as usize)
            .map(|event| {
                let record = &self.mem[EVENTS as usize + event * 32..][..32];
                assert_eq!(field_u16(record, 8), 0, "an error");
                (field_u64(record, 0), field_u64(record, 16))
            })
            .collect()
    }

    /// Sleeps, in one wait for a time.
    fn sleep(&mut self, time: u64) {
        let until = self.now() + time;
        assert_eq!(self.poll(&[], Some(time)), [(0, 0)]);
        assert_eq!(self.now(), until);
    }
}

#[test]
fn words_are_read() {
    let all = "loss=1%,delay=50ms,jitter=10ms,reset=0.1%,bandwidth=64K,seed=42";
    let faults = Faults::new()
        .loss(0.01)
        .delay(Duration::from_millis(50))
        .jitter(Duration::from_millis(10))
        .reset(0.001)
        .bandwidth(65536)
        .seed(42);
    assert_eq!(Faults::parse(all), Ok(faults));
    for (one, other) in [
        (" delay = 2 s , seed=0 ", "delay=2000ms"),
        ("loss=0.25", "loss=25%"),
        ("loss=0%", "reset=0"),
        ("jitter=0.5ms", "jitter=500us"),
        ("bandwidth=1.5K", "bandwidth=1536"),
        ("bandwidth=2M", "bandwidth=2048K"),
    ] {
        assert_eq!(Faults::parse(one), Faults::parse(other));
        assert!(Faults::parse(one).is_ok(), "{one}");
    }
    assert_eq!(Faults::parse("loss=100%").unwrap().loss, super::CERTAIN);
}

#[test]
fn what_is_wrong_is_named() {
    for (words, named) in [
        ("", "`NAME=VALUE`"),
        ("loss", "and not `loss`"),
        ("loss=1%,", "and not ``"),
        ("lost=1%", "no network fault `lost`"),
        ("seed=1,seed=2", "`seed` is given twice"),
        ("loss=101%", "`101%`"),
        ("loss=-1%", "`-1%`"),
        ("loss=nan", "`nan`"),
        ("loss=1.5", "`1.5`"),
        ("loss=", "percentage"),
        ("delay=50", "`50`"),
        ("delay=1e3ms", "`1e3ms`"),
        ("delay=2h", "such as `50ms`"),
        ("jitter=99999999999999999999s", "at most 3600s"),
        ("bandwidth=0", "at least 1"),
        ("bandwidth=64KB", "`64KB`"),
        ("bandwidth=99999999999G", "`99999999999G`"),
        ("seed=x", "a whole number"),
        ("seed=18446744073709551616", "a whole number"),
    ] {
        let error = Faults::parse(words).unwrap_err();
        assert!(error.contains(named), "{words}: {error}");
    }
}

#[test]
fn a_line_does_what_it_was_told() {
    let faults = Faults::parse("delay=50ms,jitter=10ms,bandwidth=1000,seed=7").unwrap();
    let mut line = Line::new(faults, false, 1);
    let (mut least, mut most) = (u64::MAX, 0);
    for piece in 1..=1000 {
        // 10 bytes take 10 ms.
        let Fate::Arrives(time) = line.pass(0, 10) else {
            panic!("nothing is lost here");
        };
        let delay = time - piece * 10 * MS;
        (least, most) = (least.min(delay), most.max(delay));
    }
    assert!((40 * MS..41 * MS).contains(&least), "{least}");
    assert!((59 * MS..=60 * MS).contains(&most), "{most}");
    // It was free in between.
    assert!(matches!(line.pass(60_000 * MS, 10), Fate::Arrives(time) if time <= 60_070 * MS));
    // On a stream nothing is overtaken.
    let mut line = Line::new(faults.bandwidth(u64::MAX), true, 1);
    let mut before = 0;
    for now in 0..1000 {
        let Fate::Arrives(time) = line.pass(now * MS, 10) else {
            panic!("nothing is lost here");
        };
        assert!(time >= before && time >= (now + 40) * MS);
        before = time;
    }
    assert!(line.end(0) >= before);
}

#[test]
fn as_many_are_lost_as_were_asked_for() {
    let faults = Faults::parse("loss=1%,reset=0.1%,seed=1").unwrap();
    let mut datagrams = Line::new(faults, false, 0);
    let lost = (0..100_000).filter(|_| datagrams.pass(0, 1) == Fate::Lost);
    let lost = lost.count();
    assert!((900..1100).contains(&lost), "{lost}");
    let mut stream = Line::new(faults, true, 0);
    let (mut late, mut broken) = (0, 0);
    for second in 0..100_000 {
        let now = second * 1000 * MS;
        match stream.pass(now, 1) {
            Fate::Arrives(time) if time == now => {}
            Fate::Arrives(time) => {
                assert_eq!(time, now + RETRANSMISSION);
                late += 1;
            }
            Fate::Breaks(_) => broken += 1,
            Fate::Lost => panic!("a stream loses nothing"),
        }
    }
    assert!((900..1100).contains(&late), "{late}");
    assert!((70..130).contains(&broken), "{broken}");
}

#[test]
fn the_seed_decides() {
    let course = |words: &str, number| -> Vec<_> {
        let mut line = Line::new(Faults::parse(words).unwrap(), true, number);
        (0..100).map(|now| line.pass(now * MS, 10)).collect()
    };
    let words = "loss=10%,jitter=5ms,seed=42";
    assert_eq!(course(words, 3), course(words, 3));
    assert_ne!(course(words, 3), course(words, 4));
    assert_ne!(course(words, 3), course("loss=10%,jitter=5ms,seed=43", 3));
    // These are the numbers that were chosen, and a change of the generator is to be noticed: who has
    // written down a seed wants the same course again.
    let first: Vec<_> = course("delay=50ms,jitter=50ms,seed=42", 0)[..3].to_vec();
    assert_eq!(
        first,
        PINNED.map(Fate::Arrives),
        "the course of events of a seed has changed"
    );
}

const PINNED: [u64; 3] = [87_811_055, 87_811_055, 91_130_858];

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

fn datagrams(sends: &[(u64, &[u8])]) -> Vec<Peer> {
    let sends = sends.iter().map(|(time, bytes)| (*time, bytes.to_vec()));
    vec![Peer {
        datagrams: true,
        sends: sends.collect(),
        ..Peer::default()
    }]
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
