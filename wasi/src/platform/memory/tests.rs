//! What only a tree in memory has: limits, a clock, contents that are static, and what the embedder does.
//! What it has in common with the host's trees is in `platform/suite.rs`.

use alloc::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::{
    platform::{
        Filetype, Oflags, SetTime, Times,
        suite::{READ, content, names, open, options, read, write},
    },
    types::Errno,
};

#[test]
fn the_embedder_puts_files_there_and_reads_them_back() {
    let tree = MemoryDir::new();
    tree.add_file("etc/app/settings", "a = 1").unwrap();
    tree.add_file("etc/app/settings", String::from("a = 2"))
        .unwrap();
    tree.add_file("bin", Vec::from([1, 2])).unwrap();
    tree.add_dir("var/log/").unwrap();
    tree.add_dir("var/log").unwrap();
    tree.add_symlink("../etc/app", "var/app").unwrap();
    assert_eq!(tree.read("var/app/settings").unwrap(), b"a = 2");
    assert_eq!(tree.read("bin").unwrap(), [1, 2]);
    assert_eq!(tree.read("etc"), Err(Errno::Isdir));
    assert_eq!(tree.read("no"), Err(Errno::Noent));
    assert_eq!(tree.read("bin/"), Err(Errno::Notdir));
    assert_eq!(tree.add_dir("bin"), Err(Errno::Exist));
    assert_eq!(tree.add_dir("bin/x"), Err(Errno::Exist));
    assert_eq!(tree.add_file("etc", ""), Err(Errno::Isdir));
    assert_eq!(tree.add_file("new/", ""), Err(Errno::Isdir));
    assert_eq!(tree.add_file("../x", ""), Err(Errno::Perm));
    assert_eq!(tree.add_file("/x/y", ""), Err(Errno::Perm));
    assert_eq!(tree.add_symlink("/x", "y"), Err(Errno::Perm));
    // A part of it, from which no path leads out, not even by its own links.
    let part = tree.dir("var").unwrap();
    assert_eq!(part.read("log/../../bin"), Err(Errno::Perm));
    assert_eq!(part.read("app/settings"), Err(Errno::Perm));
    assert_eq!(tree.dir("bin").map(drop), Err(Errno::Notdir));
    part.add_file("log/today", "x").unwrap();
    assert_eq!(tree.clone().read("var/log/today").unwrap(), b"x");
}

#[test]
fn static_contents_are_copied_when_they_are_written_to() {
    let tree = MemoryDir::new();
    tree.add_file("f", b"abcdef").unwrap();
    let empty = tree.used().unwrap();
    let file = open(&tree, "f", options(Oflags::empty())).unwrap();
    assert_eq!(read(&*file, 9, None).unwrap(), b"abcdef");
    file.set_size(4).unwrap();
    assert_eq!(tree.used(), Ok(empty));
    assert_eq!(write(&*file, b"X", Some(1)), Ok(1));
    assert_eq!(tree.used(), Ok(empty + 4));
    assert_eq!(tree.read("f").unwrap(), b"aXcd");
}

#[test]
fn there_is_a_limit() {
    let name = |bytes: u64| 128 + bytes;
    let tree = MemoryDir::builder().limit(2 * name(1) + 10).build();
    tree.add_file("a", Vec::new()).unwrap();
    tree.add_file("b", b"0123456789abcdef").unwrap();
    let file = open(&tree, "a", options(Oflags::empty())).unwrap();
    // As much as there is room for, and then nothing.
    assert_eq!(write(&*file, b"01234", None), Ok(5));
    assert_eq!(write(&*file, b"56789x", None), Ok(5));
    assert_eq!(write(&*file, b"x", None), Err(Errno::Nospc));
    assert_eq!(tree.used(), Ok(2 * name(1) + 10));
    // What is there already can be written again.
    assert_eq!(write(&*file, b"ABx", Some(8)), Ok(2));
    assert_eq!(tree.read("a").unwrap(), b"01234567AB");
    assert_eq!(file.set_size(11), Err(Errno::Nospc));
    assert_eq!(file.allocate(0, 11), Err(Errno::Nospc));
    assert_eq!(write(&*file, b"x", Some(1 << 40)), Err(Errno::Nospc));
    assert_eq!(
        write(&*file, b"x", Some(i64::MAX as u64)),
        Err(Errno::Nospc)
    );
    // The static file has no room for a copy.
    let fixed = open(&tree, "b", options(Oflags::empty())).unwrap();
    assert_eq!(write(&*fixed, b"x", None), Err(Errno::Nospc));
    assert_eq!(tree.read("b").unwrap(), b"0123456789abcdef");
    // Names need room as well.
    assert_eq!(tree.create_dir(b"d"), Err(Errno::Nospc));
    assert_eq!(tree.symlink(b"t", b"l"), Err(Errno::Nospc));
    assert_eq!(tree.link(b"a", false, &tree, b"c"), Err(Errno::Nospc));
    assert_eq!(tree.rename(b"a", &tree, b"longer"), Err(Errno::Nospc));
    assert_eq!(tree.add_file("c", ""), Err(Errno::Nospc));
    assert_eq!(tree.add_file("a", Vec::from([0; 11])), Err(Errno::Nospc));
    assert_eq!(tree.rename(b"a", &tree, b"c"), Ok(()));
    // Room comes back when a file is cut, or is neither named nor open any more.
    file.set_size(2).unwrap();
    assert_eq!(tree.rename(b"c", &tree, b"longer"), Ok(()));
    tree.unlink(b"longer").unwrap();
    assert_eq!(tree.used(), Ok(name(1) + 2));
    drop(file);
    assert_eq!(tree.used(), Ok(name(1)));
    drop(fixed);
    tree.unlink(b"b").unwrap();
    assert_eq!(tree.used(), Ok(0));
}

#[test]
fn nothing_stays_that_nobody_can_reach() {
    let tree = MemoryDir::new();
    for _ in 0..3 {
        tree.add_file("d/e/f", Vec::from([0; 100])).unwrap();
        tree.add_symlink("f", "d/e/l").unwrap();
        let inner = tree.dir("d/e").unwrap();
        let file = open(&tree, "d/e/f", READ).unwrap();
        inner.rename(b"l", &inner, b"f").unwrap();
        inner.unlink(b"f").unwrap();
        tree.remove_dir(b"d/e").unwrap();
        tree.remove_dir(b"d").unwrap();
        assert_eq!(tree.used(), Ok(100));
        // The directory that it was in is gone, and what it came from.
        assert_eq!(inner.rename(b"x", &tree, b"x"), Err(Errno::Noent));
        assert_eq!(tree.rename(b"x", &inner, b"x"), Err(Errno::Noent));
        drop((inner, file));
        assert_eq!(tree.used(), Ok(0));
    }
    assert_eq!(names(&tree).len(), 2);
    let nodes = tree.node.with(|tree| Ok(tree.node_count()));
    assert_eq!(nodes, Ok(1));
}

#[test]
fn directories_know_how_many_are_in_them() {
    let tree = MemoryDir::new();
    let nlink = |path: &str| tree.filestat_at(path.as_bytes(), true).unwrap().nlink;
    tree.add_dir("a/b").unwrap();
    tree.add_file("a/f", "").unwrap();
    tree.add_dir("c").unwrap();
    assert_eq!((nlink("."), nlink("a"), nlink("a/b")), (4, 3, 2));
    tree.rename(b"a/b", &tree, b"c").unwrap();
    assert_eq!((nlink("."), nlink("a"), nlink("c")), (4, 2, 2));
    tree.rename(b"c", &tree, b"a/c").unwrap();
    assert_eq!((nlink("."), nlink("a")), (3, 3));
    tree.remove_dir(b"a/c").unwrap();
    assert_eq!(nlink("a"), 2);
}

#[test]
fn times_are_the_clocks() {
    let time = Arc::new(AtomicU64::new(10));
    let clock = time.clone();
    let tree = MemoryDir::builder()
        .clock(move || clock.load(Ordering::Relaxed))
        .build();
    let times = |path: &str| {
        let stat = tree.filestat_at(path.as_bytes(), false).unwrap();
        (stat.atim, stat.mtim, stat.ctim)
    };
    assert_eq!(times("."), (10, 10, 10));
    time.store(20, Ordering::Relaxed);
    tree.add_file("f", "abc").unwrap();
    assert_eq!((times("."), times("f")), ((10, 20, 20), (20, 20, 20)));
    time.store(30, Ordering::Relaxed);
    assert_eq!(content(&tree, "f").as_deref(), Ok("abc"));
    assert_eq!(times("f"), (20, 20, 20));
    let file = open(&tree, "f", options(Oflags::empty())).unwrap();
    write(&*file, b"x", None).unwrap();
    assert_eq!(times("f"), (20, 30, 30));
    time.store(40, Ordering::Relaxed);
    tree.link(b"f", false, &tree, b"g").unwrap();
    assert_eq!((times("f"), times(".")), ((20, 30, 40), (10, 40, 40)));
    time.store(50, Ordering::Relaxed);
    let now = Times {
        atim: Some(SetTime::Now),
        mtim: None,
    };
    tree.set_times_at(b"g", true, now).unwrap();
    assert_eq!(times("f"), (50, 30, 50));
}

#[test]
fn a_listing_does_not_run_after_what_is_created_meanwhile() {
    let tree = MemoryDir::new();
    for name in ["a", "b", "c"] {
        tree.add_file(name, "").unwrap();
    }
    let (mut cookie, mut seen) = (0, Vec::new());
    loop {
        let before = seen.len();
        // The tree may be used while it is listed.
        tree.list(cookie, 100, &mut |entry| {
            let name = String::from_utf8(entry.name.to_vec()).unwrap();
            if entry.filetype == Filetype::RegularFile {
                tree.rename(entry.name, &tree, format!("{name}x").as_bytes())
                    .unwrap();
                tree.add_file(format!("{name}-new"), "").unwrap();
            }
            cookie = entry.next;
            seen.push(name);
            false
        })
        .unwrap();
        if seen.len() == before {
            break;
        }
    }
    assert_eq!(seen, [".", "..", "a", "b", "c"]);
    let all = ["a-new", "ax", "b-new", "bx", "c-new", "cx"];
    let names: Vec<_> = names(&tree)
        .into_iter()
        .skip(2)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, all);
}

#[test]
fn an_unknown_combination_is_refused() {
    let tree = MemoryDir::new();
    let opened = open(&tree, "x", options(Oflags::CREAT | Oflags::DIRECTORY));
    assert_eq!(opened.map(drop), Err(Errno::Inval));
}

#[test]
fn threads_share_a_tree() {
    let tree = MemoryDir::new();
    tree.add_file("log", "").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let tree = tree.clone();
            scope.spawn(move || {
                let mut append = options(Oflags::empty());
                append.fdflags = crate::types::Fdflags::APPEND;
                let log = open(&tree, "log", append).unwrap();
                for i in 0..100 {
                    write(&*log, b"line\n", None).unwrap();
                    let (new, name) = (format!("t{thread}-{i}"), format!("n{thread}-{i}"));
                    tree.add_file(&new, "").unwrap();
                    tree.rename(new.as_bytes(), &tree, name.as_bytes()).unwrap();
                }
            });
        }
    });
    assert_eq!(tree.read("log").unwrap(), b"line\n".repeat(400));
    assert_eq!(names(&tree).len(), 2 + 1 + 400);
}
