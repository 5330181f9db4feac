//! The calls: which functions there are, what they take, and how they come to the guest's memory.

use std::fmt;

use crate::case::errno;

/// Bytes of the guest's memory.
pub(crate) const MEMORY: usize = 0x1_0000;

/// Where arguments are put and results are expected. All are aligned, which the oracle asks for.
const PATHS: [u32; 2] = [0x0100, 0x1800];
const VECTORS: u32 = 0x3000;
pub(crate) const DATA: u32 = 0x4000;
pub(crate) const OUT: u32 = 0x9000;
const OUT2: u32 = 0x9100;
pub(crate) const SUBSCRIPTIONS: u32 = 0xa000;
pub(crate) const SUBSCRIPTIONS_END: u32 = 0xb000;
pub(crate) const EVENTS: u32 = 0xb000;

/// What a function takes, parameter by parameter; some are two of WebAssembly's parameters, or three.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any descriptor.
    Fd,
    /// A descriptor, mostly of a directory.
    Dir,
    /// A descriptor, mostly not of a directory.
    File,
    /// A path: its address and length.
    Path,
    /// A list of vectors: its address and length.
    Vectors,
    /// A buffer: its address and length.
    Buffer,
    /// The address for a result.
    Out(u32),
    /// A set of so many flags.
    Flags(u8),
    /// `fdflags`: as five flags, but seldom those that the oracle does not know.
    Fdflags,
    /// One of so many choices.
    Choice(u8),
    /// `rights`.
    Rights,
    /// Those of a descriptor's rights that are in here.
    Fewer,
    /// An offset or length in a file.
    Size,
    /// An offset with a sign.
    Delta,
    /// A `timestamp`.
    Time,
    /// The start of a listing.
    Cookie,
    /// What to wait for: the addresses of subscriptions and events, and their number.
    Subscriptions,
}

impl Kind {
    /// The types of its WebAssembly parameters.
    pub(crate) fn types(self) -> &'static [&'static str] {
        match self {
            Self::Path | Self::Vectors | Self::Buffer => &["i32", "i32"],
            Self::Rights | Self::Fewer | Self::Size | Self::Delta | Self::Time | Self::Cookie => {
                &["i64"]
            }
            Self::Subscriptions => &["i32", "i32", "i32"],
            _ => &["i32"],
        }
    }
}

/// A function of the interface.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// How often it is called, relative to others.
    pub(crate) weight: u32,
    pub(crate) params: &'static [(&'static str, Kind)],
}

macro_rules! functions {
    ($($name:ident $weight:literal ($($param:ident: $kind:expr),*);)*) => {
        /// The functions that are compared. Not among them: `proc_exit` and `proc_raise`, after which
        /// there is nothing to compare.
        pub(crate) const FUNCTIONS: &[Function] = {
            use Kind::*;
            &[$(Function {
                name: stringify!($name),
                weight: $weight,
                params: &[$((stringify!($param), $kind)),*],
            }),*]
        };
    };
}

functions! {
    args_get 1 (argv: Out(OUT), argv_buf: Out(DATA));
    args_sizes_get 1 (argc: Out(OUT), argv_buf_size: Out(OUT2));
    clock_res_get 1 (id: Choice(4), resolution: Out(OUT));
    clock_time_get 1 (id: Choice(4), precision: Size, time: Out(OUT));
    environ_get 1 (environ: Out(OUT), environ_buf: Out(DATA));
    environ_sizes_get 1 (environc: Out(OUT), environ_buf_size: Out(OUT2));
    fd_advise 3 (fd: File, offset: Size, len: Size, advice: Choice(6));
    fd_allocate 2 (fd: File, offset: Size, len: Size);
    fd_close 4 (fd: File);
    fd_datasync 1 (fd: Fd);
    fd_fdstat_get 4 (fd: Fd, fdstat: Out(OUT));
    fd_fdstat_set_flags 4 (fd: File, flags: Fdflags);
    fd_fdstat_set_rights 2 (fd: Fd, fs_rights_base: Fewer, fs_rights_inheriting: Fewer);
    fd_filestat_get 6 (fd: Fd, filestat: Out(OUT));
    fd_filestat_set_size 4 (fd: File, size: Size);
    fd_filestat_set_times 4 (fd: Fd, atim: Time, mtim: Time, fst_flags: Flags(4));
    fd_pread 6 (fd: File, iovs: Vectors, offset: Size, nread: Out(OUT));
    fd_prestat_get 2 (fd: Dir, prestat: Out(OUT));
    fd_prestat_dir_name 2 (fd: Dir, path: Buffer);
    fd_pwrite 6 (fd: File, iovs: Vectors, offset: Size, nwritten: Out(OUT));
    fd_read 8 (fd: File, iovs: Vectors, nread: Out(OUT));
    fd_readdir 6 (fd: Dir, buf: Buffer, cookie: Cookie, bufused: Out(OUT));
    fd_renumber 3 (fd: File, to: File);
    fd_seek 6 (fd: File, offset: Delta, whence: Choice(3), newoffset: Out(OUT));
    fd_sync 1 (fd: Fd);
    fd_tell 3 (fd: File, offset: Out(OUT));
    fd_write 8 (fd: File, iovs: Vectors, nwritten: Out(OUT));
    path_create_directory 10 (fd: Dir, path: Path);
    path_filestat_get 12 (fd: Dir, flags: Flags(1), path: Path, filestat: Out(OUT));
    path_filestat_set_times 8 (
        fd: Dir, flags: Flags(1), path: Path, atim: Time, mtim: Time, fst_flags: Flags(4)
    );
    path_link 10 (old_fd: Dir, old_flags: Flags(1), old_path: Path, new_fd: Dir, new_path: Path);
    path_open 40 (
        fd: Dir, dirflags: Flags(1), path: Path, oflags: Flags(4), fs_rights_base: Rights,
        fs_rights_inheriting: Rights, fdflags: Fdflags, opened_fd: Out(OUT)
    );
    path_readlink 8 (fd: Dir, path: Path, buf: Buffer, bufused: Out(OUT));
    path_remove_directory 8 (fd: Dir, path: Path);
    path_rename 12 (fd: Dir, old_path: Path, new_fd: Dir, new_path: Path);
    path_symlink 10 (old_path: Path, fd: Dir, new_path: Path);
    path_unlink_file 8 (fd: Dir, path: Path);
    poll_oneoff 3 (subscriptions: Subscriptions, nevents: Out(OUT));
    random_get 1 (buf: Buffer);
    sched_yield 1 ();
    sock_accept 1 (fd: Fd, flags: Fdflags, accepted_fd: Out(OUT));
    sock_recv 1 (
        fd: Fd, ri_data: Vectors, ri_flags: Flags(2), ro_datalen: Out(OUT), ro_flags: Out(OUT2)
    );
    sock_send 1 (fd: Fd, si_data: Vectors, si_flags: Flags(0), so_datalen: Out(OUT));
    sock_shutdown 1 (fd: Fd, how: Flags(2));
}

/// Which descriptor a call is about.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fd {
    /// One of those that are open.
    Any(u8),
    /// One of the directories.
    Dir(u8),
    /// One of the others.
    File(u8),
    /// A number that is not open.
    Bad(u32),
}

/// What to wait for.
#[derive(Clone, Debug)]
pub(crate) enum Subscription {
    Clock {
        id: u32,
        timeout: u64,
        flags: u16,
    },
    Read(Fd),
    Write(Fd),
    /// A tag that does not exist.
    Unknown(u8),
}

/// An argument.
#[derive(Clone, PartialEq)]
pub(crate) enum Arg {
    Fd(Fd),
    Path(Vec<u8>),
    Vectors(Vec<(u32, u32)>),
    /// An address and a length that nobody has prepared.
    Range(u32, u32),
    Number(u64),
    Subscriptions(Vec<Subscription>),
}

impl PartialEq for Subscription {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl fmt::Debug for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fd(fd) => write!(f, "{fd:?}"),
            Self::Path(path) if path.len() > 300 => write!(
                f,
                "\"{}...\" ({} bytes)",
                path[..40].escape_ascii(),
                path.len()
            ),
            Self::Path(path) => write!(f, "\"{}\"", path.escape_ascii()),
            Self::Vectors(vectors) => write!(f, "{vectors:x?}"),
            Self::Range(address, len) => write!(f, "{address:#x}+{len}"),
            Self::Number(number) if *number > 0xffff => write!(f, "{number:#x}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Subscriptions(list) => write!(f, "{list:?}"),
        }
    }
}

/// A call.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) function: &'static Function,
    pub(crate) args: Vec<Arg>,
}

impl Call {
    fn arg(&self, name: &str) -> Option<&Arg> {
        let index = self
            .function
            .params
            .iter()
            .position(|param| param.0 == name)?;
        self.args.get(index)
    }

    /// An argument that is a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        match self.arg(name) {
            Some(Arg::Number(number)) => *number,
            _ => 0,
        }
    }

    /// Is the function one on sockets?
    pub(crate) fn is_socket_function(&self) -> bool {
        self.function.name.starts_with("sock_")
    }

    /// Is the function about what is in a file?
    pub(crate) fn is_about_content(&self) -> bool {
        let functions = [
            "fd_advise",
            "fd_allocate",
            "fd_filestat_set_size",
            "fd_pread",
            "fd_pwrite",
            "fd_read",
            "fd_seek",
            "fd_tell",
            "fd_write",
        ];
        functions.contains(&self.function.name)
    }

    /// Is a path given as a place in the memory with no bytes?
    pub(crate) fn has_empty_range(&self) -> bool {
        let params = self.function.params.iter().zip(&self.args);
        params
            .into_iter()
            .any(|((_, kind), arg)| *kind == Kind::Path && matches!(arg, Arg::Range(_, 0)))
    }

    /// An argument that is a path.
    pub(crate) fn path(&self, name: &str) -> &[u8] {
        match self.arg(name) {
            Some(Arg::Path(path)) => path,
            _ => b"",
        }
    }

    /// All arguments that are paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.args.iter().filter_map(|arg| match arg {
            Arg::Path(path) => Some(path.as_slice()),
            _ => None,
        })
    }

    /// The address and length of a buffer.
    pub(crate) fn range(&self, name: &str) -> (u32, u32) {
        match self.arg(name) {
            Some(Arg::Range(address, len)) => (*address, *len),
            _ => (0, 0),
        }
    }

    /// Has an argument bits or a value that the interface does not know? Which?
    pub(crate) fn unknown(&self) -> Option<Kind> {
        let params = self.function.params.iter().zip(&self.args);
        params.into_iter().find_map(|((_, kind), arg)| {
            let Arg::Number(number) = arg else {
                return None;
            };
            let limit = match kind {
                Kind::Flags(count) => 1 << count,
                Kind::Fdflags => 1 << 5,
                Kind::Choice(count) => u64::from(*count),
                Kind::Rights => 1 << 30,
                _ => return None,
            };
            (*number >= limit).then_some(*kind)
        })
    }

    /// The length of a list of vectors.
    pub(crate) fn count(&self) -> u32 {
        let params = self.function.params.iter().zip(&self.args);
        params
            .into_iter()
            .fold(0, |count, ((_, kind), arg)| match (kind, arg) {
                (Kind::Vectors, Arg::Range(_, len)) => *len,
                _ => count,
            })
    }

    /// The errors of what is to be waited for.
    pub(crate) fn wrong_subscriptions(&self) -> Vec<u16> {
        let Some(Arg::Subscriptions(list)) = self.arg("subscriptions") else {
            return Vec::new();
        };
        list.iter().filter_map(Subscription::wrong).collect()
    }

    /// The ranges of memory that the call speaks of: of its results, its buffers and its lists.
    pub(crate) fn ranges(&self) -> Vec<(u32, u32)> {
        let mut ranges = Vec::new();
        for ((name, kind), arg) in self.function.params.iter().zip(&self.args) {
            match (kind, arg) {
                (Kind::Out(_), Arg::Number(address)) => {
                    ranges.push((*address as u32, self.out_len(name)));
                }
                (Kind::Vectors, Arg::Range(address, count)) => {
                    ranges.push((*address, count.saturating_mul(8)));
                }
                (_, Arg::Range(address, len)) => ranges.push((*address, *len)),
                (_, Arg::Vectors(vectors)) => ranges.extend(vectors),
                _ => {}
            }
        }
        ranges
    }

    /// Bytes of a result.
    fn out_len(&self, name: &str) -> u32 {
        match (self.function.name, name) {
            ("args_get" | "environ_get", "argv" | "environ") => 12,
            ("args_get" | "environ_get", _) => 17,
            ("sock_recv", "ro_flags") => 2,
            (_, "fdstat") => 24,
            (_, "filestat") => 64,
            (_, "offset" | "newoffset" | "prestat" | "resolution" | "time") => 8,
            _ => 4,
        }
    }

    /// The arguments that are descriptors.
    pub(crate) fn fds(&self) -> impl Iterator<Item = Fd> {
        self.args.iter().filter_map(|arg| match arg {
            Arg::Fd(fd) => Some(*fd),
            _ => None,
        })
    }

    /// The call as WebAssembly's arguments. What they point to is put into the memory. `number` finds
    /// a descriptor's number.
    pub(crate) fn lower(&self, memory: &mut [u8], number: impl Fn(Fd) -> u32) -> Vec<u64> {
        let mut lowered = Vec::new();
        let mut paths = PATHS.into_iter();
        for ((_, kind), arg) in self.function.params.iter().zip(&self.args) {
            match arg {
                Arg::Fd(fd) => lowered.push(number(*fd).into()),
                Arg::Path(path) => {
                    let address = paths.next().unwrap_or(DATA);
                    put(memory, address, path);
                    lowered.extend([address.into(), path.len() as u64]);
                }
                Arg::Vectors(vectors) => {
                    for (index, (address, len)) in vectors.iter().enumerate() {
                        let at = VECTORS + index as u32 * 8;
                        put(memory, at, &address.to_le_bytes());
                        put(memory, at + 4, &len.to_le_bytes());
                    }
                    lowered.extend([VECTORS.into(), vectors.len() as u64]);
                }
                Arg::Range(address, len) => lowered.extend([*address, *len].map(u64::from)),
                Arg::Number(number) => lowered.push(*number),
                Arg::Subscriptions(list) => {
                    for (index, subscription) in list.iter().enumerate() {
                        let at = SUBSCRIPTIONS + index as u32 * 48;
                        put(memory, at, &subscription.lower(index as u64, &number));
                    }
                    let events = [SUBSCRIPTIONS, EVENTS, list.len() as u32];
                    lowered.extend(events.map(u64::from));
                }
            }
            debug_assert!(kind.types().len() <= 3);
        }
        lowered
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        for (index, ((name, _), arg)) in self.function.params.iter().zip(&self.args).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}: {arg:?}")?;
        }
        write!(f, ")")
    }
}

impl Subscription {
    fn wrong(&self) -> Option<u16> {
        match self {
            Self::Unknown(_) => Some(errno::INVAL),
            Self::Clock { id, flags, .. } if *id > 1 || *flags > 1 => Some(errno::INVAL),
            Self::Clock {
                id: 0, flags: 1, ..
            } => Some(errno::NOTSUP),
            Self::Read(Fd::Bad(_)) | Self::Write(Fd::Bad(_)) => Some(errno::BADF),
            _ => None,
        }
    }

    fn lower(&self, userdata: u64, number: impl Fn(Fd) -> u32) -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes[0..8].copy_from_slice(&(userdata + 100).to_le_bytes());
        match self {
            Self::Clock { id, timeout, flags } => {
                bytes[16..20].copy_from_slice(&id.to_le_bytes());
                bytes[24..32].copy_from_slice(&timeout.to_le_bytes());
                bytes[40..42].copy_from_slice(&flags.to_le_bytes());
            }
            Self::Read(fd) | Self::Write(fd) => {
                bytes[8] = if matches!(self, Self::Read(_)) { 1 } else { 2 };
                bytes[16..20].copy_from_slice(&number(*fd).to_le_bytes());
            }
            Self::Unknown(tag) => bytes[8] = *tag,
        }
        bytes
    }
}

fn put(memory: &mut [u8], address: u32, bytes: &[u8]) {
    let address = address as usize;
    memory[address..address + bytes.len()].copy_from_slice(bytes);
}
