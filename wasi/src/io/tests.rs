//! Reading, writing, seeking, attributes and flags of open descriptors.

use std::{
    fs,
    io::{Write, pipe},
    os::unix::fs::MetadataExt,
};

use crate::{
    DirPerms, FilePerms,
    table::plain::*,
    testing::Guest,
    types::Filetype,
    types::{Errno, Rights},
};

const APPEND: u32 = 1;
const NONBLOCK: u32 = 1 << 2;
const CREAT: u32 = 1;

#[test]
fn reads_scatter_and_writes_gather() {
    let mut guest = Guest::new();
    let file = guest.open("file", CREAT).unwrap();
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    mem[0x100..0x10a].copy_from_slice(b"0123456789");
    // Out of order, overlapping, and one that is empty and nowhere.
    for (i, (ptr, len)) in [(0x105_u32, 5_u32), (u32::MAX, 0), (0x100, 7)]
        .iter()
        .enumerate()
    {
        mem[i * 8..][..4].copy_from_slice(&ptr.to_le_bytes());
        mem[i * 8 + 4..][..4].copy_from_slice(&len.to_le_bytes());
    }
    fd_write(ctx, mem, file, 0, 3, 0x200).unwrap();
    assert_eq!(mem[0x200], 12);
    assert_eq!(
        fs::read(guest.scratch.join("file")).unwrap(),
        b"567890123456"
    );

    guest.seek(file, 0, 0).unwrap();
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    for (i, (ptr, len)) in [(0x300_u32, 4_u32), (0x310, 20)].iter().enumerate() {
        mem[i * 8..][..4].copy_from_slice(&ptr.to_le_bytes());
        mem[i * 8 + 4..][..4].copy_from_slice(&len.to_le_bytes());
    }
    fd_read(ctx, mem, file, 0, 2, 0x200).unwrap();
    assert_eq!(mem[0x200], 12);
    assert_eq!(
        (&mem[0x300..0x305], &mem[0x310..0x319]),
        (&b"5678\0"[..], &b"90123456\0"[..])
    );
    // An odd address for everything.
    mem[1..9].copy_from_slice(&[0x01, 0x04, 0, 0, 3, 0, 0, 0]);
    fd_pread(ctx, mem, file, 1, 1, 2, 0x203).unwrap();
    assert_eq!((mem[0x203], &mem[0x401..0x405]), (3, &b"789\0"[..]));
}

#[test]
fn a_fault_happens_before_anything_is_done() {
    let mut guest = Guest::new();
    let file = guest.open("file", CREAT).unwrap();
    guest.write(file, b"abc").unwrap();
    let end = guest.mem.len() as u32;
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    mem[0..8].copy_from_slice(&[0, 1, 0, 0, 3, 0, 0, 0]);
    mem[8..12].copy_from_slice(&(end - 1).to_le_bytes());
    mem[12..16].copy_from_slice(&[2, 0, 0, 0]);
    for (count, out) in [(2, 0x200), (1, end - 3), (1, u32::MAX)] {
        assert_eq!(fd_write(ctx, mem, file, 0, count, out), Err(Errno::Fault));
        assert_eq!(fd_read(ctx, mem, file, 0, count, out), Err(Errno::Fault));
        assert_eq!(
            fd_pwrite(ctx, mem, file, 0, count, 9, out),
            Err(Errno::Fault)
        );
        assert_eq!(
            fd_pread(ctx, mem, file, 0, count, 9, out),
            Err(Errno::Fault)
        );
    }
    assert_eq!(fd_seek(ctx, mem, file, 0, 0, end - 7), Err(Errno::Fault));
    assert_eq!(fd_write(ctx, mem, file, 0, 1025, 0x200), Err(Errno::Inval));
    assert_eq!(guest.tell(file), Ok(3));
    assert_eq!(fs::read(guest.scratch.join("file")).unwrap(), b"abc");
}

#[test]
fn offsets_move_as_asked() {
    let mut guest = Guest::new();
    let file = guest.open("file", CREAT).unwrap();
    assert_eq!(guest.write(file, b"0123456789"), Ok(10));
    assert_eq!(guest.tell(file), Ok(10));
    assert_eq!(guest.seek(file, 3, 0), Ok(3));
    assert_eq!(guest.seek(file, -1, 1), Ok(2));
    assert_eq!(guest.seek(file, -1, 2), Ok(9));
    assert_eq!(guest.seek(file, 1 << 40, 0), Ok(1 << 40));
    assert_eq!(guest.seek(file, -1, 0), Err(Errno::Inval));
    assert_eq!(guest.seek(file, 0, 3), Err(Errno::Inval));
    assert_eq!(guest.tell(file), Ok(1 << 40));
    // Reading and writing at a position leaves the offset.
    guest.seek(file, 5, 0).unwrap();
    assert_eq!(guest.pread(file, 3, 1).as_deref(), Ok(&b"123"[..]));
    assert_eq!(guest.pwrite(file, b"xy", 1), Ok(2));
    assert_eq!(guest.tell(file), Ok(5));
    assert_eq!(guest.read(file, 100).as_deref(), Ok(&b"56789"[..]));
    assert_eq!(guest.read(file, 100).as_deref(), Ok(&b""[..]));
    assert_eq!(fs::read(guest.scratch.join("file")).unwrap(), b"0xy3456789");
    // Beyond 4 GiB, for hosts whose plain calls end there.
    assert_eq!(guest.pwrite(file, b"far", 5 << 30), Ok(3));
    assert_eq!(guest.pread(file, 9, 5 << 30).as_deref(), Ok(&b"far"[..]));
    assert_eq!(
        fs::metadata(guest.scratch.join("file")).unwrap().len(),
        (5 << 30) + 3
    );
    assert_eq!(guest.pread(file, 1, u64::MAX), Err(Errno::Inval));
    assert_eq!(guest.pwrite(file, b"x", 1 << 63), Err(Errno::Inval));
}

#[test]
fn the_rights_say_how_a_file_was_opened() {
    let mut guest = Guest::new();
    guest.scratch.file("file", "abc");
    let (read, write) = (Rights::FD_READ.bits(), Rights::FD_WRITE.bits());
    for (rights, can_read, can_write) in [
        (0, false, false),
        (read, true, false),
        (write, false, true),
        (read | write, true, true),
    ] {
        let file = guest
            .open_with(Guest::ROOT, "file", (0, 0, rights, 0))
            .unwrap();
        let (filetype, flags, base, inheriting) = guest.fdstat(file).unwrap();
        assert_eq!(
            (filetype, flags, inheriting),
            (Filetype::RegularFile as u8, 0, 0)
        );
        assert_eq!(base & (read | write), rights);
        // The other rights of a file come whether or not they were asked for.
        let others = Rights::FILE.difference(Rights::READ_WRITE).bits();
        assert_eq!(base & !(read | write), others);
        let expected = |can| if can { None } else { Some(Errno::Badf) };
        assert_eq!(guest.read(file, 1).err(), expected(can_read));
        assert_eq!(guest.pread(file, 1, 0).err(), expected(can_read));
        assert_eq!(guest.write(file, b"x").err(), expected(can_write));
        assert_eq!(guest.pwrite(file, b"x", 0).err(), expected(can_write));
        assert_eq!(guest.close(file), Ok(()));
        assert_eq!(guest.close(file), Err(Errno::Badf));
    }
}

#[test]
fn a_directory_is_no_file() {
    let mut guest = Guest::new();
    let root = Guest::ROOT;
    assert_eq!(guest.read(root, 1).err(), Some(Errno::Badf));
    assert_eq!(guest.pread(root, 1, 0).err(), Some(Errno::Badf));
    assert_eq!(guest.write(root, b"x"), Err(Errno::Badf));
    assert_eq!(guest.pwrite(root, b"x", 0), Err(Errno::Badf));
    for whence in 0..3 {
        assert_eq!(guest.seek(root, 0, whence), Err(Errno::Badf));
    }
    assert_eq!(guest.tell(root), Err(Errno::Badf));
    assert_eq!(guest.set_flags(root, NONBLOCK), Err(Errno::Badf));
    let (filetype, flags, base, inheriting) = guest.fdstat(root).unwrap();
    assert_eq!((filetype, flags), (Filetype::Directory as u8, 0));
    assert_eq!(base & (Rights::READ_WRITE | Rights::FD_SEEK).bits(), 0);
    assert_eq!(base, Rights::DIRECTORY.bits());
    assert_eq!(inheriting, (Rights::DIRECTORY | Rights::FILE).bits());
}

#[test]
fn appending_can_be_switched() {
    let mut guest = Guest::new();
    guest.scratch.file("file", "abc");
    let rights = Rights::READ_WRITE.bits();
    let file = guest
        .open_with(Guest::ROOT, "file", (0, 0, rights, APPEND))
        .unwrap();
    assert_eq!(guest.fdstat(file).unwrap().1, APPEND as u16);
    guest.write(file, b"d").unwrap();
    assert_eq!(guest.tell(file), Ok(4));
    guest.set_flags(file, NONBLOCK).unwrap();
    assert_eq!(guest.fdstat(file).unwrap().1, NONBLOCK as u16);
    guest.seek(file, 0, 0).unwrap();
    guest.write(file, b"A").unwrap();
    guest.set_flags(file, APPEND).unwrap();
    guest.seek(file, 0, 0).unwrap();
    guest.write(file, b"e").unwrap();
    assert_eq!(fs::read(guest.scratch.join("file")).unwrap(), b"Abcde");
    // How it synchronises cannot be changed, and unknown flags are refused.
    assert_eq!(guest.set_flags(file, 1 << 4), Err(Errno::Notsup));
    assert_eq!(guest.set_flags(file, 1 << 5), Err(Errno::Inval));
    assert_eq!(guest.fdstat(file).unwrap().1, APPEND as u16);
    let sync = guest
        .open_with(Guest::ROOT, "file", (0, 0, rights, 1 << 4 | APPEND))
        .unwrap();
    assert_eq!(guest.fdstat(sync).unwrap().1, (1 << 4 | APPEND) as u16);
    assert_eq!(guest.set_flags(sync, 1 << 4), Ok(()));
}

#[test]
fn without_a_grant_the_standard_streams_are_empty() {
    let mut guest = Guest::new();
    assert_eq!(guest.read(0, 10).as_deref(), Ok(&b""[..]));
    assert_eq!(guest.write(1, b"lost"), Ok(4));
    assert_eq!(guest.write(2, b"lost"), Ok(4));
    assert_eq!(guest.write(0, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(1, 1).err(), Some(Errno::Badf));
    assert_eq!(guest.seek(1, 0, 1), Err(Errno::Spipe));
    assert_eq!(guest.fdstat(0).unwrap().0, Filetype::Unknown as u8);
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    assert_eq!(fd_filestat_get(ctx, mem, 0, Guest::OUT), Ok(()));
    // A vector outside of the memory is a fault here too.
    mem[0..8].fill(0xff);
    assert_eq!(fd_write(ctx, mem, 1, 0, 1, 16), Err(Errno::Fault));
    assert_eq!(guest.close(1), Ok(()));
    assert_eq!(guest.write(1, b"x"), Err(Errno::Badf));
}

/// The flags of the host's open file, after they were set.
fn host_flags(fd: &impl std::os::fd::AsRawFd, set: Option<libc::c_int>) -> libc::c_int {
    // SAFETY: the descriptor is open.
    unsafe {
        if let Some(flags) = set {
            assert_eq!(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags), 0);
        }
        libc::fcntl(fd.as_raw_fd(), libc::F_GETFL)
    }
}

#[test]
fn standard_streams_are_what_was_granted() {
    let (reader, mut writer) = pipe().unwrap();
    let shared = reader.try_clone().unwrap();
    let mut guest = Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
        builder.stdin(reader);
    });
    let (filetype, flags, base, _) = guest.fdstat(0).unwrap();
    assert_eq!((filetype, flags), (Filetype::Unknown as u8, 0));
    assert_eq!(
        base & (Rights::FD_SEEK | Rights::FD_TELL | Rights::FD_WRITE).bits(),
        0
    );
    assert_eq!(guest.tell(0), Err(Errno::Spipe));
    assert_eq!(guest.pread(0, 1, 0).err(), Some(Errno::Spipe));
    writer.write_all(b"in").unwrap();
    assert_eq!(guest.read(0, 10).as_deref(), Ok(&b"in"[..]));
    // Not to block is the guest's wish alone: others share the pipe.
    guest.set_flags(0, NONBLOCK).unwrap();
    assert_eq!(guest.fdstat(0).unwrap().1, NONBLOCK as u16);
    assert_eq!(guest.read(0, 10).err(), Some(Errno::Again));
    assert_eq!(host_flags(&shared, None) & libc::O_NONBLOCK, 0);
    assert_eq!(guest.set_flags(0, APPEND), Err(Errno::Notsup));
    // And the other way round.
    guest.set_flags(0, 0).unwrap();
    host_flags(&shared, Some(libc::O_NONBLOCK));
    let late = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        writer.write_all(b"late").unwrap();
    });
    assert_eq!(guest.read(0, 10).as_deref(), Ok(&b"late"[..]));
    late.join().unwrap();
    assert_eq!(guest.read(0, 10).as_deref(), Ok(&b""[..]));
}

#[test]
fn a_file_as_standard_output_can_be_sought_in() {
    let scratch = crate::testing::Scratch::new();
    let out = fs::File::create(scratch.join("out")).unwrap();
    let mut guest = Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
        builder.stdout(out);
    });
    guest.write(1, b"hello").unwrap();
    assert_eq!(guest.seek(1, 0, 0), Ok(0));
    guest.write(1, b"J").unwrap();
    assert_eq!(fs::read(scratch.join("out")).unwrap(), b"Jello");
    assert_eq!(guest.fdstat(1).unwrap().0, Filetype::RegularFile as u8);
    assert_eq!(guest.read(1, 1).err(), Some(Errno::Badf));
}

#[test]
fn a_terminal_is_recognised() {
    // SAFETY: these calls make a terminal of our own; the descriptor is checked and owned once.
    let terminal = unsafe {
        use std::os::fd::FromRawFd;

        let controller = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
        assert!(controller >= 0);
        std::os::fd::OwnedFd::from_raw_fd(controller)
    };
    let null = fs::File::open("/dev/null").unwrap();
    let mut guest = Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
        builder.stdin(terminal).stdout(null);
    });
    // Guests take a character device in which one cannot seek for a terminal.
    let seek = (Rights::FD_SEEK | Rights::FD_TELL).bits();
    let (filetype, _, base, _) = guest.fdstat(0).unwrap();
    assert_eq!(
        (filetype, base & seek),
        (Filetype::CharacterDevice as u8, 0)
    );
    let (filetype, _, base, _) = guest.fdstat(1).unwrap();
    assert_eq!(
        (filetype, base & seek),
        (Filetype::CharacterDevice as u8, seek)
    );
}

#[test]
fn attributes_are_the_host_s() {
    let mut guest = Guest::new();
    guest.scratch.file("file", "abc");
    let file = guest.open("file", 0).unwrap();
    let host = fs::metadata(guest.scratch.join("file")).unwrap();
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    mem[Guest::OUT as usize..][..64].fill(0xff);
    fd_filestat_get(ctx, mem, file, Guest::OUT).unwrap();
    let record = &mem[Guest::OUT as usize..][..64];
    let field = |offset| crate::guest::field_u64(record, offset);
    assert_eq!(field(8), host.ino());
    assert_eq!(field(16), Filetype::RegularFile as u64);
    assert_eq!((field(24), field(32)), (1, 3));
    assert_eq!(
        field(48),
        host.mtime() as u64 * 1_000_000_000 + host.mtime_nsec() as u64
    );
    assert_eq!(
        field(56),
        host.ctime() as u64 * 1_000_000_000 + host.ctime_nsec() as u64
    );
    assert!(field(40) > 0);
    fd_filestat_get(ctx, mem, Guest::ROOT, Guest::OUT).unwrap();
    assert_eq!(mem[Guest::OUT as usize + 16], Filetype::Directory as u8);
    let end = mem.len() as u32;
    assert_eq!(fd_filestat_get(ctx, mem, file, end - 63), Err(Errno::Fault));
    assert_eq!(fd_filestat_get(ctx, mem, 99, 0), Err(Errno::Badf));
}

#[test]
fn preopened_directories_tell_their_path() {
    let mut guest = Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
        builder
            .preopened_dir("/", "/some/where", DirPerms::READ, FilePerms::READ)
            .unwrap();
    });
    let opened = guest.open(".", 0).unwrap();
    assert_eq!(opened, 5);
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    mem[0..8].fill(0xff);
    fd_prestat_get(ctx, mem, 4, 0).unwrap();
    assert_eq!(mem[0..8], [0, 0, 0, 0, 11, 0, 0, 0]);
    fd_prestat_dir_name(ctx, mem, 4, 0x100, 11).unwrap();
    assert_eq!(&mem[0x100..0x10c], b"/some/where\0");
    assert_eq!(fd_prestat_dir_name(ctx, mem, 4, 0x200, 20), Ok(()));
    assert_eq!(
        fd_prestat_dir_name(ctx, mem, 4, 0x200, 10),
        Err(Errno::Nametoolong)
    );
    let end = mem.len() as u32;
    assert_eq!(
        fd_prestat_dir_name(ctx, mem, 4, end - 10, 11),
        Err(Errno::Fault)
    );
    // Neither a stream, nor what was opened later, nor what is not open.
    for fd in [0, 2, opened, 6, u32::MAX] {
        assert_eq!(fd_prestat_get(ctx, mem, fd, 0), Err(Errno::Badf), "{fd}");
        assert_eq!(
            fd_prestat_dir_name(ctx, mem, fd, 0, 100),
            Err(Errno::Badf),
            "{fd}"
        );
    }
}

/// Notes where the buffers are that it is given.
struct Places(std::sync::Arc<std::sync::Mutex<Vec<(usize, usize)>>>);

impl crate::platform::File for Places {
    fn filestat(&self) -> Result<crate::platform::Filestat, Errno> {
        crate::platform::null::NullFile.filestat()
    }

    fn read(
        &self,
        buffers: &mut crate::platform::ReadBuffers<'_>,
        _blocking: crate::platform::Blocking,
    ) -> Result<usize, Errno> {
        buffers.fill(|buffer| {
            self.0
                .lock()
                .unwrap()
                .push((buffer.as_ptr() as usize, buffer.len()));
            buffer.fill(b'!');
            Ok(buffer.len())
        })
    }

    fn write(
        &self,
        buffers: &mut crate::platform::WriteBuffers<'_>,
        _blocking: crate::platform::Blocking,
    ) -> Result<usize, Errno> {
        buffers.drain(|buffer| {
            self.0
                .lock()
                .unwrap()
                .push((buffer.as_ptr() as usize, buffer.len()));
            Ok(buffer.len())
        })
    }
}

/// System calls by which this thread has read and written.
#[cfg(target_os = "linux")]
fn transfers() -> (u64, u64) {
    let text = fs::read_to_string("/proc/thread-self/io").unwrap();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().parse().unwrap()
    };
    (field("syscr:"), field("syscw:"))
}

#[test]
fn bytes_are_moved_once() {
    let seen = std::sync::Arc::<std::sync::Mutex<Vec<_>>>::default();
    let (input, output) = (Places(seen.clone()), Places(seen.clone()));
    let mut guest = Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
        builder.stdin_file(input).stdout_file(output);
    });
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    let base = mem.as_ptr() as usize;
    for (i, (ptr, len)) in [(0x300_u32, 4_u32), (0x201, 20)].iter().enumerate() {
        mem[i * 8..][..4].copy_from_slice(&ptr.to_le_bytes());
        mem[i * 8 + 4..][..4].copy_from_slice(&len.to_le_bytes());
    }
    fd_read(ctx, mem, 0, 0, 2, 0x100).unwrap();
    fd_write(ctx, mem, 1, 0, 2, 0x100).unwrap();
    // What reads and writes is given the guest's own memory.
    let places = [(base + 0x300, 4), (base + 0x201, 20)];
    assert_eq!(*seen.lock().unwrap(), [places, places].concat());
    assert_eq!(&mem[0x300..0x304], b"!!!!");
}

/// One system call of the host moves all buffers of a call.
#[cfg(target_os = "linux")]
#[test]
fn a_call_is_one_call_of_the_host() {
    let mut guest = Guest::new();
    let file = guest.open("file", CREAT).unwrap();
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    for i in 0..40 {
        mem[i * 8..][..4].copy_from_slice(&(0x1000 + i as u32 * 100).to_le_bytes());
        mem[i * 8 + 4..][..4].copy_from_slice(&100_u32.to_le_bytes());
    }
    // Where such counts are not kept, there is nothing to compare.
    if fs::read_to_string("/proc/thread-self/io").is_err() {
        return;
    }
    // Reading the counts takes calls too, and always as many.
    let (before, idle) = (transfers(), transfers());
    fd_write(ctx, mem, file, 0, 40, 0x800).unwrap();
    let wrote = transfers();
    assert_eq!(wrote.1 - idle.1, 1);
    assert_eq!(wrote.0 - idle.0, idle.0 - before.0);
    fd_pread(ctx, mem, file, 0, 40, 0, 0x800).unwrap();
    let read = transfers();
    assert_eq!((read.0 - wrote.0) - (idle.0 - before.0), 1);
    assert_eq!(crate::guest::field_u32(mem, 0x800), 4000);
}
