//! What is in an image. Nothing is believed: each access is checked against the image's size, each header
//! against its checksum, and what does not fit is `io`, as from a device that cannot be read.

use alloc::sync::Arc;
use core::fmt;

use super::{ALIGN, CHECKED, HEADER, MAGIC, kind, sum};
use crate::types::{Errno, Filetype};

/// So many bytes of an image tell its [size](image_size).
pub const HEAD: usize = HEADER;

/// Bytes of a name at most.
const NAME_MAX: usize = 255;

/// How many hard links lead from one to the next at most. What makes images makes no such chains.
const MAX_HARD_LINKS: u32 = 8;

/// Why something is no image.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// It does not begin as one does.
    Magic,
    /// It says that it is longer than it is.
    Truncated {
        /// The bytes that there are.
        len: u64,
        /// The bytes that it says there are.
        size: u64,
    },
    /// Its checksum is wrong.
    Checksum,
    /// It has no root directory.
    Root,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("it is no romfs image: it does not begin with `-rom1fs-`"),
            Self::Truncated { len, size } => write!(
                f,
                "the romfs image is cut off: it says that it has {size} bytes, and has {len}"
            ),
            Self::Checksum => {
                f.write_str("the romfs image is damaged: the checksum of its first bytes is wrong")
            }
            Self::Root => f.write_str("the romfs image is damaged: it has no root directory"),
        }
    }
}

impl core::error::Error for Invalid {}

/// The size of the image that begins so.
///
/// # Errors
/// If it is no image. Fewer than [`HEAD`] bytes are none.
pub fn image_size(head: &[u8]) -> Result<u32, Invalid> {
    if !head.starts_with(MAGIC) {
        return Err(Invalid::Magic);
    }
    number(head, 8).ok_or(Invalid::Magic)
}

/// A number at a place.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*word))
}

/// The next multiple of the alignment.
pub(super) fn aligned(offset: usize) -> Option<usize> {
    offset.checked_next_multiple_of(ALIGN)
}

/// Where the bytes are. There is no copy of them.
#[derive(Clone)]
pub(super) enum Bytes {
    /// In the program's own image, or in flash.
    Static(&'static [u8]),
    /// With an owner.
    Owned(Arc<dyn AsRef<[u8]> + Send + Sync>),
}

/// An image.
#[derive(Clone)]
pub(super) struct Image {
    bytes: Bytes,
    size: usize,
    root: u32,
}

/// A node's header.
#[derive(Copy, Clone, Debug)]
pub(super) struct Node<'i> {
    /// Where it is, which is its number.
    pub(super) offset: u32,
    /// Where the next one in its directory is; 0 after the last one.
    next: u32,
    kind: u32,
    /// What it is depends on the type.
    info: u32,
    size: u32,
    pub(super) name: &'i [u8],
    /// Where its data begins.
    data: usize,
}

impl Node<'_> {
    pub(super) fn filetype(&self) -> Filetype {
        match self.kind {
            kind::DIRECTORY => Filetype::Directory,
            kind::FILE => Filetype::RegularFile,
            kind::SYMLINK => Filetype::SymbolicLink,
            kind::BLOCK_DEVICE => Filetype::BlockDevice,
            kind::CHARACTER_DEVICE => Filetype::CharacterDevice,
            kind::SOCKET => Filetype::SocketStream,
            _ => Filetype::Unknown,
        }
    }

    /// The size that a guest is told.
    pub(super) fn size(&self) -> u32 {
        match self.kind {
            kind::FILE | kind::SYMLINK => self.size,
            _ => 0,
        }
    }
}

impl Image {
    /// Checks what is at the image's start.
    pub(super) fn new(bytes: Bytes) -> Result<Self, Invalid> {
        let mut image = Self {
            bytes,
            size: 0,
            root: 0,
        };
        let all = image.all();
        let size = image_size(all)?;
        let truncated = Invalid::Truncated {
            len: all.len() as u64,
            size: size.into(),
        };
        let size = usize::try_from(size).map_err(|_| truncated)?;
        let checked = all.get(..size).ok_or(truncated)?;
        if sum(&checked[..size.min(CHECKED)]) != 0 {
            return Err(Invalid::Checksum);
        }
        image.size = size;
        let root = image.name(HEADER).and_then(|(_, end)| {
            let root = u32::try_from(end).map_err(|_| Errno::Io)?;
            image.resolved(image.node(root)?)
        });
        match root {
            Ok(root) if root.kind == kind::DIRECTORY => image.root = root.offset,
            _ => return Err(Invalid::Root),
        }
        Ok(image)
    }

    /// All bytes. An owner may give others each time, so each use is checked.
    fn all(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Static(bytes) => bytes,
            Bytes::Owned(owner) => (**owner).as_ref(),
        }
    }

    fn bytes(&self) -> &[u8] {
        let all = self.all();
        &all[..self.size.min(all.len())]
    }

    pub(super) fn root(&self) -> u32 {
        self.root
    }

    /// A name that ends with a NUL, and where what comes after it begins.
    fn name(&self, start: usize) -> Result<(&[u8], usize), Errno> {
        let rest = self.bytes().get(start..).ok_or(Errno::Io)?;
        let longest = &rest[..rest.len().min(NAME_MAX + 1)];
        let len = longest.iter().position(|byte| *byte == 0);
        let len = len.ok_or(Errno::Io)?;
        let end = aligned(start + len + 1).ok_or(Errno::Io)?;
        Ok((&rest[..len], end))
    }

    /// The header at a place.
    pub(super) fn node(&self, offset: u32) -> Result<Node<'_>, Errno> {
        let start = usize::try_from(offset).map_err(|_| Errno::Io)?;
        let name_start = start.checked_add(HEADER).ok_or(Errno::Io)?;
        let (name, data) = self.name(name_start)?;
        let header = self.bytes().get(start..data).ok_or(Errno::Io)?;
        // The alignment is that of all offsets whose low bits mean something else.
        if start < ALIGN || start % ALIGN != 0 || sum(header) != 0 {
            return Err(Errno::Io);
        }
        let field = |at| number(header, at).ok_or(Errno::Io);
        let next = field(0)?;
        Ok(Node {
            offset,
            next: next & !(ALIGN as u32 - 1),
            kind: next & kind::MASK,
            info: field(4)?,
            size: field(8)?,
            name,
            data,
        })
    }

    /// What a node stands for: itself, unless it is a hard link.
    pub(super) fn resolved<'i>(&'i self, mut node: Node<'i>) -> Result<Node<'i>, Errno> {
        for _ in 0..MAX_HARD_LINKS {
            if node.kind != kind::HARD_LINK {
                return Ok(node);
            }
            node = self.node(node.info & !(ALIGN as u32 - 1))?;
        }
        Err(Errno::Io)
    }

    /// The bytes of a file, or the target of a link.
    pub(super) fn data(&self, node: &Node<'_>) -> Result<&[u8], Errno> {
        let size = usize::try_from(node.size()).map_err(|_| Errno::Io)?;
        let end = node.data.checked_add(size).ok_or(Errno::Io)?;
        self.bytes().get(node.data..end).ok_or(Errno::Io)
    }

    /// The entries of a directory, among which may be `.` and `..`.
    pub(super) fn entries(&self, dir: &Node<'_>) -> Entries<'_> {
        Entries {
            image: self,
            next: dir.info & !(ALIGN as u32 - 1),
            mark: 0,
            steps: 0,
            lap: 1,
        }
    }

    /// What a name in a directory is, itself and not what it stands for.
    pub(super) fn find(&self, dir: &Node<'_>, name: &[u8]) -> Result<Option<Node<'_>>, Errno> {
        for entry in self.entries(dir) {
            let entry = entry?;
            if entry.name == name {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

/// The headers of a directory's entries, one after the other. If they go round in a circle, that is `io`: each
/// is compared with one that came before, and which one that is changes after 1, 2, 4, ... steps.
pub(super) struct Entries<'i> {
    image: &'i Image,
    next: u32,
    mark: u32,
    steps: u32,
    lap: u32,
}

impl<'i> Iterator for Entries<'i> {
    type Item = Result<Node<'i>, Errno>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == 0 {
            return None;
        }
        let node = if self.next == self.mark {
            Err(Errno::Io)
        } else {
            self.image.node(self.next)
        };
        self.steps += 1;
        if self.steps == self.lap {
            self.mark = self.next;
            self.steps = 0;
            self.lap = self.lap.saturating_mul(2);
        }
        self.next = node.as_ref().map_or(0, |node| node.next);
        Some(node)
    }
}
