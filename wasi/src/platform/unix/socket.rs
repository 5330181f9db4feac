//! The host's calls on sockets, through libc.

use std::{
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use libc::c_int;

use super::sys::{count, iovecs, result};
use crate::{
    buffers::Buffer,
    platform::Blocking,
    types::{Errno, Riflags, Roflags, Sdflags},
};

/// An option of a socket that is one `int`.
fn option(fd: BorrowedFd<'_>, option: c_int) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and the option is one `int`, whose size is passed.
    let returned = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &mut len,
        )
    };
    (returned == 0).then_some(value)
}

/// Is it a socket of datagrams?
pub(super) fn is_datagram(fd: BorrowedFd<'_>) -> bool {
    option(fd, libc::SO_TYPE) == Some(libc::SOCK_DGRAM)
}

/// Does it accept connections?
pub(super) fn is_listener(fd: BorrowedFd<'_>) -> bool {
    option(fd, libc::SO_ACCEPTCONN).is_some_and(|value| value != 0)
}

/// Accepts a connection. The new socket does not block.
pub(super) fn accept(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        // SAFETY: the descriptor is open, and no address is wanted.
        let call = || unsafe {
            libc::accept4(
                fd.as_raw_fd(),
                core::ptr::null_mut(),
                core::ptr::null_mut(),
                libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            )
        };
        let fd = count(|| call() as isize)?;
        // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        use std::os::fd::AsFd;

        // SAFETY: the descriptor is open, and no address is wanted.
        let call = || unsafe {
            libc::accept(fd.as_raw_fd(), core::ptr::null_mut(), core::ptr::null_mut())
        };
        let fd = count(|| call() as isize)?;
        // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as c_int) };
        // SAFETY: the descriptor is open.
        result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        let flags = super::sys::status_flags(fd.as_fd())?;
        super::sys::set_status_flags(fd.as_fd(), flags | libc::O_NONBLOCK)?;
        Ok(fd)
    }
}

/// A message of these buffers and nothing else.
fn message(buffers: &[Buffer]) -> libc::msghdr {
    // SAFETY: a `msghdr` is integers and pointers, for which zero and null are values: no address, no
    // control data.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = iovecs(buffers).cast_mut();
    // At most 1,024, whatever the field's type.
    message.msg_iovlen = buffers.len() as _;
    message
}

/// The flag for a call that must not block.
fn blocking_flag(blocking: Blocking) -> c_int {
    match blocking {
        Blocking::Allowed => 0,
        Blocking::Forbidden => libc::MSG_DONTWAIT,
    }
}

/// Receives.
///
/// # Safety
/// Each buffer must be memory that may be written, borrowed for as long as the call lasts.
pub(super) unsafe fn recv(
    fd: BorrowedFd<'_>,
    buffers: &[Buffer],
    flags: Riflags,
    blocking: Blocking,
) -> Result<(usize, Roflags), Errno> {
    let mut host = blocking_flag(blocking);
    if flags.contains(Riflags::RECV_PEEK) {
        host |= libc::MSG_PEEK;
    }
    if flags.contains(Riflags::RECV_WAITALL) && blocking == Blocking::Allowed {
        host |= libc::MSG_WAITALL;
    }
    let mut message = message(buffers);
    // SAFETY: the descriptor is open, and the message is the caller's buffers alone.
    let received = count(|| unsafe { libc::recvmsg(fd.as_raw_fd(), &mut message, host) })?;
    let cut = message.msg_flags & libc::MSG_TRUNC != 0;
    let flags = if cut {
        Roflags::RECV_DATA_TRUNCATED
    } else {
        Roflags::empty()
    };
    Ok((received, flags))
}

/// Sends. A connection that has gone is `pipe`, and no signal.
///
/// # Safety
/// Each buffer must be memory that may be read, borrowed for as long as the call lasts.
pub(super) unsafe fn send(
    fd: BorrowedFd<'_>,
    buffers: &[Buffer],
    blocking: Blocking,
) -> Result<usize, Errno> {
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    let nosignal = 0;
    #[cfg(not(any(target_os = "macos", target_os = "ios")))]
    let nosignal = libc::MSG_NOSIGNAL;
    let flags = blocking_flag(blocking) | nosignal;
    let message = message(buffers);
    // SAFETY: the descriptor is open, and the message is the caller's buffers alone, which the host reads.
    count(|| unsafe { libc::sendmsg(fd.as_raw_fd(), &message, flags) })
}

/// Ends directions.
pub(super) fn shutdown(fd: BorrowedFd<'_>, how: Sdflags) -> Result<(), Errno> {
    let how = match (how.contains(Sdflags::RD), how.contains(Sdflags::WR)) {
        (true, true) => libc::SHUT_RDWR,
        (true, false) => libc::SHUT_RD,
        (false, true) => libc::SHUT_WR,
        (false, false) => return Err(Errno::Inval),
    };
    // SAFETY: the descriptor is open.
    result(unsafe { libc::shutdown(fd.as_raw_fd(), how) }).map(drop)
}
