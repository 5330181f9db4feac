//! What a guest may be granted besides sockets: a directory with a named pipe, and a device with offsets that
//! may have nothing yet.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::ffi::OsStrExt, unix::net::UnixStream},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use teff_wasi::{
    DirPerms, Errno, FilePerms, WasiCtxBuilder,
    platform::{
        self, Blocking, Filestat, Filetype, Interest, ReadBuffers, Readiness, WriteBuffers,
    },
};

/// A directory that is removed with this value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("teff-waits-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A new file, open to read and to write.
    pub(crate) fn file(&self, name: &str) -> File {
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        options.open(self.0.join(name)).unwrap()
    }

    /// A pipe that is opened by a path.
    pub(crate) fn named_pipe(&self, name: &str) {
        let path = CString::new(self.0.join(name).as_os_str().as_bytes()).unwrap();
        // SAFETY: the path is a string that ends in a NUL.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    }

    /// Lets a guest read what is here.
    pub(crate) fn grant(&self, builder: &mut WasiCtxBuilder) {
        builder
            .preopened_dir(&self.0, "/", DirPerms::READ, FilePerms::READ)
            .unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A device that is read and written at offsets, whatever they are.
pub(crate) struct Device(UnixStream);

impl Device {
    /// What is behind it, and the device.
    pub(crate) fn pair() -> (UnixStream, Self) {
        let (behind, device) = UnixStream::pair().unwrap();
        device.set_nonblocking(true).unwrap();
        (behind, Self(device))
    }
}

fn errno(error: io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::WouldBlock => Errno::Again,
        _ => Errno::Io,
    }
}

impl platform::File for Device {
    fn filestat(&self) -> Result<Filestat, Errno> {
        Ok(Filestat {
            dev: 0,
            ino: 0,
            filetype: Filetype::CharacterDevice,
            nlink: 1,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        })
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn readiness(&self, _interest: Interest) -> Readiness {
        Readiness::Ask(self.0.as_raw_fd())
    }

    fn pread(
        &self,
        buffers: &mut ReadBuffers<'_>,
        _offset: u64,
        _blocking: Blocking,
    ) -> Result<usize, Errno> {
        buffers.fill(|buffer| (&self.0).read(buffer).map_err(errno))
    }

    fn pwrite(
        &self,
        buffers: &mut WriteBuffers<'_>,
        _offset: u64,
        _blocking: Blocking,
    ) -> Result<usize, Errno> {
        buffers.drain(|buffer| (&self.0).write(buffer).map_err(errno))
    }
}
