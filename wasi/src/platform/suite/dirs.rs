//! Directories: what is created, linked, renamed, removed and listed in them.

use super::*;

#[test]
fn directories_are_created_and_removed() {
    on_each(|dir| {
        let (create, remove) = (
            |path: &str| dir.create_dir(path.as_bytes()),
            |path: &str| dir.remove_dir(path.as_bytes()),
        );
        assert_eq!((create("d"), create("d/e/")), (Ok(()), Ok(())));
        file(dir, "f", "");
        dir.symlink(b"d", b"l").unwrap();
        for path in ["d", "d/", "d/e", "f", "l", "l/", ".", "d/..", "d/."] {
            assert_eq!(create(path), Err(Errno::Exist), "{path}");
        }
        assert_eq!(create("x/y"), Err(Errno::Noent));
        assert_eq!(create("f/y"), Err(Errno::Notdir));
        assert_eq!(create(".."), Err(Errno::Perm));
        assert_eq!(create("l/new"), Ok(()));
        assert_eq!(remove("d/new"), Ok(()));
        assert_eq!(remove("d"), Err(Errno::Notempty));
        assert_eq!(remove("f"), Err(Errno::Notdir));
        assert_eq!(remove("l"), Err(Errno::Notdir));
        assert_eq!(remove("x"), Err(Errno::Noent));
        assert_eq!(remove("."), Err(Errno::Inval));
        assert_eq!(remove("d/."), Err(Errno::Inval));
        assert_eq!(remove(".."), Err(Errno::Perm));
        assert_eq!(dir.unlink(b"d"), Err(Errno::Isdir));
        assert_eq!(dir.unlink(b"d/"), Err(Errno::Isdir));
        assert_eq!(dir.unlink(b"."), Err(Errno::Isdir));
        assert_eq!(dir.unlink(b"f/"), Err(Errno::Notdir));
        assert_eq!(dir.unlink(b"x/"), Err(Errno::Noent));
        assert_eq!(dir.unlink(b"x"), Err(Errno::Noent));
        assert_eq!((remove("d/e/"), remove("d")), (Ok(()), Ok(())));
        assert_eq!((dir.unlink(b"l"), dir.unlink(b"f")), (Ok(()), Ok(())));
        assert_eq!(listed(dir), [""; 0]);
    });
}

#[test]
fn a_directory_that_was_removed_is_empty_for_ever() {
    on_each(|dir| {
        dir.create_dir(b"d").unwrap();
        file(dir, "f", "");
        let gone = &*sub(dir, "d");
        dir.remove_dir(b"d").unwrap();
        let create = open(gone, "x", options(Oflags::CREAT));
        assert_eq!(create.map(drop), Err(Errno::Noent));
        assert_eq!(gone.create_dir(b"x"), Err(Errno::Noent));
        assert_eq!(gone.symlink(b"t", b"x"), Err(Errno::Noent));
        assert_eq!(dir.link(b"f", false, gone, b"x"), Err(Errno::Noent));
        assert_eq!(dir.rename(b"f", gone, b"x"), Err(Errno::Noent));
        let stat = gone.filestat().unwrap();
        assert_eq!((stat.filetype, stat.nlink), (Filetype::Directory, 0));
        assert_eq!(filetype(gone, ".", true), Ok(Filetype::Directory));
        let listing = gone.list(0, 4096, &mut |_| true);
        assert_eq!(listing, Err(Errno::Noent));
    });
}

#[test]
fn symbolic_links_are_followed_within() {
    on_each(|dir| {
        let link = |target: &str, path: &str| dir.symlink(target.as_bytes(), path.as_bytes());
        dir.create_dir(b"d").unwrap();
        file(dir, "d/f", "abc");
        for (target, path) in [
            ("d/f", "to-file"),
            ("d", "to-dir"),
            ("../to-file", "d/up"),
            ("loop2", "loop"),
            ("loop", "loop2"),
            ("..", "out"),
            ("d/../../x", "out2"),
            ("nowhere", "dangling"),
            ("to-file", "d-link"),
        ] {
            assert_eq!(link(target, path), Ok(()), "{path}");
        }
        for path in ["to-file", "to-dir/f", "d/up", "to-dir/up", "to-dir/../d/f"] {
            assert_eq!(content(dir, path).as_deref(), Ok("abc"), "{path}");
        }
        for (path, error) in [
            ("loop", Errno::Loop),
            ("loop/x", Errno::Loop),
            ("out", Errno::Perm),
            ("out/x", Errno::Perm),
            ("out2", Errno::Perm),
            ("dangling", Errno::Noent),
            ("dangling/x", Errno::Noent),
            ("to-file/x", Errno::Notdir),
            ("to-file/", Errno::Notdir),
        ] {
            assert_eq!(content(dir, path), Err(error), "{path}");
            assert_eq!(filetype(dir, path, true), Err(error), "{path}");
        }
        let nofollow = OpenOptions {
            follow: false,
            ..READ
        };
        let opened = |path, how| open(dir, path, how).map(drop);
        assert_eq!(opened("to-file", nofollow), Err(Errno::Loop));
        assert_eq!(opened("to-dir/f", nofollow), Ok(()));
        let directory = OpenOptions {
            oflags: Oflags::DIRECTORY,
            ..nofollow
        };
        assert_eq!(opened("to-dir", directory), Err(Errno::Notdir));
        assert_eq!(filetype(dir, "to-dir", false), Ok(Filetype::SymbolicLink));
        assert_eq!(filetype(dir, "to-dir/", false), Ok(Filetype::Directory));
        assert_eq!(filetype(dir, "to-file/", false), Err(Errno::Notdir));
        let stat = dir.filestat_at(b"to-file", false).unwrap();
        assert_eq!((stat.size, stat.nlink), (3, 1));
        // Through a link that leads nowhere a file is created, but not one that must be new.
        let new = options(Oflags::CREAT | Oflags::EXCL);
        assert_eq!(opened("dangling", new), Err(Errno::Exist));
        assert_eq!(opened("dangling", options(Oflags::CREAT)), Ok(()));
        assert_eq!(content(dir, "nowhere").as_deref(), Ok(""));

        assert_eq!(link("", "x"), Err(Errno::Noent));
        assert_eq!(link("/x", "x"), Err(Errno::Perm));
        assert_eq!(link("x", "d"), Err(Errno::Exist));
        assert_eq!(link("x", "loop"), Err(Errno::Exist));
        assert_eq!(link("x", "d/"), Err(Errno::Exist));
        assert_eq!(link("x", "new/"), Err(Errno::Noent));
        assert_eq!(link("x", "."), Err(Errno::Exist));
        assert_eq!(link(&"x".repeat(4096), "x"), Err(Errno::Nametoolong));
        assert_eq!(link("a\0b", "x"), Err(Errno::Inval));
        let mut target = [0; 4];
        assert_eq!(dir.readlink(b"to-file", &mut target), Ok(3));
        assert_eq!(&target[..3], b"d/f");
        assert_eq!(dir.readlink(b"dangling", &mut target), Ok(4));
        assert_eq!(&target, b"nowh");
        assert_eq!(dir.readlink(b"dangling", &mut []), Ok(0));
        for (path, error) in [
            ("d", Errno::Inval),
            ("d/f", Errno::Inval),
            (".", Errno::Inval),
            ("to-dir/", Errno::Inval),
            ("x", Errno::Noent),
        ] {
            assert_eq!(
                dir.readlink(path.as_bytes(), &mut target),
                Err(error),
                "{path}"
            );
        }
    });
}

#[test]
fn a_file_has_several_names() {
    on_each(|dir| {
        let link =
            |old: &str, follow, new: &str| dir.link(old.as_bytes(), follow, dir, new.as_bytes());
        file(dir, "f", "abc");
        dir.create_dir(b"d").unwrap();
        dir.symlink(b"f", b"l").unwrap();
        assert_eq!(link("f", false, "d/g"), Ok(()));
        let stat = |path: &str| dir.filestat_at(path.as_bytes(), false).unwrap();
        assert_eq!(stat("f").nlink, 2);
        assert_eq!(stat("f").ino, stat("d/g").ino);
        assert_eq!(link("l", false, "l2"), Ok(()));
        assert_eq!(stat("l2").filetype, Filetype::SymbolicLink);
        assert_eq!(link("l", true, "h"), Ok(()));
        assert_eq!((stat("h").ino, stat("h").nlink), (stat("f").ino, 3));
        for (old, new, error) in [
            ("f", "d", Errno::Exist),
            ("f", "h", Errno::Exist),
            ("f", "l", Errno::Exist),
            ("f", ".", Errno::Exist),
            ("f", "x/", Errno::Noent),
            ("f", "d/", Errno::Exist),
            ("f/", "x", Errno::Notdir),
            ("d", "x", Errno::Perm),
            ("d", "h", Errno::Exist),
            ("d/", "x", Errno::Perm),
            ("no", "x", Errno::Noent),
            ("no", "f", Errno::Noent),
            ("f", "no/x", Errno::Noent),
            ("f", "f/x", Errno::Notdir),
            ("../f", "x", Errno::Perm),
            ("f", "../x", Errno::Perm),
        ] {
            assert_eq!(link(old, false, new), Err(error), "{old} {new}");
        }
        dir.unlink(b"f").unwrap();
        assert_eq!(content(dir, "d/g").as_deref(), Ok("abc"));
        assert_eq!(stat("h").nlink, 2);
        // Two names of one file stay.
        assert_eq!(dir.rename(b"h", dir, b"d/g"), Ok(()));
        assert_eq!(listed(dir), ["d", "h", "l", "l2"]);
    });
}

#[test]
fn names_are_changed() {
    on_each(|dir| {
        let rename = |old: &str, new: &str| dir.rename(old.as_bytes(), dir, new.as_bytes());
        for path in ["d", "d/e", "empty", "full"] {
            dir.create_dir(path.as_bytes()).unwrap();
        }
        file(dir, "f", "f");
        file(dir, "g", "g");
        file(dir, "full/x", "x");
        dir.symlink(b"d", b"l").unwrap();
        for (old, new, error) in [
            ("no", "x", Errno::Noent),
            ("no", "f", Errno::Noent),
            ("f", "no/x", Errno::Noent),
            ("f", "g/x", Errno::Notdir),
            ("f", "d", Errno::Isdir),
            ("f", "x/", Errno::Notdir),
            ("f", "d/", Errno::Notdir),
            ("f/", "x", Errno::Notdir),
            ("l/", "x", Errno::Notdir),
            ("d", "f", Errno::Notdir),
            ("d", "l", Errno::Notdir),
            ("d", "full", Errno::Notempty),
            ("d/e", "d", Errno::Notempty),
            ("g", "d/..", Errno::Notdir),
            ("d", "d/e", Errno::Inval),
            ("d", "d/e/x", Errno::Inval),
            ("d", "d/x", Errno::Inval),
            ("d", "l/x", Errno::Inval),
            (".", "x", Errno::Busy),
            ("d", ".", Errno::Busy),
            ("d/.", "x", Errno::Busy),
            ("..", "x", Errno::Perm),
            ("f", "../x", Errno::Perm),
        ] {
            assert_eq!(rename(old, new), Err(error), "{old} {new}");
        }
        assert_eq!(rename("f", "f"), Ok(()));
        assert_eq!(rename("d", "d"), Ok(()));
        assert_eq!(rename("f", "g"), Ok(()));
        assert_eq!(content(dir, "g").as_deref(), Ok("f"));
        assert_eq!(rename("g", "d/e/g"), Ok(()));
        assert_eq!(content(dir, "l/e/g").as_deref(), Ok("f"));
        assert_eq!(rename("d/e", "empty/"), Ok(()));
        assert_eq!(content(dir, "empty/g").as_deref(), Ok("f"));
        assert_eq!(rename("empty/", "moved/"), Ok(()));
        assert_eq!(rename("l", "moved/g"), Ok(()));
        assert_eq!(filetype(dir, "moved/g", false), Ok(Filetype::SymbolicLink));
        assert_eq!(listed(dir), ["d", "full", "moved"]);
        // Between two directories, of which one is in the other.
        let (full, moved) = (sub(dir, "full"), sub(dir, "moved"));
        assert_eq!(full.rename(b"x", &*moved, b"y"), Ok(()));
        assert_eq!(dir.rename(b"full", &*moved, b"full"), Ok(()));
        assert_eq!(moved.rename(b"full", &*full, b"x"), Err(Errno::Inval));
        assert_eq!(content(dir, "moved/y").as_deref(), Ok("x"));
        // An open directory goes where it is moved to.
        file(&*full, "z", "z");
        assert_eq!(content(dir, "moved/full/z").as_deref(), Ok("z"));
    });
}

#[test]
fn listings_go_on_after_a_cookie() {
    on_each(|dir| {
        let expected: Vec<_> = (0..50).map(|i| format!("file-{i:02}")).collect();
        for name in &expected {
            file(dir, name, "");
        }
        dir.create_dir(b"sub").unwrap();
        dir.symlink(b"sub", b"zlink").unwrap();
        // Each entry by a call of its own, while others go away.
        let (mut cookie, mut seen) = (0, Vec::new());
        loop {
            let before = seen.len();
            dir.list(cookie, 100, &mut |entry| {
                assert_ne!(entry.next, 0);
                cookie = entry.next;
                seen.push(String::from_utf8(entry.name.to_vec()).unwrap());
                false
            })
            .unwrap();
            if seen.len() == before {
                break;
            }
            if let Some(last) = seen.last()
                && last.starts_with("file")
            {
                dir.unlink(last.as_bytes()).unwrap();
            }
        }
        seen.sort();
        let mut all = vec![".".into(), "..".into()];
        all.extend(expected);
        all.extend(["sub".into(), "zlink".into()]);
        assert_eq!(seen, all);
        let left = names(dir);
        let (directory, link) = (Filetype::Directory, Filetype::SymbolicLink);
        let left: Vec<_> = left.iter().map(|(name, kind)| (&**name, *kind)).collect();
        assert_eq!(
            left,
            [
                (".", directory),
                ("..", directory),
                ("sub", directory),
                ("zlink", link)
            ]
        );
        assert_eq!(dir.list(u64::MAX, 100, &mut |_| true), Err(Errno::Inval));
    });
}

#[test]
fn entries_have_the_numbers_of_what_they_name() {
    on_each(|dir| {
        dir.create_dir(b"d").unwrap();
        let inner = sub(dir, "d");
        let ino = |dir: &dyn Dir| dir.filestat().unwrap().ino;
        let mut found = Vec::new();
        inner
            .list(0, 4096, &mut |entry| {
                found.push((entry.name.to_vec(), entry.ino));
                true
            })
            .unwrap();
        found.sort();
        assert_eq!(
            found,
            [(b".".to_vec(), ino(&*inner)), (b"..".to_vec(), ino(dir))]
        );
        let at = dir.filestat_at(b"d", true).unwrap();
        assert_eq!(
            (at.ino, at.dev),
            (ino(&*inner), dir.filestat().unwrap().dev)
        );
    });
}

#[test]
fn nothing_goes_from_one_kind_of_tree_to_another() {
    let scratch = Scratch::new();
    let host = host(&scratch, PathResolution::Auto);
    let (memory, other) = (MemoryDir::new(), MemoryDir::new());
    let dirs: [&dyn Dir; 3] = [&host, &memory, &other];
    for (i, from) in dirs.iter().enumerate() {
        file(*from, "f", "");
        for (_, to) in dirs.iter().enumerate().filter(|(j, _)| *j != i) {
            assert_eq!(from.rename(b"f", *to, b"x"), Err(Errno::Xdev));
            assert_eq!(from.link(b"f", false, *to, b"x"), Err(Errno::Xdev));
        }
    }
}
