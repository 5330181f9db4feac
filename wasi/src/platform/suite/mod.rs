//! Tests of directories and files, whichever they are of: each runs on a directory of the host, by both ways
//! to resolve paths, and on one in memory, and all must answer alike.

mod dirs;
mod files;

use std::{vec, vec::Vec};

use super::{
    Blocking, Dir, Errno, Fdflags, File, Filetype, Oflags, OpenOptions, Opened, ReadBuffers,
    WriteBuffers,
    memory::MemoryDir,
    unix::{HostDir, PathResolution},
};
use crate::testing::{METHODS, Scratch};

/// Runs a test on an empty directory of each kind.
fn on_each(test: impl Fn(&dyn Dir)) {
    for method in METHODS {
        let scratch = Scratch::new();
        test(&host(&scratch, method));
    }
    test(&MemoryDir::new());
    // One in a tree, not its root.
    let tree = MemoryDir::new();
    tree.add_dir("a/b").unwrap();
    test(&tree.dir("a/b").unwrap());
}

fn host(scratch: &Scratch, method: PathResolution) -> HostDir {
    HostDir::new(std::fs::File::open(scratch.path()).unwrap().into(), method)
}

/// A guest's memory with one buffer of this length after its record.
fn memory(bytes: &[u8]) -> Vec<u8> {
    let mut mem = vec![8, 0, 0, 0];
    mem.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    mem.extend_from_slice(bytes);
    mem
}

/// Reads at most so much, from an offset or from where the file is.
pub(super) fn read(file: &dyn File, len: usize, offset: Option<u64>) -> Result<Vec<u8>, Errno> {
    let mut mem = memory(&vec![0; len]);
    let mut buffers = ReadBuffers::new(&mut mem, 0, 1).unwrap();
    let read = match offset {
        Some(offset) => file.pread(&mut buffers, offset, Blocking::Allowed)?,
        None => file.read(&mut buffers, Blocking::Allowed)?,
    };
    Ok(mem[8..8 + read].to_vec())
}

/// Writes at an offset or where the file is.
pub(super) fn write(file: &dyn File, bytes: &[u8], offset: Option<u64>) -> Result<usize, Errno> {
    let mem = memory(bytes);
    let mut buffers = WriteBuffers::new(&mem, 0, 1).unwrap();
    match offset {
        Some(offset) => file.pwrite(&mut buffers, offset, Blocking::Allowed),
        None => file.write(&mut buffers, Blocking::Allowed),
    }
}

/// For reading and writing.
pub(super) fn options(oflags: Oflags) -> OpenOptions {
    OpenOptions {
        follow: true,
        oflags,
        read: true,
        write: true,
        ..OpenOptions::default()
    }
}

/// For reading.
pub(super) const READ: OpenOptions = OpenOptions {
    follow: true,
    oflags: Oflags::empty(),
    fdflags: Fdflags::empty(),
    read: true,
    write: false,
};

pub(super) fn open(dir: &dyn Dir, path: &str, how: OpenOptions) -> Result<Box<dyn File>, Errno> {
    match dir.open(path.as_bytes(), how)? {
        Opened::File(file) => Ok(file),
        Opened::Dir(_) => panic!("{path} is a directory"),
    }
}

fn sub(dir: &dyn Dir, path: &str) -> Box<dyn Dir> {
    match dir.open(path.as_bytes(), READ).unwrap() {
        Opened::Dir(dir) => dir,
        Opened::File(_) => panic!("{path} is no directory"),
    }
}

/// Creates a file with this in it.
fn file(dir: &dyn Dir, path: &str, bytes: &str) {
    let file = open(dir, path, options(Oflags::CREAT)).unwrap();
    assert_eq!(write(&*file, bytes.as_bytes(), None), Ok(bytes.len()));
}

pub(super) fn content(dir: &dyn Dir, path: &str) -> Result<String, Errno> {
    let file = open(dir, path, READ)?;
    let bytes = read(&*file, 4096, None)?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// All names, sorted, with their types.
pub(super) fn names(dir: &dyn Dir) -> Vec<(String, Filetype)> {
    let mut names = Vec::new();
    dir.list(0, 4096, &mut |entry| {
        let name = String::from_utf8(entry.name.to_vec()).unwrap();
        names.push((name, entry.filetype));
        true
    })
    .unwrap();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    names
}

/// All names but the two that are always there.
fn listed(dir: &dyn Dir) -> Vec<String> {
    let mut names: Vec<_> = names(dir).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.drain(..2).collect::<Vec<_>>(), [".", ".."]);
    names
}

fn filetype(dir: &dyn Dir, path: &str, follow: bool) -> Result<Filetype, Errno> {
    dir.filestat_at(path.as_bytes(), follow)
        .map(|stat| stat.filetype)
}
