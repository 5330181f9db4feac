//! Pinned locals: one of each kind of register is kept for a local for as long as a function runs.
//!
//! The register is written through: the local's slot always has the value too. So instructions without a form for
//! the register find it in the slot, and nothing has to be saved at calls. The registers belong to the function
//! that runs; one that pins locals saves its caller's and gives them back when it leaves.

use wasmparser::FunctionBody;

use super::{
    Step, Translator,
    scan::{self, Counts},
    stack::Bank,
};
use crate::ir::{Family, Inst};

/// How many instructions in loops must name a local for a register to pay.
const WORTHWHILE: u32 = 3;

impl Translator<'_, '_> {
    /// Chooses the locals that are named most often in loops, one a bank, and makes room for the caller's.
    pub(super) fn choose_pins(&mut self, body: &FunctionBody<'_>) -> Step {
        if !self.fusion || self.window || !self.encoder.has_pins() {
            return Ok(());
        }
        let operators = body.get_binary_reader_for_operators()?;
        let locals = operators.original_position() - body.range().start;
        let code = &body.as_bytes()[locals as usize..];
        let mut counts = Counts::new_in(self.controls.bump());
        counts.resize(self.locals.len(), 0);
        if scan::count_locals(code, &mut counts).is_none() {
            return Ok(());
        }
        let mut best = [WORTHWHILE - 1; 3];
        for (local, count) in self.locals.iter().zip(&counts) {
            let bank = Bank::of(local.ty) as usize;
            if *count > best[bank] && local.ty.slots() == 1 && Self::near(local.offset).is_some() {
                best[bank] = *count;
                self.pins[bank] = Some(local.offset);
            }
        }
        if self.pins != [None; 3]
            && let Some(saved) = Self::near((8 * self.zeroed) as i32)
        {
            self.saved_pins = Some(saved);
            self.zeroed += 3;
            self.frame += 3 * 8;
        } else {
            self.pins = [None; 3];
        }
        Ok(())
    }

    /// Takes over the registers, when the locals have their first values.
    pub(super) fn append_pin(&mut self) {
        let Some(saved) = self.saved_pins else { return };
        let mut inst = Inst::new(Family::Pin.fixed());
        // What is not pinned gets some value.
        let slot = |pin: Option<i32>| pin.and_then(Self::near).unwrap_or(saved);
        let [int, f32, f64] = self.pins;
        inst.slots = [saved, slot(int), slot(f32), slot(f64)];
        self.append(inst);
    }
}
