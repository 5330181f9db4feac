//! The escape suite: a hostile guest tries every way out of its directories that we know, through both
//! resolvers, and the host tries to help it by swapping what it walks over (`races.rs`).
//!
//! Nothing outside may change, no content from there may be read, and no file or directory from there may
//! be seen, which its inode would tell.

#![cfg(target_os = "linux")]

mod guest;
mod races;

use std::{fs, os::unix::fs::MetadataExt};

use guest::{
    CREAT, DIRECTORY, EXCL, Forbidden, Guest, HARMLESS, READ, RESOLUTIONS, SECRET, TRUNC, WRITE,
    World,
};
use teff_wasi::{Errno, PathResolution};

/// Looks at what was opened: it must not be from outside.
fn examine(guest: &mut Guest, fd: i64, forbidden: &Forbidden, what: &str) {
    let inode = guest.inode(fd);
    assert!(!forbidden.has(inode), "{what} is open: {inode:?}");
    let seen = guest.look(fd);
    let seen = String::from_utf8_lossy(&seen);
    assert!(!seen.contains(SECRET), "{what} was read");
    assert!(!seen.contains("victim"), "{what} was listed");
}

/// A path with which everything is tried.
struct Attack<'a> {
    world: &'a World,
    guest: Guest,
    forbidden: Forbidden,
    /// The directory in which the path begins.
    dir: i64,
    /// Has the tree been changed since it was made?
    changed: bool,
}

impl<'a> Attack<'a> {
    fn new(world: &'a World, resolution: PathResolution) -> Self {
        let mut guest = Guest::new(world, resolution);
        Self {
            world,
            forbidden: Forbidden::new(world, &mut guest),
            guest,
            dir: 3,
            changed: true,
        }
    }

    /// Makes the tree anew if it was changed. The path begins at the root or one level further down.
    fn begin(&mut self, below: bool) {
        if self.dir != 3 {
            self.guest.close(self.dir);
        }
        if self.changed {
            self.world.fill();
            self.changed = false;
        }
        self.dir = if below {
            self.guest.open(3, b"dir", true, DIRECTORY, READ).unwrap()
        } else {
            3
        };
    }

    /// Looks at what can be opened by this name.
    fn open(
        &mut self,
        (dir, name): (i64, &[u8]),
        follow: bool,
        oflags: i64,
        rights: i64,
        what: &str,
    ) {
        if let Ok(fd) = self.guest.open(dir, name, follow, oflags, rights) {
            examine(&mut self.guest, fd, &self.forbidden, what);
            // It is inside, so it may be changed.
            self.changed |= self.guest.write(fd, b"written") == 0 || oflags & (CREAT | TRUNC) != 0;
            let _ = self.guest.touch(fd);
            self.guest.close(fd);
        }
    }

    fn stat(&mut self, dir: i64, path: &[u8], follow: bool, what: &str) {
        if let Ok(inode) = self.guest.stat(dir, path, follow) {
            assert!(!self.forbidden.has(inode), "{what} is seen: {inode:?}");
        }
    }

    /// Does everything with a path that a guest can do.
    fn run(&mut self, path: &[u8], below: bool) {
        let what = path[..path.len().min(80)].escape_ascii().to_string();
        for follow in [false, true] {
            self.begin(below);
            self.stat(self.dir, path, follow, &what);
            for oflags in [0, DIRECTORY, CREAT, CREAT | EXCL, TRUNC, CREAT | DIRECTORY] {
                for rights in [0, READ, READ | WRITE] {
                    self.open((self.dir, path), follow, oflags, rights, &what);
                }
            }
            let _ = self.guest.touch_at(self.dir, path, follow);
            for (to, name) in [(self.dir, &b"hard"[..]), (4, b"hard")] {
                if self.guest.link((self.dir, path), follow, (to, name)) == 0 {
                    self.changed = true;
                    self.stat(to, name, true, &what);
                }
            }
        }
        for change in CHANGES {
            self.begin(below);
            if change(&mut self.guest, self.dir, path) != 0 {
                continue;
            }
            self.changed = true;
            // What came in by it is no file from outside.
            for name in [&b"moved"[..], b"made", b"made/secret"] {
                for to in [self.dir, 4] {
                    self.open((to, name), true, 0, READ | WRITE, &what);
                }
            }
        }
    }
}

/// A call with a directory and a path in it, and its error code.
type Change = fn(&mut Guest, i64, &[u8]) -> u16;

/// What a path can be changed by.
const CHANGES: [Change; 12] = [
    |guest, dir, path| guest.on("path_create_directory", dir, path),
    |guest, dir, path| guest.on("path_unlink_file", dir, path),
    |guest, dir, path| guest.on("path_remove_directory", dir, path),
    |guest, dir, path| guest.rename(dir, path, dir, b"moved"),
    |guest, dir, path| guest.rename(dir, path, 4, b"moved"),
    |guest, dir, path| guest.rename(dir, b"file", dir, path),
    |guest, dir, path| guest.rename(3, b"inside", dir, path),
    |guest, _, path| guest.rename(3, b"dir", 4, path),
    |guest, dir, path| guest.link((dir, b"file"), false, (dir, path)),
    |guest, dir, path| guest.link((3, b"secret"), true, (dir, path)),
    |guest, dir, path| guest.symlink(b"../outside", dir, path),
    |guest, dir, path| guest.symlink(path, dir, b"made"),
];

/// Paths that lead out, all refused as such.
fn leading_out(world: &World) -> Vec<Vec<u8>> {
    let outside = world.path("outside").to_str().unwrap().to_owned();
    let mut paths: Vec<Vec<u8>> = [
        "..",
        "../",
        "../.",
        "../..",
        "../outside",
        "../outside/secret",
        "./../outside/secret",
        "dir/../../outside/secret",
        "dir//..//.././outside/secret",
        "dir/below/../../../outside/secret",
        // Out, and in again.
        "../root/file",
        "dir/../../root/file",
        "dir/../../root/dir/",
        "back",
        "back_dir/file",
        "up",
        "up/outside/secret",
        "out",
        "out/",
        "out/.",
        "out/secret",
        "out_slash",
        "out_slash/secret",
        "secret",
        "dir/up/up",
        "dir/up/../outside/secret",
        "dir/out/secret",
        "through/secret",
        "through_link/secret",
        "absolute",
        "absolute/secret",
        "chain1",
        "chain1/secret",
        "chain1/dir/secret",
        "chain1_secret",
        "fds",
        "fds/0",
        "fds/3",
        "fds/3/../outside/secret",
        "host_root",
        "host_root/etc",
        "host_cwd",
        "host_cwd/..",
        "slash",
        "slash/etc/passwd",
        "etc",
        "etc/passwd",
        "dangling_out",
        "long",
        "inside/../../outside/secret",
        "/",
        "//",
        "/.",
        "/..",
        "/etc/passwd",
        "/proc/self/fd/3",
        "/proc/self/root/etc/passwd",
        "/file",
        "//file",
    ]
    .map(Vec::from)
    .to_vec();
    paths.push(outside.clone().into_bytes());
    paths.push(format!("{outside}/secret").into_bytes());
    // As long as a path can be.
    let end = b"../outside/secret";
    paths.push([&b"./".repeat((4095 - end.len()) / 2), &end[..]].concat());
    paths.push([&b"dir/../".repeat((4095 - end.len()) / 7), &end[..]].concat());
    paths
}

/// Paths that lead nowhere, or look as if they led out.
fn strange() -> Vec<Vec<u8>> {
    let mut paths: Vec<Vec<u8>> = [
        &b""[..],
        b".",
        b"./",
        b"file",
        b"file/",
        b"file/.",
        b"file/..",
        b"file/../../outside/secret",
        b"dir/",
        b"dir/.",
        b"dir/..",
        b"dir/up",
        b"inside/",
        b"inside_file",
        b"inside_file/",
        b"missing/../../outside/secret",
        b"self",
        b"self/../../outside/secret",
        b"loop1",
        b"loop1/secret",
        b"...",
        b"..../outside",
        b"\0",
        b"\0../outside/secret",
        b"file\0",
        b"..\0",
        b"../outside/secret\0",
        b"../outside\0/secret",
        b"\xff",
        b"\xff/../../outside/secret",
        b"\xc0\xae\xc0\xae/outside/secret",
        b"\xe2\x80\xa5/outside/secret",
        b"..\\outside\\secret",
        b"%2e%2e/outside/secret",
        b"~",
        b"C:\\",
        b" ../outside/secret",
        b"../outside/secret ",
    ]
    .map(Vec::from)
    .to_vec();
    for len in [254, 255, 256, 1000] {
        paths.push(b"n".repeat(len));
        paths.push([&b"n".repeat(len)[..], b"/../../outside/secret"].concat());
    }
    for len in [4094, 4095, 4096, 4097, 9000, 0x3fff] {
        paths.push(b"./".repeat(len).split_off(len));
        paths.push(b"../".repeat(len).split_off(2 * len));
        paths.push(b"n".repeat(len));
    }
    paths
}

#[test]
fn no_path_leads_out() {
    let world = World::new();
    let before = world.outside();
    for resolution in RESOLUTIONS {
        let mut attack = Attack::new(&world, resolution);
        for path in leading_out(&world).into_iter().chain(strange()) {
            attack.changed = true;
            for below in [false, true] {
                attack.run(&path, below);
            }
            let path = path.escape_ascii();
            assert_eq!(world.outside(), before, "{resolution:?} {path}");
        }
    }
}

#[test]
fn what_leads_out_is_refused_as_such() {
    let world = World::new();
    world.fill();
    for resolution in RESOLUTIONS {
        let mut guest = Guest::new(&world, resolution);
        for path in leading_out(&world) {
            let shown = path[..path.len().min(80)].escape_ascii();
            let perm = Errno::Perm as u16;
            assert_eq!(
                guest.stat(3, &path, true),
                Err(perm),
                "{resolution:?} {shown}"
            );
            for oflags in [0, DIRECTORY] {
                let opened = guest.open(3, &path, true, oflags, READ);
                assert_eq!(opened, Err(perm), "{resolution:?} {oflags} {shown}");
            }
            // The host refuses to create what ends in a slash before it goes there.
            let created = guest.open(3, &path, true, CREAT, READ);
            let isdir = Err(Errno::Isdir as u16);
            assert!(
                created == Err(perm) || created == isdir,
                "{resolution:?} {shown}"
            );
        }
    }
}

#[test]
fn names_and_paths_have_a_length() {
    let world = World::new();
    for resolution in RESOLUTIONS {
        world.fill();
        let mut guest = Guest::new(&world, resolution);
        let too_long = Errno::Nametoolong as u16;
        let mut create = |path: &[u8]| guest.open(3, path, true, CREAT, READ | WRITE).map(drop);
        assert_eq!(create(&b"n".repeat(255)), Ok(()));
        assert_eq!(create(&b"n".repeat(256)), Err(too_long));
        for len in [4094, 4095] {
            // Ends in a name of one byte, or of two.
            let path = [&b"./".repeat(2046), &b"nnn"[..len - 4092]].concat();
            assert_eq!((path.len(), create(&path)), (len, Ok(())), "{resolution:?}");
        }
        for len in [4096, 4097, 0x3fff] {
            let path = [&b"./".repeat(len / 2 - 1)[..], &b"nnn"[..2 + len % 2]].concat();
            assert_eq!(
                (path.len(), create(&path)),
                (len, Err(too_long)),
                "{resolution:?}"
            );
        }
    }
}

#[test]
fn a_nul_ends_no_path() {
    let world = World::new();
    for resolution in RESOLUTIONS {
        world.fill();
        let mut guest = Guest::new(&world, resolution);
        let inval = Errno::Inval as u16;
        for path in [&b"file\0"[..], b"\0file", b"dir\0/file", b"new\0.txt"] {
            assert_eq!(guest.stat(3, path, true), Err(inval));
            assert_eq!(guest.open(3, path, true, CREAT, READ), Err(inval));
            assert_eq!(guest.on("path_create_directory", 3, path), inval);
            assert_eq!(guest.on("path_unlink_file", 3, path), inval);
            assert_eq!(guest.rename(3, b"file", 3, path), inval);
            assert_eq!(guest.symlink(path, 3, b"link"), inval);
        }
        assert!(world.path("root/file").exists() && !world.path("root/new").exists());
    }
}

#[test]
fn names_are_bytes() {
    let world = World::new();
    for resolution in RESOLUTIONS {
        world.fill();
        let mut guest = Guest::new(&world, resolution);
        for name in [
            &b"\xff"[..],
            b"\xc0\xae\xc0\xae",
            b"..\\file",
            b"%2e%2e",
            b" ..",
        ] {
            let fd = guest.open(3, name, true, CREAT | EXCL, READ).unwrap();
            let inode = guest.inode(fd);
            guest.close(fd);
            // It is in the directory itself, and nothing but a name.
            let there = fs::read_dir(world.path("root")).unwrap();
            let inodes: Vec<_> = there
                .map(|entry| entry.unwrap().metadata().unwrap().ino())
                .collect();
            assert!(inodes.contains(&inode.1), "{}", name.escape_ascii());
        }
    }
}

#[test]
fn what_is_read_only_gets_no_second_name_and_no_other_times() {
    let world = World::new();
    let before = world.outside();
    let perm = Errno::Perm as u16;
    for resolution in RESOLUTIONS {
        world.fill();
        let mut guest = Guest::new(&world, resolution);
        assert_eq!(guest.link((5, b"file"), false, (4, b"hard")), perm);
        assert_eq!(guest.link((5, b"file"), false, (5, b"hard")), perm);
        assert_eq!(guest.link((3, b"file"), false, (5, b"hard")), perm);
        assert_eq!(guest.rename(5, b"file", 4, b"moved"), perm);
        assert_eq!(guest.rename(3, b"file", 5, b"file"), perm);
        assert_eq!(guest.symlink(b"file", 5, b"link"), perm);
        assert_eq!(guest.touch_at(5, b"file", true), perm);
        for (path, oflags) in [(&b"."[..], DIRECTORY), (b"dir", DIRECTORY), (b"file", 0)] {
            let fd = guest.open(5, path, true, oflags, READ).unwrap();
            assert_ne!(guest.touch(fd), 0, "{}", path.escape_ascii());
            assert_ne!(guest.write(fd, b"written"), 0);
            if oflags == DIRECTORY {
                assert_eq!(guest.on("path_create_directory", fd, b"new"), perm);
                assert_eq!(guest.open(fd, b"new", true, CREAT, READ), Err(perm));
            }
            guest.close(fd);
        }
        assert_ne!(guest.touch(5), 0);
        assert_eq!(world.outside(), before, "{resolution:?}");
    }
}

#[test]
fn names_in_two_directories_are_the_same_file_inside() {
    let world = World::new();
    let before = world.outside();
    for resolution in RESOLUTIONS {
        world.fill();
        let mut guest = Guest::new(&world, resolution);
        assert_eq!(guest.link((3, b"dir/file"), false, (4, b"hard")), 0);
        assert_eq!(
            guest.stat(3, b"dir/file", false),
            guest.stat(4, b"hard", false)
        );
        // A link's own second name leads nowhere else than the link: nowhere.
        assert_eq!(guest.link((3, b"secret"), false, (4, b"secret")), 0);
        let perm = Errno::Perm as u16;
        assert_eq!(guest.open(4, b"secret", true, 0, READ), Err(perm));
        assert_eq!(guest.link((3, b"secret"), true, (4, b"other")), perm);
        // Moved, it leads from its new place, which is as bad.
        assert_eq!(guest.rename(3, b"dir/out", 3, b"moved"), 0);
        assert_eq!(guest.open(3, b"moved/secret", true, 0, READ), Err(perm));
        assert_eq!(guest.rename(3, b"dir/up", 4, b"up"), 0);
        assert_eq!(
            guest.open(4, b"up/outside/secret", true, 0, READ),
            Err(perm)
        );
        assert_eq!(world.outside(), before);
    }
}

#[test]
fn a_directory_that_is_moved_stays_a_root() {
    let world = World::new();
    let before = world.outside();
    let perm = Errno::Perm as u16;
    for resolution in RESOLUTIONS {
        world.fill();
        let mut guest = Guest::new(&world, resolution);
        let below = guest.open(3, b"dir/below", true, DIRECTORY, READ).unwrap();
        let check = |guest: &mut Guest| {
            for path in [
                &b".."[..],
                b"../file",
                b"../outside/secret",
                b"./../../outside/secret",
            ] {
                assert_eq!(
                    guest.open(below, path, true, 0, READ),
                    Err(perm),
                    "{resolution:?}"
                );
            }
            let fd = guest.open(below, b"file", true, 0, READ).unwrap();
            assert_eq!(guest.look(fd), HARMLESS.as_bytes());
            guest.close(fd);
        };
        check(&mut guest);
        // By the guest: up, and into the other directory.
        assert_eq!(guest.rename(3, b"dir/below", 3, b"above"), 0);
        check(&mut guest);
        assert_eq!(guest.rename(3, b"above", 4, b"beside"), 0);
        check(&mut guest);
        // Not into itself, by whatever name.
        assert_eq!(
            guest.rename(4, b"beside", below, b"self"),
            Errno::Inval as u16
        );
        // By the host, to where nothing is the guest's.
        fs::rename(world.path("other/beside"), world.path("outside/moved")).unwrap();
        check(&mut guest);
        assert_ne!(
            guest.open(4, b"beside/file", true, 0, READ).map(drop),
            Ok(())
        );
        fs::rename(world.path("outside/moved"), world.path("other/beside")).unwrap();
    }
    // All but the time of the directory to which the host has moved something.
    let same = |lines: Vec<String>| {
        lines
            .into_iter()
            .filter(|line| line.contains(SECRET))
            .collect::<Vec<_>>()
    };
    assert_eq!(same(world.outside()), same(before));
}
