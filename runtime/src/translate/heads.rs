//! What loops begin with: a branch back to a loop can do the work of the loop's first instruction, and go on behind
//! it.
//!
//! A loop that begins with a test has the test at its end as well then, as if it had been turned around. A loop that
//! begins with a `br_table` on a local, as Go's functions do, is left for the place that a constant in the local
//! stands for. A loop that begins with a few instructions and a `br_table`, as interpreters and state machines do, has
//! them wherever a branch leads back to it.
//!
//! And tests before branches: a branch that is skipped by a test is made by the test itself.

use bumpalo::{Bump, collections::Vec};

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
    /// The instructions of `Translator::beginning` that are kept there, then a `br_table`.
    Run(Run),
}

/// A loop's instructions up to a `br_table`.
#[derive(Copy, Clone)]
pub(super) struct Run {
    /// Where `Beginning::kept` has them.
    first: usize,
    len: usize,
    /// The `br_table`, as it is done elsewhere.
    table: Inst,
    /// Its targets are there.
    pub(super) targets: Label,
    /// Bytes of all of them.
    bytes: u32,
    /// The meter's position at the `br_table`.
    metered: u32,
}

/// An instruction at the beginning of a loop.
#[derive(Copy, Clone)]
struct Noted {
    inst: Inst,
    position: u32,
    /// The meter's position there.
    metered: u32,
    /// Its operator, if these are recorded.
    offset: u32,
}

/// Beginnings of loops up to so many bytes are written again.
const LONGEST: u32 = 96;

/// Bytes of a function that are written for that at most.
const MOST: u32 = 32 << 10;

/// What the innermost loop has begun with, as long as no label has been bound in it.
pub(super) struct Beginning<'a> {
    open: bool,
    steps: Vec<'a, Noted>,
    /// The beginnings of loops that turned out to lead to a `br_table`.
    kept: Vec<'a, Noted>,
    /// Bytes that may still be written.
    left: u32,
}

impl<'a> Beginning<'a> {
    pub(super) fn new(arena: &'a Bump) -> Self {
        Self {
            open: false,
            steps: Vec::new_in(arena),
            kept: Vec::new_in(arena),
            left: MOST,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// The code from `position` on has been taken away.
    pub(super) fn truncate(&mut self, position: u32) {
        if self.open {
            while self
                .steps
                .last()
                .is_some_and(|step| step.position >= position)
            {
                self.steps.pop();
            }
        }
    }

    /// The instruction at `position` is another one, and longer.
    pub(super) fn replace(&mut self, position: u32, inst: &Inst, grown: u32) {
        if self.open {
            for step in self.steps.iter_mut().rev() {
                if step.position <= position {
                    if step.position == position {
                        step.inst = *inst;
                    }
                    break;
                }
                step.position += grown;
            }
        }
    }
}

/// A conditional branch, as it was before it was written.
#[derive(Copy, Clone)]
pub(super) struct Test {
    inst: Inst,
    position: u32,
    /// The meter's position there.
    metered: u32,
}

/// The branch that is taken when this one is not, if there is one.
fn opposite(family: Family) -> Option<Family> {
    match family {
        Family::BrIfNez => Some(Family::BrIfEqz),
        Family::BrIfEqz => Some(Family::BrIfNez),
        // A row with an immediate of its own does more than test.
        _ if family.fields().imm32 > 0 => None,
        _ => Some(family.negation()),
    }
}

impl Translator<'_, '_> {
    /// Notes that a loop begins here: its label has just been bound.
    pub(super) fn begin_loop(&mut self) {
        if self.fusion && !self.window {
            self.loop_start = self.encoder.position();
            self.loop_position = self.meter_position();
            self.beginning.steps.clear();
            self.beginning.open = true;
        }
    }

    /// Notes an instruction that is about to be written at the beginning of a loop.
    pub(super) fn note_beginning(&mut self, position: u32, inst: &Inst) {
        let first = self.beginning.steps.first();
        let bytes = first.map_or(0, |first| position - first.position);
        if bytes > LONGEST {
            self.beginning.close();
            return;
        }
        let offset = self.map.as_ref().and_then(|map| map.last());
        self.beginning.steps.push(Noted {
            inst: *inst,
            position,
            metered: self.meter_position(),
            offset: offset.map_or(0, |(_, operator)| *operator),
        });
    }

    /// Ends the beginning of a loop with a `br_table` that is about to be written. `note_run` is to be called after it.
    pub(super) fn end_beginning(&mut self, table: &Inst) -> Option<Run> {
        if !core::mem::take(&mut self.beginning.open) {
            return None;
        }
        let Beginning { steps, kept, .. } = &mut self.beginning;
        let bytes = self.encoder.position() - steps.first()?.position;
        if bytes > LONGEST {
            return None;
        }
        let first = kept.len();
        kept.extend_from_slice_copy(steps);
        let op = Family::BrTableAt.form_by_key(table.op.key());
        Some(Run {
            first,
            len: steps.len(),
            table: Inst {
                op: op.expect("both rows have the same forms"),
                ..*table
            },
            targets: self.encoder.label(),
            bytes,
            metered: self.meter_position(),
        })
    }

    /// Notes that the innermost loop begins so.
    pub(super) fn note_run(&mut self, run: Run) {
        self.note_head(Does::Run(run));
    }

    /// Is this the first instruction of the innermost loop? Then `note_head` is to be called.
    pub(super) fn at_loop_start(&self) -> bool {
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
        self.test = match self.last {
            Some(last) if self.fusion && !self.window => Some(Test {
                inst,
                position: last.position,
                metered: self.meter_position(),
            }),
            _ => None,
        };
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
                let Some(family) = opposite(inst.op.family()) else {
                    return false;
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
            Does::Run(run) => self.run_again(&run),
        }
    }

    /// Does a loop's beginning, the edges of which are charged as if they came from its `br_table`. `false` if that would
    /// be too much code.
    fn run_again(&mut self, run: &Run) -> bool {
        let Some(left) = self.beginning.left.checked_sub(run.bytes) else {
            return false;
        };
        self.beginning.left = left;
        let end = run.metered;
        for i in run.first..run.first + run.len {
            let step = self.beginning.kept[i];
            let position = self.encoder.position();
            if let Some(map) = &mut self.map {
                map.push((position, step.offset));
            }
            let back = step.metered.wrapping_sub(end);
            self.with_edges_further_on(back, |this| this.append(step.inst));
        }
        let mut table = run.table;
        table.target = run.targets;
        self.append(table);
        true
    }

    /// Makes the last instruction, a test, do the work of a branch to the block with this depth that comes right behind
    /// it. `false` if it cannot, or if nothing is gained.
    pub(super) fn turn(&mut self, depth: u32, cost: u32) -> bool {
        let Some(test) = self.test else { return false };
        let is_last = |last: &super::Last| last.position == test.position;
        let to = self.control(depth);
        if !self.last.as_ref().is_some_and(is_last) || !to.branch_types().is_empty() {
            return false;
        }
        let exit = test.inst.target;
        let innermost = self.controls.last().expect("validated");
        // An `if` that does nothing but branch.
        let skips = innermost.kind == Kind::If(exit);
        // A branch back is more likely than one that leaves the loop.
        let leaves = to.kind == Kind::Loop && {
            let inner = self.controls.len() - depth as usize..;
            !self.controls[inner].iter().any(|inner| {
                inner.label == exit || matches!(inner.kind, Kind::If(label) if label == exit)
            })
        };
        if !skips && !leaves {
            return false;
        }
        let Some(op) = opposite(test.inst.op.family())
            .and_then(|family| family.form_by_key(test.inst.op.key()))
        else {
            return false;
        };
        self.take_last();
        self.mark_branched_to(depth);
        let inst = Inst {
            op,
            target: to.label,
            ..test.inst
        };
        self.with_edges_further_on(cost, |this| this.append(inst));
        if !skips {
            let back = test.metered.wrapping_sub(self.meter_position());
            self.with_edges_further_on(back, |this| this.append_br(exit));
        }
        true
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
