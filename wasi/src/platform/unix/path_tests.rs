//! The sandbox against hostile trees, by both methods.

use std::{
    fs,
    io::Read,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::testing::{METHODS, Scratch};

/// A tree whose `root` is given to the guest, and a secret beside it.
fn tree() -> Scratch {
    let tree = Scratch::new();
    tree.dir("root/a/b/c");
    tree.dir("outside");
    tree.file("secret", "secret");
    tree.file("outside/secret", "secret");
    tree.file("root/file", "root/file");
    tree.file("root/a/file", "root/a/file");
    tree.file("root/a/b/c/file", "root/a/b/c/file");
    // Within the root.
    tree.link("file", "root/to-file");
    tree.link("a/b", "root/to-dir");
    tree.link("a/b/", "root/to-dir-slash");
    tree.link("../../file", "root/a/b/up-inside");
    tree.link("../../../root/file", "root/a/b/out-and-in");
    tree.link("to-to-file", "root/to-to-to-file");
    tree.link("to-file", "root/to-to-file");
    tree.link("nowhere", "root/dangling");
    tree.link("nowhere/deeper", "root/dangling-deep");
    tree.link("file/", "root/file-slash");
    tree.link(".", "root/dot");
    // Out of it.
    tree.link("../secret", "root/out");
    tree.link("..", "root/out-dir");
    tree.link("../..", "root/a/out-dir");
    tree.link(tree.join("secret"), "root/absolute");
    tree.link("/", "root/slash");
    tree.link(tree.join("root/file"), "root/absolute-inside");
    tree.link("to-dir/../../../secret", "root/out-through-link");
    tree.link("out", "root/to-out");
    // Round in circles.
    tree.link("loop", "root/loop");
    tree.link("loop-b", "root/loop-a");
    tree.link("loop-a", "root/loop-b");
    tree.link("grow/x", "root/grow");
    tree
}

fn read(method: PathResolution, root: BorrowedFd<'_>, path: &str) -> Result<String, Errno> {
    let fd = open(method, root, path.as_bytes(), true, libc::O_RDONLY, 0)?;
    let mut content = String::new();
    fs::File::from(fd).read_to_string(&mut content)?;
    Ok(content)
}

fn root(tree: &Scratch) -> OwnedFd {
    fs::File::open(tree.join("root")).unwrap().into()
}

/// Checks what each path gives when it is opened with its links followed, by each method.
#[track_caller]
fn check_all(cases: &[(&str, Result<&str, Errno>)]) {
    let tree = tree();
    let root = root(&tree);
    for method in METHODS {
        for (path, expected) in cases {
            let result = read(method, root.as_fd(), path);
            assert_eq!(
                result.as_deref().map_err(|e| *e),
                *expected,
                "{method:?} {path}"
            );
        }
    }
}

#[test]
fn paths_within_the_root_are_found() {
    check_all(&[
        ("file", Ok("root/file")),
        ("./file", Ok("root/file")),
        (".//.///a/.//file", Ok("root/a/file")),
        ("a/../file", Ok("root/file")),
        ("a/b/c/../../../a/b/../file", Ok("root/a/file")),
        ("to-file", Ok("root/file")),
        ("to-to-to-file", Ok("root/file")),
        ("to-dir/c/file", Ok("root/a/b/c/file")),
        ("to-dir-slash//c/file", Ok("root/a/b/c/file")),
        ("to-dir/../file", Ok("root/a/file")),
        ("to-dir/up-inside", Ok("root/file")),
        ("dot/dot/dot/file", Ok("root/file")),
    ]);
}

#[test]
fn no_path_leads_out() {
    check_all(&[
        ("..", Err(Errno::Perm)),
        ("../", Err(Errno::Perm)),
        ("../secret", Err(Errno::Perm)),
        ("../root/file", Err(Errno::Perm)),
        ("./../secret", Err(Errno::Perm)),
        ("a/../../secret", Err(Errno::Perm)),
        ("a/b/../../../outside/secret", Err(Errno::Perm)),
        ("/", Err(Errno::Perm)),
        ("/etc/passwd", Err(Errno::Perm)),
        ("//file", Err(Errno::Perm)),
        ("out", Err(Errno::Perm)),
        ("to-out", Err(Errno::Perm)),
        ("out-dir", Err(Errno::Perm)),
        ("out-dir/secret", Err(Errno::Perm)),
        ("out-dir/root/file", Err(Errno::Perm)),
        ("a/out-dir/secret", Err(Errno::Perm)),
        ("absolute", Err(Errno::Perm)),
        ("absolute-inside", Err(Errno::Perm)),
        ("slash", Err(Errno::Perm)),
        ("slash/etc/passwd", Err(Errno::Perm)),
        ("out-through-link", Err(Errno::Perm)),
        ("a/b/out-and-in", Err(Errno::Perm)),
        ("to-dir/../../../secret", Err(Errno::Perm)),
    ]);
}

#[test]
fn other_failures_have_their_errors() {
    let long_name = "n".repeat(256);
    let long_path = "./".repeat(2048) + "file";
    check_all(&[
        ("", Err(Errno::Noent)),
        ("nowhere", Err(Errno::Noent)),
        ("nowhere/..", Err(Errno::Noent)),
        ("nowhere/../file", Err(Errno::Noent)),
        ("a/nowhere/file", Err(Errno::Noent)),
        ("dangling", Err(Errno::Noent)),
        ("dangling-deep", Err(Errno::Noent)),
        ("file/", Err(Errno::Notdir)),
        ("file//", Err(Errno::Notdir)),
        ("file/.", Err(Errno::Notdir)),
        ("file/..", Err(Errno::Notdir)),
        ("file/../file", Err(Errno::Notdir)),
        ("file/x", Err(Errno::Notdir)),
        ("to-file/x", Err(Errno::Notdir)),
        ("to-file/", Err(Errno::Notdir)),
        ("file-slash", Err(Errno::Notdir)),
        ("loop", Err(Errno::Loop)),
        ("loop/x", Err(Errno::Loop)),
        ("loop-a", Err(Errno::Loop)),
        ("grow", Err(Errno::Loop)),
        ("file\0", Err(Errno::Inval)),
        ("\0", Err(Errno::Inval)),
        ("a\0b/file", Err(Errno::Inval)),
        (&long_name, Err(Errno::Nametoolong)),
        (&long_path, Err(Errno::Nametoolong)),
        // Reading a directory.
        ("a", Err(Errno::Isdir)),
        ("a/", Err(Errno::Isdir)),
        ("a/..", Err(Errno::Isdir)),
        (".", Err(Errno::Isdir)),
        ("to-dir/", Err(Errno::Isdir)),
    ]);
}

#[test]
fn forty_links_are_followed_and_not_one_more() {
    let tree = Scratch::new();
    tree.dir("root");
    tree.file("root/0", "end");
    for i in 1..=41 {
        tree.link(format!("{}", i - 1), &format!("root/{i}"));
    }
    let root = root(&tree);
    for method in METHODS {
        assert_eq!(
            read(method, root.as_fd(), "40").as_deref(),
            Ok("end"),
            "{method:?}"
        );
        assert_eq!(
            read(method, root.as_fd(), "41"),
            Err(Errno::Loop),
            "{method:?}"
        );
    }
}

#[test]
fn a_link_is_only_followed_where_it_should_be() {
    let tree = tree();
    let root = root(&tree);
    let root = root.as_fd();
    for method in METHODS {
        let open = |path: &str, flags| open(method, root, path.as_bytes(), false, flags, 0o666);
        for path in ["to-file", "dangling", "out", "absolute", "loop"] {
            assert_eq!(
                open(path, libc::O_RDONLY).map(drop),
                Err(Errno::Loop),
                "{path}"
            );
        }
        // A slash says that a directory is meant.
        assert!(open("to-dir/", libc::O_RDONLY).is_ok(), "{method:?}");
        assert_eq!(open("out-dir/", libc::O_RDONLY).map(drop), Err(Errno::Perm));
        // Links before the last component are always followed.
        assert!(open("to-dir/c", libc::O_RDONLY).is_ok());
        // Nothing is created behind a link.
        let create = libc::O_RDWR | libc::O_CREAT;
        assert_eq!(open("dangling", create).map(drop), Err(Errno::Loop));

        let stat = |path: &str, follow| stat(method, root, path.as_bytes(), follow);
        let filetype = |path: &str, follow| stat(path, follow).map(|stat| stat.filetype);
        assert_eq!(filetype("to-file", false), Ok(Filetype::SymbolicLink));
        assert_eq!(filetype("to-file", true), Ok(Filetype::RegularFile));
        assert_eq!(filetype("to-dir", true), Ok(Filetype::Directory));
        assert_eq!(filetype("to-dir/", false), Ok(Filetype::Directory));
        assert_eq!(filetype("out", false), Ok(Filetype::SymbolicLink));
        assert_eq!(filetype("out", true), Err(Errno::Perm));
        assert_eq!(filetype("absolute", true), Err(Errno::Perm));
        assert_eq!(filetype("file/", true), Err(Errno::Notdir));
        assert_eq!(filetype("dangling", true), Err(Errno::Noent));
        assert_eq!(filetype("dangling", false), Ok(Filetype::SymbolicLink));
        assert_eq!(filetype(".", true), Ok(Filetype::Directory));
        assert_eq!(filetype("a/..", true), Ok(Filetype::Directory));
        assert_eq!(filetype("..", true), Err(Errno::Perm));
        let ino = |path| fs::metadata(tree.join(path)).unwrap().ino();
        assert_eq!(stat("a/b/../..", true).unwrap().ino, ino("root"));
        assert_eq!(stat("a/b/up-inside", true).unwrap().ino, ino("root/file"));
    }
}

#[test]
fn files_are_created_inside_only() {
    for method in METHODS {
        let tree = tree();
        let root = root(&tree);
        let create = |path: &str, follow, flags| {
            let flags = libc::O_RDWR | libc::O_CREAT | flags;
            open(method, root.as_fd(), path.as_bytes(), follow, flags, 0o600).map(drop)
        };
        assert_eq!(create("a/new", true, 0), Ok(()));
        assert!(tree.join("root/a/new").is_file());
        // Behind a link, like any host does.
        assert_eq!(create("dangling", true, 0), Ok(()));
        assert!(tree.join("root/nowhere").is_file());
        // But not if it must be new.
        assert_eq!(
            create("dangling", true, libc::O_EXCL),
            Err(Errno::Exist),
            "{method:?}"
        );
        tree.link("../new-outside", "root/to-new-outside");
        assert_eq!(create("to-new-outside", true, 0), Err(Errno::Perm));
        assert_eq!(create("../new-outside", true, 0), Err(Errno::Perm));
        assert!(!tree.join("new-outside").exists());
        assert_eq!(create("new/", true, 0), Err(Errno::Isdir), "{method:?}");
        // Nor behind a link with a slash at its end, and nobody looks what is there.
        tree.link("circle//", "root/circle");
        for path in ["circle", "file-slash", "to-dir-slash"] {
            assert_eq!(
                create(path, true, 0),
                Err(Errno::Isdir),
                "{method:?} {path}"
            );
        }
        assert_eq!(create(".", true, 0), Err(Errno::Isdir), "{method:?}");
        assert!(!tree.join("root/new").exists());
    }
}

#[test]
fn names_to_change_are_never_followed() {
    let tree = tree();
    let root = root(&tree);
    for method in METHODS {
        let place = |path: &str| resolve(method, root.as_fd(), path.as_bytes(), Last::Name);
        for (path, name, slash) in [
            ("file", "file", false),
            ("out", "out", false),
            ("out-dir/", "out-dir", true),
            ("to-dir/c//", "c", true),
            ("a/b/../x", "x", false),
            ("a/b/.", ".", true),
            ("a/..", ".", true),
        ] {
            let place = place(path).unwrap();
            assert_eq!(
                (place.name().to_str(), place.slash()),
                (Ok(name), slash),
                "{path}"
            );
        }
        let dir = sys::fstat(place("to-dir/x").unwrap().dir()).unwrap();
        assert_eq!(dir.ino, fs::metadata(tree.join("root/a/b")).unwrap().ino());
        for path in ["../x", "out-dir/x", "slash/x", "a/out-dir/x", "/x", ".."] {
            assert_eq!(place(path).map(drop), Err(Errno::Perm), "{method:?} {path}");
        }
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What an attacker does to the tree over and over, while the guest tries to get at the secret.
fn race(attack: impl Fn(&Path) + Sync, paths: &[&str]) {
    let tree = tree();
    let root = root(&tree);
    for method in METHODS {
        let stop = AtomicBool::new(false);
        let mut reached = 0_u32;
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    attack(&tree.join("root"));
                }
            });
            // Also when an assertion fails: the scope waits for the other thread.
            let _stop = StopOnDrop(&stop);
            let started = Instant::now();
            // Longer on a machine that never lets the attacker run in between.
            let enough = Duration::from_secs(1);
            while started.elapsed() < enough || (reached == 0 && started.elapsed() < 60 * enough) {
                for path in paths {
                    match read(method, root.as_fd(), path) {
                        Ok(content) => {
                            assert_ne!(content, "secret", "{method:?} {path} led out");
                            reached += 1;
                        }
                        Err(
                            Errno::Perm
                            | Errno::Noent
                            | Errno::Notdir
                            | Errno::Loop
                            | Errno::Isdir
                            | Errno::Again,
                        ) => {}
                        Err(error) => panic!("{method:?} {path}: {error:?}"),
                    }
                    let place = resolve(method, root.as_fd(), path.as_bytes(), Last::Name);
                    if let Ok(place) = place {
                        let dir = sys::fstat(place.dir()).unwrap().ino;
                        let outside = fs::metadata(tree.join("outside")).unwrap().ino();
                        let above = fs::metadata(tree.path()).unwrap().ino();
                        assert!(dir != outside && dir != above, "{method:?} {path} led out");
                    }
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert!(
            reached > 0,
            "{method:?}: the attack never let the guest reach a file"
        );
    }
}

#[test]
fn no_escape_while_a_directory_becomes_a_link_and_back() {
    race(
        |root| {
            let (swap, kept) = (root.join("swap"), root.join("kept"));
            let _ = fs::create_dir(&swap);
            let _ = fs::write(swap.join("secret"), "harmless");
            let _ = fs::rename(&swap, &kept);
            let _ = std::os::unix::fs::symlink("../outside", &swap);
            let _ = fs::remove_file(&swap);
            let _ = fs::rename(&kept, &swap);
        },
        &[
            "swap/secret",
            "./swap/./secret",
            "a/../swap/secret",
            "swap/../swap/secret",
        ],
    );
}

#[test]
fn no_escape_while_a_file_becomes_a_link_and_back() {
    race(
        |root| {
            let swap = root.join("swapped");
            let next = root.join("next");
            let _ = fs::write(&next, "harmless");
            let _ = fs::rename(&next, &swap);
            let _ = std::os::unix::fs::symlink("../secret", &next);
            let _ = fs::rename(&next, &swap);
        },
        &["swapped", "a/../swapped"],
    );
}

#[test]
fn no_escape_while_a_directory_is_moved_up() {
    race(
        |root| {
            // From `root/a/b` a guest needs two steps up to the root; from `root/b` that would be out.
            let _ = fs::rename(root.join("a/b"), root.join("b"));
            let _ = fs::rename(root.join("b"), root.join("a/b"));
        },
        &[
            "a/b/../../secret",
            "a/b/../../outside/secret",
            "a/b/c/../../../file",
            "to-dir/c/file",
        ],
    );
}
