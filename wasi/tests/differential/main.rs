//! A differential test: random sequences of calls on random trees, through teff and through crate
//! `wasi-common`, which must answer alike and leave alike trees.
//!
//! What may differ is listed in `differences.rs` with the reasons, and only there.
//!
//! `TEFF_WASI_SEQUENCES=100000 cargo test -p teff-wasi --test differential -- --nocapture` runs so many
//! sequences; `TEFF_WASI_SEED` chooses others. With `TEFF_WASI_CENSUS` it does not end at the first
//! difference that nothing explains, but counts them by their kinds and shows the shortest sequence of each.

#![cfg(target_os = "linux")]

mod calls;
mod case;
mod differences;
mod oracle;
mod random;
mod regressions;
mod results;
mod session;
mod subject;
mod tree;

use std::{cell::RefCell, collections::BTreeMap, env, fmt};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use session::{Next, Session};
use teff_wasi::PathResolution;

/// A function's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An error code; 0 is success.
    Errno(u16),
    /// The guest was ended.
    Trap(Trap),
    /// The oracle had not thought of this.
    Panic,
}

/// Why a guest was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// An address is not in its memory.
    Memory,
    /// An address is not a multiple of what the type asks for.
    Alignment,
    /// An argument has bits or a value that the interface does not know.
    Value,
    /// This.
    Other(String),
}

impl Trap {
    fn new(message: String) -> Self {
        if message.contains("Pointer out of bounds") || message.contains("Pointer overflow") {
            Self::Memory
        } else if message.contains("Pointer not aligned") {
            Self::Alignment
        } else if message.contains("at convert") {
            Self::Value
        } else {
            Self::Other(message)
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(0) => f.write_str("success"),
            Self::Errno(errno) => match ERRNOS.get(usize::from(*errno)) {
                Some(name) => f.write_str(name),
                None => write!(f, "errno {errno}"),
            },
            Self::Trap(trap) => write!(f, "trap {trap:?}"),
            Self::Panic => f.write_str("panic"),
        }
    }
}

/// The names of the error codes, from the interface's `typenames.witx`.
const ERRNOS: &[&str] = &[
    "success",
    "2big",
    "acces",
    "addrinuse",
    "addrnotavail",
    "afnosupport",
    "again",
    "already",
    "badf",
    "badmsg",
    "busy",
    "canceled",
    "child",
    "connaborted",
    "connrefused",
    "connreset",
    "deadlk",
    "destaddrreq",
    "dom",
    "dquot",
    "exist",
    "fault",
    "fbig",
    "hostunreach",
    "idrm",
    "ilseq",
    "inprogress",
    "intr",
    "inval",
    "io",
    "isconn",
    "isdir",
    "loop",
    "mfile",
    "mlink",
    "msgsize",
    "multihop",
    "nametoolong",
    "netdown",
    "netreset",
    "netunreach",
    "nfile",
    "nobufs",
    "nodev",
    "noent",
    "noexec",
    "nolck",
    "nolink",
    "nomem",
    "nomsg",
    "noprotoopt",
    "nospc",
    "nosys",
    "notconn",
    "notdir",
    "notempty",
    "notrecoverable",
    "notsock",
    "notsup",
    "notty",
    "nxio",
    "overflow",
    "ownerdead",
    "perm",
    "pipe",
    "proto",
    "protonosupport",
    "prototype",
    "range",
    "rofs",
    "spipe",
    "srch",
    "stale",
    "timedout",
    "txtbsy",
    "xdev",
    "notcapable",
];

/// Sequences of an ordinary test run.
const SEQUENCES: u32 = 500;

#[test]
fn random_sequences_have_the_same_answers() {
    let wanted = env::var("TEFF_WASI_SEQUENCES").ok();
    let sequences = wanted.as_ref().map_or(SEQUENCES, |text| {
        text.parse().expect("TEFF_WASI_SEQUENCES is a number")
    });
    let seed: u64 = env::var("TEFF_WASI_SEED")
        .map_or(1, |text| text.parse().expect("TEFF_WASI_SEED is a number"));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !oracle::is_called() {
            hook(info);
        }
    }));

    let sequence = (
        vec(random::node(), 0..20),
        any::<bool>(),
        any::<bool>(),
        vec(random::call(), 1..40),
    );
    let met = RefCell::new(BTreeMap::<usize, u32>::new());
    // Instead of failing, count the kinds of differences that are not explained.
    let census = env::var_os("TEFF_WASI_CENSUS").is_some();
    let kinds = RefCell::new(BTreeMap::<String, (u32, String)>::new());
    let mut done = 0;
    while done < sequences {
        let now = (sequences - done).min(1000);
        let config = Config {
            cases: now,
            failure_persistence: None,
            max_shrink_iters: 20_000,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..12].copy_from_slice(&done.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let result = runner.run(&sequence, |(nodes, read_only, walk, calls)| {
            let resolution = if walk {
                PathResolution::Walk
            } else {
                PathResolution::Auto
            };
            let mut session = Session::new(&nodes, read_only, resolution);
            let result = run(&mut session, &calls);
            for index in &session.met {
                *met.borrow_mut().entry(*index).or_default() += 1;
            }
            if let (Err(report), true) = (&result, census) {
                let kind = report.lines().next().unwrap_or_default().to_owned();
                let mut kinds = kinds.borrow_mut();
                let (count, example) = kinds.entry(kind).or_insert((0, report.clone()));
                *count += 1;
                if report.len() < example.len() {
                    example.clone_from(report);
                }
                return Ok(());
            }
            result.map_err(TestCaseError::fail)
        });
        if let Err(TestError::Fail(reason, (nodes, read_only, walk, calls))) = result {
            panic!("{reason}\n{nodes:#?}\nread-only: {read_only}, walk: {walk}\n{calls:#?}");
        }
        done += now;
        if wanted.is_some() {
            println!("{done} of {sequences} sequences");
        }
    }
    let kinds = kinds.into_inner();
    for (count, example) in kinds.values() {
        println!("=== {count} times: {example}");
    }
    for (kind, (count, _)) in &kinds {
        println!("{count:8} UNEXPLAINED {kind}");
    }
    for (index, explained) in differences::TABLE.iter().enumerate() {
        let count = met.borrow().get(&index).copied().unwrap_or(0);
        println!("{count:8} {}", explained.name);
        // In so many sequences whatever is needed is met.
        let hidden =
            !cfg!(debug_assertions) && differences::NEEDS_ASSERTIONS.contains(&explained.name);
        let needed = count > 0 || sequences < 100_000 || hidden;
        assert!(
            needed,
            "`{}` is no longer needed in the table",
            explained.name
        );
    }
}

/// What is explained in the table is told in the document.
#[test]
fn the_document_shows_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wasi-differences.md");
    let document = std::fs::read_to_string(path).expect("the document is in the repository");
    let table = differences::document();
    if env::var_os("TEFF_WASI_DOCUMENT").is_some() {
        let start = document.find("| case |").expect("there is a table");
        let len = document[start..]
            .find("\n\n")
            .map_or(document.len() - start, |len| len + 1);
        let new = [&document[..start], &table, &document[start + len..]].concat();
        std::fs::write(path, new).expect("the document can be written");
        return;
    }
    assert!(
        document.contains(&table),
        "docs/wasi-differences.md is not what differences.rs says: run this test with TEFF_WASI_DOCUMENT=1"
    );
}

fn run(session: &mut Session, calls: &[calls::Call]) -> Result<(), String> {
    for call in calls {
        if session.step(call)? == Next::Stop {
            return session.finish(true);
        }
    }
    session.finish(false)
}
