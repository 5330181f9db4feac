//! What runs, and how it ends.

use teff_shim_tests::{Log, Node};

use crate::{Test, tests};

pub(crate) const TESTS: &[Test] = tests!(false:
    hello, exit_codes, trap, text, reactor, functions_that_are_missing, modules_that_are_none, programs_that_are_missing,
);

fn hello(node: &Node) {
    let pod = node.pod("hello").start();
    let container = pod.module(&["/hello.wasm"]).start();
    assert_eq!(container.end(), (0, "Completed".into()));
    let Log { stdout, stderr } = container.log();
    assert_eq!(stderr, "");
    for what in [
        "I am a small C program",
        " HOSTNAME=hello",
        "there are 78498 primes",
        "The clock ran forward",
    ] {
        assert!(stdout.contains(what), "{what} is missing: {stdout}");
    }
    container.remove().unwrap();
    pod.remove().unwrap();
}

fn exit_codes(node: &Node) {
    let pod = node.pod("exit-codes").start();
    let container = pod.module(&["/tool.wasm#answer"]).start();
    assert_eq!(container.end(), (42, "Error".into()));
    pod.remove().unwrap();
}

fn trap(node: &Node) {
    let pod = node.pod("trap").start();
    let container = pod.module(&["/tool.wasm#trap"]).start();
    assert_eq!(container.end().0, 134);
    let Log { stdout, stderr } = container.log();
    assert_eq!(stdout, "");
    assert!(stderr.starts_with("teff: the guest trapped: "), "{stderr}");
    for what in ["unreachable", "inner", "outer", "trap"] {
        assert!(stderr.contains(what), "{what} is missing: {stderr}");
    }
    pod.remove().unwrap();
}

fn text(node: &Node) {
    let pod = node.pod("text").start();
    let container = pod.module(&["/text.wat#ready"]).start();
    assert_eq!(container.end().0, 0);
    // A function is called without `__post_init`.
    assert_eq!(container.log().stdout, "");
    pod.remove().unwrap();
}

fn reactor(node: &Node) {
    let pod = node.pod("reactor").start();
    let container = pod.module(&["/reactor.wasm"]).start();
    container.says("up");
    assert!(container.runs(), "a reactor stays up");
    container.stop(60).unwrap();
    assert_eq!(container.end().0, 143);
    pod.remove().unwrap();
}

/// The error of a container that cannot run.
fn refused(node: &Node, name: &str, image: &str, command: &str) -> String {
    let pod = node.pod(name).start();
    let Err(error) = pod.container(image, &[command]).try_start() else {
        panic!("{command} was started");
    };
    pod.remove().unwrap();
    error
}

fn functions_that_are_missing(node: &Node) {
    let error = refused(node, "no-function", crate::MODULES, "/tool.wasm#nothing");
    assert!(error.contains("exports no function `nothing`"), "{error}");
    let error = refused(node, "no-program", crate::MODULES, "/tool.wasm");
    assert!(
        error.contains("neither `_start` nor `_initialize`"),
        "{error}"
    );
}

fn modules_that_are_none(node: &Node) {
    let error = refused(node, "broken", crate::MODULES, "/broken.wasm");
    assert!(error.contains("/broken.wasm"), "{error}");
}

fn programs_that_are_missing(node: &Node) {
    let error = refused(node, "missing", crate::MODULES, "/nothing.wasm");
    assert!(
        error.contains("the image has no file `/nothing.wasm`"),
        "{error}"
    );
    let error = refused(node, "missing-in-linux", crate::LINUX, "/nothing.wasm");
    assert!(
        error.contains("the image has no file `/nothing.wasm`"),
        "{error}"
    );
}
