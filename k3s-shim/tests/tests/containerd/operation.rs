//! What a kubelet and `kubectl` ask of a container that runs.

use k8s_cri::v1::LinuxContainerResources;
use teff_shim_tests::{Node, wait};

use crate::{Test, tests};

pub(crate) const TESTS: &[Test] = tests!(false:
    logs, exec, measurements, other_limits, paused_and_counted, stop_asks_first, stop_kills_at_last, memory_ends_for_the_guest,
    memory_ends_for_the_container, verify,
);

/// What one line after the other is written, is in the log while the container runs.
fn logs(node: &Node) {
    let pod = node.pod("logs").start();
    let container = pod.module(&["/tool.wasm#count"]).start();
    container.says("1\n2\n3\n");
    assert!(container.runs());
    pod.remove().unwrap();
}

fn exec(node: &Node) {
    let pod = node.pod("exec").start();
    let container = pod.module(&["/tool.wasm#sleep"]).env("KEPT", "yes").start();
    container.says("ready");
    let (status, said) = container
        .exec(&["/tool.wasm#arguments", "a", "b"], 60)
        .unwrap();
    assert_eq!(status, 0);
    assert!(said.stdout.ends_with("\na\nb\n"), "{said:?}");
    let (status, said) = container.exec(&["#environ"], 60).unwrap();
    assert!(status == 0 && said.stdout.contains("KEPT=yes"), "{said:?}");
    assert_eq!(container.exec(&["#answer"], 60).unwrap().0, 42);
    let (status, said) = container.exec(&["#trap"], 60).unwrap();
    assert!(
        status == 134 && said.stderr.contains("unreachable"),
        "{status} {said:?}"
    );
    let error = container.exec(&["/nothing"], 60).unwrap_err();
    assert!(error.contains("/nothing"), "{error}");
    let error = container.exec(&["#spin"], 1).unwrap_err();
    assert!(
        error.contains("timeout") || error.contains("timed out") || error.contains("deadline"),
        "{error}"
    );
    wait("what was executed too long is gone", || {
        let own = container.cgroup("pids", "cgroup.procs");
        (own.lines().count() == 1).then_some(())
    });
    // Many at once, as probes come.
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| container.exec(&["#answer"], 60)))
            .collect();
        for one in all {
            assert_eq!(one.join().unwrap().unwrap().0, 42);
        }
    });
    assert!(container.runs());
    pod.remove().unwrap();
}

fn measurements(node: &Node) {
    let pod = node.pod("measurements").start();
    let container = pod.module(&["/tool.wasm#spin"]).start();
    container.says("ready");
    let nanos = || {
        let cpu = container.stats().cpu?.usage_core_nano_seconds?;
        Some(cpu.value)
    };
    let before = wait("there are measurements", nanos);
    wait("time of the processor is counted", || {
        (nanos()? > before + 100_000_000).then_some(())
    });
    let memory = container
        .stats()
        .memory
        .and_then(|memory| memory.working_set_bytes);
    let memory = memory.map_or(0, |bytes| bytes.value);
    assert!((50_000..50_000_000).contains(&memory), "{memory} bytes");
    let whole = pod.stats().linux.expect("of Linux");
    let whole = whole
        .memory
        .and_then(|memory| memory.working_set_bytes)
        .map_or(0, |bytes| bytes.value);
    assert!(
        whole > memory,
        "the pod's memory, {whole}, does not have the shim's beside {memory}"
    );
    pod.remove().unwrap();
}

fn other_limits(node: &Node) {
    let pod = node.pod("update").start();
    let container = pod.module(&["/tool.wasm#sleep"]).memory(64 << 20).start();
    container.says("ready");
    let is_v2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let (memory, shares) = match is_v2 {
        true => ("memory.max", ("cpu.weight", "20\n")),
        false => ("memory.limit_in_bytes", ("cpu.shares", "512\n")),
    };
    assert_eq!(
        container.cgroup("memory", memory),
        format!("{}\n", 64 << 20)
    );
    let resources = LinuxContainerResources {
        memory_limit_in_bytes: 128 << 20,
        cpu_shares: 512,
        ..LinuxContainerResources::default()
    };
    container.update(resources).unwrap();
    assert_eq!(
        container.cgroup("memory", memory),
        format!("{}\n", 128 << 20)
    );
    assert_eq!(container.cgroup("cpu", shares.0), shares.1);
    pod.remove().unwrap();
}

/// What the CRI has no call for, and containerd's own client has.
fn paused_and_counted(node: &Node) {
    let pod = node.pod("paused").start();
    let container = pod.module(&["/tool.wasm#count"]).start();
    container.says("3\n");
    let task = |action: &str| {
        let mut ctr = node.command("ctr");
        ctr.arg("--address").arg(node.socket());
        ctr.args(["--namespace", "k8s.io", "tasks", action, &container.id]);
        let output = ctr.output().unwrap();
        assert!(output.status.success(), "{action}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let process = container.process();
    let counted = task("ps");
    let pids: Vec<&str> = counted
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(pids, [process.0.to_string()], "{counted}");

    task("pause");
    let ticks = || process.file("stat");
    let (before, said) = (ticks(), container.log().stdout);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(
        ticks(),
        before,
        "a paused process has done something, or changed its state"
    );
    assert_eq!(container.log().stdout, said);
    task("resume");
    wait("it goes on", || {
        (container.log().stdout.len() > said.len() + 4).then_some(())
    });
    // What is paused can be stopped all the same.
    task("pause");
    container.stop(1).unwrap();
    assert!([137, 143].contains(&container.end().0));
    pod.remove().unwrap();
}

fn stop_asks_first(node: &Node) {
    let pod = node.pod("stop").start();
    for function in ["spin", "sleep"] {
        let container = pod.module(&[&format!("/tool.wasm#{function}")]).start();
        container.says("ready");
        container.stop(60).unwrap();
        assert_eq!(container.end().0, 143, "{function}");
        assert_eq!(container.log().stdout, "ready\nstopping\n", "{function}");
    }
    pod.remove().unwrap();
}

fn stop_kills_at_last(node: &Node) {
    let pod = node
        .pod("kill")
        .annotation("teff.dev/grace-period", "3600")
        .start();
    let container = pod.module(&["/stubborn.wasm"]).start();
    container.says("ready");
    container.stop(1).unwrap();
    assert_eq!(container.end().0, 137);
    let container = pod.module(&["/stubborn.wasm"]).name("at-once").start();
    container.says("ready");
    container.stop(0).unwrap();
    assert_eq!(container.end().0, 137);
    pod.remove().unwrap();

    let pod = node
        .pod("grace")
        .annotation("teff.dev/grace-period", "1")
        .start();
    let container = pod.module(&["/stubborn.wasm"]).start();
    container.says("ready");
    container.stop(100).unwrap();
    assert_eq!(
        container.end().0,
        143,
        "the guest's own grace was over first"
    );
    pod.remove().unwrap();
}

/// `memory.grow` fails before the kernel would kill.
fn memory_ends_for_the_guest(node: &Node) {
    let pod = node.pod("grow").start();
    let container = pod.module(&["/tool.wasm#bomb"]).memory(32 << 20).start();
    container.says("no more");
    let pages: u64 = container
        .log()
        .stdout
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((64..512).contains(&pages), "{pages} pages in 32 MiB");
    assert!(container.runs());
    pod.remove().unwrap();
}

/// A file in memory is the container's memory too, and no `memory.grow` can fail for it.
fn memory_ends_for_the_container(node: &Node) {
    let volume = node.folder().join("in-memory");
    std::fs::create_dir_all(&volume).unwrap();
    let mount = |arguments: &[&str]| {
        let output = std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let path = volume.to_str().unwrap();
    mount(&["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", path]);
    let pod = node.pod("oom").start();
    let container = pod
        .module(&["/tool.wasm#fill"])
        .args(&["/data/full"])
        .memory(24 << 20);
    let container = container.mount(&volume, "/data", false).start();
    let (status, reason) = container.end();
    let shim_lives = pod.shim().lives();
    pod.remove().unwrap();
    mount(&["umount", path]);
    assert_eq!((status, reason.as_str()), (137, "OOMKilled"));
    assert!(shim_lives);
}

/// The checklist for operators finds nothing wrong here.
fn verify(node: &Node) {
    let mut command = node.command("teff-shim");
    let output = command
        .args(["verify", "--json", "--address"])
        .arg(node.socket())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}: {text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(report.to_string().contains("probe pod"), "{report}");
}
