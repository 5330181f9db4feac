//! A directory of a tree in memory, as a guest uses it. Each operation finds its places and acts on them in
//! one go. The errors are those of a Linux host, as `platform/unix/dir.rs` has them.

use alloc::{boxed::Box, sync::Arc};
use core::any::Any;

use super::{
    MemoryDir,
    file::MemoryFile,
    node::Kind,
    tree::{At, Tree},
};
use crate::{
    path::{Last, PATH_MAX},
    platform::{Dir, Entry, OpenOptions, Opened},
    types::{Errno, Filestat, Oflags, Times},
};

/// The next part of a path that another one follows: what of `path` is before the next slash in `rest`, which
/// is its end.
pub(super) fn up_to_slash<'p>(path: &'p [u8], rest: &[u8]) -> Option<&'p [u8]> {
    let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
    let name = rest[slashes..].iter().position(|byte| *byte == b'/')?;
    Some(&path[..path.len() - rest.len() + slashes + name])
}

impl MemoryDir {
    /// The other directory of a call.
    fn other<'d>(&self, dir: &'d dyn Dir) -> Result<&'d Self, Errno> {
        let other: &Self = dir.as_any().downcast_ref().ok_or(Errno::Xdev)?;
        if !Arc::ptr_eq(&self.node.shared, &other.node.shared) {
            return Err(Errno::Xdev);
        }
        Ok(other)
    }

    fn resolve(&self, tree: &Tree, path: &[u8], last: Last) -> Result<At, Errno> {
        tree.resolve(self.node.ino, path, last)
    }

    /// Runs `f` on the place of a name that is to be created or removed, and the time.
    fn at_name<R>(
        &self,
        path: &[u8],
        f: impl FnOnce(&mut Tree, &At, u64) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let now = self.node.shared.now();
        self.node.with(|tree| {
            let at = self.resolve(tree, path, Last::Name)?;
            f(tree, &at, now)
        })
    }

    /// Runs `f` on what is at a path.
    fn at_path<R>(
        &self,
        path: &[u8],
        follow: bool,
        f: impl FnOnce(&mut Tree, u64) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        self.node.with(|tree| {
            let at = self.resolve(tree, path, Last::following(follow))?;
            let ino = tree.find_checked(&at)?;
            f(tree, ino)
        })
    }
}

/// A name with a slash after it is no name for something new that is no directory.
fn check_new_name(tree: &Tree, at: &At) -> Result<(), Errno> {
    if at.slash {
        tree.find(at)?;
        return Err(Errno::Exist);
    }
    Ok(())
}

impl Dir for MemoryDir {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn filestat(&self) -> Result<Filestat, Errno> {
        let number = self.node.shared.number;
        self.node.with(|tree| tree.filestat(self.node.ino, number))
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        let now = self.node.shared.now();
        self.node
            .with(|tree| tree.set_times(self.node.ino, times, now))
    }

    fn open(&self, path: &[u8], options: OpenOptions) -> Result<Opened, Errno> {
        let OpenOptions {
            follow,
            oflags,
            fdflags,
            read,
            write,
        } = options;
        let has = |oflag| oflags.contains(oflag);
        let (create, directory) = (has(Oflags::CREAT), has(Oflags::DIRECTORY));
        let new = create && has(Oflags::EXCL);
        // Cutting a file is writing to it.
        let writes = write || has(Oflags::TRUNC);
        let now = self.node.shared.now();
        self.node.with(|tree| {
            let at = self.resolve(tree, path, Last::opening(create, follow && !new))?;
            if create && at.slash {
                return Err(Errno::Isdir);
            }
            if create && directory {
                return Err(Errno::Inval);
            }
            let ino = match tree.lookup(&at)? {
                Some(_) if new => return Err(Errno::Exist),
                Some(ino) => ino,
                None if create => tree.create(&at, Kind::File(Default::default()), now)?,
                None => return Err(Errno::Noent),
            };
            match tree.kind(ino)? {
                Kind::Dir(_) if create || writes => return Err(Errno::Isdir),
                Kind::Dir(_) => {
                    let node = self.node.open(tree, ino)?;
                    return Ok(Opened::Dir(Box::new(Self::new_handle(node))));
                }
                _ if directory || at.slash => return Err(Errno::Notdir),
                Kind::Link(_) => return Err(Errno::Loop),
                Kind::File(_) => {}
            }
            if has(Oflags::TRUNC) {
                tree.set_size(ino, 0, now)?;
            }
            let node = self.node.open(tree, ino)?;
            let file = MemoryFile::new(node, read || !writes, writes, fdflags);
            Ok(Opened::File(Box::new(file)))
        })
    }

    fn filestat_at(&self, path: &[u8], follow: bool) -> Result<Filestat, Errno> {
        let number = self.node.shared.number;
        self.at_path(path, follow, |tree, ino| tree.filestat(ino, number))
    }

    fn set_times_at(&self, path: &[u8], follow: bool, times: Times) -> Result<(), Errno> {
        let now = self.node.shared.now();
        self.at_path(path, follow, |tree, ino| tree.set_times(ino, times, now))
    }

    fn create_dir(&self, path: &[u8]) -> Result<(), Errno> {
        self.at_name(path, |tree, at, now| {
            tree.create(at, Kind::empty_dir(), now).map(drop)
        })
    }

    fn remove_dir(&self, path: &[u8]) -> Result<(), Errno> {
        self.at_name(path, |tree, at, now| tree.remove_dir(at, now))
    }

    fn unlink(&self, path: &[u8]) -> Result<(), Errno> {
        self.at_name(path, |tree, at, now| {
            if at.slash {
                // A directory is meant, and those are not removed by this function.
                tree.find_checked(at)?;
                return Err(Errno::Isdir);
            }
            tree.unlink(at, now)
        })
    }

    fn rename(&self, old: &[u8], new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno> {
        let new_dir = self.other(new_dir)?;
        let now = self.node.shared.now();
        self.node.with(|tree| {
            let old = self.resolve(tree, old, Last::Name)?;
            let new = new_dir.resolve(tree, new, Last::Name)?;
            // A directory is meant by either name, so the old one must be one.
            if (old.slash || new.slash) && !tree.is_dir(tree.find(&old)?) {
                return Err(Errno::Notdir);
            }
            tree.rename(&old, &new, now)
        })
    }

    fn link(&self, old: &[u8], follow: bool, new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno> {
        let new_dir = self.other(new_dir)?;
        let now = self.node.shared.now();
        self.node.with(|tree| {
            let old = self.resolve(tree, old, Last::following(follow))?;
            if old.slash {
                tree.find_checked(&old)?;
            }
            let new = new_dir.resolve(tree, new, Last::Name)?;
            check_new_name(tree, &new)?;
            tree.link(tree.find(&old)?, &new, now)
        })
    }

    fn symlink(&self, target: &[u8], path: &[u8]) -> Result<(), Errno> {
        match target.first() {
            None => return Err(Errno::Noent),
            // As it is with the host's directories.
            Some(b'/') => return Err(Errno::Perm),
            Some(_) if target.len() >= PATH_MAX => return Err(Errno::Nametoolong),
            Some(_) if target.contains(&0) => return Err(Errno::Inval),
            Some(_) => {}
        }
        self.at_name(path, |tree, at, now| {
            check_new_name(tree, at)?;
            tree.create(at, Kind::Link(target.into()), now).map(drop)
        })
    }

    fn readlink(&self, path: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
        self.node.with(|tree| {
            let at = self.resolve(tree, path, Last::NoFollow)?;
            let Kind::Link(target) = tree.kind(tree.find(&at)?)? else {
                return Err(Errno::Inval);
            };
            let len = target.len().min(buffer.len());
            buffer[..len].copy_from_slice(&target[..len]);
            Ok(len)
        })
    }

    fn list(
        &self,
        cookie: u64,
        _room: usize,
        each: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Result<(), Errno> {
        i64::try_from(cookie).map_err(|_| Errno::Inval)?;
        let last = if cookie == 0 {
            let last = self.node.with(|tree| tree.last_cookie(self.node.ino))?;
            self.listed.with(|listed| {
                *listed = last;
                Ok(last)
            })?
        } else {
            self.listed.with(|listed| Ok(*listed))?
        };
        let mut cookie = cookie;
        // The tree is free between two entries, so `each` may use it.
        while let Some(entry) = self
            .node
            .with(|tree| tree.entry_after(self.node.ino, cookie, last))?
        {
            cookie = entry.cookie;
            let go_on = each(&Entry {
                next: entry.cookie,
                ino: entry.ino,
                filetype: entry.filetype,
                name: entry.name.as_bytes(),
            });
            if !go_on {
                break;
            }
        }
        Ok(())
    }
}
