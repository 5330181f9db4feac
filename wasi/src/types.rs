//! The words of WASI preview1 (`typenames.witx`): error codes, rights, flags, file types.
//!
//! It knows the numbers of the interface and the host's error codes, and nothing of descriptors,
//! guest memory or the runtime.

use std::io;

/// Declares [`Errno`] with the names of the interface.
macro_rules! errnos {
    ($($(#[$doc:meta])* $variant:ident = $value:literal $name:literal $($host:ident)|*;)*) => {
        /// Why a function of the interface failed (`errno`). Success is the absence of one.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Errno {
            $($(#[$doc])* $variant = $value,)*
        }

        impl Errno {
            /// The name that the interface gives it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The code for one of the host's; `io` if the interface has none.
            pub(crate) fn from_host(code: i32) -> Self {
                // Some hosts have two names for one number, so this is a chain and not a `match`.
                $($(if code == libc::$host {
                    return Self::$variant;
                })*)*
                Self::Io
            }
        }
    };
}

errnos! {
    /// Argument list too long.
    TooBig = 1 "2big" E2BIG;
    /// Permission denied.
    Acces = 2 "acces" EACCES;
    /// Address in use.
    Addrinuse = 3 "addrinuse" EADDRINUSE;
    /// Address not available.
    Addrnotavail = 4 "addrnotavail" EADDRNOTAVAIL;
    /// Address family not supported.
    Afnosupport = 5 "afnosupport" EAFNOSUPPORT;
    /// The operation would block.
    Again = 6 "again" EAGAIN | EWOULDBLOCK;
    /// Connection already in progress.
    Already = 7 "already" EALREADY;
    /// Not an open descriptor, or not one for this operation.
    Badf = 8 "badf" EBADF;
    /// Bad message.
    Badmsg = 9 "badmsg" EBADMSG;
    /// Device or resource busy.
    Busy = 10 "busy" EBUSY;
    /// Operation cancelled.
    Canceled = 11 "canceled" ECANCELED;
    /// No child processes.
    Child = 12 "child" ECHILD;
    /// Connection aborted.
    Connaborted = 13 "connaborted" ECONNABORTED;
    /// Connection refused.
    Connrefused = 14 "connrefused" ECONNREFUSED;
    /// Connection reset.
    Connreset = 15 "connreset" ECONNRESET;
    /// A deadlock would occur.
    Deadlk = 16 "deadlk" EDEADLK;
    /// Destination address required.
    Destaddrreq = 17 "destaddrreq" EDESTADDRREQ;
    /// Argument outside of a function's domain.
    Dom = 18 "dom" EDOM;
    /// Disk quota exceeded.
    Dquot = 19 "dquot" EDQUOT;
    /// File exists.
    Exist = 20 "exist" EEXIST;
    /// An address outside of the guest's memory.
    Fault = 21 "fault" EFAULT;
    /// File too large.
    Fbig = 22 "fbig" EFBIG;
    /// Host is unreachable.
    Hostunreach = 23 "hostunreach" EHOSTUNREACH;
    /// Identifier removed.
    Idrm = 24 "idrm" EIDRM;
    /// Illegal byte sequence.
    Ilseq = 25 "ilseq" EILSEQ;
    /// Operation in progress.
    Inprogress = 26 "inprogress" EINPROGRESS;
    /// Interrupted function.
    Intr = 27 "intr" EINTR;
    /// Invalid argument.
    Inval = 28 "inval" EINVAL;
    /// Input or output error.
    Io = 29 "io" EIO;
    /// Socket is connected.
    Isconn = 30 "isconn" EISCONN;
    /// Is a directory.
    Isdir = 31 "isdir" EISDIR;
    /// Too many levels of symbolic links.
    Loop = 32 "loop" ELOOP;
    /// Too many open descriptors.
    Mfile = 33 "mfile" EMFILE;
    /// Too many links.
    Mlink = 34 "mlink" EMLINK;
    /// Message too large.
    Msgsize = 35 "msgsize" EMSGSIZE;
    /// Reserved.
    Multihop = 36 "multihop" EMULTIHOP;
    /// Name too long.
    Nametoolong = 37 "nametoolong" ENAMETOOLONG;
    /// Network is down.
    Netdown = 38 "netdown" ENETDOWN;
    /// Connection aborted by network.
    Netreset = 39 "netreset" ENETRESET;
    /// Network unreachable.
    Netunreach = 40 "netunreach" ENETUNREACH;
    /// Too many files open in the system.
    Nfile = 41 "nfile" ENFILE;
    /// No buffer space available.
    Nobufs = 42 "nobufs" ENOBUFS;
    /// No such device.
    Nodev = 43 "nodev" ENODEV;
    /// No such file or directory.
    Noent = 44 "noent" ENOENT;
    /// Executable file format error.
    Noexec = 45 "noexec" ENOEXEC;
    /// No locks available.
    Nolck = 46 "nolck" ENOLCK;
    /// Reserved.
    Nolink = 47 "nolink" ENOLINK;
    /// Not enough space.
    Nomem = 48 "nomem" ENOMEM;
    /// No message of the desired type.
    Nomsg = 49 "nomsg" ENOMSG;
    /// Protocol not available.
    Noprotoopt = 50 "noprotoopt" ENOPROTOOPT;
    /// No space left on device.
    Nospc = 51 "nospc" ENOSPC;
    /// Function not supported.
    Nosys = 52 "nosys" ENOSYS;
    /// The socket is not connected.
    Notconn = 53 "notconn" ENOTCONN;
    /// Not a directory.
    Notdir = 54 "notdir" ENOTDIR;
    /// Directory not empty.
    Notempty = 55 "notempty" ENOTEMPTY;
    /// State not recoverable.
    Notrecoverable = 56 "notrecoverable" ENOTRECOVERABLE;
    /// Not a socket.
    Notsock = 57 "notsock" ENOTSOCK;
    /// Not supported.
    Notsup = 58 "notsup" ENOTSUP | EOPNOTSUPP;
    /// Inappropriate control operation.
    Notty = 59 "notty" ENOTTY;
    /// No such device or address.
    Nxio = 60 "nxio" ENXIO;
    /// Value too large for its type.
    Overflow = 61 "overflow" EOVERFLOW;
    /// Previous owner died.
    Ownerdead = 62 "ownerdead" EOWNERDEAD;
    /// Operation not permitted: the host does not allow it here.
    Perm = 63 "perm" EPERM;
    /// Broken pipe.
    Pipe = 64 "pipe" EPIPE;
    /// Protocol error.
    Proto = 65 "proto" EPROTO;
    /// Protocol not supported.
    Protonosupport = 66 "protonosupport" EPROTONOSUPPORT;
    /// Wrong protocol type for the socket.
    Prototype = 67 "prototype" EPROTOTYPE;
    /// Result too large.
    Range = 68 "range" ERANGE;
    /// Read-only file system.
    Rofs = 69 "rofs" EROFS;
    /// Invalid seek.
    Spipe = 70 "spipe" ESPIPE;
    /// No such process.
    Srch = 71 "srch" ESRCH;
    /// Reserved.
    Stale = 72 "stale" ESTALE;
    /// Connection timed out.
    Timedout = 73 "timedout" ETIMEDOUT;
    /// Text file busy.
    Txtbsy = 74 "txtbsy" ETXTBSY;
    /// Cross-device link.
    Xdev = 75 "xdev" EXDEV;
    /// The descriptor lacks a right.
    Notcapable = 76 "notcapable";
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        error.raw_os_error().map_or(Self::Io, Self::from_host)
    }
}

/// Declares a set of flags as a newtype with named bits.
macro_rules! flags {
    ($(#[$doc:meta])* $vis:vis struct $name:ident: $repr:ty {
        $($(#[$bit_doc:meta])* $bit:ident = $shift:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
        $vis struct $name($repr);

        #[allow(dead_code, reason = "a set has the interface's bits, used or not yet")]
        impl $name {
            $($(#[$bit_doc])* $vis const $bit: Self = Self(1 << $shift);)*

            /// No bit.
            $vis const fn empty() -> Self {
                Self(0)
            }

            /// Every bit that has a name.
            $vis const fn all() -> Self {
                Self(0 $(| (1 << $shift))*)
            }

            /// Are all bits of `other` in this set?
            $vis const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Is any bit of `other` in this set?
            $vis const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// The bits of both.
            $vis const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits that both have.
            $vis const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// The bits that `other` does not have.
            $vis const fn difference(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// The set as a number.
            $vis const fn bits(self) -> $repr {
                self.0
            }

            /// The set for a number; bits without a name are dropped.
            pub(crate) const fn from_bits_truncate(bits: $repr) -> Self {
                Self(bits & Self::all().0)
            }

            /// The set for an argument of the interface; a bit without a name is `inval`.
            pub(crate) fn from_arg(arg: u32) -> Result<Self, Errno> {
                match <$repr>::try_from(arg) {
                    Ok(bits) if bits & !Self::all().0 == 0 => Ok(Self(bits)),
                    _ => Err(Errno::Inval),
                }
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }
    };
}

flags! {
    /// What a guest may do with a directory that it was given.
    pub struct DirPerms: u32 {
        /// Open, list and examine what is in it.
        READ = 0;
        /// Create, rename and remove what is in it.
        MUTATE = 1;
    }
}

flags! {
    /// What a guest may do with the files of a directory that it was given.
    pub struct FilePerms: u32 {
        /// Read them.
        READ = 0;
        /// Write them.
        WRITE = 1;
    }
}

flags! {
    /// `rights`: what a guest may do with a descriptor.
    pub(crate) struct Rights: u64 {
        FD_DATASYNC = 0;
        FD_READ = 1;
        FD_SEEK = 2;
        FD_FDSTAT_SET_FLAGS = 3;
        FD_SYNC = 4;
        FD_TELL = 5;
        FD_WRITE = 6;
        FD_ADVISE = 7;
        FD_ALLOCATE = 8;
        PATH_CREATE_DIRECTORY = 9;
        PATH_CREATE_FILE = 10;
        PATH_LINK_SOURCE = 11;
        PATH_LINK_TARGET = 12;
        PATH_OPEN = 13;
        FD_READDIR = 14;
        PATH_READLINK = 15;
        PATH_RENAME_SOURCE = 16;
        PATH_RENAME_TARGET = 17;
        PATH_FILESTAT_GET = 18;
        PATH_FILESTAT_SET_SIZE = 19;
        PATH_FILESTAT_SET_TIMES = 20;
        FD_FILESTAT_GET = 21;
        FD_FILESTAT_SET_SIZE = 22;
        FD_FILESTAT_SET_TIMES = 23;
        PATH_SYMLINK = 24;
        PATH_REMOVE_DIRECTORY = 25;
        PATH_UNLINK_FILE = 26;
        POLL_FD_READWRITE = 27;
        SOCK_SHUTDOWN = 28;
        SOCK_ACCEPT = 29;
    }
}

impl Rights {
    /// The rights of an open directory.
    pub(crate) const DIRECTORY: Self = Self::FD_SYNC
        .union(Self::FD_DATASYNC)
        .union(Self::PATH_CREATE_DIRECTORY)
        .union(Self::PATH_CREATE_FILE)
        .union(Self::PATH_LINK_SOURCE)
        .union(Self::PATH_LINK_TARGET)
        .union(Self::PATH_OPEN)
        .union(Self::FD_READDIR)
        .union(Self::PATH_READLINK)
        .union(Self::PATH_RENAME_SOURCE)
        .union(Self::PATH_RENAME_TARGET)
        .union(Self::PATH_FILESTAT_GET)
        .union(Self::PATH_FILESTAT_SET_SIZE)
        .union(Self::PATH_FILESTAT_SET_TIMES)
        .union(Self::FD_FILESTAT_GET)
        .union(Self::FD_FILESTAT_SET_TIMES)
        .union(Self::PATH_SYMLINK)
        .union(Self::PATH_REMOVE_DIRECTORY)
        .union(Self::PATH_UNLINK_FILE);

    /// The rights of a file in which one can seek, opened for reading and writing.
    pub(crate) const FILE: Self = Self::STREAM
        .union(Self::FD_SEEK)
        .union(Self::FD_TELL)
        .union(Self::FD_ADVISE)
        .union(Self::FD_ALLOCATE)
        .union(Self::FD_FILESTAT_SET_SIZE)
        .union(Self::FD_FILESTAT_SET_TIMES);

    /// The rights of a pipe, a terminal or another file in which one cannot seek.
    pub(crate) const STREAM: Self = Self::FD_DATASYNC
        .union(Self::FD_READ)
        .union(Self::FD_FDSTAT_SET_FLAGS)
        .union(Self::FD_SYNC)
        .union(Self::FD_WRITE)
        .union(Self::FD_FILESTAT_GET)
        .union(Self::POLL_FD_READWRITE);

    /// The two rights that choose how a file is opened.
    pub(crate) const READ_WRITE: Self = Self::FD_READ.union(Self::FD_WRITE);
}

flags! {
    /// `fdflags`.
    pub(crate) struct Fdflags: u16 {
        APPEND = 0;
        DSYNC = 1;
        NONBLOCK = 2;
        RSYNC = 3;
        SYNC = 4;
    }
}

impl Fdflags {
    /// The host's words for these.
    pub(crate) fn to_host(self) -> libc::c_int {
        let mut host = 0;
        for (flag, bits) in Self::HOST {
            if self.contains(*flag) {
                host |= bits;
            }
        }
        host
    }

    /// The flags among the host's.
    pub(crate) fn from_host(host: libc::c_int) -> Self {
        let mut flags = Self::empty();
        for (flag, bits) in Self::HOST {
            if host & bits == *bits {
                flags = flags | *flag;
            }
        }
        flags
    }

    /// Only the two that every host has and can change; the others differ in their bits.
    const HOST: &[(Self, libc::c_int)] = &[
        (Self::APPEND, libc::O_APPEND),
        (Self::NONBLOCK, libc::O_NONBLOCK),
        (Self::SYNC, libc::O_SYNC),
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
        (Self::DSYNC, libc::O_DSYNC),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (Self::RSYNC, libc::O_RSYNC),
    ];
}

flags! {
    /// `oflags`: how `path_open` opens.
    pub(crate) struct Oflags: u16 {
        CREAT = 0;
        DIRECTORY = 1;
        EXCL = 2;
        TRUNC = 3;
    }
}

flags! {
    /// `lookupflags`: how a path is resolved.
    pub(crate) struct Lookupflags: u32 {
        SYMLINK_FOLLOW = 0;
    }
}

flags! {
    /// `subclockflags`: how a time to wait for is meant.
    pub(crate) struct Subclockflags: u16 {
        ABSTIME = 0;
    }
}

flags! {
    /// `eventrwflags`: what else is known about a descriptor that is ready.
    pub(crate) struct Eventrwflags: u16 {
        HANGUP = 0;
    }
}

/// `filetype`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Filetype {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SocketDgram = 5,
    SocketStream = 6,
    SymbolicLink = 7,
}

impl Filetype {
    /// From the host's file mode. The interface has no word for a pipe. Whether a socket is one of
    /// datagrams the mode does not tell: that needs the open socket.
    pub(crate) fn from_mode(mode: libc::mode_t) -> Self {
        match mode & libc::S_IFMT {
            libc::S_IFREG => Self::RegularFile,
            libc::S_IFDIR => Self::Directory,
            libc::S_IFLNK => Self::SymbolicLink,
            libc::S_IFCHR => Self::CharacterDevice,
            libc::S_IFBLK => Self::BlockDevice,
            libc::S_IFSOCK => Self::SocketStream,
            _ => Self::Unknown,
        }
    }

    /// From a directory entry of the host; `None` if the file system does not tell.
    pub(crate) fn from_dirent(kind: u8) -> Option<Self> {
        Some(match kind {
            libc::DT_UNKNOWN => return None,
            libc::DT_REG => Self::RegularFile,
            libc::DT_DIR => Self::Directory,
            libc::DT_LNK => Self::SymbolicLink,
            libc::DT_CHR => Self::CharacterDevice,
            libc::DT_BLK => Self::BlockDevice,
            libc::DT_SOCK => Self::SocketStream,
            _ => Self::Unknown,
        })
    }
}

/// `filestat`: the attributes of a file.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Filestat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) filetype: Filetype,
    pub(crate) nlink: u64,
    pub(crate) size: u64,
    pub(crate) atim: u64,
    pub(crate) mtim: u64,
    pub(crate) ctim: u64,
}

impl Filestat {
    /// Its layout in the guest's memory.
    pub(crate) fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..8].copy_from_slice(&self.dev.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ino.to_le_bytes());
        bytes[16] = self.filetype as u8;
        bytes[24..32].copy_from_slice(&self.nlink.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.size.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.atim.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.mtim.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.ctim.to_le_bytes());
        bytes
    }
}

/// A `timestamp` from seconds and nanoseconds. The interface has no time before 1970 and none after
/// 2554: those become its first and its last.
pub(crate) fn timestamp(seconds: i64, nanoseconds: u32) -> u64 {
    match u64::try_from(seconds) {
        Ok(seconds) => seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(nanoseconds)),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_errors_have_their_name() {
        for (host, errno) in [
            (libc::ENOENT, Errno::Noent),
            (libc::EWOULDBLOCK, Errno::Again),
            (libc::EOPNOTSUPP, Errno::Notsup),
            (libc::EXDEV, Errno::Xdev),
            (libc::EPIPE, Errno::Pipe),
            (123_456, Errno::Io),
        ] {
            assert_eq!(Errno::from_host(host), errno, "{host}");
        }
        assert_eq!(Errno::Notcapable as u16, 76);
        assert_eq!(Errno::TooBig.name(), "2big");
    }

    #[test]
    fn unknown_flags_are_refused() {
        assert_eq!(Oflags::from_arg(0b1000), Ok(Oflags::TRUNC));
        assert_eq!(Oflags::from_arg(0b1_0000), Err(Errno::Inval));
        assert_eq!(Oflags::from_arg(0x1_0000), Err(Errno::Inval));
        assert_eq!(Rights::all().bits(), 0x3fff_ffff);
    }

    #[test]
    fn flags_go_to_the_host_and_back() {
        let flags = Fdflags::APPEND | Fdflags::NONBLOCK;
        assert_eq!(Fdflags::from_host(flags.to_host()), flags);
        // The host's `O_SYNC` includes `O_DSYNC`, and on Linux it is also `O_RSYNC`.
        assert!(Fdflags::from_host(Fdflags::SYNC.to_host()).contains(Fdflags::SYNC));
        assert!(!Fdflags::from_host(Fdflags::DSYNC.to_host()).contains(Fdflags::SYNC));
    }

    #[test]
    fn times_outside_of_the_interface_are_clamped() {
        assert_eq!(timestamp(1, 2), 1_000_000_002);
        assert_eq!(timestamp(-1, 999_999_999), 0);
        assert_eq!(timestamp(i64::MAX, 0), u64::MAX);
    }
}
