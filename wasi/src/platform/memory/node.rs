//! What the nodes of a tree are: files, links, and directories with their names.

use alloc::{boxed::Box, collections::BTreeMap, sync::Arc};
use core::ops::Bound;

use super::{content::Content, tree::ROOT};
use crate::types::Filetype;

/// The cookies of the two entries that every directory has.
pub(super) const DOT: u64 = 1;
pub(super) const DOT_DOT: u64 = 2;

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    File(Content),
    Dir(Entries),
    Link(Box<[u8]>),
}

impl Kind {
    pub(super) fn empty_dir() -> Self {
        Self::Dir(Entries::new(ROOT))
    }

    pub(super) fn filetype(&self) -> Filetype {
        match self {
            Self::File(_) => Filetype::RegularFile,
            Self::Dir(_) => Filetype::Directory,
            Self::Link(_) => Filetype::SymbolicLink,
        }
    }

    /// The memory that it takes besides its names.
    pub(super) fn cost(&self) -> u64 {
        match self {
            Self::File(content) => content.cost(),
            Self::Dir(_) => 0,
            Self::Link(target) => target.len() as u64,
        }
    }
}

/// The names in a directory. Each has a cookie of its own, which it keeps, in the order in which they came.
#[derive(Debug)]
pub(super) struct Entries {
    by_name: BTreeMap<Arc<[u8]>, Slot>,
    by_cookie: BTreeMap<u64, Arc<[u8]>>,
    /// The cookie of the next name.
    next: u64,
    pub(super) parent: u64,
}

#[derive(Copy, Clone, Debug)]
pub(super) struct Slot {
    pub(super) cookie: u64,
    pub(super) ino: u64,
}

impl Entries {
    pub(super) fn new(parent: u64) -> Self {
        Self {
            by_name: BTreeMap::new(),
            by_cookie: BTreeMap::new(),
            next: DOT_DOT + 1,
            parent,
        }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<u64> {
        self.by_name.get(name).map(|slot| slot.ino)
    }

    /// Adds a name, under a cookie that was taken from another entry or a new one.
    pub(super) fn insert(&mut self, name: &[u8], ino: u64, cookie: Option<u64>) {
        let cookie = cookie.unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        let name: Arc<[u8]> = name.into();
        self.by_cookie.insert(cookie, name.clone());
        self.by_name.insert(name, Slot { cookie, ino });
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Slot> {
        let slot = self.by_name.remove(name)?;
        self.by_cookie.remove(&slot.cookie);
        Some(slot)
    }
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The cookie of the last name.
    pub(super) fn last_cookie(&self) -> u64 {
        self.next - 1
    }

    /// The first name after a cookie and up to another one, which is not less.
    pub(super) fn after(&self, cookie: u64, last: u64) -> Option<(&[u8], Slot)> {
        let after = (Bound::Excluded(cookie), Bound::Included(last));
        let (_, name) = self.by_cookie.range(after).next()?;
        Some((name, *self.by_name.get(name)?))
    }
}
