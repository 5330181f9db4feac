//! Waiting: the one place where a guest's call blocks.
//!
//! A handler never waits itself. It notes in the context what it would wait for and stops
//! ([`Stop::Wait`]); it is called again when that has happened. So every wait can be interrupted, counts
//! towards the limit, and is the platform's own way to wait.

use alloc::vec::Vec;

use teff_runtime::{AsContext, Caller};

use crate::{
    WasiCtx,
    audit::{Denial, Stop},
    platform::{Blocking, Clock, File, Interest, Readiness, Source},
    types::Errno,
};

/// How long a wait lasts at most that nothing can end early but should, in nanoseconds.
const SLICE: u64 = 10_000_000;

/// What a call waits for, and since when.
#[derive(Default)]
pub(crate) struct Parked {
    /// What to wait for; after the wait, with what has happened.
    pub(crate) sources: Vec<Source>,
    /// When to end the wait, by the monotonic clock.
    pub(crate) deadline: Option<u64>,
    /// When the call was made, by the monotonic clock, if that matters.
    pub(crate) started: Option<u64>,
    /// Was there a wait in this call?
    pub(crate) waited: bool,
    /// How many bytes the call has moved before it had to wait.
    pub(crate) moved: usize,
}

impl Parked {
    /// The call waits until the file is ready.
    pub(crate) fn on(&mut self, file: &dyn File, interest: Interest) -> Stop {
        self.sources.clear();
        self.deadline = None;
        match file.readiness(interest) {
            // It was not, a moment ago: look again.
            Readiness::Ready => self.deadline = Some(0),
            Readiness::Ask(handle) => self.sources.push(Source::new(handle, interest)),
            Readiness::NotBefore(time, handle) => {
                self.deadline = Some(time);
                self.sources
                    .extend(handle.map(|handle| Source::new(handle, interest)));
            }
        }
        Stop::Wait
    }

    /// The call has ended.
    pub(crate) fn reset(&mut self) {
        self.sources.clear();
        self.deadline = None;
        self.started = None;
        self.waited = false;
        self.moved = 0;
    }
}

impl WasiCtx {
    /// How a call on a descriptor may block: its own choice, unless waits are to be counted or interrupted,
    /// or the platform has more to do in them than to wait.
    pub(crate) fn set_blocking(&mut self, interruptible: bool) {
        let counted = self.budget.blocking.is_some();
        self.blocking = if interruptible || counted || self.only_platform_waits {
            Blocking::Forbidden
        } else {
            Blocking::Allowed
        };
    }

    /// Waits for what the call waits for, but not longer than `slice`. Is it over?
    pub(crate) fn wait_once(&mut self, slice: Option<u64>) -> Result<bool, Stop> {
        self.parked.waited = true;
        let now = || self.platform.now(Clock::Monotonic);
        let started = match (self.parked.deadline, self.budget.blocking) {
            (None, None) => 0,
            _ => now()?,
        };
        let until = self
            .parked
            .deadline
            .map(|time| time.saturating_sub(started));
        let timeout = [until, self.budget.blocking, slice]
            .into_iter()
            .flatten()
            .min();
        self.platform.wait(&mut self.parked.sources, timeout)?;
        if self.budget.blocking.is_some() {
            let passed = now()?.saturating_sub(started);
            self.budget.waited(passed);
        }
        let ready = self.parked.sources.iter().any(|source| source.ready);
        let now = match self.parked.deadline {
            Some(_) => self.platform.now(Clock::Monotonic)?,
            None => 0,
        };
        let over = ready || self.parked.deadline.is_some_and(|time| time <= now);
        if !over && self.budget.blocking == Some(0) {
            return Err(Stop::denied(Errno::Timedout, Denial::BlockingTime));
        }
        Ok(over)
    }
}

/// Waits for what the call waits for, until that or the engine's interruption ends it.
pub(crate) fn wait<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
) -> Result<(), Stop> {
    let engine = caller.as_context().engine().clone();
    let interruptible = engine.config().is_epoch_interruption();
    let waker = match interruptible {
        true => get(caller.data_mut()).platform.waker(),
        false => None,
    };
    // A counter that is not the engine's wakes nobody.
    let wakes = waker.is_some() && !engine.config().has_epoch_source();
    let slice = (interruptible && !wakes).then_some(SLICE);
    let _registered = waker.map(|waker| engine.wake_on_epoch(waker));
    loop {
        if caller.as_context().epoch_deadline_reached() {
            return Err(Stop::Interrupted);
        }
        if get(caller.data_mut()).wait_once(slice)? {
            return Ok(());
        }
    }
}
