//! A pod's sandbox: the shim itself. It needs no process of its own to keep namespaces: the shim joins the network's, which
//! containerd has made, and those for IPC and the host name are its own. Its memory counts as the pod's.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::cgroup::Cgroup;
use crate::spec::Spec;
use crate::sys;

use super::log;

/// The shim as a pod's sandbox.
pub(crate) struct Sandbox {
    /// The pod's network namespace, unless it is the node's.
    pub(crate) network: Option<PathBuf>,
}

/// Does this process have namespaces of its own? A shim that serves a whole node has not.
pub(crate) fn own_namespaces() -> io::Result<()> {
    // SAFETY: unshare has no preconditions. The process has one thread yet, and all later ones inherit.
    sys::check(unsafe { libc::unshare(libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) }).map(drop)
}

impl Sandbox {
    /// Makes this process the sandbox of a pod.
    pub(crate) fn enter(spec: &Spec, cgroup: &Cgroup, own_namespaces: bool) -> io::Result<Self> {
        if own_namespaces && !spec.hostname.is_empty() {
            let name = CString::new(spec.hostname.as_str())?;
            // SAFETY: the pointer and the length are those of `name`.
            sys::check(unsafe { libc::sethostname(name.as_ptr(), name.as_bytes().len()) })
                .map_err(|e| io::Error::other(format!("hostname {:?}: {e}", spec.hostname)))?;
        }
        let network = network(spec);
        if let (true, Some(network)) = (own_namespaces, &network) {
            // The configuration of the pod's containers names the network of the sandbox's process.
            enter(&open(network)?).map_err(|e| named(network, e))?;
        }
        set_sysctls(spec, network.as_deref(), own_namespaces)?;
        // A shim of many pods is in none of them.
        if own_namespaces {
            cgroup.move_self()?;
        }
        if let (true, Some(score)) = (own_namespaces, spec.process.oom_score_adj) {
            // To lower it takes a capability that not every node's containerd has.
            let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
        }
        Ok(Self { network })
    }

    /// Leaves the pod's cgroup, so that it can be removed.
    pub(crate) fn leave(&self, cgroup: &Cgroup) {
        if let Err(e) = cgroup.leave() {
            log::warn(format!("the shim cannot leave the pod's cgroup: {e}"));
        }
    }
}

/// Where the pod's network namespace is, if it has one of its own.
fn network(spec: &Spec) -> Option<PathBuf> {
    let mut namespaces = spec.linux.namespaces.iter();
    let network = namespaces.find(|namespace| namespace.kind == "network")?;
    (!network.path.as_os_str().is_empty()).then(|| network.path.clone())
}

/// Sets the pod's kernel parameters in the namespaces that they belong to.
fn set_sysctls(spec: &Spec, network: Option<&Path>, own_namespaces: bool) -> io::Result<()> {
    for (name, value) in &spec.linux.sysctl {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        let set = || {
            fs::write(&path, value)
                .map_err(|e| io::Error::other(format!("sysctl {name}={value}: {e}")))
        };
        match (name.starts_with("net."), network) {
            (true, Some(network)) => inside(network, set)?,
            (false, _) if own_namespaces => set()?,
            _ => {
                return Err(io::Error::other(format!(
                    "sysctl {name}: it would change the whole node, since the pod shares that namespace with it"
                )));
            }
        }
    }
    Ok(())
}

/// Does something in a network namespace. The shim has one thread, and it comes back.
fn inside<T>(network: &Path, what: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let (home, there) = (open(Path::new("/proc/self/ns/net"))?, open(network)?);
    enter(&there).map_err(|e| named(network, e))?;
    let result = what();
    enter(&home)?;
    result
}

fn enter(network: &File) -> io::Result<()> {
    // SAFETY: setns on an open descriptor.
    sys::check(unsafe { libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

fn open(network: &Path) -> io::Result<File> {
    File::open(network).map_err(|e| named(network, e))
}

fn named(network: &Path, e: io::Error) -> io::Error {
    io::Error::other(format!("network namespace {}: {e}", network.display()))
}
