//! Which hierarchies of cgroups are mounted where, and where in each of them this process is: `/proc/self/mountinfo` and
//! `/proc/self/cgroup`. Knows nothing of a container.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::file;

/// The controllers whose presence in a hierarchy of version 1 makes the machine one of version 1.
const LIMITING: [&str; 4] = ["memory", "cpu", "cpuset", "pids"];

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Its controllers, and `name=systemd`. Empty for version 2, which says in its files what it has.
    pub(super) controllers: Vec<String>,
    /// Where it is mounted.
    pub(super) mount: PathBuf,
    /// The cgroup that this process was in when it first asked, as a path below `mount`.
    pub(super) own: PathBuf,
}

/// Every hierarchy that containers are put into.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hierarchies {
    /// Version 1: a hierarchy for each group of controllers, and that of version 2 without those where it is mounted too
    /// (systemd's hybrid layout).
    V1(Vec<Hierarchy>, Option<Hierarchy>),
    /// Version 2 alone.
    V2(Hierarchy),
}

impl Hierarchies {
    /// Those of this machine, as this process saw them when it first asked: it can be in another cgroup later, but a
    /// relative path means the one that it was started in.
    pub(super) fn of_this_process() -> io::Result<&'static Self> {
        static SEEN: OnceLock<Hierarchies> = OnceLock::new();
        if let Some(seen) = SEEN.get() {
            return Ok(seen);
        }
        let mounts = file::read(Path::new("/proc/self/mountinfo"))?;
        let own = file::read(Path::new("/proc/self/cgroup"))?;
        let found = Self::parse(&mounts, &own).ok_or_else(|| {
            io::Error::other(
                "/proc/self/mountinfo: no hierarchy of cgroups is mounted (mount one, as a rule at /sys/fs/cgroup)",
            )
        })?;
        Ok(SEEN.get_or_init(|| found))
    }

    fn parse(mountinfo: &str, own: &str) -> Option<Self> {
        let mut v1: Vec<Hierarchy> = Vec::new();
        let mut v2 = None;
        for mount in mountinfo.lines().filter_map(Mount::parse) {
            match mount.kind {
                "cgroup2" if v2.is_none() => {
                    v2 = Some(mount.hierarchy(Vec::new(), own));
                }
                "cgroup" => {
                    let controllers: Vec<String> = (mount.super_options.split(','))
                        .filter(is_controller)
                        .map(str::to_owned)
                        .collect();
                    // The same hierarchy can be mounted more than once: the first is as good as any.
                    let known = v1.iter().any(|other| other.controllers == controllers);
                    if !controllers.is_empty() && !known {
                        v1.push(mount.hierarchy(controllers, own));
                    }
                }
                _ => {}
            }
        }
        let limits = |h: &Hierarchy| LIMITING.iter().any(|name| h.has(name));
        match (v1.iter().any(limits), v2) {
            (true, v2) => Some(Self::V1(v1, v2)),
            (false, Some(v2)) => Some(Self::V2(v2)),
            (false, None) => None,
        }
    }
}

impl Hierarchy {
    /// Has it this controller? Of a hierarchy of version 1 only.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }
}

/// Is this option of a mounted hierarchy a controller? Of hierarchies with a name only systemd's is one that containers
/// are put into; the other options are of the file system.
fn is_controller(option: &&str) -> bool {
    match option.split_once('=') {
        Some((key, value)) => key == "name" && value == "systemd",
        None => !matches!(
            *option,
            "rw" | "ro" | "xattr" | "noprefix" | "clone_children" | "none" | "seclabel"
        ),
    }
}

/// A line of mountinfo.
struct Mount<'a> {
    root: PathBuf,
    at: PathBuf,
    kind: &'a str,
    super_options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3);
        let mut back = back.split(' ');
        Some(Mount {
            root: unescaped(front.next()?),
            at: unescaped(front.next()?),
            kind: back.next()?,
            super_options: back.nth(1)?,
        })
    }

    fn hierarchy(&self, controllers: Vec<String>, own: &str) -> Hierarchy {
        let own = own_path(own, &controllers).unwrap_or(Path::new("/"));
        // In a container the mount shows only a part of the hierarchy, and the path is from the root of the whole.
        let own = own.strip_prefix(&self.root).unwrap_or(own);
        let own = own.strip_prefix("/").unwrap_or(own).to_owned();
        Hierarchy {
            controllers,
            mount: self.at.clone(),
            own,
        }
    }
}

/// The path in the line of `/proc/self/cgroup` that is about a hierarchy: `4:memory:/a`, or `0::/a` for version 2.
fn own_path<'a>(text: &'a str, controllers: &[String]) -> Option<&'a Path> {
    text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, path) = (parts.next()?, parts.next()?);
        let same = match controllers {
            [] => names.is_empty(),
            [first, ..] => names.split(',').any(|name| name == first),
        };
        same.then(|| Path::new(path))
    })
}

/// A path of mountinfo, in which spaces and the like are octal escapes.
fn unescaped(path: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\')
            .then(|| path.get(at + 1..at + 4))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    std::ffi::OsString::from_vec(out).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset,clone_children
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:32 / /mnt/again rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
42 31 0:39 / /sys/fs/cgroup/openrc rw,relatime - cgroup openrc rw,release_agent=/lib/rc,name=openrc
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";
    const HYBRID_OWN: &str = "\
9:name=systemd:/system.slice/containerd.service
4:memory:/a/b
3:cpuset:/
1:cpu,cpuacct:/c:d
0::/u
";

    #[test]
    fn a_hybrid_machine_is_of_version_1() {
        let hierarchy = |controllers: &[&str], mount: &str, own: &str| Hierarchy {
            controllers: controllers.iter().map(|&name| name.to_owned()).collect(),
            mount: mount.into(),
            own: own.into(),
        };
        assert_eq!(
            Hierarchies::parse(HYBRID, HYBRID_OWN),
            Some(Hierarchies::V1(
                vec![
                    hierarchy(&["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct", "c:d"),
                    hierarchy(&["cpuset"], "/sys/fs/cgroup/cpuset", ""),
                    hierarchy(&["memory"], "/sys/fs/cgroup/memory", "a/b"),
                    hierarchy(
                        &["name=systemd"],
                        "/sys/fs/cgroup/systemd",
                        "system.slice/containerd.service"
                    ),
                ],
                Some(hierarchy(&[], "/sys/fs/cgroup/unified", "u")),
            ))
        );
    }

    #[test]
    fn version_2_alone_or_beside_a_named_one() {
        let v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let named =
            "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
        for mounts in [v2.to_owned(), format!("{named}{v2}")] {
            let Some(Hierarchies::V2(found)) = Hierarchies::parse(&mounts, "0::/k3s\n") else {
                panic!("{mounts}");
            };
            assert_eq!(found.mount, Path::new("/sys/fs/cgroup"));
            assert_eq!(found.own, Path::new("k3s"));
        }
        assert_eq!(Hierarchies::parse(named, "9:name=systemd:/\n"), None);
        assert_eq!(Hierarchies::parse("", ""), None);
    }

    #[test]
    fn in_a_container_the_mount_is_a_part() {
        let mounts = "30 23 0:26 /docker/abc /sys/fs/my\\040cgroup ro - cgroup cgroup rw,memory\n";
        let Some(Hierarchies::V1(found, None)) =
            Hierarchies::parse(mounts, "4:memory:/docker/abc/x\n")
        else {
            panic!("not found");
        };
        assert_eq!(found[0].mount, Path::new("/sys/fs/my cgroup"));
        assert_eq!(found[0].own, Path::new("x"));
    }
}
