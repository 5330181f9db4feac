//! What an open descriptor is: its type, flags, rights and attributes.

use crate::{
    WasiCtx,
    audit::{Denial, Stop},
    fd::Object,
    guest,
    types::{DirPerms, Errno, Fdflags, FilePerms, Filestat, Rights, Times},
};

/// The tags of `preopentype`. The interface knows only directories; runtimes of languages skip what has
/// another one, and end their search where there is no descriptor.
const PREOPEN_DIR: u8 = 0;
const PREOPEN_OTHER: u8 = 1;

pub(crate) fn fd_fdstat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    fdstat: u32,
) -> Result<(), Stop> {
    let descriptor = ctx.fds.get(fd)?;
    let mut bytes = [0; 24];
    bytes[0] = descriptor.filetype as u8;
    bytes[2..4].copy_from_slice(&descriptor.flags.bits().to_le_bytes());
    bytes[8..16].copy_from_slice(&descriptor.base.bits().to_le_bytes());
    bytes[16..24].copy_from_slice(&descriptor.inheriting.bits().to_le_bytes());
    Ok(guest::write(mem, fdstat, &bytes)?)
}

pub(crate) fn fd_fdstat_set_flags(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    flags: u32,
) -> Result<(), Stop> {
    let flags = Fdflags::from_arg(flags)?;
    let descriptor = ctx.fds.get_mut(fd)?;
    let changed = Fdflags::from_bits_truncate(flags.bits() ^ descriptor.flags.bits());
    let settable = Fdflags::NONBLOCK | Fdflags::APPEND;
    if changed.difference(settable) != Fdflags::empty() {
        // How writes are synchronised can only be chosen when a file is opened.
        return Err(Errno::Notsup.into());
    }
    match &descriptor.object {
        Object::Dir(_) => return Err(Errno::Badf.into()),
        Object::File(file) if changed.contains(Fdflags::APPEND) => {
            file.set_append(flags.contains(Fdflags::APPEND))?;
        }
        // Reads and writes take care of the other flag themselves.
        Object::File(_) => {}
    }
    descriptor.flags = flags;
    Ok(())
}

pub(crate) fn fd_fdstat_set_rights(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Result<(), Stop> {
    let descriptor = ctx.fds.get_mut(fd)?;
    let more = base & !descriptor.base.bits() | inheriting & !descriptor.inheriting.bits();
    if more != 0 {
        return Err(Stop::denied(Errno::Notcapable, Denial::Rights));
    }
    descriptor.base = Rights::from_bits_truncate(base);
    descriptor.inheriting = Rights::from_bits_truncate(inheriting);
    Ok(())
}

/// The attributes of what a descriptor refers to.
pub(crate) fn filestat(ctx: &WasiCtx, fd: u32) -> Result<Filestat, Stop> {
    Ok(match &ctx.fds.get(fd)?.object {
        Object::File(file) => file.filestat()?,
        Object::Dir(dir) => dir.dir.filestat()?,
    })
}

pub(crate) fn fd_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    out: u32,
) -> Result<(), Stop> {
    let stat = filestat(ctx, fd)?;
    Ok(guest::write(mem, out, &stat.to_bytes())?)
}

pub(crate) fn fd_filestat_set_size(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    size: u64,
) -> Result<(), Stop> {
    let descriptor = ctx.fds.get(fd)?;
    let file = descriptor.as_file()?;
    if i64::try_from(size).is_err() {
        return Err(Errno::Inval.into());
    }
    if descriptor.permits(FilePerms::WRITE).is_err() {
        // As of what is not open for writing, also if the host has it open so.
        return Err(Errno::Inval.into());
    }
    let more = size.saturating_sub(file.filestat()?.size);
    ctx.budget.check_bytes(more)?;
    file.set_size(size)?;
    ctx.budget.wrote(more);
    Ok(())
}

pub(crate) fn fd_filestat_set_times(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Result<(), Stop> {
    let times = Times::from_args(atim, mtim, flags)?;
    let descriptor = ctx.fds.get(fd)?;
    match &descriptor.object {
        Object::File(file) => {
            // The host does not ask how the file was opened.
            descriptor.permits(FilePerms::WRITE)?;
            file.set_times(times)?;
        }
        Object::Dir(dir) => {
            dir.permits(DirPerms::MUTATE)?;
            dir.dir.set_times(times)?;
        }
    }
    Ok(())
}

pub(crate) fn fd_prestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    prestat: u32,
) -> Result<(), Stop> {
    let descriptor = ctx.fds.get(fd)?;
    let mut bytes = [0; 8];
    match &descriptor.object {
        Object::Dir(dir) => {
            let name = dir.preopen.as_deref().ok_or(Errno::Badf)?;
            let len = u32::try_from(name.len()).map_err(|_| Errno::Overflow)?;
            bytes[0] = PREOPEN_DIR;
            bytes[4..8].copy_from_slice(&len.to_le_bytes());
        }
        Object::File(_) if descriptor.preopened => bytes[0] = PREOPEN_OTHER,
        Object::File(_) => return Err(Errno::Badf.into()),
    }
    Ok(guest::write(mem, prestat, &bytes)?)
}

pub(crate) fn fd_prestat_dir_name(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Stop> {
    let name = match &ctx.fds.get(fd)?.object {
        Object::Dir(dir) => dir.preopen.as_deref().ok_or(Errno::Badf)?,
        Object::File(_) => return Err(Errno::Badf.into()),
    };
    if name.len() > path_len as usize {
        return Err(Errno::Nametoolong.into());
    }
    Ok(guest::write(mem, path, name)?)
}
