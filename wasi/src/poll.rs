//! `poll_oneoff`: waiting for times and for descriptors to become ready.

use std::os::fd::{AsFd, AsRawFd};

use crate::{
    WasiCtx,
    clock::Clock,
    fd::{Descriptor, Object},
    guest::{self, field_u16, field_u32, field_u64},
    sys,
    types::{Errno, Eventrwflags, Filetype, Rights, Subclockflags},
};

/// Bytes of a `subscription` and of an `event`.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// The most subscriptions of one call; a host process has fewer descriptors than this.
const MAX_SUBSCRIPTIONS: u32 = 1 << 16;

/// The tags of `eventtype`.
const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// What one subscription waits for.
enum Wait {
    /// For nothing: it has failed.
    Failed(Errno),
    /// For this time of the monotonic clock.
    Until(u64),
    /// For nothing: the descriptor is one that is always ready.
    Ready,
    /// For the host's descriptor at this place in the list for the host.
    Host(usize),
}

struct Subscription {
    userdata: u64,
    tag: u8,
    fd: u32,
    wait: Wait,
}

/// What has happened to a subscription.
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
) -> Result<(), Errno> {
    guest::check(mem, nevents, 4)?;
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval);
    }
    guest::check(mem, events, count * EVENT)?;
    let records = guest::bytes(mem, subscriptions, count * SUBSCRIPTION)?;
    // All are read before any event is written: the two lists may overlap.
    let mut fds = Vec::new();
    let subscriptions: Vec<_> = records
        .chunks_exact(SUBSCRIPTION as usize)
        .map(|record| subscribe(ctx, record, &mut fds))
        .collect::<Result<_, _>>()?;

    wait(&subscriptions, &mut fds)?;

    let now = Clock::Monotonic.now()?;
    let mut written = 0;
    for subscription in &subscriptions {
        let Some(event) = occurred(ctx, subscription, &fds, now) else {
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
    guest::write_u32(mem, nevents, written)
}

/// Reads a subscription. An unknown kind fails the call, everything else only the subscription.
fn subscribe(
    ctx: &WasiCtx,
    record: &[u8],
    fds: &mut Vec<libc::pollfd>,
) -> Result<Subscription, Errno> {
    let (userdata, tag) = (field_u64(record, 0), record[8]);
    let fd = field_u32(record, 16);
    let wait = match tag {
        CLOCK => deadline(record).map(Wait::Until),
        FD_READ => readiness(ctx, fd, Rights::FD_READ, libc::POLLIN, fds),
        FD_WRITE => readiness(ctx, fd, Rights::FD_WRITE, libc::POLLOUT, fds),
        _ => return Err(Errno::Inval),
    };
    Ok(Subscription {
        userdata,
        tag,
        fd,
        wait: wait.unwrap_or_else(Wait::Failed),
    })
}

/// The time of the monotonic clock for which a clock subscription waits.
fn deadline(record: &[u8]) -> Result<u64, Errno> {
    let clock = Clock::from_arg(field_u32(record, 16))?;
    let timeout = field_u64(record, 24);
    let flags = Subclockflags::from_arg(u32::from(field_u16(record, 40)))?;
    if !matches!(clock, Clock::Realtime | Clock::Monotonic) {
        // Nobody can wait for processor time while not using any.
        return Err(Errno::Notsup);
    }
    let remaining = if flags.contains(Subclockflags::ABSTIME) {
        timeout.saturating_sub(clock.now()?)
    } else {
        timeout
    };
    Ok(Clock::Monotonic.now()?.saturating_add(remaining))
}

/// How to wait for a descriptor.
fn readiness(
    ctx: &WasiCtx,
    fd: u32,
    access: Rights,
    events: i16,
    fds: &mut Vec<libc::pollfd>,
) -> Result<Wait, Errno> {
    let descriptor = ctx.fds.get(fd)?;
    match &descriptor.object {
        Object::Dir(_) => Err(Errno::Badf),
        Object::Null => descriptor.require(access).map(|()| Wait::Ready),
        Object::File(file) => {
            descriptor.require(access | Rights::POLL_FD_READWRITE)?;
            if descriptor.filetype == Filetype::RegularFile {
                // Not all hosts' `poll` knows that.
                return Ok(Wait::Ready);
            }
            fds.push(libc::pollfd {
                fd: file.fd.as_raw_fd(),
                events,
                revents: 0,
            });
            Ok(Wait::Host(fds.len() - 1))
        }
    }
}

/// Waits until something has happened to one of them.
fn wait(subscriptions: &[Subscription], fds: &mut [libc::pollfd]) -> Result<(), Errno> {
    let mut deadline = None;
    let mut at_once = false;
    for subscription in subscriptions {
        match subscription.wait {
            Wait::Failed(_) | Wait::Ready => at_once = true,
            Wait::Until(time) => {
                deadline = Some(deadline.map_or(time, |other: u64| other.min(time)))
            }
            Wait::Host(_) => {}
        }
    }
    loop {
        let timeout = match deadline {
            _ if at_once => Some(0),
            Some(deadline) => Some(deadline.saturating_sub(Clock::Monotonic.now()?)),
            None => None,
        };
        match sys::poll(fds, timeout) {
            Ok(0) if timeout == Some(0) => return Ok(()),
            // The host's longest wait may be shorter than this one.
            Ok(0) | Err(Errno::Intr) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// What has happened to a subscription, if anything.
fn occurred(
    ctx: &WasiCtx,
    subscription: &Subscription,
    fds: &[libc::pollfd],
    now: u64,
) -> Option<Event> {
    let mut event = Event {
        error: None,
        nbytes: 0,
        flags: Eventrwflags::empty(),
    };
    match subscription.wait {
        Wait::Failed(error) => event.error = Some(error),
        Wait::Until(time) => {
            if time > now {
                return None;
            }
        }
        Wait::Ready => event.nbytes = waiting(ctx, subscription),
        Wait::Host(place) => {
            let happened = fds[place].revents;
            if happened == 0 {
                return None;
            }
            if happened & libc::POLLNVAL != 0 {
                event.error = Some(Errno::Badf);
            }
            if happened & (libc::POLLHUP | libc::POLLERR) != 0 {
                event.flags = Eventrwflags::HANGUP;
            }
            event.nbytes = waiting(ctx, subscription);
        }
    }
    Some(event)
}

/// How many bytes can be read at once, as far as the host knows.
fn waiting(ctx: &WasiCtx, subscription: &Subscription) -> u64 {
    if subscription.tag != FD_READ {
        return 0;
    }
    let Ok(Descriptor {
        object: Object::File(file),
        filetype,
        ..
    }) = ctx.fds.get(subscription.fd)
    else {
        return 0;
    };
    let fd = file.fd.as_fd();
    if *filetype != Filetype::RegularFile {
        return sys::readable_bytes(fd);
    }
    let size = sys::fstat(fd).map_or(0, |stat| stat.size);
    let offset = sys::lseek(fd, 0, libc::SEEK_CUR).unwrap_or(0);
    size.saturating_sub(offset)
}

#[cfg(test)]
mod tests;
