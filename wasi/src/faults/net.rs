//! The network of one guest: its sockets that have something under way, and the platform whose waits send
//! it.
//!
//! What a guest sends is kept until its time, and the call returns at once, as with a host's own send
//! buffer. If the call waited instead, a guest could have only one piece under way at a time, and what it
//! sends would be slower the longer the delay is, which no network does. So somebody has to send it later,
//! while the guest does something else: that is whoever waits. All waits of a guest go through
//! [`Platform::wait`], so this one wakes up in between and sends. A guest that computes without end and
//! never calls WASI sends nothing late; it all leaves at its next call.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::task::Waker;

use super::{
    Faults,
    socket::{Conn, Next, Socket},
};
use crate::{
    platform::{Clock, File, Interest, Platform, Source},
    sync::Lock,
    types::Errno,
};

/// How long to wait, in nanoseconds, for a file that takes nothing and cannot be waited for.
const RETRY: u64 = 1_000_000;

/// Puts the faults between the sockets among these files and their guest.
pub(crate) fn apply(
    faults: Faults,
    platform: Box<dyn Platform>,
    files: Vec<Box<dyn File>>,
) -> (Box<dyn Platform>, Vec<Box<dyn File>>) {
    let platform = Arc::<dyn Platform>::from(platform);
    let net = Arc::new(Net {
        faults,
        platform: Arc::clone(&platform),
        state: Lock::new(State::default()),
    });
    let files = files
        .into_iter()
        .map(|file| match file.filetype() {
            Ok(filetype) if filetype.is_socket() => Socket::wrap(&net, file),
            _ => file,
        })
        .collect();
    (Box::new(Waits { platform, net }), files)
}

/// What the sockets of a guest share.
pub(super) struct Net {
    pub(super) faults: Faults,
    platform: Arc<dyn Platform>,
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    /// How many sockets there were.
    sockets: u64,
    /// Those that have something to send; also when their guest has closed them.
    sending: Vec<Arc<Conn>>,
}

impl Net {
    pub(super) fn now(&self) -> Result<u64, Errno> {
        self.platform.now(Clock::Monotonic)
    }

    /// The number of a new socket.
    pub(super) fn number(&self) -> Result<u64, Errno> {
        self.state.with(|state| {
            state.sockets += 1;
            Ok(state.sockets)
        })
    }

    /// This one has something to send later.
    pub(super) fn sends(&self, conn: &Arc<Conn>) -> Result<(), Errno> {
        self.state.with(|state| {
            if !state.sending.iter().any(|other| Arc::ptr_eq(other, conn)) {
                state.sending.push(Arc::clone(conn));
            }
            Ok(())
        })
    }

    /// Sends what has come to its time. When is the next time, and what has to become writable first?
    fn send_due(&self) -> Result<(Option<u64>, Vec<Source>), Errno> {
        self.state.with(|state| {
            let (mut next, mut blocked) = (None::<u64>, Vec::new());
            if state.sending.is_empty() {
                return Ok((next, blocked));
            }
            let now = self.now()?;
            let mut earliest = |time: u64| next = Some(next.map_or(time, |next| next.min(time)));
            state.sending.retain(|conn| match conn.send_due(now) {
                Ok(Next::Idle) => false,
                Ok(Next::At(time)) => {
                    earliest(time);
                    true
                }
                Ok(Next::Blocked(Some(handle))) => {
                    blocked.push(Source::new(handle, Interest::Write));
                    true
                }
                Ok(Next::Blocked(None)) | Err(_) => {
                    earliest(now.saturating_add(RETRY));
                    true
                }
            });
            Ok((next, blocked))
        })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // The guest has ended. What it has sent leaves now, though early: later nobody would be there to
        // send it. What the host does not take is lost.
        let _ = self.state.with(|state| {
            for conn in state.sending.drain(..) {
                let _ = conn.send_due(u64::MAX);
            }
            Ok(())
        });
    }
}

/// A platform whose waits send what is due.
struct Waits {
    platform: Arc<dyn Platform>,
    net: Arc<Net>,
}

impl Platform for Waits {
    fn now(&self, clock: Clock) -> Result<u64, Errno> {
        self.platform.now(clock)
    }

    fn resolution(&self, clock: Clock) -> Result<u64, Errno> {
        self.platform.resolution(clock)
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), Errno> {
        self.platform.random(buffer)
    }

    fn yield_now(&self) {
        self.platform.yield_now();
    }

    /// One wait of the platform, which ends when there is something to send: the caller waits again.
    fn wait(&self, sources: &mut [Source], timeout: Option<u64>) -> Result<(), Errno> {
        let (next, blocked) = self.net.send_due()?;
        let mut shorter = timeout;
        if let Some(time) = next {
            let left = time.saturating_sub(self.net.now()?);
            shorter = Some(timeout.map_or(left, |timeout| timeout.min(left)));
        }
        if blocked.is_empty() {
            self.platform.wait(sources, shorter)?;
        } else {
            let mut all = sources.to_vec();
            all.extend(blocked);
            self.platform.wait(&mut all, shorter)?;
            sources.copy_from_slice(&all[..sources.len()]);
        }
        self.net.send_due().map(drop)
    }

    fn waker(&self) -> Option<Waker> {
        self.platform.waker()
    }
}
