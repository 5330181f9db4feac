//! An open file of an image.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::image::Image;
use crate::{
    buffers::ReadBuffers,
    platform::{Blocking, File},
    types::{Advice, Errno, Filestat, Filetype, Times, Whence},
};

/// An open file.
pub(super) struct RomFile {
    image: Image,
    /// Where its header is.
    node: u32,
    stat: Filestat,
    /// Loaded and stored, and nothing else: that needs no lock on any processor. A guest makes one call at a
    /// time.
    offset: AtomicUsize,
}

impl RomFile {
    pub(super) fn new(image: Image, node: u32, stat: Filestat) -> Self {
        Self {
            image,
            node,
            stat,
            offset: AtomicUsize::new(0),
        }
    }

    fn offset(&self) -> usize {
        self.offset.load(Ordering::Relaxed)
    }

    fn copy(&self, buffers: &mut ReadBuffers<'_>, offset: usize) -> Result<usize, Errno> {
        let bytes = self.image.data(&self.image.node(self.node)?)?;
        Ok(buffers.copy_from(bytes.get(offset..).unwrap_or_default()))
    }
}

impl File for RomFile {
    fn filestat(&self) -> Result<Filestat, Errno> {
        Ok(self.stat)
    }

    fn filetype(&self) -> Result<Filetype, Errno> {
        Ok(self.stat.filetype)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn read(&self, buffers: &mut ReadBuffers<'_>, _blocking: Blocking) -> Result<usize, Errno> {
        let offset = self.offset();
        let read = self.copy(buffers, offset)?;
        self.offset.store(offset + read, Ordering::Relaxed);
        Ok(read)
    }

    fn pread(
        &self,
        buffers: &mut ReadBuffers<'_>,
        offset: u64,
        _blocking: Blocking,
    ) -> Result<usize, Errno> {
        self.copy(buffers, usize::try_from(offset).unwrap_or(usize::MAX))
    }

    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let from = match whence {
            Whence::Set => 0,
            Whence::Cur => self.offset() as u64,
            Whence::End => self.stat.size,
        };
        let new = from.checked_add_signed(offset).ok_or(Errno::Inval)?;
        i64::try_from(new).map_err(|_| Errno::Inval)?;
        let stored = usize::try_from(new).map_err(|_| Errno::Overflow)?;
        self.offset.store(stored, Ordering::Relaxed);
        Ok(new)
    }

    fn available(&self) -> u64 {
        self.stat.size.saturating_sub(self.offset() as u64)
    }

    fn set_append(&self, _append: bool) -> Result<(), Errno> {
        // It was not opened for writing, so it makes no difference, as on a host.
        Ok(())
    }

    fn advise(&self, offset: u64, len: u64, _advice: Advice) -> Result<(), Errno> {
        if i64::try_from(offset).is_err() || i64::try_from(len).is_err() {
            return Err(Errno::Inval);
        }
        Ok(())
    }

    fn allocate(&self, _offset: u64, _len: u64) -> Result<(), Errno> {
        Err(Errno::Badf)
    }

    fn set_times(&self, _times: Times) -> Result<(), Errno> {
        Err(Errno::Rofs)
    }
}
