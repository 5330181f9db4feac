//! The sandbox: resolution of a guest's path beneath a directory that it was given.
//!
//! No absolute path, no `..` and no symbolic link leads out of that directory. [`walk`] takes one component
//! at a time, relative to what the one before has led to. Links are read and expanded here. `..` goes back
//! to the directory that the walk came from and never asks the tree for a parent, so that a directory which
//! somebody moves meanwhile does not move the walk with it.
//!
//! A walk ends at a [`Place`], that is a directory and one name in it, on which the caller acts with an
//! operation that does not follow links. Nothing is checked first and used by its path later, so there is no
//! moment in which a change of the tree could lead out.
//!
//! This module knows no tree: what one is says the trait [`Tree`].

use alloc::{borrow::Cow, vec::Vec};
#[cfg(all(unix, feature = "std"))]
use core::ffi::CStr;

use crate::types::Errno;

/// Links that one resolution expands at most, as on Linux.
const MAX_LINKS: u32 = 40;

/// Bytes of a path at most, with its NUL.
pub(crate) const PATH_MAX: usize = 4096;

/// Bytes of a name at most.
const NAME_MAX: usize = 255;

/// What to do with the last component if it is a symbolic link.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// Follow it.
    Follow,
    /// Do not follow it, unless a slash after it says that a directory is meant.
    NoFollow,
    /// The name itself is meant: it is to be created, removed or renamed.
    Name,
    /// A file is opened, and created if it is not there. A link is followed or not; a slash is an error whatever is there,
    /// since a directory cannot be created so.
    Create { follow: bool },
}

impl Last {
    /// For a function that follows links or not.
    pub(crate) fn following(follow: bool) -> Self {
        if follow { Self::Follow } else { Self::NoFollow }
    }

    /// For opening a file.
    pub(crate) fn opening(create: bool, follow: bool) -> Self {
        match create {
            true => Self::Create { follow },
            false => Self::following(follow),
        }
    }

    /// Is a link followed, given whether a slash comes after it?
    pub(crate) fn follows(self, slash: bool) -> bool {
        match self {
            Self::Follow => true,
            Self::NoFollow => slash,
            Self::Name => false,
            Self::Create { follow } => follow,
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
    pub(crate) fn new(name: &[u8]) -> Result<Self, Errno> {
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

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[cfg(all(unix, feature = "std"))]
    pub(crate) fn as_c_str(&self) -> &CStr {
        // A path with a NUL in it was refused, so this is the one after the name; `c""` names nothing.
        CStr::from_bytes_with_nul(&self.bytes[..=self.len]).unwrap_or(c"")
    }
}

/// Where a component leads.
pub(crate) enum Step<D> {
    /// To a directory.
    Dir(D),
    /// To the target of a symbolic link.
    Link(Vec<u8>),
}

/// A tree with directories and symbolic links. `None` is the directory in which a walk begins.
pub(crate) trait Tree {
    /// An open directory.
    type Dir;

    /// Goes into `name`. `notdir` if it is neither a directory nor a link, `noent` if it is not there.
    fn enter(&self, at: Option<&Self::Dir>, name: &Name) -> Result<Step<Self::Dir>, Errno>;

    /// The target of a link, or `None` if the name is no link or does not exist.
    fn read_link(&self, at: Option<&Self::Dir>, name: &Name) -> Result<Option<Vec<u8>>, Errno>;
}

/// Where a path leads: a name in a directory.
pub(crate) struct Place<D> {
    /// The directory; `None` is the one in which the walk began.
    pub(crate) dir: Option<D>,
    /// The name in it; `.` if the path leads to the directory itself.
    pub(crate) name: Name,
    /// Did a slash follow the name? Then only a directory is meant.
    pub(crate) slash: bool,
}

impl<D> Place<D> {
    /// Is it the directory itself?
    pub(crate) fn is_dir_itself(&self) -> bool {
        self.name.as_bytes() == b"."
    }
}

/// Refuses what is no path beneath a directory, by its text alone.
pub(crate) fn check(path: &[u8]) -> Result<(), Errno> {
    if path.is_empty() {
        Err(Errno::Noent)
    } else if path.len() >= PATH_MAX {
        Err(Errno::Nametoolong)
    } else if path.contains(&0) {
        Err(Errno::Inval)
    } else if path[0] == b'/' {
        Err(Errno::Perm)
    } else {
        Ok(())
    }
}

/// Finds the place to which a path leads, which [`check`] has let pass.
pub(crate) fn walk<T: Tree>(tree: &T, path: &[u8], last: Last) -> Result<Place<T::Dir>, Errno> {
    // The directories from the root to where the walk is; `..` returns to the one before.
    let mut dirs: Vec<T::Dir> = Vec::new();
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
                return Ok(Place {
                    dir: dirs.pop(),
                    name: Name::new(b".")?,
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
                if slash && matches!(last, Last::Create { .. }) {
                    return Err(Errno::Isdir);
                }
                let here = dirs.last();
                let target = if is_last {
                    let link = if last.follows(slash) {
                        tree.read_link(here, &name)?
                    } else {
                        None
                    };
                    let Some(target) = link else {
                        return Ok(Place {
                            dir: dirs.pop(),
                            name,
                            slash,
                        });
                    };
                    target
                } else {
                    match tree.enter(here, &name)? {
                        Step::Dir(dir) => {
                            dirs.push(dir);
                            at = end;
                            continue;
                        }
                        Step::Link(target) => target,
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
