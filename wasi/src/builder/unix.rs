//! What the builder can grant of a Unix host: its standard streams, directories and sockets.

use std::{
    fs::OpenOptions,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
};

use teff_runtime::{Error, Result};

use super::{Stream, WasiCtxBuilder};
use crate::{
    platform::unix::{HostDir, HostFile, PathResolution},
    types::{DirPerms, Errno, FilePerms},
};

impl WasiCtxBuilder {
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
        match fd.try_clone_to_owned() {
            Ok(fd) => self.host_stream(number, fd),
            Err(_) => self,
        }
    }

    /// Gives the guest this as its standard input: a file, a pipe's end, a socket.
    pub fn stdin(&mut self, fd: impl Into<OwnedFd>) -> &mut Self {
        self.host_stream(0, fd.into())
    }

    /// Gives the guest this as its standard output.
    pub fn stdout(&mut self, fd: impl Into<OwnedFd>) -> &mut Self {
        self.host_stream(1, fd.into())
    }

    /// Gives the guest this as its standard error.
    pub fn stderr(&mut self, fd: impl Into<OwnedFd>) -> &mut Self {
        self.host_stream(2, fd.into())
    }

    fn host_stream(&mut self, number: usize, fd: OwnedFd) -> &mut Self {
        let stream = |file: HostFile| -> std::result::Result<Stream, Errno> {
            Ok(Stream {
                flags: file.fdflags()?,
                file: Box::new(file),
            })
        };
        // One that is closed is not granted.
        self.stdio[number] = HostFile::shared(fd).and_then(stream).ok();
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
        // Wherever its path leads: this is the embedder's choice.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(host_path);
        let file = opened.map_err(|error| {
            let host = host_path.display();
            let guest = String::from_utf8_lossy(guest_path.as_ref()).into_owned();
            Error::from(error).context(format!(
                "cannot open directory `{host}` (for the guest's `{guest}`)"
            ))
        })?;
        let dir = HostDir::new(file.into(), self.path_resolution);
        Ok(self.preopened_tree(dir, guest_path, dir_perms, file_perms))
    }

    /// Gives the guest an open socket, such as a listener: as descriptor 3, the next as 4, and so on, and
    /// the directories after them.
    ///
    /// The socket is made non-blocking, which whoever else has it open will notice.
    ///
    /// # Errors
    /// If it is no socket.
    pub fn preopened_socket(&mut self, socket: impl Into<OwnedFd>) -> Result<&mut Self> {
        let socket = HostFile::socket(socket.into()).map_err(|error| {
            Error::msg(format!("cannot use this as a socket: {}", error.name()))
        })?;
        Ok(self.preopened_file(socket))
    }

    /// Who resolves paths in the directories that are granted from now on.
    pub fn path_resolution(&mut self, path_resolution: PathResolution) -> &mut Self {
        self.path_resolution = path_resolution;
        self
    }
}
