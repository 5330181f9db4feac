//! The namespaces of a container's process. Knows those of OCI's `config.json`.
//!
//! A pid namespace without a path is not made: the process has no children and sees no `/proc`, so that it would change
//! nothing, and cost another process.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::spec::Spec;
use crate::sys::check;

/// The flag of clone(2), and the name under `/proc/…/ns`.
fn known(kind: &str) -> Option<(libc::c_int, &'static str)> {
    Some(match kind {
        "mount" => (libc::CLONE_NEWNS, "mnt"),
        "network" => (libc::CLONE_NEWNET, "net"),
        "ipc" => (libc::CLONE_NEWIPC, "ipc"),
        "uts" => (libc::CLONE_NEWUTS, "uts"),
        "cgroup" => (libc::CLONE_NEWCGROUP, "cgroup"),
        _ => return None,
    })
}

/// Joins and makes the namespaces that the container is to have; always a mount namespace of its own. Those of the shim,
/// where it is no pod's alone, are replaced: the network's by that of the pod, the others by new ones.
pub(crate) fn enter(spec: &Spec, shim_is_shared: bool, network: Option<&Path>) -> io::Result<()> {
    if !spec.linux.uid_mappings.is_empty()
        || spec
            .linux
            .namespaces
            .iter()
            .any(|namespace| namespace.kind == "user")
    {
        return Err(io::Error::other(
            "user namespaces are not supported by teff's shim: leave out `hostUsers: false`",
        ));
    }
    let shim = PathBuf::from(format!("/proc/{}/ns", std::os::unix::process::parent_id()));
    let mut made = libc::CLONE_NEWNS;
    let mut names_host = false;
    for namespace in &spec.linux.namespaces {
        let Some((flag, _)) = known(&namespace.kind) else {
            continue;
        };
        let of_shim = shim_is_shared && namespace.path.starts_with(&shim);
        if of_shim && flag == libc::CLONE_NEWNET {
            // Without one of its own, the pod's is the node's, and the shim is there.
            network.map_or(Ok(()), |network| join(network, flag))?;
        } else if namespace.path.as_os_str().is_empty() || of_shim {
            made |= flag;
            names_host |= namespace.kind == "uts";
        } else {
            join(&namespace.path, flag)?;
        }
    }
    // SAFETY: unshare has no preconditions; this process has one thread.
    check(unsafe { libc::unshare(made) })?;
    if names_host && !spec.hostname.is_empty() {
        let name = CString::new(spec.hostname.as_str())?;
        // SAFETY: the pointer and the length are those of `name`.
        check(unsafe { libc::sethostname(name.as_ptr(), name.as_bytes().len()) })?;
    }
    Ok(())
}

/// Joins the namespaces of a process.
pub(crate) fn join_process(pid: i32) -> io::Result<()> {
    // The mounts last: with them, `/proc` goes.
    let open = ["network", "ipc", "uts", "mount"].map(|kind| {
        let (flag, name) = known(kind).unwrap_or_default();
        let path = PathBuf::from(format!("/proc/{pid}/ns/{name}"));
        let file =
            File::open(&path).map_err(|e| io::Error::other(format!("{}: {e}", path.display())));
        file.map(|file| (file, flag))
    });
    for namespace in open {
        let (file, flag) = namespace?;
        set(&file, flag)?;
    }
    Ok(())
}

fn join(path: &Path, flag: libc::c_int) -> io::Result<()> {
    let named = |e: io::Error| io::Error::other(format!("namespace {}: {e}", path.display()));
    set(&File::open(path).map_err(named)?, flag).map_err(named)
}

fn set(namespace: &File, flag: libc::c_int) -> io::Result<()> {
    // SAFETY: setns on an open descriptor; this process has one thread.
    check(unsafe { libc::setns(namespace.as_raw_fd(), flag) }).map(drop)
}
