//! The descriptor table: what each of the guest's descriptors is, and what may be done with it.
//!
//! Two things limit a descriptor. Its **rights** are the interface's own and belong to the guest: it sees
//! them in its `fdstat`, and it chooses reading and writing with them when it opens a file. The other
//! rights are what its kind of file can do; a guest that asks `path_open` for fewer gets them all the
//! same, because language runtimes are written for hosts that do so and forget to ask. The
//! **permissions** are the host's, they were given with a preopened directory, everything opened beneath
//! it has them too, and breaking them is `perm`, as on a host that enforces file permissions.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    audit::{Denial, Stop},
    platform::{self, Blocking, File},
    types::{DirPerms, Errno, Fdflags, FilePerms, Filetype, Rights},
};

/// An open directory.
pub(crate) struct Dir {
    pub(crate) dir: Box<dyn platform::Dir>,
    pub(crate) perms: DirPerms,
    pub(crate) file_perms: FilePerms,
    /// The guest's path for it, if the guest got it at its start.
    pub(crate) preopen: Option<Box<[u8]>>,
}

/// What a descriptor refers to.
pub(crate) enum Object {
    /// Something to read or write.
    File(Box<dyn File>),
    /// A directory.
    Dir(Dir),
}

/// An entry of the table.
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    pub(crate) filetype: Filetype,
    pub(crate) flags: Fdflags,
    /// What may be done with it.
    pub(crate) base: Rights,
    /// What may be done at most with what is opened through it.
    pub(crate) inheriting: Rights,
    /// What the host allows with the file.
    pub(crate) perms: FilePerms,
    /// Is it a socket that the guest has from its start?
    pub(crate) preopened: bool,
}

impl Descriptor {
    /// A file. `access` is what of [`Rights::READ_WRITE`] the guest gets, and `limit` has all other rights
    /// that it may get.
    pub(crate) fn file(
        file: Box<dyn File>,
        access: Rights,
        limit: Rights,
        flags: Fdflags,
    ) -> Result<Self, Errno> {
        let filetype = file.filetype()?;
        let rights = if filetype.is_socket() {
            let listens = file.is_listener();
            if listens {
                Rights::LISTENER
            } else {
                Rights::SOCKET
            }
        } else if file.is_seekable() {
            Rights::FILE
        } else {
            Rights::STREAM
        };
        Ok(Self {
            object: Object::File(file),
            filetype,
            flags,
            base: rights.intersection(limit).difference(Rights::READ_WRITE) | access,
            inheriting: Rights::empty(),
            perms: FilePerms::all(),
            preopened: false,
        })
    }

    /// A directory.
    pub(crate) fn dir(dir: Dir, limit: Rights, flags: Fdflags) -> Self {
        Self {
            object: Object::Dir(dir),
            filetype: Filetype::Directory,
            flags,
            base: Rights::DIRECTORY.intersection(limit),
            inheriting: limit,
            perms: FilePerms::empty(),
            preopened: false,
        }
    }

    /// A directory that the guest has from its start.
    pub(crate) fn preopen(dir: Dir) -> Self {
        Self::dir(dir, Rights::DIRECTORY | Rights::FILE, Fdflags::empty())
    }

    /// Are these rights there? What the kind of descriptor cannot do at all has the error that says so, and
    /// one without the right to read or write counts as one that was not opened for it.
    pub(crate) fn require(&self, rights: Rights) -> Result<(), Stop> {
        let missing = rights.difference(self.base);
        if missing == Rights::empty() {
            return Ok(());
        }
        Err(match &self.object {
            Object::Dir(_) if missing.intersects(Rights::SOCKETS) => Errno::Notsock.into(),
            Object::Dir(_) if missing.intersects(Rights::FILE.difference(Rights::DIRECTORY)) => {
                Errno::Badf.into()
            }
            Object::File(_) if missing.intersects(Rights::PATHS) => Errno::Notdir.into(),
            Object::File(_)
                if missing.intersects(Rights::SOCKETS) && !self.filetype.is_socket() =>
            {
                Errno::Notsock.into()
            }
            Object::File(_) if missing.intersects(Rights::READ_WRITE) => Errno::Badf.into(),
            // What has no offset has no room and no size either.
            Object::File(file)
                if missing.intersects(Rights::FILE.difference(Rights::STREAM))
                    && !file.is_seekable() =>
            {
                match missing.intersects(Rights::FD_ALLOCATE | Rights::FD_ADVISE) {
                    true => Errno::Spipe.into(),
                    false => Errno::Inval.into(),
                }
            }
            _ => Stop::denied(Errno::Notcapable, Denial::Rights),
        })
    }

    /// Does the host allow this with the file?
    pub(crate) fn permits(&self, perms: FilePerms) -> Result<(), Stop> {
        permits(self.perms, perms)
    }

    /// The file that it is.
    pub(crate) fn as_file(&self) -> Result<&dyn File, Errno> {
        match &self.object {
            Object::File(file) => Ok(&**file),
            Object::Dir(_) => Err(Errno::Badf),
        }
    }

    /// The directory that it is.
    pub(crate) fn as_dir(&self) -> Result<&Dir, Errno> {
        match &self.object {
            Object::Dir(dir) => Ok(dir),
            Object::File(_) => Err(Errno::Notdir),
        }
    }

    /// How a call on it may block, if one that the guest wants to block may do so.
    pub(crate) fn blocking(&self, blocking: Blocking) -> Blocking {
        if self.flags.contains(Fdflags::NONBLOCK) {
            Blocking::Forbidden
        } else {
            blocking
        }
    }

    /// What a call that would block is to end with: `again` if the guest asked for that.
    pub(crate) fn must_wait<R>(&self, result: &Result<R, Errno>) -> bool {
        matches!(result, Err(Errno::Again)) && !self.flags.contains(Fdflags::NONBLOCK)
    }
}

/// Does the host allow this with a file?
fn permits(allowed: FilePerms, perms: FilePerms) -> Result<(), Stop> {
    if allowed.contains(perms) {
        Ok(())
    } else {
        Err(Stop::denied(Errno::Perm, Denial::Permissions))
    }
}

impl Dir {
    /// Does the host allow this to the directory's users?
    pub(crate) fn permits(&self, perms: DirPerms) -> Result<(), Stop> {
        if self.perms.contains(perms) {
            Ok(())
        } else {
            Err(Stop::denied(Errno::Perm, Denial::Permissions))
        }
    }

    /// Does the host allow this with the directory's files?
    pub(crate) fn permits_files(&self, perms: FilePerms) -> Result<(), Stop> {
        permits(self.file_perms, perms)
    }
}

/// The guest's descriptors.
#[derive(Default)]
pub(crate) struct Fds {
    slots: Vec<Option<Descriptor>>,
    open: usize,
}

impl Fds {
    /// Is there room for one more below this limit?
    pub(crate) fn check_room(&self, limit: usize) -> Result<(), Stop> {
        if self.open < limit {
            Ok(())
        } else {
            Err(Stop::denied(Errno::Mfile, Denial::OpenFds))
        }
    }

    /// Adds a descriptor under the lowest number that is free.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = match self.slots.len() == self.open {
            true => None,
            false => self.slots.iter().position(Option::is_none),
        };
        let number = free.unwrap_or(self.slots.len());
        // The interface promises numbers below 2^31.
        let fd = i32::try_from(number).map_err(|_| Errno::Mfile)? as u32;
        match free {
            Some(slot) => self.slots[slot] = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        self.open += 1;
        Ok(fd)
    }

    /// The descriptor `fd`.
    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.slots
            .get(fd as usize)
            .and_then(Option::as_ref)
            .ok_or(Errno::Badf)
    }

    /// The descriptor `fd`.
    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.slots
            .get_mut(fd as usize)
            .and_then(Option::as_mut)
            .ok_or(Errno::Badf)
    }

    /// Is the descriptor `fd` there, and has it these rights?
    pub(crate) fn check(&self, fd: u32, rights: Rights) -> Result<(), Stop> {
        self.get(fd)?.require(rights)
    }

    /// The directory `fd`.
    pub(crate) fn dir(&self, fd: u32) -> Result<&Dir, Errno> {
        self.get(fd)?.as_dir()
    }

    /// The file `fd`.
    pub(crate) fn file(&self, fd: u32) -> Result<&dyn File, Errno> {
        self.get(fd)?.as_file()
    }

    /// Takes the descriptor `fd` out of the table.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let slot = self.slots.get_mut(fd as usize);
        let removed = slot.and_then(Option::take).ok_or(Errno::Badf)?;
        self.open -= 1;
        Ok(removed)
    }

    /// Puts the descriptor `fd` in the place of `to`, and gives back what was there.
    pub(crate) fn renumber(&mut self, fd: u32, to: u32) -> Result<Option<Descriptor>, Errno> {
        self.get(to)?;
        self.get(fd)?;
        if fd == to {
            return Ok(None);
        }
        let moved = self.remove(fd)?;
        Ok(self.slots[to as usize].replace(moved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::null::NullFile;

    fn null() -> Descriptor {
        let file = Box::new(NullFile);
        Descriptor::file(file, Rights::FD_READ, Rights::all(), Fdflags::empty()).unwrap()
    }

    #[test]
    fn the_lowest_free_number_is_used() {
        let mut fds = Fds::default();
        for expected in 0..4 {
            assert_eq!(fds.insert(null()), Ok(expected));
        }
        fds.remove(1).map(drop).unwrap();
        fds.remove(2).map(drop).unwrap();
        assert_eq!(fds.remove(2).map(drop), Err(Errno::Badf));
        assert_eq!(fds.get(1).map(drop), Err(Errno::Badf));
        assert_eq!(fds.get(u32::MAX).map(drop), Err(Errno::Badf));
        assert!(fds.check_room(3).is_ok());
        for expected in [1, 2, 4] {
            assert_eq!(fds.insert(null()), Ok(expected));
        }
        assert_eq!(
            fds.check_room(5),
            Err(Stop::denied(Errno::Mfile, Denial::OpenFds))
        );
    }

    #[test]
    fn a_descriptor_takes_the_place_of_another() {
        let mut fds = Fds::default();
        for _ in 0..3 {
            fds.insert(null()).unwrap();
        }
        assert!(fds.renumber(1, 1).unwrap().is_none());
        assert!(fds.renumber(2, 0).unwrap().is_some());
        assert_eq!(fds.get(2).map(drop), Err(Errno::Badf));
        assert_eq!(fds.renumber(2, 0).map(drop), Err(Errno::Badf));
        // A place that is not taken cannot be chosen.
        assert_eq!(fds.renumber(0, 2).map(drop), Err(Errno::Badf));
        assert_eq!(fds.insert(null()), Ok(2));
    }

    #[test]
    fn missing_rights_have_their_errors() {
        let descriptor = null();
        let errno = |rights| match descriptor.require(rights) {
            Err(Stop::Errno(error) | Stop::Denied(error, ..)) => Some(error),
            _ => None,
        };
        assert_eq!(errno(Rights::FD_READ), None);
        assert_eq!(errno(Rights::FD_WRITE), Some(Errno::Badf));
        assert_eq!(errno(Rights::FD_FILESTAT_SET_SIZE), Some(Errno::Inval));
        assert_eq!(errno(Rights::FD_ALLOCATE), Some(Errno::Spipe));
        assert_eq!(errno(Rights::all()), Some(Errno::Notdir));
        assert_eq!(errno(Rights::PATH_OPEN), Some(Errno::Notdir));
        assert_eq!(errno(Rights::SOCK_SHUTDOWN), Some(Errno::Notsock));
        assert!(matches!(descriptor.as_dir(), Err(Errno::Notdir)));
    }
}
