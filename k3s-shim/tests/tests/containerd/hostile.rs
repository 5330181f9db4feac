//! Modules that want to do harm. A neighbour in another pod works on, and so does the shim.

use teff_shim_tests::{Container, ContainerWish, Node, Pod};

use crate::{Test, tests};

pub(crate) const TESTS: &[Test] = tests!(false:
    endless_loop, memory_bomb, flood, ten_thousand_files, ten_thousand_files_and_a_limit, huge_imports,
);

/// A module of 100,000 imports, of which one is not there.
pub(crate) fn many_imports() -> Vec<u8> {
    let import = "(import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32)))";
    let all = import.repeat(100_000);
    let text = format!(
        "(module {all} (import \"x\" \"{}\" (func)) (func (export \"_start\")))",
        "y".repeat(50_000)
    );
    wat::parse_str(text).expect("a module of the tests")
}

/// Runs something while a neighbour does its work, which must go on; then stops it.
fn beside_a_neighbour(
    node: &Node,
    name: &str,
    make: impl for<'a> FnOnce(&'a Pod<'_>) -> ContainerWish<'a>,
    look: impl FnOnce(&Container<'_>),
) {
    let neighbours = node.pod(&format!("{name}-neighbour")).start();
    let neighbour = neighbours.module(&["/tool.wasm#count"]).start();
    let pod = node.pod(name).start();
    let shim = pod.shim();
    let container = make(&pod).start();
    look(&container);
    let said = neighbour.log().stdout.lines().count();
    teff_shim_tests::wait("the neighbour works on", || {
        (neighbour.log().stdout.lines().count() > said + 5).then_some(())
    });
    assert_eq!(neighbour.exec(&["#answer"], 60).unwrap().0, 42);
    assert!(shim.lives());
    // Its own shim answers too.
    let _ = container.stats();
    let _ = container.stop(1);
    assert!([137, 143].contains(&container.end().0));
    pod.remove().unwrap();
    assert!(neighbour.runs());
    neighbours.remove().unwrap();
}

fn endless_loop(node: &Node) {
    beside_a_neighbour(
        node,
        "loop",
        |pod| pod.module(&["/tool.wasm#spin"]),
        |container| container.says("ready"),
    );
}

fn memory_bomb(node: &Node) {
    beside_a_neighbour(
        node,
        "bomb",
        |pod| pod.module(&["/tool.wasm#bomb"]).memory(48 << 20),
        |container| container.says("no more"),
    );
}

/// Nobody reads that fast: the writer waits, and nobody else.
fn flood(node: &Node) {
    beside_a_neighbour(
        node,
        "flood",
        |pod| pod.module(&["/tool.wasm#flood"]),
        |container| container.says("ooooo"),
    );
}

fn ten_thousand_files(node: &Node) {
    beside_a_neighbour(
        node,
        "files",
        |pod| {
            pod.module(&["/tool.wasm#descriptors"])
                .args(&["/tool.wasm"])
                .memory(64 << 20)
        },
        |container| {
            container.says("no more");
            let count: u32 = container
                .log()
                .stdout
                .lines()
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert!((100..=10_000).contains(&count), "{count}");
        },
    );
}

/// Less memory than so many open files take in the kernel.
fn ten_thousand_files_and_a_limit(node: &Node) {
    let pod = node.pod("files-and-limit").start();
    let container = pod
        .module(&["/tool.wasm#descriptors"])
        .args(&["/tool.wasm"])
        .memory(8 << 20)
        .start();
    teff_shim_tests::wait("it has come to an end, or to its limit", || {
        (!container.runs() || container.log().stdout.contains("no more")).then_some(())
    });
    assert!(pod.shim().lives());
    pod.remove().unwrap();
}

fn huge_imports(node: &Node) {
    let pod = node.pod("imports").start();
    let Err(error) = pod
        .module(&["/many-imports.wasm"])
        .memory(64 << 20)
        .try_start()
    else {
        panic!("a module was started with an import that nobody has");
    };
    assert!(
        error.contains("it imports"),
        "{}",
        &error[..error.len().min(500)]
    );
    assert!(error.len() < 8 << 10, "an error of {} bytes", error.len());
    assert!(pod.shim().lives());
    assert_eq!(pod.module(&["/tool.wasm#answer"]).start().end().0, 42);
    pod.remove().unwrap();
}
