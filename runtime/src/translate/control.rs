//! Blocks, branches, selects and returns.
//!
//! Where control flow meets, values are in the slots that belong to their place on the operand stack, and
//! the accumulators hold nothing.

use wasmparser::{BlockType, BrTable};

use super::{
    Step, Translator,
    emit::{Fields, Last, fits_imm32},
    stack::{Arg, Bank, Content, Operand},
};
use crate::{
    exec::HEADER,
    ir::{Family, Inst, Label, Operand as Class},
    module::val_type,
    types::ValType,
};

/// The parameters and results of a block.
#[derive(Copy, Clone)]
pub(super) struct Signature<'m> {
    params: &'m [ValType],
    results: &'m [ValType],
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Kind {
    Function,
    Block,
    Loop,
    /// With the label of its else branch.
    If(Label),
    Else,
}

/// A block that is open.
#[derive(Copy, Clone)]
pub(super) struct Control<'m> {
    kind: Kind,
    signature: Signature<'m>,
    /// Where branches to it lead.
    label: Label,
    /// Is there such a branch?
    branched_to: bool,
    /// Is the code before it reachable?
    reachable: bool,
    /// Entries and slots of the operand stack below its parameters.
    base: usize,
    base_slot: u32,
    /// While a `br_table` is translated: the code that moves the values for it.
    mover: Option<Label>,
}

impl<'m> Control<'m> {
    /// The types of the values that a branch to it carries.
    fn branch_types(&self) -> &'m [ValType] {
        match self.kind {
            Kind::Loop => self.signature.params,
            _ => self.signature.results,
        }
    }
}

/// A condition to branch on.
enum Test {
    /// A comparison, which has been taken out of the code; with `true` if it is to be negated.
    Compare(Inst, bool),
    /// A value to compare with zero.
    Value(Operand),
}

fn slots_of(types: &[ValType]) -> u32 {
    types.iter().map(|ty| ty.slots()).sum()
}

/// The single types, to take slices of.
const SINGLE: [ValType; 6] = [
    ValType::I32,
    ValType::I64,
    ValType::F32,
    ValType::F64,
    ValType::FUNCREF,
    ValType::EXTERNREF,
];

impl<'m> Translator<'_, 'm> {
    fn signature(&self, ty: BlockType) -> Signature<'m> {
        match ty {
            BlockType::Empty => Signature {
                params: &[],
                results: &[],
            },
            BlockType::Type(ty) => {
                let ty = val_type(ty);
                let at = SINGLE.iter().position(|have| *have == ty).unwrap_or(0);
                Signature {
                    params: &[],
                    results: &SINGLE[at..=at],
                }
            }
            BlockType::FuncType(index) => {
                let ty = self.module.type_at(index);
                Signature {
                    params: ty.param_slice(),
                    results: ty.result_slice(),
                }
            }
        }
    }

    fn open(&mut self, kind: Kind, signature: Signature<'m>) {
        let label = self.encoder.label();
        let base = self.stack.len() - signature.params.len();
        let base_slot = self.height - slots_of(signature.params);
        self.controls.push(Control {
            kind,
            signature,
            label,
            branched_to: false,
            reachable: self.reachable,
            base,
            base_slot,
            mover: None,
        });
    }

    /// Starts the function: its body is a block with its results.
    pub(super) fn begin_function(&mut self) {
        if self.zeroed > 0 {
            let mut inst = Inst::new(Family::Enter.fixed());
            inst.imm32[0] = self.zeroed;
            self.append(inst);
        }
        let signature = Signature {
            params: &[],
            results: self.ty.result_slice(),
        };
        self.open(Kind::Function, signature);
        self.charge();
    }

    /// With metering, starts counting operators anew.
    fn charge(&mut self) {
        if self.module.engine().config().consume_fuel {
            self.settle_fuel();
            self.append(Inst::new(Family::Fuel.fixed()));
            let position = self.last.map_or(0, |last| last.position);
            self.fuel = Some((position, 1));
        }
    }

    /// Writes the count of operators into the instruction that charges for them.
    fn settle_fuel(&mut self) {
        if let Some((position, count)) = self.fuel {
            self.encoder
                .patch_imm32(position, Family::Fuel.fixed(), count);
        }
    }

    pub(super) fn block(&mut self, ty: BlockType) -> Step {
        let signature = self.signature(ty);
        if self.reachable {
            self.settle_stack()?;
            self.materialise_last(signature.params.len())?;
        }
        self.open_or_skip(Kind::Block, signature);
        Ok(())
    }

    /// In unreachable code nothing is known of the operand stack.
    fn open_or_skip(&mut self, kind: Kind, signature: Signature<'m>) {
        if self.reachable {
            self.open(kind, signature);
        } else {
            self.open(
                kind,
                Signature {
                    params: &[],
                    results: signature.results,
                },
            );
        }
    }

    pub(super) fn loop_(&mut self, ty: BlockType) -> Step {
        let signature = self.signature(ty);
        if self.reachable {
            self.settle_stack()?;
            self.materialise_last(signature.params.len())?;
        }
        self.open_or_skip(Kind::Loop, signature);
        if self.reachable {
            let label = self.controls.last().expect("just opened").label;
            self.bind(label);
            self.charge();
        }
        Ok(())
    }

    pub(super) fn if_(&mut self, ty: BlockType) -> Step {
        let signature = self.signature(ty);
        let otherwise = self.encoder.label();
        if self.reachable {
            let test = self.take_test();
            self.settle_stack()?;
            self.materialise_last(signature.params.len())?;
            self.branch_if(test, false, otherwise)?;
        }
        self.open_or_skip(Kind::If(otherwise), signature);
        Ok(())
    }

    pub(super) fn else_(&mut self) -> Step {
        let control = *self.controls.last().expect("validated");
        let Kind::If(otherwise) = control.kind else {
            unreachable!("validated")
        };
        if self.reachable {
            self.materialise_last(control.signature.results.len())?;
            self.append_br(control.label);
            self.mark_branched_to(0);
        }
        self.pop_to(control.base);
        self.reachable = control.reachable;
        if self.reachable {
            self.acc_lost();
            self.bind(otherwise);
            self.push_temps(control.signature.params);
            self.settled = self.stack.len();
        }
        self.controls.last_mut().expect("validated").kind = Kind::Else;
        Ok(())
    }

    /// Entries in the accumulators have all been popped or left behind.
    fn acc_lost(&mut self) {
        self.acc = [super::stack::AccState::Empty; 3];
        self.producers = [None; 3];
    }

    fn push_temps(&mut self, types: &[ValType]) {
        for ty in types {
            self.push(Content::Temp, *ty);
        }
    }

    pub(super) fn end(&mut self) -> Step {
        let control = *self.controls.last().expect("validated");
        if control.kind == Kind::Function {
            return self.end_function();
        }
        // Control reaches the end: from above, by a branch, or because there is no else.
        let no_else = matches!(control.kind, Kind::If(_)) && control.reachable;
        let meets = no_else || control.branched_to && control.kind != Kind::Loop;
        if self.reachable && meets {
            self.materialise_last(control.signature.results.len())?;
        }
        if meets {
            self.pop_to(control.base);
            self.acc_lost();
            if let (Kind::If(otherwise), true) = (control.kind, control.reachable) {
                // Its parameters are its results then, and in the same slots.
                self.bind(otherwise);
            }
            self.bind(control.label);
            self.push_temps(control.signature.results);
            self.settled = self.stack.len();
            self.reachable = true;
        } else if !self.reachable {
            self.pop_to(control.base);
            self.acc_lost();
        }
        self.controls.pop();
        Ok(())
    }

    fn end_function(&mut self) -> Step {
        let control = *self.controls.last().expect("the function's block");
        if self.reachable {
            self.append_return()?;
        }
        if control.branched_to {
            // Branches to the function's label come here; only functions without results have them.
            self.pop_to(0);
            self.acc_lost();
            self.bind(control.label);
            self.append(Inst::new(Family::Return.fixed()));
        }
        self.settle_fuel();
        self.settle_last();
        self.controls.pop();
        Ok(())
    }

    /// From here to the end of the block nothing is executed.
    pub(super) fn unreachable_from_here(&mut self) {
        self.settle_last();
        let base = self.controls.last().expect("validated").base;
        self.pop_to(base);
        self.acc_lost();
        self.last = None;
        self.reachable = false;
    }

    pub(super) fn unreachable(&mut self) {
        self.append(Inst::new(Family::Unreachable.fixed()));
        self.unreachable_from_here();
    }

    /// The open block that a branch with this depth leads to.
    fn control(&self, depth: u32) -> Control<'m> {
        self.controls[self.controls.len() - 1 - depth as usize]
    }

    fn mark_branched_to(&mut self, depth: u32) {
        let at = self.controls.len() - 1 - depth as usize;
        self.controls[at].branched_to = true;
    }

    fn append_br(&mut self, label: Label) {
        let mut inst = Inst::new(Family::Br.fixed());
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
                Content::Const(bits) => self.store_const(to, bits)?,
                Content::Local { index, .. } => {
                    let from = self.locals[index as usize].offset;
                    self.copy(to, from, *ty)?;
                }
                Content::Temp => {
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
        if control.kind == Kind::Function {
            self.append_return()?;
        } else {
            if !self.in_place(&control) {
                self.move_results(&control)?;
            }
            self.mark_branched_to(depth);
            self.append_br(control.label);
        }
        self.unreachable_from_here();
        Ok(())
    }

    pub(super) fn br_if(&mut self, depth: u32) -> Step {
        let control = self.control(depth);
        let test = self.take_test();
        let count = control.branch_types().len();
        if control.kind == Kind::Function && count > 0 {
            return self.br_if_over(test, |this| this.append_return_keep());
        }
        if count > 0 && self.stack[self.stack.len() - count].slot == control.base_slot {
            // They are to be in the slots that are theirs anyway.
            self.materialise_last(count)?;
        }
        if self.in_place(&control) {
            self.mark_branched_to(depth);
            return self.branch_if(test, true, control.label);
        }
        self.mark_branched_to(depth);
        self.br_if_over(test, |this| {
            this.move_results(&control)?;
            this.append_br(control.label);
            Ok(())
        })
    }

    /// Branches over `taken` if the condition does not hold. `taken` leaves the operand stack alone.
    fn br_if_over(&mut self, test: Test, taken: impl FnOnce(&mut Self) -> Step) -> Step {
        // What is in an accumulator must be in a slot when both paths meet. The condition may be in one,
        // too, but not as an entry.
        self.spill_all()?;
        let over = self.encoder.label();
        self.branch_if(test, false, over)?;
        taken(self)?;
        self.acc_lost();
        self.bind(over);
        Ok(())
    }

    pub(super) fn br_table(&mut self, table: &BrTable<'_>) -> Step {
        let mut index = self.pop();
        let default = self.control(table.default());
        let count = default.branch_types().len();
        self.constant_to_slot(&mut index)?;
        self.materialise_last(count)?;
        self.spill_all()?;

        let mut fields = Fields::new(&[table.len()]);
        self.field(&mut fields, index)?;
        self.append(fields.inst(Family::BrTable));
        // Targets whose values are elsewhere get a piece of code that moves them.
        let mut movers = bumpalo::collections::Vec::new_in(self.controls.bump());
        for depth in table.targets().chain(core::iter::once(Ok(table.default()))) {
            let depth = depth?;
            let control = self.control(depth);
            let returns = control.kind == Kind::Function && count > 0;
            let label = if !returns && self.in_place(&control) {
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
            let mut inst = Inst::new(Family::BrTarget.fixed());
            inst.target = label;
            self.append(inst);
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

    pub(super) fn return_(&mut self) -> Step {
        self.append_return()?;
        self.unreachable_from_here();
        Ok(())
    }

    /// Returns with the results on top of the operand stack, and pops them.
    fn append_return(&mut self) -> Step {
        match self.ty.result_slice() {
            [_] => {
                let result = self.pop();
                if !result.in_acc() {
                    self.load_acc(result)?;
                }
                self.append(Inst::new(Family::Return.fixed()));
                Ok(())
            }
            _ => self.append_return_keep(),
        }
    }

    /// The same without popping them.
    fn append_return_keep(&mut self) -> Step {
        let types = self.ty.result_slice();
        match types {
            [] => self.append(Inst::new(Family::Return.fixed())),
            [_] => {
                // On the way out it does not matter what the accumulator held, but the entry stays as it
                // is for the code that goes on.
                let (entry, state) = (*self.stack.last().expect("validated"), self.acc);
                let value = self.peek();
                if !value.in_acc() {
                    self.load_acc(value)?;
                }
                self.append(Inst::new(Family::Return.fixed()));
                self.acc = state;
                debug_assert_eq!(entry.slot, self.stack.last().expect("validated").slot);
            }
            _ => {
                self.materialise_last(types.len())?;
                let first = self.own_offset((self.stack.len() - types.len()) as u32);
                let mut inst = Inst::new(Family::ReturnMany.fixed());
                inst.slots[0] = self.area_start();
                inst.imm32[..2].copy_from_slice(&[first as u32, slots_of(types)]);
                self.append(inst);
            }
        }
        Ok(())
    }

    /// Where this function's own parameters and results are, from `sp`.
    pub(super) fn area_start(&self) -> i16 {
        // 1,000 parameters and results are the most that validation admits.
        -((HEADER as i32 + 8 * self.ty.area_slots() as i32) as i16)
    }

    /// The top entry, as an operand, without popping it.
    fn peek(&self) -> Operand {
        let entry = self.stack.last().expect("validated");
        let own = self.temp_offset(entry.slot);
        let acc = self.acc[Bank::of(entry.ty) as usize];
        let at = |offset| {
            let in_acc = acc == super::stack::AccState::Slot(offset);
            if in_acc {
                Arg::AccAndSlot(offset)
            } else {
                Arg::Slot(offset)
            }
        };
        let arg = match entry.content {
            Content::Local { index, .. } => at(self.locals[index as usize].offset),
            Content::Const(bits) => Arg::Const(bits),
            Content::Acc => Arg::Acc,
            Content::Temp => at(own),
        };
        Operand {
            arg,
            ty: entry.ty,
            own,
        }
    }

    /// Brings an operand into the accumulator of its type, whatever that held.
    fn load_acc(&mut self, operand: Operand) -> Step {
        let ty = operand.ty;
        let mut fields = Fields::new(&[]);
        match operand.arg {
            Arg::Const(bits) => match fits_imm32(bits, ty) {
                Some(imm) => fields.imm32(imm),
                None => fields.imm64(bits),
            },
            Arg::Slot(offset) => self.field_slot(&mut fields, offset)?,
            Arg::Acc | Arg::AccAndSlot(_) => return Ok(()),
        }
        fields.acc();
        self.append(fields.inst(Family::move_of(ty)));
        Ok(())
    }

    /// Pops a condition. A comparison that made it is taken out of the code, to be put into the branch.
    fn take_test(&mut self) -> Test {
        let value = self.pop();
        if value.arg == Arg::Acc
            && let Some(Last { inst, result: Some(Bank::Int), negated, .. }) = self.last
            && inst.op.family().branch().is_some()
            // What moves between comparison and branch might use the same scratch slots.
            && !self.window
        {
            self.take_last();
            return Test::Compare(inst, negated);
        }
        self.settle_last();
        Test::Value(value)
    }

    /// Branches to `label` if the condition holds, or (with `holds` false) if it does not.
    fn branch_if(&mut self, test: Test, holds: bool, label: Label) -> Step {
        let mut inst = match test {
            Test::Value(value) => {
                let mut value = value;
                self.constant_to_slot(&mut value)?;
                let mut fields = Fields::new(&[]);
                self.field(&mut fields, value)?;
                fields.inst(if holds {
                    Family::BrIfNez
                } else {
                    Family::BrIfEqz
                })
            }
            Test::Compare(compare, negated) => {
                let family = compare.op.family();
                let branch = family.branch().expect("a comparison");
                let branch = if holds != negated {
                    branch
                } else {
                    branch.negation()
                };
                // The same operands without the result.
                let (_, operands) = compare.op.form().split_last().expect("has a result");
                match (branch, operands, compare.imm32[0]) {
                    (Family::BrI32Ne, [value, Class::I], 0) => {
                        let op = Family::BrIfNez.form(&[*value]).expect("in the table");
                        Inst { op, ..compare }
                    }
                    (Family::BrI32Eq, [value, Class::I], 0) => {
                        let op = Family::BrIfEqz.form(&[*value]).expect("in the table");
                        Inst { op, ..compare }
                    }
                    _ => {
                        let op = branch
                            .form(operands)
                            .expect("comparisons branch in every form");
                        Inst { op, ..compare }
                    }
                }
            }
        };
        inst.target = label;
        self.append(inst);
        Ok(())
    }

    pub(super) fn select(&mut self) -> Step {
        let condition = self.pop();
        let mut b = self.pop();
        let mut a = self.pop();
        let ty = a.ty;
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
            if a.arg == Arg::Acc || b.arg == Arg::Acc {
                slot(&mut condition);
            } else {
                slot(&mut a);
                slot(&mut b);
            }
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
