//! Making a cgroup of version 2: one directory, with the controllers enabled in all those above. Knows nothing of limits,
//! except which controllers the files of version 2 in `unified` belong to.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::mounts::Hierarchy;
use super::path::CgroupsPath;
use super::{Group, file, v1};
use crate::spec::Resources;

/// The controllers that limits and statistics need.
const CONTROLLERS: [&str; 5] = ["cpuset", "cpu", "io", "memory", "pids"];

/// The cgroup for the processes below one of systemd's.
///
/// systemd does not know of a cgroup that was made without asking it, and so disables the controllers in the pod's slice
/// when the last unit that it does know of ends there (a sidecar's scope). That would take the limits away. The kernel
/// refuses it as long as a cgroup in the slice has enabled the controllers for cgroups below itself; and one that has
/// done so may hold no processes.
const LEAF: &str = "teff";

/// The place of a cgroup.
pub(super) fn group(hierarchy: &Hierarchy, path: &CgroupsPath) -> Group {
    let dir = v1::place(hierarchy, path);
    let procs = match path {
        CgroupsPath::Systemd(_) => dir.join(LEAF),
        _ => dir.clone(),
    };
    Group {
        controllers: Vec::new(),
        mount: hierarchy.mount.clone(),
        dir,
        procs,
    }
}

/// Makes the directory.
pub(super) fn make(group: &Group, resources: Option<&Resources>) -> io::Result<()> {
    let mut wanted: BTreeSet<&str> = CONTROLLERS.into();
    wanted.extend(
        (resources.iter())
            .flat_map(|resources| resources.unified.keys())
            .filter_map(|file| Some(file.split_once('.')?.0)),
    );
    let mut path: Vec<&Path> = (group.procs.ancestors())
        .take_while(|dir| dir.starts_with(&group.mount))
        .collect();
    path.reverse();
    for step in path.windows(2) {
        let &[parent, child] = step else { continue };
        enable(parent, &wanted);
        match fs::create_dir(child) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(file::named(
                    &e,
                    format_args!("making the cgroup {}", child.display()),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Enables controllers in the cgroups below a directory.
fn enable(dir: &Path, wanted: &BTreeSet<&str>) {
    let has = file::look(dir, "cgroup.controllers").unwrap_or_default();
    let enabled = file::look(dir, "cgroup.subtree_control").unwrap_or_default();
    let enabled: Vec<&str> = enabled.split_whitespace().collect();
    for name in has.split_whitespace() {
        if wanted.contains(name) && !enabled.contains(&name) {
            // One at a time, and no matter if it fails: a cgroup with processes of its own refuses them all, real-time
            // processes bar `cpu`, and perhaps none of its limits is wanted. If one is, writing it says what is wrong.
            let _ = file::write(&dir.join("cgroup.subtree_control"), format_args!("+{name}"));
        }
    }
}
