//! The processes of a pod, and what they take. Knows /proc, and how shims are told which pod is theirs.

use std::collections::BTreeSet;

use teff_shim_tests::{Node, Pod, Process};

/// What one pod takes, in all its processes; memory in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) processes: u64,
    pub(crate) threads: u64,
    pub(crate) rss: u64,
    pub(crate) pss: u64,
    pub(crate) private: u64,
}

impl Memory {
    /// Of a pod: what is in its cgroup, the shims that have its id in their command line, and what these started.
    pub(crate) fn of(node: &Node, pod: &Pod<'_>) -> Self {
        let all = Process::all();
        let in_cgroup = format!("{}/{}/", node.cgroup(), pod.name());
        let mut own: BTreeSet<i32> = all
            .iter()
            .filter(|it| it.file("cgroup").contains(&in_cgroup) || it.words().contains(&pod.id))
            .map(|it| it.0)
            .collect();
        loop {
            let known = own.len();
            for process in &all {
                if process.parent().is_some_and(|it| own.contains(&it.0)) {
                    own.insert(process.0);
                }
            }
            if own.len() == known {
                break;
            }
        }
        let mut sum = Self::default();
        for process in own.into_iter().map(Process) {
            let kib = |key| number(process, "smaps_rollup", key);
            sum.processes += 1;
            sum.threads += number(process, "status", "Threads");
            sum.rss += kib("Rss");
            sum.pss += kib("Pss");
            sum.private += kib("Private_Clean") + kib("Private_Dirty");
        }
        sum
    }
}

fn number(process: Process, file: &str, key: &str) -> u64 {
    let value = process.value(file, key);
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}
