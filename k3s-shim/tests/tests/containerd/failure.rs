//! Failure of a shim, of containerd; a hundred pods, of which nothing is left.

use k8s_cri::v1::ContainerState;
use teff_shim_tests::{Node, wait};

use crate::{Test, settled, tests};

pub(crate) const TESTS: &[Test] =
    tests!(true: a_shim_that_crashes, a_containerd_that_comes_back, a_hundred_pods);

fn a_shim_that_crashes(node: &Node) {
    let pod = node.pod("crash").start();
    let container = pod.module(&["/tool.wasm#spin"]).start();
    container.says("ready");
    let (guest, shim) = (container.process(), pod.shim());
    shim.kill();
    wait("the guest dies with its shim", || {
        (!guest.lives()).then_some(())
    });
    wait("containerd notices", || (!container.runs()).then_some(()));
    assert_ne!(container.status().exit_code, 0);
    pod.remove().unwrap();
    let left = settled(node, "");
    assert!(
        left.is_empty(),
        "this is left of a pod whose shim crashed:\n{left}"
    );

    let pod = node.pod("after-crash").start();
    assert_eq!(pod.module(&["/tool.wasm#answer"]).start().end().0, 42);
    pod.remove().unwrap();
}

fn a_containerd_that_comes_back(node: &Node) {
    let pod = node.pod("comes-back").start();
    let lasting = pod.module(&["/tool.wasm#count"]).start();
    let ending = pod.module(&["/tool.wasm#sleep"]).start();
    lasting.says("2\n");
    ending.says("ready");
    let (shim, guest) = (pod.shim(), lasting.process());
    let stopped = ending.process();

    node.kill();
    // SIGKILL, as from the kernel; nobody is there to be told.
    stopped.kill();
    assert!(shim.lives() && guest.lives());
    let before = lasting.log().stdout.len();
    node.again().unwrap();

    assert_eq!((pod.shim(), lasting.process()), (shim, guest));
    assert_eq!(lasting.status().state(), ContainerState::ContainerRunning);
    wait("its log goes on", || {
        (lasting.log().stdout.len() > before).then_some(())
    });
    assert_eq!(ending.end().0, 137);
    assert_eq!(lasting.exec(&["#answer"], 60).unwrap().0, 42);
    let more = pod.module(&["/tool.wasm#answer"]).start();
    assert_eq!(more.end().0, 42);
    lasting.stop(60).unwrap();
    assert_eq!(lasting.end().0, 143);
    pod.remove().unwrap();
}

fn a_hundred_pods(node: &Node) {
    let before = settled(node, "");
    assert!(before.is_empty(), "this is left of other tests:\n{before}");
    let pods: Vec<_> = (0..100)
        .map(|number| node.pod(&format!("pod{number}")).start())
        .collect();
    let containers: Vec<_> = pods
        .iter()
        .map(|pod| pod.module(&["/tool.wasm#count"]).start())
        .collect();
    for container in &containers {
        container.says("1\n");
    }
    let mut shims: Vec<_> = pods.iter().map(|pod| pod.shim().0).collect();
    shims.sort();
    shims.dedup();
    assert_eq!(shims.len(), 100);
    for (number, container) in containers.iter().enumerate() {
        assert!(container.runs(), "pod{number}");
    }
    for pod in &pods {
        pod.remove().unwrap();
    }
    let left = settled(node, "");
    assert!(left.is_empty(), "this is left of a hundred pods:\n{left}");
}
