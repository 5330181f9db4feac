//! The few system calls that several parts need, with errors as values. Knows nothing of containers.

use std::io;
use std::os::fd::RawFd;

/// The result of a call that gives -1 for an error.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// Between fork and exec: the new program finds `fd` as `number`.
pub(crate) fn pass_as(fd: RawFd, number: RawFd) -> io::Result<()> {
    if fd == number {
        // dup2 would leave the flag in place that closes it.
        // SAFETY: fcntl on a descriptor of this process, which stays the caller's.
        return check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: as above; `number` is not in use in a process that is about to execute something else.
    check(unsafe { libc::dup2(fd, number) }).map(drop)
}

/// Makes a process a likelier victim than this one, by one, when memory runs out. That it is not allowed to be lowered
/// is no error, and it is not: it is raised.
pub(crate) fn raise_oom_score(pid: u32) {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj");
    let own = own.ok().and_then(|own| own.trim().parse::<i32>().ok());
    let score = (own.unwrap_or(0) + 1).min(1000);
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string());
}
