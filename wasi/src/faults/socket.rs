//! A socket behind a faulty network.
//!
//! What arrives at the real socket is taken from it as soon as somebody looks, and kept until its time; what
//! is sent is kept until its time as well. Nothing here waits: what is not yet there is `again`, and the
//! time at which it will be is the socket's readiness.

use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};

use super::{
    net::Net,
    queue::{Queue, SEGMENT, What},
};
use crate::{
    platform::{Blocking, File, Interest, ReadBuffers, Readiness, WriteBuffers},
    sync::Lock,
    types::{Advice, Errno, Filestat, Filetype, Riflags, Roflags, Sdflags, Times, Whence},
};

/// The most bytes of a datagram.
const DATAGRAM: usize = 1 << 16;

/// Has the network broken the connection?
#[derive(Copy, Clone, PartialEq, Eq)]
enum Broken {
    No,
    /// It has, and the guest does not know yet.
    Untold,
    /// The guest was told.
    Told,
}

struct State {
    input: Queue,
    output: Queue,
    /// Nothing comes from the real socket any more.
    ended: bool,
    /// The guest sends nothing any more.
    finished: bool,
    /// Sending has failed, and the guest does not know yet.
    failed: Option<Errno>,
    broken: Broken,
}

/// A connection, or a socket of datagrams.
pub(super) struct Conn {
    file: Box<dyn File>,
    stream: bool,
    state: Lock<State>,
}

/// What is next to be sent.
pub(super) enum Next {
    /// Nothing.
    Idle,
    /// Something at this time.
    At(u64),
    /// Something at once, when the file takes it: ask about this handle.
    Blocked(Option<i32>),
}

impl Conn {
    /// Sends what has come to its time.
    pub(super) fn send_due(&self, now: u64) -> Result<Next, Errno> {
        self.state.with(|state| Ok(self.send(state, now)))
    }

    fn send(&self, state: &mut State, now: u64) -> Next {
        loop {
            let Some((what, gone)) = state.output.arrived(now) else {
                return state.output.due().map_or(Next::Idle, Next::At);
            };
            match what {
                What::Data(bytes) => {
                    let mut buffers = WriteBuffers::of(&bytes[gone..]);
                    match self.file.send(&mut buffers, Blocking::Forbidden) {
                        Ok(0) | Err(Errno::Again) => {
                            return Next::Blocked(handle(self.file.readiness(Interest::Write)));
                        }
                        Ok(sent) if self.stream => state.output.take(sent),
                        Ok(_) => state.output.pop(),
                        Err(error) => {
                            state.failed = Some(error);
                            if self.stream {
                                state.output.clear();
                            } else {
                                state.output.pop();
                            }
                        }
                    }
                }
                What::End => {
                    if let Err(error) = self.file.shutdown(Sdflags::WR) {
                        state.failed = Some(error);
                    }
                    state.output.pop();
                }
                What::Break => self.break_off(state),
                What::Failed(_) => state.output.pop(),
            }
        }
    }

    fn break_off(&self, state: &mut State) {
        state.input.clear();
        state.output.clear();
        state.ended = true;
        state.finished = true;
        state.broken = Broken::Untold;
        // It may have gone by itself.
        let _ = self.file.shutdown(Sdflags::all());
    }

    /// Takes what has arrived at the real socket.
    fn fill(&self, state: &mut State, now: u64) {
        let most = if self.stream { SEGMENT } else { DATAGRAM };
        while !state.ended && state.input.room() > 0 {
            let mut bytes = vec![0; most];
            let mut buffers = ReadBuffers::of(&mut bytes);
            let received = self
                .file
                .recv(&mut buffers, Riflags::empty(), Blocking::Forbidden);
            match received {
                Ok((0, _)) if self.stream => {
                    state.ended = true;
                    state.input.push_end(now, What::End);
                }
                Ok((len, _)) => {
                    bytes.truncate(len);
                    bytes.shrink_to_fit();
                    state.input.push(now, bytes);
                }
                Err(Errno::Again) => return,
                Err(error) => {
                    state.ended = self.stream;
                    state.input.push_end(now, What::Failed(error));
                    return;
                }
            }
        }
    }

    /// Brings it up to the present. The error of a broken connection is told once.
    fn update(&self, state: &mut State, now: u64) -> Result<(), Errno> {
        self.send(state, now);
        self.fill(state, now);
        if let Some((What::Break, _)) = state.input.arrived(now) {
            self.break_off(state);
        }
        if state.broken == Broken::Untold {
            state.broken = Broken::Told;
            return Err(Errno::Connreset);
        }
        Ok(())
    }

    fn receive(
        &self,
        state: &mut State,
        now: u64,
        buffers: &mut ReadBuffers<'_>,
        flags: Riflags,
    ) -> Result<(usize, Roflags), Errno> {
        self.update(state, now)?;
        if state.broken == Broken::Told {
            return Ok((0, Roflags::empty()));
        }
        let peek = flags.contains(Riflags::RECV_PEEK);
        match state.input.arrived(now) {
            // The error that ended it has been told.
            None if state.ended && state.input.due().is_none() => Ok((0, Roflags::empty())),
            None | Some((What::Break, _)) => Err(Errno::Again),
            Some((What::End, _)) => Ok((0, Roflags::empty())),
            Some((What::Failed(error), _)) => {
                let error = *error;
                if !peek {
                    state.input.pop();
                }
                Err(error)
            }
            Some((What::Data(bytes), _)) if !self.stream => {
                let copied = buffers.copy_from(bytes);
                let cut = copied < bytes.len();
                if !peek {
                    state.input.pop();
                }
                let cut = cut.then_some(Roflags::RECV_DATA_TRUNCATED);
                Ok((copied, cut.unwrap_or(Roflags::empty())))
            }
            Some((What::Data(_), _)) => {
                let mut slices = state.input.bytes(now);
                let mut rest = &[][..];
                let copied = buffers.fill(|buffer| Ok(copy(&mut slices, &mut rest, buffer)))?;
                drop(slices);
                if !peek {
                    state.input.take(copied);
                }
                Ok((copied, Roflags::empty()))
            }
        }
    }

    fn accept_bytes(
        &self,
        state: &mut State,
        now: u64,
        buffers: &WriteBuffers<'_>,
    ) -> Result<usize, Errno> {
        self.update(state, now)?;
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        if state.finished {
            return Err(Errno::Pipe);
        }
        let room = state.output.room();
        if room == 0 {
            return Err(Errno::Again);
        }
        let sent = if self.stream {
            let mut room = room;
            buffers.drain(|bytes| {
                let taken = &bytes[..bytes.len().min(room)];
                for segment in taken.chunks(SEGMENT) {
                    state.output.push(now, segment.to_vec());
                }
                room -= taken.len();
                Ok(taken.len())
            })?
        } else {
            if buffers.len() >= DATAGRAM {
                return Err(Errno::Msgsize);
            }
            let mut datagram = Vec::with_capacity(buffers.len());
            let len = buffers.drain(|bytes| {
                datagram.extend_from_slice(bytes);
                Ok(bytes.len())
            })?;
            state.output.push(now, datagram);
            len
        };
        self.send(state, now);
        match state.broken {
            Broken::Untold => {
                state.broken = Broken::Told;
                Err(Errno::Connreset)
            }
            _ => Ok(sent),
        }
    }

    fn readable(&self, state: &mut State, now: u64) -> Readiness {
        match state.input.due() {
            None if state.ended => Readiness::Ready,
            None => self.file.readiness(Interest::Read),
            Some(due) if due <= now => Readiness::Ready,
            Some(due) => {
                // What arrives in the meantime must be seen when it does: its time counts from then.
                let more = !state.ended && state.input.room() > 0;
                let handle = more.then(|| handle(self.file.readiness(Interest::Read)));
                Readiness::NotBefore(due, handle.flatten())
            }
        }
    }

    fn writable(&self, state: &mut State, now: u64) -> Readiness {
        if state.finished || state.failed.is_some() || state.output.room() > 0 {
            return Readiness::Ready;
        }
        match state.output.due() {
            Some(due) if due > now => Readiness::NotBefore(due, None),
            // The real socket is full.
            _ => self.file.readiness(Interest::Write),
        }
    }
}

/// Copies slices into a buffer, as much as fits. `rest` is what of the last slice did not.
fn copy<'a>(
    slices: &mut impl Iterator<Item = &'a [u8]>,
    rest: &mut &'a [u8],
    buffer: &mut [u8],
) -> usize {
    let mut done = 0;
    while done < buffer.len() {
        if rest.is_empty() {
            match slices.next() {
                Some(slice) => *rest = slice,
                None => break,
            }
        }
        let len = rest.len().min(buffer.len() - done);
        let (now, later) = rest.split_at(len);
        buffer[done..done + len].copy_from_slice(now);
        *rest = later;
        done += len;
    }
    done
}

fn handle(readiness: Readiness) -> Option<i32> {
    match readiness {
        Readiness::Ask(handle) => Some(handle),
        Readiness::NotBefore(_, handle) => handle,
        Readiness::Ready => None,
    }
}

/// A socket as the guest has it.
pub(super) struct Socket {
    net: Arc<Net>,
    conn: Arc<Conn>,
}

impl Socket {
    /// The same socket, behind the network. A listener is as it was, but what it accepts is behind it.
    pub(super) fn wrap(net: &Arc<Net>, file: Box<dyn File>) -> Box<dyn File> {
        let stream = !matches!(file.filetype(), Ok(Filetype::SocketDgram));
        // Without a number it is one like the first: that is only if another thread holds the lock.
        let number = net.number().unwrap_or(0);
        let faults = net.faults;
        Box::new(Self {
            net: Arc::clone(net),
            conn: Arc::new(Conn {
                file,
                stream,
                state: Lock::new(State {
                    input: Queue::new(faults, stream, 2 * number),
                    output: Queue::new(faults, stream, 2 * number + 1),
                    ended: false,
                    finished: false,
                    failed: None,
                    broken: Broken::No,
                }),
            }),
        })
    }

    fn file(&self) -> &dyn File {
        &*self.conn.file
    }
}

impl File for Socket {
    fn filestat(&self) -> Result<Filestat, Errno> {
        self.file().filestat()
    }

    fn filetype(&self) -> Result<Filetype, Errno> {
        self.file().filetype()
    }

    fn is_seekable(&self) -> bool {
        self.file().is_seekable()
    }

    fn is_listener(&self) -> bool {
        self.file().is_listener()
    }

    fn read(&self, buffers: &mut ReadBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        let (len, _) = self.recv(buffers, Riflags::empty(), blocking)?;
        Ok(len)
    }

    fn write(&self, buffers: &mut WriteBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        self.send(buffers, blocking)
    }

    fn pread(
        &self,
        buffers: &mut ReadBuffers<'_>,
        offset: u64,
        blocking: Blocking,
    ) -> Result<usize, Errno> {
        self.file().pread(buffers, offset, blocking)
    }

    fn pwrite(
        &self,
        buffers: &mut WriteBuffers<'_>,
        offset: u64,
        blocking: Blocking,
    ) -> Result<usize, Errno> {
        self.file().pwrite(buffers, offset, blocking)
    }

    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        self.file().seek(offset, whence)
    }

    fn readiness(&self, interest: Interest) -> Readiness {
        if self.is_listener() {
            return self.file().readiness(interest);
        }
        let Ok(now) = self.net.now() else {
            // Without a clock the call itself fails.
            return Readiness::Ready;
        };
        let conn = &*self.conn;
        let readiness = conn.state.with(|state| {
            conn.send(state, now);
            conn.fill(state, now);
            if state.broken != Broken::No {
                return Ok(Readiness::Ready);
            }
            Ok(match interest {
                Interest::Read => conn.readable(state, now),
                Interest::Write => conn.writable(state, now),
            })
        });
        readiness.unwrap_or(Readiness::Ready)
    }

    fn available(&self) -> u64 {
        let Ok(now) = self.net.now() else { return 0 };
        let (conn, stream) = (&*self.conn, self.conn.stream);
        let bytes = conn.state.with(|state| {
            let slices = state.input.bytes(now).map(<[u8]>::len);
            // Of datagrams, the first.
            Ok(slices
                .take(if stream { usize::MAX } else { 1 })
                .sum::<usize>())
        });
        bytes.unwrap_or(0) as u64
    }

    fn set_append(&self, append: bool) -> Result<(), Errno> {
        self.file().set_append(append)
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        self.file().sync(data_only)
    }

    fn advise(&self, offset: u64, len: u64, advice: Advice) -> Result<(), Errno> {
        self.file().advise(offset, len, advice)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<(), Errno> {
        self.file().allocate(offset, len)
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.file().set_size(size)
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        self.file().set_times(times)
    }

    fn accept(&self, blocking: Blocking) -> Result<Box<dyn File>, Errno> {
        let accepted = self.file().accept(blocking)?;
        Ok(Self::wrap(&self.net, accepted))
    }

    fn recv(
        &self,
        buffers: &mut ReadBuffers<'_>,
        flags: Riflags,
        blocking: Blocking,
    ) -> Result<(usize, Roflags), Errno> {
        if self.is_listener() {
            return self.file().recv(buffers, flags, blocking);
        }
        let now = self.net.now()?;
        let conn = &*self.conn;
        conn.state
            .with(|state| conn.receive(state, now, buffers, flags))
    }

    fn send(&self, buffers: &mut WriteBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        if self.is_listener() {
            return self.file().send(buffers, blocking);
        }
        let now = self.net.now()?;
        let conn = &*self.conn;
        let (sent, later) = conn.state.with(|state| {
            let sent = conn.accept_bytes(state, now, buffers)?;
            Ok((sent, state.output.due().is_some()))
        })?;
        if later {
            self.net.sends(&self.conn)?;
        }
        Ok(sent)
    }

    fn shutdown(&self, how: Sdflags) -> Result<(), Errno> {
        if self.is_listener() {
            return self.file().shutdown(how);
        }
        let now = self.net.now()?;
        let conn = &*self.conn;
        let later = conn.state.with(|state| {
            if how.contains(Sdflags::RD) {
                conn.fill(state, now);
                conn.file.shutdown(Sdflags::RD)?;
                if !state.ended {
                    state.ended = true;
                    state.input.push_end(now, What::End);
                }
            }
            if how.contains(Sdflags::WR) && !state.finished {
                state.finished = true;
                state.output.push_end(now, What::End);
                conn.send(state, now);
                if let Some(error) = state.failed.take() {
                    return Err(error);
                }
            }
            Ok(state.output.due().is_some())
        })?;
        if later {
            self.net.sends(&self.conn)?;
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Errno> {
        // If something is still to be sent, the network has it, and closes it afterwards.
        let Self { conn, .. } = *self;
        Arc::into_inner(conn).map_or(Ok(()), |conn| conn.file.close())
    }
}
