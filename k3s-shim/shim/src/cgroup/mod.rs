//! The cgroup of a container, of version 1 and 2: made, limited, joined, watched, measured, frozen, killed and removed
//! through the files of its file systems alone, without a daemon. Knows of a container only its `cgroupsPath` and its
//! resources.
//!
//! | file | job |
//! |---|---|
//! | `mounts` | which hierarchies there are |
//! | `path` | the forms of `cgroupsPath` |
//! | `v1`, `v2` | making the directories |
//! | `limits` | writing the limits |
//! | `freeze`, `kill`, `own` | stopping processes, ending them, moving the shim itself |
//! | `oom` | kills by the kernel for want of memory |
//! | `stats` | what was used |
//!
//! Everything here blocks, as the files do: for well under a millisecond as a rule. What has to wait for processes
//! ([`Cgroup::freeze`], [`Cgroup::kill`], [`Cgroup::remove`]) looks again after a millisecond, then ever less often, and
//! gives up after two seconds. Only [`oom::OomWatch`] is for an event loop.

mod file;
mod freeze;
mod kill;
mod limits;
mod mounts;
mod oom;
mod own;
mod path;
mod stats;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use self::mounts::Hierarchies;
use self::path::CgroupsPath;
use crate::spec::Resources;

/// A container's cgroup: a directory in each hierarchy. It can also be none, and then does nothing.
#[derive(Debug, Clone)]
pub(crate) struct Cgroup {
    groups: Groups,
}

/// The directories.
#[derive(Debug, Clone)]
enum Groups {
    /// The container has no cgroup of its own.
    None,
    /// One for each hierarchy of version 1, and that of version 2 in a hybrid layout.
    V1(Vec<Group>),
    /// The only one.
    V2(Group),
}

/// One directory.
#[derive(Debug, Clone)]
struct Group {
    /// What it controls, in version 1. Empty for version 2.
    controllers: Vec<String>,
    /// Where its hierarchy is mounted.
    mount: PathBuf,
    /// The cgroup that has the limits and is measured.
    dir: PathBuf,
    /// The cgroup that the processes are in: `dir`, or one below.
    procs: PathBuf,
}

impl Cgroup {
    /// Makes the cgroup that `cgroups_path` names, with its parents as far as they are missing, and limits it. What was
    /// made is removed again if that fails. An empty path is no cgroup.
    pub(crate) fn create(cgroups_path: &str, resources: Option<&Resources>) -> io::Result<Self> {
        let cgroup = Self::open(cgroups_path)?;
        let made = match &cgroup.groups {
            Groups::None => Ok(()),
            Groups::V1(groups) => v1::make(groups),
            Groups::V2(group) => v2::make(group, resources),
        };
        match made.and_then(|()| resources.map_or(Ok(()), |resources| cgroup.update(resources))) {
            Ok(()) => Ok(cgroup),
            Err(e) => {
                // The first error is the one to hear of.
                let _ = cgroup.remove();
                Err(e)
            }
        }
    }

    /// The cgroup of that path. It need not be there: then it has no processes, and is removed already.
    pub(crate) fn open(cgroups_path: &str) -> io::Result<Self> {
        let Some(path) = CgroupsPath::parse(cgroups_path)? else {
            return Ok(Self {
                groups: Groups::None,
            });
        };
        let groups = match Hierarchies::of_this_process()? {
            Hierarchies::V1(hierarchies, unified) => Groups::V1(
                (hierarchies.iter().chain(unified))
                    .map(|hierarchy| v1::group(hierarchy, &path))
                    .collect(),
            ),
            Hierarchies::V2(hierarchy) => Groups::V2(v2::group(hierarchy, &path)),
        };
        Ok(Self { groups })
    }

    /// Puts a process into it.
    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        (self.groups().iter())
            .try_for_each(|group| file::write(&group.procs.join("cgroup.procs"), pid))
    }

    /// The processes in it and in the cgroups below, in order.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = BTreeSet::new();
        // In all hierarchies: a shim that died while it added a process has added it to some of them only.
        for group in self.groups() {
            collect_pids(&group.dir, &mut pids);
        }
        pids.into_iter().collect()
    }

    /// Changes the limits that are said.
    pub(crate) fn update(&self, resources: &Resources) -> io::Result<()> {
        match &self.groups {
            Groups::None => Ok(()),
            Groups::V1(_) => limits::apply_v1(self, resources),
            Groups::V2(group) => limits::apply_v2(&group.dir, resources),
        }
    }

    /// Removes it in every hierarchy, with the cgroups below. That it is gone already is as good.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let mut pauses = pauses();
        let mut result = Ok(());
        // One hierarchy that cannot be cleaned is no reason to leave the others; all share the time.
        for group in self.groups() {
            let removed = loop {
                match (remove_tree(&group.dir), pauses.next()) {
                    // A process that was killed is in it until it has run its exit to the end.
                    (Err(e), Some(pause)) if e.kind() == io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(pause);
                    }
                    (removed, _) => break removed,
                }
            };
            result = result.and(removed);
        }
        result
    }

    /// The least memory limit of this cgroup and those above, in bytes; nothing if there is none.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        let limit = match &self.groups {
            Groups::None => None,
            Groups::V1(_) => {
                let stat = file::look(self.dir("memory")?, "memory.stat")?;
                file::field(&stat, "hierarchical_memory_limit")
            }
            Groups::V2(group) => (group.dir.ancestors())
                .take_while(|dir| dir.starts_with(&group.mount))
                .filter_map(|dir| file::number(dir, "memory.max"))
                .min(),
        };
        limit.filter(|&limit| limit < limits::UNLIMITED)
    }

    /// The directories.
    fn groups(&self) -> &[Group] {
        match &self.groups {
            Groups::None => &[],
            Groups::V1(groups) => groups,
            Groups::V2(group) => std::slice::from_ref(group),
        }
    }

    /// The directory that has the files of a controller, where that is mounted.
    fn dir(&self, controller: &str) -> Option<&Path> {
        match &self.groups {
            Groups::None => None,
            Groups::V1(groups) => (groups.iter())
                .find(|group| group.controllers.iter().any(|name| name == controller))
                .map(|group| group.dir.as_path()),
            Groups::V2(group) => Some(&group.dir),
        }
    }

    /// The directory of version 2, be it the only one or beside those of version 1.
    fn unified(&self) -> Option<&Path> {
        (self.groups().iter())
            .find(|group| group.controllers.is_empty())
            .map(|group| group.dir.as_path())
    }
}

/// How long to wait before looking again, and again; two seconds in all.
fn pauses() -> impl Iterator<Item = Duration> {
    [1, 1, 2, 4, 8, 16, 32]
        .into_iter()
        .chain([50; 39])
        .map(Duration::from_millis)
}

/// The names of the cgroups in a directory. None if it is gone.
fn children(dir: &Path) -> impl Iterator<Item = PathBuf> {
    (fs::read_dir(dir).into_iter().flatten().flatten())
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

fn collect_pids(dir: &Path, pids: &mut BTreeSet<u32>) {
    let procs = file::look(dir, "cgroup.procs").unwrap_or_default();
    // 0 is a process of a pid namespace that this one cannot see.
    pids.extend(
        procs
            .lines()
            .filter_map(|pid| pid.parse().ok())
            .filter(|&pid: &u32| pid != 0),
    );
    for child in children(dir) {
        collect_pids(&child, pids);
    }
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    let removed = match fs::remove_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
            // It has processes, or cgroups below.
            for child in children(dir) {
                remove_tree(&child)?;
            }
            fs::remove_dir(dir)
        }
        result => result,
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(file::named(
            &e,
            format_args!("removing the cgroup {}", dir.display()),
        )),
        _ => Ok(()),
    }
}
