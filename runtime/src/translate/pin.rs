//! Pinned locals: one of each kind of register is kept for a local for as long as a function runs.
//!
//! The register is written through: the local's slot always has the value too. So instructions without a form for
//! the register find it in the slot, and nothing has to be saved at calls. The registers belong to the function
//! that runs; one that pins locals saves its caller's and gives them back when it leaves.
//!
//! Beside that, the first values of locals: most are written before they are read, and need none.

use bumpalo::collections::Vec;
use wasmparser::FunctionBody;

use super::{
    Step, Translator,
    scan::{self, Usage},
    stack::Bank,
};
use crate::ir::{Family, Inst};

/// How many instructions in loops must name a local for a register to pay.
const WORTHWHILE: u32 = 3;

impl Translator<'_, '_> {
    /// Looks at what the body does with its blocks and locals: chooses those that are named most often in loops, one a bank,
    /// makes room for the caller's, and notes which locals `Enter` has to set to zero.
    pub(super) fn survey_locals(&mut self, body: &FunctionBody<'_>) -> Step {
        let params = self.ty.params().len();
        self.zeroed = 0..self.local_slots;
        if !self.fusion {
            return Ok(());
        }
        let operators = body.get_binary_reader_for_operators()?;
        let locals = operators.original_position() - body.range().start;
        let code = &body.as_bytes()[locals as usize..];
        let mut usage = Vec::new_in(self.controls.bump());
        usage.resize(self.locals.len(), Usage::default());
        if scan::survey(code, &mut usage, &mut self.ends).is_none() {
            self.ends.clear();
            return Ok(());
        }
        let mut zeroed = self.local_slots..0;
        let mut best = [WORTHWHILE - 1; 3];
        for (i, (local, usage)) in self.locals.iter().zip(&usage).enumerate() {
            if usage.read_first && i >= params {
                let slot = local.offset as u32 / 8;
                zeroed.start = zeroed.start.min(slot);
                zeroed.end = zeroed.end.max(slot + local.ty.slots());
            }
            let bank = Bank::of(local.ty) as usize;
            if usage.in_loops > best[bank]
                && local.ty.slots() == 1
                && Self::near(local.offset).is_some()
            {
                best[bank] = usage.in_loops;
                self.pins[bank] = Some(local.offset);
            }
        }
        self.zeroed = zeroed;
        let saved = Self::near((8 * self.local_slots) as i32);
        if self.pins != [None; 3] && !self.window && self.encoder.has_pins() && saved.is_some() {
            self.saved_pins = saved;
            self.local_slots += 3;
        } else {
            self.pins = [None; 3];
        }
        Ok(())
    }

    /// Sets the locals to zero for which it makes a difference.
    pub(super) fn append_enter(&mut self) {
        if self.zeroed.is_empty() {
            return;
        }
        let mut inst = Inst::new(Family::Enter.fixed());
        let near = Self::near((8 * self.zeroed.start) as i32);
        // From the first slot, where a slot field cannot say where to start.
        inst.slots[0] = near.unwrap_or(0);
        let start = if near.is_some() { self.zeroed.start } else { 0 };
        inst.imm32[0] = self.zeroed.end - start;
        self.append(inst);
    }

    /// Takes over the registers, when the locals have their first values.
    pub(super) fn append_pin(&mut self) {
        let Some(saved) = self.saved_pins else { return };
        let mut inst = Inst::new(Family::Pin.fixed());
        // What is not pinned gets some value.
        let slot = |pin: Option<i32>| pin.and_then(Self::near).unwrap_or(saved);
        let [int, f32, f64] = self.pins;
        inst.slots[..4].copy_from_slice(&[saved, slot(int), slot(f32), slot(f64)]);
        if let Some(enter) = self
            .last
            .filter(|last| last.inst.op == Family::Enter.fixed())
        {
            self.take_last();
            inst.op = Family::EnterPin.fixed();
            inst.slots[4] = enter.inst.slots[0];
            inst.imm32[0] = enter.inst.imm32[0];
        }
        self.append(inst);
    }
}
