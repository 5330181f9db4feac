//! The interface's first version, which old modules import as `wasi_unstable`: the functions of preview 1,
//! but for `sock_accept`, which came later, and four whose data look different.

use crate::{
    WasiCtx, attr,
    audit::Stop,
    fs, guest, io,
    poll::{self, Layout},
    types::{Errno, Filestat, Rights},
};

/// A `filestat`: the count of links has 32 bits.
fn filestat_to_bytes(stat: &Filestat) -> [u8; 56] {
    let mut bytes = [0; 56];
    bytes[0..8].copy_from_slice(&stat.dev.to_le_bytes());
    bytes[8..16].copy_from_slice(&stat.ino.to_le_bytes());
    bytes[16] = stat.filetype as u8;
    let nlink = u32::try_from(stat.nlink).unwrap_or(u32::MAX);
    bytes[20..24].copy_from_slice(&nlink.to_le_bytes());
    for (place, field) in [stat.size, stat.atim, stat.mtim, stat.ctim]
        .into_iter()
        .enumerate()
    {
        bytes[24 + place * 8..][..8].copy_from_slice(&field.to_le_bytes());
    }
    bytes
}

pub(crate) fn fd_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    out: u32,
) -> Result<(), Stop> {
    ctx.fds.check(fd, Rights::FD_FILESTAT_GET)?;
    let stat = attr::filestat(ctx, fd)?;
    Ok(guest::write(mem, out, &filestat_to_bytes(&stat))?)
}

pub(crate) fn path_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    out: u32,
) -> Result<(), Stop> {
    ctx.fds.check(fd, Rights::PATH_FILESTAT_GET)?;
    guest::check(mem, out, 56)?;
    let stat = fs::filestat(ctx, mem, fd, flags, (path, path_len))?;
    Ok(guest::write(mem, out, &filestat_to_bytes(&stat))?)
}

/// `whence` has another order: `cur`, `end`, `set`.
pub(crate) fn fd_seek(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    offset: i64,
    whence: u32,
    new_offset: u32,
) -> Result<(), Stop> {
    let whence = match whence {
        0 => 1,
        1 => 2,
        2 => 0,
        _ => return Err(Errno::Inval.into()),
    };
    io::fd_seek(ctx, mem, fd, offset, whence, new_offset)
}

/// A `subscription` has one more number, before the clock.
pub(crate) fn poll_oneoff(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    subscriptions: u32,
    events: u32,
    count: u32,
    nevents: u32,
) -> Result<(), Stop> {
    let layout = Layout {
        size: 56,
        clock: 24,
    };
    poll::poll(ctx, mem, layout, (subscriptions, events, count, nevents))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::{guest::field_u64, testing::Guest};

    #[test]
    fn data_look_as_they_did() {
        let mut guest = Guest::new();
        guest.scratch.file("file", "12345");
        let fd = guest.open("file", 0).unwrap();
        let (path, len) = guest.path("file");
        let out = Guest::OUT;
        let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
        let size = |mem: &[u8]| {
            let stat = &mem[out as usize..];
            assert_eq!((stat[16], guest::field_u32(stat, 20)), (4, 1));
            field_u64(stat, 24)
        };
        fd_filestat_get(ctx, mem, fd, out).unwrap();
        assert_eq!(size(mem), 5);
        mem[out as usize..][..56].fill(0xff);
        path_filestat_get(ctx, mem, 3, 0, path, len, out).unwrap();
        assert_eq!(size(mem), 5);
        for (whence, offset, place) in [(2, 2, 2), (0, 1, 3), (1, -1, 4)] {
            fd_seek(ctx, mem, fd, offset, whence, out).unwrap();
            assert_eq!(field_u64(mem, out as usize), place);
        }
        assert_eq!(fd_seek(ctx, mem, fd, 0, 3, out), Err(Errno::Inval.into()));
        // A clock, its number before it, that is due at once.
        mem[..56].fill(0);
        mem[0..8].copy_from_slice(&7_u64.to_le_bytes());
        mem[16..24].fill(0xff);
        mem[24] = 1;
        poll_oneoff(ctx, mem, 0, 256, 1, out).unwrap();
        assert_eq!((field_u64(mem, 256), mem[264]), (7, 0));
    }
}
