//! The cgroups of this machine, of whichever version: they need root and say so where they are skipped. With
//! `TEFF_CGROUP_VERSION` set (1 or 2) they are not skipped, and the machine has to have that version.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use containerd_shim_protos::cgroups::metrics::Metrics as MetricsV1;
use containerd_shim_protos::cgroups_v2::metrics::Metrics as MetricsV2;
use containerd_shim_protos::protobuf::Message;

use super::oom::OomWatch;
use super::*;
use crate::spec::{Cpu, Memory, Pids};

const MIB: i64 = 1 << 20;

/// A cgroup for one test, removed at the end with all that is in it.
struct Trial(Cgroup);

impl Trial {
    /// Nothing if this machine lets nobody make one, which is printed.
    fn create(name: &str, resources: &Resources) -> Option<Self> {
        may_make_cgroups().then(|| {
            let path = path(name);
            Trial(Cgroup::create(&path, Some(resources)).unwrap())
        })
    }

    fn file(&self, controller: &str, name: &str) -> String {
        let dir = self.0.dir(controller).expect(controller);
        file::read(&dir.join(name)).unwrap().trim().to_owned()
    }

    fn is_v2(&self) -> bool {
        matches!(self.0.groups, Groups::V2(_))
    }

    fn dirs(&self) -> Vec<PathBuf> {
        self.0
            .groups()
            .iter()
            .map(|group| group.dir.clone())
            .collect()
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.remove();
    }
}

fn path(name: &str) -> String {
    format!("/teff-test-{}-{name}", std::process::id())
}

fn may_make_cgroups() -> bool {
    let required = std::env::var("TEFF_CGROUP_VERSION").ok();
    let refused = match Hierarchies::of_this_process() {
        Err(e) => Some(e.to_string()),
        Ok(hierarchies) => {
            let (version, probe) = match hierarchies {
                Hierarchies::V1(all, _) => ("1", &all[0].mount),
                Hierarchies::V2(one) => ("2", &one.mount),
            };
            if let Some(required) = &required {
                assert_eq!(version, required, "the version of cgroups of this machine");
            }
            // Its own name for each thread: tests run side by side.
            let probe = probe.join(format!(
                "teff-probe-{}-{:?}",
                std::process::id(),
                std::thread::current().id()
            ));
            let made = fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe));
            made.err().map(|e| format!("{}: {e}", probe.display()))
        }
    };
    let Some(refused) = refused else { return true };
    assert!(required.is_none(), "no cgroup can be made here: {refused}");
    eprintln!("skipped: no cgroup can be made here: {refused}");
    false
}

/// A process that ends with its test.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Process(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    fn sleep() -> Self {
        Self::start(Command::new("sleep").arg("600"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn state(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("State:"))
            .unwrap();
        line.to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn resources(limit: i64) -> Resources {
    Resources {
        memory: Some(Memory {
            limit: Some(limit),
            swap: Some(limit),
            reservation: Some(limit / 2),
        }),
        cpu: Some(Cpu {
            shares: Some(512),
            quota: Some(50_000),
            period: Some(100_000),
            cpus: "0".to_owned(),
            mems: "0".to_owned(),
        }),
        pids: Some(Pids { limit: 64 }),
        ..Resources::default()
    }
}

#[test]
fn limits_are_those_that_were_said() {
    let Some(trial) = Trial::create("limits", &resources(64 * MIB)) else {
        return;
    };
    let expected = match trial.is_v2() {
        true => vec![
            ("memory", "memory.max", "67108864"),
            ("memory", "memory.low", "33554432"),
            ("cpu", "cpu.weight", "20"),
            ("cpu", "cpu.max", "50000 100000"),
            ("cpuset", "cpuset.cpus", "0"),
            ("pids", "pids.max", "64"),
        ],
        false => vec![
            ("memory", "memory.limit_in_bytes", "67108864"),
            ("memory", "memory.soft_limit_in_bytes", "33554432"),
            ("cpu", "cpu.shares", "512"),
            ("cpu", "cpu.cfs_quota_us", "50000"),
            ("cpu", "cpu.cfs_period_us", "100000"),
            ("cpuset", "cpuset.cpus", "0"),
            ("cpuset", "cpuset.mems", "0"),
            ("pids", "pids.max", "64"),
        ],
    };
    for (controller, name, value) in expected {
        assert_eq!(trial.file(controller, name), value, "{name}");
    }
    assert_eq!(trial.0.memory_limit(), Some(64 << 20));
    // A container in a pod: the limit above counts too.
    let inner = Cgroup::create(&format!("{}/inner", path("limits")), None).unwrap();
    assert_eq!(inner.memory_limit(), Some(64 << 20));
}

#[test]
fn limits_go_up_and_down() {
    let Some(trial) = Trial::create("update", &resources(32 * MIB)) else {
        return;
    };
    for limit in [128 * MIB, 16 * MIB, 4_096 * MIB] {
        trial.0.update(&resources(limit)).unwrap();
        assert_eq!(trial.0.memory_limit(), Some(limit.unsigned_abs()));
    }
    let memory = |limit, swap| Resources {
        memory: Some(Memory {
            limit: Some(limit),
            swap,
            reservation: None,
        }),
        ..Resources::default()
    };
    // Nothing said of swap.
    trial.0.update(&memory(8_192 * MIB, None)).unwrap();
    assert_eq!(trial.0.memory_limit(), Some(8_192 << 20));
    trial.0.update(&memory(-1, Some(-1))).unwrap();
    assert_eq!(trial.0.memory_limit(), None);
    let quota = Resources {
        cpu: Some(Cpu {
            quota: Some(-1),
            ..Cpu::default()
        }),
        pids: Some(Pids { limit: -1 }),
        ..Resources::default()
    };
    trial.0.update(&quota).unwrap();
    let (name, value) = match trial.is_v2() {
        true => ("cpu.max", "max 100000"),
        false => ("cpu.cfs_quota_us", "-1"),
    };
    assert_eq!(trial.file("cpu", name), value);
    assert_eq!(trial.file("pids", "pids.max"), "max");
}

#[test]
fn unified_is_for_version_2() {
    let files = Resources {
        unified: [("memory.high".to_owned(), "50331648".to_owned())].into(),
        ..Resources::default()
    };
    if !may_make_cgroups() {
        return;
    }
    let name = path("unified");
    match Cgroup::create(&name, Some(&files)) {
        Ok(cgroup) => {
            let trial = Trial(cgroup);
            assert!(trial.is_v2());
            assert_eq!(trial.file("memory", "memory.high"), "50331648");
            let bad = Resources {
                unified: [("../memory.high".to_owned(), "1".to_owned())].into(),
                ..Resources::default()
            };
            assert!(trial.0.update(&bad).is_err());
        }
        Err(e) => {
            assert!(e.to_string().contains("memory.high"), "{e}");
            let left = Trial(Cgroup::open(&name).unwrap());
            assert!(!left.is_v2());
            // What was made before the error is gone.
            assert!(left.dirs().iter().all(|dir| !dir.exists()));
        }
    }
}

#[test]
fn a_limit_that_the_kernel_refuses_is_named() {
    if !may_make_cgroups() {
        return;
    }
    let mut bad = resources(64 * MIB);
    bad.cpu.as_mut().unwrap().cpus = "9999".to_owned();
    let name = path("refused");
    let e = Cgroup::create(&name, Some(&bad)).unwrap_err().to_string();
    assert!(e.contains("cpuset.cpus") && e.contains("9999"), "{e}");
    let left = Trial(Cgroup::open(&name).unwrap());
    assert!(left.dirs().iter().all(|dir| !dir.exists()));
}

#[test]
fn processes_are_stopped_killed_and_gone() {
    let Some(trial) = Trial::create("life", &resources(64 * MIB)) else {
        return;
    };
    let cgroup = &trial.0;
    assert!(cgroup.pids().is_empty());
    let (mut one, mut two) = (Process::sleep(), Process::sleep());
    cgroup.add(one.pid()).unwrap();
    let below = Cgroup::create(&format!("{}/below", path("life")), None).unwrap();
    // In version 2 a cgroup has processes or passes limits on. This one has processes.
    below
        .add(two.pid())
        .unwrap_or_else(|_| cgroup.add(two.pid()).unwrap());
    let mut expected = [one.pid(), two.pid()];
    expected.sort_unstable();
    assert_eq!(cgroup.pids(), expected);

    cgroup.freeze().unwrap();
    cgroup.freeze().unwrap();
    // Still there, whichever state the version shows for it.
    assert!(one.state().starts_with("State:"));
    cgroup.thaw().unwrap();
    cgroup.thaw().unwrap();

    let e = cgroup.remove().unwrap_err();
    assert!(e.to_string().contains("teff-test"), "{e}");

    cgroup.freeze().unwrap();
    cgroup.kill().unwrap();
    assert!(cgroup.pids().is_empty());
    cgroup.kill().unwrap();
    for process in [&mut one, &mut two] {
        use std::os::unix::process::ExitStatusExt;
        let status = process.0.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    }

    cgroup.remove().unwrap();
    assert!(trial.dirs().iter().all(|dir| !dir.exists()));
    cgroup.remove().unwrap();
    cgroup.kill().unwrap();
    assert!(cgroup.pids().is_empty());
    assert_eq!(cgroup.stats().unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_frozen_process_does_nothing() {
    let Some(trial) = Trial::create("frozen", &resources(64 * MIB)) else {
        return;
    };
    let mut counter = Command::new("sh");
    counter.args(["-c", "read go; while :; do :; done"]);
    let counter = Process::start(&mut counter);
    trial.0.add(counter.pid()).unwrap();
    (counter.0.stdin.as_ref().unwrap())
        .write_all(b"go\n")
        .unwrap();
    let used = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", counter.pid())).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let ticks = after_name.split_whitespace().nth(11).unwrap();
        ticks.parse::<u64>().unwrap()
    };
    until("it runs", || used() > 0);
    trial.0.freeze().unwrap();
    let before = used();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(used(), before);
    trial.0.thaw().unwrap();
    until("it goes on", || used() > before);
}

#[test]
fn what_was_used_is_measured() {
    let Some(trial) = Trial::create("stats", &resources(64 * MIB)) else {
        return;
    };
    let mut busy = Command::new("sh");
    busy.args([
        "-c",
        "read go; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; exec sleep 600",
    ]);
    let mut busy = Process::start(busy.stdout(Stdio::piped()));
    trial.0.add(busy.pid()).unwrap();
    (busy.0.stdin.as_ref().unwrap()).write_all(b"go\n").unwrap();
    let mut line = [0];
    io::Read::read_exact(busy.0.stdout.as_mut().unwrap(), &mut line).unwrap();

    // The kernel brings some numbers up to date only every two seconds.
    until("it has used processor, memory and page faults", || {
        let used = used(&trial);
        used.iter().all(|&used| used > 0)
    });
    trial.0.kill().unwrap();
}

/// Processor time, memory and page faults, after a look at what does not change.
fn used(trial: &Trial) -> [u64; 3] {
    let any = trial.0.stats().unwrap();
    let (used, limit, pids) = match trial.is_v2() {
        true => {
            assert_eq!(any.type_url, "io.containerd.cgroups.v2.Metrics");
            let metrics = MetricsV2::parse_from_bytes(&any.value).unwrap();
            assert_eq!(metrics.pids.limit, 64);
            assert!(metrics.memory_events.is_some());
            assert_eq!(metrics.memory_events.oom_kill, 0);
            let (cpu, memory) = (&metrics.cpu, &metrics.memory);
            let used = [cpu.usage_usec, memory.usage, memory.pgfault];
            (used, memory.usage_limit, metrics.pids.current)
        }
        false => {
            assert_eq!(any.type_url, "io.containerd.cgroups.v1.Metrics");
            let metrics = MetricsV1::parse_from_bytes(&any.value).unwrap();
            assert_eq!(metrics.pids.limit, 64);
            assert!(metrics.memory_oom_control.is_some());
            assert!(!metrics.cpu.usage.per_cpu.is_empty());
            let (cpu, memory) = (&metrics.cpu.usage, &metrics.memory);
            let used = [cpu.total, memory.usage.usage, memory.total_pg_fault];
            (used, memory.usage.limit, metrics.pids.current)
        }
    };
    assert_eq!((limit, pids), (64 << 20, 1));
    used
}

/// Takes 128 MiB, once it has read a line.
fn eater() -> Process {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "read go; exec dd if=/dev/zero of=/dev/null bs=128M count=1",
    ]);
    Process::start(command.stderr(Stdio::null()))
}

#[test]
fn a_kill_for_want_of_memory_is_seen() {
    let Some(trial) = Trial::create("oom", &resources(16 * MIB)) else {
        return;
    };
    let runtime = runtime();
    let mut watch = runtime.block_on(async { trial.0.oom_watch() }).unwrap();
    for round in 1..=2 {
        assert!(!runtime.block_on(ready(&mut watch, Duration::from_millis(50))));
        let mut eater = eater();
        trial.0.add(eater.pid()).unwrap();
        (eater.0.stdin.as_ref().unwrap())
            .write_all(b"go\n")
            .unwrap();
        assert!(runtime.block_on(ready(&mut watch, Duration::from_secs(60))));
        assert!(!eater.0.wait().unwrap().success());
        assert_eq!(trial.0.oom_kills(), round);
    }
    // One that nobody waited for at the time: the next to wait hears of it.
    let mut late = eater();
    trial.0.add(late.pid()).unwrap();
    (late.0.stdin.as_ref().unwrap()).write_all(b"go\n").unwrap();
    assert!(!late.0.wait().unwrap().success());
    assert_eq!(trial.0.oom_kills(), 3);
    assert!(runtime.block_on(ready(&mut watch, Duration::from_secs(60))));

    // Removal under the watch, which then has nothing more to say.
    trial.0.remove().unwrap();
    assert!(trial.dirs().iter().all(|dir| !dir.exists()));
    assert!(!runtime.block_on(ready(&mut watch, Duration::from_millis(300))));
    assert_eq!(trial.0.oom_kills(), 0);
}

#[test]
fn a_killed_process_is_not_one_that_wanted_memory() {
    let Some(trial) = Trial::create("killed", &resources(16 * MIB)) else {
        return;
    };
    let runtime = runtime();
    let mut watch = runtime.block_on(async { trial.0.oom_watch() }).unwrap();
    let process = Process::sleep();
    trial.0.add(process.pid()).unwrap();
    trial.0.kill().unwrap();
    assert!(!runtime.block_on(ready(&mut watch, Duration::from_millis(50))));
    assert_eq!(trial.0.oom_kills(), 0);
}

#[test]
fn the_form_of_systemd() {
    if !may_make_cgroups() {
        return;
    }
    let slice = format!("teff{}.slice", std::process::id());
    let cgroup = Cgroup::create(
        &format!("{slice}:cri-containerd:ID"),
        Some(&resources(64 * MIB)),
    );
    let trial = Trial(cgroup.unwrap());
    let parent = Trial(Cgroup::open(&format!("/{slice}")).unwrap());
    for dir in trial.dirs() {
        assert!(dir.ends_with(format!("{slice}/cri-containerd-ID.scope")));
        assert!(dir.is_dir());
    }
    assert_eq!(trial.0.memory_limit(), Some(64 << 20));
    let process = Process::sleep();
    trial.0.add(process.pid()).unwrap();
    assert_eq!(trial.0.pids(), [process.pid()]);
    if let Groups::V2(group) = &trial.0.groups {
        // What systemd does to the slice of a pod when a sidecar's scope ends.
        let control = group.dir.parent().unwrap().join("cgroup.subtree_control");
        assert!(file::write(&control, "-memory").is_err());
        assert_eq!(trial.file("memory", "memory.max"), "67108864");
    }
    trial.0.kill().unwrap();
    trial.0.remove().unwrap();
    parent.0.remove().unwrap();
    assert!(
        trial
            .dirs()
            .iter()
            .all(|dir| !dir.parent().unwrap().exists())
    );
}

#[test]
fn no_cgroup_does_nothing() {
    let none = Cgroup::create("", Some(&resources(MIB))).unwrap();
    none.add(std::process::id()).unwrap();
    none.freeze().unwrap();
    none.thaw().unwrap();
    none.kill().unwrap();
    none.leave().unwrap();
    none.remove().unwrap();
    assert!(none.pids().is_empty());
    assert_eq!((none.memory_limit(), none.oom_kills()), (None, 0));
    assert!(none.stats().unwrap().value.is_empty());
    let runtime = runtime();
    let mut watch = runtime.block_on(async { none.oom_watch() }).unwrap();
    assert!(!runtime.block_on(ready(&mut watch, Duration::from_millis(10))));
}

/// Set for the one test that this executable runs again in a process of its own.
const ALONE: &str = "TEFF_TEST_ALONE";

fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// That test again, which waits for a line.
fn alone(test: &str) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("cgroup::tests::{test}"), "--nocapture"]);
    Process::start(command.env(ALONE, "1").stdout(Stdio::piped()))
}

fn go_and_pass(mut process: Process) {
    process.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut text = String::new();
    let stdout = process.0.stdout.as_mut().unwrap();
    io::Read::read_to_string(stdout, &mut text).unwrap();
    assert!(process.0.wait().unwrap().success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

/// The whole process moves, with all its threads, and what is started at that time starts there: not beside other tests.
#[test]
fn the_shim_moves_in_and_out() {
    if !is_alone() {
        return go_and_pass(alone("the_shim_moves_in_and_out"));
    }
    let Some(trial) = Trial::create("own", &Resources::default()) else {
        return;
    };
    let before = fs::read_to_string("/proc/self/cgroup").unwrap();
    trial.0.move_self().unwrap();
    let within = fs::read_to_string("/proc/self/cgroup").unwrap();
    assert!(within.contains(&path("own")), "{within}");
    // It does neither stop nor kill itself.
    assert!(trial.0.freeze().is_err());
    let process = Process::sleep();
    assert_eq!(trial.0.pids().len(), 2);
    trial.0.kill().unwrap();
    assert_eq!(trial.0.pids(), [std::process::id()]);
    drop(process);
    // A relative path is still one below the cgroup it started in.
    let relative = Cgroup::open("teff-test/relative").unwrap();
    let text = format!("{relative:?}");
    assert!(!text.contains(&path("own")), "{text}");
    trial.0.leave().unwrap();
    assert_eq!(fs::read_to_string("/proc/self/cgroup").unwrap(), before);
    trial.0.leave().unwrap();
    trial.0.remove().unwrap();
    assert!(trial.dirs().iter().all(|dir| !dir.exists()));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Does the watch report a kill before the time is over?
async fn ready(watch: &mut OomWatch, limit: Duration) -> bool {
    tokio::time::timeout(limit, watch.killed()).await.is_ok()
}

/// Waits for what must come.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within a minute: {what}");
}
