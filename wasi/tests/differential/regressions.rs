//! What the random sequences have found, one test for each, so that it is found again at once.

use teff_wasi::PathResolution;

use crate::{
    calls::{Arg, Call, FUNCTIONS, Fd, OUT},
    session::{Next, Session},
    tree::{Kind, Node},
};

/// Runs calls on a tree with a directory `a` and a file `b` in both of the guest's directories.
fn run(read_only: bool, calls: &[(&str, &[Arg])]) {
    for resolution in [PathResolution::Auto, PathResolution::Walk] {
        let kinds = [("a", Kind::Dir), ("b", Kind::File(b"content".to_vec()))];
        let nodes: Vec<_> = ["one", "two"]
            .iter()
            .flat_map(|root| {
                kinds.iter().map(move |(name, kind)| Node {
                    path: format!("{root}/{name}"),
                    kind: kind.clone(),
                })
            })
            .collect();
        let mut session = Session::new(&nodes, read_only, resolution);
        let mut diverged = false;
        for (name, args) in calls {
            let function = FUNCTIONS.iter().find(|function| function.name == *name);
            let call = Call {
                function: function.expect("the name of a function"),
                args: args.to_vec(),
            };
            match session.step(&call) {
                Ok(next) => diverged |= next == Next::Stop,
                Err(report) => panic!("{report}"),
            }
        }
        if let Err(report) = session.finish(diverged) {
            panic!("{report}");
        }
    }
}

fn number(number: u64) -> Arg {
    Arg::Number(number)
}

fn path(path: &str) -> Arg {
    Arg::Path(path.as_bytes().to_vec())
}

const ONE: Arg = Arg::Fd(Fd::Dir(0));
const TWO: Arg = Arg::Fd(Fd::Dir(1));
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;

/// `path_open` with these flags and rights.
fn open(dir: Arg, name: &str, oflags: u64, rights: u64, fdflags: u64) -> [Arg; 8] {
    let [oflags, rights, fdflags, opened] = [oflags, rights, fdflags, OUT.into()].map(number);
    let (inheriting, dirflags) = (rights.clone(), number(1));
    [
        dir,
        dirflags,
        path(name),
        oflags,
        rights,
        inheriting,
        fdflags,
        opened,
    ]
}

/// A size that no file can have used up the limit of the bytes that may be written, which was none.
#[test]
fn a_size_that_fails_costs_nothing() {
    let file = Arg::Fd(Fd::File(3));
    let set_size = |fd: &Arg, size: u64| [fd.clone(), number(size)];
    let most = i64::MAX as u64;
    run(
        false,
        &[
            ("path_open", &open(ONE, "b", 0, READ | WRITE, 0)),
            ("fd_filestat_set_size", &set_size(&file, most)),
            ("fd_filestat_set_size", &set_size(&file, most)),
            ("fd_filestat_set_size", &set_size(&file, most)),
            ("fd_filestat_set_size", &set_size(&file, 100)),
            (
                "fd_write",
                &[file, Arg::Vectors(vec![(0x4000, 8)]), number(OUT.into())],
            ),
        ],
    );
}

/// A size that is too large for the file system, of a file that may not be cut either: file systems differ in
/// what is too large.
#[test]
fn a_size_that_is_too_large_for_who_only_reads() {
    const APPEND: u64 = 1;
    let file = Arg::Fd(Fd::File(3));
    let most = i64::MAX as u64;
    run(
        false,
        &[
            ("path_open", &open(ONE, "b", 0, READ, APPEND)),
            ("fd_filestat_set_size", &[file, number(most)]),
        ],
    );
}

/// The host sets the times of what is only open for reading.
#[test]
fn times_beneath_a_read_only_directory_stay() {
    let (dir, file) = (Arg::Fd(Fd::Dir(2)), Arg::Fd(Fd::File(3)));
    let touch = |fd: Arg| [fd, number(1), number(1), number(1 | 4)];
    run(
        true,
        &[
            ("path_open", &open(TWO, "a", 2, READ, 0)),
            ("path_open", &open(TWO, "b", 0, READ, 0)),
            ("fd_filestat_set_times", &touch(dir)),
            ("fd_filestat_set_times", &touch(file)),
            ("fd_filestat_set_times", &touch(TWO)),
        ],
    );
}

/// Old kernels create a regular file for this, and then say that it is no directory.
#[test]
fn no_directory_is_created_by_opening() {
    run(false, &[("path_open", &open(ONE, "new", 1 | 2, READ, 0))]);
}

/// An offset and its flags survive being moved to another number.
#[test]
fn a_renumbered_descriptor_keeps_its_state() {
    let (file, stdout) = (Arg::Fd(Fd::File(3)), Arg::Fd(Fd::File(1)));
    let vectors = Arg::Vectors(vec![(0x4000, 3)]);
    run(
        false,
        &[
            ("path_open", &open(ONE, "b", 0, READ | WRITE, 1)),
            (
                "fd_read",
                &[file.clone(), vectors.clone(), number(OUT.into())],
            ),
            ("fd_renumber", &[file, stdout]),
            (
                "fd_read",
                &[Arg::Fd(Fd::File(2)), vectors, number(OUT.into())],
            ),
            ("fd_fdstat_get", &[Arg::Fd(Fd::File(2)), number(OUT.into())]),
        ],
    );
}
