//! The sandbox: resolution of a guest's path beneath a directory that it was given.
//!
//! No absolute path, no `..` and no symbolic link leads out of that directory. Two methods do the same:
//!
//! - **the kernel**: Linux 5.6 and later resolve a path with `openat2` and `RESOLVE_BENEATH`;
//! - **the walk**: one component at a time, each opened with `O_NOFOLLOW` relative to the descriptor of
//!   the one before. Links are read and expanded here. `..` goes back to the descriptor that the walk
//!   came from and never asks the file system for a parent, so that a directory which somebody moves
//!   meanwhile does not move the walk with it.
//!
//! Both end at a descriptor or at a [`Place`], that is a directory's descriptor and one name in it, on
//! which the caller acts with a call that does not follow links. Nothing is checked first and used by its
//! path later, so there is no moment in which a change of the tree could lead out.

use std::{
    borrow::Cow,
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use crate::{
    sys::{self, O_LOOKUP},
    types::{Errno, Filestat, Filetype},
};

/// Links that one resolution expands at most, as on Linux.
const MAX_LINKS: u32 = 40;

/// Bytes of a path at most, with its NUL.
const PATH_MAX: usize = 4096;

/// Bytes of a name at most.
const NAME_MAX: usize = 255;

/// How often to begin again when the tree changes under a resolution, before it is an error.
const RETRIES: u32 = 16;

/// What to do with the last component if it is a symbolic link.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// Follow it.
    Follow,
    /// Do not follow it, unless a slash after it says that a directory is meant.
    NoFollow,
    /// The name itself is meant: it is to be created, removed or renamed.
    Name,
}

/// Who resolves.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `openat2`.
    Kernel,
    /// This module.
    Walk,
}

impl Method {
    /// The best that the host has.
    pub(crate) fn best() -> Self {
        if kernel::is_there() {
            Self::Kernel
        } else {
            Self::Walk
        }
    }
}

/// One component of a path, with its NUL.
#[derive(Copy, Clone)]
pub(crate) struct Name {
    bytes: [u8; NAME_MAX + 1],
    len: usize,
}

impl Name {
    fn new(name: &[u8]) -> Result<Self, Errno> {
        if name.len() > NAME_MAX {
            return Err(Errno::Nametoolong);
        }
        let mut bytes = [0; NAME_MAX + 1];
        bytes[..name.len()].copy_from_slice(name);
        Ok(Self {
            bytes,
            len: name.len(),
        })
    }

    fn as_c_str(&self) -> &CStr {
        // A path with a NUL in it was refused, so this is the one after the name; `c""` names nothing.
        CStr::from_bytes_with_nul(&self.bytes[..=self.len]).unwrap_or(c"")
    }
}

/// Where a path leads: a name in a directory, and the directory's descriptor.
pub(crate) struct Place<'a> {
    root: BorrowedFd<'a>,
    /// The directory, if it is not the root.
    dir: Option<OwnedFd>,
    name: Name,
    /// Did a slash follow the name? Then only a directory is meant.
    pub(crate) slash: bool,
}

impl Place<'_> {
    /// The directory.
    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_ref().map_or(self.root, AsFd::as_fd)
    }

    /// The name in it; `.` if the path leads to the directory itself.
    pub(crate) fn name(&self) -> &CStr {
        self.name.as_c_str()
    }
}

/// Finds the place to which `path` leads.
pub(crate) fn resolve<'a>(
    method: Method,
    root: BorrowedFd<'a>,
    path: &[u8],
    last: Last,
) -> Result<Place<'a>, Errno> {
    check(path)?;
    if method == Method::Kernel
        && let Some(place) = kernel::resolve(root, path, last)?
    {
        return Ok(place);
    }
    walk(root, path, last)
}

/// Opens what `path` leads to, with the host's `flags`.
pub(crate) fn open(
    method: Method,
    root: BorrowedFd<'_>,
    path: &[u8],
    follow: bool,
    flags: libc::c_int,
    mode: libc::mode_t,
) -> Result<OwnedFd, Errno> {
    check(path)?;
    // A file that must be new is not looked for behind a link.
    let new = libc::O_CREAT | libc::O_EXCL;
    let follow = follow && flags & new != new;
    if method == Method::Kernel {
        let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
        if let Some(opened) = kernel::open(root, path, flags | nofollow, mode)? {
            return Ok(opened);
        }
    }
    let last = if follow { Last::Follow } else { Last::NoFollow };
    for _ in 0..RETRIES {
        let place = walk(root, path, last)?;
        if place.slash && flags & libc::O_CREAT != 0 {
            return Err(Errno::Isdir);
        }
        let directory = if place.slash { libc::O_DIRECTORY } else { 0 };
        let flags = flags | libc::O_NOFOLLOW | directory;
        match sys::openat(place.dir(), place.name(), flags, mode) {
            // The name was no link when it was looked at: somebody has put one there.
            Err(Errno::Loop) if follow => {}
            result => return result,
        }
    }
    Err(Errno::Loop)
}

/// The attributes of what `path` leads to.
pub(crate) fn stat(
    method: Method,
    root: BorrowedFd<'_>,
    path: &[u8],
    follow: bool,
) -> Result<Filestat, Errno> {
    let last = if follow { Last::Follow } else { Last::NoFollow };
    for _ in 0..RETRIES {
        let place = resolve(method, root, path, last)?;
        let stat = sys::lstatat(place.dir(), place.name())?;
        match stat.filetype {
            // As in `open`.
            Filetype::SymbolicLink if follow || place.slash => {}
            Filetype::Directory => return Ok(stat),
            _ if place.slash => return Err(Errno::Notdir),
            _ => return Ok(stat),
        }
    }
    Err(Errno::Loop)
}

/// Refuses what is no path beneath a directory, by its text alone.
fn check(path: &[u8]) -> Result<(), Errno> {
    if path.is_empty() {
        Err(Errno::Noent)
    } else if path.contains(&0) {
        Err(Errno::Inval)
    } else if path.len() >= PATH_MAX {
        Err(Errno::Nametoolong)
    } else if path[0] == b'/' {
        Err(Errno::Perm)
    } else {
        Ok(())
    }
}

/// The walk.
fn walk<'a>(root: BorrowedFd<'a>, path: &[u8], last: Last) -> Result<Place<'a>, Errno> {
    // The directories from the root to where the walk is; `..` returns to the one before.
    let mut dirs: Vec<OwnedFd> = Vec::new();
    let mut rest = Cow::Borrowed(path);
    let mut at = 0;
    let mut links = 0;
    loop {
        while rest.get(at) == Some(&b'/') {
            at += 1;
        }
        let end = rest[at..]
            .iter()
            .position(|byte| *byte == b'/')
            .map_or(rest.len(), |n| at + n);
        let tail = &rest[end..];
        let is_last = tail.iter().all(|byte| *byte == b'/');
        let slash = is_last && !tail.is_empty();
        match &rest[at..end] {
            b"" => {
                // All components are done, and the last one was a directory.
                let name = Name::new(b".")?;
                return Ok(Place {
                    root,
                    dir: dirs.pop(),
                    name,
                    slash: true,
                });
            }
            b"." => at = end,
            b".." => {
                dirs.pop().ok_or(Errno::Perm)?;
                at = end;
            }
            component => {
                let name = Name::new(component)?;
                let here = dirs.last().map_or(root, AsFd::as_fd);
                let target = if is_last {
                    let follow = match last {
                        Last::Follow => true,
                        Last::NoFollow => slash,
                        Last::Name => false,
                    };
                    match if follow {
                        read_link(here, &name)?
                    } else {
                        None
                    } {
                        Some(target) => target,
                        None => {
                            return Ok(Place {
                                root,
                                dir: dirs.pop(),
                                name,
                                slash,
                            });
                        }
                    }
                } else {
                    let flags = O_LOOKUP | libc::O_DIRECTORY | libc::O_NOFOLLOW;
                    match sys::openat(here, name.as_c_str(), flags, 0) {
                        Ok(dir) => {
                            dirs.push(dir);
                            at = end;
                            continue;
                        }
                        // Hosts differ in what they answer for a link.
                        Err(Errno::Notdir | Errno::Loop | Errno::Mlink) => {
                            read_link(here, &name)?.ok_or(Errno::Notdir)?
                        }
                        Err(error) => return Err(error),
                    }
                };
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::Loop);
                }
                if target.first() == Some(&b'/') {
                    return Err(Errno::Perm);
                }
                rest = Cow::Owned([&target, tail].concat());
                at = 0;
            }
        }
    }
}

/// The target of a link, or `None` if the name is no link or does not exist.
fn read_link(dir: BorrowedFd<'_>, name: &Name) -> Result<Option<Vec<u8>>, Errno> {
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

/// Resolution by `openat2`.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod kernel {
    use std::{
        ffi::CString,
        os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        sync::atomic::{AtomicU8, Ordering},
    };

    use super::{Errno, Last, Name, Place, RETRIES, read_link, sys};

    /// The call's number, the same on every architecture.
    const SYS_OPENAT2: libc::c_long = 437;
    const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
    const RESOLVE_BENEATH: u64 = 0x08;

    /// `struct open_how`.
    #[repr(C)]
    struct OpenHow {
        flags: u64,
        mode: u64,
        resolve: u64,
    }

    /// One call.
    fn openat2(
        root: BorrowedFd<'_>,
        path: &[u8],
        flags: libc::c_int,
        mode: libc::mode_t,
    ) -> Result<OwnedFd, Errno> {
        let path = CString::new(path).map_err(|_| Errno::Inval)?;
        let mut flags = flags | libc::O_CLOEXEC;
        if flags & libc::O_PATH == 0 {
            // What libc's `openat64` adds; this call refuses flags that have no meaning.
            flags |= libc::O_LARGEFILE | libc::O_NOCTTY;
        }
        let how = OpenHow {
            flags: u64::from(flags as u32),
            mode: if flags & libc::O_CREAT == 0 {
                0
            } else {
                u64::from(mode)
            },
            resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
        };
        // SAFETY: the descriptor is open, the path ends with a NUL, and the structure's size is passed.
        let returned = unsafe {
            libc::syscall(
                SYS_OPENAT2,
                root.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        };
        if returned < 0 {
            return Err(sys::last_error());
        }
        // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(returned as libc::c_int) })
    }

    /// Does the kernel have the call, and may this process use it? Old container runtimes forbid it.
    pub(super) fn is_there() -> bool {
        const UNKNOWN: u8 = 0;
        const NO: u8 = 1;
        const YES: u8 = 2;
        static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
        match STATE.load(Ordering::Relaxed) {
            UNKNOWN => {
                // SAFETY: this constant stands for the working directory, which always exists.
                let here = unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) };
                let yes = openat2(here, b".", libc::O_PATH | libc::O_DIRECTORY, 0).is_ok();
                STATE.store(if yes { YES } else { NO }, Ordering::Relaxed);
                yes
            }
            state => state == YES,
        }
    }

    /// Opens a path; `None` if the walk must decide.
    pub(super) fn open(
        root: BorrowedFd<'_>,
        path: &[u8],
        flags: libc::c_int,
        mode: libc::mode_t,
    ) -> Result<Option<OwnedFd>, Errno> {
        for _ in 0..RETRIES {
            match openat2(root, path, flags, mode) {
                Ok(fd) => return Ok(Some(fd)),
                // The path leads out.
                Err(Errno::Xdev) => return Err(Errno::Perm),
                // A directory was moved while `..` was resolved, or a signal came.
                Err(Errno::Again | Errno::Intr) => {}
                // A flag that this kernel does not know, or that only `openat` ignores.
                Err(Errno::Inval | Errno::TooBig) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Finds the place of a path's last component; `None` if the walk must decide.
    pub(super) fn resolve<'a>(
        root: BorrowedFd<'a>,
        path: &[u8],
        last: Last,
    ) -> Result<Option<Place<'a>>, Errno> {
        let end = path
            .iter()
            .rposition(|byte| *byte != b'/')
            .map_or(0, |n| n + 1);
        let slash = end < path.len();
        let start = path[..end]
            .iter()
            .rposition(|byte| *byte == b'/')
            .map_or(0, |n| n + 1);
        let name = &path[start..end];
        if matches!(name, b"" | b"." | b"..") {
            return Ok(None);
        }
        let name = Name::new(name)?;
        let dir = if start == 0 {
            None
        } else {
            match open(root, &path[..start], libc::O_PATH | libc::O_DIRECTORY, 0)? {
                Some(dir) => Some(dir),
                None => return Ok(None),
            }
        };
        let follow = match last {
            Last::Follow => true,
            Last::NoFollow => slash,
            Last::Name => false,
        };
        // A link's target may lead up and through the whole tree again: the walk does that.
        let here = dir.as_ref().map_or(root, AsFd::as_fd);
        if follow && read_link(here, &name)?.is_some() {
            return Ok(None);
        }
        Ok(Some(Place {
            root,
            dir,
            name,
            slash,
        }))
    }
}

/// There is no `openat2`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod kernel {
    use std::os::fd::{BorrowedFd, OwnedFd};

    use super::{Errno, Last, Place};

    pub(super) fn is_there() -> bool {
        false
    }

    pub(super) fn open(
        _root: BorrowedFd<'_>,
        _path: &[u8],
        _flags: libc::c_int,
        _mode: libc::mode_t,
    ) -> Result<Option<OwnedFd>, Errno> {
        Ok(None)
    }

    pub(super) fn resolve<'a>(
        _root: BorrowedFd<'a>,
        _path: &[u8],
        _last: Last,
    ) -> Result<Option<Place<'a>>, Errno> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
