//! Clocks and randomness: `clock_time_get`, `clock_res_get`, `random_get`.

use crate::{
    WasiCtx,
    audit::{Denial, Stop},
    guest,
    platform::{Blocking, Clock},
    types::Errno,
};

/// Random bytes that are made at a time.
const PIECE: usize = 1 << 20;

impl WasiCtx {
    /// The clock of a `clockid`, if the guest has clocks.
    pub(crate) fn clock(&self, id: u32) -> Result<Clock, Stop> {
        let clock = match id {
            0 => Clock::Realtime,
            1 => self.monotonic,
            2 => Clock::ProcessCputime,
            3 => Clock::ThreadCputime,
            _ => return Err(Errno::Inval.into()),
        };
        if !self.clocks {
            return Err(Stop::denied(Errno::Notcapable, Denial::Clocks));
        }
        Ok(clock)
    }
}

pub(crate) fn clock_res_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    id: u32,
    resolution: u32,
) -> Result<(), Stop> {
    let value = ctx.platform.resolution(ctx.clock(id)?)?;
    Ok(guest::write_u64(mem, resolution, value)?)
}

pub(crate) fn clock_time_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    id: u32,
    _precision: u64,
    time: u32,
) -> Result<(), Stop> {
    let value = ctx.platform.now(ctx.clock(id)?)?;
    Ok(guest::write_u64(mem, time, value)?)
}

pub(crate) fn random_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    buf: u32,
    buf_len: u32,
) -> Result<(), Stop> {
    let buffer = guest::bytes_mut(mem, buf, buf_len)?;
    if !ctx.random {
        return Err(Stop::denied(Errno::Notcapable, Denial::Random));
    }
    if ctx.blocking == Blocking::Allowed {
        return Ok(ctx.platform.random(buffer)?);
    }
    // In pieces, so that interruption has a look between them.
    let done = ctx.parked.moved.min(buffer.len());
    let rest = &mut buffer[done..];
    let piece = rest.len().min(PIECE);
    ctx.platform.random(&mut rest[..piece])?;
    if piece == rest.len() {
        return Ok(());
    }
    ctx.parked.moved = done + piece;
    ctx.parked.deadline = Some(0);
    Err(Stop::Wait)
}
