//! Directories of the host. Each operation resolves its path in `path.rs`, and then makes one call on a
//! directory's descriptor and a name, which follows no link.
//!
//! A path is bytes, as it is to the hosts: one that is not UTF-8 is passed on, so that a guest can open
//! whatever name it was shown.

use core::any::Any;
use std::{
    ffi::CString,
    os::fd::{AsFd, OwnedFd},
};

use super::{
    file::HostFile,
    list,
    path::{self, PathResolution, Place},
    sys,
    words::{fdflags_to_host, open_to_host},
};
use crate::{
    path::{Last, PATH_MAX},
    platform::{Dir, Entry, OpenOptions, Opened},
    types::{Errno, Filestat, Filetype, Times},
};

/// An open directory of the host.
#[derive(Debug)]
pub struct HostDir {
    fd: OwnedFd,
    method: PathResolution,
}

impl HostDir {
    /// This directory, in which paths are resolved so.
    pub fn new(fd: OwnedFd, method: PathResolution) -> Self {
        Self { fd, method }
    }

    fn resolve(&self, path: &[u8], last: Last) -> Result<Place<'_>, Errno> {
        path::resolve(self.method, self.fd.as_fd(), path, last)
    }

    /// The place of a name that is to be created, removed or renamed.
    fn name(&self, path: &[u8]) -> Result<Place<'_>, Errno> {
        self.resolve(path, Last::Name)
    }

    /// The other directory of a call.
    fn other(dir: &dyn Dir) -> Result<&Self, Errno> {
        dir.as_any().downcast_ref().ok_or(Errno::Xdev)
    }
}

/// A slash after a name means a directory: is it one?
fn check_slash(place: &Place<'_>) -> Result<(), Errno> {
    if place.slash() && sys::lstatat(place.dir(), place.name())?.filetype != Filetype::Directory {
        return Err(Errno::Notdir);
    }
    Ok(())
}

impl Dir for HostDir {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn filestat(&self) -> Result<Filestat, Errno> {
        sys::fstat(self.fd.as_fd())
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        sys::futimens(self.fd.as_fd(), times)
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        sys::fsync(self.fd.as_fd(), data_only)
    }

    fn open(&self, path: &[u8], options: OpenOptions) -> Result<Opened, Errno> {
        let OpenOptions {
            follow,
            oflags,
            fdflags,
            read,
            write,
        } = options;
        // What waits for its other end when it is opened, as a named pipe does, must not: no interruption
        // would reach it. Whether reads and writes wait is said at each.
        let flags = open_to_host(oflags, read, write) | fdflags_to_host(fdflags) | libc::O_NONBLOCK;
        let fd = path::open(self.method, self.fd.as_fd(), path, follow, flags, 0o666)?;
        let filetype = sys::fstat(fd.as_fd())?.filetype;
        if filetype != Filetype::Directory {
            return Ok(Opened::File(Box::new(HostFile::owned(fd, filetype))));
        }
        if write {
            // No known host opens a directory for writing; this says so for those that might.
            return Err(Errno::Isdir);
        }
        Ok(Opened::Dir(Box::new(Self::new(fd, self.method))))
    }

    fn filestat_at(&self, path: &[u8], follow: bool) -> Result<Filestat, Errno> {
        path::stat(self.method, self.fd.as_fd(), path, follow)
    }

    fn set_times_at(&self, path: &[u8], follow: bool, times: Times) -> Result<(), Errno> {
        let (place, _) = path::find(self.method, self.fd.as_fd(), path, follow)?;
        sys::utimensat(place.dir(), place.name(), times)
    }

    fn create_dir(&self, path: &[u8]) -> Result<(), Errno> {
        let place = self.name(path)?;
        sys::mkdirat(place.dir(), place.name())
    }

    fn remove_dir(&self, path: &[u8]) -> Result<(), Errno> {
        let place = self.name(path)?;
        sys::unlinkat(place.dir(), place.name(), true)
    }

    fn unlink(&self, path: &[u8]) -> Result<(), Errno> {
        let place = self.name(path)?;
        let filetype = || sys::lstatat(place.dir(), place.name()).map(|stat| stat.filetype);
        if place.slash() {
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

    fn rename(&self, old: &[u8], new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno> {
        let new_dir = Self::other(new_dir)?;
        let old = self.name(old)?;
        let new = new_dir.name(new)?;
        if old.slash() || new.slash() {
            // A directory is meant by either name, so the old one must be one.
            let stat = sys::lstatat(old.dir(), old.name())?;
            if stat.filetype != Filetype::Directory {
                return Err(Errno::Notdir);
            }
        }
        sys::renameat(old.dir(), old.name(), new.dir(), new.name())
    }

    fn link(&self, old: &[u8], follow: bool, new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno> {
        let new_dir = Self::other(new_dir)?;
        let old = self.resolve(old, Last::following(follow))?;
        check_slash(&old)?;
        let new = new_dir.name(new)?;
        if new.slash() {
            // A link is never a directory.
            sys::lstatat(new.dir(), new.name())?;
            return Err(Errno::Exist);
        }
        sys::linkat(old.dir(), old.name(), new.dir(), new.name())
    }

    fn symlink(&self, target: &[u8], path: &[u8]) -> Result<(), Errno> {
        match target.first() {
            None => return Err(Errno::Noent),
            // No guest could follow it, and Wasmtime's cannot make it either.
            Some(b'/') => return Err(Errno::Perm),
            Some(_) if target.len() >= PATH_MAX => return Err(Errno::Nametoolong),
            Some(_) => {}
        }
        let target = CString::new(target).map_err(|_| Errno::Inval)?;
        let place = self.name(path)?;
        if place.slash() {
            sys::lstatat(place.dir(), place.name())?;
            return Err(Errno::Exist);
        }
        sys::symlinkat(&target, place.dir(), place.name())
    }

    fn readlink(&self, path: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
        let place = self.resolve(path, Last::NoFollow)?;
        // The host would not take an empty buffer, but it must be a link all the same.
        let mut first = [0];
        let empty = buffer.is_empty();
        let target = if empty { &mut first[..] } else { buffer };
        let len = sys::readlinkat(place.dir(), place.name(), target)?;
        if target.first() == Some(&b'/') {
            // The guest could not follow it, and the host's paths are not its business.
            return Err(Errno::Perm);
        }
        Ok(if empty { 0 } else { len })
    }

    fn list(
        &self,
        cookie: u64,
        room: usize,
        each: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Result<(), Errno> {
        list::list(self.fd.as_fd(), cookie, room, each)
    }
}
