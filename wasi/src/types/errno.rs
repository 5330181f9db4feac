//! Error codes (`errno`), with the host's codes that they stand for.

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
            #[cfg(all(unix, feature = "std"))]
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

#[cfg(all(unix, feature = "std"))]
impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        error.raw_os_error().map_or(Self::Io, Self::from_host)
    }
}

#[cfg(all(test, unix, feature = "std"))]
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
}
