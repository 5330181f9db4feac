//! The host's calls, through libc: a thin safe layer in which file offsets have 64 bits everywhere and
//! errors are the interface's.
//!
//! Nothing here decides anything about the guest. Paths are single names or paths that the host kernel
//! itself confines; `path.rs` says which.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
};

use libc::{c_int, pollfd};

use super::wait::events;
use crate::{
    buffers::Buffer,
    platform::Interest,
    types::{Advice, Errno, SetTime, Times},
};

// 32-bit glibc has calls with 32-bit offsets under the plain names; musl and the others have only one set.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use libc::{ftruncate as ftruncate_raw, lseek as lseek_raw, off_t, openat as openat_raw};
#[cfg(any(target_os = "linux", target_os = "android"))]
use libc::{
    ftruncate64 as ftruncate_raw, lseek64 as lseek_raw, off64_t as off_t, openat64 as openat_raw,
};
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

pub(super) use super::stat::{fstat, lstatat};

/// How to open a directory only to look up names in it.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) const O_LOOKUP: c_int = libc::O_PATH;
/// How to open a directory only to look up names in it: without `O_PATH`, by reading it.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) const O_LOOKUP: c_int = libc::O_RDONLY;

/// The host's list of vectors, which has the same layout.
pub(super) fn iovecs(buffers: &[Buffer]) -> *const libc::iovec {
    const {
        assert!(size_of::<Buffer>() == size_of::<libc::iovec>());
        assert!(align_of::<Buffer>() == align_of::<libc::iovec>());
        assert!(core::mem::offset_of!(Buffer, len) == core::mem::offset_of!(libc::iovec, iov_len));
    }
    buffers.as_ptr().cast()
}

/// The error of the call that has just failed.
pub(super) fn last_error() -> Errno {
    io::Error::last_os_error().into()
}

/// The result of a call that returns -1 when it fails.
pub(super) fn result(returned: c_int) -> Result<c_int, Errno> {
    if returned < 0 {
        Err(last_error())
    } else {
        Ok(returned)
    }
}

/// The count that a call returns, repeated for as long as a signal interrupts it.
pub(super) fn count(mut call: impl FnMut() -> isize) -> Result<usize, Errno> {
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
pub(super) fn openat(
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
pub(super) fn close(fd: OwnedFd) -> Result<(), Errno> {
    // SAFETY: the descriptor was owned and is not used after this.
    match result(unsafe { libc::close(fd.into_raw_fd()) }) {
        // It is closed all the same.
        Ok(_) | Err(Errno::Intr) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads a symbolic link's target into `buffer`, as much as fits. `inval` if it is no link.
pub(super) fn readlinkat(
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
pub(super) fn mkdirat(dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    // SAFETY: the descriptor is open, the name ends with a NUL.
    result(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), 0o777) }).map(drop)
}

/// Removes a name: of an empty directory, or of anything else.
pub(super) fn unlinkat(dir: BorrowedFd<'_>, name: &CStr, directory: bool) -> Result<(), Errno> {
    let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: the descriptor is open, the name ends with a NUL.
    result(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
}

/// Renames.
pub(super) fn renameat(
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

/// Gives what `old_name` is another name. A link itself is meant, not its target.
pub(super) fn linkat(
    old_dir: BorrowedFd<'_>,
    old_name: &CStr,
    new_dir: BorrowedFd<'_>,
    new_name: &CStr,
) -> Result<(), Errno> {
    // SAFETY: the descriptors are open, the names end with a NUL.
    result(unsafe {
        libc::linkat(
            old_dir.as_raw_fd(),
            old_name.as_ptr(),
            new_dir.as_raw_fd(),
            new_name.as_ptr(),
            0,
        )
    })
    .map(drop)
}

/// Creates a symbolic link.
pub(super) fn symlinkat(target: &CStr, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    // SAFETY: the descriptor is open, both strings end with a NUL.
    result(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// Times as the host's calls take them.
fn timespecs(times: Times) -> Result<[libc::timespec; 2], Errno> {
    let convert = |time: Option<SetTime>| -> Result<libc::timespec, Errno> {
        // SAFETY: a `timespec` is integers, for which zero is a value. (On some hosts it has padding, so it
        // cannot be written as a literal.)
        let mut spec: libc::timespec = unsafe { core::mem::zeroed() };
        match time {
            None => spec.tv_nsec = libc::UTIME_OMIT as _,
            Some(SetTime::Now) => spec.tv_nsec = libc::UTIME_NOW as _,
            Some(SetTime::At(nanoseconds)) => {
                let seconds = nanoseconds / 1_000_000_000;
                spec.tv_sec = seconds.try_into().map_err(|_| Errno::Overflow)?;
                spec.tv_nsec = (nanoseconds % 1_000_000_000) as _;
            }
        }
        Ok(spec)
    };
    Ok([convert(times.atim)?, convert(times.mtim)?])
}

/// Sets the times of an open file.
pub(super) fn futimens(fd: BorrowedFd<'_>, times: Times) -> Result<(), Errno> {
    let times = timespecs(times)?;
    // SAFETY: the descriptor is open, and the list has the two elements that the call reads.
    result(unsafe { libc::futimens(fd.as_raw_fd(), times.as_ptr()) }).map(drop)
}

/// Sets the times of what `name` under `dir` is; of a link itself.
pub(super) fn utimensat(dir: BorrowedFd<'_>, name: &CStr, times: Times) -> Result<(), Errno> {
    let times = timespecs(times)?;
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: the descriptor is open, the name ends with a NUL, the list has two elements.
    result(unsafe { libc::utimensat(dir.as_raw_fd(), name.as_ptr(), times.as_ptr(), flags) })
        .map(drop)
}

/// Waits until a file is on its device.
pub(super) fn fsync(fd: BorrowedFd<'_>, data_only: bool) -> Result<(), Errno> {
    count(|| {
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        if data_only {
            // SAFETY: the descriptor is open.
            return unsafe { libc::fdatasync(fd.as_raw_fd()) } as isize;
        }
        let _ = data_only;
        // SAFETY: the descriptor is open.
        unsafe { libc::fsync(fd.as_raw_fd()) as isize }
    })
    .map(drop)
}

/// Makes a file as long as this.
pub(super) fn ftruncate(fd: BorrowedFd<'_>, size: u64) -> Result<(), Errno> {
    let size = off_t::try_from(size).map_err(|_| Errno::Fbig)?;
    // SAFETY: the descriptor is open.
    count(|| unsafe { ftruncate_raw(fd.as_raw_fd(), size) as isize }).map(drop)
}

/// Reserves space, and makes the file longer if need be.
pub(super) fn fallocate(fd: BorrowedFd<'_>, offset: u64, len: u64) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let offset = off_t::try_from(offset).map_err(|_| Errno::Fbig)?;
        let len = off_t::try_from(len).map_err(|_| Errno::Fbig)?;
        // SAFETY: the descriptor is open.
        count(|| unsafe { libc::fallocate64(fd.as_raw_fd(), 0, offset, len) as isize }).map(drop)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (fd, offset, len);
        Err(Errno::Notsup)
    }
}

/// Tells the host how a range of a file will be used. Where it does not want to know, nothing is lost.
pub(super) fn fadvise(
    fd: BorrowedFd<'_>,
    offset: u64,
    len: u64,
    advice: Advice,
) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let offset = off_t::try_from(offset).map_err(|_| Errno::Inval)?;
        let len = off_t::try_from(len).map_err(|_| Errno::Inval)?;
        let advice = match advice {
            Advice::Normal => libc::POSIX_FADV_NORMAL,
            Advice::Sequential => libc::POSIX_FADV_SEQUENTIAL,
            Advice::Random => libc::POSIX_FADV_RANDOM,
            Advice::Willneed => libc::POSIX_FADV_WILLNEED,
            Advice::Dontneed => libc::POSIX_FADV_DONTNEED,
            Advice::Noreuse => libc::POSIX_FADV_NOREUSE,
        };
        // SAFETY: the descriptor is open.
        match unsafe { libc::posix_fadvise64(fd.as_raw_fd(), offset, len, advice) } {
            0 => Ok(()),
            // Unlike others, this call returns the error.
            error => Err(Errno::from_host(error)),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (fd, offset, len, advice);
        Ok(())
    }
}

/// Reads into buffers.
///
/// # Safety
/// Each buffer must be memory that may be written, borrowed for as long as the call lasts.
pub(super) unsafe fn readv(fd: BorrowedFd<'_>, buffers: &[Buffer]) -> Result<usize, Errno> {
    if let [only] = buffers {
        // The host takes longer to look at a list.
        // SAFETY: the caller's promise; the descriptor is open.
        return count(|| unsafe { libc::read(fd.as_raw_fd(), only.start.cast(), only.len) });
    }
    // SAFETY: the caller's promise; the descriptor is open; a slice has at most 1,024 elements.
    count(|| unsafe { libc::readv(fd.as_raw_fd(), iovecs(buffers), buffers.len() as c_int) })
}

/// Writes from buffers.
///
/// # Safety
/// Each buffer must be memory that may be read, borrowed for as long as the call lasts.
pub(super) unsafe fn writev(fd: BorrowedFd<'_>, buffers: &[Buffer]) -> Result<usize, Errno> {
    if let [only] = buffers {
        // SAFETY: as in `readv`.
        return count(|| unsafe { libc::write(fd.as_raw_fd(), only.start.cast(), only.len) });
    }
    // SAFETY: as in `readv`.
    count(|| unsafe { libc::writev(fd.as_raw_fd(), iovecs(buffers), buffers.len() as c_int) })
}

/// Reads into buffers, from `offset`.
///
/// # Safety
/// As for [`readv`].
pub(super) unsafe fn preadv(
    fd: BorrowedFd<'_>,
    buffers: &[Buffer],
    offset: i64,
) -> Result<usize, Errno> {
    let offset: off_t = offset;
    // SAFETY: as in `readv`.
    count(|| unsafe {
        preadv_raw(
            fd.as_raw_fd(),
            iovecs(buffers),
            buffers.len() as c_int,
            offset,
        )
    })
}

/// Writes from buffers, at `offset`.
///
/// # Safety
/// As for [`writev`].
pub(super) unsafe fn pwritev(
    fd: BorrowedFd<'_>,
    buffers: &[Buffer],
    offset: i64,
) -> Result<usize, Errno> {
    let offset: off_t = offset;
    // SAFETY: as in `readv`.
    count(|| unsafe {
        pwritev_raw(
            fd.as_raw_fd(),
            iovecs(buffers),
            buffers.len() as c_int,
            offset,
        )
    })
}

/// Moves a file's offset and tells the new one.
pub(super) fn lseek(fd: BorrowedFd<'_>, offset: i64, whence: c_int) -> Result<u64, Errno> {
    // SAFETY: the descriptor is open.
    let new = unsafe { lseek_raw(fd.as_raw_fd(), offset, whence) };
    u64::try_from(new).map_err(|_| last_error())
}

/// The status flags of an open file.
pub(super) fn status_flags(fd: BorrowedFd<'_>) -> Result<c_int, Errno> {
    // SAFETY: the descriptor is open.
    result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })
}

/// Sets the status flags of an open file.
pub(super) fn set_status_flags(fd: BorrowedFd<'_>, flags: c_int) -> Result<(), Errno> {
    // SAFETY: the descriptor is open.
    result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// Is it a terminal?
pub(super) fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is open.
    unsafe { libc::isatty(fd.as_raw_fd()) == 1 }
}

/// How many bytes wait to be read from a pipe, socket or terminal; 0 if the host cannot tell.
pub(super) fn readable_bytes(fd: BorrowedFd<'_>) -> u64 {
    let mut waiting: c_int = 0;
    // SAFETY: the descriptor is open, and this request writes one `int`.
    let returned = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut waiting) };
    if returned < 0 {
        0
    } else {
        u64::try_from(waiting).unwrap_or(0)
    }
}

/// Is the file ready for this at once?
pub(super) fn is_ready(fd: BorrowedFd<'_>, interest: Interest) -> Result<bool, Errno> {
    poll_one(fd, interest, Some(0))
}

/// Waits until the file is ready, however long.
pub(super) fn wait_for(fd: BorrowedFd<'_>, interest: Interest) -> Result<(), Errno> {
    poll_one(fd, interest, None).map(drop)
}

fn poll_one(fd: BorrowedFd<'_>, interest: Interest, timeout: Option<u64>) -> Result<bool, Errno> {
    let mut fds = [pollfd {
        fd: fd.as_raw_fd(),
        events: events(interest),
        revents: 0,
    }];
    loop {
        match poll(&mut fds, timeout) {
            Err(Errno::Intr) => {}
            result => return result.map(|ready| ready > 0),
        }
    }
}

/// Waits until one of `fds` is ready or `timeout` has passed, and tells how many are ready. `None` waits
/// for ever. A signal ends it early with `intr`.
pub(super) fn poll(fds: &mut [pollfd], timeout: Option<u64>) -> Result<usize, Errno> {
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
