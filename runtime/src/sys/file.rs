//! Files as read-only memory.

use core::{
    ops::{Deref, Range},
    ptr::{self, NonNull},
    slice,
};
use std::{fs::File, io, os::fd::AsRawFd};

/// A whole file, mapped read-only.
#[derive(Debug)]
pub(crate) struct FileMap {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is only read, and belongs to no thread.
unsafe impl Send for FileMap {}
// SAFETY: as above.
unsafe impl Sync for FileMap {}

impl FileMap {
    /// Maps a file.
    ///
    /// # Safety
    /// The file must not change as long as it is mapped.
    pub(crate) unsafe fn of(file: &File) -> io::Result<Self> {
        let len = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        if len == 0 {
            // The system refuses empty mappings.
            return Ok(Self {
                base: NonNull::dangling(),
                len,
            });
        }
        // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, len })
    }

    /// Says that these bytes are not needed soon: they take no memory of the process until they are read
    /// again. What is in them stays the same.
    pub(crate) fn release(&self, bytes: Range<usize>) {
        // Only whole pages of the range.
        let page = page_size();
        let start = bytes.start.next_multiple_of(page);
        let end = bytes.end.min(self.len) / page * page;
        if start < end {
            // SAFETY: the range lies within our mapping, which is of a file and never written: its pages
            // are read from the file again. It is advice, so a failure does not matter.
            unsafe {
                libc::madvise(
                    self.base.as_ptr().add(start).cast(),
                    end - start,
                    libc::MADV_DONTNEED,
                )
            };
        }
    }
}

/// Bytes in a page of the system.
fn page_size() -> usize {
    // SAFETY: it only asks.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096).max(1)
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is `len` bytes, lives as long as `self`, and the caller of `open` promised
        // that nothing changes it.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.len) }
    }
}

impl Drop for FileMap {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the range is our mapping, and its owner is going away.
            unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
        }
    }
}
