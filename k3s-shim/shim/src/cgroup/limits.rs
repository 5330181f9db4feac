//! Writing the limits of `linux.resources` into the files of a cgroup. Knows the units of both versions, and the orders in
//! which the kernel takes the values.

use std::fmt::Display;
use std::io;
use std::path::Path;

use super::{Cgroup, file};
use crate::spec::{Cpu, Memory, Resources};

/// Limits of memory from here on are none: the kernel rounds "unlimited" to its pages, containerd compares with this.
pub(super) const UNLIMITED: u64 = 1 << 62;

/// Writes the limits that are said into a cgroup of version 1.
pub(super) fn apply_v1(cgroup: &Cgroup, resources: &Resources) -> io::Result<()> {
    if let Some(file) = resources.unified.keys().next() {
        return Err(io::Error::other(format!(
            "linux.resources.unified: {file} is a file of cgroup v2, and this machine has v1"
        )));
    }
    let dir = |controller: &str| {
        cgroup.dir(controller).ok_or_else(|| {
            io::Error::other(format!(
                "linux.resources: no hierarchy with the cgroup controller {controller} is mounted"
            ))
        })
    };
    if let Some(memory) = &resources.memory {
        let (limit, reservation, swap) = (
            said(memory.limit),
            said(memory.reservation),
            said(memory.swap),
        );
        if limit.or(reservation).or(swap).is_some() {
            let dir = dir("memory")?;
            memory_v1(dir, limit, swap)?;
            set(dir, "memory.soft_limit_in_bytes", reservation)?;
        }
    }
    if let Some(cpu) = &resources.cpu {
        if cpu.has_time() {
            let dir = dir("cpu")?;
            set(dir, "cpu.shares", said(cpu.shares))?;
            quota_v1(dir, said(cpu.period), said(cpu.quota))?;
        }
        if cpu.has_set() {
            cpuset(dir("cpuset")?, cpu)?;
        }
    }
    if let Some(limit) = resources.pids_max() {
        set(dir("pids")?, "pids.max", Some(limit))?;
    }
    Ok(())
}

/// Writes the limits that are said into a cgroup of version 2.
pub(super) fn apply_v2(dir: &Path, resources: &Resources) -> io::Result<()> {
    if let Some(memory) = &resources.memory {
        memory_v2(dir, memory)?;
    }
    if let Some(cpu) = &resources.cpu {
        set(dir, "cpu.weight", said(cpu.shares).map(weight))?;
        let (period, quota) = (said(cpu.period), said(cpu.quota));
        if period.is_some() || quota.is_some() {
            let now = file::look(dir, "cpu.max").unwrap_or_default();
            set(dir, "cpu.max", Some(cpu_max(period, quota, &now)))?;
        }
        cpuset(dir, cpu)?;
    }
    set(dir, "pids.max", resources.pids_max())?;
    for (name, value) in &resources.unified {
        if name.contains('/') || !name.contains('.') {
            return Err(io::Error::other(format!(
                "linux.resources.unified: {name:?} is not the name of a file of cgroup v2"
            )));
        }
        set(dir, name, Some(value))?;
    }
    Ok(())
}

/// Writes a value that is said; a controller that is missing gets a name.
fn set(dir: &Path, name: &str, value: Option<impl Display>) -> io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    file::write(&dir.join(name), value).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            let controller = name.split('.').next().unwrap_or(name);
            io::Error::new(
                e.kind(),
                format!(
                    "{e} (is the controller {controller} in /proc/cgroups, and in cgroup.subtree_control of the cgroups above?)"
                ),
            )
        }
        _ => e,
    })
}

/// 0 is "not said", as if it was missing.
fn said<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

impl Cpu {
    fn has_time(&self) -> bool {
        said(self.shares).is_some() || said(self.period).is_some() || said(self.quota).is_some()
    }

    fn has_set(&self) -> bool {
        !self.cpus.is_empty() || !self.mems.is_empty()
    }
}

impl Resources {
    /// The limit of processes and threads, as both versions want it.
    fn pids_max(&self) -> Option<String> {
        match self.pids.as_ref()?.limit {
            0 => None,
            limit @ 1.. => Some(limit.to_string()),
            _ => Some("max".to_owned()),
        }
    }
}

fn cpuset(dir: &Path, cpu: &Cpu) -> io::Result<()> {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    set(dir, "cpuset.cpus", text(&cpu.cpus))?;
    set(dir, "cpuset.mems", text(&cpu.mems))
}

/// The limits of memory, and of memory and swap together: the second is never below the first.
fn memory_v1(dir: &Path, limit: Option<i64>, swap: Option<i64>) -> io::Result<()> {
    const MEMORY: &str = "memory.limit_in_bytes";
    const BOTH: &str = "memory.memsw.limit_in_bytes";
    let Some(now) = file::number(dir, BOTH) else {
        // The kernel was started without accounting of swap: there is nothing to be written, as every runtime has it.
        return set(dir, MEMORY, limit);
    };
    let Some(limit) = limit else {
        return set(dir, BOTH, swap);
    };
    match limit < 0 || limit.unsigned_abs() > now {
        true => {
            set(dir, BOTH, swap.or(Some(limit)))?;
            set(dir, MEMORY, Some(limit))
        }
        false => {
            set(dir, MEMORY, Some(limit))?;
            set(dir, BOTH, swap)
        }
    }
}

/// A pair that no parent may contradict at any moment: the order that works depends on the values before.
fn quota_v1(dir: &Path, period: Option<u64>, quota: Option<i64>) -> io::Result<()> {
    const PERIOD: &str = "cpu.cfs_period_us";
    const QUOTA: &str = "cpu.cfs_quota_us";
    if set(dir, PERIOD, period).is_ok() {
        return set(dir, QUOTA, quota);
    }
    set(dir, QUOTA, quota)?;
    set(dir, PERIOD, period)
}

fn memory_v2(dir: &Path, memory: &Memory) -> io::Result<()> {
    let (limit, swap) = (said(memory.limit), said(memory.swap));
    let now = file::number(dir, "memory.max");
    let swap = swap_max(limit, swap, now)?;
    // Without accounting of swap in the kernel there is no such file, and nothing to be written.
    let swap = swap.filter(|_| now.is_none() || dir.join("memory.swap.max").exists());
    set(dir, "memory.max", limit.map(bytes))?;
    set(dir, "memory.swap.max", swap)?;
    set(dir, "memory.low", said(memory.reservation).map(bytes))
}

/// Bytes, as version 2 wants them.
fn bytes(value: i64) -> String {
    u64::try_from(value).map_or("max".to_owned(), |value| value.to_string())
}

/// The limit of swap alone: `swap` is of memory and swap together.
fn swap_max(limit: Option<i64>, swap: Option<i64>, now: Option<u64>) -> io::Result<Option<String>> {
    let swap = match swap {
        None if limit.is_some_and(|limit| limit < 0) => return Ok(Some("max".to_owned())),
        None => return Ok(None),
        Some(swap) => swap,
    };
    let Ok(total) = u64::try_from(swap) else {
        return Ok(Some("max".to_owned()));
    };
    let memory = match limit {
        Some(limit) => u64::try_from(limit).ok(),
        None => now.filter(|&now| now < UNLIMITED),
    };
    let alone = memory.and_then(|memory| total.checked_sub(memory));
    alone.map(|alone| Some(alone.to_string())).ok_or_else(|| {
        io::Error::other(format!(
            "linux.resources.memory.swap: {swap} is memory and swap together, and less than the limit of memory alone"
        ))
    })
}

/// `cpu.max`: the quota and the period; what is not said stays.
fn cpu_max(period: Option<u64>, quota: Option<i64>, now: &str) -> String {
    let quota = match quota {
        Some(quota) => bytes(quota),
        None => now.split_whitespace().next().unwrap_or("max").to_owned(),
    };
    match period {
        Some(period) => format!("{quota} {period}"),
        None => quota,
    }
}

/// The weight of version 2 (1 to 10000) for the shares of version 1 (2 to 262144), on a straight line: as the kubelet has
/// it for the cgroups above, and runc for the containers beside.
fn weight(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + (shares - 2) * 9_999 / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_weights() {
        // What runc 1.1 writes for the same shares.
        for (shares, expected) in [
            (1, 1),
            (2, 1),
            (100, 4),
            (512, 20),
            (1_024, 39),
            (10_240, 391),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ] {
            assert_eq!(weight(shares), expected, "{shares}");
        }
    }

    #[test]
    fn quota_and_period() {
        assert_eq!(cpu_max(Some(100_000), Some(50_000), ""), "50000 100000");
        assert_eq!(cpu_max(Some(100_000), Some(-1), ""), "max 100000");
        assert_eq!(cpu_max(None, Some(7_000), "max 100000\n"), "7000");
        assert_eq!(cpu_max(Some(9), None, "5 100000\n"), "5 9");
        assert_eq!(cpu_max(Some(9), None, ""), "max 9");
    }

    #[test]
    fn swap_alone() {
        let max = |limit, swap, now| swap_max(limit, swap, now).unwrap();
        assert_eq!(max(Some(100), Some(100), None), Some("0".into()));
        assert_eq!(max(Some(100), Some(150), None), Some("50".into()));
        assert_eq!(max(Some(100), Some(-1), None), Some("max".into()));
        assert_eq!(max(Some(100), None, None), None);
        assert_eq!(max(Some(-1), None, None), Some("max".into()));
        assert_eq!(max(None, Some(30), Some(10)), Some("20".into()));
        for (limit, swap, now) in [
            (Some(100), Some(99), None),
            (Some(-1), Some(99), None),
            (None, Some(99), Some(u64::MAX)),
            (None, Some(99), None),
        ] {
            assert!(swap_max(limit, swap, now).is_err());
        }
    }

    #[test]
    fn zero_is_not_said() {
        assert_eq!(said(Some(0)), None);
        assert_eq!(said(Some(-1)), Some(-1));
        let pids = |limit| {
            let resources = Resources {
                pids: Some(crate::spec::Pids { limit }),
                ..Resources::default()
            };
            resources.pids_max()
        };
        assert_eq!(pids(0), None);
        assert_eq!(pids(-1), Some("max".into()));
        assert_eq!(pids(64), Some("64".into()));
        assert!(!Cpu::default().has_time() && !Cpu::default().has_set());
    }
}
