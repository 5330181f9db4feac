//! What pods leave on a machine while they run, and must not when they are gone. Knows where containerd and the shim put
//! things.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Process;

/// Folders whose entries are made for pods, beside those in the node's own.
const SHARED: [&str; 3] = [
    "/run/containerd/s",
    "/run/netns",
    "/run/containerd/runc/k8s.io",
];

/// A set of them, each with its kind.
#[derive(Debug, Clone, Default)]
pub struct Traces(BTreeSet<(Kind, String)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Process,
    Mount,
    Cgroup,
    File,
}

impl Traces {
    /// Those of the node in a folder, with its name in its cgroups.
    pub(crate) fn find(folder: &Path, name: &str) -> Self {
        let folder = folder.to_string_lossy();
        let mut all = BTreeSet::new();
        let in_cgroup = format!("/{name}/");
        for process in Process::all() {
            let program = fs::read_link(format!("/proc/{}/exe", process.0)).unwrap_or_default();
            if program.starts_with(&*folder) || process.file("cgroup").contains(&in_cgroup) {
                all.insert((Kind::Process, process.0.to_string()));
            }
        }
        for line in Process(std::process::id() as i32).file("mountinfo").lines() {
            if let Some(point) = line.split(' ').nth(4)
                && (point.starts_with(&*folder) || point.starts_with("/run/netns/"))
            {
                all.insert((Kind::Mount, point.into()));
            }
        }
        for hierarchy in hierarchies() {
            for pod in folders(&hierarchy.join(name)) {
                all.insert((Kind::Cgroup, pod.display().to_string()));
            }
        }
        let state = PathBuf::from(format!("{folder}/state"));
        let own = ["io.containerd.runtime.v2.task/k8s.io", "s"].map(|name| state.join(name));
        for folder in SHARED.iter().map(PathBuf::from).chain(own) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                all.insert((Kind::File, entry.path().display().to_string()));
            }
        }
        Self(all)
    }

    /// Those that others do not have.
    pub(crate) fn without(self, others: &Self) -> Self {
        Self(self.0.difference(&others.0).cloned().collect())
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that have to do with something: an id, a pod's name.
    pub fn of(self, what: &str) -> Self {
        Self(
            self.0
                .into_iter()
                .filter(|(_, name)| name.contains(what))
                .collect(),
        )
    }

    /// Removes what can be: for a run that has failed.
    pub(crate) fn clear(&self) {
        for (kind, name) in self.0.iter().rev() {
            match kind {
                Kind::Process => Process(name.parse().unwrap_or(i32::MAX)).kill(),
                Kind::Mount => drop(Command::new("umount").args(["--lazy", name]).output()),
                Kind::Cgroup => drop(fs::remove_dir(name)),
                Kind::File => {}
            }
        }
    }
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, name) in &self.0 {
            writeln!(f, "{kind:?} {name}")?;
            if let (Kind::Process, Ok(id)) = (kind, name.parse()) {
                writeln!(f, "    {}", Process(id).words().join(" "))?;
            }
        }
        Ok(())
    }
}

/// Where cgroups are: the one place of version 2, or one for each controller.
pub(crate) fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return vec![root.into()];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    // Names of two controllers in one are links.
    let real = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    real.map(|entry| entry.path()).collect()
}

/// A folder and all below it, if it is there; not its files.
fn folders(path: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.push(entry.path());
            all.extend(folders(&entry.path()));
        }
    }
    all
}
