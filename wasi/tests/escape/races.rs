//! Races: while the guest acts, a thread of the host swaps what the guest's path goes through.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::guest::{CREAT, Guest, HARMLESS, READ, RESOLUTIONS, SECRET, TRUNC, WRITE, World};

/// Rounds at least.
fn rounds() -> u32 {
    env::var("TEFF_ESCAPE_ROUNDS").map_or(2000, |text| text.parse().expect("a number of rounds"))
}

/// No race needs so long.
const HANG: Duration = Duration::from_secs(120);

/// What the guest has met in its rounds.
#[derive(Debug, Default)]
struct Met {
    inside: u32,
    refused: u32,
}

impl Met {
    fn count(&mut self, done: bool) {
        if done {
            self.inside += 1;
        } else {
            self.refused += 1;
        }
    }
}

/// Lets the guest act while the host swaps, until it has met both states often.
fn race(swap: impl Fn() + Sync, mut act: impl FnMut(u32, &mut Met)) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swap();
            }
        });
        let started = Instant::now();
        let mut met = Met::default();
        let mut round = 0;
        // The thread must end also if an assertion fails.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while round < rounds() || met.inside < 20 || met.refused < 20 {
                act(round, &mut met);
                round += 1;
                assert!(
                    started.elapsed() < HANG,
                    "one of the two states was never met: {met:?}"
                );
            }
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Reads a file to its end and says whether there was one. The secret must not be in it.
fn read(guest: &mut Guest, path: &[u8], follow: bool) -> bool {
    match guest.open(3, path, follow, 0, READ) {
        Ok(fd) => {
            let content = guest.look(fd);
            guest.close(fd);
            let content = String::from_utf8_lossy(&content);
            assert!(
                !content.contains(SECRET),
                "{} was read",
                path.escape_ascii()
            );
            true
        }
        Err(_) => false,
    }
}

/// Gives a name in turn to two things.
fn swap(root: &Path, name: &str, one: &str, two: &str) {
    let path = |name: &str| root.join(name);
    // Failures are the guest's doing, which removes and renames.
    let _ = fs::rename(path(one), path(name));
    let _ = fs::rename(path(name), path(one));
    let _ = fs::rename(path(two), path(name));
    let _ = fs::rename(path(name), path(two));
}

/// A directory of the path becomes a link to the outside and a directory again.
#[test]
fn a_directory_that_becomes_a_link() {
    for target in ["../outside", "dir/../../outside"] {
        for resolution in RESOLUTIONS {
            let world = World::new();
            let before = world.outside();
            let root = world.path("root");
            fs::create_dir_all(root.join("dir")).unwrap();
            fs::create_dir_all(root.join("real/empty")).unwrap();
            for file in ["secret", "victim"] {
                fs::write(root.join("real").join(file), HARMLESS).unwrap();
            }
            symlink(target, root.join("link")).unwrap();
            fs::write(root.join("source"), HARMLESS).unwrap();
            let mut guest = Guest::new(&world, resolution);
            race(
                || swap(&root, "swapped", "real", "link"),
                |round, met| {
                    met.count(read(&mut guest, b"swapped/secret", round % 2 == 0));
                    let name = format!("swapped/new{round}");
                    let opened = guest.open(3, name.as_bytes(), true, CREAT, READ | WRITE);
                    if let Ok(fd) = opened {
                        guest.write(fd, b"written");
                        guest.close(fd);
                        guest.on("path_unlink_file", 3, name.as_bytes());
                    }
                    guest.touch_at(3, b"swapped/secret", true);
                    guest.on("path_unlink_file", 3, b"swapped/victim");
                    guest.on("path_remove_directory", 3, b"swapped/empty");
                    guest.on("path_create_directory", 3, b"swapped/empty");
                    guest.symlink(b"secret", 3, b"swapped/soft");
                    guest.on("path_unlink_file", 3, b"swapped/soft");
                    if guest.link((3, b"swapped/secret"), false, (3, b"hard")) == 0 {
                        read(&mut guest, b"hard", false);
                        guest.on("path_unlink_file", 3, b"hard");
                    }
                    if guest.rename(3, b"swapped/secret", 3, b"stolen") == 0 {
                        read(&mut guest, b"stolen", false);
                        while guest.rename(3, b"stolen", 3, b"swapped/secret") != 0 {}
                    }
                    guest.rename(3, b"source", 3, b"swapped/victim");
                    guest.rename(3, b"swapped/victim", 3, b"source");
                },
            );
            assert_eq!(world.outside(), before, "{resolution:?} {target}");
        }
    }
}

/// A file at the end of the path becomes a link to a file outside and a file again.
#[test]
fn a_file_that_becomes_a_link() {
    for resolution in RESOLUTIONS {
        let world = World::new();
        let before = world.outside();
        let root = world.path("root");
        fs::write(root.join("real"), HARMLESS).unwrap();
        symlink("../outside/secret", root.join("link")).unwrap();
        let mut guest = Guest::new(&world, resolution);
        race(
            || swap(&root, "swapped", "real", "link"),
            |round, met| {
                let follow = round % 2 == 0;
                let rights = READ | WRITE;
                for oflags in [0, TRUNC] {
                    if let Ok(fd) = guest.open(3, b"swapped", follow, oflags, rights) {
                        let content = String::from_utf8(guest.look(fd)).unwrap();
                        assert!(!content.contains(SECRET));
                        guest.write(fd, HARMLESS.as_bytes());
                        guest.touch(fd);
                        guest.close(fd);
                        met.count(true);
                    } else {
                        met.count(false);
                    }
                }
                guest.touch_at(3, b"swapped", follow);
                if guest.link((3, b"swapped"), follow, (3, b"hard")) == 0 {
                    // It may be the link, which is then followed from here.
                    read(&mut guest, b"hard", true);
                    guest.on("path_unlink_file", 3, b"hard");
                }
            },
        );
        assert_eq!(world.outside(), before, "{resolution:?}");
    }
}

/// A directory is moved up while the path goes through it and back by `..`: the `..` that was to lead to the
/// root would lead out of it.
#[test]
fn a_directory_that_moves_up() {
    for resolution in RESOLUTIONS {
        let world = World::new();
        let before = world.outside();
        let root = world.path("root");
        fs::create_dir_all(root.join("a/b/c/d")).unwrap();
        fs::create_dir_all(root.join("outside")).unwrap();
        for file in ["secret", "victim"] {
            fs::write(root.join("outside").join(file), HARMLESS).unwrap();
        }
        let mut guest = Guest::new(&world, resolution);
        race(
            || {
                // `d` goes from depth 4 to depth 1 and back.
                let _ = fs::rename(root.join("a/b/c/d"), root.join("d"));
                let _ = fs::rename(root.join("d"), root.join("a/b/c/d"));
            },
            |round, met| {
                let up = b"a/b/c/d/../../../../outside/";
                let at = |name: &str| [&up[..], name.as_bytes()].concat();
                met.count(read(&mut guest, &at("secret"), round % 2 == 0));
                let new = at(&format!("new{round}"));
                if let Ok(fd) = guest.open(3, &new, true, CREAT, READ | WRITE) {
                    guest.close(fd);
                    guest.on("path_unlink_file", 3, &new);
                }
                guest.on("path_unlink_file", 3, &at("victim"));
                guest.on("path_create_directory", 3, &at("empty"));
                guest.on("path_remove_directory", 3, &at("empty"));
                guest.touch_at(3, &at("secret"), true);
                guest.rename(3, &at("secret"), 3, &at("moved"));
                guest.rename(3, &at("moved"), 3, &at("secret"));
                // The same from a directory that moves itself.
                if let Ok(dir) = guest.open(3, b"a/b/c/d", true, 0, READ) {
                    let path = b"../../../../outside/secret";
                    assert!(guest.open(dir, path, true, 0, READ).is_err());
                    guest.close(dir);
                }
            },
        );
        // Where the files inside are by now is not the point.
        assert_eq!(world.outside(), before, "{resolution:?}");
    }
}

/// A directory is moved out of the guest's root, by somebody who may, while the path goes through it.
#[test]
fn a_directory_that_moves_out() {
    for resolution in RESOLUTIONS {
        let world = World::new();
        let root = world.path("root");
        let aside = world.path("aside");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir(&aside).unwrap();
        fs::write(root.join("a/secret"), HARMLESS).unwrap();
        fs::write(aside.join("secret"), SECRET).unwrap();
        fs::write(world.path("secret"), SECRET).unwrap();
        let before = world.outside();
        let mut guest = Guest::new(&world, resolution);
        race(
            || {
                let _ = fs::rename(root.join("a/b"), aside.join("b"));
                let _ = fs::rename(aside.join("b"), root.join("a/b"));
            },
            |round, met| {
                met.count(read(&mut guest, b"a/b/../secret", round % 2 == 0));
                read(&mut guest, b"a/b/../../secret", true);
                guest.on("path_unlink_file", 3, b"a/b/../../secret");
                guest.on("path_create_directory", 3, b"a/b/../new");
                guest.on("path_remove_directory", 3, b"a/b/../new");
                guest.on("path_unlink_file", 3, b"a/b/../victim");
            },
        );
        assert_eq!(world.outside(), before, "{resolution:?}");
        for secret in [aside.join("secret"), world.path("secret")] {
            assert_eq!(fs::read_to_string(secret).unwrap(), SECRET);
        }
        let left = fs::read_dir(&aside).unwrap().count();
        assert!(left <= 2, "something was created beside the secret");
    }
}
