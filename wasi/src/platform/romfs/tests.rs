//! Images that are made here, and one that genromfs made; some of them damaged.

use std::{format, string::String, vec, vec::Vec};

use super::*;
use crate::{
    platform::{
        Dir, Errno, Filetype, Oflags, OpenOptions, SetTime, Times, Whence,
        suite::{READ, content, names, open, options, read, write},
    },
    types::Fdflags,
};

/// Made by `genromfs -V vol` of a directory with the files `a.txt` (`hello`), of which `sub/hard` is another
/// name, and `sub/b` (a program, 40 times `x`), the link `l` to `a.txt`, and the empty directory `e`.
pub(super) const GENROMFS: &[u8] = include_bytes!("testdata/genromfs.img");

/// An image with something of all kinds.
pub(super) fn image() -> Vec<u8> {
    let mut builder = Builder::new("test");
    builder
        .file("f", "contents of f")
        .and_then(|b| b.file("d/inner/deep", &[7; 100]))
        .and_then(|b| b.file("d/empty", ""))
        .and_then(|b| b.add_file("d/run", &b"#!"[..], true))
        .and_then(|b| b.dir("d/nothing"))
        .and_then(|b| b.dir("d"))
        .and_then(|b| b.symlink("l", "d/inner/deep"))
        .and_then(|b| b.symlink("to-d", "d"))
        .and_then(|b| b.symlink("absolute", "/etc/passwd"))
        .and_then(|b| b.symlink("d/out", "../../x"))
        .and_then(|b| b.hard_link("d/inner/again", "f"))
        .and_then(|b| b.hard_link("another", "d/run"))
        .unwrap();
    builder.build().unwrap()
}

pub(super) fn number(image: &[u8], at: usize) -> usize {
    u32::from_be_bytes(image[at..at + 4].try_into().unwrap()) as usize
}

pub(super) fn set(image: &mut [u8], at: usize, number: usize) {
    image[at..at + 4].copy_from_slice(&(number as u32).to_be_bytes());
}

/// Makes the checksum of an image's start right.
pub(super) fn fix(image: &mut [u8]) {
    set(image, 12, 0);
    let size = number(image, 8).min(image.len()).min(CHECKED);
    let sum = sum(&image[..size]);
    set(image, 12, sum.wrapping_neg() as usize);
}

/// Makes the checksum of a header right, and then the image's.
pub(super) fn fix_header(image: &mut [u8], header: usize) {
    set(image, header + 12, 0);
    let name = image[header + HEADER..].iter().position(|b| *b == 0);
    let end = (header + HEADER + name.unwrap() + 1).next_multiple_of(ALIGN);
    let sum = sum(&image[header..end]);
    set(image, header + 12, sum.wrapping_neg() as usize);
    fix(image);
}

/// Where the header with this name is, the first one of them.
pub(super) fn header(image: &[u8], name: &str) -> usize {
    let name = format!("{name}\0");
    let mut all = (32..number(image, 8)).step_by(ALIGN);
    all.find(|at| image[at + HEADER..].starts_with(name.as_bytes()))
        .unwrap()
}

/// All headers of an image that is good.
pub(super) fn headers(image: &[u8]) -> Vec<usize> {
    let image = image::Image::new(image::Bytes::Owned(alloc::sync::Arc::new(image.to_vec())));
    let image = image.unwrap();
    let (mut dirs, mut all) = (vec![image.root()], Vec::new());
    while let Some(dir) = dirs.pop() {
        for entry in image.entries(&image.node(dir).unwrap()) {
            let entry = entry.unwrap();
            all.push(entry.offset as usize);
            if entry.filetype() == Filetype::Directory && entry.name != b"." {
                dirs.push(entry.offset);
            }
        }
    }
    all
}

pub(super) fn tree(image: Vec<u8>) -> RomDir {
    RomDir::from_owner(image).unwrap()
}

#[test]
fn what_was_packed_is_found() {
    let tree = tree(image());
    let kinds: Vec<_> = names(&tree)
        .into_iter()
        .map(|(name, kind)| format!("{name} {kind:?}"))
        .collect();
    assert_eq!(
        kinds,
        [
            ". Directory",
            ".. Directory",
            "absolute SymbolicLink",
            "another RegularFile",
            "d Directory",
            "f RegularFile",
            "l SymbolicLink",
            "to-d SymbolicLink"
        ]
    );
    for (path, contents) in [
        ("f", &b"contents of f"[..]),
        ("l", &[7; 100]),
        ("to-d/inner/../inner/deep", &[7; 100]),
        ("d/empty", b""),
        ("d/inner/again", b"contents of f"),
        ("another", b"#!"),
    ] {
        assert_eq!(tree.contents(path), Ok(contents), "{path}");
    }
    let stat = |path: &str| tree.filestat_at(path.as_bytes(), false).unwrap();
    assert_eq!(stat("f").ino, stat("d/inner/again").ino);
    assert_eq!(
        (stat("f").size, stat("l").size, stat("d").size),
        (13, 12, 0)
    );
    assert_eq!(stat("d/inner/..").ino, stat("d").ino);
    assert_ne!(stat("d").dev, 0);
    assert!(names(&tree.dir("d/nothing").unwrap()).len() == 2);
    let other = RomDir::new(GENROMFS).unwrap();
    assert_ne!(stat(".").dev, other.filestat().unwrap().dev);
    assert_eq!(stat("."), tree.filestat().unwrap());
}

#[test]
fn data_is_where_it_is_in_the_image() {
    let image = Vec::leak(image());
    let tree = RomDir::new(image).unwrap();
    let place = tree.contents("d/inner/deep").unwrap().as_ptr() as usize;
    let offset = place - image.as_ptr() as usize;
    assert!(offset < image.len());
    assert_eq!(offset % ALIGN, 0);
}

#[test]
fn an_image_of_genromfs_is_read() {
    let tree = RomDir::new(GENROMFS).unwrap();
    assert_eq!(content(&tree, "a.txt").as_deref(), Ok("hello"));
    assert_eq!(content(&tree, "l").as_deref(), Ok("hello"));
    assert_eq!(content(&tree, "sub/hard").as_deref(), Ok("hello"));
    assert_eq!(content(&tree, "sub/b"), Ok("x".repeat(40)));
    let sub = tree.dir("sub").unwrap();
    let listed = |dir| {
        names(dir)
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&sub), [".", "..", "b", "hard"]);
    assert_eq!(listed(&tree), [".", "..", "a.txt", "e", "l", "sub"]);
    let mut up = 0;
    sub.list(0, 99, &mut |entry| {
        if entry.name == b".." {
            up = entry.ino;
        }
        true
    })
    .unwrap();
    assert_eq!(up, tree.filestat().unwrap().ino);
    // The same again from our own hand: a sorted list of names, in which files come before their other names.
    let mut builder = Builder::new("vol");
    builder
        .file("a.txt", "hello")
        .and_then(|b| b.dir("e"))
        .and_then(|b| b.symlink("l", "a.txt"))
        .and_then(|b| b.add_file("sub/b", vec![b'x'; 40], true))
        .and_then(|b| b.hard_link("sub/hard", "a.txt"))
        .unwrap();
    let ours = builder.build().unwrap();
    assert_eq!(ours.len(), GENROMFS.len());
    assert_eq!(number(&ours, 8), number(GENROMFS, 8));
}

#[test]
fn images_have_the_layout_of_the_format() {
    let image = image();
    assert_eq!(image.len() % 1024, 0);
    assert_eq!(&image[..8], b"-rom1fs-");
    assert_eq!(&image[16..21], b"test\0");
    let size = number(&image, 8);
    assert!(size <= image.len() && size.is_multiple_of(ALIGN));
    assert_eq!(sum(&image[..size.min(512)]), 0);
    assert!(image[size..].iter().all(|byte| *byte == 0));
    // The root comes first; it is a directory that may be searched and begins with itself.
    assert_eq!(number(&image, 32) & 15, 9);
    assert_eq!(number(&image, 36), 32);
    assert_eq!(image[48..50], *b".\0");
    assert_eq!(number(&image, header(&image, "..")) & 15, 0);
    let run = header(&image, "run");
    assert_eq!(number(&image, run) & 15, 10);
    assert_eq!(number(&image, header(&image, "another") + 4), run);
    // The same list makes the same image.
    assert_eq!(image, super::tests::image());
}

#[test]
fn nothing_can_be_changed() {
    let tree = tree(image());
    let rofs = Err(Errno::Rofs);
    let opened = |path, oflags| open(&tree, path, options(oflags)).map(drop);
    assert_eq!(opened("f", Oflags::empty()), rofs);
    assert_eq!(opened("new", Oflags::CREAT), rofs);
    assert_eq!(opened("new/", Oflags::CREAT), Err(Errno::Isdir));
    assert_eq!(opened("new", Oflags::empty()), Err(Errno::Noent));
    assert_eq!(opened("f", Oflags::CREAT | Oflags::EXCL), Err(Errno::Exist));
    assert_eq!(opened("d", Oflags::empty()), Err(Errno::Isdir));
    assert_eq!(opened("f", Oflags::DIRECTORY), Err(Errno::Notdir));
    assert_eq!(opened("../f", Oflags::CREAT), Err(Errno::Perm));
    let cut = OpenOptions {
        oflags: Oflags::TRUNC,
        ..READ
    };
    assert_eq!(open(&tree, "f", cut).map(drop), rofs);
    let create = OpenOptions {
        oflags: Oflags::CREAT,
        fdflags: Fdflags::APPEND,
        ..READ
    };
    assert_eq!(content(&tree, "f"), Ok("contents of f".into()));
    assert!(open(&tree, "f", create).is_ok());
    let times = Times {
        mtim: Some(SetTime::Now),
        ..Times::default()
    };
    assert_eq!(tree.set_times(times), rofs);
    assert_eq!(tree.set_times_at(b"f", true, times), rofs);
    assert_eq!(tree.set_times_at(b"no", true, times), Err(Errno::Noent));
    assert_eq!(tree.create_dir(b"new"), rofs);
    assert_eq!(tree.create_dir(b"d"), Err(Errno::Exist));
    assert_eq!(tree.create_dir(b"no/new"), Err(Errno::Noent));
    assert_eq!(tree.symlink(b"x", b"new"), rofs);
    assert_eq!(tree.symlink(b"/x", b"new"), Err(Errno::Perm));
    assert_eq!(tree.remove_dir(b"d"), rofs);
    assert_eq!(tree.unlink(b"f"), rofs);
    assert_eq!(tree.unlink(b"../f"), Err(Errno::Perm));
    assert_eq!(tree.rename(b"f", &tree, b"g"), rofs);
    assert_eq!(tree.link(b"f", false, &tree, b"g"), rofs);
    assert_eq!(tree.link(b"f", false, &tree, b"d"), Err(Errno::Exist));
    let other = RomDir::new(GENROMFS).unwrap();
    assert_eq!(tree.rename(b"f", &other, b"g"), Err(Errno::Xdev));
    assert_eq!(tree.link(b"f", false, &other, b"g"), Err(Errno::Xdev));
    let file = open(&tree, "f", READ).unwrap();
    assert_eq!(write(&*file, b"x", None), Err(Errno::Badf));
    assert_eq!(file.set_size(1), Err(Errno::Inval));
    assert_eq!(file.allocate(0, 1), Err(Errno::Badf));
    assert_eq!(file.set_times(times), rofs);
}

#[test]
fn files_are_read_at_offsets() {
    let tree = tree(image());
    let file = &*open(&tree, "f", READ).unwrap();
    assert_eq!(read(file, 8, None).unwrap(), b"contents");
    assert_eq!(file.available(), 5);
    assert_eq!(read(file, 99, None).unwrap(), b" of f");
    assert_eq!(read(file, 99, None).unwrap(), b"");
    assert_eq!(read(file, 2, Some(9)).unwrap(), b"of");
    assert_eq!(read(file, 2, Some(u64::MAX)).unwrap(), b"");
    assert_eq!(file.seek(-1, Whence::End), Ok(12));
    assert_eq!(file.seek(-13, Whence::Cur), Err(Errno::Inval));
    assert_eq!(file.seek(1 << 40, Whence::Set), Ok(1 << 40));
    assert_eq!(read(file, 2, None).unwrap(), b"");
}

#[test]
fn no_path_leads_out() {
    let tree = tree(image());
    for path in ["absolute", "d/out", "..", "d/../..", "/f", "to-d/out/x"] {
        assert_eq!(tree.contents(path), Err(Errno::Perm), "{path}");
    }
    let mut target = [0; 6];
    assert_eq!(tree.readlink(b"absolute", &mut target), Err(Errno::Perm));
    assert_eq!(tree.readlink(b"d/out", &mut target), Ok(6));
    assert_eq!(&target, b"../../");
    assert_eq!(tree.readlink(b"f", &mut target), Err(Errno::Inval));
    assert_eq!(tree.readlink(b"to-d/", &mut target), Err(Errno::Inval));
    let part = tree.dir("d/inner").unwrap();
    assert_eq!(part.contents("../empty"), Err(Errno::Perm));
    assert_eq!(part.contents("deep"), Ok(&[7; 100][..]));
    // A cookie of another directory shows nothing of it.
    let cookies = |dir: &RomDir| {
        let mut cookies = Vec::new();
        dir.list(0, 99, &mut |entry| {
            cookies.push(entry.next);
            true
        })
        .unwrap();
        cookies
    };
    for cookie in cookies(&tree).into_iter().filter(|cookie| *cookie > 2) {
        let foreign = part.list(cookie, 99, &mut |_| panic!("an entry"));
        assert_eq!(foreign, Err(Errno::Inval));
    }
    for (i, cookie) in cookies(&part).into_iter().enumerate() {
        let mut left = 0;
        part.list(cookie, 99, &mut |_| {
            left += 1;
            true
        })
        .unwrap();
        assert_eq!(left, 3 - i);
    }
}

#[test]
fn what_is_no_image_is_told() {
    let good = image();
    let error = |image: Vec<u8>| RomDir::from_owner(image).unwrap_err();
    assert_eq!(error(Vec::new()), Invalid::Magic);
    assert_eq!(error(b"-rom1fs-".to_vec()), Invalid::Magic);
    assert_eq!(error(vec![0; 4096]), Invalid::Magic);
    let size = number(&good, 8);
    assert_eq!(
        error(good[..size - 1].to_vec()),
        Invalid::Truncated {
            len: size as u64 - 1,
            size: size as u64
        }
    );
    let mut damaged = good.clone();
    damaged[100] ^= 1;
    assert_eq!(error(damaged), Invalid::Checksum);
    let mut tiny = good[..32].to_vec();
    set(&mut tiny, 8, 32);
    fix(&mut tiny);
    assert_eq!(error(tiny), Invalid::Root);
    let mut no_name_end = good.clone();
    no_name_end[16..16 + 300].fill(b'n');
    fix(&mut no_name_end);
    assert_eq!(error(no_name_end), Invalid::Root);
    assert_eq!(image_size(&good), Ok(size as u32));
    for (invalid, text) in [
        (Invalid::Magic, "no romfs image"),
        (
            Invalid::Truncated { len: 1, size: 2 },
            "has 2 bytes, and has 1",
        ),
        (Invalid::Checksum, "checksum"),
        (Invalid::Root, "root directory"),
    ] {
        assert!(format!("{invalid}").contains(text));
    }
}

#[test]
fn damage_is_an_error_where_it_is() {
    let check = |change: &dyn Fn(&mut Vec<u8>), path: &str| {
        let mut image = image();
        change(&mut image);
        let tree = tree(image);
        assert_eq!(tree.contents(path), Err(Errno::Io));
        tree
    };
    // A header of which one bit is wrong.
    let tree = check(
        &|image| {
            let at = header(image, "inner");
            image[at + 3] ^= 1;
            fix(image);
        },
        "d/inner/deep",
    );
    assert_eq!(tree.list(0, 99, &mut |_| true), Ok(()));
    assert_eq!(tree.contents("f"), Ok(&b"contents of f"[..]));
    let listing = tree.dir("d").unwrap().list(0, 99, &mut |_| true);
    assert_eq!(listing, Err(Errno::Io));
    // A file that is longer than the image, and one that begins at its end.
    for size in [4096, u32::MAX as usize] {
        check(
            &|image| {
                let at = header(image, "deep");
                set(image, at + 8, size);
                fix_header(image, at);
            },
            "l",
        );
    }
    // Offsets that are outside, and one that is in the image's head.
    for next in [1 << 20, u32::MAX as usize & !15, 0x10] {
        check(
            &|image| {
                let at = header(image, "another");
                set(image, at, next);
                fix_header(image, at);
            },
            "f",
        );
    }
}

#[test]
fn circles_end() {
    // The last entry of the root is followed by the first one, by the one before, by itself.
    for back in ["..", "absolute", "l", "to-d"] {
        let mut image = image();
        let last = header(&image, "to-d");
        let to = header(&image, back);
        set(&mut image, last, to | kind::SYMLINK as usize);
        fix_header(&mut image, last);
        let tree = tree(image);
        assert_eq!(tree.contents("f"), Ok(&b"contents of f"[..]));
        assert_eq!(tree.contents("missing"), Err(Errno::Io));
        let mut count = 0;
        let listing = tree.list(0, 99, &mut |_| {
            count += 1;
            true
        });
        assert_eq!(listing, Err(Errno::Io));
        assert!(count < 50, "{count}");
    }
    // A hard link to itself.
    let mut image = image();
    let link = header(&image, "another");
    set(&mut image, link + 4, link);
    fix_header(&mut image, link);
    assert_eq!(tree(image).contents("another"), Err(Errno::Io));
    // A directory that is in itself is as deep as a path is long.
    let mut image = super::tests::image();
    let (inner, root) = (header(&image, "inner"), 32);
    set(&mut image, inner + 4, root);
    fix_header(&mut image, inner);
    let tree = tree(image);
    let path = "d/inner/".repeat(500);
    assert_eq!(tree.contents(format!("{path}f")), Ok(&b"contents of f"[..]));
}

#[test]
fn names_that_are_no_names_are_not_shown() {
    let mut image = image();
    let at = header(&image, "another");
    image[at + HEADER + 2] = b'/';
    fix_header(&mut image, at);
    let tree = tree(image);
    assert_eq!(tree.list(0, 99, &mut |_| true), Err(Errno::Io));
    assert_eq!(tree.contents("an/ther"), Err(Errno::Noent));
}

#[test]
fn what_cannot_be_packed_is_told() {
    fn error(add: impl Fn(&mut Builder<'_>) -> Result<(), PackError>) -> PackError {
        let mut builder = Builder::new("");
        builder.file("f", "").unwrap();
        match add(&mut builder) {
            Ok(()) => builder.build().unwrap_err(),
            Err(error) => error,
        }
    }
    for path in ["", "/x", "x/", "a//b", "a/./b", "../x", "a\0b"] {
        let told = error(|b| b.file(path, "").map(drop));
        assert_eq!(told, PackError::Path(path.into()));
    }
    let long = "n".repeat(127);
    let mut builder = Builder::new("");
    builder.file(&long, "x").unwrap();
    let packed = tree(builder.build().unwrap());
    assert_eq!(packed.contents(&long), Ok(&b"x"[..]));
    let longer = format!("d/{long}n/f");
    let told = error(|b| b.file(&longer, "").map(drop));
    assert_eq!(told, PackError::NameTooLong(longer.clone()));
    let told = error(|b| b.symlink("f", "x").map(drop));
    assert_eq!(told, PackError::Duplicate("f".into()));
    let told = error(|b| b.dir("f").map(drop));
    assert_eq!(told, PackError::Duplicate("f".into()));
    let told = error(|b| b.file("f/x", "").map(drop));
    assert_eq!(told, PackError::NotADirectory("f/x".into()));
    for target in ["no", "d", "l"] {
        let told = error(|b| {
            b.dir("d")?.symlink("l", "f")?.hard_link("h", target)?;
            Ok(())
        });
        assert_eq!(told, PackError::NoSuchFile(target.into()));
    }
    for target in [String::new(), "a\0b".into(), "x".repeat(4096)] {
        let told = error(|b| b.symlink("x", &target).map(drop));
        assert_eq!(told, PackError::Target("x".into()));
    }
    let deep = "d/".repeat(256) + "f";
    let mut builder = Builder::new("");
    builder.file(&deep, "x").unwrap();
    assert_eq!(
        tree(builder.build().unwrap()).contents(&deep),
        Ok(&b"x"[..])
    );
    let deeper = format!("d/{deep}");
    let told = error(|b| b.file(&deeper, "").map(drop));
    assert_eq!(told, PackError::TooDeep(deeper.clone()));
    // The same bytes in many files, so that they are nowhere.
    let big = vec![0; 1 << 24];
    let mut builder = Builder::new("");
    for i in 0..256 {
        builder.file(format!("big-{i}"), &big).unwrap();
    }
    let told = builder.build().unwrap_err();
    assert_eq!(told, PackError::TooLarge);
    assert!(format!("{told}").contains("4 GiB"));
}
