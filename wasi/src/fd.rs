//! The descriptor table: what each of the guest's descriptors is, and what may be done with it.
//!
//! Two things limit a descriptor. Its **rights** are the interface's own and belong to the guest: it sees
//! them in its `fdstat`, and it chooses reading and writing with them when it opens a file. The other
//! rights are what its kind of file can do; a guest that asks `path_open` for fewer gets them all the
//! same, because language runtimes are written for hosts that do so and forget to ask. The
//! **permissions** are the host's, they were given with a preopened directory, everything opened beneath
//! it has them too, and breaking them is `perm`, as on a host that enforces file permissions.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    sys,
    types::{DirPerms, Errno, Fdflags, FilePerms, Filetype, Rights},
};

/// An open directory.
pub(crate) struct Dir {
    pub(crate) fd: OwnedFd,
    pub(crate) perms: DirPerms,
    pub(crate) file_perms: FilePerms,
    /// The guest's path for it, if the guest got it at its start.
    pub(crate) preopen: Option<Box<[u8]>>,
}

/// An open file, pipe, terminal or socket.
pub(crate) struct File {
    pub(crate) fd: OwnedFd,
    /// Do others use this open file too, as with the standard streams? Its host flags are theirs, then.
    pub(crate) shared: bool,
}

/// What a descriptor refers to.
pub(crate) enum Object {
    /// A standard stream that was not granted: empty to read, and what is written to it is lost.
    Null,
    /// Something to read or write.
    File(File),
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
}

impl Descriptor {
    /// A standard stream that was not granted.
    pub(crate) fn null(access: Rights) -> Self {
        Self {
            object: Object::Null,
            filetype: Filetype::Unknown,
            flags: Fdflags::empty(),
            base: Rights::STREAM.difference(Rights::READ_WRITE) | access,
            inheriting: Rights::empty(),
        }
    }

    /// A file that the host has opened. `access` is what of [`Rights::READ_WRITE`] the guest gets, and
    /// `limit` has all other rights that it may get.
    pub(crate) fn file(
        file: File,
        access: Rights,
        limit: Rights,
        flags: Fdflags,
    ) -> Result<Self, Errno> {
        let mut filetype = sys::fstat(file.fd.as_fd())?.filetype;
        let fd = file.fd.as_fd();
        let rights = match filetype {
            Filetype::RegularFile => Rights::FILE,
            // Guests recognise a terminal by a character device in which they cannot seek.
            Filetype::CharacterDevice if sys::is_terminal(fd) => Rights::STREAM,
            _ if sys::lseek(fd, 0, libc::SEEK_CUR).is_ok() => Rights::FILE,
            _ => Rights::STREAM,
        };
        if filetype == Filetype::SocketStream && sys::is_datagram_socket(fd) {
            filetype = Filetype::SocketDgram;
        }
        Ok(Self {
            object: Object::File(file),
            filetype,
            flags,
            base: rights.intersection(limit).difference(Rights::READ_WRITE) | access,
            inheriting: Rights::empty(),
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
        }
    }

    /// A directory that the guest has from its start.
    pub(crate) fn preopen(dir: Dir) -> Self {
        Self::dir(dir, Rights::DIRECTORY | Rights::FILE, Fdflags::empty())
    }

    /// Are these rights there? Without the right to read or write, a descriptor counts as one that was
    /// not opened for it.
    pub(crate) fn require(&self, rights: Rights) -> Result<(), Errno> {
        let missing = rights.difference(self.base);
        if missing.intersects(Rights::READ_WRITE) {
            Err(Errno::Badf)
        } else if missing == Rights::empty() {
            Ok(())
        } else {
            Err(Errno::Notcapable)
        }
    }

    /// The host's descriptor, if there is one.
    pub(crate) fn host(&self) -> Option<BorrowedFd<'_>> {
        match &self.object {
            Object::Null => None,
            Object::File(file) => Some(file.fd.as_fd()),
            Object::Dir(dir) => Some(dir.fd.as_fd()),
        }
    }

    /// The directory that it is, if it has these rights.
    pub(crate) fn as_dir(&self, rights: Rights) -> Result<&Dir, Errno> {
        match &self.object {
            Object::Dir(dir) => {
                self.require(rights)?;
                Ok(dir)
            }
            _ => Err(Errno::Notdir),
        }
    }
}

impl Dir {
    /// Does the host allow this to the directory's users?
    pub(crate) fn permits(&self, perms: DirPerms) -> Result<(), Errno> {
        if self.perms.contains(perms) {
            Ok(())
        } else {
            Err(Errno::Perm)
        }
    }
}

/// The guest's descriptors.
#[derive(Default)]
pub(crate) struct Fds {
    slots: Vec<Option<Descriptor>>,
}

impl Fds {
    /// Adds a descriptor under the lowest number that is free.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = self.slots.iter().position(Option::is_none);
        let number = free.unwrap_or(self.slots.len());
        // The interface promises numbers below 2^31.
        let fd = i32::try_from(number).map_err(|_| Errno::Mfile)? as u32;
        match free {
            Some(slot) => self.slots[slot] = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
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

    /// The directory `fd`, if it has these rights.
    pub(crate) fn dir(&self, fd: u32, rights: Rights) -> Result<&Dir, Errno> {
        self.get(fd)?.as_dir(rights)
    }

    /// Takes the descriptor `fd` out of the table.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.slots
            .get_mut(fd as usize)
            .and_then(Option::take)
            .ok_or(Errno::Badf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_used() {
        let mut fds = Fds::default();
        for expected in 0..4 {
            assert_eq!(fds.insert(Descriptor::null(Rights::FD_READ)), Ok(expected));
        }
        fds.remove(1).map(drop).unwrap();
        fds.remove(2).map(drop).unwrap();
        assert_eq!(fds.remove(2).map(drop), Err(Errno::Badf));
        assert_eq!(fds.get(1).map(drop), Err(Errno::Badf));
        assert_eq!(fds.get(u32::MAX).map(drop), Err(Errno::Badf));
        for expected in [1, 2, 4] {
            assert_eq!(fds.insert(Descriptor::null(Rights::FD_READ)), Ok(expected));
        }
    }

    #[test]
    fn missing_rights_have_their_errors() {
        let descriptor = Descriptor::null(Rights::FD_READ);
        assert_eq!(descriptor.require(Rights::FD_READ), Ok(()));
        assert_eq!(descriptor.require(Rights::FD_WRITE), Err(Errno::Badf));
        assert_eq!(
            descriptor.require(Rights::FD_READ | Rights::FD_SEEK),
            Err(Errno::Notcapable)
        );
        assert!(matches!(
            descriptor.as_dir(Rights::empty()),
            Err(Errno::Notdir)
        ));
    }
}
