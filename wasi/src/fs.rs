//! Functions on paths.
//!
//! Each resolves its path in [`crate::path`], asks for the descriptor's rights and the host's
//! permissions, and then makes one call on a directory's descriptor and a name, which follows no link.
//!
//! A path is bytes to these functions, as it is to the hosts: one that is not UTF-8 is passed on, so that
//! a guest can open whatever name it was shown.

use std::os::fd::AsFd;

use crate::{
    WasiCtx,
    fd::{Descriptor, Dir, File},
    guest,
    path::{self, Last, Place},
    sys,
    types::{DirPerms, Errno, Fdflags, FilePerms, Filestat, Filetype, Lookupflags, Oflags, Rights},
};

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_open(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    dirflags: u32,
    path: u32,
    path_len: u32,
    oflags: u32,
    rights_base: u64,
    rights_inheriting: u64,
    fdflags: u32,
    opened: u32,
) -> Result<(), Errno> {
    // What may be inherited is what the directory lets inherit; see the head of `fd.rs`.
    let _ = rights_inheriting;
    guest::check(mem, opened, 4)?;
    let follow = Lookupflags::from_arg(dirflags)?.contains(Lookupflags::SYMLINK_FOLLOW);
    let oflags = Oflags::from_arg(oflags)?;
    let fdflags = Fdflags::from_arg(fdflags)?;
    let access = Rights::from_bits_truncate(rights_base).intersection(Rights::READ_WRITE);
    let path = guest::bytes(mem, path, path_len)?;

    let parent = ctx.fds.get(fd)?;
    let mut needed = Rights::PATH_OPEN;
    if oflags.contains(Oflags::CREAT) {
        needed = needed | Rights::PATH_CREATE_FILE;
    }
    if oflags.contains(Oflags::TRUNC) {
        needed = needed | Rights::PATH_FILESTAT_SET_SIZE;
    }
    let dir = parent.as_dir(needed)?;
    if !parent.inheriting.contains(access) {
        return Err(Errno::Notcapable);
    }
    permit_open(dir, oflags, access)?;

    let flags = host_flags(oflags, access) | fdflags.to_host();
    let host = path::open(ctx.method, dir.fd.as_fd(), path, follow, flags, 0o666)?;
    let descriptor = if sys::fstat(host.as_fd())?.filetype == Filetype::Directory {
        if access.contains(Rights::FD_WRITE) {
            // No known host opens a directory for writing; this says so for those that might.
            return Err(Errno::Isdir);
        }
        let dir = Dir {
            fd: host,
            preopen: None,
            ..*dir
        };
        Descriptor::dir(dir, parent.inheriting, fdflags)
    } else {
        let file = File {
            fd: host,
            shared: false,
        };
        Descriptor::file(file, access, parent.inheriting, fdflags)?
    };
    let number = ctx.fds.insert(descriptor)?;
    guest::write_u32(mem, opened, number)
}

/// Does the host allow to open something like this?
fn permit_open(dir: &Dir, oflags: Oflags, access: Rights) -> Result<(), Errno> {
    dir.permits(DirPerms::READ)?;
    if oflags.intersects(Oflags::CREAT | Oflags::TRUNC) {
        dir.permits(DirPerms::MUTATE)?;
    }
    let mut perms = FilePerms::empty();
    if access.contains(Rights::FD_READ) {
        perms = perms | FilePerms::READ;
    }
    if access.contains(Rights::FD_WRITE) || oflags.contains(Oflags::TRUNC) {
        perms = perms | FilePerms::WRITE;
    }
    if dir.file_perms.contains(perms) {
        Ok(())
    } else {
        Err(Errno::Perm)
    }
}

/// The host's words for a way to open.
fn host_flags(oflags: Oflags, access: Rights) -> libc::c_int {
    let mut flags = if access == Rights::READ_WRITE {
        libc::O_RDWR
    } else if access == Rights::FD_WRITE {
        libc::O_WRONLY
    } else if oflags.contains(Oflags::TRUNC) && access == Rights::empty() {
        // Cutting a file needs it open for writing, whether or not the guest will write to it.
        libc::O_WRONLY
    } else if oflags.contains(Oflags::TRUNC) {
        libc::O_RDWR
    } else {
        libc::O_RDONLY
    };
    for (oflag, host) in [
        (Oflags::CREAT, libc::O_CREAT),
        (Oflags::DIRECTORY, libc::O_DIRECTORY),
        (Oflags::EXCL, libc::O_EXCL),
        (Oflags::TRUNC, libc::O_TRUNC),
    ] {
        if oflags.contains(oflag) {
            flags |= host;
        }
    }
    flags
}

pub(crate) fn path_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    filestat: u32,
) -> Result<(), Errno> {
    guest::check(mem, filestat, 64)?;
    let follow = Lookupflags::from_arg(flags)?.contains(Lookupflags::SYMLINK_FOLLOW);
    let path = guest::bytes(mem, path, path_len)?;
    let dir = ctx.fds.dir(fd, Rights::PATH_FILESTAT_GET)?;
    dir.permits(DirPerms::READ)?;
    let stat: Filestat = path::stat(ctx.method, dir.fd.as_fd(), path, follow)?;
    guest::write(mem, filestat, &stat.to_bytes())
}

pub(crate) fn path_create_directory(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let place = name(ctx, mem, fd, path, path_len, Rights::PATH_CREATE_DIRECTORY)?;
    sys::mkdirat(place.dir(), place.name())
}

pub(crate) fn path_remove_directory(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let place = name(ctx, mem, fd, path, path_len, Rights::PATH_REMOVE_DIRECTORY)?;
    sys::unlinkat(place.dir(), place.name(), true)
}

pub(crate) fn path_unlink_file(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let place = name(ctx, mem, fd, path, path_len, Rights::PATH_UNLINK_FILE)?;
    let filetype = || sys::lstatat(place.dir(), place.name()).map(|stat| stat.filetype);
    if place.slash {
        // A directory is meant, and those are not removed by this function.
        return match filetype()? {
            Filetype::Directory => Err(Errno::Isdir),
            _ => Err(Errno::Notdir),
        };
    }
    match sys::unlinkat(place.dir(), place.name(), false) {
        // What some hosts answer for a directory.
        Err(Errno::Perm) if filetype() == Ok(Filetype::Directory) => Err(Errno::Isdir),
        result => result,
    }
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_rename(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let old = name(
        ctx,
        mem,
        fd,
        old_path,
        old_path_len,
        Rights::PATH_RENAME_SOURCE,
    )?;
    let new = name(
        ctx,
        mem,
        new_fd,
        new_path,
        new_path_len,
        Rights::PATH_RENAME_TARGET,
    )?;
    if old.slash || new.slash {
        // A directory is meant by either name, so the old one must be one.
        let stat = sys::lstatat(old.dir(), old.name())?;
        if stat.filetype != Filetype::Directory {
            return Err(Errno::Notdir);
        }
    }
    sys::renameat(old.dir(), old.name(), new.dir(), new.name())
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_readlink(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    bufused: u32,
) -> Result<(), Errno> {
    guest::check(mem, bufused, 4)?;
    let path = guest::bytes(mem, path, path_len)?;
    let dir = ctx.fds.dir(fd, Rights::PATH_READLINK)?;
    dir.permits(DirPerms::READ)?;
    let place = path::resolve(ctx.method, dir.fd.as_fd(), path, Last::NoFollow)?;
    let buffer = guest::bytes_mut(mem, buf, buf_len)?;
    let used = if buffer.is_empty() {
        // The host would not take an empty buffer, but it must be a link all the same.
        sys::readlinkat(place.dir(), place.name(), &mut [0])?;
        0
    } else {
        sys::readlinkat(place.dir(), place.name(), buffer)?
    };
    guest::write_u32(mem, bufused, used as u32)
}

/// The place of a name that is to be created, removed or renamed.
fn name<'a>(
    ctx: &'a WasiCtx,
    mem: &[u8],
    fd: u32,
    path: u32,
    path_len: u32,
    rights: Rights,
) -> Result<Place<'a>, Errno> {
    let path = guest::bytes(mem, path, path_len)?;
    let dir = ctx.fds.dir(fd, rights)?;
    dir.permits(DirPerms::MUTATE)?;
    path::resolve(ctx.method, dir.fd.as_fd(), path, Last::Name)
}

#[cfg(test)]
mod tests;
