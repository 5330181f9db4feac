//! Files: how they are opened, read, written, cut, and given times.

use super::{
    super::{Advice, SetTime, Times, Whence},
    *,
};

#[test]
fn files_are_created_cut_and_found() {
    on_each(|dir| {
        let kind = |path: &str, oflags| open(dir, path, options(oflags)).map(drop);
        let (creat, excl, trunc) = (Oflags::CREAT, Oflags::EXCL, Oflags::TRUNC);
        assert_eq!(kind("f", Oflags::empty()), Err(Errno::Noent));
        assert_eq!(kind("f", trunc), Err(Errno::Noent));
        assert_eq!(kind("f", creat | excl), Ok(()));
        assert_eq!(kind("f", creat | excl), Err(Errno::Exist));
        assert_eq!(kind("f", creat), Ok(()));
        assert_eq!(kind("f", Oflags::DIRECTORY), Err(Errno::Notdir));
        assert_eq!(kind("f/", Oflags::empty()), Err(Errno::Notdir));
        assert_eq!(kind("f/", creat), Err(Errno::Isdir));
        assert_eq!(kind("new/", creat), Err(Errno::Isdir));
        assert_eq!(kind("new/", Oflags::empty()), Err(Errno::Noent));
        assert_eq!(kind("f/x", creat), Err(Errno::Notdir));
        assert_eq!(kind("no/x", creat), Err(Errno::Noent));
        assert_eq!(kind("", creat), Err(Errno::Noent));
        assert_eq!(kind("/f", creat), Err(Errno::Perm));
        assert_eq!(kind("a\0b", creat), Err(Errno::Inval));
        assert_eq!(kind("../f", creat), Err(Errno::Perm));
        assert_eq!(kind(&"n".repeat(255), creat), Ok(()));
        assert_eq!(kind(&"n".repeat(256), creat), Err(Errno::Nametoolong));
        assert_eq!(kind(&"n/".repeat(2048), creat), Err(Errno::Nametoolong));
        dir.create_dir(b"d").unwrap();
        assert_eq!(kind("d", Oflags::empty()), Err(Errno::Isdir));
        assert_eq!(kind("d", creat), Err(Errno::Isdir));
        assert_eq!(kind("d", creat | excl), Err(Errno::Exist));
        let cut = OpenOptions {
            oflags: trunc,
            ..READ
        };
        assert_eq!(open(dir, "d", cut).map(drop), Err(Errno::Isdir));
        file(dir, "d/g", "abc");
        assert_eq!(content(dir, "d/../d/./g").as_deref(), Ok("abc"));
        assert_eq!(content(dir, "d//g").as_deref(), Ok("abc"));
        open(dir, "d/g", cut).unwrap();
        assert_eq!(content(dir, "d/g").as_deref(), Ok(""));
        assert_eq!(content(&*sub(dir, "d"), "g").as_deref(), Ok(""));
        assert_eq!(content(&*sub(dir, "d"), "../f"), Err(Errno::Perm));
    });
}

#[test]
fn files_are_read_and_written_at_offsets() {
    on_each(|dir| {
        let file = &*open(dir, "f", options(Oflags::CREAT)).unwrap();
        assert!(file.is_seekable());
        assert_eq!(file.filetype(), Ok(Filetype::RegularFile));
        assert_eq!(write(file, b"hello", None), Ok(5));
        assert_eq!(file.seek(0, Whence::Cur), Ok(5));
        assert_eq!(write(file, b"HE", Some(0)), Ok(2));
        assert_eq!(file.seek(0, Whence::Cur), Ok(5));
        assert_eq!(write(file, b"!?", Some(4)), Ok(2));
        assert_eq!(read(file, 9, Some(0)).as_deref(), Ok(&b"HEll!?"[..]));
        // Beyond the end, what is between is zeros.
        assert_eq!(write(file, b"x", Some(8)), Ok(1));
        assert_eq!(read(file, 9, Some(3)).as_deref(), Ok(&b"l!?\0\0x"[..]));
        assert_eq!(read(file, 9, Some(9)).as_deref(), Ok(&b""[..]));
        assert_eq!(read(file, 9, Some(1 << 40)).as_deref(), Ok(&b""[..]));
        assert_eq!(file.seek(-2, Whence::End), Ok(7));
        assert_eq!(file.available(), 2);
        assert_eq!(read(file, 9, None).as_deref(), Ok(&b"\0x"[..]));
        assert_eq!(file.seek(-10, Whence::Cur), Err(Errno::Inval));
        assert_eq!(file.seek(-1, Whence::Set), Err(Errno::Inval));
        assert_eq!(file.seek(i64::MIN, Whence::End), Err(Errno::Inval));
        assert_eq!(file.seek(0, Whence::Cur), Ok(9));
        assert_eq!(file.seek(20, Whence::Set), Ok(20));
        assert_eq!(file.available(), 0);
        assert_eq!(read(file, 9, None).as_deref(), Ok(&b""[..]));
        assert_eq!(write(file, b"y", None), Ok(1));
        assert_eq!(file.filestat().map(|stat| stat.size), Ok(21));
        assert_eq!(
            read(file, 99, Some(9)).as_deref(),
            Ok(&b"\0\0\0\0\0\0\0\0\0\0\0y"[..])
        );
        assert_eq!((file.sync(true), file.sync(false)), (Ok(()), Ok(())));
        let long = vec![7; 100_000];
        assert_eq!(write(file, &long, Some(10)), Ok(long.len()));
        assert_eq!(read(file, 100_000, Some(10)), Ok(long));
    });
}

#[test]
fn files_are_opened_for_reading_or_writing() {
    on_each(|dir| {
        file(dir, "f", "abc");
        let reader = &*open(dir, "f", READ).unwrap();
        assert_eq!(write(reader, b"x", None), Err(Errno::Badf));
        assert_eq!(write(reader, b"x", Some(0)), Err(Errno::Badf));
        assert_eq!(reader.set_size(0), Err(Errno::Inval));
        assert_eq!(reader.allocate(0, 9), Err(Errno::Badf));
        let only_write = OpenOptions {
            read: false,
            ..options(Oflags::empty())
        };
        let writer = &*open(dir, "f", only_write).unwrap();
        assert_eq!(read(writer, 1, None), Err(Errno::Badf));
        assert_eq!(read(writer, 1, Some(0)), Err(Errno::Badf));
        assert_eq!(write(writer, b"x", None), Ok(1));
        assert_eq!(read(reader, 9, None).as_deref(), Ok(&b"xbc"[..]));
    });
}

#[test]
fn what_is_appended_goes_to_the_end() {
    on_each(|dir| {
        file(dir, "f", "abc");
        let append = OpenOptions {
            fdflags: Fdflags::APPEND,
            ..options(Oflags::empty())
        };
        let first = &*open(dir, "f", append).unwrap();
        let second = &*open(dir, "f", append).unwrap();
        assert_eq!(first.seek(0, Whence::Cur), Ok(0));
        assert_eq!(write(first, b"1", None), Ok(1));
        assert_eq!(write(second, b"2", None), Ok(1));
        assert_eq!(write(first, b"3", None), Ok(1));
        assert_eq!(first.seek(0, Whence::Cur), Ok(6));
        assert_eq!(content(dir, "f").as_deref(), Ok("abc123"));
        first.set_append(false).unwrap();
        assert_eq!(first.seek(0, Whence::Set), Ok(0));
        assert_eq!(write(first, b"A", None), Ok(1));
        second.set_append(true).unwrap();
        assert_eq!(content(dir, "f").as_deref(), Ok("Abc123"));
    });
}

#[test]
fn sizes_are_set() {
    on_each(|dir| {
        file(dir, "f", "abcdef");
        let file = &*open(dir, "f", options(Oflags::empty())).unwrap();
        file.set_size(3).unwrap();
        file.set_size(5).unwrap();
        assert_eq!(content(dir, "f").as_deref(), Ok("abc\0\0"));
        assert_eq!(file.set_size(u64::MAX), Err(Errno::Fbig));
        file.set_size(2).unwrap();
        match file.allocate(0, 4) {
            // The scratch directory's file system may not have it.
            Err(Errno::Notsup) => file.set_size(4).unwrap(),
            result => assert_eq!(result, Ok(())),
        }
        assert_eq!(content(dir, "f").as_deref(), Ok("ab\0\0"));
        assert!(matches!(file.allocate(1, 2), Ok(()) | Err(Errno::Notsup)));
        assert_eq!(file.filestat().map(|stat| stat.size), Ok(4));
        assert_eq!(file.allocate(u64::MAX, 1), Err(Errno::Fbig));
        assert_eq!(file.advise(0, 9, Advice::Random), Ok(()));
        let wrong = file.advise(u64::MAX, 9, Advice::Random);
        assert_eq!(wrong, Err(Errno::Inval));
    });
}

#[test]
fn files_without_a_name_stay_while_they_are_open() {
    on_each(|dir| {
        file(dir, "f", "abc");
        let first = open(dir, "f", options(Oflags::empty())).unwrap();
        dir.unlink(b"f").unwrap();
        assert_eq!(content(dir, "f"), Err(Errno::Noent));
        assert_eq!(first.filestat().map(|stat| stat.nlink), Ok(0));
        assert_eq!(write(&*first, b"x", Some(3)), Ok(1));
        assert_eq!(read(&*first, 9, None).as_deref(), Ok(&b"abcx"[..]));
        file(dir, "f", "new");
        let second = open(dir, "f", READ).unwrap();
        let inos = [&first, &second].map(|file| file.filestat().unwrap().ino);
        assert_ne!(inos[0], inos[1]);
        assert_eq!(first.close(), Ok(()));
        assert_eq!(content(dir, "f").as_deref(), Ok("new"));
    });
}

#[test]
fn an_open_file_survives_what_replaces_it() {
    on_each(|dir| {
        file(dir, "old", "old");
        file(dir, "new", "new");
        let old = open(dir, "old", options(Oflags::empty())).unwrap();
        dir.rename(b"new", dir, b"old").unwrap();
        assert_eq!(read(&*old, 9, None).as_deref(), Ok(&b"old"[..]));
        assert_eq!(write(&*old, b"er", None), Ok(2));
        assert_eq!(content(dir, "old").as_deref(), Ok("new"));
        assert_eq!(old.filestat().map(|stat| stat.nlink), Ok(0));
    });
}

#[test]
fn times_are_set() {
    on_each(|dir| {
        file(dir, "f", "");
        dir.symlink(b"f", b"l").unwrap();
        let times = |atim, mtim| Times {
            atim: Some(SetTime::At(atim)),
            mtim: Some(SetTime::At(mtim)),
        };
        let stat = |path: &str, follow| {
            let stat = dir.filestat_at(path.as_bytes(), follow).unwrap();
            (stat.atim, stat.mtim)
        };
        let second = 1_000_000_000;
        dir.set_times_at(b"l", true, times(second, 2 * second))
            .unwrap();
        assert_eq!(stat("f", false), (second, 2 * second));
        dir.set_times_at(b"l", false, times(3 * second, 4 * second))
            .unwrap();
        assert_eq!(stat("l", false), (3 * second, 4 * second));
        assert_eq!(stat("l", true), (second, 2 * second));
        let only = Times {
            mtim: Some(SetTime::At(5 * second)),
            ..Times::default()
        };
        let opened = open(dir, "f", options(Oflags::empty())).unwrap();
        opened.set_times(only).unwrap();
        assert_eq!(stat("f", false), (second, 5 * second));
        dir.set_times(times(second, second)).unwrap();
        assert_eq!(dir.filestat().map(|stat| stat.mtim), Ok(second));
        let missing = dir.set_times_at(b"no", true, only);
        assert_eq!(missing, Err(Errno::Noent));
        assert_eq!(dir.set_times_at(b"f/", true, only), Err(Errno::Notdir));
    });
}
