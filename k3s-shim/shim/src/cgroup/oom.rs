//! Kills for want of memory: how many there were, and waiting for one in an event loop. Knows the notification of version 1
//! (an eventfd) and that of version 2 (inotify).

use std::ffi::CString;
use std::fs::File;
use std::future::pending;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Cgroup, Groups, file};

/// How often, and how long apart, to look for the kill after version 1 has announced it: it does so just before.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

impl Cgroup {
    /// How many processes in it were killed for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        self.counter().and_then(|file| count(&file)).unwrap_or(0)
    }

    /// Waits for such kills from now on. To be made inside of a tokio runtime, with its I/O and time.
    pub(crate) fn oom_watch(&self) -> io::Result<OomWatch> {
        let Some(counter) = self.counter().filter(|file| file.exists()) else {
            return Ok(OomWatch { inner: None });
        };
        let seen = count(&counter).unwrap_or(0);
        let notification = match self.groups {
            Groups::V2(_) => inotify(&counter),
            _ => eventfd(&counter),
        };
        let notification = notification
            .and_then(|fd| {
                // SAFETY: an `OwnedFd` is the same open descriptor as long as it lives, and it lives in the `AsyncFd`.
                unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
                    .map_err(io::Error::from)
            })
            .map_err(|e| file::named(&e, format_args!("watching {}", counter.display())))?;
        Ok(OomWatch {
            inner: Some(Inner {
                counter,
                seen,
                notification,
            }),
        })
    }

    /// The file that counts them. There is none without the controller.
    fn counter(&self) -> Option<PathBuf> {
        let name = match self.groups {
            Groups::V2(_) => "memory.events",
            _ => "memory.oom_control",
        };
        Some(self.dir("memory")?.join(name))
    }
}

/// Waits for kills for want of memory. Dropping it ends that; the cgroup can be removed under it.
#[derive(Debug)]
pub(crate) struct OomWatch {
    inner: Option<Inner>,
}

#[derive(Debug)]
struct Inner {
    counter: PathBuf,
    seen: u64,
    notification: AsyncFd<OwnedFd>,
}

impl OomWatch {
    /// Returns when there were more kills than at the last return, or at the start. Without a cgroup, and when that is
    /// gone, it waits for ever. Nothing is lost if the future is dropped.
    pub(crate) async fn killed(&mut self) {
        let Some(inner) = &mut self.inner else {
            return pending().await;
        };
        loop {
            if inner.grown() {
                return;
            }
            match inner.notification.readable().await {
                Ok(mut guard) => match guard.try_io(drain) {
                    Ok(Ok(())) => {}
                    // A wake-up for nothing.
                    Err(_) => continue,
                    Ok(Err(_)) => return pending().await,
                },
                Err(_) => return pending().await,
            }
            for _ in 0..LOOKS {
                if inner.grown() {
                    return;
                }
                if !inner.counter.exists() {
                    return pending().await;
                }
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        }
    }
}

impl Inner {
    /// Has the number grown since it was asked last?
    fn grown(&mut self) -> bool {
        let now = count(&self.counter).unwrap_or(self.seen);
        let grown = now > self.seen;
        self.seen = now;
        grown
    }
}

/// Both counters have the field of the same name. Version 1 has it since Linux 4.13.
fn count(counter: &Path) -> Option<u64> {
    file::field(&std::fs::read_to_string(counter).ok()?, "oom_kill")
}

/// An eventfd that counts up when the cgroup of a `memory.oom_control` runs out of memory, and when it is removed.
fn eventfd(counter: &Path) -> io::Result<OwnedFd> {
    // SAFETY: eventfd(2) touches no memory of this process.
    let event = owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // The kernel needs this one during the write only.
    let control = File::open(counter)?;
    file::write(
        &counter.with_file_name("cgroup.event_control"),
        format_args!("{} {}", event.as_raw_fd(), control.as_raw_fd()),
    )?;
    Ok(event)
}

/// An inotify instance that tells of each change of a `memory.events`.
fn inotify(counter: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(counter.as_os_str().as_bytes())?;
    // SAFETY: inotify_init1(2) touches no memory of this process.
    let inotify = owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
    // SAFETY: `path` is a string with a NUL at its end that outlives the call.
    let watch =
        unsafe { libc::inotify_add_watch(inotify.as_raw_fd(), path.as_ptr(), libc::IN_MODIFY) };
    match watch {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(inotify),
    }
}

/// Takes what is to be read: an event is as good as many.
fn drain(notification: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut buffer = [0_u8; 4096];
    let fd = notification.get_ref().as_raw_fd();
    // SAFETY: the buffer is as long as is said, and lives through the call; the descriptor is open as long as its owner.
    match unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The descriptor that a call has returned, or its error.
fn owned(fd: libc::c_int) -> io::Result<OwnedFd> {
    match fd {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the call has just opened it, and nothing else owns it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}
