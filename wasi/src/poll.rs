//! `poll_oneoff`: waiting for times and for descriptors to become ready.

use alloc::vec::Vec;

use crate::{
    WasiCtx,
    audit::{Denial, Refusal, Stop},
    fd::Object,
    guest::{self, field_u16, field_u32, field_u64},
    platform::{Clock, Interest, Readiness, Source},
    types::{Errno, Eventrwflags, Rights, Subclockflags},
};

/// Bytes of an `event`.
const EVENT: u32 = 32;

/// The tags of `eventtype`.
const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// Where the fields of a `subscription` are.
#[derive(Copy, Clone)]
pub(crate) struct Layout {
    /// Bytes of all.
    pub(crate) size: u32,
    /// Where the fields of a clock begin.
    pub(crate) clock: usize,
}

impl Layout {
    pub(crate) const PREVIEW1: Self = Self {
        size: 48,
        clock: 16,
    };
}

/// What one subscription waits for.
enum Wait {
    /// For nothing: it has failed.
    Failed(Errno),
    /// For this time of the monotonic clock.
    Until(u64),
    /// For nothing: the descriptor is one that is always ready.
    Ready,
    /// For the source at this place in the list.
    Source(usize),
    /// For this time of the monotonic clock, at which the descriptor is looked at again; also if a source
    /// in the list that nothing refers to is ready before.
    LookAt(u64),
}

struct Subscription {
    userdata: u64,
    tag: u8,
    fd: u32,
    wait: Wait,
}

/// What has happened to a subscription.
#[derive(Default)]
struct Event {
    error: Option<Errno>,
    nbytes: u64,
    flags: Eventrwflags,
}

pub(crate) fn poll_oneoff(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    subscriptions: u32,
    events: u32,
    count: u32,
    nevents: u32,
) -> Result<(), Stop> {
    poll(
        ctx,
        mem,
        Layout::PREVIEW1,
        (subscriptions, events, count, nevents),
    )
}

pub(crate) fn poll(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    layout: Layout,
    (subscriptions, events, count, nevents): (u32, u32, u32, u32),
) -> Result<(), Stop> {
    guest::check(mem, nevents, 4)?;
    if !ctx.parked.waited {
        // Times count from this call, and not from one before it that did not have to wait.
        ctx.parked.started = None;
    }
    if count == 0 {
        return Err(Errno::Inval.into());
    }
    if count > ctx.limits.subscriptions {
        return Err(Stop::denied(Errno::Inval, Denial::Subscriptions));
    }
    // The limit is below 2^17, so neither product overflows.
    guest::check(mem, events, count * EVENT)?;
    let records = guest::bytes(mem, subscriptions, count * layout.size)?;
    // All are read before any event is written: the two lists may overlap.
    let mut sources = Vec::new();
    let subscriptions: Vec<_> = records
        .chunks_exact(layout.size as usize)
        .map(|record| subscribe(ctx, layout, record, &mut sources))
        .collect::<Result<_, _>>()?;

    // What the wait before this has found. The same subscriptions have the same sources, unless a
    // descriptor's readiness has changed.
    let known = ctx.parked.waited && same(&sources, &ctx.parked.sources);
    if known {
        sources.copy_from_slice(&ctx.parked.sources);
    }
    let mut deadline = None;
    let mut due = sources.iter().any(|source: &Source| source.ready);
    let mut now = None;
    for subscription in &subscriptions {
        match subscription.wait {
            Wait::Failed(_) | Wait::Ready => due = true,
            Wait::Until(time) | Wait::LookAt(time) => {
                let now = match now {
                    Some(now) => now,
                    None => *now.insert(ctx.platform.now(Clock::Monotonic)?),
                };
                due |= time <= now;
                deadline = Some(deadline.map_or(time, |other: u64| other.min(time)));
            }
            Wait::Source(_) => {}
        }
    }
    if !due {
        ctx.parked.sources = sources;
        ctx.parked.deadline = deadline;
        return Err(Stop::Wait);
    }
    if !known && !sources.is_empty() {
        ctx.platform.wait(&mut sources, Some(0))?;
    }

    let now = now.unwrap_or(0);
    let mut written = 0;
    for subscription in &subscriptions {
        let Some(event) = occurred(ctx, subscription, &sources, now) else {
            continue;
        };
        let mut bytes = [0; EVENT as usize];
        bytes[0..8].copy_from_slice(&subscription.userdata.to_le_bytes());
        let error = event.error.map_or(0, |error| error as u16);
        bytes[8..10].copy_from_slice(&error.to_le_bytes());
        bytes[10] = subscription.tag;
        bytes[16..24].copy_from_slice(&event.nbytes.to_le_bytes());
        bytes[24..26].copy_from_slice(&event.flags.bits().to_le_bytes());
        guest::write(mem, events + written * EVENT, &bytes)?;
        written += 1;
    }
    if written == 0 {
        // A descriptor's time had come, but it is not ready after all.
        ctx.parked.sources = sources;
        ctx.parked.deadline = deadline;
        return Err(Stop::Wait);
    }
    Ok(guest::write_u32(mem, nevents, written)?)
}

/// Are these the same things to wait for?
fn same(one: &[Source], other: &[Source]) -> bool {
    let what = |source: &Source| (source.handle, source.interest);
    one.iter().map(what).eq(other.iter().map(what))
}

/// Reads a subscription. An unknown kind fails the call, everything else only the subscription.
fn subscribe(
    ctx: &mut WasiCtx,
    layout: Layout,
    record: &[u8],
    sources: &mut Vec<Source>,
) -> Result<Subscription, Errno> {
    let (userdata, tag) = (field_u64(record, 0), record[8]);
    let fd = field_u32(record, 16);
    let wait = match tag {
        CLOCK => deadline(ctx, &record[layout.clock..]).map(Wait::Until),
        FD_READ => readiness(ctx, fd, Interest::Read, sources),
        FD_WRITE => readiness(ctx, fd, Interest::Write, sources),
        _ => return Err(Errno::Inval),
    };
    let wait = wait.unwrap_or_else(|stop| {
        Wait::Failed(match stop {
            Stop::Errno(error) => error,
            Stop::Denied(errno, denial, _) => {
                ctx.audit.add(&Refusal {
                    function: "poll_oneoff",
                    path: None,
                    denial,
                    errno,
                });
                errno
            }
            _ => Errno::Inval,
        })
    });
    Ok(Subscription {
        userdata,
        tag,
        fd,
        wait,
    })
}

/// The time of the monotonic clock for which a clock subscription waits.
fn deadline(ctx: &mut WasiCtx, clock: &[u8]) -> Result<u64, Stop> {
    let id = ctx.clock(field_u32(clock, 0))?;
    let timeout = field_u64(clock, 8);
    let flags = Subclockflags::from_arg(u32::from(field_u16(clock, 24)))?;
    if matches!(id, Clock::ProcessCputime | Clock::ThreadCputime) {
        // Nobody can wait for processor time while not using any.
        return Err(Errno::Notsup.into());
    }
    if flags.contains(Subclockflags::ABSTIME) {
        let remaining = timeout.saturating_sub(ctx.platform.now(id)?);
        return Ok(ctx
            .platform
            .now(Clock::Monotonic)?
            .saturating_add(remaining));
    }
    // The call may be made again after a wait, but the time counts from the first.
    let started = match ctx.parked.started {
        Some(started) => started,
        None => *ctx
            .parked
            .started
            .insert(ctx.platform.now(Clock::Monotonic)?),
    };
    Ok(started.saturating_add(timeout))
}

/// How to wait for a descriptor.
fn readiness(
    ctx: &WasiCtx,
    fd: u32,
    interest: Interest,
    sources: &mut Vec<Source>,
) -> Result<Wait, Stop> {
    let descriptor = ctx.fds.get(fd)?;
    let access = match interest {
        Interest::Read => Rights::FD_READ,
        Interest::Write => Rights::FD_WRITE,
    };
    let Object::File(file) = &descriptor.object else {
        return Err(Errno::Badf.into());
    };
    descriptor.require(access | Rights::POLL_FD_READWRITE)?;
    let handle = match file.readiness(interest) {
        Readiness::Ready => return Ok(Wait::Ready),
        Readiness::Ask(handle) => handle,
        Readiness::NotBefore(time, handle) => {
            if ctx.platform.now(Clock::Monotonic)? < time {
                sources.extend(handle.map(|handle| Source::new(handle, interest)));
                return Ok(Wait::LookAt(time));
            }
            match handle {
                Some(handle) => handle,
                None => return Ok(Wait::Ready),
            }
        }
    };
    sources.push(Source::new(handle, interest));
    Ok(Wait::Source(sources.len() - 1))
}

/// What has happened to a subscription, if anything.
fn occurred(
    ctx: &WasiCtx,
    subscription: &Subscription,
    sources: &[Source],
    now: u64,
) -> Option<Event> {
    let mut event = Event::default();
    match subscription.wait {
        Wait::Failed(error) => event.error = Some(error),
        Wait::LookAt(_) => return None,
        Wait::Until(time) => {
            if time > now {
                return None;
            }
        }
        Wait::Ready => event.nbytes = available(ctx, subscription),
        Wait::Source(place) => {
            let source = sources[place];
            if !source.ready {
                return None;
            }
            if source.invalid {
                event.error = Some(Errno::Badf);
            }
            if source.hangup {
                event.flags = Eventrwflags::HANGUP;
            }
            event.nbytes = available(ctx, subscription);
        }
    }
    Some(event)
}

/// How many bytes can be read at once, as far as is known.
fn available(ctx: &WasiCtx, subscription: &Subscription) -> u64 {
    match ctx.fds.file(subscription.fd) {
        Ok(file) if subscription.tag == FD_READ => file.available(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
