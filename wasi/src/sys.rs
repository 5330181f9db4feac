//! The host's calls, through libc: a thin safe layer in which file offsets have 64 bits everywhere and
//! errors are the interface's.
//!
//! Nothing here decides anything about the guest. Paths are single names or paths that the host kernel
//! itself confines; [`crate::path`] says which.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
};

use libc::{c_int, iovec, pollfd};

use crate::types::{Errno, Filestat, Filetype};

// 32-bit glibc has calls with 32-bit offsets under the plain names; musl and the others have only one set.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use libc::{lseek as lseek_raw, off_t, openat as openat_raw};
#[cfg(any(target_os = "linux", target_os = "android"))]
use libc::{lseek64 as lseek_raw, off64_t as off_t, openat64 as openat_raw};
#[cfg(not(any(
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl")),
    target_os = "android"
)))]
use libc::{preadv as preadv_raw, pwritev as pwritev_raw};
#[cfg(any(
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl")),
    target_os = "android"
))]
use libc::{preadv64 as preadv_raw, pwritev64 as pwritev_raw};

/// How to open a directory only to look up names in it.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) const O_LOOKUP: c_int = libc::O_PATH;
/// How to open a directory only to look up names in it: without `O_PATH`, by reading it.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) const O_LOOKUP: c_int = libc::O_RDONLY;

/// The error of the call that has just failed.
pub(crate) fn last_error() -> Errno {
    io::Error::last_os_error().into()
}

/// The result of a call that returns -1 when it fails.
fn result(returned: c_int) -> Result<c_int, Errno> {
    if returned < 0 {
        Err(last_error())
    } else {
        Ok(returned)
    }
}

/// The count that a call returns, repeated for as long as a signal interrupts it.
fn count(mut call: impl FnMut() -> isize) -> Result<usize, Errno> {
    loop {
        match usize::try_from(call()) {
            Ok(count) => return Ok(count),
            Err(_) => match last_error() {
                Errno::Intr => {}
                error => return Err(error),
            },
        }
    }
}

/// Opens `name` under `dir`. Never inherited by a child process, never the process's terminal.
pub(crate) fn openat(
    dir: BorrowedFd<'_>,
    name: &CStr,
    flags: c_int,
    mode: libc::mode_t,
) -> Result<OwnedFd, Errno> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NOCTTY;
    // SAFETY: the descriptor is open while it is borrowed, the name ends with a NUL, and the mode is
    // passed as the promoted type that a variadic function takes.
    let open = || unsafe { openat_raw(dir.as_raw_fd(), name.as_ptr(), flags, c_int_mode(mode)) };
    let fd = count(|| open() as isize)?;
    // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// A mode as variadic functions take it.
fn c_int_mode(mode: libc::mode_t) -> libc::c_uint {
    // `mode_t` has 16 bits on some hosts and 32 on others.
    #[allow(clippy::useless_conversion, reason = "not the same type everywhere")]
    libc::c_uint::from(mode)
}

/// Closes a descriptor and tells what the host says: a file system may report a lost write only here.
pub(crate) fn close(fd: OwnedFd) -> Result<(), Errno> {
    // SAFETY: the descriptor was owned and is not used after this.
    match result(unsafe { libc::close(fd.into_raw_fd()) }) {
        // It is closed all the same.
        Ok(_) | Err(Errno::Intr) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads a symbolic link's target into `buffer`, as much as fits. `inval` if it is no link.
pub(crate) fn readlinkat(
    dir: BorrowedFd<'_>,
    name: &CStr,
    buffer: &mut [u8],
) -> Result<usize, Errno> {
    // SAFETY: the descriptor is open, the name ends with a NUL, the buffer has the length that is passed.
    count(|| unsafe {
        libc::readlinkat(
            dir.as_raw_fd(),
            name.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    })
}

/// Creates a directory.
pub(crate) fn mkdirat(dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    // SAFETY: the descriptor is open, the name ends with a NUL.
    result(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), 0o777) }).map(drop)
}

/// Removes a name: of an empty directory, or of anything else.
pub(crate) fn unlinkat(dir: BorrowedFd<'_>, name: &CStr, directory: bool) -> Result<(), Errno> {
    let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: the descriptor is open, the name ends with a NUL.
    result(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
}

/// Renames.
pub(crate) fn renameat(
    old_dir: BorrowedFd<'_>,
    old_name: &CStr,
    new_dir: BorrowedFd<'_>,
    new_name: &CStr,
) -> Result<(), Errno> {
    // SAFETY: the descriptors are open, the names end with a NUL.
    result(unsafe {
        libc::renameat(
            old_dir.as_raw_fd(),
            old_name.as_ptr(),
            new_dir.as_raw_fd(),
            new_name.as_ptr(),
        )
    })
    .map(drop)
}

/// Reads into vectors that [`crate::guest::Vectors`] made.
///
/// # Safety
/// Each vector must be memory that may be written, borrowed for as long as the call lasts.
pub(crate) unsafe fn readv(fd: BorrowedFd<'_>, vectors: &[iovec]) -> Result<usize, Errno> {
    // SAFETY: the caller's promise; the descriptor is open; a slice has at most 1,024 elements.
    count(|| unsafe { libc::readv(fd.as_raw_fd(), vectors.as_ptr(), vectors.len() as c_int) })
}

/// Writes from vectors.
///
/// # Safety
/// Each vector must be memory that may be read, borrowed for as long as the call lasts.
pub(crate) unsafe fn writev(fd: BorrowedFd<'_>, vectors: &[iovec]) -> Result<usize, Errno> {
    // SAFETY: as in `readv`.
    count(|| unsafe { libc::writev(fd.as_raw_fd(), vectors.as_ptr(), vectors.len() as c_int) })
}

/// Reads into vectors, from `offset`.
///
/// # Safety
/// As for [`readv`].
pub(crate) unsafe fn preadv(
    fd: BorrowedFd<'_>,
    vectors: &[iovec],
    offset: i64,
) -> Result<usize, Errno> {
    let offset: off_t = offset;
    // SAFETY: as in `readv`.
    count(|| unsafe {
        preadv_raw(
            fd.as_raw_fd(),
            vectors.as_ptr(),
            vectors.len() as c_int,
            offset,
        )
    })
}

/// Writes from vectors, at `offset`.
///
/// # Safety
/// As for [`writev`].
pub(crate) unsafe fn pwritev(
    fd: BorrowedFd<'_>,
    vectors: &[iovec],
    offset: i64,
) -> Result<usize, Errno> {
    let offset: off_t = offset;
    // SAFETY: as in `readv`.
    count(|| unsafe {
        pwritev_raw(
            fd.as_raw_fd(),
            vectors.as_ptr(),
            vectors.len() as c_int,
            offset,
        )
    })
}

/// Moves a file's offset and tells the new one.
pub(crate) fn lseek(fd: BorrowedFd<'_>, offset: i64, whence: c_int) -> Result<u64, Errno> {
    // SAFETY: the descriptor is open.
    let new = unsafe { lseek_raw(fd.as_raw_fd(), offset, whence) };
    u64::try_from(new).map_err(|_| last_error())
}

/// The status flags of an open file.
pub(crate) fn status_flags(fd: BorrowedFd<'_>) -> Result<c_int, Errno> {
    // SAFETY: the descriptor is open.
    result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })
}

/// Sets the status flags of an open file.
pub(crate) fn set_status_flags(fd: BorrowedFd<'_>, flags: c_int) -> Result<(), Errno> {
    // SAFETY: the descriptor is open.
    result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// Is it a terminal?
pub(crate) fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is open.
    unsafe { libc::isatty(fd.as_raw_fd()) == 1 }
}

/// How many bytes wait to be read from a pipe, socket or terminal; 0 if the host cannot tell.
pub(crate) fn readable_bytes(fd: BorrowedFd<'_>) -> u64 {
    let mut waiting: c_int = 0;
    // SAFETY: the descriptor is open, and this request writes one `int`.
    let returned = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut waiting) };
    if returned < 0 {
        0
    } else {
        u64::try_from(waiting).unwrap_or(0)
    }
}

/// Is it a socket of datagrams?
pub(crate) fn is_datagram_socket(fd: BorrowedFd<'_>) -> bool {
    let mut kind: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and this option is one `int`, whose size is passed.
    let returned = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &mut len,
        )
    };
    returned == 0 && kind == libc::SOCK_DGRAM
}

/// Waits until one of `fds` is ready or `timeout` has passed, and tells how many are ready. `None` waits
/// for ever. A signal ends it early with `intr`.
pub(crate) fn poll(fds: &mut [pollfd], timeout: Option<u64>) -> Result<usize, Errno> {
    let count = libc::nfds_t::try_from(fds.len()).map_err(|_| Errno::Inval)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let returned = {
        let time = timeout.map(|nanoseconds| {
            // SAFETY: a `timespec` is integers, for which zero is a value. (On some hosts it has padding,
            // so it cannot be written as a literal.)
            let mut time: libc::timespec = unsafe { core::mem::zeroed() };
            // An age is long enough, and fits in 32 bits.
            time.tv_sec = (nanoseconds / 1_000_000_000).min(1 << 30) as _;
            time.tv_nsec = (nanoseconds % 1_000_000_000) as _;
            time
        });
        let time = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: the list has `count` elements, the time is null or lives until the call returns, and
        // the signal mask is null.
        unsafe { libc::ppoll(fds.as_mut_ptr(), count, time, core::ptr::null()) }
    };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let returned = {
        let milliseconds = timeout.map_or(-1, |nanoseconds| {
            // Rounded up: a wait must not end before its time.
            nanoseconds.div_ceil(1_000_000).min(1 << 30) as c_int
        });
        // SAFETY: the list has `count` elements.
        unsafe { libc::poll(fds.as_mut_ptr(), count, milliseconds) }
    };
    result(returned).map(|ready| ready as usize)
}

/// The attributes of an open file.
pub(crate) fn fstat(fd: BorrowedFd<'_>) -> Result<Filestat, Errno> {
    stat::of_fd(fd)
}

/// The attributes of what `name` under `dir` is; of a link itself, not of its target.
pub(crate) fn lstatat(dir: BorrowedFd<'_>, name: &CStr) -> Result<Filestat, Errno> {
    stat::of_name(dir, name)
}

/// `stat` by `statx`, whose times have 64 bits on 32-bit hosts too.
#[cfg(any(
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl")),
    target_os = "android"
))]
mod stat {
    use core::mem::MaybeUninit;

    use super::{AsRawFd, BorrowedFd, CStr, Errno, Filestat, Filetype, c_int, result};
    use crate::types::timestamp;

    pub(super) fn of_fd(fd: BorrowedFd<'_>) -> Result<Filestat, Errno> {
        statx(fd, c"", libc::AT_EMPTY_PATH)
    }

    pub(super) fn of_name(dir: BorrowedFd<'_>, name: &CStr) -> Result<Filestat, Errno> {
        statx(dir, name, libc::AT_SYMLINK_NOFOLLOW)
    }

    fn statx(dir: BorrowedFd<'_>, name: &CStr, flags: c_int) -> Result<Filestat, Errno> {
        let mut stat = MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: the descriptor is open, the name ends with a NUL, the buffer is one `statx`.
        result(unsafe {
            libc::statx(
                dir.as_raw_fd(),
                name.as_ptr(),
                flags | libc::AT_NO_AUTOMOUNT,
                libc::STATX_BASIC_STATS,
                stat.as_mut_ptr(),
            )
        })?;
        // SAFETY: it is integers, zeroed and then written by the call.
        let stat = unsafe { stat.assume_init() };
        let time = |time: libc::statx_timestamp| timestamp(time.tv_sec, time.tv_nsec);
        Ok(Filestat {
            dev: (u64::from(stat.stx_dev_major) << 32) | u64::from(stat.stx_dev_minor),
            ino: stat.stx_ino,
            filetype: Filetype::from_mode(stat.stx_mode.into()),
            nlink: u64::from(stat.stx_nlink),
            size: stat.stx_size,
            atim: time(stat.stx_atime),
            mtim: time(stat.stx_mtime),
            ctim: time(stat.stx_ctime),
        })
    }
}

/// `stat` where there is no `statx`.
#[cfg(not(any(
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl")),
    target_os = "android"
)))]
mod stat {
    use core::mem::MaybeUninit;

    use super::{AsRawFd, BorrowedFd, CStr, Errno, Filestat, Filetype, result};
    use crate::types::timestamp;

    pub(super) fn of_fd(fd: BorrowedFd<'_>) -> Result<Filestat, Errno> {
        let mut stat = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the descriptor is open, the buffer is one `stat`.
        result(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
        // SAFETY: it is integers, zeroed and then written by the call.
        Ok(convert(&unsafe { stat.assume_init() }))
    }

    pub(super) fn of_name(dir: BorrowedFd<'_>, name: &CStr) -> Result<Filestat, Errno> {
        let mut stat = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the descriptor is open, the name ends with a NUL, the buffer is one `stat`.
        result(unsafe {
            libc::fstatat(
                dir.as_raw_fd(),
                name.as_ptr(),
                stat.as_mut_ptr(),
                libc::AT_SYMLINK_NOFOLLOW,
            )
        })?;
        // SAFETY: it is integers, zeroed and then written by the call.
        Ok(convert(&unsafe { stat.assume_init() }))
    }

    #[allow(
        clippy::unnecessary_cast,
        reason = "the fields' types differ between hosts"
    )]
    fn convert(stat: &libc::stat) -> Filestat {
        let time = |seconds, nanoseconds| timestamp(seconds as i64, nanoseconds as u32);
        Filestat {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            filetype: Filetype::from_mode(stat.st_mode),
            nlink: stat.st_nlink as u64,
            size: stat.st_size as u64,
            atim: time(stat.st_atime, stat.st_atime_nsec),
            mtim: time(stat.st_mtime, stat.st_mtime_nsec),
            ctim: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}
