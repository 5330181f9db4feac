//! Landlock: the kernel keeps this process to the container's files, whatever becomes of it; it can execute none of them,
//! and make no connections. Where the kernel has it (Linux 5.13), as far as it has it. Knows paths.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::guest::mounts::Volume;
use crate::sys::check;

/// LANDLOCK_CREATE_RULESET_VERSION.
const VERSION: u32 = 1;
/// LANDLOCK_RULE_PATH_BENEATH.
const PATH_BENEATH: libc::c_int = 1;

/// LANDLOCK_ACCESS_FS_…
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const WRITE: u64 = 1 << 1 | ALL_V1 & !(1 << 0 | READ_FILE | READ_DIR);
/// What each version of the interface knows: 13 rights; to move between directories; to truncate; and, of devices,
/// ioctl.
const ALL_V1: u64 = (1 << 13) - 1;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// `struct landlock_ruleset_attr`: what is forbidden unless a rule allows it.
#[repr(C)]
struct Ruleset {
    files: u64,
    /// LANDLOCK_ACCESS_NET_…: to bind and to connect TCP.
    network: u64,
    /// LANDLOCK_SCOPE_…: to reach abstract Unix sockets and to signal others.
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: libc::c_int,
}

/// Restricts this thread and those that it starts. That the kernel has no Landlock is no error: it is one wall of
/// several.
pub(crate) fn restrict(readonly: bool, volumes: &[Volume]) -> io::Result<()> {
    // SAFETY: asks for the version; no memory is touched.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<Ruleset>(),
            0,
            VERSION,
        )
    };
    if version < 1 {
        return Ok(());
    }
    let known = [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)];
    let files = known
        .iter()
        .filter(|(since, _)| version >= *since)
        .fold(ALL_V1, |all, (_, right)| all | right);
    let ruleset = Ruleset {
        files,
        network: 0b11,
        scoped: 0b11,
    };
    let size = match version {
        ..4 => 8,
        4..6 => 16,
        _ => size_of::<Ruleset>(),
    };
    let named = |e: io::Error| io::Error::other(format!("landlock: {e}"));
    // SAFETY: the kernel reads `size` bytes of `ruleset`, which has at least so many.
    let fd = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &ruleset, size, 0) };
    let fd = check(fd as libc::c_int).map_err(named)?;
    // SAFETY: the call has just opened it.
    let rules = unsafe { OwnedFd::from_raw_fd(fd) };

    let read = READ_FILE | READ_DIR;
    let write = (WRITE | REFER | TRUNCATE) & files;
    let allow = |path: &Path, readonly: bool| {
        let allowed = if readonly { read } else { read | write };
        let flags = libc::O_PATH | libc::O_CLOEXEC;
        let parent = File::options().read(true).custom_flags(flags).open(path)?;
        let beneath = Beneath {
            allowed,
            parent: parent.as_raw_fd(),
        };
        // SAFETY: the kernel reads `beneath`; both descriptors are open.
        let result = unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                rules.as_raw_fd(),
                PATH_BENEATH,
                &beneath,
                0,
            )
        };
        check(result as libc::c_int).map(drop)
    };
    allow(Path::new("/"), readonly).map_err(named)?;
    for volume in volumes {
        allow(&volume.path, volume.readonly).map_err(named)?;
    }
    // SAFETY: an open descriptor of a ruleset.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    check(result as libc::c_int).map_err(named).map(drop)
}
