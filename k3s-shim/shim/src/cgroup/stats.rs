//! What a cgroup has used, as the messages that containerd's CRI plugin reads: one for each version. Knows the kernel's
//! statistics files; a file that is missing (no such controller, an older kernel) leaves its fields at zero.
//!
//! All versions of containerd find the message by the plain name of its type, without a prefix as in `Any::pack`.

use std::io;
use std::path::Path;

use containerd_shim_protos::cgroups::metrics as v1;
use containerd_shim_protos::cgroups_v2::metrics as v2;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, MessageField};

use super::{Cgroup, Groups, file};

const V1: &str = "io.containerd.cgroups.v1.Metrics";
const V2: &str = "io.containerd.cgroups.v2.Metrics";

impl Cgroup {
    /// What it has used so far. Without a cgroup, a message that says nothing.
    pub(crate) fn stats(&self) -> io::Result<Any> {
        if let Some(group) = self.groups().iter().find(|group| !group.dir.exists()) {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{}: there is no such cgroup any more", group.dir.display()),
            ));
        }
        let (name, message) = match &self.groups {
            Groups::None => (V2, v2::Metrics::new().write_to_bytes()),
            Groups::V1(_) => (V1, metrics_v1(self).write_to_bytes()),
            Groups::V2(group) => (V2, metrics_v2(&group.dir).write_to_bytes()),
        };
        Ok(Any {
            type_url: name.to_owned(),
            value: message.map_err(|e| io::Error::other(format!("{name}: {e}")))?,
            ..Any::default()
        })
    }
}

fn metrics_v1(cgroup: &Cgroup) -> v1::Metrics {
    let mut metrics = v1::Metrics::new();
    if let Some(dir) = cgroup.dir("pids") {
        metrics.pids = MessageField::some(v1::PidsStat {
            current: file::number(dir, "pids.current").unwrap_or(0),
            // As containerd's library has it: no limit is 0 here, and the greatest number in version 2.
            limit: file::number(dir, "pids.max")
                .filter(|&limit| limit != u64::MAX)
                .unwrap_or(0),
            ..v1::PidsStat::default()
        });
    }
    if let Some(dir) = cgroup.dir("cpuacct") {
        let look = |file| file::look(dir, file).unwrap_or_default();
        metrics.cpu.mut_or_insert_default().usage = MessageField::some(cpu_usage_v1(
            &look("cpuacct.stat"),
            &look("cpuacct.usage_percpu"),
            file::number(dir, "cpuacct.usage").unwrap_or(0),
        ));
    }
    if let Some(dir) = cgroup.dir("cpu") {
        let stat = file::look(dir, "cpu.stat").unwrap_or_default();
        metrics.cpu.mut_or_insert_default().throttling = MessageField::some(v1::Throttle {
            periods: file::field(&stat, "nr_periods").unwrap_or(0),
            throttled_periods: file::field(&stat, "nr_throttled").unwrap_or(0),
            throttled_time: file::field(&stat, "throttled_time").unwrap_or(0),
            ..v1::Throttle::default()
        });
    }
    if let Some(dir) = cgroup.dir("memory") {
        let mut memory = memory_v1(&file::look(dir, "memory.stat").unwrap_or_default());
        memory.usage = entry_v1(dir, "memory");
        memory.swap = entry_v1(dir, "memory.memsw");
        memory.kernel = entry_v1(dir, "memory.kmem");
        memory.kernel_tcp = entry_v1(dir, "memory.kmem.tcp");
        metrics.memory = MessageField::some(memory);
        let control = file::look(dir, "memory.oom_control").unwrap_or_default();
        metrics.memory_oom_control = MessageField::some(v1::MemoryOomControl {
            oom_kill_disable: file::field(&control, "oom_kill_disable").unwrap_or(0),
            under_oom: file::field(&control, "under_oom").unwrap_or(0),
            oom_kill: file::field(&control, "oom_kill").unwrap_or(0),
            ..v1::MemoryOomControl::default()
        });
    }
    metrics
}

/// All in nanoseconds; the kernel has the parts in ticks of a hundredth of a second.
fn cpu_usage_v1(stat: &str, per_cpu: &str, total: u64) -> v1::CPUUsage {
    const TICK: u64 = 10_000_000;
    let ticks = |name| file::field(stat, name).unwrap_or(0).saturating_mul(TICK);
    v1::CPUUsage {
        total,
        kernel: ticks("system"),
        user: ticks("user"),
        per_cpu: (per_cpu.split_whitespace())
            .filter_map(|n| n.parse().ok())
            .collect(),
        ..v1::CPUUsage::default()
    }
}

fn memory_v1(stat: &str) -> v1::MemoryStat {
    let field = |name| file::field(stat, name).unwrap_or(0);
    v1::MemoryStat {
        cache: field("cache"),
        rss: field("rss"),
        rss_huge: field("rss_huge"),
        mapped_file: field("mapped_file"),
        dirty: field("dirty"),
        writeback: field("writeback"),
        pg_pg_in: field("pgpgin"),
        pg_pg_out: field("pgpgout"),
        pg_fault: field("pgfault"),
        pg_maj_fault: field("pgmajfault"),
        inactive_anon: field("inactive_anon"),
        active_anon: field("active_anon"),
        inactive_file: field("inactive_file"),
        active_file: field("active_file"),
        unevictable: field("unevictable"),
        hierarchical_memory_limit: field("hierarchical_memory_limit"),
        hierarchical_swap_limit: field("hierarchical_memsw_limit"),
        total_cache: field("total_cache"),
        total_rss: field("total_rss"),
        total_rss_huge: field("total_rss_huge"),
        total_mapped_file: field("total_mapped_file"),
        total_dirty: field("total_dirty"),
        total_writeback: field("total_writeback"),
        total_pg_pg_in: field("total_pgpgin"),
        total_pg_pg_out: field("total_pgpgout"),
        total_pg_fault: field("total_pgfault"),
        total_pg_maj_fault: field("total_pgmajfault"),
        total_inactive_anon: field("total_inactive_anon"),
        total_active_anon: field("total_active_anon"),
        total_inactive_file: field("total_inactive_file"),
        total_active_file: field("total_active_file"),
        total_unevictable: field("total_unevictable"),
        ..v1::MemoryStat::default()
    }
}

/// One of the four counters of version 1, where the kernel has it.
fn entry_v1(dir: &Path, name: &str) -> MessageField<v1::MemoryEntry> {
    let number = |what| file::number(dir, &format!("{name}.{what}"));
    MessageField(number("usage_in_bytes").map(|usage| {
        Box::new(v1::MemoryEntry {
            usage,
            limit: number("limit_in_bytes").unwrap_or(0),
            max: number("max_usage_in_bytes").unwrap_or(0),
            failcnt: number("failcnt").unwrap_or(0),
            ..v1::MemoryEntry::default()
        })
    }))
}

fn metrics_v2(dir: &Path) -> v2::Metrics {
    let look = |file| file::look(dir, file).unwrap_or_default();
    let number = |file| file::number(dir, file);
    let mut metrics = v2::Metrics::new();
    if let Some(current) = number("pids.current") {
        metrics.pids = MessageField::some(v2::PidsStat {
            current,
            limit: number("pids.max").unwrap_or(u64::MAX),
            ..v2::PidsStat::default()
        });
    }
    metrics.cpu = MessageField::some(v2::CPUStat {
        psi: pressure(&look("cpu.pressure")),
        ..cpu_v2(&look("cpu.stat"))
    });
    if let Some(usage) = number("memory.current") {
        metrics.memory = MessageField::some(v2::MemoryStat {
            usage,
            usage_limit: number("memory.max").unwrap_or(u64::MAX),
            max_usage: number("memory.peak").unwrap_or(0),
            swap_usage: number("memory.swap.current").unwrap_or(0),
            swap_limit: number("memory.swap.max").unwrap_or(0),
            swap_max_usage: number("memory.swap.peak").unwrap_or(0),
            psi: pressure(&look("memory.pressure")),
            ..memory_v2(&look("memory.stat"))
        });
        let events = look("memory.events");
        let field = |name| file::field(&events, name).unwrap_or(0);
        metrics.memory_events = MessageField::some(v2::MemoryEvents {
            low: field("low"),
            high: field("high"),
            max: field("max"),
            oom: field("oom"),
            oom_kill: field("oom_kill"),
            oom_group_kill: field("oom_group_kill"),
            ..v2::MemoryEvents::default()
        });
    }
    let usage = io_v2(&look("io.stat"));
    let psi = pressure(&look("io.pressure"));
    if !usage.is_empty() || psi.is_some() {
        metrics.io = MessageField::some(v2::IOStat {
            usage,
            psi,
            ..v2::IOStat::default()
        });
    }
    metrics
}

fn cpu_v2(stat: &str) -> v2::CPUStat {
    let field = |name| file::field(stat, name).unwrap_or(0);
    v2::CPUStat {
        usage_usec: field("usage_usec"),
        user_usec: field("user_usec"),
        system_usec: field("system_usec"),
        nr_periods: field("nr_periods"),
        nr_throttled: field("nr_throttled"),
        throttled_usec: field("throttled_usec"),
        nr_bursts: field("nr_bursts"),
        burst_usec: field("burst_usec"),
        ..v2::CPUStat::default()
    }
}

fn memory_v2(stat: &str) -> v2::MemoryStat {
    let field = |name: &str| file::field(stat, name).unwrap_or(0);
    // Since Linux 5.9 there is one count for each kind of page.
    let both = |name: &str| field(&format!("{name}_anon")) + field(&format!("{name}_file"));
    v2::MemoryStat {
        anon: field("anon"),
        file: field("file"),
        kernel_stack: field("kernel_stack"),
        slab: field("slab"),
        sock: field("sock"),
        shmem: field("shmem"),
        file_mapped: field("file_mapped"),
        file_dirty: field("file_dirty"),
        file_writeback: field("file_writeback"),
        anon_thp: field("anon_thp"),
        inactive_anon: field("inactive_anon"),
        active_anon: field("active_anon"),
        inactive_file: field("inactive_file"),
        active_file: field("active_file"),
        unevictable: field("unevictable"),
        slab_reclaimable: field("slab_reclaimable"),
        slab_unreclaimable: field("slab_unreclaimable"),
        pgfault: field("pgfault"),
        pgmajfault: field("pgmajfault"),
        workingset_refault: field("workingset_refault") + both("workingset_refault"),
        workingset_activate: field("workingset_activate") + both("workingset_activate"),
        workingset_nodereclaim: field("workingset_nodereclaim"),
        pgrefill: field("pgrefill"),
        pgscan: field("pgscan"),
        pgsteal: field("pgsteal"),
        pgactivate: field("pgactivate"),
        pgdeactivate: field("pgdeactivate"),
        pglazyfree: field("pglazyfree"),
        pglazyfreed: field("pglazyfreed"),
        thp_fault_alloc: field("thp_fault_alloc"),
        thp_collapse_alloc: field("thp_collapse_alloc"),
        ..v2::MemoryStat::default()
    }
}

/// Lines such as `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`.
fn io_v2(stat: &str) -> Vec<v2::IOEntry> {
    let entry = |line: &str| {
        let (device, counts) = line.split_once(' ')?;
        let (major, minor) = device.split_once(':')?;
        let count = |name: &str| {
            (counts.split_whitespace())
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
                .unwrap_or(0)
        };
        Some(v2::IOEntry {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            rbytes: count("rbytes"),
            wbytes: count("wbytes"),
            rios: count("rios"),
            wios: count("wios"),
            ..v2::IOEntry::default()
        })
    };
    stat.lines().filter_map(entry).collect()
}

/// Lines such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, where the kernel has them.
fn pressure(text: &str) -> MessageField<v2::PSIStats> {
    let data = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let value = |name: &str| {
            line.split_whitespace()
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let average = |name| value(name)?.parse::<f64>().ok();
        Some(Box::new(v2::PSIData {
            avg10: average("avg10")?,
            avg60: average("avg60")?,
            avg300: average("avg300")?,
            total: value("total")?.parse().ok()?,
            ..v2::PSIData::default()
        }))
    };
    let (some, full) = (data("some "), data("full "));
    if some.is_none() && full.is_none() {
        return MessageField::none();
    }
    MessageField::some(v2::PSIStats {
        some: MessageField(some),
        full: MessageField(full),
        ..v2::PSIStats::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_version_1() {
        let stat = "cache 9252864\nrss 7340032\npgfault 818138\ninactive_file 16384\n\
            hierarchical_memory_limit 67108864\nhierarchical_memsw_limit 67108865\n\
            total_rss 18137088\ntotal_pgfault 1606211409\ntotal_pgmajfault 126517\ntotal_inactive_file 949579776\n";
        let memory = memory_v1(stat);
        assert_eq!(memory.cache, 9_252_864);
        assert_eq!(memory.total_rss, 18_137_088);
        assert_eq!(memory.total_inactive_file, 949_579_776);
        assert_eq!(memory.total_pg_fault, 1_606_211_409);
        assert_eq!(memory.total_pg_maj_fault, 126_517);
        assert_eq!(memory.hierarchical_memory_limit, 67_108_864);
        assert_eq!(memory.hierarchical_swap_limit, 67_108_865);
    }

    #[test]
    fn cpu_of_version_1() {
        let usage = cpu_usage_v1("user 5709131\nsystem 726806\n", "31 33 \n", 64);
        assert_eq!(usage.total, 64);
        assert_eq!(usage.user, 57_091_310_000_000);
        assert_eq!(usage.kernel, 7_268_060_000_000);
        assert_eq!(usage.per_cpu, [31, 33]);
    }

    #[test]
    fn version_2() {
        let cpu = cpu_v2("usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 3\n");
        assert_eq!(
            (
                cpu.usage_usec,
                cpu.user_usec,
                cpu.system_usec,
                cpu.nr_periods
            ),
            (1_500, 1_000, 500, 3)
        );
        let memory = memory_v2(
            "anon 4096\nfile 8192\ninactive_file 512\nanon_thp 0\npgfault 77\nworkingset_refault_anon 1\nworkingset_refault_file 2\n",
        );
        assert_eq!(
            (memory.anon, memory.file, memory.inactive_file),
            (4_096, 8_192, 512)
        );
        assert_eq!((memory.pgfault, memory.workingset_refault), (77, 3));
    }

    #[test]
    fn devices_of_version_2() {
        let io = io_v2("254:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n7:0 \nnonsense\n");
        assert_eq!(io.len(), 2);
        assert_eq!((io[0].major, io[0].minor), (254, 16));
        assert_eq!(
            (io[0].rbytes, io[0].wbytes, io[0].rios, io[0].wios),
            (1, 2, 3, 4)
        );
        assert_eq!((io[1].major, io[1].rbytes), (7, 0));
    }

    #[test]
    fn pressure_is_there_or_not() {
        assert!(pressure("").is_none());
        let psi = pressure(
            "some avg10=1.25 avg60=0.50 avg300=0.00 total=42\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
        );
        assert_eq!(
            (psi.some.avg10, psi.some.avg60, psi.some.total),
            (1.25, 0.5, 42)
        );
        assert_eq!(psi.full.total, 7);
    }
}
