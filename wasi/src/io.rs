//! Functions on an open descriptor: reading, writing, seeking, its attributes, closing.

use std::os::fd::{AsFd, BorrowedFd};

use crate::{
    WasiCtx,
    fd::{Descriptor, File, Object},
    guest::{self, Vectors},
    sys,
    types::{Errno, Fdflags, Filestat, Filetype, Rights},
};

/// As much as a pipe that is ready certainly takes without blocking.
const PIPE_CHUNK: usize = 4096;

pub(crate) fn fd_read(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    nread: u32,
) -> Result<(), Errno> {
    guest::check(mem, nread, 4)?;
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(Rights::FD_READ)?;
    let vectors = Vectors::for_read(mem, iovs, count)?;
    let read = match &descriptor.object {
        Object::File(file) if vectors.total() > 0 => {
            if must_not_block(descriptor, file) && !is_ready(file.fd.as_fd(), libc::POLLIN)? {
                return Err(Errno::Again);
            }
            blocking(descriptor, file, libc::POLLIN, || {
                // SAFETY: the vectors borrow the guest's memory mutably for as long as they live.
                unsafe { sys::readv(file.fd.as_fd(), vectors.as_slice()) }
            })?
        }
        _ => 0,
    };
    guest::write_u32(mem, nread, read as u32)
}

pub(crate) fn fd_write(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    nwritten: u32,
) -> Result<(), Errno> {
    guest::check(mem, nwritten, 4)?;
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(Rights::FD_WRITE)?;
    let mut vectors = Vectors::for_write(mem, iovs, count)?;
    let written = match &descriptor.object {
        Object::File(file) if vectors.total() > 0 => {
            if must_not_block(descriptor, file) && descriptor.filetype != Filetype::RegularFile {
                if !is_ready(file.fd.as_fd(), libc::POLLOUT)? {
                    return Err(Errno::Again);
                }
                vectors.limit(PIPE_CHUNK);
            }
            blocking(descriptor, file, libc::POLLOUT, || {
                // SAFETY: the vectors borrow the guest's memory for as long as they live.
                unsafe { sys::writev(file.fd.as_fd(), vectors.as_slice()) }
            })?
        }
        _ => vectors.total() as usize,
    };
    guest::write_u32(mem, nwritten, written as u32)
}

pub(crate) fn fd_pread(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    nread: u32,
) -> Result<(), Errno> {
    guest::check(mem, nread, 4)?;
    let file = positioned(ctx.fds.get(fd)?, Rights::FD_READ)?;
    let offset = i64::try_from(offset).map_err(|_| Errno::Inval)?;
    let vectors = Vectors::for_read(mem, iovs, count)?;
    let read = match vectors.total() {
        0 => 0,
        // SAFETY: the vectors borrow the guest's memory mutably for as long as they live.
        _ => unsafe { sys::preadv(file, vectors.as_slice(), offset) }?,
    };
    guest::write_u32(mem, nread, read as u32)
}

pub(crate) fn fd_pwrite(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    nwritten: u32,
) -> Result<(), Errno> {
    guest::check(mem, nwritten, 4)?;
    let file = positioned(ctx.fds.get(fd)?, Rights::FD_WRITE)?;
    let offset = i64::try_from(offset).map_err(|_| Errno::Inval)?;
    let vectors = Vectors::for_write(mem, iovs, count)?;
    let written = match vectors.total() {
        0 => 0,
        // SAFETY: the vectors borrow the guest's memory for as long as they live.
        _ => unsafe { sys::pwritev(file, vectors.as_slice(), offset) }?,
    };
    guest::write_u32(mem, nwritten, written as u32)
}

/// The host's descriptor for reading or writing at a position.
fn positioned(descriptor: &Descriptor, access: Rights) -> Result<BorrowedFd<'_>, Errno> {
    descriptor.require(access)?;
    seekable(descriptor, Rights::FD_SEEK)
}

/// The host's descriptor for asking or moving its offset. Where there can be no offset, the error says
/// so, and not that a right is missing.
fn seekable(descriptor: &Descriptor, right: Rights) -> Result<BorrowedFd<'_>, Errno> {
    match &descriptor.object {
        Object::Null => Err(Errno::Spipe),
        Object::Dir(_) => Err(Errno::Badf),
        Object::File(file) => {
            let fd = file.fd.as_fd();
            if descriptor.require(right).is_err() {
                sys::lseek(fd, 0, libc::SEEK_CUR)?;
                return Err(Errno::Notcapable);
            }
            Ok(fd)
        }
    }
}

/// Does the guest want no blocking on a file whose flags it may not change?
fn must_not_block(descriptor: &Descriptor, file: &File) -> bool {
    file.shared && descriptor.flags.contains(Fdflags::NONBLOCK)
}

/// Is the file ready for this at once?
fn is_ready(fd: BorrowedFd<'_>, events: i16) -> Result<bool, Errno> {
    wait(fd, events, Some(0))
}

/// Waits until the file is ready.
fn wait(fd: BorrowedFd<'_>, events: i16, timeout: Option<u64>) -> Result<bool, Errno> {
    use std::os::fd::AsRawFd;

    loop {
        let mut fds = [libc::pollfd {
            fd: fd.as_raw_fd(),
            events,
            revents: 0,
        }];
        match sys::poll(&mut fds, timeout) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::Intr) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes a call that blocks, also if somebody else has made the shared open file non-blocking.
fn blocking(
    descriptor: &Descriptor,
    file: &File,
    events: i16,
    mut call: impl FnMut() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno::Again) if file.shared && !must_not_block(descriptor, file) => {
                wait(file.fd.as_fd(), events, None)?;
            }
            result => return result,
        }
    }
}

pub(crate) fn fd_seek(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    offset: i64,
    whence: u32,
    new_offset: u32,
) -> Result<(), Errno> {
    guest::check(mem, new_offset, 8)?;
    let whence = match whence {
        0 => libc::SEEK_SET,
        1 => libc::SEEK_CUR,
        2 => libc::SEEK_END,
        _ => return Err(Errno::Inval),
    };
    let descriptor = ctx.fds.get(fd)?;
    let only_tells = whence == libc::SEEK_CUR && offset == 0;
    let right = if only_tells && descriptor.base.contains(Rights::FD_TELL) {
        Rights::FD_TELL
    } else {
        Rights::FD_SEEK
    };
    let file = seekable(descriptor, right)?;
    let new = sys::lseek(file, offset, whence)?;
    guest::write_u64(mem, new_offset, new)
}

pub(crate) fn fd_tell(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    offset: u32,
) -> Result<(), Errno> {
    guest::check(mem, offset, 8)?;
    let descriptor = ctx.fds.get(fd)?;
    // The right to seek includes this one.
    let right = if descriptor.base.contains(Rights::FD_SEEK) {
        Rights::FD_SEEK
    } else {
        Rights::FD_TELL
    };
    let now = sys::lseek(seekable(descriptor, right)?, 0, libc::SEEK_CUR)?;
    guest::write_u64(mem, offset, now)
}

pub(crate) fn fd_close(ctx: &mut WasiCtx, _mem: &mut [u8], fd: u32) -> Result<(), Errno> {
    match ctx.fds.remove(fd)?.object {
        Object::Null => Ok(()),
        Object::File(file) => sys::close(file.fd),
        Object::Dir(dir) => sys::close(dir.fd),
    }
}

pub(crate) fn fd_fdstat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    fdstat: u32,
) -> Result<(), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let mut bytes = [0; 24];
    bytes[0] = descriptor.filetype as u8;
    bytes[2..4].copy_from_slice(&descriptor.flags.bits().to_le_bytes());
    bytes[8..16].copy_from_slice(&descriptor.base.bits().to_le_bytes());
    bytes[16..24].copy_from_slice(&descriptor.inheriting.bits().to_le_bytes());
    guest::write(mem, fdstat, &bytes)
}

pub(crate) fn fd_fdstat_set_flags(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    flags: u32,
) -> Result<(), Errno> {
    let flags = Fdflags::from_arg(flags)?;
    let descriptor = ctx.fds.get_mut(fd)?;
    // How writes are synchronised can only be chosen when a file is opened.
    let changed = Fdflags::from_bits_truncate(flags.bits() ^ descriptor.flags.bits());
    match &descriptor.object {
        Object::Dir(_) => return Err(Errno::Badf),
        Object::Null => {}
        Object::File(file) => {
            descriptor.require(Rights::FD_FDSTAT_SET_FLAGS)?;
            let mut settable = Fdflags::NONBLOCK;
            if !file.shared {
                settable = settable | Fdflags::APPEND;
            }
            if changed.difference(settable) != Fdflags::empty() {
                return Err(Errno::Notsup);
            }
            // The flags of a shared open file are not the guest's alone: there, reads and writes take
            // care of this flag themselves.
            if !file.shared {
                let host = sys::status_flags(file.fd.as_fd())? & !settable.to_host();
                let wanted = flags.intersection(settable).to_host();
                sys::set_status_flags(file.fd.as_fd(), host | wanted)?;
            }
        }
    }
    descriptor.flags = flags;
    Ok(())
}

pub(crate) fn fd_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    filestat: u32,
) -> Result<(), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(Rights::FD_FILESTAT_GET)?;
    let mut stat = match descriptor.host() {
        Some(host) => sys::fstat(host)?,
        None => Filestat {
            dev: 0,
            ino: 0,
            filetype: Filetype::Unknown,
            nlink: 1,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        },
    };
    // It knows more: which kind of socket it is.
    stat.filetype = descriptor.filetype;
    guest::write(mem, filestat, &stat.to_bytes())
}

/// The guest's path for a descriptor that it had at its start.
fn preopen(ctx: &WasiCtx, fd: u32) -> Result<&[u8], Errno> {
    match &ctx.fds.get(fd)?.object {
        Object::Dir(dir) => dir.preopen.as_deref().ok_or(Errno::Badf),
        _ => Err(Errno::Badf),
    }
}

pub(crate) fn fd_prestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    prestat: u32,
) -> Result<(), Errno> {
    let len = u32::try_from(preopen(ctx, fd)?.len()).map_err(|_| Errno::Overflow)?;
    let mut bytes = [0; 8];
    // The tag in the first byte stays 0: a directory.
    bytes[4..8].copy_from_slice(&len.to_le_bytes());
    guest::write(mem, prestat, &bytes)
}

pub(crate) fn fd_prestat_dir_name(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let name = preopen(ctx, fd)?;
    if name.len() > path_len as usize {
        return Err(Errno::Nametoolong);
    }
    guest::write(mem, path, name)
}

#[cfg(test)]
mod tests;
