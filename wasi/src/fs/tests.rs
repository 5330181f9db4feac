//! Functions on paths: what they do, what they refuse, and the host's permissions.

use std::{fs, os::unix::fs::MetadataExt};

use crate::{
    DirPerms, FilePerms,
    table::plain::*,
    testing::{Guest, METHODS},
    types::Filetype,
    types::{Errno, Rights},
};

const FOLLOW: u32 = 1;
const CREAT: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCL: u32 = 4;
const TRUNC: u32 = 8;
const READ: u64 = Rights::FD_READ.bits();
const WRITE: u64 = Rights::FD_WRITE.bits();

impl Guest {
    fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        let (ptr, len) = self.path(path);
        path_create_directory(&mut self.ctx, &mut self.mem, Self::ROOT, ptr, len)
    }

    fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        let (ptr, len) = self.path(path);
        path_remove_directory(&mut self.ctx, &mut self.mem, Self::ROOT, ptr, len)
    }

    fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        let (ptr, len) = self.path(path);
        path_unlink_file(&mut self.ctx, &mut self.mem, Self::ROOT, ptr, len)
    }

    fn rename(&mut self, old: &str, new: &str) -> Result<(), Errno> {
        let (old, old_len) = self.path(old);
        let (new, new_len) = self.path2(new);
        let (ctx, mem) = (&mut self.ctx, &mut self.mem);
        path_rename(ctx, mem, Self::ROOT, old, old_len, Self::ROOT, new, new_len)
    }

    fn readlink(&mut self, path: &str, len: u32) -> Result<Vec<u8>, Errno> {
        let (ptr, path_len) = self.path(path);
        let (ctx, mem) = (&mut self.ctx, &mut self.mem);
        mem[Self::DATA as usize..][..256].fill(b'?');
        path_readlink(
            ctx,
            mem,
            Self::ROOT,
            ptr,
            path_len,
            Self::DATA,
            len,
            Self::OUT,
        )?;
        let used = self.out_u32();
        assert!(used <= len && self.mem[(Self::DATA + used) as usize] == b'?');
        Ok(self.mem[Self::DATA as usize..][..used as usize].to_vec())
    }

    /// The file type and inode.
    fn stat(&mut self, path: &str, flags: u32) -> Result<(u8, u64), Errno> {
        let (ptr, len) = self.path(path);
        let (ctx, mem) = (&mut self.ctx, &mut self.mem);
        path_filestat_get(ctx, mem, Self::ROOT, flags, ptr, len, Self::OUT)?;
        let record = &self.mem[Self::OUT as usize..][..64];
        Ok((record[16], crate::guest::field_u64(record, 8)))
    }

    fn ino(&self, path: &str) -> u64 {
        fs::symlink_metadata(self.scratch.join(path)).unwrap().ino()
    }
}

/// Runs a test by each method of resolution, each with a guest of its own.
fn by_each_method(test: impl Fn(&mut Guest)) {
    for method in METHODS {
        test(&mut Guest::resolving(method));
    }
}

#[test]
fn files_are_opened_as_asked() {
    by_each_method(|guest| {
        guest.scratch.file("file", "abc");
        guest.scratch.dir("dir");
        let mut open = |path: &str, oflags, rights| {
            guest.open_with(Guest::ROOT, path, (FOLLOW, oflags, rights, 0))
        };
        // The lowest free number, again after it was closed.
        assert_eq!(open("file", 0, READ), Ok(4));
        assert_eq!(open("file", 0, WRITE), Ok(5));
        assert_eq!(open("nowhere", 0, READ), Err(Errno::Noent));
        assert_eq!(open("file", CREAT | EXCL, READ), Err(Errno::Exist));
        assert_eq!(open("file", DIRECTORY, READ), Err(Errno::Notdir));
        assert_eq!(open("dir", DIRECTORY, READ), Ok(6));
        assert_eq!(open("dir", 0, 0), Ok(7));
        assert_eq!(open("dir/", 0, READ), Ok(8));
        assert_eq!(open("dir", 0, READ | WRITE), Err(Errno::Isdir));
        assert_eq!(open("dir", DIRECTORY, READ | WRITE), Err(Errno::Isdir));
        assert_eq!(open("dir", CREAT, READ), Err(Errno::Isdir));
        assert_eq!(open("dir/new", CREAT | EXCL, READ), Ok(9));
        assert_eq!(open("file", 1 << 4, READ), Err(Errno::Inval));
        assert_eq!(guest.close(5), Ok(()));
        assert_eq!(guest.open("file", 0), Ok(5));
        assert!(guest.scratch.join("dir/new").is_file());
        // Beneath another directory than the first, and not from a file.
        assert_eq!(guest.open_with(7, "new", (FOLLOW, 0, READ, 0)), Ok(10));
        assert_eq!(
            guest.open_with(7, "../file", (FOLLOW, 0, READ, 0)),
            Err(Errno::Perm)
        );
        assert_eq!(
            guest.open_with(4, "new", (FOLLOW, 0, READ, 0)),
            Err(Errno::Notdir)
        );
        assert_eq!(
            guest.open_with(0, "new", (FOLLOW, 0, READ, 0)),
            Err(Errno::Notdir)
        );
        assert_eq!(
            guest.open_with(99, "new", (FOLLOW, 0, READ, 0)),
            Err(Errno::Badf)
        );
        assert_eq!(
            guest.open_with(3, "file", (2, 0, READ, 0)),
            Err(Errno::Inval)
        );
        assert_eq!(
            guest.open_with(3, "file", (0, 0, READ, 1 << 5)),
            Err(Errno::Inval)
        );
    });
}

#[test]
fn a_file_is_cut_also_by_who_only_reads() {
    by_each_method(|guest| {
        for rights in [0, READ, WRITE, READ | WRITE] {
            guest.scratch.file("file", "abc");
            let fd = guest
                .open_with(Guest::ROOT, "file", (0, TRUNC, rights, 0))
                .unwrap();
            assert_eq!(fs::read(guest.scratch.join("file")).unwrap(), b"");
            let expected = if rights & WRITE == 0 {
                Err(Errno::Badf)
            } else {
                Ok(1)
            };
            assert_eq!(guest.write(fd, b"x"), expected);
        }
    });
}

#[test]
fn a_fault_opens_and_creates_nothing() {
    let mut guest = Guest::new();
    let (ptr, len) = guest.path("new");
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    let end = mem.len() as u32;
    for (path, path_len, out) in [(ptr, len, end - 3), (end - 2, 3, 0), (u32::MAX, 1, 0)] {
        let result = path_open(ctx, mem, 3, 0, path, path_len, CREAT, READ, 0, 0, out);
        assert_eq!(result, Err(Errno::Fault));
    }
    assert_eq!(
        path_filestat_get(ctx, mem, 3, 0, ptr, len, end - 63),
        Err(Errno::Fault)
    );
    assert_eq!(
        path_readlink(ctx, mem, 3, ptr, len, 0, 9, end - 3),
        Err(Errno::Fault)
    );
    assert_eq!(
        path_create_directory(ctx, mem, 3, end, 1),
        Err(Errno::Fault)
    );
    assert_eq!(fs::read_dir(guest.scratch.path()).unwrap().count(), 0);
    // No descriptor was lost.
    guest.scratch.file("file", "");
    assert_eq!(guest.open("file", 0), Ok(4));
}

#[test]
fn directories_come_and_go() {
    by_each_method(|guest| {
        assert_eq!(guest.mkdir("dir"), Ok(()));
        assert_eq!(guest.mkdir("dir/sub/"), Ok(()));
        assert_eq!(guest.mkdir("dir"), Err(Errno::Exist));
        assert_eq!(guest.mkdir("no/where"), Err(Errno::Noent));
        assert_eq!(guest.mkdir("../out"), Err(Errno::Perm));
        assert_eq!(guest.mkdir("/out"), Err(Errno::Perm));
        assert_eq!(guest.mkdir("."), Err(Errno::Exist));
        assert_eq!(guest.mkdir(""), Err(Errno::Noent));
        guest.scratch.link("nowhere", "link");
        assert_eq!(guest.mkdir("link"), Err(Errno::Exist));
        assert_eq!(guest.mkdir("link/"), Err(Errno::Exist));
        guest.scratch.file("file", "");
        assert_eq!(guest.rmdir("dir"), Err(Errno::Notempty));
        assert_eq!(guest.rmdir("file"), Err(Errno::Notdir));
        assert_eq!(guest.rmdir("file/"), Err(Errno::Notdir));
        guest.scratch.link("dir/sub", "to-sub");
        assert_eq!(guest.rmdir("to-sub"), Err(Errno::Notdir));
        assert_eq!(guest.rmdir("to-sub/"), Err(Errno::Notdir));
        assert_eq!(guest.rmdir("."), Err(Errno::Inval));
        assert_eq!(guest.rmdir(".."), Err(Errno::Perm));
        assert_eq!(guest.rmdir("dir/sub/"), Ok(()));
        assert_eq!(guest.rmdir("dir"), Ok(()));
        assert_eq!(guest.rmdir("dir"), Err(Errno::Noent));
    });
}

#[test]
fn only_files_are_unlinked() {
    by_each_method(|guest| {
        guest.scratch.dir("dir");
        guest.scratch.file("file", "");
        guest.scratch.link("file", "link");
        guest.scratch.link("dir", "to-dir");
        assert_eq!(guest.unlink("dir"), Err(Errno::Isdir));
        assert_eq!(guest.unlink("dir/"), Err(Errno::Isdir));
        assert_eq!(guest.unlink("."), Err(Errno::Isdir));
        assert_eq!(guest.unlink("file/"), Err(Errno::Notdir));
        assert_eq!(guest.unlink("to-dir/"), Err(Errno::Notdir));
        assert_eq!(guest.unlink("nowhere"), Err(Errno::Noent));
        assert_eq!(guest.unlink("nowhere/"), Err(Errno::Noent));
        assert_eq!(guest.unlink("../file"), Err(Errno::Perm));
        // The link and not its target.
        assert_eq!(guest.unlink("link"), Ok(()));
        assert_eq!(guest.unlink("to-dir"), Ok(()));
        assert!(guest.scratch.join("file").exists() && guest.scratch.join("dir").exists());
        assert_eq!(guest.unlink("dir/../file"), Ok(()));
        assert!(!guest.scratch.join("file").exists());
    });
}

#[test]
fn names_are_changed() {
    by_each_method(|guest| {
        guest.scratch.file("file", "abc");
        guest.scratch.dir("dir/sub");
        assert_eq!(guest.rename("file", "dir/moved"), Ok(()));
        assert_eq!(fs::read(guest.scratch.join("dir/moved")).unwrap(), b"abc");
        assert_eq!(guest.rename("dir/moved", "file"), Ok(()));
        // A slash asks for a directory.
        for (old, new) in [("file/", "new"), ("file", "new/"), ("file/", "new/")] {
            assert_eq!(guest.rename(old, new), Err(Errno::Notdir), "{old} {new}");
        }
        assert_eq!(guest.rename("dir/", "new"), Ok(()));
        assert_eq!(guest.rename("new", "dir/"), Ok(()));
        assert_eq!(guest.rename("dir/", "new/"), Ok(()));
        assert!(guest.scratch.join("new/sub").is_dir());
        assert_eq!(guest.rename("nowhere", "x"), Err(Errno::Noent));
        assert_eq!(guest.rename("nowhere/", "x"), Err(Errno::Noent));
        assert_eq!(guest.rename("file", "new"), Err(Errno::Isdir));
        assert_eq!(guest.rename("new", "file"), Err(Errno::Notdir));
        assert_eq!(guest.rename("new", "new/sub/below"), Err(Errno::Inval));
        assert_eq!(guest.rename("file", "../out"), Err(Errno::Perm));
        assert_eq!(guest.rename("../out", "file"), Err(Errno::Perm));
        // A link is renamed itself.
        guest.scratch.link("file", "link");
        assert_eq!(guest.rename("link", "link2"), Ok(()));
        assert_eq!(
            fs::read_link(guest.scratch.join("link2")).unwrap().to_str(),
            Some("file")
        );
    });
}

#[test]
fn links_are_read_and_cut() {
    by_each_method(|guest| {
        let long = "t".repeat(200);
        guest.scratch.link("target", "link");
        guest.scratch.link(&long, "long");
        guest.scratch.link("/etc/passwd", "absolute");
        guest.scratch.dir("dir");
        guest.scratch.link("dir", "to-dir");
        guest.scratch.file("file", "");
        assert_eq!(guest.readlink("link", 100).as_deref(), Ok(&b"target"[..]));
        assert_eq!(guest.readlink("link", 6).as_deref(), Ok(&b"target"[..]));
        assert_eq!(guest.readlink("link", 4).as_deref(), Ok(&b"targ"[..]));
        assert_eq!(guest.readlink("link", 0).as_deref(), Ok(&b""[..]));
        assert_eq!(guest.readlink("long", 200).as_deref(), Ok(long.as_bytes()));
        // The host's paths are not the guest's business.
        for len in [0, 4, 50] {
            assert_eq!(guest.readlink("dir/../absolute", len), Err(Errno::Perm));
        }
        assert_eq!(guest.readlink("file", 10), Err(Errno::Inval));
        assert_eq!(guest.readlink("file", 0), Err(Errno::Inval));
        assert_eq!(guest.readlink("dir", 10), Err(Errno::Inval));
        assert_eq!(guest.readlink("to-dir/", 10), Err(Errno::Inval));
        assert_eq!(guest.readlink("nowhere", 10), Err(Errno::Noent));
        assert_eq!(guest.readlink("../link", 10), Err(Errno::Perm));
    });
}

#[test]
fn attributes_are_of_the_link_or_its_target() {
    by_each_method(|guest| {
        guest.scratch.file("file", "abc");
        guest.scratch.link("file", "link");
        let (file, link) = (guest.ino("file"), guest.ino("link"));
        assert_eq!(
            guest.stat("file", 0),
            Ok((Filetype::RegularFile as u8, file))
        );
        assert_eq!(
            guest.stat("link", FOLLOW),
            Ok((Filetype::RegularFile as u8, file))
        );
        assert_eq!(
            guest.stat("link", 0),
            Ok((Filetype::SymbolicLink as u8, link))
        );
        assert_eq!(guest.stat("link/", 0), Err(Errno::Notdir));
        assert_eq!(guest.stat("nowhere", 0), Err(Errno::Noent));
        assert_eq!(guest.stat("", 0), Err(Errno::Noent));
        assert_eq!(guest.stat("file", 2), Err(Errno::Inval));
    });
}

#[test]
fn names_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStrExt;

    let mut guest = Guest::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    fs::write(guest.scratch.join(name), "abc").unwrap();
    let (ptr, _) = guest.path("??");
    guest.mem[ptr as usize..][..2].copy_from_slice(b"\xff\xfe");
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    assert_eq!(
        path_open(ctx, mem, 3, 0, ptr, 2, 0, READ, 0, 0, Guest::OUT),
        Ok(())
    );
    let fd = guest.out_u32();
    assert_eq!(guest.read(fd, 9).as_deref(), Ok(&b"abc"[..]));
}

#[test]
fn what_the_host_does_not_permit_is_refused() {
    let tries = |guest: &mut Guest| {
        let mut open = |oflags, rights| {
            guest
                .open_with(Guest::ROOT, "file", (0, oflags, rights, 0))
                .map(drop)
        };
        let opens = [
            open(0, READ),
            open(0, WRITE),
            open(TRUNC, READ),
            open(CREAT, READ),
        ];
        guest.scratch.file("removed", "");
        guest.scratch.dir("removed-dir");
        let changes = [
            guest.mkdir("new"),
            guest.rmdir("removed-dir"),
            guest.rename("file", "file2"),
            guest.unlink("removed"),
        ];
        let looks = [
            guest.stat("link", 0).map(drop),
            guest.readlink("link", 9).map(drop),
        ];
        (opens, changes, looks)
    };
    let case = |dir_perms, file_perms| {
        let mut guest = Guest::with(dir_perms, file_perms, |_| {});
        guest.scratch.file("file", "");
        guest.scratch.link("file", "link");
        tries(&mut guest)
    };
    let (yes, no) = (Ok(()), Err(Errno::Perm));
    let all = DirPerms::all();
    assert_eq!(case(all, FilePerms::all()), ([yes; 4], [yes; 4], [yes; 2]));
    assert_eq!(
        case(DirPerms::READ, FilePerms::all()),
        ([yes, yes, no, no], [no; 4], [yes; 2])
    );
    assert_eq!(
        case(all, FilePerms::READ),
        ([yes, no, no, yes], [yes; 4], [yes; 2])
    );
    assert_eq!(
        case(all, FilePerms::WRITE),
        ([no, yes, no, no], [yes; 4], [yes; 2])
    );
    assert_eq!(
        case(DirPerms::MUTATE, FilePerms::all()),
        ([no; 4], [yes; 4], [no; 2])
    );
    assert_eq!(
        case(DirPerms::empty(), FilePerms::all()),
        ([no; 4], [no; 4], [no; 2])
    );
}

#[test]
fn permissions_go_down_with_directories() {
    let mut guest = Guest::with(DirPerms::READ, FilePerms::READ, |_| {});
    guest.scratch.dir("dir");
    guest.scratch.file("dir/file", "");
    let dir = guest
        .open_with(Guest::ROOT, "dir", (0, DIRECTORY, READ, 0))
        .unwrap();
    assert!(guest.open_with(dir, "file", (0, 0, READ, 0)).is_ok());
    assert_eq!(
        guest.open_with(dir, "file", (0, 0, WRITE, 0)),
        Err(Errno::Perm)
    );
    assert_eq!(
        guest.open_with(dir, "new", (0, CREAT, READ, 0)),
        Err(Errno::Perm)
    );
    let (ptr, len) = guest.path("file");
    let result = path_unlink_file(&mut guest.ctx, &mut guest.mem, dir, ptr, len);
    assert_eq!(result, Err(Errno::Perm));
}

#[test]
fn rights_that_were_given_up_are_missed() {
    let mut guest = Guest::new();
    guest.scratch.file("file", "");
    let root = guest.ctx.fds.get_mut(Guest::ROOT).unwrap();
    root.base = root
        .base
        .difference(Rights::PATH_UNLINK_FILE | Rights::PATH_FILESTAT_SET_SIZE);
    root.inheriting = root
        .inheriting
        .difference(Rights::FD_WRITE | Rights::FD_SEEK);
    assert_eq!(guest.unlink("file"), Err(Errno::Notcapable));
    let mut open = |oflags, rights| guest.open_with(Guest::ROOT, "file", (0, oflags, rights, 0));
    assert_eq!(open(TRUNC, READ), Err(Errno::Notcapable));
    assert_eq!(open(0, WRITE), Err(Errno::Notcapable));
    let fd = open(0, READ).unwrap();
    assert_eq!(guest.seek(fd, 1, 0), Err(Errno::Notcapable));
    // The right to tell is still there.
    assert_eq!((guest.tell(fd), guest.seek(fd, 0, 1)), (Ok(0), Ok(0)));
    // And it goes down.
    let dir = guest
        .open_with(Guest::ROOT, ".", (0, DIRECTORY, READ, 0))
        .unwrap();
    assert_eq!(
        guest.open_with(dir, "file", (0, 0, WRITE, 0)),
        Err(Errno::Notcapable)
    );
}
