//! The words of WASI preview1 (`typenames.witx`): error codes, rights, flags, file types.
//!
//! It knows the numbers of the interface, and nothing of descriptors, guest memory, hosts or the runtime.

mod errno;

pub use errno::Errno;

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

    /// The rights of a socket.
    pub(crate) const SOCKET: Self = Self::STREAM.union(Self::SOCK_SHUTDOWN);

    /// The rights of a socket that accepts connections.
    pub(crate) const LISTENER: Self = Self::SOCKET.union(Self::SOCK_ACCEPT);

    /// The rights that only sockets have.
    pub(crate) const SOCKETS: Self = Self::SOCK_SHUTDOWN.union(Self::SOCK_ACCEPT);

    /// The rights that only directories have.
    pub(crate) const PATHS: Self = Self::DIRECTORY.difference(Self::FILE);

    /// The two rights that choose how a file is opened.
    pub(crate) const READ_WRITE: Self = Self::FD_READ.union(Self::FD_WRITE);
}

flags! {
    /// `fdflags`: how an open file behaves.
    pub struct Fdflags: u16 {
        /// Writes go to the end of the file.
        APPEND = 0;
        /// Writes wait until the data is on its device.
        DSYNC = 1;
        /// What would block fails with `again`.
        NONBLOCK = 2;
        /// Reads wait as well.
        RSYNC = 3;
        /// Writes wait until data and attributes are on their device.
        SYNC = 4;
    }
}

flags! {
    /// `oflags`: how `path_open` opens.
    pub struct Oflags: u16 {
        /// Create the file if it does not exist.
        CREAT = 0;
        /// Fail if it is no directory.
        DIRECTORY = 1;
        /// Fail if it exists.
        EXCL = 2;
        /// Cut it to no bytes.
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

flags! {
    /// `riflags`: how to receive.
    pub struct Riflags: u16 {
        /// Leave what is received where it is.
        RECV_PEEK = 0;
        /// Wait until all buffers are full.
        RECV_WAITALL = 1;
    }
}

flags! {
    /// `roflags`: what else is known about what was received.
    pub struct Roflags: u16 {
        /// The datagram was longer than the buffers.
        RECV_DATA_TRUNCATED = 0;
    }
}

flags! {
    /// `sdflags`: which directions of a socket to end.
    pub struct Sdflags: u8 {
        /// Receiving.
        RD = 0;
        /// Sending.
        WR = 1;
    }
}

flags! {
    /// `fstflags`: which times to set, and to what.
    pub(crate) struct Fstflags: u16 {
        ATIM = 0;
        ATIM_NOW = 1;
        MTIM = 2;
        MTIM_NOW = 3;
    }
}

/// `filetype`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Filetype {
    /// Something else, such as a pipe.
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device, such as a terminal.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A socket of datagrams.
    SocketDgram = 5,
    /// A socket of streams.
    SocketStream = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

impl Filetype {
    /// Is it a socket?
    pub(crate) fn is_socket(self) -> bool {
        matches!(self, Self::SocketDgram | Self::SocketStream)
    }
}

/// `whence`: from where an offset counts.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Whence {
    /// From the start of the file.
    Set = 0,
    /// From the present offset.
    Cur = 1,
    /// From the end of the file.
    End = 2,
}

impl Whence {
    /// From an argument of the interface.
    pub(crate) fn from_arg(arg: u32) -> Result<Self, Errno> {
        Ok(match arg {
            0 => Self::Set,
            1 => Self::Cur,
            2 => Self::End,
            _ => return Err(Errno::Inval),
        })
    }
}

/// `advice`: how a file will be used.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Advice {
    /// In no special way.
    Normal = 0,
    /// From low offsets to high ones.
    Sequential = 1,
    /// In no order.
    Random = 2,
    /// Soon.
    Willneed = 3,
    /// Not soon.
    Dontneed = 4,
    /// Once.
    Noreuse = 5,
}

impl Advice {
    /// From an argument of the interface.
    pub(crate) fn from_arg(arg: u32) -> Result<Self, Errno> {
        Ok(match arg {
            0 => Self::Normal,
            1 => Self::Sequential,
            2 => Self::Random,
            3 => Self::Willneed,
            4 => Self::Dontneed,
            5 => Self::Noreuse,
            _ => return Err(Errno::Inval),
        })
    }
}

/// A time to be set.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The present time.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

/// The times of a file to be set; `None` leaves one as it is.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it was last read.
    pub atim: Option<SetTime>,
    /// When it was last written.
    pub mtim: Option<SetTime>,
}

impl Times {
    /// From arguments of the interface.
    pub(crate) fn from_args(atim: u64, mtim: u64, flags: u32) -> Result<Self, Errno> {
        let flags = Fstflags::from_arg(flags)?;
        let time = |time, set, now| match (flags.contains(set), flags.contains(now)) {
            (true, true) => Err(Errno::Inval),
            (true, false) => Ok(Some(SetTime::At(time))),
            (false, true) => Ok(Some(SetTime::Now)),
            (false, false) => Ok(None),
        };
        Ok(Self {
            atim: time(atim, Fstflags::ATIM, Fstflags::ATIM_NOW)?,
            mtim: time(mtim, Fstflags::MTIM, Fstflags::MTIM_NOW)?,
        })
    }
}

/// `filestat`: the attributes of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Filestat {
    /// The device or tree that it is on.
    pub dev: u64,
    /// Its number there.
    pub ino: u64,
    /// Its type.
    pub filetype: Filetype,
    /// How many names it has.
    pub nlink: u64,
    /// Its bytes; of a symbolic link, those of its target's path.
    pub size: u64,
    /// When it was last read, in nanoseconds since 1970.
    pub atim: u64,
    /// When it was last written.
    pub mtim: u64,
    /// When its attributes last changed.
    pub ctim: u64,
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
#[cfg(any(test, all(unix, feature = "std")))]
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
    fn unknown_flags_are_refused() {
        assert_eq!(Oflags::from_arg(0b1000), Ok(Oflags::TRUNC));
        assert_eq!(Oflags::from_arg(0b1_0000), Err(Errno::Inval));
        assert_eq!(Oflags::from_arg(0x1_0000), Err(Errno::Inval));
        assert_eq!(Rights::all().bits(), 0x3fff_ffff);
    }

    #[test]
    fn times_outside_of_the_interface_are_clamped() {
        assert_eq!(timestamp(1, 2), 1_000_000_002);
        assert_eq!(timestamp(-1, 999_999_999), 0);
        assert_eq!(timestamp(i64::MAX, 0), u64::MAX);
    }
}
