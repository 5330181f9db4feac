//! A tree of files in memory, with all that a host's file system has: for guests that need a place to write
//! to where there is none, or where nothing shall stay.
//!
//! ```
//! # fn main() -> Result<(), teff_wasi::Errno> {
//! use teff_wasi::{DirPerms, FilePerms, WasiCtxBuilder, platform::memory::MemoryDir};
//!
//! let tree = MemoryDir::builder().limit(64 * 1024).build();
//! tree.add_file("etc/settings.toml", "interval = 5\n")?;
//! let ctx = WasiCtxBuilder::new()
//!     .preopened_tree(tree.clone(), "/", DirPerms::all(), FilePerms::all())
//!     .build();
//! // ... the guest runs ...
//! # drop(ctx);
//! assert_eq!(tree.read("etc/settings.toml")?, b"interval = 5\n");
//! # Ok(())
//! # }
//! ```
//!
//! `tree.rs` is the tree, `node.rs` what is in it, `content.rs` the bytes of a file; `dir.rs` and `file.rs` are
//! what a guest has open.

mod content;
mod dir;
mod file;
mod node;
#[cfg(all(test, unix, feature = "std"))]
mod tests;
mod tree;

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use self::{
    content::Content,
    dir::up_to_slash,
    node::Kind,
    tree::{Pin, ROOT, Tree},
};
use super::Dir as _;
use crate::{
    path::Last,
    sync::{Lock, new_tree_number},
    types::Errno,
};

/// Tells the time, in nanoseconds since 1970.
type Now = Box<dyn Fn() -> u64 + Send + Sync>;

/// A directory of a tree in memory, at first its root. Clones are the same directory, so that an embedder can
/// keep one and give another to a guest.
///
/// Paths are as a guest's: relative to the directory, with `/` between names, and none leads out of it.
///
/// Times are those of the clock that it was [built](MemoryDir::builder) with, and 0 without one. Reading
/// does not change them.
///
/// Without the feature `std`, of two threads that use a tree at the same moment one is told `busy`.
pub struct MemoryDir {
    node: Open,
    /// The last entry that there was when a listing began; what is created while it goes on is not in it.
    listed: Lock<u64>,
}

/// What all who have something of a tree open share.
struct Shared {
    tree: Lock<Tree>,
    now: Option<Now>,
    /// What a guest sees as the tree's device.
    number: u64,
}

impl Shared {
    fn now(&self) -> u64 {
        self.now.as_ref().map_or(0, |now| now())
    }
}

/// Something of a tree that is open, and stays there for as long as it is, also without a name.
struct Open {
    shared: Arc<Shared>,
    ino: u64,
    pin: Option<Pin>,
}

impl Open {
    /// Runs `f` on the tree.
    fn with<R>(&self, f: impl FnOnce(&mut Tree) -> Result<R, Errno>) -> Result<R, Errno> {
        self.shared.tree.with(f)
    }

    /// Opens another one of the tree. What it gives must leave the tree's lock before it is dropped.
    fn open(&self, tree: &Tree, ino: u64) -> Result<Self, Errno> {
        Ok(Self {
            shared: self.shared.clone(),
            ino,
            pin: Some(tree.pin(ino)?),
        })
    }
}

impl Clone for Open {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            ino: self.ino,
            pin: self.pin.clone(),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (ino, pin) = (self.ino, self.pin.take());
        // If the tree is busy, it finds out later that nobody has this open.
        let _ = self.shared.tree.with(|tree| {
            tree.release(ino, pin);
            Ok(())
        });
    }
}

/// Says what a tree in memory is to be like; see [`MemoryDir::builder`].
pub struct MemoryBuilder {
    limit: u64,
    now: Option<Now>,
}

impl MemoryBuilder {
    /// The most bytes that the tree takes; for more there is no space left (`nospc`). What counts is the
    /// bytes of files, without those that are [static](Contents), and for each name its length and 128 bytes.
    /// A file's memory may be up to twice its length while it grows.
    ///
    /// Without a limit, a guest gets as much memory as the system has.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Where times come from, in nanoseconds since 1970. It must not use the tree.
    pub fn clock(mut self, now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.now = Some(Box::new(now));
        self
    }

    /// The root of an empty tree.
    pub fn build(self) -> MemoryDir {
        let now = self.now.as_ref().map_or(0, |now| now());
        let shared = Shared {
            tree: Lock::new(Tree::new(self.limit, now)),
            now: self.now,
            number: new_tree_number(),
        };
        MemoryDir::new_handle(Open {
            shared: Arc::new(shared),
            ino: ROOT,
            // The root always stays.
            pin: None,
        })
    }
}

impl core::fmt::Debug for MemoryBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MemoryBuilder")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// What a file has in it: bytes of its own, or static ones, which take no memory until a guest writes to the
/// file, and are copied then.
#[derive(Debug)]
pub struct Contents(Content);

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Content::Owned(bytes))
    }
}

impl From<String> for Contents {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&'static [u8]> for Contents {
    fn from(bytes: &'static [u8]) -> Self {
        Self(Content::Static(bytes))
    }
}

impl<const N: usize> From<&'static [u8; N]> for Contents {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self(Content::Static(bytes))
    }
}

impl From<&'static str> for Contents {
    fn from(text: &'static str) -> Self {
        text.as_bytes().into()
    }
}

impl MemoryDir {
    /// The root of an empty tree, without a limit and without a clock.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// For a tree with a limit or a clock.
    pub fn builder() -> MemoryBuilder {
        MemoryBuilder {
            limit: u64::MAX,
            now: None,
        }
    }

    fn new_handle(node: Open) -> Self {
        Self {
            node,
            listed: Lock::new(u64::MAX),
        }
    }

    /// Puts a file there, instead of the one that may be there, and makes the directories that lead to it.
    ///
    /// # Errors
    /// `isdir` if a directory is there, `nospc` if there is no room, and what else a guest would be told.
    pub fn add_file(
        &self,
        path: impl AsRef<[u8]>,
        contents: impl Into<Contents>,
    ) -> Result<(), Errno> {
        let path = path.as_ref();
        self.add_parents(path)?;
        let now = self.node.shared.now();
        let Contents(content) = contents.into();
        self.node.with(|tree| {
            let at = tree.resolve(self.node.ino, path, Last::Follow)?;
            match tree.lookup(&at)? {
                _ if at.slash => Err(Errno::Isdir),
                Some(ino) => tree.put(ino, content, now),
                None => tree.create(&at, Kind::File(content), now).map(drop),
            }
        })
    }

    /// Makes a directory and those that lead to it, unless they are there.
    ///
    /// # Errors
    /// `exist` or `notdir` if something else is there, and what else a guest would be told.
    pub fn add_dir(&self, path: impl AsRef<[u8]>) -> Result<(), Errno> {
        let path = path.as_ref();
        self.add_parents(path)?;
        self.add_one_dir(path)
    }

    /// Makes a symbolic link, and the directories that lead to it.
    ///
    /// # Errors
    /// `exist` if something is there, `perm` if the target is an absolute path, and what else a guest would
    /// be told.
    pub fn add_symlink(
        &self,
        target: impl AsRef<[u8]>,
        path: impl AsRef<[u8]>,
    ) -> Result<(), Errno> {
        let path = path.as_ref();
        self.add_parents(path)?;
        self.symlink(target.as_ref(), path)
    }

    fn add_parents(&self, path: &[u8]) -> Result<(), Errno> {
        let mut rest = path;
        while let Some(parent) = up_to_slash(path, rest) {
            self.add_one_dir(parent)?;
            rest = &path[parent.len()..];
        }
        Ok(())
    }

    fn add_one_dir(&self, path: &[u8]) -> Result<(), Errno> {
        match self.create_dir(path) {
            Err(Errno::Exist) if self.is_dir(path) => Ok(()),
            result => result,
        }
    }

    fn is_dir(&self, path: &[u8]) -> bool {
        let stat = self.filestat_at(path, true);
        stat.is_ok_and(|stat| stat.filetype == super::Filetype::Directory)
    }

    /// What is in a file.
    ///
    /// # Errors
    /// `isdir` if it is a directory, and what else a guest would be told.
    pub fn read(&self, path: impl AsRef<[u8]>) -> Result<Vec<u8>, Errno> {
        self.node.with(|tree| {
            let at = tree.resolve(self.node.ino, path.as_ref(), Last::Follow)?;
            let ino = tree.find_checked(&at)?;
            Ok(tree.content(ino)?.bytes().to_vec())
        })
    }

    /// A directory in this one: what is given of it to a guest leads nowhere else.
    ///
    /// # Errors
    /// `notdir` if it is no directory, and what else a guest would be told.
    pub fn dir(&self, path: impl AsRef<[u8]>) -> Result<Self, Errno> {
        self.node.with(|tree| {
            let at = tree.resolve(self.node.ino, path.as_ref(), Last::Follow)?;
            let ino = tree.find(&at)?;
            if !tree.is_dir(ino) {
                return Err(Errno::Notdir);
            }
            Ok(Self::new_handle(self.node.open(tree, ino)?))
        })
    }

    /// How many bytes the whole tree takes, as its [limit](MemoryBuilder::limit) counts them.
    ///
    /// # Errors
    /// `busy`, only without the feature `std`.
    pub fn used(&self) -> Result<u64, Errno> {
        self.node.with(|tree| Ok(tree.used()))
    }
}

impl Default for MemoryDir {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for MemoryDir {
    fn clone(&self) -> Self {
        Self::new_handle(self.node.clone())
    }
}

impl core::fmt::Debug for MemoryDir {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MemoryDir").finish_non_exhaustive()
    }
}
