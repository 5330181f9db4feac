//! `poll_oneoff` on clocks, pipes and files.

use std::{
    io::{Read, Write, pipe},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::{DirPerms, FilePerms, table::plain::poll_oneoff, testing::Guest};

const MAX_SUBSCRIPTIONS: u32 = 1 << 16;

const IN: u32 = 0x1000;
const OUT: u32 = 0x4000;
const MS: u64 = 1_000_000;

fn clock(userdata: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut record = [0; 48];
    record[0..8].copy_from_slice(&userdata.to_le_bytes());
    record[16..20].copy_from_slice(&id.to_le_bytes());
    record[24..32].copy_from_slice(&timeout.to_le_bytes());
    record[40..42].copy_from_slice(&flags.to_le_bytes());
    record
}

fn fd(userdata: u64, tag: u8, fd: u32) -> [u8; 48] {
    let mut record = [0; 48];
    record[0..8].copy_from_slice(&userdata.to_le_bytes());
    record[8] = tag;
    record[16..20].copy_from_slice(&fd.to_le_bytes());
    record
}

/// User data, error, type, bytes, flags.
type Seen = (u64, u16, u8, u64, u16);

fn poll(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Result<Vec<Seen>, Errno> {
    for (i, record) in subscriptions.iter().enumerate() {
        guest.mem[IN as usize + i * 48..][..48].copy_from_slice(record);
    }
    let count = subscriptions.len() as u32;
    poll_oneoff(&mut guest.ctx, &mut guest.mem, IN, OUT, count, Guest::OUT)?;
    let events = &guest.mem[OUT as usize..][..guest.out_u32() as usize * 32];
    Ok(events
        .chunks_exact(32)
        .map(|event| {
            (
                field_u64(event, 0),
                field_u16(event, 8),
                event[10],
                field_u64(event, 16),
                field_u16(event, 24),
            )
        })
        .collect())
}

/// Runs and tells how long it took.
fn timed<R>(run: impl FnOnce() -> R) -> (R, Duration) {
    let started = Instant::now();
    (run(), started.elapsed())
}

#[test]
fn a_wait_lasts_as_long_as_asked() {
    let mut guest = Guest::new();
    let realtime = guest.ctx.platform.now(Clock::Realtime).unwrap();
    let monotonic = guest.ctx.platform.now(Clock::Monotonic).unwrap();
    for record in [
        clock(9, 1, 50 * MS, 0),
        clock(9, 0, 50 * MS, 0),
        clock(9, 0, realtime + 300 * MS, 1),
        clock(9, 1, monotonic + 400 * MS, 1),
    ] {
        let (events, passed) = timed(|| poll(&mut guest, &[record]));
        assert_eq!(events, Ok(vec![(9, 0, CLOCK, 0, 0)]));
        assert!(passed >= Duration::from_millis(49), "{passed:?}");
        assert!(passed < Duration::from_secs(5), "{passed:?}");
    }
    // Times that are past, or now.
    for record in [clock(9, 1, 0, 0), clock(9, 0, 1, 1), clock(9, 1, 1, 1)] {
        let (events, passed) = timed(|| poll(&mut guest, &[record]));
        assert_eq!(events, Ok(vec![(9, 0, CLOCK, 0, 0)]));
        assert!(passed < Duration::from_secs(1), "{passed:?}");
    }
}

#[test]
fn the_earliest_of_several_times_counts() {
    let mut guest = Guest::new();
    let records = [
        clock(1, 1, u64::MAX, 0),
        clock(2, 1, 20 * MS, 0),
        clock(3, 0, 3_600_000 * MS, 0),
    ];
    let (events, passed) = timed(|| poll(&mut guest, &records));
    assert_eq!(events, Ok(vec![(2, 0, CLOCK, 0, 0)]));
    assert!(passed < Duration::from_secs(5));
}

#[test]
fn a_pipe_is_ready_when_it_has_bytes_or_no_writer() {
    let (reader, mut writer) = pipe().unwrap();
    let mut guest = Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
        builder.stdin(reader);
    });
    let records = [clock(1, 1, 20 * MS, 0), fd(2, FD_READ, 0)];
    assert_eq!(poll(&mut guest, &records), Ok(vec![(1, 0, CLOCK, 0, 0)]));
    // Bytes that come while it waits end the wait.
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        writer.write_all(b"hello").unwrap();
        writer
    });
    let records = [clock(1, 1, 20_000 * MS, 0), fd(2, FD_READ, 0)];
    let (events, passed) = timed(|| poll(&mut guest, &records));
    assert_eq!(events, Ok(vec![(2, 0, FD_READ, 5, 0)]));
    assert!(
        passed >= Duration::from_millis(49) && passed < Duration::from_secs(10),
        "{passed:?}"
    );
    assert_eq!(guest.read(0, 10).as_deref(), Ok(&b"hello"[..]));
    // So does the end.
    drop(late.join().unwrap());
    let hangup = Eventrwflags::HANGUP.bits();
    assert_eq!(
        poll(&mut guest, &records),
        Ok(vec![(2, 0, FD_READ, 0, hangup)])
    );
    assert_eq!(guest.read(0, 10).as_deref(), Ok(&b""[..]));
}

#[test]
fn a_pipe_can_be_written_until_it_is_full() {
    let (mut reader, writer) = pipe().unwrap();
    let mut guest = Guest::with(DirPerms::all(), FilePerms::all(), |builder| {
        builder.stdout(writer);
    });
    let records = [fd(1, FD_WRITE, 1), clock(2, 1, 30 * MS, 0)];
    assert_eq!(poll(&mut guest, &records), Ok(vec![(1, 0, FD_WRITE, 0, 0)]));
    guest.set_flags(1, 1 << 2).unwrap();
    let mut written = 0;
    loop {
        match guest.write(1, &[7; 0x4000]) {
            Ok(more) => written += more,
            Err(error) => break assert_eq!(error, Errno::Again),
        }
    }
    assert!(written > 0);
    assert_eq!(poll(&mut guest, &records), Ok(vec![(2, 0, CLOCK, 0, 0)]));
    let mut bytes = vec![0; written as usize];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(poll(&mut guest, &records), Ok(vec![(1, 0, FD_WRITE, 0, 0)]));
    // Nobody reads any more: that is ready too, and the write tells why.
    drop(reader);
    let events = poll(&mut guest, &records).unwrap();
    assert_eq!((events[0].0, events[0].4), (1, Eventrwflags::HANGUP.bits()));
    assert_eq!(guest.write(1, b"x"), Err(Errno::Pipe));
}

#[test]
fn files_and_what_was_not_granted_are_always_ready() {
    let mut guest = Guest::new();
    guest.scratch.file("file", "0123456789");
    let file = guest.open("file", 0).unwrap();
    guest.read(file, 3).unwrap();
    let records = [fd(1, FD_READ, file), fd(2, FD_READ, 0), fd(3, FD_WRITE, 1)];
    let (events, passed) = timed(|| poll(&mut guest, &records));
    assert_eq!(
        events,
        Ok(vec![
            (1, 0, FD_READ, 7, 0),
            (2, 0, FD_READ, 0, 0),
            (3, 0, FD_WRITE, 0, 0)
        ])
    );
    assert!(passed < Duration::from_secs(1));
}

#[test]
fn a_bad_subscription_is_an_event_at_once() {
    let mut guest = Guest::new();
    guest.scratch.file("file", "");
    let file = guest.open("file", 0).unwrap();
    let records = [
        fd(1, FD_READ, 99),
        fd(2, FD_READ, Guest::ROOT),
        fd(3, FD_WRITE, 0),
        fd(4, FD_WRITE, file),
        clock(5, 9, 0, 0),
        clock(6, 1, 0, 2),
        clock(7, 2, 0, 0),
        clock(8, 1, u64::MAX, 0),
    ];
    let (events, passed) = timed(|| poll(&mut guest, &records).unwrap());
    let errors: Vec<_> = events.iter().map(|event| (event.0, event.1)).collect();
    let badf = Errno::Badf as u16;
    let (inval, notsup) = (Errno::Inval as u16, Errno::Notsup as u16);
    assert_eq!(
        errors,
        [
            (1, badf),
            (2, badf),
            (3, badf),
            (4, badf),
            (5, inval),
            (6, inval),
            (7, notsup)
        ]
    );
    assert!(passed < Duration::from_secs(1));
}

#[test]
fn bad_arguments_fail_the_call() {
    let mut guest = Guest::new();
    assert_eq!(poll(&mut guest, &[]), Err(Errno::Inval));
    assert_eq!(poll(&mut guest, &[fd(1, 3, 0)]), Err(Errno::Inval));
    let (ctx, mem) = (&mut guest.ctx, &mut guest.mem);
    let end = mem.len() as u32;
    let mut poll = |from, to, count, out| poll_oneoff(ctx, mem, from, to, count, out);
    assert_eq!(poll(end - 47, 0, 1, 64), Err(Errno::Fault));
    assert_eq!(poll(0, end - 31, 1, 64), Err(Errno::Fault));
    assert_eq!(poll(0, 0, 1, end - 3), Err(Errno::Fault));
    assert_eq!(poll(0, 0, MAX_SUBSCRIPTIONS, 64), Err(Errno::Fault));
    assert_eq!(poll(0, 0, MAX_SUBSCRIPTIONS + 1, 64), Err(Errno::Inval));
    assert_eq!(poll(0, 0, u32::MAX, 64), Err(Errno::Inval));
}

#[test]
fn the_two_lists_may_overlap() {
    let mut guest = Guest::new();
    for i in 0..4 {
        guest.mem[i * 48..][..48].copy_from_slice(&clock(i as u64 + 1, 1, 0, 0));
    }
    poll_oneoff(&mut guest.ctx, &mut guest.mem, 0, 0, 4, Guest::OUT).unwrap();
    assert_eq!(guest.out_u32(), 4);
    let seen: Vec<_> = (0..4).map(|i| field_u64(&guest.mem, i * 32)).collect();
    assert_eq!(seen, [1, 2, 3, 4]);
}
