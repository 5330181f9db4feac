//! What WASI needs of the world, as traits: a clock, randomness, files, directories, sockets.
//!
//! [`Platform`] is what a guest has one of; [`File`] and [`Dir`] are what its descriptors refer to. On Unix
//! all three exist already ([`unix`]). [`memory`] is a tree of files in memory and [`romfs`] one in a
//! read-only image; both work without an operating system. An embedder may implement more.
//!
//! What these traits are asked has been checked: rights, permissions and limits are WASI's own matter. A
//! directory is asked for paths, and must not let one lead out of it.

use alloc::boxed::Box;
use core::{any::Any, task::Waker};

pub use crate::{
    buffers::{ReadBuffers, WriteBuffers},
    types::{
        Advice, Errno, Fdflags, Filestat, Filetype, Oflags, Riflags, Roflags, Sdflags, SetTime,
        Times, Whence,
    },
};

pub mod memory;
pub mod null;
pub mod romfs;
#[cfg(all(test, unix, feature = "std"))]
mod suite;
#[cfg(all(unix, feature = "std"))]
pub mod unix;

/// The clocks of a platform.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time of day, since 1970.
    Realtime,
    /// A clock that never goes back.
    Monotonic,
    /// The same without corrections of its speed by the network's time.
    MonotonicRaw,
    /// The processor time of the process.
    ProcessCputime,
    /// The processor time of the thread.
    ThreadCputime,
}

/// Clocks, randomness, and waiting.
pub trait Platform: Send + Sync {
    /// The time of a clock in nanoseconds.
    ///
    /// # Errors
    /// `notsup` if there is no such clock.
    fn now(&self, clock: Clock) -> Result<u64, Errno>;

    /// The least time that a clock can tell, in nanoseconds; not 0.
    ///
    /// # Errors
    /// As [`now`](Self::now).
    fn resolution(&self, clock: Clock) -> Result<u64, Errno>;

    /// Fills the buffer with bytes that nobody can foresee.
    ///
    /// # Errors
    /// If there are none to be had.
    fn random(&self, buffer: &mut [u8]) -> Result<(), Errno>;

    /// Lets others run.
    fn yield_now(&self) {
        core::hint::spin_loop();
    }

    /// Waits until one of `sources` is ready, `timeout` nanoseconds have passed (`None` is for ever), or the
    /// [waker](Self::waker) was woken, also before. Marks the sources that are ready. May return early: the
    /// caller looks and waits again.
    ///
    /// # Errors
    /// If it cannot wait for these.
    fn wait(&self, sources: &mut [Source], timeout: Option<u64>) -> Result<(), Errno>;

    /// What ends a [`wait`](Self::wait) from another thread. Without one, a wait is cut into short pieces
    /// where it must be possible to interrupt it.
    fn waker(&self) -> Option<Waker> {
        None
    }
}

/// What is waited for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// There is something to read, or to accept.
    Read,
    /// There is room to write.
    Write,
}

/// Something to wait for, with what has happened to it.
#[derive(Copy, Clone, Debug)]
pub struct Source {
    /// What it is, in the platform's own numbers: on Unix, a descriptor.
    pub handle: i32,
    /// For what of it.
    pub interest: Interest,
    /// It is ready.
    pub ready: bool,
    /// It is ready, because its other end has gone.
    pub hangup: bool,
    /// It is ready, because the platform does not know it.
    pub invalid: bool,
}

impl Source {
    /// Something to wait for.
    pub fn new(handle: i32, interest: Interest) -> Self {
        Self {
            handle,
            interest,
            ready: false,
            hangup: false,
            invalid: false,
        }
    }
}

/// Whether a file can be read or written at once.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can, or it fails at once. Files in a file system always are.
    Ready,
    /// Nobody knows: ask [`Platform::wait`] about this handle.
    Ask(i32),
    /// Not before this time of [`Clock::Monotonic`], which is to come. When it has come, or when the handle
    /// is ready, if there is one, ask again.
    NotBefore(u64, Option<i32>),
}

/// Must a call come back at once?
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// It may take as long as it takes.
    Allowed,
    /// It must not: what would block is [`Errno::Again`].
    Forbidden,
}

/// What was opened.
pub enum Opened {
    /// A file, or anything that is not a directory.
    File(Box<dyn File>),
    /// A directory.
    Dir(Box<dyn Dir>),
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File(..)",
            Self::Dir(_) => "Dir(..)",
        })
    }
}

/// How to open.
#[derive(Copy, Clone, Debug, Default)]
pub struct OpenOptions {
    /// Follow a symbolic link at the end of the path.
    pub follow: bool,
    /// Create, cut, and what must hold.
    pub oflags: Oflags,
    /// How the open file behaves.
    pub fdflags: Fdflags,
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
}

/// An open file, pipe, terminal or socket. What it does not implement it answers as Unix would.
pub trait File: Send + Sync {
    /// Its attributes.
    ///
    /// # Errors
    /// The platform's.
    fn filestat(&self) -> Result<Filestat, Errno>;

    /// Its type, which does not change.
    ///
    /// # Errors
    /// The platform's.
    fn filetype(&self) -> Result<Filetype, Errno> {
        Ok(self.filestat()?.filetype)
    }

    /// Has it an offset that can be moved?
    fn is_seekable(&self) -> bool {
        false
    }

    /// Is it a socket that accepts connections?
    fn is_listener(&self) -> bool {
        false
    }

    /// Reads from its offset on. 0 is its end.
    ///
    /// # Errors
    /// The platform's.
    fn read(&self, buffers: &mut ReadBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        let _ = (buffers, blocking);
        Err(Errno::Badf)
    }

    /// Writes at its offset, or at its end if it was opened so.
    ///
    /// # Errors
    /// The platform's.
    fn write(&self, buffers: &mut WriteBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        let _ = (buffers, blocking);
        Err(Errno::Badf)
    }

    /// Reads from an offset, and leaves its own as it is.
    ///
    /// # Errors
    /// `spipe` if it has no offset.
    fn pread(
        &self,
        buffers: &mut ReadBuffers<'_>,
        offset: u64,
        blocking: Blocking,
    ) -> Result<usize, Errno> {
        let _ = (buffers, offset, blocking);
        Err(Errno::Spipe)
    }

    /// Writes at an offset, and leaves its own as it is. If it was opened to append, at its end.
    ///
    /// # Errors
    /// `spipe` if it has no offset.
    fn pwrite(
        &self,
        buffers: &mut WriteBuffers<'_>,
        offset: u64,
        blocking: Blocking,
    ) -> Result<usize, Errno> {
        let _ = (buffers, offset, blocking);
        Err(Errno::Spipe)
    }

    /// Moves its offset, and tells the new one.
    ///
    /// # Errors
    /// `spipe` if it has none, `inval` if the new one would be negative.
    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let _ = (offset, whence);
        Err(Errno::Spipe)
    }

    /// Can it be read or written at once?
    fn readiness(&self, interest: Interest) -> Readiness {
        let _ = interest;
        Readiness::Ready
    }

    /// How many bytes can be read at once, as far as is known.
    fn available(&self) -> u64 {
        0
    }

    /// Changes `append`; the other flags are kept by WASI itself.
    ///
    /// # Errors
    /// `notsup` if it cannot be changed.
    fn set_append(&self, append: bool) -> Result<(), Errno> {
        let _ = append;
        Err(Errno::Notsup)
    }

    /// Waits until its data is on its device, and its attributes unless `data_only`.
    ///
    /// # Errors
    /// The platform's.
    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        let _ = data_only;
        Ok(())
    }

    /// Is told how a range of it will be used.
    ///
    /// # Errors
    /// The platform's.
    fn advise(&self, offset: u64, len: u64, advice: Advice) -> Result<(), Errno> {
        let _ = (offset, len, advice);
        Ok(())
    }

    /// Reserves space for a range of it, and makes it longer if need be.
    ///
    /// # Errors
    /// `notsup` if it cannot.
    fn allocate(&self, offset: u64, len: u64) -> Result<(), Errno> {
        let _ = (offset, len);
        Err(Errno::Notsup)
    }

    /// Makes it as long as this.
    ///
    /// # Errors
    /// `inval` if it cannot.
    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let _ = size;
        Err(Errno::Inval)
    }

    /// Sets its times.
    ///
    /// # Errors
    /// `notsup` if it has none.
    fn set_times(&self, times: Times) -> Result<(), Errno> {
        let _ = times;
        Err(Errno::Notsup)
    }

    /// Accepts a connection.
    ///
    /// # Errors
    /// `notsock` if it is none.
    fn accept(&self, blocking: Blocking) -> Result<Box<dyn File>, Errno> {
        let _ = blocking;
        Err(Errno::Notsock)
    }

    /// Receives.
    ///
    /// # Errors
    /// `notsock` if it is none.
    fn recv(
        &self,
        buffers: &mut ReadBuffers<'_>,
        flags: Riflags,
        blocking: Blocking,
    ) -> Result<(usize, Roflags), Errno> {
        let _ = (buffers, flags, blocking);
        Err(Errno::Notsock)
    }

    /// Sends.
    ///
    /// # Errors
    /// `notsock` if it is none.
    fn send(&self, buffers: &mut WriteBuffers<'_>, blocking: Blocking) -> Result<usize, Errno> {
        let _ = (buffers, blocking);
        Err(Errno::Notsock)
    }

    /// Ends one or both directions.
    ///
    /// # Errors
    /// `notsock` if it is none.
    fn shutdown(&self, how: Sdflags) -> Result<(), Errno> {
        let _ = how;
        Err(Errno::Notsock)
    }

    /// Closes it, and tells if something written was lost.
    ///
    /// # Errors
    /// The platform's. It is closed all the same.
    fn close(self: Box<Self>) -> Result<(), Errno> {
        Ok(())
    }
}

/// An entry of a directory.
#[derive(Copy, Clone, Debug)]
pub struct Entry<'a> {
    /// The cookie with which a listing goes on after this entry; not 0.
    pub next: u64,
    /// The number of what it names.
    pub ino: u64,
    /// The type of what it names.
    pub filetype: Filetype,
    /// Its name.
    pub name: &'a [u8],
}

/// An open directory, and the root of all paths that are resolved in it.
///
/// A path is relative, not empty and has no NUL; it may have `.`, `..`, several slashes in a row and at its
/// end. Symbolic links within it are followed. If it leads out, at whatever point, the answer is
/// [`Errno::Perm`].
pub trait Dir: Send + Sync {
    /// For [`rename`](Self::rename) and [`link`](Self::link), whose two directories must be of one kind.
    fn as_any(&self) -> &dyn Any;

    /// Its attributes.
    ///
    /// # Errors
    /// The platform's.
    fn filestat(&self) -> Result<Filestat, Errno>;

    /// Sets its times.
    ///
    /// # Errors
    /// The platform's.
    fn set_times(&self, times: Times) -> Result<(), Errno>;

    /// Waits until it is on its device.
    ///
    /// # Errors
    /// The platform's.
    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        let _ = data_only;
        Ok(())
    }

    /// Opens a file or directory.
    ///
    /// # Errors
    /// The platform's.
    fn open(&self, path: &[u8], options: OpenOptions) -> Result<Opened, Errno>;

    /// The attributes of what is at a path.
    ///
    /// # Errors
    /// The platform's.
    fn filestat_at(&self, path: &[u8], follow: bool) -> Result<Filestat, Errno>;

    /// Sets the times of what is at a path.
    ///
    /// # Errors
    /// The platform's.
    fn set_times_at(&self, path: &[u8], follow: bool, times: Times) -> Result<(), Errno>;

    /// Creates a directory.
    ///
    /// # Errors
    /// The platform's.
    fn create_dir(&self, path: &[u8]) -> Result<(), Errno>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// The platform's.
    fn remove_dir(&self, path: &[u8]) -> Result<(), Errno>;

    /// Removes a name of a file.
    ///
    /// # Errors
    /// The platform's; `isdir` for a directory.
    fn unlink(&self, path: &[u8]) -> Result<(), Errno>;

    /// Renames.
    ///
    /// # Errors
    /// The platform's; `xdev` if the other directory is of another kind.
    fn rename(&self, old: &[u8], new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno>;

    /// Gives a file another name.
    ///
    /// # Errors
    /// The platform's; `xdev` if the other directory is of another kind.
    fn link(&self, old: &[u8], follow: bool, new_dir: &dyn Dir, new: &[u8]) -> Result<(), Errno>;

    /// Creates a symbolic link. The target is kept as it is.
    ///
    /// # Errors
    /// The platform's.
    fn symlink(&self, target: &[u8], path: &[u8]) -> Result<(), Errno>;

    /// Reads a symbolic link's target into the buffer, as much as fits, and tells how much that is.
    ///
    /// # Errors
    /// The platform's; `inval` if it is no link.
    fn readlink(&self, path: &[u8], buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Hands entries to `each` until it answers `false`: from the first one if `cookie` is 0, else after the
    /// entry that had it as [`Entry::next`]. About `room` bytes of entries will be used.
    ///
    /// # Errors
    /// The platform's.
    fn list(
        &self,
        cookie: u64,
        room: usize,
        each: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Result<(), Errno>;
}
