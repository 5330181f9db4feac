//! `fd_readdir` over real directories.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt};

use super::*;
use crate::{
    FilePerms,
    guest::field_u64,
    table::plain::fd_readdir,
    testing::Guest,
    types::{Errno, Filetype},
};

/// An entry as the guest reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    next: u64,
    ino: u64,
    filetype: u8,
    name: String,
}

/// One call with a buffer of `len` bytes: the whole entries, and how many bytes were used.
fn call(guest: &mut Guest, len: u32, cookie: u64) -> Result<(Vec<Read>, u32), Errno> {
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    // What is after the buffer must stay as it is.
    mem[(Guest::DATA + len) as usize] = 0xa5;
    fd_readdir(ctx, mem, Guest::ROOT, Guest::DATA, len, cookie, Guest::OUT)?;
    assert_eq!(mem[(Guest::DATA + len) as usize], 0xa5);
    let used = guest.out_u32();
    assert!(used <= len);
    let mut rest = &guest.mem[Guest::DATA as usize..][..used as usize];
    let mut entries = Vec::new();
    while rest.len() >= HEADER {
        let name_len = guest::field_u32(rest, 16) as usize;
        let Some(name) = rest.get(HEADER..HEADER + name_len) else {
            break;
        };
        entries.push(Read {
            next: field_u64(rest, 0),
            ino: field_u64(rest, 8),
            filetype: rest[20],
            name: String::from_utf8(name.to_vec()).unwrap(),
        });
        rest = &rest[HEADER + name_len..];
    }
    Ok((entries, used))
}

/// All entries, read as a guest does: on with the last whole entry's cookie until the buffer is not full.
fn all(guest: &mut Guest, len: u32) -> Vec<Read> {
    let mut entries = Vec::<Read>::new();
    let mut cookie = 0;
    loop {
        let (part, used) = call(guest, len, cookie).unwrap();
        if let Some(last) = part.last() {
            cookie = last.next;
        }
        entries.extend(part);
        if used < len {
            return entries;
        }
    }
}

fn names(entries: &[Read]) -> Vec<&str> {
    let mut names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn an_empty_directory_has_two_entries() {
    let mut guest = Guest::new();
    let (entries, used) = call(&mut guest, 4096, 0).unwrap();
    assert_eq!(names(&entries), [".", ".."]);
    assert_eq!(used, 2 * 24 + 3);
    let ino = fs::metadata(guest.scratch.path()).unwrap().ino();
    assert!(
        entries
            .iter()
            .any(|entry| entry.name == "." && entry.ino == ino)
    );
}

#[test]
fn entries_have_their_type_and_inode() {
    let mut guest = Guest::new();
    guest.scratch.file("file", "");
    guest.scratch.dir("dir");
    guest.scratch.link("nowhere", "link");
    let path = std::ffi::CString::new(
        guest
            .scratch
            .join("fifo")
            .into_os_string()
            .into_encoded_bytes(),
    );
    // SAFETY: the path ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(path.unwrap().as_ptr(), 0o600) }, 0);
    let _socket = std::os::unix::net::UnixListener::bind(guest.scratch.join("socket")).unwrap();

    let entries: BTreeMap<_, _> = all(&mut guest, 4096)
        .into_iter()
        .map(|entry| (entry.name.clone(), entry))
        .collect();
    for (name, filetype) in [
        (".", Filetype::Directory),
        ("..", Filetype::Directory),
        ("dir", Filetype::Directory),
        ("fifo", Filetype::Unknown),
        ("file", Filetype::RegularFile),
        ("link", Filetype::SymbolicLink),
        ("socket", Filetype::SocketStream),
    ] {
        assert_eq!(entries[name].filetype, filetype as u8, "{name}");
        let ino = fs::symlink_metadata(guest.scratch.join(name))
            .unwrap()
            .ino();
        assert_eq!(entries[name].ino, ino, "{name}");
    }
    assert_eq!(entries.len(), 7);
}

#[test]
fn any_buffer_gives_the_same_listing() {
    let mut guest = Guest::new();
    let mut expected = vec![".".to_string(), "..".to_string()];
    for i in 0..150 {
        // Names of all lengths up to the longest.
        let name = format!("{i:03}-{}", "n".repeat((i * 7) % 252));
        guest.scratch.file(&name, "");
        expected.push(name);
    }
    expected.sort_unstable();
    let whole = all(&mut guest, 0x7000);
    assert_eq!(names(&whole), expected);
    for len in [279, 280, 300, 512, 1000, 4096, 8192] {
        assert_eq!(all(&mut guest, len), whole, "{len}");
    }
}

#[test]
fn the_last_entry_is_cut_where_the_buffer_ends() {
    let mut guest = Guest::new();
    guest.scratch.file("a-name", "");
    let (whole, used) = call(&mut guest, 4096, 0).unwrap();
    let bytes = guest.mem[Guest::DATA as usize..][..used as usize].to_vec();
    for len in 0..used + 1 {
        guest.mem[Guest::DATA as usize..][..4096].fill(0);
        let (part, part_used) = call(&mut guest, len, 0).unwrap();
        assert_eq!(part_used, len.min(used), "a buffer of {len} is filled");
        assert_eq!(
            guest.mem[Guest::DATA as usize..][..part_used as usize],
            bytes[..part_used as usize]
        );
        assert_eq!(part, whole[..part.len()]);
    }
    // An entry that just fits fills the buffer, so the guest asks again and gets nothing.
    let last = whole.last().unwrap().next;
    assert_eq!(call(&mut guest, 4096, last).unwrap(), (vec![], 0));
}

#[test]
fn cookies_survive_changes() {
    let mut guest = Guest::new();
    for i in 0..40 {
        guest.scratch.file(&format!("{i:02}"), "");
    }
    let whole = all(&mut guest, 4096);
    // From any entry on, the rest follows, in any order of asking.
    for i in (0..whole.len()).rev() {
        let (rest, _) = call(&mut guest, 4096, whole[i].next).unwrap();
        assert_eq!(rest, whole[i + 1..], "{i}");
    }
    // What is removed is missing, and nothing else is.
    let at = 20;
    for entry in &whole[..at] {
        if !entry.name.starts_with('.') {
            fs::remove_file(guest.scratch.join(&entry.name)).unwrap();
        }
    }
    let (rest, _) = call(&mut guest, 4096, whole[at].next).unwrap();
    assert_eq!(rest, whole[at + 1..]);
}

#[test]
fn bad_arguments_are_refused() {
    let mut guest = Guest::new();
    assert_eq!(
        call(&mut guest, 4096, u64::MAX).map(drop),
        Err(Errno::Inval)
    );
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    let end = mem.len() as u32;
    let mut readdir = |fd, buf, len, out| fd_readdir(ctx, mem, fd, buf, len, 0, out);
    assert_eq!(readdir(Guest::ROOT, end - 10, 11, 0), Err(Errno::Fault));
    assert_eq!(readdir(Guest::ROOT, 0, 10, end - 3), Err(Errno::Fault));
    assert_eq!(
        readdir(Guest::ROOT, u32::MAX, u32::MAX, 0),
        Err(Errno::Fault)
    );
    assert_eq!(readdir(0, 0, 10, 0), Err(Errno::Notdir));
    assert_eq!(readdir(77, 0, 10, 0), Err(Errno::Badf));
    // A cookie that was never given must not harm; what it lists is up to the file system.
    for cookie in [1, 7, 1 << 31, 1 << 62, i64::MAX as u64] {
        let _ = call(&mut guest, 4096, cookie);
    }
    assert_eq!(names(&all(&mut guest, 4096)), [".", ".."]);
    let mut guest = Guest::with(DirPerms::MUTATE, FilePerms::all(), |_| {});
    assert_eq!(call(&mut guest, 4096, 0).map(drop), Err(Errno::Perm));
}
