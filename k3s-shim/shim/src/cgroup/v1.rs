//! Making a cgroup of version 1: a directory in each hierarchy. Knows nothing of limits but the two that the kernel wants
//! before a process may enter.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::mounts::Hierarchy;
use super::path::CgroupsPath;
use super::{Group, file};

/// The place of a cgroup in a hierarchy.
pub(super) fn group(hierarchy: &Hierarchy, path: &CgroupsPath) -> Group {
    let dir = place(hierarchy, path);
    Group {
        controllers: hierarchy.controllers.clone(),
        mount: hierarchy.mount.clone(),
        procs: dir.clone(),
        dir,
    }
}

/// The directory that a `cgroupsPath` means in a hierarchy of either version.
pub(super) fn place(hierarchy: &Hierarchy, path: &CgroupsPath) -> PathBuf {
    match path {
        CgroupsPath::Absolute(path) | CgroupsPath::Systemd(path) => hierarchy.mount.join(path),
        CgroupsPath::Relative(path) => hierarchy.mount.join(&hierarchy.own).join(path),
    }
}

/// Makes the directories.
pub(super) fn make(groups: &[Group]) -> io::Result<()> {
    for group in groups {
        fs::create_dir_all(&group.dir).map_err(|e| {
            file::named(
                &e,
                format_args!("making the cgroup {}", group.dir.display()),
            )
        })?;
        if group.controllers.iter().any(|name| name == "cpuset") {
            inherit_cpuset(&group.mount, &group.dir)?;
        }
    }
    Ok(())
}

/// A new cgroup has no processors and no memory nodes, and takes no process before it has: it gets those of its parent,
/// and so do the parents that are as new.
fn inherit_cpuset(mount: &Path, dir: &Path) -> io::Result<()> {
    let mut path: Vec<&Path> = (dir.ancestors())
        .take_while(|dir| dir.starts_with(mount))
        .collect();
    path.reverse();
    for step in path.windows(2) {
        let &[parent, child] = step else { continue };
        for name in ["cpuset.cpus", "cpuset.mems"] {
            let here = child.join(name);
            if file::read(&here)?.trim().is_empty() {
                file::write(&here, file::read(&parent.join(name))?.trim())?;
            }
        }
    }
    Ok(())
}
