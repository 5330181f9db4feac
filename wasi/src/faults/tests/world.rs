//! A clock, sockets and their other sides that are the tests' own: nothing here waits.

use std::{
    boxed::Box,
    collections::VecDeque,
    sync::{Arc, Mutex},
    vec::Vec,
};

use crate::{
    Faults, WasiCtx, WasiCtxBuilder, WasiLimits,
    guest::{field_u16, field_u32, field_u64},
    platform::{
        Blocking, Clock, File, Interest, Platform, ReadBuffers, Readiness, Source, WriteBuffers,
    },
    table::plain,
    types::{Errno, Filestat, Filetype, Riflags, Roflags, Sdflags},
};

pub(super) const MS: u64 = 1_000_000;

/// The world outside of one guest.
#[derive(Default)]
pub(super) struct World {
    pub(super) now: u64,
    /// How often the guest has waited.
    pub(super) waits: usize,
    pub(super) peers: Vec<Peer>,
}

/// The other side of a socket.
#[derive(Default)]
pub(super) struct Peer {
    pub(super) datagrams: bool,
    pub(super) listener: bool,
    /// What it will have sent, and when; nothing is its end.
    pub(super) sends: VecDeque<(u64, Vec<u8>)>,
    /// What has come to it, and when.
    pub(super) got: Vec<(u64, Vec<u8>)>,
    /// How many bytes it has room for; all if `None`.
    pub(super) room: Option<usize>,
    /// When it has room again for as many.
    pub(super) drained: u64,
    /// The directions that were ended, when.
    pub(super) ended: Vec<(u64, u8)>,
    pub(super) closed: Option<u64>,
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
pub(super) struct Guest {
    pub(super) ctx: WasiCtx,
    pub(super) mem: Vec<u8>,
    pub(super) world: Shared,
}

pub(super) const OUT: u32 = 0x100;
pub(super) const EVENTS: u32 = 0x200;
pub(super) const DATA: u32 = 0x1000;
pub(super) const NONBLOCK: u32 = 1 << 2;

impl Guest {
    pub(super) fn with(faults: &str, peers: Vec<Peer>, limits: WasiLimits) -> Self {
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

    pub(super) fn new(faults: &str, peers: Vec<Peer>) -> Self {
        Self::with(faults, peers, WasiLimits::new())
    }

    /// One peer that sends this.
    pub(super) fn hearing(faults: &str, sends: &[(u64, &[u8])]) -> Self {
        let sends = sends.iter().map(|(time, bytes)| (*time, bytes.to_vec()));
        Self::new(
            faults,
            vec![Peer {
                sends: sends.collect(),
                ..Peer::default()
            }],
        )
    }

    pub(super) fn now(&self) -> u64 {
        self.world.lock().unwrap().now
    }

    pub(super) fn got(&self, peer: usize) -> Vec<(u64, Vec<u8>)> {
        self.world.lock().unwrap().peers[peer].got.clone()
    }

    pub(super) fn vector(&mut self, len: u32) {
        self.mem[0..4].copy_from_slice(&DATA.to_le_bytes());
        self.mem[4..8].copy_from_slice(&len.to_le_bytes());
    }

    /// What is received, with the flags.
    pub(super) fn recv(&mut self, fd: u32, len: u32, flags: u32) -> Result<(Vec<u8>, u16), Errno> {
        self.vector(len);
        plain::sock_recv(&mut self.ctx, &mut self.mem, fd, 0, 1, flags, OUT, OUT + 4)?;
        let len = field_u32(&self.mem, OUT as usize) as usize;
        let flags = field_u16(&self.mem, OUT as usize + 4);
        Ok((self.mem[DATA as usize..][..len].to_vec(), flags))
    }

    /// What is read, and when.
    pub(super) fn read(&mut self, fd: u32, len: u32) -> Result<(u64, Vec<u8>), Errno> {
        self.vector(len);
        plain::fd_read(&mut self.ctx, &mut self.mem, fd, 0, 1, OUT)?;
        let len = field_u32(&self.mem, OUT as usize) as usize;
        Ok((self.now(), self.mem[DATA as usize..][..len].to_vec()))
    }

    pub(super) fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<usize, Errno> {
        self.mem[DATA as usize..][..bytes.len()].copy_from_slice(bytes);
        self.vector(bytes.len() as u32);
        plain::fd_write(&mut self.ctx, &mut self.mem, fd, 0, 1, OUT)?;
        Ok(field_u32(&self.mem, OUT as usize) as usize)
    }

    /// Waits for descriptors (1 to read, 2 to write) or for a time: what has happened, as the number of the
    /// subscription and the bytes.
    pub(super) fn poll(&mut self, fds: &[(u8, u32)], timeout: Option<u64>) -> Vec<(u64, u64)> {
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
    pub(super) fn sleep(&mut self, time: u64) {
        let until = self.now() + time;
        assert_eq!(self.poll(&[], Some(time)), [(0, 0)]);
        assert_eq!(self.now(), until);
    }
}
