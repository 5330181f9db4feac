//! `fd_readdir`: the entries of a directory, in the interface's layout.
//!
//! A cookie is the place of an entry in the directory as the file system itself names it, so it stays
//! valid while entries come and go, and no listing has to be kept between two calls.

use std::os::fd::{AsFd, BorrowedFd};

use crate::{
    WasiCtx, guest, sys,
    types::{DirPerms, Errno, Filetype, Rights},
};

/// Bytes of a `dirent` before the name.
const HEADER: usize = 24;

pub(crate) fn fd_readdir(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    bufused: u32,
) -> Result<(), Errno> {
    guest::check(mem, bufused, 4)?;
    let dir = ctx.fds.dir(fd, Rights::FD_READDIR)?;
    dir.permits(DirPerms::READ)?;
    let mut listing = Listing {
        buffer: guest::bytes_mut(mem, buf, buf_len)?,
        used: 0,
    };
    host::list(dir.fd.as_fd(), cookie, &mut listing)?;
    let used = listing.used as u32;
    guest::write_u32(mem, bufused, used)
}

/// One entry of the host's.
struct Entry<'a> {
    /// The cookie of the entry after it.
    next: u64,
    ino: u64,
    filetype: Option<Filetype>,
    name: &'a [u8],
}

/// The guest's buffer while it is filled.
struct Listing<'m> {
    buffer: &'m mut [u8],
    used: usize,
}

impl Listing<'_> {
    /// Adds an entry, of which as much as fits. Is there room for more?
    fn add(&mut self, dir: BorrowedFd<'_>, entry: &Entry<'_>) -> bool {
        let filetype = entry.filetype.unwrap_or_else(|| filetype(dir, entry.name));
        let mut header = [0; HEADER];
        header[0..8].copy_from_slice(&entry.next.to_le_bytes());
        header[8..16].copy_from_slice(&entry.ino.to_le_bytes());
        header[16..20].copy_from_slice(&(entry.name.len() as u32).to_le_bytes());
        header[20] = filetype as u8;
        self.put(&header) && self.put(entry.name)
    }

    /// Copies as much as fits. Is there room for more?
    fn put(&mut self, bytes: &[u8]) -> bool {
        let room = &mut self.buffer[self.used..];
        let len = room.len().min(bytes.len());
        room[..len].copy_from_slice(&bytes[..len]);
        self.used += len;
        self.used < self.buffer.len()
    }
}

/// The type of an entry about which the file system said nothing.
fn filetype(dir: BorrowedFd<'_>, name: &[u8]) -> Filetype {
    std::ffi::CString::new(name)
        .map_err(|_| Errno::Inval)
        .and_then(|name| sys::lstatat(dir, &name))
        .map_or(Filetype::Unknown, |stat| stat.filetype)
}

/// By `getdents64`: its offsets are the cookies.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod host {
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::{Entry, Errno, Filetype, Listing, sys};

    /// Bytes of the kernel's record before the name.
    const RECORD: usize = 19;

    pub(super) fn list(
        dir: BorrowedFd<'_>,
        cookie: u64,
        listing: &mut Listing<'_>,
    ) -> Result<(), Errno> {
        let start = i64::try_from(cookie).map_err(|_| Errno::Inval)?;
        // The descriptor is used for nothing else than this function, so its offset is ours.
        sys::lseek(dir, start, libc::SEEK_SET)?;
        // Not much more than the guest has asked for, but at least room for the longest name.
        let mut records = vec![0; listing.buffer.len().clamp(1024, 32 * 1024)];
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
                let entry = Entry {
                    next: number(record, 8),
                    ino: number(record, 0),
                    filetype: Filetype::from_dirent(record[18]),
                    name: &name[..end],
                };
                if !listing.add(dir, &entry) {
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
mod host {
    use std::{
        ffi::CStr,
        os::fd::{BorrowedFd, IntoRawFd},
    };

    use super::{Entry, Errno, Filetype, Listing, sys};

    pub(super) fn list(
        dir: BorrowedFd<'_>,
        cookie: u64,
        listing: &mut Listing<'_>,
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
            let entry = Entry {
                next: place,
                ino: ino as u64,
                filetype: Filetype::from_dirent(kind),
                name: name.to_bytes(),
            };
            if !listing.add(dir, &entry) {
                break;
            }
        }
        // SAFETY: the stream is open, and it is not used after this.
        unsafe { libc::closedir(stream) };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
