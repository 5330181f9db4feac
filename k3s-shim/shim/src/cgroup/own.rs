//! Moving the shim itself into a cgroup, so that a pod pays for its own shim, and out again, so that the cgroup can be
//! removed.

use std::io;

use super::mounts::{Hierarchies, Hierarchy};
use super::{Cgroup, file};

impl Cgroup {
    /// Moves the calling process into it.
    pub(crate) fn move_self(&self) -> io::Result<()> {
        self.add(std::process::id())
    }

    /// Moves the calling process, if it is in this cgroup or one below, back to where it was at first, or to the root if
    /// that is no more.
    pub(crate) fn leave(&self) -> io::Result<()> {
        let me = std::process::id();
        if !self.pids().contains(&me) {
            return Ok(());
        }
        let all: Vec<&Hierarchy> = match Hierarchies::of_this_process()? {
            Hierarchies::V1(hierarchies, unified) => hierarchies.iter().chain(unified).collect(),
            Hierarchies::V2(hierarchy) => vec![hierarchy],
        };
        for hierarchy in all {
            let root = hierarchy.mount.join("cgroup.procs");
            let home = hierarchy.mount.join(&hierarchy.own).join("cgroup.procs");
            // The cgroup that it was in can be gone, or have become one that takes no processes, with others below.
            file::write(&home, me).or_else(|_| file::write(&root, me))?;
        }
        Ok(())
    }
}
