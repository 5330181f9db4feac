//! The state of one guest, and the builder that says what it is granted.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use teff_runtime::{Error, Result};

use crate::{
    fd::{Descriptor, Dir, Fds, File},
    path::Method,
    proc::Strings,
    sys,
    types::{DirPerms, Errno, Fdflags, FilePerms, Rights},
};

/// What one guest sees of the world: its arguments and environment and its open descriptors.
///
/// Made by a [`WasiCtxBuilder`] and kept in the store's data, where
/// [`add_to_linker`](crate::add_to_linker) finds it.
pub struct WasiCtx {
    pub(crate) args: Strings,
    pub(crate) env: Strings,
    pub(crate) fds: Fds,
    /// Who resolves paths. It is kept here so that tests can choose.
    pub(crate) method: Method,
}

/// A store with this data may move to another thread.
const _: fn() = || {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<WasiCtx>();
};

impl core::fmt::Debug for WasiCtx {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasiCtx").finish_non_exhaustive()
    }
}

/// Builds a [`WasiCtx`].
///
/// A guest gets nothing that is not granted here: without a grant it has no arguments, no environment and
/// no directory, its standard input is at its end, and what it writes to its standard output and error is
/// lost. Clocks and random numbers it always has.
///
/// ```
/// # fn main() -> teff_runtime::Result<()> {
/// use teff_wasi::{DirPerms, FilePerms, WasiCtxBuilder};
///
/// let ctx = WasiCtxBuilder::new()
///     .arg("guest")
///     .env("HOME", "/")
///     .inherit_stdio()
///     .preopened_dir(".", "/", DirPerms::READ, FilePerms::READ)?
///     .build();
/// # drop(ctx);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct WasiCtxBuilder {
    args: Strings,
    env: Strings,
    stdio: [Option<OwnedFd>; 3],
    preopens: Vec<Dir>,
}

impl core::fmt::Debug for WasiCtxBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasiCtxBuilder").finish_non_exhaustive()
    }
}

impl WasiCtxBuilder {
    /// Nothing granted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument. The first is the program's name.
    ///
    /// The guest gets it with a NUL after it, so one with a NUL inside looks shorter to most guests.
    pub fn arg(&mut self, arg: impl AsRef<[u8]>) -> &mut Self {
        self.args.push(&[arg.as_ref()]);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: &[impl AsRef<[u8]>]) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Adds a variable to the environment.
    pub fn env(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        self.env.push(&[name.as_ref(), b"=", value.as_ref()]);
        self
    }

    /// Adds variables to the environment.
    pub fn envs(&mut self, env: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> &mut Self {
        for (name, value) in env {
            self.env(name, value);
        }
        self
    }

    /// Lets the guest use this process's standard input, output and error.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Lets the guest read this process's standard input.
    ///
    /// The guest reads the host's descriptor itself: what this process has already read into a buffer is
    /// not seen. A standard stream that this process has closed counts as not granted.
    pub fn inherit_stdin(&mut self) -> &mut Self {
        self.inherit(0, io::stdin().as_fd())
    }

    /// Lets the guest write to this process's standard output, past the buffer of [`io::stdout`].
    pub fn inherit_stdout(&mut self) -> &mut Self {
        self.inherit(1, io::stdout().as_fd())
    }

    /// Lets the guest write to this process's standard error.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        self.inherit(2, io::stderr().as_fd())
    }

    fn inherit(&mut self, number: usize, fd: BorrowedFd<'_>) -> &mut Self {
        self.stdio[number] = fd.try_clone_to_owned().ok();
        self
    }

    /// Gives the guest this as its standard input: a file, a pipe's end, a socket.
    pub fn stdin(&mut self, fd: impl Into<OwnedFd>) -> &mut Self {
        self.stdio[0] = Some(fd.into());
        self
    }

    /// Gives the guest this as its standard output.
    pub fn stdout(&mut self, fd: impl Into<OwnedFd>) -> &mut Self {
        self.stdio[1] = Some(fd.into());
        self
    }

    /// Gives the guest this as its standard error.
    pub fn stderr(&mut self, fd: impl Into<OwnedFd>) -> &mut Self {
        self.stdio[2] = Some(fd.into());
        self
    }

    /// Gives the guest a directory of the host, which it sees as `guest_path`, and all beneath it.
    ///
    /// What the guest may do with directories and files there is limited by `dir_perms` and `file_perms`
    /// and by the host's own permissions.
    ///
    /// # Errors
    /// If the host cannot open the directory.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<[u8]>,
        dir_perms: DirPerms,
        file_perms: FilePerms,
    ) -> Result<&mut Self> {
        let host_path = host_path.as_ref();
        let fd = open_dir(host_path).map_err(|error| {
            let host = host_path.display();
            let guest = String::from_utf8_lossy(guest_path.as_ref()).into_owned();
            Error::from(error).context(format!(
                "cannot open directory `{host}` (for the guest's `{guest}`)"
            ))
        })?;
        self.preopens.push(Dir {
            fd,
            perms: dir_perms,
            file_perms,
            preopen: Some(guest_path.as_ref().into()),
        });
        Ok(self)
    }

    /// The context with all that was granted. The builder is then as new.
    pub fn build(&mut self) -> WasiCtx {
        let Self {
            args,
            env,
            stdio,
            preopens,
        } = core::mem::take(self);
        let mut fds = Fds::default();
        let access = [Rights::FD_READ, Rights::FD_WRITE, Rights::FD_WRITE];
        for (fd, access) in stdio.into_iter().zip(access) {
            let granted = fd.and_then(|fd| stream(fd, access).ok());
            // The table is new and has room for these.
            let _ = fds.insert(granted.unwrap_or_else(|| Descriptor::null(access)));
        }
        for dir in preopens {
            let _ = fds.insert(Descriptor::preopen(dir));
        }
        WasiCtx {
            args,
            env,
            fds,
            method: Method::best(),
        }
    }
}

/// A standard stream.
fn stream(fd: OwnedFd, access: Rights) -> Result<Descriptor, Errno> {
    let host = Fdflags::from_host(sys::status_flags(fd.as_fd())?);
    // Whether it blocks is the guest's own choice: see `io.rs`.
    let flags = host.difference(Fdflags::NONBLOCK);
    Descriptor::file(File { fd, shared: true }, access, Rights::all(), flags)
}

/// Opens a directory of the host, wherever its path leads: this is the embedder's choice.
fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    loop {
        // SAFETY: the path ends with a NUL.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        if fd >= 0 {
            use std::os::fd::FromRawFd;

            // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
