//! Waiting for descriptors, and what ends a wait from another thread.

use std::{
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{Arc, OnceLock},
    task::{Wake, Waker},
};

use super::sys;
use crate::{
    platform::{Interest, Source},
    types::Errno,
};

/// So many descriptors are waited for without an allocation.
const INLINE: usize = 8;

/// What ends a wait: a pipe that has a byte in it, or where there are such, an event descriptor.
pub(super) struct Bell {
    /// Becomes readable.
    ear: OwnedFd,
    /// Is written to; `None` if it is the same.
    hammer: Option<OwnedFd>,
}

impl Bell {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn new() -> Result<Self, Errno> {
        // SAFETY: the call takes no addresses.
        let fd = sys::result(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        Ok(Self {
            // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
            ear: unsafe { OwnedFd::from_raw_fd(fd) },
            hammer: None,
        })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn new() -> Result<Self, Errno> {
        use std::os::fd::AsFd;

        let mut fds = [0; 2];
        // SAFETY: the array has the two elements that the call writes.
        sys::result(unsafe { libc::pipe(fds.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so these are new descriptors that nobody else owns.
        let (ear, hammer) = unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) };
        for fd in [&ear, &hammer] {
            // SAFETY: the descriptor is open.
            sys::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
            let flags = sys::status_flags(fd.as_fd())?;
            sys::set_status_flags(fd.as_fd(), flags | libc::O_NONBLOCK)?;
        }
        Ok(Self {
            ear,
            hammer: Some(hammer),
        })
    }

    /// Makes it silent again.
    fn silence(&self) {
        let mut buffer = [0_u8; 64];
        // SAFETY: the descriptor is open, and the buffer has the length that is passed. If there is nothing
        // to read, it is silent already.
        while unsafe { libc::read(self.ear.as_raw_fd(), buffer.as_mut_ptr().cast(), 64) } == 64 {}
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let fd = self.hammer.as_ref().unwrap_or(&self.ear);
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the descriptor is open, and the buffer has the length that is passed. If there is no room,
        // it rings already.
        unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// A bell that is made when it is first needed.
#[derive(Default)]
pub(super) struct LazyBell(OnceLock<Option<Arc<Bell>>>);

impl LazyBell {
    pub(super) fn waker(&self) -> Option<Waker> {
        let bell = self.0.get_or_init(|| Bell::new().ok().map(Arc::new));
        bell.clone().map(Waker::from)
    }

    fn get(&self) -> Option<&Bell> {
        self.0.get().and_then(Option::as_deref)
    }
}

/// See [`Platform::wait`](crate::platform::Platform::wait).
pub(super) fn wait(
    bell: &LazyBell,
    sources: &mut [Source],
    timeout: Option<u64>,
) -> Result<(), Errno> {
    let bell = bell.get();
    let empty = libc::pollfd {
        fd: -1,
        events: 0,
        revents: 0,
    };
    let mut inline = [empty; INLINE];
    let mut heap = Vec::new();
    let count = sources.len() + usize::from(bell.is_some());
    let fds = match inline.get_mut(..count) {
        Some(fds) => fds,
        None => {
            heap.resize(count, empty);
            &mut heap[..]
        }
    };
    for (fd, source) in fds.iter_mut().zip(&*sources) {
        fd.fd = source.handle;
        fd.events = events(source.interest);
    }
    if let (Some(bell), Some(last)) = (bell, fds.last_mut()) {
        last.fd = bell.ear.as_raw_fd();
        last.events = libc::POLLIN;
    }
    match sys::poll(fds, timeout) {
        Ok(_) => {}
        // A signal may be what wants to end the wait: the caller looks.
        Err(Errno::Intr) => return Ok(()),
        Err(error) => return Err(error),
    }
    if let (Some(bell), Some(last)) = (bell, fds.last())
        && last.revents != 0
    {
        bell.silence();
    }
    for (source, fd) in sources.iter_mut().zip(&*fds) {
        source.ready = fd.revents != 0;
        source.hangup = fd.revents & (libc::POLLHUP | libc::POLLERR) != 0;
        source.invalid = fd.revents & libc::POLLNVAL != 0;
    }
    Ok(())
}

/// What to ask the host for.
pub(super) fn events(interest: Interest) -> i16 {
    match interest {
        Interest::Read => libc::POLLIN,
        Interest::Write => libc::POLLOUT,
    }
}
