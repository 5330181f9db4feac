//! What a container is given, and what not.

use std::fs;

use k8s_cri::v1::Int64Value;
use teff_shim_tests::{Node, Pod, Process};

use crate::{Test, tests};

pub(crate) const TESTS: &[Test] = tests!(false:
    arguments_and_environment, volumes, read_only_root, paths_outside, confinement, users, one_shim_without_a_pause_process,
    terminals_are_refused,
);

/// WASI's error codes.
const BADF: i32 = 8;
const NOENT: i32 = 44;
const PERM: i32 = 63;

/// Runs a function of the tool to its end.
fn tool(pod: &Pod<'_>, function: &str, name: &str, path: &str) -> (i32, String) {
    let container = pod
        .module(&[&format!("/tool.wasm#{function}")])
        .name(name)
        .args(&[path])
        .start();
    let (status, _) = container.end();
    (status, container.log().stdout)
}

fn arguments_and_environment(node: &Node) {
    let pod = node.pod("arguments").start();
    let container = pod
        .module(&["/tool.wasm#arguments"])
        .args(&["one", "two words", ""])
        .start();
    assert_eq!(container.end().0, 0);
    let said = container.log().stdout;
    assert!(said.ends_with("\none\ntwo words\n\n"), "{said}");

    let container = pod
        .module(&["tool.wasm#environ"])
        .working_dir("/")
        .env("GREETING", "hello, node")
        .start();
    assert_eq!(container.end().0, 0);
    let said = container.log().stdout;
    for line in ["GREETING=hello, node", "HOSTNAME=arguments", "PWD=/"] {
        assert!(
            said.lines().any(|it| it == line),
            "{line} is missing: {said}"
        );
    }
    pod.remove().unwrap();
}

fn volumes(node: &Node) {
    let host = tempfile(node, "volumes");
    fs::write(host.join("given"), "from the node\n").unwrap();
    let pod = node.pod("volumes").start();
    let run = |function: &str, name: &str, path: &str, readonly: bool| {
        let container = pod
            .module(&[&format!("/tool.wasm#{function}")])
            .name(name)
            .args(&[path]);
        let container = container.mount(&host, "/data", readonly).start();
        (container.end().0, container.log().stdout)
    };
    assert_eq!(
        run("read", "a", "/data/given", true),
        (0, "from the node\n".into())
    );
    let (status, _) = run("write", "b", "/data/new", true);
    assert_ne!(status, 0, "a volume to read only was written");
    assert!(!host.join("new").exists());
    assert_eq!(run("write", "c", "/data/new", false).0, 0);
    assert_eq!(fs::read_to_string(host.join("new")).unwrap(), "ready\n");
    pod.remove().unwrap();
}

fn read_only_root(node: &Node) {
    let pod = node.pod("read-only-root").start();
    for (readonly, name) in [(false, "writes"), (true, "reads")] {
        let container = pod.module(&["/tool.wasm#write"]).name(name).args(&["/new"]);
        let container = container
            .security(|context| context.readonly_rootfs = readonly)
            .start();
        assert_eq!(container.end().0 == 0, !readonly, "{name}");
    }
    pod.remove().unwrap();
}

/// Neither by dots nor by links of a volume; and what is in the node's file system is not in the container's.
fn paths_outside(node: &Node) {
    let host = tempfile(node, "outside");
    std::os::unix::fs::symlink("/etc", host.join("absolute")).unwrap();
    std::os::unix::fs::symlink("../../../../../../etc", host.join("upwards")).unwrap();
    let pod = node.pod("outside").start();
    for (number, path) in ["/../etc/passwd", "/./../../proc/1/environ"]
        .iter()
        .enumerate()
    {
        assert_eq!(
            tool(&pod, "read", &format!("dots{number}"), path),
            (PERM, String::new())
        );
    }
    for (number, path) in [
        "/data/absolute/passwd",
        "/data/upwards/passwd",
        "/data/../../etc/passwd",
    ]
    .iter()
    .enumerate()
    {
        let container = pod
            .module(&["/tool.wasm#read"])
            .name(&format!("volume{number}"))
            .args(&[path]);
        let container = container.mount(&host, "/data", false).start();
        assert_eq!(
            (container.end().0, container.log().stdout),
            (PERM, String::new()),
            "{path}"
        );
    }
    for (number, path) in [
        "/proc/self/environ",
        "/etc/passwd",
        "/dev/mem",
        "/sys/kernel/uevent_helper",
    ]
    .iter()
    .enumerate()
    {
        let (status, said) = tool(&pod, "read", &format!("node{number}"), path);
        assert!(
            [NOENT, BADF, PERM].contains(&status) && said.is_empty(),
            "{path}: {status}"
        );
    }
    pod.remove().unwrap();
}

/// The guest's process, seen from the node.
fn confinement(node: &Node) {
    let pod = node.pod("confinement").start();
    let container = pod.module(&["/tool.wasm#sleep"]).start();
    container.says("ready");
    let (guest, shim) = (container.process(), pod.shim());
    let is = |key: &str| guest.value("status", key).unwrap_or_default();
    assert_eq!(
        (is("Seccomp"), is("NoNewPrivs"), is("Threads")),
        ("2".into(), "1".into(), "2".into())
    );
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(is(set), "0000000000000000", "{set}");
    }
    for kind in ["mnt", "net", "ipc", "uts"] {
        let namespace =
            |process: Process| fs::read_link(format!("/proc/{}/ns/{kind}", process.0)).unwrap();
        assert_ne!(
            namespace(guest),
            namespace(Process(std::process::id() as i32)),
            "{kind} is the node's"
        );
    }
    let score = |process: Process| process.file("oom_score_adj").trim().parse::<i32>().unwrap();
    assert!(score(guest) > score(shim), "the shim dies before its guest");
    assert!(
        guest
            .file("cgroup")
            .contains(&format!("{}/confinement/", node.cgroup()))
    );
    assert!(
        shim.file("cgroup")
            .contains(&format!("{}/confinement/", node.cgroup())),
        "the shim's memory is not the pod's"
    );
    let open = fs::read_dir(format!("/proc/{}/fd", guest.0))
        .unwrap()
        .flatten();
    for entry in open {
        let what = fs::read_link(entry.path()).unwrap_or_default();
        let what = what.to_string_lossy();
        assert!(
            !what.contains("containerd.sock") && !what.contains("/proc"),
            "the guest has {what} open"
        );
    }
    pod.remove().unwrap();
}

fn users(node: &Node) {
    let host = tempfile(node, "users");
    std::os::unix::fs::chown(&host, Some(1234), Some(1234)).unwrap();
    let pod = node.pod("users").start();
    let container = pod
        .module(&["/tool.wasm#write"])
        .args(&["/data/mine"])
        .mount(&host, "/data", false);
    let container = container.security(|context| {
        context.run_as_user = Some(Int64Value { value: 1234 });
        context.run_as_group = Some(Int64Value { value: 1234 });
    });
    assert_eq!(container.start().end().0, 0);
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(host.join("mine")).unwrap().uid(), 1234);
    pod.remove().unwrap();
}

fn one_shim_without_a_pause_process(node: &Node) {
    let pod = node.pod("processes").start();
    let container = pod.module(&["/tool.wasm#sleep"]).start();
    container.says("ready");
    let (guest, shim) = (container.process(), pod.shim());
    assert_eq!(guest.parent(), Some(shim));
    let own: Vec<_> = Process::all()
        .into_iter()
        .filter(|it| it.file("cgroup").contains("/processes/"))
        .collect();
    assert_eq!(own.len(), 2, "{own:?}");
    let threads = |process: Process| {
        process
            .value("status", "Threads")
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    assert!(threads(guest) + threads(shim) <= 6);
    pod.remove().unwrap();
}

fn terminals_are_refused(node: &Node) {
    let pod = node.pod("terminal").start();
    let Err(error) = pod.module(&["/hello.wasm"]).tty().try_start() else {
        panic!("a container with a terminal was started");
    };
    assert!(error.contains("no terminals"), "{error}");
    pod.remove().unwrap();
}

fn tempfile(node: &Node, name: &str) -> std::path::PathBuf {
    let path = node.folder().join("volumes").join(name);
    fs::create_dir_all(&path).unwrap();
    path
}
