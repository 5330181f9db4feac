//! Metering: the budget that running code uses up, fuel, and interruption.
//!
//! The translator gives every place in a function a *position*: the Wasm operators before it, in the order
//! of the text. Entering a function charges for all of it; an edge (a branch, a return) is charged with the
//! difference of the positions it joins: a jump back pays for what will run again, a jump forward gets back
//! what was paid for and is skipped. So at any time what has been charged is what has been executed and what
//! the active frames still have in front of them, and a call that returns has cost exactly its operators.
//!
//! Handlers charge one number, [`Ctx::budget`], which only the running thread writes. It is filled from the
//! fuel in small portions; each time, and after every call to the host, the engine's epoch is looked at. So
//! fuel and interruption cost the same, and nothing in code that is not metered.

use core::{
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    backend::{Backend, Class},
    ctx::{Ctx, Exit},
    kinds::Instr,
    machine::Machine,
};
use crate::{Trap, ir::Format};

/// What the budget is filled up to: about so many operators run between two looks at the epoch.
const PORTION: isize = 1 << 13;

/// Where a function is entered, the budget must be less than this; operators that were paid ahead and
/// skipped may take it so far. A power of two, which more machines can compare with at once.
pub(super) const LIMIT: usize = 1 << 15;

/// Whether a form is metered.
pub(super) trait Charge: 'static {
    const METERED: bool;
}

/// It is not.
pub(super) struct Free;

/// It is: the operand class of the charge.
pub(super) struct U;

impl Charge for Free {
    const METERED: bool = false;
}

impl Charge for U {
    const METERED: bool = true;
}

/// What of the context belongs to metering, besides the budget.
pub(crate) struct Meter {
    /// The charge that the budget did not suffice for, or that left too much. It has been taken already.
    pub(super) wanted: isize,
    /// Why it could not be had.
    pub(super) stop: Trap,
    /// Does fuel run out?
    limited: bool,
    /// Units that are not in the budget.
    fuel: u64,
    /// The engine's epoch, or null if it is not looked at.
    epoch: *const AtomicUsize,
    /// The epoch from which on nothing runs.
    deadline: usize,
}

impl Meter {
    /// A meter; `epoch` is valid as long as the meter is used, or null.
    pub(crate) fn new(limited: bool, epoch: *const AtomicUsize) -> Self {
        let mut meter = Self {
            wanted: 0,
            stop: Trap::OutOfFuel,
            limited,
            fuel: 0,
            epoch,
            deadline: 0,
        };
        meter.deadline = meter.now();
        meter
    }

    /// The engine's epoch. Nothing but its value counts, so no ordering is needed.
    fn now(&self) -> usize {
        // SAFETY: `new`'s caller vouches for the address.
        unsafe { self.epoch.as_ref() }.map_or(0, |epoch| epoch.load(Ordering::Relaxed))
    }

    /// Has the deadline come? Epochs may wrap around, so differences count.
    #[inline]
    fn is_due(&self) -> bool {
        !self.epoch.is_null() && self.now().wrapping_sub(self.deadline) as isize >= 0
    }
}

impl Ctx {
    /// Fuel that is left, in the budget and out of it.
    pub(crate) fn fuel(&self) -> u64 {
        self.meter.fuel.saturating_add_signed(self.budget as i64)
    }

    /// Gives so much fuel and no more.
    pub(crate) fn set_fuel(&mut self, fuel: u64) {
        self.budget = 0;
        self.meter.fuel = fuel;
    }

    /// Sets the deadline to so many epochs from now.
    pub(crate) fn set_deadline(&mut self, epochs: u64) {
        let epochs = usize::try_from(epochs).unwrap_or(usize::MAX);
        self.meter.deadline = self
            .meter
            .now()
            .wrapping_add(epochs.min(isize::MAX as usize));
    }

    /// Has the deadline come?
    pub(crate) fn deadline_has_come(&self) -> bool {
        self.meter.is_due()
    }

    /// Units that the code that ran out of fuel needs to go on.
    pub(super) fn required(&self) -> u64 {
        self.meter.wanted.unsigned_abs() as u64
    }

    /// Takes the budget back, so that the next charge has to ask for more.
    pub(super) fn empty_budget(&mut self) {
        self.meter.fuel = self.fuel();
        self.budget = 0;
    }

    /// To be called when code goes on that was left for the host: that may have taken long.
    pub(super) fn look_at_epoch(&mut self) {
        if self.meter.is_due() {
            self.empty_budget();
        }
    }

    /// Undoes the last charge and fills the budget, so that the same charge leaves a portion. If that may
    /// not be, [`Meter::stop`] says why.
    pub(super) fn fill_budget(&mut self) -> bool {
        self.budget = self.budget.wrapping_add(self.meter.wanted);
        if self.meter.is_due() {
            self.meter.stop = Trap::Interrupt;
            return false;
        }
        let wanted = self.meter.wanted;
        let mut portion = PORTION;
        if self.meter.limited {
            let (fuel, units) = (self.fuel(), wanted.unsigned_abs() as u64);
            let left = if wanted < 0 {
                fuel.saturating_add(units)
            } else if fuel >= units {
                fuel - units
            } else {
                self.meter.stop = Trap::OutOfFuel;
                return false;
            };
            portion = left.min(PORTION as u64) as isize;
            self.meter.fuel = left - portion as u64;
        }
        self.budget = wanted + portion;
        true
    }
}

impl Ctx {
    /// Charges for a chunk of a bulk instruction, after a look at the epoch. If that may not be,
    /// [`Meter::stop`] says why.
    pub(super) fn pay_for_chunk(&mut self, units: u32) -> bool {
        let units = units as isize;
        self.budget -= units;
        if self.budget >= 0 && !self.meter.is_due() {
            return true;
        }
        self.meter.wanted = units;
        let filled = self.fill_budget();
        if filled {
            self.budget -= units;
        }
        filled
    }
}

/// Tries to fill the budget. Out of line: the handler calls it, since it is rare.
#[inline(never)]
unsafe fn fill(ctx: *mut Ctx) -> bool {
    // SAFETY: handlers have a live context, which nobody else uses meanwhile.
    unsafe { (*ctx).fill_budget() }
}

/// What an instruction goes on with that could not charge: itself again, or an exit. Not in the table.
pub(super) struct Refill;

impl Instr for Refill {
    const FORMAT: Format = Format::EMPTY;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see `Instr`.
        unsafe {
            if fill(m.ctx) {
                B::dispatch(m)
            } else {
                m.leave(Exit::Stop as usize)
            }
        }
    }
}

/// No metering.
impl Default for Meter {
    fn default() -> Self {
        Self::new(false, ptr::null())
    }
}
