//! Paths beneath a directory of the host.
//!
//! Two methods do the same:
//!
//! - **the kernel**: Linux 5.6 and later resolve a path with `openat2` and `RESOLVE_BENEATH` (`openat2.rs`);
//! - **the walk** of [`crate::path`]: each component is opened with `O_NOFOLLOW` relative to the descriptor
//!   of the one before.

use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use super::{
    openat2,
    sys::{self, O_LOOKUP},
};
use crate::{
    path::{self, Last, Name, PATH_MAX, Step, Tree},
    types::{Errno, Filestat, Filetype},
};

/// How often to begin again when the tree changes under a resolution, before it is an error.
pub(super) const RETRIES: u32 = 16;

/// Who resolves paths.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum PathResolution {
    /// The kernel if it can, else the walk.
    #[default]
    Auto,
    /// The kernel, by `openat2`. Where it cannot, the walk does it all the same.
    Kernel,
    /// The walk, one component at a time.
    Walk,
}

impl PathResolution {
    /// The choice for this host.
    pub(super) fn resolved(self) -> Self {
        match self {
            Self::Auto if openat2::is_there() => Self::Kernel,
            Self::Auto => Self::Walk,
            chosen => chosen,
        }
    }
}

/// A directory of the host as a tree.
pub(super) struct Root<'a>(pub(super) BorrowedFd<'a>);

impl Root<'_> {
    fn at<'d>(&'d self, dir: Option<&'d OwnedFd>) -> BorrowedFd<'d> {
        dir.map_or(self.0, AsFd::as_fd)
    }
}

impl Tree for Root<'_> {
    type Dir = OwnedFd;

    fn enter(&self, at: Option<&OwnedFd>, name: &Name) -> Result<Step<OwnedFd>, Errno> {
        let here = self.at(at);
        let flags = O_LOOKUP | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        match sys::openat(here, name.as_c_str(), flags, 0) {
            Ok(dir) => Ok(Step::Dir(dir)),
            // Hosts differ in what they answer for a link.
            Err(Errno::Notdir | Errno::Loop | Errno::Mlink) => {
                Ok(Step::Link(read_link(here, name)?.ok_or(Errno::Notdir)?))
            }
            Err(error) => Err(error),
        }
    }

    fn read_link(&self, at: Option<&OwnedFd>, name: &Name) -> Result<Option<Vec<u8>>, Errno> {
        read_link(self.at(at), name)
    }
}

/// The target of a link, or `None` if the name is no link or does not exist.
pub(super) fn read_link(dir: BorrowedFd<'_>, name: &Name) -> Result<Option<Vec<u8>>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match sys::readlinkat(dir, name.as_c_str(), &mut buffer) {
            // Perhaps it was cut.
            Ok(len) if len == buffer.len() && len < PATH_MAX => buffer.resize(PATH_MAX, 0),
            Ok(len) if len == buffer.len() => return Err(Errno::Nametoolong),
            Ok(0) => return Err(Errno::Noent),
            Ok(len) => {
                buffer.truncate(len);
                return Ok(Some(buffer));
            }
            Err(Errno::Inval | Errno::Noent) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Where a path leads: a name in a directory, and the directory's descriptor.
pub(super) struct Place<'a> {
    root: BorrowedFd<'a>,
    place: path::Place<OwnedFd>,
}

impl Place<'_> {
    /// The directory.
    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.place.dir.as_ref().map_or(self.root, AsFd::as_fd)
    }

    /// The name in it; `.` if the path leads to the directory itself.
    pub(super) fn name(&self) -> &CStr {
        self.place.name.as_c_str()
    }

    /// Did a slash follow the name? Then only a directory is meant.
    pub(super) fn slash(&self) -> bool {
        self.place.slash
    }
}

/// Finds the place to which `path` leads.
pub(super) fn resolve<'a>(
    method: PathResolution,
    root: BorrowedFd<'a>,
    path: &[u8],
    last: Last,
) -> Result<Place<'a>, Errno> {
    path::check(path)?;
    let place = match method.resolved() {
        PathResolution::Kernel => openat2::resolve(root, path, last)?,
        _ => None,
    };
    let place = match place {
        Some(place) => place,
        None => path::walk(&Root(root), path, last)?,
    };
    Ok(Place { root, place })
}

/// Opens what `path` leads to, with the host's `flags`.
pub(super) fn open(
    method: PathResolution,
    root: BorrowedFd<'_>,
    path: &[u8],
    follow: bool,
    flags: libc::c_int,
    mode: libc::mode_t,
) -> Result<OwnedFd, Errno> {
    path::check(path)?;
    // A file that must be new is not looked for behind a link.
    let new = libc::O_CREAT | libc::O_EXCL;
    let follow = follow && flags & new != new;
    if method.resolved() == PathResolution::Kernel {
        let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
        if let Some(opened) = openat2::open(root, path, flags | nofollow, mode)? {
            return Ok(opened);
        }
    }
    let tree = Root(root);
    for _ in 0..RETRIES {
        let last = Last::opening(flags & libc::O_CREAT != 0, follow);
        let place = path::walk(&tree, path, last)?;
        if place.slash && flags & libc::O_CREAT != 0 {
            return Err(Errno::Isdir);
        }
        let directory = if place.slash { libc::O_DIRECTORY } else { 0 };
        let flags = flags | libc::O_NOFOLLOW | directory;
        let dir = tree.at(place.dir.as_ref());
        match sys::openat(dir, place.name.as_c_str(), flags, mode) {
            // The name was no link when it was looked at: somebody has put one there.
            Err(Errno::Loop) if follow => {}
            result => return result,
        }
    }
    Err(Errno::Loop)
}

/// The attributes of what is at `path`.
pub(super) fn stat(
    method: PathResolution,
    root: BorrowedFd<'_>,
    path: &[u8],
    follow: bool,
) -> Result<Filestat, Errno> {
    path::check(path)?;
    if method.resolved() == PathResolution::Kernel {
        // A name in the directory itself takes one call, unless it is a link that is to be followed.
        if !path.contains(&b'/') && path != b".." {
            let stat = sys::lstatat(root, Name::new(path)?.as_c_str())?;
            if !(follow && stat.filetype == Filetype::SymbolicLink) {
                return Ok(stat);
            }
        }
        let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
        if let Some(opened) = openat2::open(root, path, O_LOOKUP | nofollow, 0)? {
            return sys::fstat(opened.as_fd());
        }
    }
    find(method, root, path, follow).map(|(_, stat)| stat)
}

/// Finds what is at `path`, and its attributes.
pub(super) fn find<'a>(
    method: PathResolution,
    root: BorrowedFd<'a>,
    path: &[u8],
    follow: bool,
) -> Result<(Place<'a>, Filestat), Errno> {
    for _ in 0..RETRIES {
        let place = resolve(method, root, path, Last::following(follow))?;
        let stat = sys::lstatat(place.dir(), place.name())?;
        match stat.filetype {
            // As in `open`.
            Filetype::SymbolicLink if follow || place.slash() => {}
            Filetype::Directory => return Ok((place, stat)),
            _ if place.slash() => return Err(Errno::Notdir),
            _ => return Ok((place, stat)),
        }
    }
    Err(Errno::Loop)
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
