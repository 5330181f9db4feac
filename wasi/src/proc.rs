//! The process: its arguments and environment, its end, signals, and giving up the processor.

use alloc::vec::Vec;
use core::fmt;

use crate::{WasiCtx, audit::Stop, guest, types::Errno};

/// The guest has called `proc_exit` with this status.
///
/// It travels as an error, which ends all of the guest's calls;
/// `error.downcast_ref::<I32Exit>()` finds it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct I32Exit(pub i32);

impl fmt::Display for I32Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the guest exited with status {}", self.0)
    }
}

impl core::error::Error for I32Exit {}

/// A list of strings as the guest gets it: one after another, each with a NUL after it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Strings {
    /// Adds a string made of these parts.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
    }

    /// How many there are, and their bytes.
    fn sizes(&self) -> Result<(u32, u32), Errno> {
        let size = |n: usize| u32::try_from(n).map_err(|_| Errno::Overflow);
        Ok((size(self.starts.len())?, size(self.bytes.len())?))
    }

    fn write_sizes(&self, mem: &mut [u8], count: u32, size: u32) -> Result<(), Errno> {
        let sizes = self.sizes()?;
        guest::write_u32(mem, count, sizes.0)?;
        guest::write_u32(mem, size, sizes.1)
    }

    /// Writes the strings at `buf` and a pointer to each at `pointers`.
    fn write(&self, mem: &mut [u8], pointers: u32, buf: u32) -> Result<(), Errno> {
        let (count, size) = self.sizes()?;
        guest::check(mem, pointers, count.checked_mul(4).ok_or(Errno::Fault)?)?;
        guest::check(mem, buf, size)?;
        guest::write(mem, buf, &self.bytes)?;
        for (i, start) in self.starts.iter().enumerate() {
            // Both were checked to be in the memory, so neither sum overflows.
            guest::write_u32(mem, pointers + i as u32 * 4, buf + *start as u32)?;
        }
        Ok(())
    }
}

pub(crate) fn args_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    argv: u32,
    argv_buf: u32,
) -> Result<(), Stop> {
    Ok(ctx.args.write(mem, argv, argv_buf)?)
}

pub(crate) fn args_sizes_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    argc: u32,
    argv_buf_size: u32,
) -> Result<(), Stop> {
    Ok(ctx.args.write_sizes(mem, argc, argv_buf_size)?)
}

pub(crate) fn environ_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    environ: u32,
    environ_buf: u32,
) -> Result<(), Stop> {
    Ok(ctx.env.write(mem, environ, environ_buf)?)
}

pub(crate) fn environ_sizes_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    environc: u32,
    environ_buf_size: u32,
) -> Result<(), Stop> {
    Ok(ctx.env.write_sizes(mem, environc, environ_buf_size)?)
}

pub(crate) fn sched_yield(ctx: &mut WasiCtx, _mem: &mut [u8]) -> Result<(), Stop> {
    ctx.platform.yield_now();
    Ok(())
}

/// `signal`, as far as what happens without a handler differs.
const CHLD: u32 = 16;
const CONT: u32 = 17;
const URG: u32 = 22;
const WINCH: u32 = 27;
const SYS: u32 = 30;
/// `stop`, `tstp`, `ttin`, `ttou`.
const STOPS: core::ops::RangeInclusive<u32> = 18..=21;

/// Does what a signal does to a Unix process that has not said what to do with it. A guest has no way to say
/// so: what its libraries do with signals, they do themselves.
pub(crate) fn proc_raise(_ctx: &mut WasiCtx, _mem: &mut [u8], sig: u32) -> Result<(), Stop> {
    match sig {
        0 | CHLD | CONT | URG | WINCH => Ok(()),
        // Nobody could let it go on.
        _ if STOPS.contains(&sig) => Err(Errno::Notsup.into()),
        ..=SYS => Err(Stop::Exit(128 + unix_number(sig))),
        _ => Err(Errno::Inval.into()),
    }
}

/// The number that Linux has for a signal which ends a process, as in the status that a shell tells: the
/// interface leaves out one that Linux has.
fn unix_number(sig: u32) -> i32 {
    let number = if sig < CHLD { sig } else { sig + 1 };
    number as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_laid_out_with_their_pointers() {
        let mut strings = Strings::default();
        strings.push(&[b"A", b"=", b"bc"]);
        strings.push(&[b""]);
        strings.push(&[b"xyz"]);
        let mut mem = [0xff; 40];
        strings.write_sizes(&mut mem, 0, 4).unwrap();
        assert_eq!(mem[0..8], [3, 0, 0, 0, 10, 0, 0, 0]);
        strings.write(&mut mem, 8, 30).unwrap();
        assert_eq!(mem[8..20], [30, 0, 0, 0, 35, 0, 0, 0, 36, 0, 0, 0]);
        assert_eq!(&mem[30..40], b"A=bc\0\0xyz\0");
    }

    #[test]
    fn strings_outside_of_the_memory_are_faults() {
        let mut strings = Strings::default();
        strings.push(&[b"abc"]);
        let mut mem = [0; 16];
        for (pointers, buf) in [(13, 0), (0, 13), (u32::MAX, 0), (0, u32::MAX)] {
            assert_eq!(strings.write(&mut mem, pointers, buf), Err(Errno::Fault));
            assert_eq!(mem, [0; 16], "nothing is written in part");
        }
        assert_eq!(strings.write_sizes(&mut mem, 0, 13), Err(Errno::Fault));
    }

    #[test]
    fn signals_end_the_guest_as_they_would_a_process() {
        let mut ctx = crate::WasiCtxBuilder::new().build();
        let mut raise = |sig| proc_raise(&mut ctx, &mut [], sig);
        for ignored in [0, 16, 17, 22, 27] {
            assert_eq!(raise(ignored), Ok(()));
        }
        for (sig, status) in [
            (1, 129),
            (6, 134),
            (9, 137),
            (13, 141),
            (15, 143),
            (23, 152),
            (30, 159),
        ] {
            assert_eq!(raise(sig), Err(Stop::Exit(status)));
        }
        for stop in 18..=21 {
            assert_eq!(raise(stop), Err(Errno::Notsup.into()));
        }
        assert_eq!(raise(31), Err(Errno::Inval.into()));
    }
}
