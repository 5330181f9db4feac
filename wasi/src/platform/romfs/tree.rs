//! The files and directories of an image, as a guest uses them. What would change something is `rofs`, after
//! the errors that a host's read-only file system has before that one.

use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

use super::{
    file::RomFile,
    image::{Bytes, Image, Invalid, Node},
};
use crate::{
    path::{self, Last, Name, Place, Step},
    platform::{Dir, Entry, OpenOptions, Opened},
    sync::new_tree_number,
    types::{Errno, Filestat, Filetype, Oflags, Times},
};

/// The cookies of the two entries that every directory has. Those of the others are where their headers are,
/// which is further on.
const DOT: u64 = 1;
const DOT_DOT: u64 = 2;

/// A directory in an image, at first its root. Clones are the same directory.
#[derive(Clone)]
pub struct RomDir {
    image: Image,
    /// What a guest sees as the image's device.
    number: u64,
    dir: u32,
}

impl RomDir {
    /// The root of an image in flash, or in the program itself.
    ///
    /// # Errors
    /// If it is no image. Only what is at its start is looked at; damage elsewhere is found by who uses it.
    pub fn new(image: &'static [u8]) -> Result<Self, Invalid> {
        Self::root(Bytes::Static(image))
    }

    /// The root of an image that has an owner: a `Vec`, a mapped file.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn from_owner(image: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, Invalid> {
        Self::root(Bytes::Owned(alloc::sync::Arc::new(image)))
    }

    fn root(bytes: Bytes) -> Result<Self, Invalid> {
        let image = Image::new(bytes)?;
        Ok(Self {
            dir: image.root(),
            image,
            number: new_tree_number(),
        })
    }

    /// What is in a file, where it is in the image.
    ///
    /// # Errors
    /// `isdir` if it is a directory, and what else a guest would be told.
    pub fn contents(&self, path: impl AsRef<[u8]>) -> Result<&[u8], Errno> {
        let node = self.find(path.as_ref(), true)?;
        match node.filetype() {
            Filetype::RegularFile => self.image.data(&node),
            Filetype::Directory => Err(Errno::Isdir),
            _ => Err(Errno::Nxio),
        }
    }

    /// A directory in this one: what is given of it to a guest leads nowhere else.
    ///
    /// # Errors
    /// `notdir` if it is no directory, and what else a guest would be told.
    pub fn dir(&self, path: impl AsRef<[u8]>) -> Result<Self, Errno> {
        let node = self.find(path.as_ref(), true)?;
        if node.filetype() != Filetype::Directory {
            return Err(Errno::Notdir);
        }
        Ok(self.at(&node))
    }

    fn at(&self, dir: &Node<'_>) -> Self {
        Self {
            dir: dir.offset,
            ..self.clone()
        }
    }

    /// This directory, or another one.
    fn node(&self, dir: Option<u32>) -> Result<Node<'_>, Errno> {
        self.image.node(dir.unwrap_or(self.dir))
    }

    fn place(&self, path: &[u8], last: Last) -> Result<Place<u32>, Errno> {
        path::check(path)?;
        path::walk(self, path, last)
    }

    /// What is at a place, if there is something.
    fn lookup(&self, place: &Place<u32>) -> Result<Option<Node<'_>>, Errno> {
        let dir = self.node(place.dir)?;
        if place.is_dir_itself() {
            return Ok(Some(dir));
        }
        match self.image.find(&dir, place.name.as_bytes())? {
            Some(entry) => self.image.resolved(entry).map(Some),
            None => Ok(None),
        }
    }

    fn find(&self, path: &[u8], follow: bool) -> Result<Node<'_>, Errno> {
        let place = self.place(path, Last::following(follow))?;
        let node = self.lookup(&place)?.ok_or(Errno::Noent)?;
        if place.slash && node.filetype() != Filetype::Directory {
            return Err(Errno::Notdir);
        }
        Ok(node)
    }

    fn filestat_of(&self, node: &Node<'_>) -> Filestat {
        Filestat {
            dev: self.number,
            ino: node.offset.into(),
            filetype: node.filetype(),
            // Nobody has counted the others.
            nlink: 1,
            size: node.size().into(),
            atim: 0,
            mtim: 0,
            ctim: 0,
        }
    }

    /// The answer to who would make something new there.
    fn cannot_create(&self, path: &[u8]) -> Result<(), Errno> {
        match self.lookup(&self.place(path, Last::Name)?)? {
            Some(_) => Err(Errno::Exist),
            None => Err(Errno::Rofs),
        }
    }

    /// The answer to who would remove something there.
    fn cannot_remove(&self, path: &[u8]) -> Result<(), Errno> {
        self.place(path, Last::Name)?;
        Err(Errno::Rofs)
    }
}

impl core::fmt::Debug for RomDir {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RomDir").finish_non_exhaustive()
    }
}

impl path::Tree for RomDir {
    type Dir = u32;

    fn enter(&self, at: Option<&u32>, name: &Name) -> Result<Step<u32>, Errno> {
        let dir = self.node(at.copied())?;
        let entry = self.image.find(&dir, name.as_bytes())?;
        let node = self.image.resolved(entry.ok_or(Errno::Noent)?)?;
        match node.filetype() {
            Filetype::Directory => Ok(Step::Dir(node.offset)),
            Filetype::SymbolicLink => Ok(Step::Link(target(&self.image, &node)?.to_vec())),
            _ => Err(Errno::Notdir),
        }
    }

    fn read_link(&self, at: Option<&u32>, name: &Name) -> Result<Option<Vec<u8>>, Errno> {
        let dir = self.node(at.copied())?;
        let Some(entry) = self.image.find(&dir, name.as_bytes())? else {
            return Ok(None);
        };
        let node = self.image.resolved(entry)?;
        match node.filetype() {
            Filetype::SymbolicLink => Ok(Some(target(&self.image, &node)?.to_vec())),
            _ => Ok(None),
        }
    }
}

/// A link's target, as a host could have it.
fn target<'i>(image: &'i Image, node: &Node<'_>) -> Result<&'i [u8], Errno> {
    match image.data(node)? {
        [] => Err(Errno::Noent),
        target if target.len() >= path::PATH_MAX => Err(Errno::Nametoolong),
        target if target.contains(&0) => Err(Errno::Io),
        target => Ok(target),
    }
}

impl Dir for RomDir {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn filestat(&self) -> Result<Filestat, Errno> {
        Ok(self.filestat_of(&self.node(None)?))
    }

    fn set_times(&self, _times: Times) -> Result<(), Errno> {
        Err(Errno::Rofs)
    }

    fn open(&self, path: &[u8], options: OpenOptions) -> Result<Opened, Errno> {
        let has = |oflag| options.oflags.contains(oflag);
        let create = has(Oflags::CREAT);
        let new = create && has(Oflags::EXCL);
        let place = self.place(path, Last::opening(create, options.follow && !new))?;
        if create && place.slash {
            return Err(Errno::Isdir);
        }
        let node = match self.lookup(&place)? {
            Some(_) if new => return Err(Errno::Exist),
            Some(node) => node,
            None if create => return Err(Errno::Rofs),
            None => return Err(Errno::Noent),
        };
        let writes = options.write || has(Oflags::TRUNC);
        match node.filetype() {
            Filetype::Directory if create || writes => Err(Errno::Isdir),
            Filetype::Directory => Ok(Opened::Dir(Box::new(self.at(&node)))),
            _ if has(Oflags::DIRECTORY) || place.slash => Err(Errno::Notdir),
            Filetype::SymbolicLink => Err(Errno::Loop),
            Filetype::RegularFile if writes => Err(Errno::Rofs),
            Filetype::RegularFile => {
                // If it is not in the image, this is the time to say so.
                self.image.data(&node)?;
                let file = RomFile::new(self.image.clone(), node.offset, self.filestat_of(&node));
                Ok(Opened::File(Box::new(file)))
            }
            // A device's number means something to the host that the image was made for.
            _ => Err(Errno::Nxio),
        }
    }

    fn filestat_at(&self, path: &[u8], follow: bool) -> Result<Filestat, Errno> {
        Ok(self.filestat_of(&self.find(path, follow)?))
    }

    fn set_times_at(&self, path: &[u8], follow: bool, _times: Times) -> Result<(), Errno> {
        self.find(path, follow)?;
        Err(Errno::Rofs)
    }

    fn create_dir(&self, path: &[u8]) -> Result<(), Errno> {
        self.cannot_create(path)
    }

    fn remove_dir(&self, path: &[u8]) -> Result<(), Errno> {
        self.cannot_remove(path)
    }

    fn unlink(&self, path: &[u8]) -> Result<(), Errno> {
        self.cannot_remove(path)
    }

    fn rename(&self, old: &[u8], new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno> {
        let new_dir: &Self = new_dir.as_any().downcast_ref().ok_or(Errno::Xdev)?;
        if self.number != new_dir.number {
            return Err(Errno::Xdev);
        }
        self.place(old, Last::Name)?;
        new_dir.cannot_remove(new)
    }

    fn link(&self, old: &[u8], follow: bool, new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno> {
        let new_dir: &Self = new_dir.as_any().downcast_ref().ok_or(Errno::Xdev)?;
        if self.number != new_dir.number {
            return Err(Errno::Xdev);
        }
        self.find(old, follow)?;
        new_dir.cannot_create(new)
    }

    fn symlink(&self, target: &[u8], path: &[u8]) -> Result<(), Errno> {
        match target.first() {
            None => Err(Errno::Noent),
            Some(b'/') => Err(Errno::Perm),
            Some(_) => self.cannot_create(path),
        }
    }

    fn readlink(&self, path: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
        let place = self.place(path, Last::NoFollow)?;
        let node = self.lookup(&place)?.ok_or(Errno::Noent)?;
        if node.filetype() != Filetype::SymbolicLink {
            return Err(Errno::Inval);
        }
        let target = target(&self.image, &node)?;
        if target.first() == Some(&b'/') {
            // As it is with the host's directories: the guest could not follow it.
            return Err(Errno::Perm);
        }
        let len = target.len().min(buffer.len());
        buffer[..len].copy_from_slice(&target[..len]);
        Ok(len)
    }

    fn list(
        &self,
        cookie: u64,
        _room: usize,
        each: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Result<(), Errno> {
        let dir = self.node(None)?;
        let own = dir.offset.into();
        let mut entry = |next, ino, filetype, name: &[u8]| {
            each(&Entry {
                next,
                ino,
                filetype,
                name,
            })
        };
        if cookie < DOT && !entry(DOT, own, Filetype::Directory, b".") {
            return Ok(());
        }
        if cookie < DOT_DOT {
            // Images need not have it.
            let parent = match self.image.find(&dir, b"..") {
                Ok(Some(up)) => self.image.resolved(up).map_or(own, |up| up.offset.into()),
                _ => own,
            };
            if !entry(DOT_DOT, parent, Filetype::Directory, b"..") {
                return Ok(());
            }
        }
        // A cookie is good if it is one of this directory: others would show what is in other ones.
        let mut seen = cookie <= DOT_DOT;
        for found in self.image.entries(&dir) {
            let found = found?;
            let next = found.offset.into();
            if !seen {
                seen = next == cookie;
                continue;
            }
            if matches!(found.name, b"." | b"..") {
                continue;
            }
            if found.name.is_empty() || found.name.contains(&b'/') {
                return Err(Errno::Io);
            }
            let node = self.image.resolved(found)?;
            if !entry(next, node.offset.into(), node.filetype(), found.name) {
                return Ok(());
            }
        }
        if seen { Ok(()) } else { Err(Errno::Inval) }
    }
}
