//! The host's words for the interface's, and back.

use crate::types::{Fdflags, Filetype, Oflags};

/// Flags that both have; the hosts differ in their bits.
const FDFLAGS: &[(Fdflags, libc::c_int)] = &[
    (Fdflags::APPEND, libc::O_APPEND),
    (Fdflags::NONBLOCK, libc::O_NONBLOCK),
    (Fdflags::SYNC, libc::O_SYNC),
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
    (Fdflags::DSYNC, libc::O_DSYNC),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    (Fdflags::RSYNC, libc::O_RSYNC),
];

/// The host's words for these.
pub(super) fn fdflags_to_host(flags: Fdflags) -> libc::c_int {
    FDFLAGS
        .iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .fold(0, |host, (_, bits)| host | bits)
}

/// The flags among the host's.
pub(super) fn fdflags_from_host(host: libc::c_int) -> Fdflags {
    FDFLAGS
        .iter()
        .filter(|(_, bits)| host & bits == *bits)
        .fold(Fdflags::empty(), |flags, (flag, _)| flags | *flag)
}

/// The host's words for a way to open.
pub(super) fn open_to_host(oflags: Oflags, read: bool, write: bool) -> libc::c_int {
    let mut flags = match (read, write) {
        (true, true) => libc::O_RDWR,
        (false, true) => libc::O_WRONLY,
        // Cutting a file needs it open for writing, whether or not the guest will write to it.
        (false, false) if oflags.contains(Oflags::TRUNC) => libc::O_WRONLY,
        (true, false) if oflags.contains(Oflags::TRUNC) => libc::O_RDWR,
        _ => libc::O_RDONLY,
    };
    for (oflag, host) in [
        (Oflags::CREAT, libc::O_CREAT),
        (Oflags::DIRECTORY, libc::O_DIRECTORY),
        (Oflags::EXCL, libc::O_EXCL),
        (Oflags::TRUNC, libc::O_TRUNC),
    ] {
        if oflags.contains(oflag) {
            flags |= host;
        }
    }
    flags
}

/// From the host's file mode. The interface has no word for a pipe. Whether a socket is one of datagrams
/// the mode does not tell: that needs the open socket.
pub(super) fn filetype_from_mode(mode: libc::mode_t) -> Filetype {
    match mode & libc::S_IFMT {
        libc::S_IFREG => Filetype::RegularFile,
        libc::S_IFDIR => Filetype::Directory,
        libc::S_IFLNK => Filetype::SymbolicLink,
        libc::S_IFCHR => Filetype::CharacterDevice,
        libc::S_IFBLK => Filetype::BlockDevice,
        libc::S_IFSOCK => Filetype::SocketStream,
        _ => Filetype::Unknown,
    }
}

/// From a directory entry of the host; `None` if the file system does not tell.
pub(super) fn filetype_from_dirent(kind: u8) -> Option<Filetype> {
    Some(match kind {
        libc::DT_UNKNOWN => return None,
        libc::DT_REG => Filetype::RegularFile,
        libc::DT_DIR => Filetype::Directory,
        libc::DT_LNK => Filetype::SymbolicLink,
        libc::DT_CHR => Filetype::CharacterDevice,
        libc::DT_BLK => Filetype::BlockDevice,
        libc::DT_SOCK => Filetype::SocketStream,
        _ => Filetype::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_to_the_host_and_back() {
        let back = |flags| fdflags_from_host(fdflags_to_host(flags));
        let flags = Fdflags::APPEND | Fdflags::NONBLOCK;
        assert_eq!(back(flags), flags);
        // The host's `O_SYNC` includes `O_DSYNC`, and on Linux it is also `O_RSYNC`.
        assert!(back(Fdflags::SYNC).contains(Fdflags::SYNC));
        assert!(!back(Fdflags::DSYNC).contains(Fdflags::SYNC));
    }
}
