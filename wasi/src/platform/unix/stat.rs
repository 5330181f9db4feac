//! The attributes of the host's files.

use std::{
    ffi::CStr,
    os::fd::{AsRawFd, BorrowedFd},
};

use super::{sys::result, words::filetype_from_mode};
use crate::types::{Errno, Filestat, timestamp};

#[cfg(not(any(
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl")),
    target_os = "android"
)))]
use by_stat as imp;
#[cfg(any(
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl")),
    target_os = "android"
))]
use by_statx as imp;

/// The attributes of an open file.
pub(super) fn fstat(fd: BorrowedFd<'_>) -> Result<Filestat, Errno> {
    imp::of_fd(fd)
}

/// The attributes of what `name` under `dir` is; of a link itself, not of its target.
pub(super) fn lstatat(dir: BorrowedFd<'_>, name: &CStr) -> Result<Filestat, Errno> {
    imp::of_name(dir, name)
}

/// `stat` by `statx`, whose times have 64 bits on 32-bit hosts too.
#[cfg(any(
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl")),
    target_os = "android"
))]
mod by_statx {
    use core::mem::MaybeUninit;

    use super::{
        AsRawFd, BorrowedFd, CStr, Errno, Filestat, filetype_from_mode, result, timestamp,
    };
    use libc::c_int;

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
            filetype: filetype_from_mode(stat.stx_mode.into()),
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
mod by_stat {
    use core::mem::MaybeUninit;

    use super::{
        AsRawFd, BorrowedFd, CStr, Errno, Filestat, filetype_from_mode, result, timestamp,
    };

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
            filetype: filetype_from_mode(stat.st_mode),
            nlink: stat.st_nlink as u64,
            size: stat.st_size as u64,
            atim: time(stat.st_atime, stat.st_atime_nsec),
            mtim: time(stat.st_mtime, stat.st_mtime_nsec),
            ctim: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}
