//! Clocks: `clock_time_get` and `clock_res_get`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    WasiCtx, guest, sys,
    types::{Errno, timestamp},
};

/// `clockid`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The time of day, since 1970.
    Realtime,
    /// A clock that never goes back.
    Monotonic,
    /// The processor time of the host's process.
    ProcessCputime,
    /// The processor time of the host's thread.
    ThreadCputime,
}

impl Clock {
    /// From an argument of the interface.
    pub(crate) fn from_arg(arg: u32) -> Result<Self, Errno> {
        Ok(match arg {
            0 => Self::Realtime,
            1 => Self::Monotonic,
            2 => Self::ProcessCputime,
            3 => Self::ThreadCputime,
            _ => return Err(Errno::Inval),
        })
    }

    fn host(self) -> libc::clockid_t {
        match self {
            Self::Realtime => libc::CLOCK_REALTIME,
            Self::Monotonic => libc::CLOCK_MONOTONIC,
            Self::ProcessCputime => libc::CLOCK_PROCESS_CPUTIME_ID,
            Self::ThreadCputime => libc::CLOCK_THREAD_CPUTIME_ID,
        }
    }

    /// Its time in nanoseconds.
    pub(crate) fn now(self) -> Result<u64, Errno> {
        if self == Self::Realtime {
            // The standard library asks for 64 bits also where libc's type for seconds has 32, whose
            // time ends in 2038. The other clocks begin with the host or the process.
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_err(|_| Errno::Overflow)?;
            return u64::try_from(now.as_nanos()).map_err(|_| Errno::Overflow);
        }
        read(|time| {
            // SAFETY: the clock is one of the host's, and the buffer is one `timespec`.
            unsafe { libc::clock_gettime(self.host(), time) }
        })
    }

    /// The least time that it can tell, in nanoseconds.
    fn resolution(self) -> Result<u64, Errno> {
        let resolution = read(|time| {
            // SAFETY: as above.
            unsafe { libc::clock_getres(self.host(), time) }
        })?;
        // The interface forbids 0.
        Ok(resolution.max(1))
    }
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

pub(crate) fn clock_res_get(
    _ctx: &mut WasiCtx,
    mem: &mut [u8],
    id: u32,
    resolution: u32,
) -> Result<(), Errno> {
    guest::write_u64(mem, resolution, Clock::from_arg(id)?.resolution()?)
}

pub(crate) fn clock_time_get(
    _ctx: &mut WasiCtx,
    mem: &mut [u8],
    id: u32,
    _precision: u64,
    time: u32,
) -> Result<(), Errno> {
    guest::write_u64(mem, time, Clock::from_arg(id)?.now()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run() {
        for id in 0..4 {
            let clock = Clock::from_arg(id).unwrap();
            let before = clock.now().unwrap();
            let started = std::time::Instant::now();
            // The wait is busy, so also the processor clocks advance, however little of it this thread gets.
            while clock.now().unwrap() - before < 1_000_000 {
                assert!(started.elapsed().as_secs() < 60, "{clock:?} stands still");
            }
            let resolution = clock.resolution().unwrap();
            assert!(
                (1..=1_000_000_000).contains(&resolution),
                "{clock:?} {resolution}"
            );
        }
        assert_eq!(Clock::from_arg(4), Err(Errno::Inval));
        // After 2020.
        assert!(Clock::Realtime.now().unwrap() > 1_577_836_800_000_000_000);
    }
}
