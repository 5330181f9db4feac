//! `fd_readdir`: the entries of a directory, in the interface's layout.

use crate::{WasiCtx, audit::Stop, guest, platform::Entry, types::DirPerms};

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
) -> Result<(), Stop> {
    guest::check(mem, bufused, 4)?;
    let dir = ctx.fds.dir(fd)?;
    dir.permits(DirPerms::READ)?;
    let mut listing = Listing {
        buffer: guest::bytes_mut(mem, buf, buf_len)?,
        used: 0,
    };
    let room = listing.buffer.len();
    dir.dir
        .list(cookie, room, &mut |entry| listing.add(entry))?;
    let used = listing.used as u32;
    Ok(guest::write_u32(mem, bufused, used)?)
}

/// The guest's buffer while it is filled.
struct Listing<'m> {
    buffer: &'m mut [u8],
    used: usize,
}

impl Listing<'_> {
    /// Adds an entry, of which as much as fits. Is there room for more?
    fn add(&mut self, entry: &Entry<'_>) -> bool {
        let mut header = [0; HEADER];
        header[0..8].copy_from_slice(&entry.next.to_le_bytes());
        header[8..16].copy_from_slice(&entry.ino.to_le_bytes());
        header[16..20].copy_from_slice(&(entry.name.len() as u32).to_le_bytes());
        header[20] = entry.filetype as u8;
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

#[cfg(test)]
mod tests;
