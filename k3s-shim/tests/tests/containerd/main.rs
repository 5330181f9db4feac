//! Pods of teff under a real containerd, through the real CRI. Needs root, containerd, runc and CNI's plugins, which
//! `.ci/containerd.sh` installs; `TEFF_CONTAINERD` names another containerd's folder.
//!
//! ```text
//! modules    what runs, and how it ends
//! sandbox    what a container is given, and what not
//! operation  what a kubelet and `kubectl` ask of a container that runs
//! pods       several containers, Linux programs, modules as layers, networks
//! failure    of a shim, of containerd; a hundred pods
//! hostile    modules that want to do harm, and their neighbours
//! ```

mod failure;
mod hostile;
mod modules;
mod operation;
mod pods;
mod sandbox;

use std::process::ExitCode;
use std::sync::{Arc, RwLock};

use libtest_mimic::{Arguments, Trial};
use teff_shim_tests::{Image, LINUX, MODULES, Node};

/// A test. Those that do something to the node as a whole run alone.
struct Test {
    name: &'static str,
    alone: bool,
    run: fn(&Node),
}

/// A list of tests, by their functions' names.
macro_rules! tests {
    ($alone:literal: $($name:ident),* $(,)?) => {
        &[$($crate::Test { name: stringify!($name), alone: $alone, run: $name }),*]
    };
}
pub(crate) use tests;

/// The modules that run in the tests.
fn modules() -> Image {
    let binary = |text: &str| wat::parse_str(text).expect("a module of the tests");
    Image::new(MODULES)
        .file("/tool.wasm", binary(include_str!("../../guests/tool.wat")))
        .file(
            "/stubborn.wasm",
            binary(include_str!("../../guests/stubborn.wat")),
        )
        .file(
            "/reactor.wasm",
            binary(include_str!("../../guests/reactor.wat")),
        )
        .file("/text.wat", include_str!("../../guests/reactor.wat"))
        .file(
            "/hello.wasm",
            *include_bytes!("../../../../examples/hello.wasm"),
        )
        .file(
            "/echo-server.wasm",
            *include_bytes!("../../../../examples/echo-server.wasm"),
        )
        .file("/many-imports.wasm", hostile::many_imports())
        .file("/broken.wasm", *b"\0asm\x01\0\0\0\x01\x7f")
}

/// busybox, which is in a static build a whole Linux in one file.
fn linux() -> Image {
    let path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("busybox"))
        .find(|path| path.is_file())
        .expect("busybox is installed: .ci/containerd.sh installs it");
    Image::new(LINUX).file(
        "/bin/busybox",
        std::fs::read(path).expect("busybox can be read"),
    )
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // A part of them, for where all would take too long.
    let wanted = std::env::var("TEFF_TESTS").ok();
    let wanted: Option<Vec<&str>> = wanted
        .as_deref()
        .map(|names| names.split_whitespace().collect());
    let groups = [
        modules::TESTS,
        sandbox::TESTS,
        operation::TESTS,
        pods::TESTS,
        hostile::TESTS,
        failure::TESTS,
    ];
    let tests: Vec<&Test> = groups
        .into_iter()
        .flatten()
        .filter(|test| {
            wanted
                .as_ref()
                .is_none_or(|names| names.contains(&test.name))
        })
        .collect();
    if let Some(names) = &wanted
        && tests.len() != names.len()
    {
        eprintln!("TEFF_TESTS names a test that is not there, or one twice: {names:?}");
        return ExitCode::FAILURE;
    }
    let node = match arguments.list {
        true => None,
        false => match Node::start() {
            Ok(node) => Some(Arc::new(node)),
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        },
    };
    if let Some(node) = &node {
        println!("containerd {}", node.version);
        modules().import(node).expect("containerd takes an image");
        linux()
            .import_programs(node)
            .expect("containerd takes an image");
    }
    let lock = Arc::new(RwLock::new(()));
    let trials = tests.into_iter().map(|test| {
        let (node, lock) = (node.clone(), lock.clone());
        Trial::test(test.name, move || {
            let Some(node) = node else { return Ok(()) };
            let (_shared, _alone);
            match test.alone {
                true => _alone = lock.write(),
                false => _shared = lock.read(),
            }
            (test.run)(&node);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let Some(node) = node else {
        return ExitCode::SUCCESS;
    };
    let failed = conclusion.has_failed();
    if failed {
        println!("What containerd complained of:\n{}", node.log());
    }
    node.remove_pods();
    let left = settled(&node, "");
    if !left.is_empty() && !failed {
        println!("FAILED: all pods are removed, and this is left:\n{left}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// What is there of pods, or of one of them, after processes had the time to end.
fn settled(node: &Node, of: &str) -> teff_shim_tests::Traces {
    let start = std::time::Instant::now();
    loop {
        let left = node.traces().of(of);
        if left.is_empty() || start.elapsed().as_secs() > 20 {
            return left;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
