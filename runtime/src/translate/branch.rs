//! Branches and selects.

use wasmparser::BrTable;

use super::{
    Step, Translator,
    control::{Control, Kind},
    emit::{Fields, Last, fits_imm32},
    onward::Way,
    stack::{Arg, Bank, Content, Operand},
};
use crate::{
    ir::{Family, Inst, Label, Operand as Class},
    types::ValType,
};

/// A condition to branch on.
pub(super) enum Condition {
    /// A comparison, which has been taken out of the code; with `true` if it is to be negated.
    Compare(Inst, bool),
    /// A value to compare with zero.
    Value(Operand),
}

impl<'m> Translator<'_, 'm> {
    /// The open block that a branch with this depth leads to.
    pub(super) fn control(&self, depth: u32) -> Control<'m> {
        self.controls[self.controls.len() - 1 - depth as usize]
    }

    pub(super) fn mark_branched_to(&mut self, depth: u32) {
        let at = self.controls.len() - 1 - depth as usize;
        self.controls[at].branched_to = true;
    }

    /// Branches to `label`. A constant or copy just before goes into the branch.
    pub(super) fn append_br(&mut self, label: Label) {
        let mut inst = Inst::new(Family::Br.fixed());
        let last = self.last.filter(|_| self.fusion).map(|last| last.inst);
        if let Some(last) = last {
            match last.op.family() {
                Family::Const32 => {
                    self.take_last();
                    inst = Inst {
                        op: Family::BrConst.fixed(),
                        ..last
                    };
                }
                Family::CopySlot => {
                    self.take_last();
                    inst = Inst {
                        op: Family::BrCopy.fixed(),
                        ..last
                    };
                }
                _ => {}
            }
        }
        inst.target = label;
        self.append(inst);
    }

    /// Are the values that a branch to `control` carries where they belong?
    fn in_place(&self, control: &Control<'_>) -> bool {
        let count = control.branch_types().len();
        let first = self.stack.len() - count;
        count == 0
            || self.stack[first].slot == control.base_slot
                && self.stack[first..]
                    .iter()
                    .all(|entry| entry.content == Content::Temp)
    }

    /// Moves the values that a branch to `control` carries to where they belong, without popping them.
    fn move_results(&mut self, control: &Control<'_>) -> Step {
        let types = control.branch_types();
        let first = self.stack.len() - types.len();
        // What the last instruction made goes first, while it still can be rewritten; it alone can be in
        // the accumulator then. Nothing below it is read from where it goes, unless several values move.
        let mut slot = control.base_slot;
        for (i, ty) in types.iter().enumerate() {
            let entry = first + i;
            let to = self.temp_offset(slot);
            // Values only move down, so in this order none is overwritten before it has moved.
            match self.stack[entry].content {
                Content::Acc => self.store_acc_keep(*ty, to)?,
                Content::Const(bits) => self.store_const(to, bits, *ty)?,
                Content::Local { .. } | Content::TempPlus(_)
                    if let Some((from, plus)) = self.sum(entry as u32) =>
                {
                    self.slot_add(to, from, plus)?;
                }
                Content::Local { index, .. } => {
                    let from = self.locals[index as usize].offset;
                    self.copy(to, from, *ty)?;
                }
                Content::Temp | Content::TempPlus(_) => {
                    let from = self.own_offset(entry as u32);
                    self.copy(to, from, *ty)?;
                }
            }
            slot += ty.slots();
        }
        self.reserve(slot);
        Ok(())
    }

    /// Stores the accumulator without noting that it is in a slot now: the entry keeps it.
    fn store_acc_keep(&mut self, ty: ValType, offset: i32) -> Step {
        let state = self.acc;
        self.store_acc(ty, offset)?;
        self.acc = state;
        Ok(())
    }

    pub(super) fn br(&mut self, depth: u32) -> Step {
        let control = self.control(depth);
        match self.onward(depth) {
            _ if control.kind == Kind::Function => self.append_return()?,
            (Way::To(to), cost) if self.turn(to, cost) => {}
            (Way::Return(local), cost) => self.return_onward(local, cost)?,
            (Way::To(to), cost) => {
                if !self.in_place(&control) {
                    self.move_results(&control)?;
                }
                self.br_to(to, cost);
            }
        }
        self.unreachable_from_here();
        Ok(())
    }

    pub(super) fn br_if(&mut self, depth: u32) -> Step {
        let control = self.control(depth);
        let test = self.take_test()?;
        let count = control.branch_types().len();
        if control.kind == Kind::Function && count > 0 {
            if count > 1 {
                // They are returned from their slots. They go there before the paths split, since the path
                // that goes on takes them to be there as well.
                self.materialise_last(count)?;
            }
            return self.br_if_over(test, |this| this.append_return_keep());
        }
        if count > 0 && self.stack[self.stack.len() - count].slot == control.base_slot {
            // They are to be in the slots that are theirs anyway.
            self.materialise_last(count)?;
        }
        if self.in_place(&control) {
            let (to, cost) = self.onward_if(depth);
            self.mark_branched_to(to);
            let label = self.control(to).label;
            return self.with_edges_further_on(cost, |this| this.branch_if(test, true, label));
        }
        self.mark_branched_to(depth);
        self.br_if_over(test, |this| {
            this.move_results(&control)?;
            this.append_br(control.label);
            Ok(())
        })
    }

    /// Branches over `taken` if the condition does not hold. `taken` leaves the operand stack alone.
    fn br_if_over(&mut self, test: Condition, taken: impl FnOnce(&mut Self) -> Step) -> Step {
        // What is in an accumulator must be in a slot when both paths meet. The condition may be in one,
        // too, but not as an entry.
        self.spill_all()?;
        let over = self.encoder.label();
        self.free_edge();
        self.branch_if(test, false, over)?;
        taken(self)?;
        self.acc_lost();
        self.bind(over);
        Ok(())
    }

    pub(super) fn br_table(&mut self, table: &BrTable<'_>) -> Step {
        self.settle_sums(1)?;
        let mut index = self.pop();
        let default = self.control(table.default());
        let count = default.branch_types().len();
        self.constant_to_slot(&mut index)?;
        self.materialise_last(count)?;
        self.spill_all()?;

        let mut fields = Fields::new(&[table.len()]);
        let slot = match index.arg {
            Arg::Slot(offset) => Self::near(offset),
            _ => None,
        };
        let head = slot.zip(self.begin_table());
        self.field(&mut fields, index)?;
        let inst = fields.inst(Family::BrTable);
        let run = self.end_beginning(&inst);
        self.append(inst);
        if let Some(run) = &run {
            self.bind(run.targets);
        }
        // Targets whose values are elsewhere get a piece of code that moves them.
        let mut movers = bumpalo::collections::Vec::new_in(self.controls.bump());
        for depth in table.targets().chain(core::iter::once(Ok(table.default()))) {
            let depth = depth?;
            let control = self.control(depth);
            let returns = control.kind == Kind::Function && count > 0;
            // All values are in their own slots now; are those the target's?
            let in_place =
                count == 0 || self.stack[self.stack.len() - count].slot == control.base_slot;
            let mut cost = 0;
            let label = if count == 0 && head.is_none() && !returns {
                let (label, more) = self.entry_onward(depth);
                cost = more;
                label
            } else if !returns && in_place {
                self.mark_branched_to(depth);
                control.label
            } else if let Some(mover) = control.mover {
                mover
            } else {
                let mover = self.encoder.label();
                let at = self.controls.len() - 1 - depth as usize;
                self.controls[at].mover = Some(mover);
                movers.push((depth, mover));
                mover
            };
            if head.is_some() {
                self.tables.push((!returns && in_place).then_some(label));
            }
            let mut inst = Inst::new(Family::BrTarget.fixed());
            inst.target = label;
            self.with_edges_further_on(cost, |this| this.append(inst));
        }
        if let Some((slot, first)) = head {
            self.end_table(slot, first);
        } else if let Some(run) = run {
            self.note_run(run);
        }
        for (depth, mover) in movers {
            self.acc_lost();
            self.bind(mover);
            let control = self.control(depth);
            if control.kind == Kind::Function {
                self.append_return_keep()?;
            } else {
                self.move_results(&control)?;
                self.mark_branched_to(depth);
                self.append_br(control.label);
            }
            let at = self.controls.len() - 1 - depth as usize;
            self.controls[at].mover = None;
        }
        self.unreachable_from_here();
        Ok(())
    }

    /// Pops a condition. A comparison that made it is taken out of the code, to be put into the branch.
    pub(super) fn take_test(&mut self) -> Step<Condition> {
        self.settle_sums(1)?;
        let value = self.pop();
        if self.fusion
            && value.arg == Arg::Acc
            && let Some(Last { inst, result: Some(Bank::Int), negated, .. }) = self.last
            && inst.op.family().branch().is_some()
            // What moves between comparison and branch might use the same scratch slots.
            && !self.window
        {
            self.take_last();
            return Ok(Condition::Compare(inst, negated));
        }
        self.settle_last();
        Ok(Condition::Value(value))
    }

    /// Branches to `label` if the condition holds, or (with `holds` false) if it does not.
    pub(super) fn branch_if(&mut self, test: Condition, holds: bool, label: Label) -> Step {
        let mut inst = match test {
            Condition::Value(value) => {
                let mut value = value;
                self.constant_to_slot(&mut value)?;
                let mut fields = Fields::new(&[]);
                self.field(&mut fields, value)?;
                let branch = match holds {
                    true => Family::BrIfNez,
                    false => Family::BrIfEqz,
                };
                match self.count(branch, &fields) {
                    Some(inst) => inst,
                    None => fields.inst(branch),
                }
            }
            Condition::Compare(compare, negated) => {
                let family = compare.op.family();
                let branch = family.branch().expect("a comparison");
                let branch = if holds != negated {
                    branch
                } else {
                    branch.negation()
                };
                let (branch, compare) = self.test_of_bits(branch, compare);
                // The same operands without the result.
                let (_, operands) = compare.op.form().split_last().expect("has a result");
                let branch = match (branch, operands, compare.imm32[0]) {
                    (Family::BrI32Ne, [_, Class::I], 0) => Family::BrIfNez,
                    (Family::BrI32Eq, [_, Class::I], 0) => Family::BrIfEqz,
                    _ => branch,
                };
                let bank = Bank::of(branch.compared_type());
                let mut fields = Fields::new(&[]);
                let mut slots = compare.slots.into_iter();
                for class in operands {
                    match class {
                        Class::S => {
                            let slot = slots.next().expect("there are four");
                            self.field_slot(&mut fields, slot.into(), bank)?;
                        }
                        Class::L => {
                            let pinned = self.pins[bank as usize].expect("it is an operand");
                            self.field_slot(&mut fields, pinned, bank)?;
                        }
                        Class::I if matches!(branch, Family::BrIfNez | Family::BrIfEqz) => {}
                        Class::I => fields.imm32(compare.imm32[0]),
                        Class::W => fields.imm64(compare.imm64),
                        _ => fields.acc(),
                    }
                }
                match self.count(branch, &fields) {
                    Some(inst) => inst,
                    None => fields.inst(branch),
                }
            }
        };
        inst.target = label;
        self.append_test(inst);
        Ok(())
    }

    /// The branch on an `i64.and` in place of one on the comparison of its result with zero, where the last instruction is
    /// one and made what `compare` compares.
    fn test_of_bits(&mut self, branch: Family, compare: Inst) -> (Family, Inst) {
        let bits = match (branch, compare.op.form(), compare.imm32[0]) {
            (Family::BrI64Ne, [Class::A, Class::I, _], 0) => Family::BrI64And,
            (Family::BrI64Eq, [Class::A, Class::I, _], 0) => Family::BrI64Nand,
            _ => return (branch, compare),
        };
        match self.last.map(|last| last.inst) {
            Some(and)
                if and.op.family() == Family::I64And && and.op.form().last() == Some(&Class::A) =>
            {
                self.take_last();
                (bits, and)
            }
            _ => (branch, compare),
        }
    }

    pub(super) fn select(&mut self) -> Step {
        self.settle_sums(3)?;
        let condition = self.pop();
        let mut b = self.pop();
        let mut a = self.pop();
        let ty = a.ty;
        if let Some((family, fields)) = self.choose(condition, a, b) {
            return self.append_result(family, fields, ty);
        }
        let family = match ty {
            ValType::I32 => Family::SelectI32,
            ValType::F32 => Family::SelectF32,
            ValType::F64 => Family::SelectF64,
            _ => Family::SelectI64,
        };
        let mut condition = condition;
        self.constant_to_slot(&mut condition)?;
        for value in [&mut a, &mut b] {
            if let Arg::Const(bits) = value.arg
                && (Bank::of(ty) != Bank::Int || fits_imm32(bits, ty).is_none())
            {
                self.constant_to_slot(value)?;
            }
        }
        // One operand a bank can be in the accumulator: the one that is nowhere else.
        let slot = |operand: &mut Operand| {
            if let Arg::AccAndSlot(offset) = operand.arg {
                operand.arg = Arg::Slot(offset);
            }
        };
        if Bank::of(ty) == Bank::Int && condition.in_acc() {
            slot(&mut a);
            slot(&mut b);
        }
        if a.in_acc() && b.in_acc() {
            if b.arg == Arg::Acc {
                slot(&mut a)
            } else {
                slot(&mut b)
            }
        }
        let mut fields = Fields::new(&[]);
        self.field(&mut fields, condition)?;
        for value in [a, b] {
            match value.arg {
                Arg::Const(bits) => fields.imm32(bits as u32),
                _ => self.field(&mut fields, value)?,
            }
        }
        self.append_result(family, fields, ty)
    }
}
