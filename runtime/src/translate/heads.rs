//! What loops begin with: a branch back to a loop can do the work of the loop's first instruction, and go on behind
//! it.
//!
//! A loop that begins with a test has the test at its end as well then, as if it had been turned around. A loop that
//! begins with a `br_table` on a local, as Go's functions do, is left for the place that a constant in the local
//! stands for.

use super::{
    Translator,
    control::Kind,
    emit::Fields,
    stack::{Bank, NONE},
};
use crate::ir::{Family, Inst, Label, Operand as Class};

/// The first instruction of a loop.
pub(super) struct Head {
    does: Does,
    /// What the meter says of the operators that it stands for.
    cost: u32,
}

/// What the first instruction of a loop does.
#[derive(Copy, Clone)]
enum Does {
    /// A test that leads to its target; the label is behind it.
    Test(Inst, Label),
    /// A `br_table` on the local whose slot is there; its labels are these of `Translator::tables`, the default last.
    Table { slot: i16, first: usize, len: usize },
}

impl Translator<'_, '_> {
    /// Notes that a loop begins here: its label has just been bound.
    pub(super) fn begin_loop(&mut self) {
        if self.fusion && !self.window {
            self.loop_start = self.encoder.position();
            self.loop_position = self.meter_position();
        }
    }

    /// Is this the first instruction of the innermost loop? Then `note_head` is to be called.
    fn at_loop_start(&self) -> bool {
        self.loop_start == self.encoder.position() && self.last.is_none()
    }

    fn note_head(&mut self, does: Does) {
        let at = self.heads.len() as u32;
        let cost = self.meter_position() - self.loop_position;
        self.heads.push(Head { does, cost });
        // The loop is the innermost one that is open.
        let control = self.controls.iter_mut().rev();
        if let Some(control) = control
            .into_iter()
            .find(|control| control.kind == Kind::Loop)
        {
            control.head = at;
        }
        self.loop_start = NONE;
    }

    /// Appends a branch on a condition, and notes it if it is a loop's first instruction.
    pub(super) fn append_test(&mut self, inst: Inst) {
        // A row with an immediate of its own does more than test.
        let first = self.at_loop_start() && inst.op.family().fields().imm32 == 0;
        self.append(inst);
        if first {
            let behind = self.encoder.label();
            self.bind(behind);
            self.note_head(Does::Test(inst, behind));
        }
    }

    /// Where the labels of a `br_table` begin in `tables`, if it is a loop's first instruction.
    pub(super) fn begin_table(&self) -> Option<usize> {
        self.at_loop_start().then_some(self.tables.len())
    }

    /// Notes a `br_table` on the local in `slot`.
    pub(super) fn end_table(&mut self, slot: i16, first: usize) {
        let len = self.tables.len() - first;
        self.note_head(Does::Table { slot, first, len });
    }

    /// Branches back to a loop that begins with what `heads` has at `head`. `false` if nothing is gained.
    pub(super) fn br_to_head(&mut self, head: u32) -> bool {
        match self.heads.get(head as usize) {
            None => false,
            Some(head) => {
                let (does, cost) = (head.does, head.cost);
                self.with_edges_further_on(cost, |this| this.br_as_head(does))
            }
        }
    }

    fn br_as_head(&mut self, does: Does) -> bool {
        match does {
            Does::Table { slot, first, len } => {
                let Some(last) = self.last.map(|last| last.inst) else {
                    return false;
                };
                let sets = match (last.op.family(), last.op.form()) {
                    (Family::Const32, _) => true,
                    (Family::MoveI32, form) => form == [Class::I, Class::D],
                    _ => false,
                };
                if !sets || last.slots[0] != slot {
                    return false;
                }
                let entry = (last.imm32[0] as usize).min(len - 1);
                let Some(label) = self.tables[first + entry] else {
                    return false;
                };
                self.append_br(label);
                true
            }
            Does::Test(inst, behind) => {
                let exit = inst.target;
                let family = match inst.op.family() {
                    Family::BrIfNez => Family::BrIfEqz,
                    Family::BrIfEqz => Family::BrIfNez,
                    family => family.negation(),
                };
                let fields = self.operands_now(&inst);
                let again = self
                    .count(family, &fields)
                    .or_else(|| fields.try_inst(family));
                let Some(mut again) = again else { return false };
                again.target = behind;
                self.append(again);
                self.append_br(exit);
                true
            }
        }
    }

    /// The operands of a test, with the accumulator in place of a slot that it has a copy of.
    fn operands_now(&self, test: &Inst) -> Fields {
        let bank = Bank::of(test.op.family().compared_type());
        let held = match self.acc[bank as usize] {
            super::stack::AccState::Slot(offset) => Self::near(offset),
            _ => None,
        };
        let mut fields = Fields::new(&[]);
        let mut slots = test.slots.into_iter();
        for (i, class) in test.op.form().iter().enumerate() {
            match class {
                Class::S => {
                    let slot = slots.next().unwrap_or(0);
                    match held == Some(slot) && i == 0 {
                        true => fields.acc(),
                        false => fields.operand(Class::S, [slot, 0, 0]),
                    }
                }
                Class::L => {
                    let pinned = self.pins[bank as usize].and_then(Self::near).unwrap_or(0);
                    fields.operand(Class::L, [pinned, 0, 0]);
                }
                Class::I => fields.imm32(test.imm32[0]),
                Class::W => fields.imm64(test.imm64),
                _ => fields.acc(),
            }
        }
        fields
    }
}
