//! The machine: the registers that handlers pass from one to the next.
//!
//! On 64-bit targets all of them travel in machine registers. On 32-bit targets only `ip`, `sp`, the
//! 32-bit accumulator and `ctx` do; the other accumulators and the memory's base stay in [`Ctx`], and there
//! are no pinned locals.

use core::marker::PhantomData;

use super::{
    backend::{Backend, Class},
    ctx::{Ctx, Saved},
    kinds::Instr,
};
use crate::{Trap, module::FuncEntry};

/// The registers, for one backend and one cell class.
pub(super) struct Machine<B: Backend, C: Class> {
    pub(super) ip: *const u8,
    pub(super) sp: *mut u8,
    #[cfg(target_pointer_width = "64")]
    pub(super) mem: *mut u8,
    pub(super) acc: usize,
    /// The pinned locals: of integer type, and of the float types.
    #[cfg(target_pointer_width = "64")]
    pub(super) pin: usize,
    pub(super) ctx: *mut Ctx,
    #[cfg(target_pointer_width = "64")]
    pub(super) fa32: f32,
    #[cfg(target_pointer_width = "64")]
    pub(super) fa64: f64,
    #[cfg(target_pointer_width = "64")]
    pub(super) pin32: f32,
    #[cfg(target_pointer_width = "64")]
    pub(super) pin64: f64,
    #[allow(dead_code, reason = "the threaded backend has none")]
    pub(super) home: B::Home,
    pub(super) class: PhantomData<C>,
}

impl<B: Backend, C: Class> Clone for Machine<B, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend, C: Class> Copy for Machine<B, C> {}

impl<B: Backend, C: Class> Machine<B, C> {
    /// The registers saved in `ctx`.
    pub(super) unsafe fn restore(ctx: *mut Ctx, home: B::Home) -> Self {
        // SAFETY: the caller passes a live context.
        let saved = unsafe { (*ctx).saved };
        #[cfg(target_pointer_width = "32")]
        // SAFETY: as above.
        unsafe {
            (*ctx).acc64 = saved.acc64;
            (*ctx).fa32 = saved.fa32;
            (*ctx).fa64 = saved.fa64;
        }
        Self {
            ip: saved.ip,
            sp: saved.sp,
            #[cfg(target_pointer_width = "64")]
            // SAFETY: as above.
            mem: unsafe { (*ctx).mem_base },
            acc: saved.acc,
            #[cfg(target_pointer_width = "64")]
            pin: saved.pin,
            ctx,
            #[cfg(target_pointer_width = "64")]
            fa32: saved.fa32,
            #[cfg(target_pointer_width = "64")]
            fa64: saved.fa64,
            #[cfg(target_pointer_width = "64")]
            pin32: saved.pin32,
            #[cfg(target_pointer_width = "64")]
            pin64: saved.pin64,
            home,
            class: PhantomData,
        }
    }

    /// The registers as a record.
    #[inline(always)]
    unsafe fn saved(&self) -> Saved {
        #[cfg(target_pointer_width = "64")]
        return Saved {
            ip: self.ip,
            sp: self.sp,
            acc: self.acc,
            acc64: 0,
            fa32: self.fa32,
            fa64: self.fa64,
            pin: self.pin,
            pin32: self.pin32,
            pin64: self.pin64,
        };
        #[cfg(target_pointer_width = "32")]
        // SAFETY: `ctx` is live for as long as handlers run.
        unsafe {
            let Ctx {
                acc64, fa32, fa64, ..
            } = *self.ctx;
            Saved {
                ip: self.ip,
                sp: self.sp,
                acc: self.acc,
                acc64,
                fa32,
                fa64,
                pin: 0,
                pin32: 0.0,
                pin64: 0.0,
            }
        }
    }

    /// Leaves the handlers with the code of an [`Exit`](super::ctx::Exit). In a cold handler only: it is a chain of stores.
    #[inline(always)]
    pub(super) unsafe fn leave(self, exit: usize) -> usize {
        // SAFETY: `ctx` is live for as long as handlers run.
        unsafe {
            (*self.ctx).saved = self.saved();
            (*self.ctx).exit = exit;
            // Read back, so that the result is not a constant: LLVM would return the constant from every
            // caller instead of tail-calling this.
            (&raw const (*self.ctx).exit).read_volatile()
        }
    }

    /// Base of memory 0.
    #[inline(always)]
    pub(super) unsafe fn mem(&self) -> *mut u8 {
        #[cfg(target_pointer_width = "64")]
        return self.mem;
        // SAFETY: `ctx` is live for as long as handlers run.
        #[cfg(target_pointer_width = "32")]
        return unsafe { (*self.ctx).mem_base };
    }

    /// Takes the base of memory 0 from `ctx` again.
    #[inline(always)]
    pub(super) unsafe fn reload_mem(&mut self) {
        // SAFETY: `ctx` is live, and so is its instance.
        unsafe { (*self.ctx).reload_memory() };
        #[cfg(target_pointer_width = "64")]
        {
            // SAFETY: as above.
            self.mem = unsafe { (*self.ctx).mem_base };
        }
    }

    /// Goes on with the instruction after `O`, the present one.
    #[inline(always)]
    pub(super) unsafe fn next<O: Instr>(mut self) -> usize {
        self.ip = self.ip.wrapping_add(const { O::FORMAT.size(C::CLASS) });
        // SAFETY: the translator puts an instruction after every one that can go on.
        unsafe { B::dispatch(self) }
    }

    /// Takes the branch of `O`, the present one; if it is metered and the budget does not allow it, nothing
    /// happens yet.
    #[inline(always)]
    pub(super) unsafe fn branch<O: Instr>(self) -> usize {
        // SAFETY: `O` has a target.
        unsafe {
            if self.charge::<O>() {
                self.jump(self.target::<O>())
            } else {
                self.refill()
            }
        }
    }

    /// Charges for the edge that `O`, the present one, is about to take. If this gives `false`,
    /// [`refill`](Self::refill) comes next; always `true` if the form is not metered.
    #[inline(always)]
    pub(super) unsafe fn charge<O: Instr>(&self) -> bool {
        if const { !O::METERED } {
            return true;
        }
        // SAFETY: the charge is the last immediate of metered forms.
        unsafe { self.spend(self.charge_of::<O>()) }
    }

    /// The same with these units.
    #[inline(always)]
    pub(super) unsafe fn spend(&self, units: i32) -> bool {
        let units = units as isize;
        // SAFETY: `ctx` is live for as long as handlers run.
        unsafe {
            let left = (*self.ctx).budget.wrapping_sub(units);
            (*self.ctx).budget = left;
            if left < 0 {
                (*self.ctx).meter.wanted = units;
            }
            left >= 0
        }
    }

    /// The charge of `O`, a metered form.
    #[inline(always)]
    pub(super) unsafe fn charge_of<O: Instr>(&self) -> i32 {
        // SAFETY: it is the last immediate.
        unsafe { self.imm32::<O>(const { O::FORMAT.imm32.saturating_sub(1) as usize }) as i32 }
    }

    /// The same for a function that is about to be entered. This also sees to it that the budget does not
    /// grow large with what is given back.
    #[inline(always)]
    pub(super) unsafe fn pay(&self, units: i32) -> bool {
        // SAFETY: `ctx` is live for as long as handlers run.
        unsafe {
            let left = (*self.ctx).budget.wrapping_sub(units as isize);
            (*self.ctx).budget = left;
            // In one comparison: too little, which is negative, or too much.
            let allowed = (left as usize) < super::meter::LIMIT;
            if !allowed {
                (*self.ctx).meter.wanted = units as isize;
            }
            allowed
        }
    }

    /// Runs the present instruction again if there is more budget, and leaves if not. It has had no effect.
    #[inline(always)]
    pub(super) unsafe fn refill(self) -> usize {
        // SAFETY: the handler needs nothing but the registers.
        unsafe { B::cold::<C, super::meter::Refill>(self) }
    }

    /// Goes on at `ip`.
    #[inline(always)]
    pub(super) unsafe fn jump(mut self, ip: *const u8) -> usize {
        self.ip = ip;
        // SAFETY: the caller's target comes from the translator or is the code of a function.
        unsafe { B::dispatch(self) }
    }

    /// Traps at the present instruction.
    #[inline(always)]
    pub(super) unsafe fn trap(mut self, trap: Trap) -> usize {
        self.acc = trap as usize;
        // SAFETY: the trap handler only saves the registers.
        unsafe { B::cold::<C, super::control::TakeTrap>(self) }
    }

    /// The address of the slot that the slot field at `offset` of the cell names.
    #[inline(always)]
    pub(super) unsafe fn slot_at(&self, offset: usize) -> *mut u64 {
        // SAFETY: the translator wrote an i16 there; the slot lies in the frame, whose size was checked
        // when the function was called.
        unsafe {
            let distance = *self.ip.wrapping_add(offset).cast::<i16>();
            self.sp.wrapping_offset(distance as isize).cast()
        }
    }

    /// Slot field `n` as a small number.
    #[inline(always)]
    pub(super) unsafe fn field<O: Instr>(&self, n: usize) -> u32 {
        // SAFETY: the field is in the operation's format.
        unsafe {
            *self
                .ip
                .wrapping_add(O::FORMAT.slot(C::CLASS, n))
                .cast::<u16>() as u32
        }
    }

    /// The address of the slot that slot field `n` names.
    #[inline(always)]
    pub(super) unsafe fn slot<O: Instr>(&self, n: usize) -> *mut u64 {
        // SAFETY: the field is in the operation's format.
        unsafe { self.slot_at(O::FORMAT.slot(C::CLASS, n)) }
    }

    /// Saves the pinned locals' registers in three slots, from slot field 0 on.
    #[inline(always)]
    pub(super) unsafe fn save_pins<O: Instr>(&self) {
        #[cfg(target_pointer_width = "64")]
        // SAFETY: the translator reserved the slots.
        unsafe {
            let slot = self.slot::<O>(0);
            *slot = self.pin as u64;
            *slot.wrapping_add(1) = u64::from(self.pin32.to_bits());
            *slot.wrapping_add(2) = self.pin64.to_bits();
        }
    }

    /// Takes them back from there.
    #[inline(always)]
    pub(super) unsafe fn restore_pins<O: Instr>(&mut self) {
        // SAFETY: as above.
        unsafe { self.restore_pins_at::<O>(0) };
    }

    /// The same with another slot field.
    #[inline(always)]
    pub(super) unsafe fn restore_pins_at<O: Instr>(&mut self, field: usize) {
        // SAFETY: as above.
        unsafe {
            let slot = self.slot::<O>(field);
            self.set_pins(*slot, *slot.wrapping_add(1), *slot.wrapping_add(2));
        }
    }

    /// Sets the pinned locals' registers to what slots hold.
    #[inline(always)]
    pub(super) fn set_pins(&mut self, pin: u64, pin32: u64, pin64: u64) {
        #[cfg(target_pointer_width = "64")]
        {
            self.pin = pin as usize;
            self.pin32 = f32::from_bits(pin32 as u32);
            self.pin64 = f64::from_bits(pin64);
        }
        #[cfg(target_pointer_width = "32")]
        let _ = (pin, pin32, pin64);
    }

    /// 32-bit immediate `n`.
    #[inline(always)]
    pub(super) unsafe fn imm32<O: Instr>(&self, n: usize) -> u32 {
        let offset = O::FORMAT.imm32(C::CLASS, n);
        // SAFETY: the translator wrote the field, aligned.
        unsafe { *self.ip.wrapping_add(offset).cast::<u32>() }
    }

    /// The 64-bit immediate. Its alignment is the class's, so in 32-bit classes it is read in halves.
    #[inline(always)]
    pub(super) unsafe fn imm64<O: Instr>(&self) -> u64 {
        let field = self.ip.wrapping_add(const { O::FORMAT.imm64(C::CLASS) });
        // SAFETY: the translator wrote the field, aligned to the class's alignment.
        unsafe {
            if const { C::CLASS.align() >= 8 } {
                *field.cast::<u64>()
            } else {
                let [low, high] = *field.cast::<[u32; 2]>();
                u64::from(low) | u64::from(high) << 32
            }
        }
    }

    /// The function's entry in the code map.
    #[inline(always)]
    pub(super) unsafe fn entry<O: Instr>(&self) -> *const FuncEntry {
        // SAFETY: the translator wrote the field.
        unsafe { C::entry(self.ip, const { O::FORMAT.func(C::CLASS) }, self.ctx) }
    }

    /// The branch target.
    #[inline(always)]
    pub(super) unsafe fn target<O: Instr>(&self) -> *const u8 {
        // SAFETY: the translator wrote the field.
        unsafe { C::target(self.ip, const { O::FORMAT.target(C::CLASS) }) }
    }
}
