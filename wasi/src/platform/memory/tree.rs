//! The tree itself: what there is, which names it has, and how much memory it takes. One lock is around all
//! of it, so each operation is all done before the next begins.
//!
//! It knows nodes by their numbers, which are never used twice. A node stays while it has a name or somebody
//! has it open, which a [`Pin`] tells.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

use super::{
    content::Content,
    node::{DOT, DOT_DOT, Entries, Kind},
};
use crate::{
    buffers::WriteBuffers,
    path::{self, Last, Name, Place, Step},
    types::{Errno, Filestat, Filetype, SetTime, Times},
};

/// What a name costs besides its bytes, with the node that was made for it.
pub(super) const ENTRY_COST: u64 = 128;

/// The number of the tree's root.
pub(super) const ROOT: u64 = 1;

/// Whoever has a node open has a clone of its pin.
pub(super) type Pin = Arc<()>;

/// A file, directory or link.
#[derive(Debug)]
struct Node {
    kind: Kind,
    /// Names of it; for a directory its own `.` and the `..` of those in it.
    nlink: u64,
    atim: u64,
    mtim: u64,
    ctim: u64,
    pin: Pin,
}

/// A place in the tree: a directory and a name in it.
pub(super) struct At {
    pub(super) dir: u64,
    pub(super) name: Name,
    /// Did a slash follow the name? Then only a directory is meant.
    pub(super) slash: bool,
}

impl At {
    fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// Is it the directory itself?
    pub(super) fn is_dir_itself(&self) -> bool {
        self.name() == b"."
    }
}

/// An entry of a listing.
pub(super) struct Listed {
    pub(super) cookie: u64,
    pub(super) ino: u64,
    pub(super) filetype: Filetype,
    pub(super) name: Name,
}

/// All that there is.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<u64, Node>,
    /// Those without a name that were open when they lost it.
    orphans: Vec<u64>,
    next_ino: u64,
    used: u64,
    limit: u64,
}

impl Tree {
    /// An empty directory, and room for so many bytes.
    pub(super) fn new(limit: u64, now: u64) -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
            orphans: Vec::new(),
            next_ino: ROOT,
            used: 0,
            limit,
        };
        tree.add_node(Kind::empty_dir(), now);
        tree
    }

    /// How many bytes it takes now.
    pub(super) fn used(&mut self) -> u64 {
        self.sweep();
        self.used
    }

    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    fn add_node(&mut self, kind: Kind, now: u64) -> u64 {
        let ino = self.next_ino;
        self.next_ino += 1;
        self.used += kind.cost();
        let node = Node {
            nlink: if matches!(kind, Kind::Dir(_)) { 2 } else { 1 },
            kind,
            atim: now,
            mtim: now,
            ctim: now,
            pin: Pin::default(),
        };
        self.nodes.insert(ino, node);
        ino
    }

    fn node(&self, ino: u64) -> Result<&Node, Errno> {
        self.nodes.get(&ino).ok_or(Errno::Stale)
    }

    fn node_mut(&mut self, ino: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&ino).ok_or(Errno::Stale)
    }

    fn entries(&self, ino: u64) -> Result<&Entries, Errno> {
        match &self.node(ino)?.kind {
            Kind::Dir(entries) => Ok(entries),
            _ => Err(Errno::Notdir),
        }
    }

    /// The entries of a directory, of which something changes now.
    fn change_entries(&mut self, ino: u64, now: u64) -> Result<&mut Entries, Errno> {
        let node = self.node_mut(ino)?;
        (node.mtim, node.ctim) = (now, now);
        match &mut node.kind {
            Kind::Dir(entries) => Ok(entries),
            _ => Err(Errno::Notdir),
        }
    }

    pub(super) fn kind(&self, ino: u64) -> Result<&Kind, Errno> {
        Ok(&self.node(ino)?.kind)
    }

    pub(super) fn is_dir(&self, ino: u64) -> bool {
        matches!(self.kind(ino), Ok(Kind::Dir(_)))
    }

    pub(super) fn pin(&self, ino: u64) -> Result<Pin, Errno> {
        Ok(self.node(ino)?.pin.clone())
    }

    pub(super) fn filestat(&self, ino: u64, dev: u64) -> Result<Filestat, Errno> {
        let node = self.node(ino)?;
        Ok(Filestat {
            dev,
            ino,
            filetype: node.kind.filetype(),
            nlink: node.nlink,
            size: match &node.kind {
                Kind::File(content) => content.len() as u64,
                Kind::Dir(_) => 0,
                Kind::Link(target) => target.len() as u64,
            },
            atim: node.atim,
            mtim: node.mtim,
            ctim: node.ctim,
        })
    }

    pub(super) fn set_times(&mut self, ino: u64, times: Times, now: u64) -> Result<(), Errno> {
        let node = self.node_mut(ino)?;
        for (time, new) in [(&mut node.atim, times.atim), (&mut node.mtim, times.mtim)] {
            match new {
                Some(SetTime::Now) => *time = now,
                Some(SetTime::At(at)) => *time = at,
                None => {}
            }
        }
        node.ctim = now;
        Ok(())
    }

    // Room.

    /// Forgets what nobody has open any more and has no name.
    fn sweep(&mut self) {
        let mut orphans = core::mem::take(&mut self.orphans);
        orphans.retain(|ino| match self.nodes.get(ino) {
            Some(node) if Arc::strong_count(&node.pin) > 1 => true,
            Some(node) => {
                self.used -= node.kind.cost();
                self.nodes.remove(ino);
                false
            }
            None => false,
        });
        self.orphans = orphans;
    }

    /// How many more bytes there is room for. What would be forgotten anyway is in nobody's way.
    fn room(&mut self, wanted: u64) -> u64 {
        if wanted > self.limit.saturating_sub(self.used) {
            self.sweep();
        }
        self.limit.saturating_sub(self.used)
    }

    /// Is there room for so many more bytes?
    fn check_room(&mut self, wanted: u64) -> Result<(), Errno> {
        if wanted > self.room(wanted) {
            return Err(Errno::Nospc);
        }
        Ok(())
    }

    /// Somebody has closed it.
    pub(super) fn release(&mut self, ino: u64, pin: Option<Pin>) {
        drop(pin);
        if self.orphans.contains(&ino) {
            self.sweep();
        }
    }

    // Names.

    /// The place to which a path leads that begins at a directory.
    pub(super) fn resolve(&self, root: u64, path: &[u8], last: Last) -> Result<At, Errno> {
        path::check(path)?;
        let Place { dir, name, slash } = path::walk(&View { tree: self, root }, path, last)?;
        Ok(At {
            dir: dir.unwrap_or(root),
            name,
            slash,
        })
    }

    /// What is at a place, if there is something.
    pub(super) fn lookup(&self, at: &At) -> Result<Option<u64>, Errno> {
        if at.is_dir_itself() {
            return Ok(Some(at.dir));
        }
        Ok(self.entries(at.dir)?.get(at.name()))
    }

    /// What is at a place.
    pub(super) fn find(&self, at: &At) -> Result<u64, Errno> {
        self.lookup(at)?.ok_or(Errno::Noent)
    }

    /// What is at a place. If a slash was there, it must be a directory.
    pub(super) fn find_checked(&self, at: &At) -> Result<u64, Errno> {
        let ino = self.find(at)?;
        if at.slash && !self.is_dir(ino) {
            return Err(Errno::Notdir);
        }
        Ok(ino)
    }

    /// A directory that was removed takes no new names.
    fn check_alive(&self, dir: u64) -> Result<(), Errno> {
        match self.node(dir)?.nlink {
            0 => Err(Errno::Noent),
            _ => Ok(()),
        }
    }

    /// Makes something new where nothing is.
    pub(super) fn create(&mut self, at: &At, mut kind: Kind, now: u64) -> Result<u64, Errno> {
        if self.lookup(at)?.is_some() {
            return Err(Errno::Exist);
        }
        self.check_alive(at.dir)?;
        let cost = name_cost(at);
        self.check_room(cost.saturating_add(kind.cost()))?;
        if let Kind::Dir(entries) = &mut kind {
            entries.parent = at.dir;
            self.node_mut(at.dir)?.nlink += 1;
        }
        let ino = self.add_node(kind, now);
        self.used += cost;
        self.change_entries(at.dir, now)?
            .insert(at.name(), ino, None);
        Ok(ino)
    }

    /// Gives a node another name.
    pub(super) fn link(&mut self, ino: u64, at: &At, now: u64) -> Result<(), Errno> {
        if self.lookup(at)?.is_some() {
            return Err(Errno::Exist);
        }
        self.check_alive(at.dir)?;
        if self.is_dir(ino) {
            return Err(Errno::Perm);
        }
        let cost = name_cost(at);
        self.check_room(cost)?;
        self.used += cost;
        let node = self.node_mut(ino)?;
        node.nlink += 1;
        node.ctim = now;
        self.change_entries(at.dir, now)?
            .insert(at.name(), ino, None);
        Ok(())
    }

    /// Removes a name of something that is no directory.
    pub(super) fn unlink(&mut self, at: &At, now: u64) -> Result<(), Errno> {
        let ino = self.find(at)?;
        if self.is_dir(ino) {
            return Err(Errno::Isdir);
        }
        self.forget(at, now).map(drop)
    }

    /// Removes an empty directory.
    pub(super) fn remove_dir(&mut self, at: &At, now: u64) -> Result<(), Errno> {
        if at.is_dir_itself() {
            return Err(Errno::Inval);
        }
        let ino = self.find(at)?;
        if !self.entries(ino)?.is_empty() {
            return Err(Errno::Notempty);
        }
        self.forget(at, now).map(drop)
    }

    /// Removes a name, and what had no other; a directory must be empty. Gives the name's cookie.
    fn forget(&mut self, at: &At, now: u64) -> Result<Option<u64>, Errno> {
        let Some(slot) = self.change_entries(at.dir, now)?.remove(at.name()) else {
            return Ok(None);
        };
        self.used -= name_cost(at);
        let node = self.node_mut(slot.ino)?;
        node.ctim = now;
        if matches!(node.kind, Kind::Dir(_)) {
            node.nlink = 0;
            self.node_mut(at.dir)?.nlink -= 1;
        } else {
            node.nlink -= 1;
        }
        if self.node(slot.ino)?.nlink == 0 {
            self.orphans.push(slot.ino);
            self.sweep();
        }
        Ok(Some(slot.cookie))
    }

    /// Is a directory the other one, or somewhere in it?
    fn is_within(&self, mut dir: u64, outer: u64) -> bool {
        loop {
            if dir == outer {
                return true;
            }
            // One that was removed may have outlived those that it was in.
            let Ok(entries) = self.entries(dir) else {
                return false;
            };
            if entries.parent == dir {
                return false;
            }
            dir = entries.parent;
        }
    }

    /// Gives something another name instead of the one that it has.
    pub(super) fn rename(&mut self, old: &At, new: &At, now: u64) -> Result<(), Errno> {
        if old.is_dir_itself() || new.is_dir_itself() {
            return Err(Errno::Busy);
        }
        let ino = self.find(old)?;
        let target = self.lookup(new)?;
        let moves_dir = self.is_dir(ino);
        if moves_dir && self.is_within(new.dir, ino) {
            return Err(Errno::Inval);
        }
        if let Some(target) = target {
            if self.is_dir(target) && self.is_within(old.dir, target) {
                return Err(Errno::Notempty);
            }
            if target == ino {
                // Two names of one file stay as they are.
                return Ok(());
            }
            match (moves_dir, self.kind(target)?) {
                (true, Kind::Dir(entries)) if !entries.is_empty() => {
                    return Err(Errno::Notempty);
                }
                (true, Kind::Dir(_)) => {}
                (true, _) => return Err(Errno::Notdir),
                (false, Kind::Dir(_)) => return Err(Errno::Isdir),
                (false, _) => {}
            }
        } else {
            self.check_alive(new.dir)?;
            self.check_room(name_cost(new).saturating_sub(name_cost(old)))?;
        }
        // Nothing fails from here on.
        let replaced = self.forget(new, now)?;
        let moved = self.change_entries(old.dir, now)?.remove(old.name());
        self.used -= name_cost(old);
        self.used += name_cost(new);
        // Who lists the directory meanwhile has seen it, or will see it, but not both; and so it is with the
        // name of what was replaced.
        let cookie = match moved {
            Some(slot) if old.dir == new.dir => Some(slot.cookie),
            _ => replaced,
        };
        self.change_entries(new.dir, now)?
            .insert(new.name(), ino, cookie);
        if moves_dir {
            self.node_mut(old.dir)?.nlink -= 1;
            self.node_mut(new.dir)?.nlink += 1;
        }
        let node = self.node_mut(ino)?;
        node.ctim = now;
        if let Kind::Dir(entries) = &mut node.kind {
            entries.parent = new.dir;
        }
        Ok(())
    }

    /// The cookie of a directory's last entry.
    pub(super) fn last_cookie(&self, dir: u64) -> Result<u64, Errno> {
        Ok(self.entries(dir)?.last_cookie())
    }

    /// The first entry of a directory after a cookie, and up to another one.
    pub(super) fn entry_after(
        &self,
        dir: u64,
        cookie: u64,
        last: u64,
    ) -> Result<Option<Listed>, Errno> {
        // As hosts do it.
        self.check_alive(dir)?;
        let entries = self.entries(dir)?;
        let (cookie, ino, name) = match cookie {
            0 => (DOT, dir, &b"."[..]),
            DOT => (DOT_DOT, entries.parent, &b".."[..]),
            _ if cookie >= last => return Ok(None),
            _ => match entries.after(cookie, last) {
                Some((name, slot)) => (slot.cookie, slot.ino, name),
                None => return Ok(None),
            },
        };
        Ok(Some(Listed {
            cookie,
            ino,
            filetype: self.kind(ino)?.filetype(),
            name: Name::new(name)?,
        }))
    }

    // Files.

    pub(super) fn content(&self, ino: u64) -> Result<&Content, Errno> {
        match self.kind(ino)? {
            Kind::File(content) => Ok(content),
            Kind::Dir(_) => Err(Errno::Isdir),
            Kind::Link(_) => Err(Errno::Inval),
        }
    }

    /// Has a file's content changed, and counts what it takes then.
    fn change<R>(
        &mut self,
        ino: u64,
        now: u64,
        change: impl FnOnce(&mut Content) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let node = self.node_mut(ino)?;
        let Kind::File(content) = &mut node.kind else {
            return Err(Errno::Isdir);
        };
        let before = content.cost();
        let result = change(content);
        let after = content.cost();
        if result.is_ok() {
            (node.mtim, node.ctim) = (now, now);
        }
        self.used = self.used - before + after;
        result
    }

    /// How long a file may become.
    fn max_len(&mut self, ino: u64, wanted: u64) -> Result<u64, Errno> {
        let cost = self.content(ino)?.cost();
        Ok(self.room(wanted.saturating_sub(cost)).saturating_add(cost))
    }

    /// Writes as much as there is room for: at least something. Gives the count, and where it ends.
    pub(super) fn write(
        &mut self,
        ino: u64,
        offset: Option<u64>,
        buffers: &mut WriteBuffers<'_>,
        now: u64,
    ) -> Result<(usize, u64), Errno> {
        let len = self.content(ino)?.len();
        let start = match offset {
            Some(offset) => usize::try_from(offset).map_err(|_| Errno::Fbig)?,
            None => len,
        };
        if buffers.len() == 0 {
            return Ok((0, start as u64));
        }
        let end = start.checked_add(buffers.len()).ok_or(Errno::Fbig)?;
        let max = self.max_len(ino, end.max(len) as u64)?;
        let end = end.min(usize::try_from(max).unwrap_or(usize::MAX));
        if len as u64 > max || end <= start {
            return Err(Errno::Nospc);
        }
        buffers.limit(end - start);
        let written = self.change(ino, now, |content| {
            let bytes = content.make_mut(end)?;
            if start > bytes.len() {
                bytes.resize(start, 0);
            }
            let mut at = start;
            buffers.drain(|from| {
                let (over, beyond) = from.split_at(from.len().min(bytes.len() - at));
                bytes[at..at + over.len()].copy_from_slice(over);
                bytes.extend_from_slice(beyond);
                at += from.len();
                Ok(from.len())
            })
        })?;
        Ok((written, start as u64 + written as u64))
    }

    /// Makes a file as long as this.
    pub(super) fn set_size(&mut self, ino: u64, size: u64, now: u64) -> Result<(), Errno> {
        let content = self.content(ino)?;
        let len = content.len() as u64;
        if size > len && size > self.max_len(ino, size)? {
            return Err(Errno::Nospc);
        }
        let size = usize::try_from(size).map_err(|_| Errno::Fbig)?;
        self.change(ino, now, |content| content.set_len(size))
    }

    /// Puts another content into a file.
    pub(super) fn put(&mut self, ino: u64, new: Content, now: u64) -> Result<(), Errno> {
        if new.cost() > self.max_len(ino, new.cost())? {
            return Err(Errno::Nospc);
        }
        self.change(ino, now, |content| {
            *content = new;
            Ok(())
        })
    }
}

/// What the name of a place costs.
fn name_cost(at: &At) -> u64 {
    ENTRY_COST + at.name().len() as u64
}

/// The tree as a walk sees it that begins at a directory.
struct View<'a> {
    tree: &'a Tree,
    root: u64,
}

impl path::Tree for View<'_> {
    type Dir = u64;

    fn enter(&self, at: Option<&u64>, name: &Name) -> Result<Step<u64>, Errno> {
        let dir = self.tree.entries(*at.unwrap_or(&self.root))?;
        let ino = dir.get(name.as_bytes()).ok_or(Errno::Noent)?;
        match self.tree.kind(ino)? {
            Kind::Dir(_) => Ok(Step::Dir(ino)),
            Kind::Link(target) => Ok(Step::Link(target.to_vec())),
            Kind::File(_) => Err(Errno::Notdir),
        }
    }

    fn read_link(&self, at: Option<&u64>, name: &Name) -> Result<Option<Vec<u8>>, Errno> {
        let dir = self.tree.entries(*at.unwrap_or(&self.root))?;
        let Some(ino) = dir.get(name.as_bytes()) else {
            return Ok(None);
        };
        match self.tree.kind(ino)? {
            Kind::Link(target) => Ok(Some(target.to_vec())),
            _ => Ok(None),
        }
    }
}
