//! The node that something is installed on: its file system, which may be mounted elsewhere, and how its own programs are
//! run. Knows nothing of what is installed.
//!
//! ```text
//! distribution   K3s, RKE2 or containerd alone, and where each has its things
//! target         which file gets the runtime's entry
//! block          our lines in a file of others
//! containerd     the node's containerd as a check: which version, which runtimes it reads out of its configuration
//! change         files before and after, shown as a diff, written at once or not at all
//! record         what was changed, so that it can be undone
//! service        starting containerd again
//! ```

pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod containerd;
pub(crate) mod distribution;
pub(crate) mod record;
pub(crate) mod service;
pub(crate) mod target;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a node's programs are looked for, and which of them containerd finds without being told.
pub(crate) const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// A node's file system.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    root: PathBuf,
}

impl Node {
    /// The node whose file system is at `root`; `/` is the one this program runs on.
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// Where this program finds a path of the node.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Is it there? A link is, wherever it points: on a mounted node, absolute links lead elsewhere.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// A file's bytes, if it is there.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io::Error::other(format!("{}: {e}", path.display()))),
        }
    }

    /// A program of the node, by its name.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        PATH.iter()
            .map(|directory| Path::new(directory).join(name))
            .find(|path| self.has(path))
    }

    /// Runs a program of the node as if it were called there: in the mount namespace of the node's first process if that
    /// can be seen, else with its root directory changed.
    pub(crate) fn command(&self, program: &Path) -> io::Result<Command> {
        let mut command = Command::new(program);
        if self.root == Path::new("/") {
            return Ok(command);
        }
        // What the installer's container has there says nothing about the node.
        command.env_clear().env("PATH", PATH.join(":"));
        if self.is_seen_by_first_process() {
            let namespace = File::open("/proc/1/ns/mnt")?;
            let enter = move || {
                // SAFETY: setns on a descriptor that the closure keeps open.
                match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNS) } {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            };
            // SAFETY: between fork and exec, the closure makes one system call and allocates nothing.
            unsafe { command.pre_exec(enter) };
        } else {
            let root = std::ffi::CString::new(self.root.as_os_str().as_encoded_bytes())?;
            let enter = move || {
                // SAFETY: both are strings that end with a zero.
                match unsafe { libc::chroot(root.as_ptr()) | libc::chdir(c"/".as_ptr()) } {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            };
            // SAFETY: as above, two system calls.
            unsafe { command.pre_exec(enter) };
        }
        Ok(command)
    }

    /// Can this program see the node's processes?
    pub(crate) fn has_seen_processes(&self) -> bool {
        self.root == Path::new("/") || self.is_seen_by_first_process()
    }

    /// Is `root` the root directory of process 1? It is in a container with the node's process ids.
    fn is_seen_by_first_process(&self) -> bool {
        let id = |path: &Path| {
            fs::metadata(path)
                .map(|metadata| (metadata.dev(), metadata.ino()))
                .ok()
        };
        let own = |path| fs::read_link(path).ok();
        id(&self.root).is_some_and(|root| Some(root) == id(Path::new("/proc/1/root")))
            && own("/proc/1/ns/mnt") != own("/proc/self/ns/mnt")
    }
}
