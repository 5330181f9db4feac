//! The root file system of a Linux container, where runc looks for it. (A Wasm container's is mounted by its own process,
//! where nobody else sees it.) Knows mounts as containerd gives them.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::guest::mounts;
use crate::protocol::Mount;

/// Mounts them all at the bundle's `rootfs`.
pub(crate) fn mount(rootfs: &[Mount], bundle: &Path) -> io::Result<()> {
    let target = bundle.join("rootfs");
    fs::create_dir_all(&target)?;
    rootfs
        .iter()
        .try_for_each(|mount| mounts::mount(mount, &target))
}

/// Takes them away again; that there are none is no error.
pub(crate) fn unmount(bundle: &Path) {
    let Ok(target) = CString::new(bundle.join("rootfs").as_os_str().as_bytes()) else {
        return;
    };
    // One lies on the other. A path at which nothing is mounted is an error, and the end.
    // SAFETY: `target` is a string with a NUL at its end.
    while unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) } == 0 {
    }
}
