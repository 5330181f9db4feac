//! The entries of the host's directories.
//!
//! A cookie is the place of an entry in the directory as the file system itself names it, so it stays valid
//! while entries come and go, and no listing has to be kept between two calls.

use std::{ffi::CString, os::fd::BorrowedFd};

use super::{sys, words::filetype_from_dirent};
use crate::{
    platform::Entry,
    types::{Errno, Filetype},
};

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use by_getdents::list;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use by_readdir::list;

/// An entry.
fn entry<'a>(dir: BorrowedFd<'_>, next: u64, ino: u64, kind: u8, name: &'a [u8]) -> Entry<'a> {
    // The directory above may not be the guest's, so nobody looks at it.
    let filetype = match name {
        b".." => Filetype::Directory,
        _ => filetype(dir, kind, name),
    };
    Entry {
        next,
        ino,
        filetype,
        name,
    }
}

/// The type of an entry, also if the file system says nothing about it.
fn filetype(dir: BorrowedFd<'_>, kind: u8, name: &[u8]) -> Filetype {
    filetype_from_dirent(kind).unwrap_or_else(|| {
        CString::new(name)
            .map_err(|_| Errno::Inval)
            .and_then(|name| sys::lstatat(dir, &name))
            .map_or(Filetype::Unknown, |stat| stat.filetype)
    })
}

/// By `getdents64`: its offsets are the cookies.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod by_getdents {
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::{super::sys, Entry, Errno, entry};

    /// Bytes of the kernel's record before the name.
    const RECORD: usize = 19;

    pub(in super::super) fn list(
        dir: BorrowedFd<'_>,
        cookie: u64,
        room: usize,
        each: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Result<(), Errno> {
        let start = i64::try_from(cookie).map_err(|_| Errno::Inval)?;
        // The descriptor is used for nothing else than this function, so its offset is ours.
        sys::lseek(dir, start, libc::SEEK_SET)?;
        // Not much more than the guest has asked for, but at least room for the longest name.
        let mut records = vec![0; room.clamp(1024, 32 * 1024)];
        loop {
            let filled = match getdents(dir, &mut records) {
                Ok(0) => return Ok(()),
                Ok(filled) => filled,
                Err(error) => return Err(error),
            };
            let mut rest = &records[..filled];
            while rest.len() > RECORD {
                let len = u16::from_ne_bytes([rest[16], rest[17]]);
                let len = usize::from(len).clamp(RECORD, rest.len());
                let (record, following) = rest.split_at(len);
                rest = following;
                let name = &record[RECORD..];
                let end = name
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(name.len());
                let name = &name[..end];
                let (next, ino) = (number(record, 8), number(record, 0));
                let entry = entry(dir, next, ino, record[18], name);
                if !each(&entry) {
                    return Ok(());
                }
            }
        }
    }

    /// A number of the kernel's, in the host's byte order.
    fn number(record: &[u8], offset: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&record[offset..offset + 8]);
        u64::from_ne_bytes(bytes)
    }

    fn getdents(dir: BorrowedFd<'_>, records: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the descriptor is open, and the buffer has the length that is passed.
        let filled = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                dir.as_raw_fd(),
                records.as_mut_ptr(),
                records.len(),
            )
        };
        usize::try_from(filled).map_err(|_| sys::last_error())
    }
}

/// By `readdir`: the cookies count entries, and a listing that goes on skips as many.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod by_readdir {
    use std::{
        ffi::CStr,
        os::fd::{BorrowedFd, IntoRawFd},
    };

    use super::{super::sys, Entry, Errno, entry};

    pub(in super::super) fn list(
        dir: BorrowedFd<'_>,
        cookie: u64,
        room: usize,
        each: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Result<(), Errno> {
        // Of its own, because the stream takes the descriptor and its offset.
        let own = sys::openat(dir, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?.into_raw_fd();
        // SAFETY: the descriptor is open, and it is given away.
        let stream = unsafe { libc::fdopendir(own) };
        if stream.is_null() {
            let error = sys::last_error();
            // SAFETY: the stream was not made, so the descriptor is still ours.
            unsafe { libc::close(own) };
            return Err(error);
        }
        // A record has no size of its own to stop at.
        let _ = room;
        let mut place = 0;
        loop {
            // SAFETY: the stream is open.
            let record = unsafe { libc::readdir(stream) };
            if record.is_null() {
                break;
            }
            place += 1;
            if place <= cookie {
                continue;
            }
            // SAFETY: the record is valid until the next call on this stream, and its name ends with a
            // NUL.
            let (ino, kind, name) = unsafe {
                (
                    (*record).d_ino,
                    (*record).d_type,
                    CStr::from_ptr((*record).d_name.as_ptr()),
                )
            };
            #[allow(clippy::unnecessary_cast, reason = "not the same type everywhere")]
            let entry = entry(dir, place, ino as u64, kind, name.to_bytes());
            if !each(&entry) {
                break;
            }
        }
        // SAFETY: the stream is open, and it is not used after this.
        unsafe { libc::closedir(stream) };
        Ok(())
    }
}
