//! A container's process as its node sees it: what the kernel says of it in /proc. Knows cgroup names only as far as a
//! container's id is in them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What the kernel says of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) pid: u32,
    /// /proc/PID/status
    pub(crate) status: String,
    /// /proc/PID/mountinfo
    pub(crate) mounts: String,
}

/// Tell what the kernel says of a container's process (verify runs this on the node).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The container's id.
    #[arg(long, value_name = "ID")]
    container: String,
}

/// Prints it as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let seen = of_container(Path::new("/proc"), &args.container)?;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

/// The process of a container: the only one in its cgroup.
pub(crate) fn of_container(proc: &Path, id: &str) -> Result<Seen> {
    let processes = fs::read_dir(proc).with_context(|| proc.display().to_string())?;
    let is_its = |folder: &PathBuf| {
        let cgroups = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
        // The id ends the name, or systemd's `.scope` does.
        cgroups.lines().any(|line| {
            let name = line.rsplit(['/', ':', '-']).next().unwrap_or_default();
            name.trim_end_matches(".scope") == id
        })
    };
    let found = processes
        .flatten()
        .map(|entry| entry.path())
        .find(|folder| folder.join("status").exists() && is_its(folder));
    let folder = found
        .with_context(|| format!("no process of this node is in a cgroup of container {id}"))?;
    let name = folder.file_name().and_then(|name| name.to_str());
    let pid = name
        .and_then(|name| name.parse().ok())
        .context("no process id")?;
    of(proc, pid)
}

/// A process by its id.
pub(crate) fn of(proc: &Path, pid: u32) -> Result<Seen> {
    let read = |name: &str| {
        let path = proc.join(pid.to_string()).join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    Ok(Seen {
        pid,
        status: read("status")?,
        mounts: read("mountinfo")?,
    })
}

impl Seen {
    /// A line of the status.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| -> Option<std::ops::Range<usize>> {
            let (key, _) = line.split_once(':')?;
            (key == name).then_some(key.len() + 1..line.len())
        };
        let mut lines = self.status.lines();
        lines.find_map(|text| line(text).map(|range| text[range].trim()))
    }

    /// Where each mount is, with its type and options.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.mounts.lines().filter_map(|line| {
            let (own, other) = line.split_once(" - ")?;
            let mut own = own.split(' ').skip(4);
            Some((own.next()?, other.split(' ').next()?, own.next()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_cgroup() {
        let proc = tempfile::TempDir::new().unwrap();
        let add = |pid: &str, cgroup: &str| {
            let folder = proc.path().join(pid);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("cgroup"), cgroup).unwrap();
            fs::write(
                folder.join("status"),
                format!("Name:\tx\nSeccomp:\t2\nPid:\t{pid}\n"),
            )
            .unwrap();
            let mounts = "36 35 0:30 / / ro,relatime master:1 - overlay overlay rw\n";
            fs::write(folder.join("mountinfo"), mounts).unwrap();
        };
        add("1", "0::/init.scope\n");
        add("20", "4:memory:/kubepods/burstable/pod1/abcd\n0::/\n");
        add(
            "21",
            "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-ef01.scope\n",
        );
        let seen = of_container(proc.path(), "abcd").unwrap();
        assert_eq!(
            (seen.pid, seen.field("Seccomp"), seen.field("Nothing")),
            (20, Some("2"), None)
        );
        assert_eq!(
            seen.mounts().collect::<Vec<_>>(),
            [("/", "overlay", "ro,relatime")]
        );
        assert_eq!(of_container(proc.path(), "ef01").unwrap().pid, 21);
        assert!(of_container(proc.path(), "bcd").is_err());
    }
}
