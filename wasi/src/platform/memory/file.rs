//! An open file of a tree in memory.

use super::Open;
use crate::{
    buffers::{ReadBuffers, WriteBuffers},
    platform::{Blocking, File},
    sync::Lock,
    types::{Advice, Errno, Fdflags, Filestat, Filetype, Times, Whence},
};

/// An open file.
pub(super) struct MemoryFile {
    node: Open,
    read: bool,
    write: bool,
    state: Lock<State>,
}

/// What changes with use.
struct State {
    offset: u64,
    append: bool,
}

impl MemoryFile {
    pub(super) fn new(node: Open, read: bool, write: bool, flags: Fdflags) -> Self {
        Self {
            node,
            read,
            write,
            state: Lock::new(State {
                offset: 0,
                append: flags.contains(Fdflags::APPEND),
            }),
        }
    }

    fn copy_from(&self, buffers: &mut ReadBuffers<'_>, offset: u64) -> Result<usize, Errno> {
        if !self.read {
            return Err(Errno::Badf);
        }
        self.node.with(|tree| {
            let bytes = tree.content(self.node.ino)?.bytes();
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            Ok(buffers.copy_from(bytes.get(start..).unwrap_or_default()))
        })
    }

    /// Writes at an offset, or at the end. Gives the count, and where it ends.
    fn write_at(
        &self,
        buffers: &mut WriteBuffers<'_>,
        offset: Option<u64>,
    ) -> Result<(usize, u64), Errno> {
        if !self.write {
            return Err(Errno::Badf);
        }
        let now = self.node.shared.now();
        self.node
            .with(|tree| tree.write(self.node.ino, offset, buffers, now))
    }

    fn size(&self) -> Result<u64, Errno> {
        self.node
            .with(|tree| Ok(tree.content(self.node.ino)?.len() as u64))
    }
}

impl File for MemoryFile {
    fn filestat(&self) -> Result<Filestat, Errno> {
        let number = self.node.shared.number;
        self.node.with(|tree| tree.filestat(self.node.ino, number))
    }

    fn filetype(&self) -> Result<Filetype, Errno> {
        Ok(Filetype::RegularFile)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn read(&self, buffers: &mut ReadBuffers<'_>, _blocking: Blocking) -> Result<usize, Errno> {
        self.state.with(|state| {
            let read = self.copy_from(buffers, state.offset)?;
            state.offset += read as u64;
            Ok(read)
        })
    }

    fn write(&self, buffers: &mut WriteBuffers<'_>, _blocking: Blocking) -> Result<usize, Errno> {
        self.state.with(|state| {
            let offset = (!state.append).then_some(state.offset);
            let (written, end) = self.write_at(buffers, offset)?;
            state.offset = end;
            Ok(written)
        })
    }

    fn pread(
        &self,
        buffers: &mut ReadBuffers<'_>,
        offset: u64,
        _blocking: Blocking,
    ) -> Result<usize, Errno> {
        self.copy_from(buffers, offset)
    }

    fn pwrite(
        &self,
        buffers: &mut WriteBuffers<'_>,
        offset: u64,
        _blocking: Blocking,
    ) -> Result<usize, Errno> {
        let append = self.state.with(|state| Ok(state.append))?;
        let offset = (!append).then_some(offset);
        self.write_at(buffers, offset).map(|(written, _)| written)
    }

    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        self.state.with(|state| {
            let from = match whence {
                Whence::Set => 0,
                Whence::Cur => state.offset,
                Whence::End => self.size()?,
            };
            let new = from.checked_add_signed(offset).ok_or(Errno::Inval)?;
            // An offset is signed on every host.
            i64::try_from(new).map_err(|_| Errno::Inval)?;
            state.offset = new;
            Ok(new)
        })
    }

    fn available(&self) -> u64 {
        let left = self
            .state
            .with(|state| Ok(self.size()?.saturating_sub(state.offset)));
        left.unwrap_or(0)
    }

    fn set_append(&self, append: bool) -> Result<(), Errno> {
        self.state.with(|state| {
            state.append = append;
            Ok(())
        })
    }

    fn advise(&self, offset: u64, len: u64, _advice: Advice) -> Result<(), Errno> {
        // It is all there already.
        if i64::try_from(offset).is_err() || i64::try_from(len).is_err() {
            return Err(Errno::Inval);
        }
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<(), Errno> {
        if !self.write {
            return Err(Errno::Badf);
        }
        if len == 0 {
            return Err(Errno::Inval);
        }
        let end = offset.checked_add(len).ok_or(Errno::Fbig)?;
        i64::try_from(end).map_err(|_| Errno::Fbig)?;
        let now = self.node.shared.now();
        self.node.with(|tree| {
            if end <= tree.content(self.node.ino)?.len() as u64 {
                return Ok(());
            }
            tree.set_size(self.node.ino, end, now)
        })
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        if !self.write {
            return Err(Errno::Inval);
        }
        i64::try_from(size).map_err(|_| Errno::Fbig)?;
        let now = self.node.shared.now();
        self.node
            .with(|tree| tree.set_size(self.node.ino, size, now))
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        let now = self.node.shared.now();
        self.node
            .with(|tree| tree.set_times(self.node.ino, times, now))
    }
}
