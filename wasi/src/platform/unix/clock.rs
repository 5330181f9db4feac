//! The host's clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use super::sys;
use crate::{
    platform::Clock,
    types::{Errno, timestamp},
};

fn host(clock: Clock) -> libc::clockid_t {
    match clock {
        Clock::Realtime => libc::CLOCK_REALTIME,
        Clock::Monotonic => libc::CLOCK_MONOTONIC,
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
        Clock::MonotonicRaw => libc::CLOCK_MONOTONIC_RAW,
        // The others have no other one.
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
        Clock::MonotonicRaw => libc::CLOCK_MONOTONIC,
        Clock::ProcessCputime => libc::CLOCK_PROCESS_CPUTIME_ID,
        Clock::ThreadCputime => libc::CLOCK_THREAD_CPUTIME_ID,
    }
}

/// Its time in nanoseconds.
pub(super) fn now(clock: Clock) -> Result<u64, Errno> {
    if clock == Clock::Realtime {
        // The standard library asks for 64 bits also where libc's type for seconds has 32, whose time ends
        // in 2038. The other clocks begin with the host or the process.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_err(|_| Errno::Overflow)?;
        return u64::try_from(now.as_nanos()).map_err(|_| Errno::Overflow);
    }
    read(|time| {
        // SAFETY: the clock is one of the host's, and the buffer is one `timespec`.
        unsafe { libc::clock_gettime(host(clock), time) }
    })
}

/// The least time that it can tell, in nanoseconds.
pub(super) fn resolution(clock: Clock) -> Result<u64, Errno> {
    let resolution = read(|time| {
        // SAFETY: as above.
        unsafe { libc::clock_getres(host(clock), time) }
    })?;
    // The interface forbids 0.
    Ok(resolution.max(1))
}

/// The nanoseconds that a call of the host writes.
fn read(call: impl FnOnce(*mut libc::timespec) -> libc::c_int) -> Result<u64, Errno> {
    // SAFETY: a `timespec` is integers, for which zero is a value.
    let mut time: libc::timespec = unsafe { core::mem::zeroed() };
    if call(&mut time) != 0 {
        return Err(sys::last_error());
    }
    #[allow(clippy::unnecessary_cast, reason = "32 bits on some hosts")]
    Ok(timestamp(time.tv_sec as i64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run() {
        for clock in [
            Clock::Realtime,
            Clock::Monotonic,
            Clock::MonotonicRaw,
            Clock::ProcessCputime,
            Clock::ThreadCputime,
        ] {
            let before = now(clock).unwrap();
            let started = std::time::Instant::now();
            // The wait is busy, so also the processor clocks advance, however little of it this thread gets.
            while now(clock).unwrap() - before < 1_000_000 {
                assert!(started.elapsed().as_secs() < 60, "{clock:?} stands still");
            }
            let resolution = resolution(clock).unwrap();
            assert!(
                (1..=1_000_000_000).contains(&resolution),
                "{clock:?} {resolution}"
            );
        }
        // After 2020.
        assert!(now(Clock::Realtime).unwrap() > 1_577_836_800_000_000_000);
    }
}
