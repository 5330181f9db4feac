//! Resolution of paths by the kernel: `openat2`.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use linux::{is_there, open, resolve};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use none::{is_there, open, resolve};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::{
        ffi::CString,
        os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        sync::atomic::{AtomicU8, Ordering},
    };

    use super::super::{
        path::{RETRIES, read_link},
        sys,
    };
    use crate::{
        path::{Last, Name, Place},
        types::Errno,
    };

    /// The call's number, the same on every architecture.
    const SYS_OPENAT2: libc::c_long = 437;
    const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
    const RESOLVE_BENEATH: u64 = 0x08;

    /// `struct open_how`.
    #[repr(C)]
    struct OpenHow {
        flags: u64,
        mode: u64,
        resolve: u64,
    }

    /// One call.
    fn openat2(
        root: BorrowedFd<'_>,
        path: &[u8],
        flags: libc::c_int,
        mode: libc::mode_t,
    ) -> Result<OwnedFd, Errno> {
        let path = CString::new(path).map_err(|_| Errno::Inval)?;
        let mut flags = flags | libc::O_CLOEXEC;
        if flags & libc::O_PATH == 0 {
            // What libc's `openat64` adds; this call refuses flags that have no meaning.
            flags |= libc::O_LARGEFILE | libc::O_NOCTTY;
        }
        let how = OpenHow {
            flags: u64::from(flags as u32),
            mode: if flags & libc::O_CREAT == 0 {
                0
            } else {
                u64::from(mode)
            },
            resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
        };
        // SAFETY: the descriptor is open, the path ends with a NUL, and the structure's size is passed.
        let returned = unsafe {
            libc::syscall(
                SYS_OPENAT2,
                root.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        };
        if returned < 0 {
            return Err(sys::last_error());
        }
        // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(returned as libc::c_int) })
    }

    /// Does the kernel have the call, and may this process use it? Old container runtimes forbid it.
    pub(in super::super) fn is_there() -> bool {
        const UNKNOWN: u8 = 0;
        const NO: u8 = 1;
        const YES: u8 = 2;
        static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
        match STATE.load(Ordering::Relaxed) {
            UNKNOWN => {
                // SAFETY: this constant stands for the working directory, which always exists.
                let here = unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) };
                let yes = openat2(here, b".", libc::O_PATH | libc::O_DIRECTORY, 0).is_ok();
                STATE.store(if yes { YES } else { NO }, Ordering::Relaxed);
                yes
            }
            state => state == YES,
        }
    }

    /// Opens a path; `None` if the walk must decide.
    pub(in super::super) fn open(
        root: BorrowedFd<'_>,
        path: &[u8],
        flags: libc::c_int,
        mode: libc::mode_t,
    ) -> Result<Option<OwnedFd>, Errno> {
        for _ in 0..RETRIES {
            match openat2(root, path, flags, mode) {
                Ok(fd) => return Ok(Some(fd)),
                // The path leads out.
                Err(Errno::Xdev) => return Err(Errno::Perm),
                // A directory was moved while `..` was resolved, or a signal came.
                Err(Errno::Again | Errno::Intr) => {}
                // A call or flag that this kernel does not know, or a flag that only `openat` ignores.
                Err(Errno::Inval | Errno::TooBig | Errno::Nosys) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Finds the place of a path's last component; `None` if the walk must decide.
    pub(in super::super) fn resolve(
        root: BorrowedFd<'_>,
        path: &[u8],
        last: Last,
    ) -> Result<Option<Place<OwnedFd>>, Errno> {
        let end = path
            .iter()
            .rposition(|byte| *byte != b'/')
            .map_or(0, |n| n + 1);
        let slash = end < path.len();
        let start = path[..end]
            .iter()
            .rposition(|byte| *byte == b'/')
            .map_or(0, |n| n + 1);
        let name = &path[start..end];
        if matches!(name, b"" | b"." | b"..") {
            return Ok(None);
        }
        let name = Name::new(name)?;
        let dir = if start == 0 {
            None
        } else {
            match open(root, &path[..start], libc::O_PATH | libc::O_DIRECTORY, 0)? {
                Some(dir) => Some(dir),
                None => return Ok(None),
            }
        };
        // A link's target may lead up and through the whole tree again: the walk does that.
        let here = dir.as_ref().map_or(root, AsFd::as_fd);
        if last.follows(slash) && read_link(here, &name)?.is_some() {
            return Ok(None);
        }
        Ok(Some(Place { dir, name, slash }))
    }
}

/// There is no `openat2`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod none {
    use std::os::fd::{BorrowedFd, OwnedFd};

    use crate::{
        path::{Last, Place},
        types::Errno,
    };

    pub(in super::super) fn is_there() -> bool {
        false
    }

    pub(in super::super) fn open(
        _root: BorrowedFd<'_>,
        _path: &[u8],
        _flags: libc::c_int,
        _mode: libc::mode_t,
    ) -> Result<Option<OwnedFd>, Errno> {
        Ok(None)
    }

    pub(in super::super) fn resolve(
        _root: BorrowedFd<'_>,
        _path: &[u8],
        _last: Last,
    ) -> Result<Option<Place<OwnedFd>>, Errno> {
        Ok(None)
    }
}
