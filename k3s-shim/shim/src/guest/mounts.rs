//! The file system of a container, in a mount namespace of its process alone: when the process is gone, so are the
//! mounts, whatever happened. Knows mounts as containerd and OCI write them; paths of the image are resolved inside of it
//! only, since it is the root by then.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::null;

use crate::protocol::Mount;
use crate::spec::{self, Spec};
use crate::sys::check;

/// File systems through which Linux programs talk with the kernel: no guest of WASI has a use for one.
const KERNEL: [&str; 7] = [
    "proc",
    "sysfs",
    "devpts",
    "mqueue",
    "cgroup",
    "cgroup2",
    "securityfs",
];

/// A directory of the node that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Where it is for the guest.
    pub(crate) path: PathBuf,
    pub(crate) readonly: bool,
}

/// What mount(8)'s options mean for mount(2).
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    flags: libc::c_ulong,
    /// For the file system itself.
    data: String,
}

impl Options {
    fn parse(options: &[String]) -> Self {
        let (mut flags, mut data) = (0, Vec::new());
        for option in options {
            let (set, flag) = match option.as_str() {
                "ro" => (true, libc::MS_RDONLY),
                "rw" => (false, libc::MS_RDONLY),
                "nosuid" => (true, libc::MS_NOSUID),
                "suid" => (false, libc::MS_NOSUID),
                "nodev" => (true, libc::MS_NODEV),
                "dev" => (false, libc::MS_NODEV),
                "noexec" => (true, libc::MS_NOEXEC),
                "exec" => (false, libc::MS_NOEXEC),
                "sync" => (true, libc::MS_SYNCHRONOUS),
                "async" => (false, libc::MS_SYNCHRONOUS),
                "dirsync" => (true, libc::MS_DIRSYNC),
                "noatime" => (true, libc::MS_NOATIME),
                "atime" => (false, libc::MS_NOATIME),
                "nodiratime" => (true, libc::MS_NODIRATIME),
                "relatime" => (true, libc::MS_RELATIME),
                "norelatime" => (false, libc::MS_RELATIME),
                "strictatime" => (true, libc::MS_STRICTATIME),
                "bind" => (true, libc::MS_BIND),
                "rbind" => (true, libc::MS_BIND | libc::MS_REC),
                "defaults" => continue,
                // How mounts spread: nothing spreads out of this namespace.
                "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave"
                | "unbindable" | "runbindable" => {
                    continue;
                }
                other => {
                    data.push(other);
                    continue;
                }
            };
            flags = if set { flags | flag } else { flags & !flag };
        }
        Self {
            flags,
            data: data.join(","),
        }
    }

    fn readonly(&self) -> bool {
        self.flags & libc::MS_RDONLY != 0
    }
}

/// Mounts one thing at `target`.
pub(crate) fn mount(mount: &Mount, target: &Path) -> io::Result<()> {
    let options = Options::parse(&mount.options);
    raw(Path::new(&mount.source), target, &mount.kind, &options)
}

/// mount(2). A bind mount takes its flags in a second step.
fn raw(source: &Path, target: &Path, kind: &str, options: &Options) -> io::Result<()> {
    let named = |e: io::Error| {
        let (source, target) = (source.display(), target.display());
        io::Error::other(format!("mounting {source} at {target}: {e}"))
    };
    let string = |bytes: &[u8]| CString::new(bytes).map_err(|e| named(e.into()));
    let source_c = string(source.as_os_str().as_bytes())?;
    let target_c = string(target.as_os_str().as_bytes())?;
    let (kind, data) = (string(kind.as_bytes())?, string(options.data.as_bytes())?);
    let call = |flags| {
        // SAFETY: all four are strings with a NUL at their ends, which live through the call.
        check(unsafe {
            libc::mount(
                source_c.as_ptr(),
                target_c.as_ptr(),
                kind.as_ptr(),
                flags,
                data.as_ptr().cast(),
            )
        })
        .map_err(named)
    };
    call(options.flags)?;
    let rest = options.flags & !(libc::MS_BIND | libc::MS_REC);
    if options.flags & libc::MS_BIND != 0 && rest != 0 {
        call(rest | libc::MS_BIND | libc::MS_REMOUNT)?;
    }
    Ok(())
}

/// Makes the container's file system this process' root, and takes everything else away. Gives the volumes that were
/// mounted.
pub(crate) fn enter(bundle: &Path, rootfs: &[Mount], spec: &Spec) -> io::Result<Vec<Volume>> {
    // The node's mounts may go, and do here too; nothing comes back to the node.
    flag(c"/", libc::MS_REC | libc::MS_SLAVE)?;
    let root = bundle.join(match spec.root.path.as_os_str().is_empty() {
        true => Path::new("rootfs"),
        false => &spec.root.path,
    });
    for mounted in rootfs {
        mount(mounted, &root)?;
    }
    if rootfs.is_empty() {
        // The root must be a mount.
        raw(&root, &root, "", &bind())?;
    }
    let sources = sources(bundle, spec)?;

    std::env::set_current_dir(&root)
        .map_err(|e| io::Error::other(format!("{}: {e}", root.display())))?;
    let node = open_path(Path::new("/"))?;
    // The node's root comes to lie on the new one, where the descriptor still finds it.
    // SAFETY: both are strings with a NUL at their ends.
    let status = unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) };
    check(status as libc::c_int)?;
    // SAFETY: `node` is an open directory.
    check(unsafe { libc::fchdir(node.as_raw_fd()) })?;

    let mut volumes = Vec::new();
    for (mount, source) in sources {
        volumes.extend(attach(mount, source.as_ref())?);
    }
    // SAFETY: a string with a NUL at its end.
    check(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })?;
    std::env::set_current_dir("/")?;
    if spec.root.readonly {
        flag(c"/", libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY)?;
    }
    Ok(volumes)
}

/// The volumes of a container in which this process is already.
pub(crate) fn volumes(spec: &Spec) -> Vec<Volume> {
    let binds = spec.mounts.iter().filter(|mount| is_bind(mount));
    let volumes = binds.map(|mount| Volume {
        path: Path::new("/").join(&mount.destination),
        readonly: Options::parse(&mount.options).readonly(),
    });
    volumes.filter(|volume| volume.path.is_dir()).collect()
}

fn is_bind(mount: &spec::Mount) -> bool {
    Options::parse(&mount.options).flags & libc::MS_BIND != 0 || mount.kind == "bind"
}

/// The mounts to make, with what is mounted, opened while the node's paths still mean something.
fn sources<'a>(bundle: &Path, spec: &'a Spec) -> io::Result<Vec<(&'a spec::Mount, Option<File>)>> {
    let wanted = spec
        .mounts
        .iter()
        .filter(|mount| !KERNEL.contains(&mount.kind.as_str()));
    let opened = wanted.map(|mount| {
        let source = match is_bind(mount) {
            true => Some(open_path(&bundle.join(&mount.source))?),
            false => None,
        };
        Ok((mount, source))
    });
    opened.collect()
}

/// Mounts one of them in the new root, from the old one as working directory. Gives it if it is a directory of the node.
fn attach(mount: &spec::Mount, source: Option<&File>) -> io::Result<Option<Volume>> {
    // No `..` of it leads above the root, and no link in the image.
    let target = Path::new("/").join(&mount.destination);
    let named = |e: io::Error| io::Error::other(format!("mount point {}: {e}", target.display()));
    let mut options = Options::parse(&mount.options);
    let Some(source) = source else {
        fs::create_dir_all(&target).map_err(named)?;
        raw(Path::new(&mount.source), &target, &mount.kind, &options)?;
        return Ok(None);
    };
    options.flags |= libc::MS_BIND;
    let is_dir = source.metadata()?.is_dir();
    if is_dir {
        fs::create_dir_all(&target).map_err(named)?;
    } else if !target.exists() {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(named)?;
        }
        File::create_new(&target).map_err(named)?;
    }
    let descriptor = PathBuf::from(format!("proc/self/fd/{}", source.as_raw_fd()));
    raw(&descriptor, &target, "", &options).map_err(|_| {
        let e = io::Error::last_os_error();
        io::Error::other(format!(
            "mounting {} at {}: {e}",
            mount.source,
            target.display()
        ))
    })?;
    Ok(is_dir.then(|| Volume {
        path: target,
        readonly: options.readonly(),
    }))
}

fn bind() -> Options {
    Options {
        flags: libc::MS_BIND | libc::MS_REC,
        data: String::new(),
    }
}

/// Changes the flags of a mount.
fn flag(target: &std::ffi::CStr, flags: libc::c_ulong) -> io::Result<()> {
    // SAFETY: `target` is a string with a NUL at its end; the other pointers may be null for this use.
    check(unsafe { libc::mount(null(), target.as_ptr(), null(), flags, null()) }).map(drop)
}

/// A handle for a path, with which nothing can be read or written.
fn open_path(path: &Path) -> io::Result<File> {
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
        .open(path);
    opened.map_err(|e| io::Error::other(format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_mount_8() {
        let parsed = |text: &str| {
            let options: Vec<_> = text.split(' ').map(String::from).collect();
            Options::parse(&options)
        };
        let options = parsed("rbind rprivate ro nosuid");
        assert_eq!(
            options.flags,
            libc::MS_BIND | libc::MS_REC | libc::MS_RDONLY | libc::MS_NOSUID
        );
        assert!(options.readonly() && options.data.is_empty());
        // The last one counts.
        assert!(!parsed("ro rw").readonly());
        let overlay = parsed("workdir=/w upperdir=/u lowerdir=/a:/b");
        assert_eq!(
            (overlay.flags, overlay.data.as_str()),
            (0, "workdir=/w,upperdir=/u,lowerdir=/a:/b")
        );
    }
}
