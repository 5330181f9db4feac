//! Several containers, Linux programs, modules as layers, networks.

use std::io::{Read, Write};
use std::net::TcpStream;

use teff_shim_tests::{LINUX, Node, layers};

use crate::{Test, tests};

pub(crate) const TESTS: &[Test] = tests!(false:
    two_containers, one_shim_for_many_pods, restarted_container, linux_sidecar, layers_that_are_modules, a_server, the_network_of_the_node,
);

/// They share the pod's network and name, and not each other's end.
fn two_containers(node: &Node) {
    let pod = node.pod("two").start();
    let lasting = pod.module(&["/tool.wasm#count"]).start();
    let brief = pod.module(&["/tool.wasm#trap"]).start();
    assert_eq!(brief.end().0, 134);
    let namespace = |kind: &str| {
        std::fs::read_link(format!("/proc/{}/ns/{kind}", lasting.process().0)).unwrap()
    };
    let other = pod.module(&["/tool.wasm#sleep"]).start();
    let of_other =
        |kind: &str| std::fs::read_link(format!("/proc/{}/ns/{kind}", other.process().0)).unwrap();
    for kind in ["net", "ipc", "uts"] {
        assert_eq!(namespace(kind), of_other(kind), "{kind}");
    }
    assert_ne!(namespace("mnt"), of_other("mnt"));
    let said = lasting.log().stdout.len();
    teff_shim_tests::wait("the other goes on", || {
        (lasting.log().stdout.len() > said + 4).then_some(())
    });
    pod.remove().unwrap();
}

/// Pods that say so share one shim, and nothing else; it ends with the last of them.
fn one_shim_for_many_pods(node: &Node) {
    let start = |name: &str| {
        let pod = node.pod(name).annotation("teff.dev/grouping", "node");
        pod.start()
    };
    let (one, two) = (start("grouped-one"), start("grouped-two"));
    let shim = one.shim();
    assert_eq!(shim, two.shim());
    let counts = one.module(&["/tool.wasm#count"]).start();
    let traps = two.module(&["/tool.wasm#trap"]).start();
    assert_eq!(traps.end().0, 134);
    let waits = two.module(&["/tool.wasm#sleep"]).start();
    waits.says("ready");
    for kind in ["net", "ipc", "uts", "mnt"] {
        let namespace = |process: teff_shim_tests::Process| {
            std::fs::read_link(format!("/proc/{}/ns/{kind}", process.0)).unwrap()
        };
        assert_ne!(
            namespace(counts.process()),
            namespace(waits.process()),
            "{kind}"
        );
    }
    two.remove().unwrap();
    assert!(shim.lives() && counts.runs());
    let said = counts.log().stdout.len();
    teff_shim_tests::wait("the other pod goes on", || {
        (counts.log().stdout.len() > said + 4).then_some(())
    });
    one.remove().unwrap();
    teff_shim_tests::wait("the shim ends with its last pod", || {
        (!shim.lives()).then_some(())
    });
}

/// As a kubelet does after an end: the next one of the name.
fn restarted_container(node: &Node) {
    let pod = node.pod("restarted").start();
    for attempt in 0..3 {
        let container = pod
            .module(&["/tool.wasm#answer"])
            .name(&format!("answer{attempt}"))
            .start();
        assert_eq!(container.end().0, 42);
        container.remove().unwrap();
    }
    pod.remove().unwrap();
}

fn linux_sidecar(node: &Node) {
    let pod = node.pod("sidecar").start();
    let module = pod.module(&["/tool.wasm#count"]).start();
    let script = "echo from Linux on $(hostname); echo complaint >&2; trap 'exit 9' TERM; while :; do sleep 0.1; done";
    let linux = pod
        .container(LINUX, &["/bin/busybox", "sh", "-c", script])
        .env("PATH", "/bin")
        .name("linux");
    // A static busybox has its applets only under its own name.
    let linux = linux.start();
    linux.says("complaint");
    let (status, said) = linux
        .exec(&["/bin/busybox", "echo", "executed"], 60)
        .unwrap();
    assert_eq!((status, said.stdout.as_str()), (0, "executed\n"));
    let network = |process: teff_shim_tests::Process| {
        std::fs::read_link(format!("/proc/{}/ns/net", process.0)).unwrap()
    };
    assert_eq!(network(linux.process()), network(module.process()));
    let cpu = linux
        .stats()
        .cpu
        .and_then(|cpu| cpu.usage_core_nano_seconds);
    assert!(cpu.is_some_and(|nanos| nanos.value > 0));
    linux.stop(60).unwrap();
    assert_eq!(linux.end().0, 9);
    assert!(module.runs());
    pod.remove().unwrap();
}

fn layers_that_are_modules(node: &Node) {
    let answer = |number: i32| {
        let text = format!(
            "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
               (func (export \"_start\") (call $exit (i32.const {number}))))"
        );
        wat::parse_str(text).unwrap()
    };
    let pod = node.pod("layers").start();
    for (number, kind) in [
        "application/wasm",
        "application/vnd.wasm.content.layer.v1+wasm",
    ]
    .iter()
    .enumerate()
    {
        let image = format!("local.test/layers{number}:1");
        let all = [
            (Some("one.wasm"), answer(11)),
            (Some("two.wasm"), answer(22)),
        ];
        layers(node, &image, kind, &all).unwrap();
        for (title, status) in [("two.wasm", 22), ("/one.wasm", 11)] {
            let name = format!("{}{number}", &title[title.len() - 8..title.len() - 5]);
            let container = pod.container(&image, &[title]).name(&name).start();
            assert_eq!(container.end().0, status, "{kind} {title}");
        }
    }
    layers(
        node,
        "local.test/untitled:1",
        "application/wasm",
        &[(None, answer(33))],
    )
    .unwrap();
    let container = pod
        .container("local.test/untitled:1", &["/whatever.wasm"])
        .start();
    assert_eq!(container.end().0, 33);
    pod.remove().unwrap();
}

fn a_server(node: &Node) {
    let pod = node
        .pod("server")
        .annotation("teff.dev/tcp-listen", "0.0.0.0:8080")
        .start();
    let container = pod.module(&["/echo-server.wasm"]).start();
    let address = pod.address();
    assert!(address.starts_with("10."), "{address}");
    let mut stream = TcpStream::connect((address.as_str(), 8080))
        .unwrap_or_else(|e| panic!("{e}: {:?} {:?}", container.status(), container.log()));
    stream
        .set_read_timeout(Some(teff_shim_tests::HANG))
        .unwrap();
    stream.write_all(b"hello, pod\n").unwrap();
    let mut answer = [0; 11];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello, pod\n");
    drop(stream);
    assert!(container.runs());
    pod.remove().unwrap();
}

fn the_network_of_the_node(node: &Node) {
    let pod = node.pod("host-network").host_network().start();
    let container = pod.module(&["/tool.wasm#sleep"]).start();
    container.says("ready");
    let network = |id: i32| std::fs::read_link(format!("/proc/{id}/ns/net")).unwrap();
    assert_eq!(
        network(container.process().0),
        network(std::process::id() as i32)
    );
    pod.remove().unwrap();
}
