//! Reading, writing and seeking on an open descriptor, and closing it.

use crate::{
    WasiCtx,
    audit::Stop,
    buffers::{ReadBuffers, WriteBuffers},
    fd::{Descriptor, Object},
    guest,
    platform::{Blocking, File, Interest},
    types::{Advice, Errno, FilePerms, Rights, Whence},
};

/// The most bytes that a call moves which is to be interruptible: files are fast, but not infinitely so.
const MAX_TRANSFER: usize = 1 << 20;

/// The status of a Unix program that the signal `SIGPIPE` has ended, as a shell tells it.
const SIGPIPE_STATUS: i32 = 128 + 13;

/// Reads into the guest's buffers: from the descriptor's own offset, or from another one.
fn read(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    (iovs, count): (u32, u32),
    offset: Option<u64>,
    nread: u32,
) -> Result<(), Stop> {
    guest::check(mem, nread, 4)?;
    let descriptor = ctx.fds.get(fd)?;
    let file = file_for(descriptor, offset)?;
    let mut buffers = ReadBuffers::new(mem, iovs, count)?;
    check_offset(offset)?;
    let read = match buffers.len() {
        0 => 0,
        _ => {
            if ctx.blocking == Blocking::Forbidden {
                buffers.limit(MAX_TRANSFER);
            }
            let blocking = descriptor.blocking(ctx.blocking);
            let result = match offset {
                None => file.read(&mut buffers, blocking),
                Some(offset) => file.pread(&mut buffers, offset, blocking),
            };
            if descriptor.must_wait(&result) {
                return Err(ctx.parked.on(file, Interest::Read));
            }
            result?
        }
    };
    Ok(guest::write_u32(mem, nread, read as u32)?)
}

/// Writes from the guest's buffers: at the descriptor's own offset, or at another one.
fn write(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    (iovs, count): (u32, u32),
    offset: Option<u64>,
    nwritten: u32,
) -> Result<(), Stop> {
    guest::check(mem, nwritten, 4)?;
    let descriptor = ctx.fds.get(fd)?;
    let file = file_for(descriptor, offset)?;
    let mut buffers = WriteBuffers::new(mem, iovs, count)?;
    check_offset(offset)?;
    let written = match buffers.len() {
        0 => 0,
        wanted => {
            buffers.limit(ctx.budget.writable(wanted)?);
            if ctx.blocking == Blocking::Forbidden {
                buffers.limit(MAX_TRANSFER);
            }
            let blocking = descriptor.blocking(ctx.blocking);
            let result = match offset {
                None => file.write(&mut buffers, blocking),
                Some(offset) => file.pwrite(&mut buffers, offset, blocking),
            };
            if descriptor.must_wait(&result) {
                return Err(ctx.parked.on(file, Interest::Write));
            }
            if result == Err(Errno::Pipe) && ctx.sigpipe && matches!(fd, 1 | 2) {
                return Err(Stop::Exit(SIGPIPE_STATUS));
            }
            result?
        }
    };
    ctx.budget.wrote(written as u64);
    Ok(guest::write_u32(mem, nwritten, written as u32)?)
}

pub(crate) fn fd_read(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    nread: u32,
) -> Result<(), Stop> {
    read(ctx, mem, fd, (iovs, count), None, nread)
}

pub(crate) fn fd_write(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    nwritten: u32,
) -> Result<(), Stop> {
    write(ctx, mem, fd, (iovs, count), None, nwritten)
}

pub(crate) fn fd_pread(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    nread: u32,
) -> Result<(), Stop> {
    read(ctx, mem, fd, (iovs, count), Some(offset), nread)
}

pub(crate) fn fd_pwrite(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    nwritten: u32,
) -> Result<(), Stop> {
    write(ctx, mem, fd, (iovs, count), Some(offset), nwritten)
}

/// The file to read or write, which must have offsets if one was given.
fn file_for(descriptor: &Descriptor, offset: Option<u64>) -> Result<&dyn File, Stop> {
    match offset {
        None => Ok(descriptor.as_file()?),
        Some(_) => seekable(descriptor, Rights::FD_SEEK),
    }
}

/// An offset is signed on every host.
fn check_offset(offset: Option<u64>) -> Result<(), Errno> {
    match offset {
        Some(offset) if i64::try_from(offset).is_err() => Err(Errno::Inval),
        _ => Ok(()),
    }
}

/// The file for asking or moving its offset. Where there can be no offset, the error says so, and not that a
/// right is missing.
fn seekable(descriptor: &Descriptor, right: Rights) -> Result<&dyn File, Stop> {
    let file = descriptor.as_file()?;
    if !file.is_seekable() {
        return Err(Errno::Spipe.into());
    }
    descriptor.require(right)?;
    Ok(file)
}

pub(crate) fn fd_seek(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    offset: i64,
    whence: u32,
    new_offset: u32,
) -> Result<(), Stop> {
    guest::check(mem, new_offset, 8)?;
    let whence = Whence::from_arg(whence)?;
    let descriptor = ctx.fds.get(fd)?;
    let only_tells = whence == Whence::Cur && offset == 0;
    let right = if only_tells && descriptor.base.contains(Rights::FD_TELL) {
        Rights::FD_TELL
    } else {
        Rights::FD_SEEK
    };
    let new = seekable(descriptor, right)?.seek(offset, whence)?;
    Ok(guest::write_u64(mem, new_offset, new)?)
}

pub(crate) fn fd_tell(ctx: &mut WasiCtx, mem: &mut [u8], fd: u32, offset: u32) -> Result<(), Stop> {
    guest::check(mem, offset, 8)?;
    let descriptor = ctx.fds.get(fd)?;
    // The right to seek includes this one.
    let right = if descriptor.base.contains(Rights::FD_SEEK) {
        Rights::FD_SEEK
    } else {
        Rights::FD_TELL
    };
    let now = seekable(descriptor, right)?.seek(0, Whence::Cur)?;
    Ok(guest::write_u64(mem, offset, now)?)
}

/// Closes what was taken out of the table.
fn close(descriptor: Descriptor) -> Result<(), Errno> {
    match descriptor.object {
        Object::File(file) => file.close(),
        Object::Dir(_) => Ok(()),
    }
}

pub(crate) fn fd_close(ctx: &mut WasiCtx, _mem: &mut [u8], fd: u32) -> Result<(), Stop> {
    Ok(close(ctx.fds.remove(fd)?)?)
}

pub(crate) fn fd_renumber(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    to: u32,
) -> Result<(), Stop> {
    if let Some(replaced) = ctx.fds.renumber(fd, to)? {
        // As with `dup2`, nobody learns what closing it says.
        let _ = close(replaced);
    }
    Ok(())
}

/// Waits until what the descriptor refers to is on its device.
fn sync(ctx: &WasiCtx, fd: u32, data_only: bool) -> Result<(), Stop> {
    match &ctx.fds.get(fd)?.object {
        Object::File(file) => file.sync(data_only)?,
        Object::Dir(dir) => dir.dir.sync(data_only)?,
    }
    Ok(())
}

pub(crate) fn fd_sync(ctx: &mut WasiCtx, _mem: &mut [u8], fd: u32) -> Result<(), Stop> {
    sync(ctx, fd, false)
}

pub(crate) fn fd_datasync(ctx: &mut WasiCtx, _mem: &mut [u8], fd: u32) -> Result<(), Stop> {
    sync(ctx, fd, true)
}

pub(crate) fn fd_advise(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Result<(), Stop> {
    let advice = Advice::from_arg(advice)?;
    Ok(ctx.fds.file(fd)?.advise(offset, len, advice)?)
}

pub(crate) fn fd_allocate(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    offset: u64,
    len: u64,
) -> Result<(), Stop> {
    let descriptor = ctx.fds.get(fd)?;
    let file = descriptor.as_file()?;
    if len == 0 {
        return Err(Errno::Inval.into());
    }
    if descriptor.permits(FilePerms::WRITE).is_err() {
        // As of what is not open for writing, also if the host has it open so.
        return Err(Errno::Badf.into());
    }
    // All of it: where the file had a hole, there will be none.
    offset.checked_add(len).ok_or(Errno::Fbig)?;
    ctx.budget.check_bytes(len)?;
    file.allocate(offset, len)?;
    ctx.budget.wrote(len);
    Ok(())
}

#[cfg(test)]
mod tests;
