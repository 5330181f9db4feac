//! Limits on what a guest may use of the host, and what it has used.

use core::time::Duration;

use crate::{
    audit::{Denial, Stop},
    types::Errno,
};

/// The most subscriptions of one `poll_oneoff`; a host process has fewer descriptors than this.
const MAX_SUBSCRIPTIONS: u32 = 1 << 16;

/// Descriptors that a guest may have without a limit of its own: more than a host lets a process have, but
/// trees in memory would let it have all that there is.
const MAX_FDS: usize = 1 << 16;

/// What a guest may use of the host. By default there are no limits but the host's own.
#[derive(Copy, Clone, Debug)]
pub struct WasiLimits {
    pub(crate) open_fds: usize,
    pub(crate) bytes_written: u64,
    pub(crate) dir_entries: u64,
    pub(crate) subscriptions: u32,
    pub(crate) blocking_nanos: Option<u64>,
}

impl Default for WasiLimits {
    fn default() -> Self {
        Self {
            open_fds: MAX_FDS,
            bytes_written: u64::MAX,
            dir_entries: u64::MAX,
            subscriptions: MAX_SUBSCRIPTIONS,
            blocking_nanos: None,
        }
    }
}

impl WasiLimits {
    /// No limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most descriptors that are open at a time, those that it has from its start among them. One more
    /// is `mfile`.
    pub fn open_fds(mut self, count: usize) -> Self {
        self.open_fds = count.min(i32::MAX as usize);
        self
    }

    /// The most bytes that are written in all, to whatever. Reserved space counts, and so does what
    /// `fd_filestat_set_size` makes a file longer by; holes that writing leaves do not. One more is `dquot`.
    pub fn bytes_written(mut self, bytes: u64) -> Self {
        self.bytes_written = bytes;
        self
    }

    /// The most files, directories and links that are created in all. One more is `dquot`.
    pub fn dir_entries(mut self, count: u64) -> Self {
        self.dir_entries = count;
        self
    }

    /// The most subscriptions of one `poll_oneoff`. One more is `inval`.
    pub fn subscriptions(mut self, count: u32) -> Self {
        self.subscriptions = count.min(MAX_SUBSCRIPTIONS);
        self
    }

    /// The longest time that is spent waiting in all, for clocks and for descriptors. Beyond it, what would
    /// wait is `timedout`.
    pub fn blocking(mut self, time: Duration) -> Self {
        self.blocking_nanos = Some(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        self
    }
}

/// What is left of the limits that are used up.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Budget {
    bytes_written: u64,
    dir_entries: u64,
    /// `None` is without limit.
    pub(crate) blocking: Option<u64>,
}

impl Budget {
    pub(crate) fn new(limits: &WasiLimits) -> Self {
        Self {
            bytes_written: limits.bytes_written,
            dir_entries: limits.dir_entries,
            blocking: limits.blocking_nanos,
        }
    }

    /// How many of `wanted` bytes may be written, at least one.
    pub(crate) fn writable(&self, wanted: usize) -> Result<usize, Stop> {
        match usize::try_from(self.bytes_written) {
            Ok(0) => Err(Stop::denied(Errno::Dquot, Denial::BytesWritten)),
            Ok(left) => Ok(wanted.min(left)),
            Err(_) => Ok(wanted),
        }
    }

    /// Bytes were written. Without a limit nothing is counted, however large the numbers.
    pub(crate) fn wrote(&mut self, bytes: u64) {
        if self.bytes_written != u64::MAX {
            self.bytes_written = self.bytes_written.saturating_sub(bytes);
        }
    }

    /// May so many bytes be added to a file at once? If that succeeds, they are [written](Self::wrote).
    pub(crate) fn check_bytes(&self, bytes: u64) -> Result<(), Stop> {
        if bytes > self.bytes_written {
            return Err(Stop::denied(Errno::Dquot, Denial::BytesWritten));
        }
        Ok(())
    }

    /// Is the number of new directory entries limited?
    pub(crate) fn counts_entries(&self) -> bool {
        self.dir_entries != u64::MAX
    }

    /// May an entry be created?
    pub(crate) fn check_entry(&self) -> Result<(), Stop> {
        if self.dir_entries == 0 {
            return Err(Stop::denied(Errno::Dquot, Denial::DirEntries));
        }
        Ok(())
    }

    pub(crate) fn created_entry(&mut self) {
        if self.counts_entries() {
            self.dir_entries = self.dir_entries.saturating_sub(1);
        }
    }

    /// Time was spent waiting.
    pub(crate) fn waited(&mut self, nanoseconds: u64) {
        if let Some(left) = &mut self.blocking {
            *left = left.saturating_sub(nanoseconds);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::{DirPerms, FilePerms, table::plain::*, testing::Guest};

    const CREAT: u32 = 1;
    const EXCL: u32 = 4;

    fn limited(limits: WasiLimits) -> Guest {
        Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
            builder.limits(limits);
        })
    }

    #[test]
    fn descriptors_are_limited() {
        let mut guest = limited(WasiLimits::new().open_fds(5));
        assert_eq!(guest.open("a", CREAT), Ok(4));
        assert_eq!(guest.open("a", 0), Err(Errno::Mfile));
        assert_eq!(guest.open("b", CREAT), Err(Errno::Mfile));
        assert!(!guest.scratch.join("b").exists());
        guest.close(4).unwrap();
        assert_eq!(guest.open("a", 0), Ok(4));
    }

    #[test]
    fn written_bytes_are_limited() {
        let mut guest = limited(WasiLimits::new().bytes_written(10));
        let fd = guest.open("a", CREAT).unwrap();
        assert_eq!(guest.write(fd, b"1234567"), Ok(7));
        // As much as may be, then nothing.
        assert_eq!(guest.pwrite(fd, b"abcdef", 0), Ok(3));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::Dquot));
        assert_eq!(guest.write(1, b"x"), Err(Errno::Dquot));
        assert_eq!(guest.write(fd, b""), Ok(0));
        let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
        assert_eq!(fd_filestat_set_size(ctx, mem, fd, 8), Err(Errno::Dquot));
        assert_eq!(fd_allocate(ctx, mem, fd, 0, 8), Err(Errno::Dquot));
        assert_eq!(fd_filestat_set_size(ctx, mem, fd, 7), Ok(()));
        assert_eq!(fd_filestat_set_size(ctx, mem, fd, 2), Ok(()));
        assert_eq!(std::fs::read(guest.scratch.join("a")).unwrap(), b"ab");
    }

    #[test]
    fn what_fails_costs_nothing() {
        for limits in [WasiLimits::new(), WasiLimits::new().bytes_written(1 << 63)] {
            let mut guest = limited(limits);
            let fd = guest.open("a", CREAT).unwrap();
            let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
            let most = i64::MAX as u64;
            for _ in 0..3 {
                // No file system has files of this size.
                assert_ne!(fd_filestat_set_size(ctx, mem, fd, most), Ok(()));
                assert_ne!(fd_allocate(ctx, mem, fd, 0, most), Ok(()));
            }
            assert_eq!(guest.write(fd, b"abc"), Ok(3));
        }
    }

    #[test]
    fn entries_are_limited() {
        let mut guest = limited(WasiLimits::new().dir_entries(3));
        guest.scratch.file("old", "content");
        guest.scratch.link("nowhere", "dangling");
        assert_eq!(guest.open("old", CREAT), Ok(4));
        assert_eq!(guest.open("old", CREAT | EXCL), Err(Errno::Exist));
        assert_eq!(guest.open("dangling", CREAT | EXCL), Err(Errno::Exist));
        assert_eq!(guest.open("one", CREAT), Ok(5));
        assert_eq!(guest.open("one", CREAT), Ok(6));
        let (ptr, len) = guest.path("two");
        let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
        assert_eq!(path_symlink(ctx, mem, ptr, len, 3, ptr, len), Ok(()));
        assert_eq!(
            path_create_directory(ctx, mem, 3, ptr, len),
            Err(Errno::Exist)
        );
        let (ptr, len) = guest.path("three");
        let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
        assert_eq!(path_create_directory(ctx, mem, 3, ptr, len), Ok(()));
        // All three are there now.
        assert_eq!(guest.open("four", CREAT), Err(Errno::Dquot));
        assert_eq!(guest.open("dangling", CREAT), Err(Errno::Dquot));
        let (old, old_len) = guest.path("old");
        let (new, new_len) = guest.path2("five");
        let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
        let link = path_link(ctx, mem, 3, 0, old, old_len, 3, new, new_len);
        assert_eq!(link, Err(Errno::Dquot));
        assert_eq!(guest.open("old", CREAT), Ok(7));
    }

    #[test]
    fn waiting_is_limited() {
        let limits = WasiLimits::new().blocking(Duration::from_millis(30));
        let mut guest = limited(limits);
        let poll = |guest: &mut Guest, nanoseconds: u64| {
            guest.mem[..48].fill(0);
            guest.mem[16] = 1;
            guest.mem[24..32].copy_from_slice(&nanoseconds.to_le_bytes());
            let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
            poll_oneoff(ctx, mem, 0, 64, 1, 128)
        };
        assert_eq!(poll(&mut guest, 1_000_000), Ok(()));
        let started = std::time::Instant::now();
        assert_eq!(poll(&mut guest, 3_600_000_000_000), Err(Errno::Timedout));
        assert!(started.elapsed() < Duration::from_secs(60));
        // What need not wait goes on.
        assert_eq!(poll(&mut guest, 0), Ok(()));
        assert_eq!(poll(&mut guest, 1_000_000), Err(Errno::Timedout));
    }

    #[test]
    fn subscriptions_are_limited() {
        let mut guest = limited(WasiLimits::new().subscriptions(2));
        let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
        assert_eq!(poll_oneoff(ctx, mem, 0, 256, 2, 1024), Ok(()));
        assert_eq!(poll_oneoff(ctx, mem, 0, 256, 3, 1024), Err(Errno::Inval));
    }
}
