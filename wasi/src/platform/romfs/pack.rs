//! Makes images. The same list of files always makes the same image: names are sorted, and there are no times.

use alloc::{borrow::Cow, collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use super::{ALIGN, CHECKED, HEADER, MAGIC, kind, sum};
use crate::path::PATH_MAX;

/// Linux reads no longer names.
const NAME_MAX: usize = 127;

/// The size of an image in a file is a multiple of this, so that a disk's blocks can have it.
const BLOCK: usize = 1024;

/// How many directories may be in each other. They are packed by a function that calls itself.
const DEPTH_MAX: usize = 256;

/// Why there is no image of this.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackError {
    /// A path is not relative, or has `.` or `..` in it, or nothing between two slashes, or a NUL.
    Path(String),
    /// A name is longer than the 127 bytes that Linux reads.
    NameTooLong(String),
    /// More than 256 directories are in each other.
    TooDeep(String),
    /// Two entries have the same path.
    Duplicate(String),
    /// Something is to be in what is no directory.
    NotADirectory(String),
    /// A hard link is to something that is not there, or is no file.
    NoSuchFile(String),
    /// A link's target is empty, or has a NUL in it, or is too long for a path.
    Target(String),
    /// The image would have 4 GiB or more.
    TooLarge,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(
                f,
                "`{path}` is no path for an image: it must be relative, without `.`, `..` and NUL"
            ),
            Self::NameTooLong(path) => write!(
                f,
                "`{path}` has a name of more than {NAME_MAX} bytes, and romfs has none longer"
            ),
            Self::TooDeep(path) => write!(
                f,
                "`{path}` is in more than {DEPTH_MAX} directories, and an image is packed with no more"
            ),
            Self::Duplicate(path) => write!(f, "`{path}` is there twice"),
            Self::NotADirectory(path) => write!(f, "`{path}` would be in what is no directory"),
            Self::NoSuchFile(path) => {
                write!(
                    f,
                    "a hard link is to `{path}`, which is no file of the image"
                )
            }
            Self::Target(path) => write!(
                f,
                "the target of the symbolic link `{path}` is empty, has a NUL, or is too long"
            ),
            Self::TooLarge => f.write_str("the image would have 4 GiB or more, and romfs has less"),
        }
    }
}

impl core::error::Error for PackError {}

type Result<T> = core::result::Result<T, PackError>;

/// A node of the tree that is to be packed.
enum Node<'a> {
    Dir(Dir<'a>),
    File {
        contents: Cow<'a, [u8]>,
        executable: bool,
    },
    Symlink(Vec<u8>),
    /// To a file; its path.
    HardLink(Vec<u8>),
}

/// A directory: its entries by their names, and where its header is to be.
#[derive(Default)]
struct Dir<'a> {
    entries: BTreeMap<Vec<u8>, Entry<'a>>,
    /// The headers of `.` and `..`; of the root, the first of them is its own.
    dots: [usize; 2],
}

struct Entry<'a> {
    node: Node<'a>,
    /// Where its header is to be.
    offset: usize,
}

impl<'a> From<Node<'a>> for Entry<'a> {
    fn from(node: Node<'a>) -> Self {
        Self { node, offset: 0 }
    }
}

/// Makes an image from a list of files, directories and links. Directories that lead to something need not be
/// in the list.
#[derive(Default)]
pub struct Builder<'a> {
    volume: Vec<u8>,
    root: Dir<'a>,
}

impl<'a> Builder<'a> {
    /// An image with nothing in it, and a name. Of a name that is long, it has the first 127 bytes, and none
    /// after a NUL.
    pub fn new(volume: impl AsRef<[u8]>) -> Self {
        let volume = volume.as_ref().iter().copied();
        Self {
            volume: volume
                .take_while(|byte| *byte != 0)
                .take(NAME_MAX)
                .collect(),
            root: Dir::default(),
        }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// If it can have no such path, or one is there already; so it is with all entries.
    pub fn file<C: AsRef<[u8]> + ?Sized>(
        &mut self,
        path: impl AsRef<[u8]>,
        contents: &'a C,
    ) -> Result<&mut Self> {
        self.add_file(path, contents.as_ref(), false)
    }

    /// Adds a file, or a program that Linux may execute, whose bytes may be the image's own.
    ///
    /// # Errors
    /// As of [`file`](Self::file).
    pub fn add_file(
        &mut self,
        path: impl AsRef<[u8]>,
        contents: impl Into<Cow<'a, [u8]>>,
        executable: bool,
    ) -> Result<&mut Self> {
        let contents = contents.into();
        let file = Node::File {
            contents,
            executable,
        };
        self.add(path.as_ref(), file)
    }

    /// Adds a directory. It may be there already.
    ///
    /// # Errors
    /// As of [`file`](Self::file).
    pub fn dir(&mut self, path: impl AsRef<[u8]>) -> Result<&mut Self> {
        let path = path.as_ref();
        match self.lookup(path) {
            Some(Node::Dir(_)) => Ok(self),
            _ => self.add(path, Node::Dir(Dir::default())),
        }
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As of [`file`](Self::file); and if there can be no such target.
    pub fn symlink(
        &mut self,
        path: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<&mut Self> {
        let (path, target) = (path.as_ref(), target.as_ref());
        if target.is_empty() || target.contains(&0) || target.len() >= PATH_MAX {
            return Err(PackError::Target(shown(path)));
        }
        self.add(path, Node::Symlink(target.into()))
    }

    /// Adds another name of a file, which has been added or will be.
    ///
    /// # Errors
    /// As of [`file`](Self::file). Whether there is such a file is seen at the end.
    pub fn hard_link(
        &mut self,
        path: impl AsRef<[u8]>,
        file: impl AsRef<[u8]>,
    ) -> Result<&mut Self> {
        self.add(path.as_ref(), Node::HardLink(file.as_ref().into()))
    }

    fn add(&mut self, path: &[u8], node: Node<'a>) -> Result<&mut Self> {
        let error = |make: fn(String) -> PackError| make(shown(path));
        let mut names = path.split(|byte| *byte == b'/').enumerate().peekable();
        for (depth, name) in names.clone() {
            if matches!(name, b"" | b"." | b"..") || name.contains(&0) {
                return Err(error(PackError::Path));
            }
            if depth > DEPTH_MAX {
                return Err(error(PackError::TooDeep));
            }
            if name.len() > NAME_MAX {
                return Err(error(PackError::NameTooLong));
            }
        }
        let mut dir = &mut self.root;
        while let Some((_, name)) = names.next() {
            if names.peek().is_none() {
                if dir.entries.contains_key(name) {
                    return Err(error(PackError::Duplicate));
                }
                dir.entries.insert(name.into(), node.into());
                return Ok(self);
            }
            let entry = dir.entries.entry(name.into());
            let entry = entry.or_insert_with(|| Node::Dir(Dir::default()).into());
            let Node::Dir(inner) = &mut entry.node else {
                return Err(error(PackError::NotADirectory));
            };
            dir = inner;
        }
        Err(error(PackError::Path))
    }

    fn find(&self, path: &[u8]) -> Option<&Entry<'a>> {
        let mut names = path.split(|byte| *byte == b'/');
        let mut entry = self.root.entries.get(names.next()?)?;
        for name in names {
            let Node::Dir(dir) = &entry.node else {
                return None;
            };
            entry = dir.entries.get(name)?;
        }
        Some(entry)
    }

    fn lookup(&self, path: &[u8]) -> Option<&Node<'a>> {
        self.find(path).map(|entry| &entry.node)
    }

    /// The image. Its bytes after the size that it tells are zeros, up to a multiple of 1,024.
    ///
    /// # Errors
    /// If it would be too large, or a hard link is to nothing.
    pub fn build(mut self) -> Result<Vec<u8>> {
        let mut layout = Layout { end: HEADER };
        layout.name(&self.volume)?;
        layout.dir(&mut self.root)?;
        let size = layout.end;
        let padded = size.checked_next_multiple_of(BLOCK);
        let mut image = Vec::new();
        let reserved = padded.map(|padded| image.try_reserve_exact(padded));
        let Some(Ok(())) = reserved else {
            return Err(PackError::TooLarge);
        };
        image.extend_from_slice(MAGIC);
        put(&mut image, size)?;
        put(&mut image, 0)?;
        put_name(&mut image, &self.volume);
        let root = self.root.dots[0];
        self.write_dir(&mut image, &self.root, root, root)?;
        let checked = size.min(CHECKED);
        set_checksum(&mut image[..checked]);
        image.resize(image.len().next_multiple_of(BLOCK), 0);
        Ok(image)
    }

    /// Writes the entries of a directory, and what is in them.
    fn write_dir(
        &self,
        image: &mut Vec<u8>,
        dir: &Dir<'a>,
        own: usize,
        parent: usize,
    ) -> Result<()> {
        let mut nexts = dir.entries.values().skip(1).map(|entry| entry.offset);
        let first = dir.entries.values().next().map_or(0, |entry| entry.offset);
        let up = dir.dots[1];
        let is_root = own == dir.dots[0];
        let dot_kind = if is_root {
            kind::DIRECTORY | kind::EXECUTABLE
        } else {
            kind::HARD_LINK
        };
        put_header(image, (up, dot_kind), own, 0, b".")?;
        put_header(image, (first, kind::HARD_LINK), parent, 0, b"..")?;
        for (name, entry) in &dir.entries {
            let next = nexts.next().unwrap_or(0);
            match &entry.node {
                Node::Dir(inner) => {
                    let kind = kind::DIRECTORY | kind::EXECUTABLE;
                    put_header(image, (next, kind), inner.dots[0], 0, name)?;
                    self.write_dir(image, inner, entry.offset, own)?;
                }
                Node::File {
                    contents,
                    executable,
                } => {
                    let executable = if *executable { kind::EXECUTABLE } else { 0 };
                    put_header(
                        image,
                        (next, kind::FILE | executable),
                        0,
                        contents.len(),
                        name,
                    )?;
                    put_data(image, contents);
                }
                Node::Symlink(target) => {
                    put_header(image, (next, kind::SYMLINK), 0, target.len(), name)?;
                    put_data(image, target);
                }
                Node::HardLink(path) => {
                    let Some(Entry {
                        node: Node::File { .. },
                        offset,
                    }) = self.find(path)
                    else {
                        return Err(PackError::NoSuchFile(shown(path)));
                    };
                    put_header(image, (next, kind::HARD_LINK), *offset, 0, name)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

/// Where things will be.
struct Layout {
    end: usize,
}

impl Layout {
    fn add(&mut self, bytes: usize) -> Result<()> {
        let end = self.end.checked_add(bytes);
        let end = end.and_then(|end| end.checked_next_multiple_of(ALIGN));
        // The size itself must be a number of the format.
        match end.filter(|end| u32::try_from(*end).is_ok()) {
            Some(end) => {
                self.end = end;
                Ok(())
            }
            None => Err(PackError::TooLarge),
        }
    }

    fn name(&mut self, name: &[u8]) -> Result<()> {
        self.add(name.len() + 1)
    }

    /// Takes the place of a header, and tells where that is.
    fn header(&mut self, name: &[u8]) -> Result<usize> {
        let offset = self.end;
        self.add(HEADER)?;
        self.name(name)?;
        Ok(offset)
    }

    /// Gives each entry of a directory its place.
    fn dir(&mut self, dir: &mut Dir<'_>) -> Result<()> {
        dir.dots = [self.header(b".")?, self.header(b"..")?];
        for (name, entry) in &mut dir.entries {
            entry.offset = self.header(name)?;
            match &mut entry.node {
                Node::Dir(inner) => self.dir(inner)?,
                Node::File { contents, .. } => self.add(contents.len())?,
                Node::Symlink(target) => self.add(target.len())?,
                Node::HardLink(_) => {}
            }
        }
        Ok(())
    }
}

/// A path in a message.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// A number of the format.
fn put(image: &mut Vec<u8>, number: usize) -> Result<()> {
    let number = u32::try_from(number).map_err(|_| PackError::TooLarge)?;
    image.extend_from_slice(&number.to_be_bytes());
    Ok(())
}

fn put_name(image: &mut Vec<u8>, name: &[u8]) {
    image.extend_from_slice(name);
    image.push(0);
    image.resize(image.len().next_multiple_of(ALIGN), 0);
}

fn put_data(image: &mut Vec<u8>, data: &[u8]) {
    image.extend_from_slice(data);
    image.resize(image.len().next_multiple_of(ALIGN), 0);
}

fn put_header(
    image: &mut Vec<u8>,
    (next, kind): (usize, u32),
    info: usize,
    size: usize,
    name: &[u8],
) -> Result<()> {
    let start = image.len();
    put(image, next | kind as usize)?;
    put(image, info)?;
    put(image, size)?;
    put(image, 0)?;
    put_name(image, name);
    set_checksum(&mut image[start..]);
    Ok(())
}

/// Sets the checksum of a header, which has 0 in its place, or of the image's start.
fn set_checksum(bytes: &mut [u8]) {
    let checksum = sum(bytes).wrapping_neg();
    if let Some(place) = bytes.get_mut(12..16) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}
