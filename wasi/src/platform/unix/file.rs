//! Open files of the host: regular files, pipes, terminals, devices.
//!
//! Sockets are in `socket.rs`. Whether a call may block is the caller's choice at each call, and not a flag
//! of the host's open file, which others may share.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{
    socket, sys,
    words::{fdflags_from_host, fdflags_to_host},
};
use crate::{
    buffers::{ReadBuffers, WriteBuffers},
    platform::{Blocking, File, Interest, Readiness},
    types::{Advice, Errno, Fdflags, Filestat, Filetype, Riflags, Roflags, Sdflags, Times, Whence},
};

/// As much as a pipe that is ready certainly takes without blocking.
const PIPE_CHUNK: usize = 4096;

/// An open file of the host, or anything else that a descriptor stands for, but no directory.
#[derive(Debug)]
pub struct HostFile {
    fd: OwnedFd,
    filetype: Filetype,
    seekable: bool,
    listener: bool,
    /// Do others use this open file too, as with the standard streams? Its host flags are theirs, then.
    shared: bool,
}

impl HostFile {
    /// A file that others use as well, such as a standard stream.
    ///
    /// # Errors
    /// If the host cannot tell what it is.
    pub fn shared(fd: OwnedFd) -> Result<Self, Errno> {
        let filetype = sys::fstat(fd.as_fd())?.filetype;
        Ok(Self {
            shared: true,
            ..Self::owned(fd, filetype)
        })
    }

    /// A socket that nobody else uses.
    ///
    /// # Errors
    /// `notsock` if it is none.
    pub fn socket(fd: OwnedFd) -> Result<Self, Errno> {
        let filetype = sys::fstat(fd.as_fd())?.filetype;
        if !filetype.is_socket() {
            return Err(Errno::Notsock);
        }
        // A connection may have gone between the answer that it is there and the call that accepts it.
        let flags = sys::status_flags(fd.as_fd())?;
        sys::set_status_flags(fd.as_fd(), flags | libc::O_NONBLOCK)?;
        Ok(Self::owned(fd, filetype))
    }

    /// A file of this type that nobody else uses.
    pub(super) fn owned(fd: OwnedFd, mut filetype: Filetype) -> Self {
        let (mut seekable, mut listener) = (false, false);
        match filetype {
            Filetype::RegularFile => seekable = true,
            Filetype::SocketStream => {
                if socket::is_datagram(fd.as_fd()) {
                    filetype = Filetype::SocketDgram;
                } else {
                    listener = socket::is_listener(fd.as_fd());
                }
            }
            // Guests recognise a terminal by a character device in which they cannot seek.
            Filetype::CharacterDevice if sys::is_terminal(fd.as_fd()) => {}
            _ => seekable = sys::lseek(fd.as_fd(), 0, libc::SEEK_CUR).is_ok(),
        }
        Self {
            fd,
            filetype,
            seekable,
            listener,
            shared: false,
        }
    }

    /// The flags that it was opened with.
    ///
    /// # Errors
    /// The host's.
    pub fn fdflags(&self) -> Result<Fdflags, Errno> {
        sys::status_flags(self.fd()).map(fdflags_from_host)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Does it never make anybody wait, as far as the host tells?
    fn is_always_ready(&self) -> bool {
        matches!(self.filetype, Filetype::RegularFile | Filetype::BlockDevice)
    }

    /// Fails with `again` unless the host says that the file is ready.
    fn check_ready(&self, interest: Interest) -> Result<(), Errno> {
        if self.is_always_ready() || sys::is_ready(self.fd(), interest)? {
            Ok(())
        } else {
            Err(Errno::Again)
        }
    }

    /// Makes a call; waits and repeats it if the open file does not block but the call may.
    fn call<R>(
        &self,
        interest: Interest,
        blocking: Blocking,
        mut call: impl FnMut() -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        loop {
            match call() {
                Err(Errno::Again) if blocking == Blocking::Allowed => {
                    sys::wait_for(self.fd(), interest)?;
                }
                result => return result,
            }
        }
    }
}

impl File for HostFile {
    fn filestat(&self) -> Result<Filestat, Errno> {
        let stat = sys::fstat(self.fd())?;
        // It knows more: which kind of socket it is.
        let filetype = self.filetype;
        Ok(Filestat { filetype, ..stat })
    }

    fn filetype(&self) -> Result<Filetype, Errno> {
        Ok(self.filetype)
    }

    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn is_listener(&self) -> bool {
        self.listener
    }

    fn read(&self, buffers: &mut ReadBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        if self.filetype.is_socket() {
            return self
                .recv(buffers, Riflags::empty(), blocking)
                .map(|(n, _)| n);
        }
        if blocking == Blocking::Forbidden {
            self.check_ready(Interest::Read)?;
        } else if !self.shared && self.filetype == Filetype::Unknown {
            // A named pipe that nobody writes to yet would be at its end.
            sys::wait_for(self.fd(), Interest::Read)?;
        }
        self.call(Interest::Read, blocking, || {
            // SAFETY: the buffers borrow the guest's memory mutably for as long as they live.
            unsafe { sys::readv(self.fd(), buffers.as_slice()) }
        })
    }

    fn write(&self, buffers: &mut WriteBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        if self.filetype.is_socket() {
            return self.send(buffers, blocking);
        }
        if blocking == Blocking::Forbidden && !self.is_always_ready() {
            self.check_ready(Interest::Write)?;
            buffers.limit(PIPE_CHUNK);
        }
        self.call(Interest::Write, blocking, || {
            // SAFETY: the buffers borrow the guest's memory for as long as they live.
            unsafe { sys::writev(self.fd(), buffers.as_slice()) }
        })
    }

    fn pread(
        &self,
        buffers: &mut ReadBuffers<'_>,
        offset: u64,
        blocking: Blocking,
    ) -> Result<usize, Errno> {
        let offset = i64::try_from(offset).map_err(|_| Errno::Inval)?;
        // Devices with offsets may wait all the same: the kernel's log does.
        if blocking == Blocking::Forbidden {
            self.check_ready(Interest::Read)?;
        }
        self.call(Interest::Read, blocking, || {
            // SAFETY: the buffers borrow the guest's memory mutably for as long as they live.
            unsafe { sys::preadv(self.fd(), buffers.as_slice(), offset) }
        })
    }

    fn pwrite(
        &self,
        buffers: &mut WriteBuffers<'_>,
        offset: u64,
        blocking: Blocking,
    ) -> Result<usize, Errno> {
        let offset = i64::try_from(offset).map_err(|_| Errno::Inval)?;
        if blocking == Blocking::Forbidden {
            self.check_ready(Interest::Write)?;
        }
        self.call(Interest::Write, blocking, || {
            // SAFETY: the buffers borrow the guest's memory for as long as they live.
            unsafe { sys::pwritev(self.fd(), buffers.as_slice(), offset) }
        })
    }

    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let whence = match whence {
            Whence::Set => libc::SEEK_SET,
            Whence::Cur => libc::SEEK_CUR,
            Whence::End => libc::SEEK_END,
        };
        sys::lseek(self.fd(), offset, whence)
    }

    fn readiness(&self, _interest: Interest) -> Readiness {
        // Not all hosts' `poll` knows regular files.
        if self.is_always_ready() {
            Readiness::Ready
        } else {
            Readiness::Ask(self.fd.as_raw_fd())
        }
    }

    fn available(&self) -> u64 {
        if self.filetype != Filetype::RegularFile {
            return sys::readable_bytes(self.fd());
        }
        let size = sys::fstat(self.fd()).map_or(0, |stat| stat.size);
        let offset = sys::lseek(self.fd(), 0, libc::SEEK_CUR).unwrap_or(0);
        size.saturating_sub(offset)
    }

    fn set_append(&self, append: bool) -> Result<(), Errno> {
        if self.shared {
            return Err(Errno::Notsup);
        }
        let bit = fdflags_to_host(Fdflags::APPEND);
        let others = sys::status_flags(self.fd())? & !bit;
        sys::set_status_flags(self.fd(), if append { others | bit } else { others })
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        match sys::fsync(self.fd(), data_only) {
            // A pipe or a terminal has no device to wait for.
            Err(Errno::Inval) if self.filetype != Filetype::RegularFile => Ok(()),
            result => result,
        }
    }

    fn advise(&self, offset: u64, len: u64, advice: Advice) -> Result<(), Errno> {
        sys::fadvise(self.fd(), offset, len, advice)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<(), Errno> {
        sys::fallocate(self.fd(), offset, len)
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        sys::ftruncate(self.fd(), size)
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        sys::futimens(self.fd(), times)
    }

    fn accept(&self, blocking: Blocking) -> Result<Box<dyn File>, Errno> {
        if !self.filetype.is_socket() {
            return Err(Errno::Notsock);
        }
        if self.shared && blocking == Blocking::Forbidden {
            self.check_ready(Interest::Read)?;
        }
        let fd = self.call(Interest::Read, blocking, || socket::accept(self.fd()))?;
        Ok(Box::new(Self::owned(fd, self.filetype)))
    }

    fn recv(
        &self,
        buffers: &mut ReadBuffers<'_>,
        flags: Riflags,
        blocking: Blocking,
    ) -> Result<(usize, Roflags), Errno> {
        if !self.filetype.is_socket() {
            return Err(Errno::Notsock);
        }
        self.call(Interest::Read, blocking, || {
            // SAFETY: the buffers borrow the guest's memory mutably for as long as they live.
            unsafe { socket::recv(self.fd(), buffers.as_slice(), flags, blocking) }
        })
    }

    fn send(&self, buffers: &mut WriteBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        if !self.filetype.is_socket() {
            return Err(Errno::Notsock);
        }
        self.call(Interest::Write, blocking, || {
            // SAFETY: the buffers borrow the guest's memory for as long as they live.
            unsafe { socket::send(self.fd(), buffers.as_slice(), blocking) }
        })
    }

    fn shutdown(&self, how: Sdflags) -> Result<(), Errno> {
        if !self.filetype.is_socket() {
            return Err(Errno::Notsock);
        }
        socket::shutdown(self.fd(), how)
    }

    fn close(self: Box<Self>) -> Result<(), Errno> {
        sys::close(self.fd)
    }
}
