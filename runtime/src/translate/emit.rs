//! Writing instructions: choosing the form, reaching far slots, and rewriting the last instruction.

use super::{
    Step, Stop, Translator,
    stack::{AccState, Arg, Bank, Operand},
};
use crate::{
    ir::{Family, FormKey, Inst, Label, Op, Operand as Class},
    types::ValType,
};

/// The instruction at the end of the code, if no branch leads behind it.
#[derive(Copy, Clone)]
pub(super) struct Last {
    pub(super) inst: Inst,
    pub(super) position: u32,
    /// The bank of its result, if it left one in the accumulator and can be rewritten to write a slot.
    pub(super) result: Option<Bank>,
    /// Its result is to be compared with zero; not written yet, since a branch may take that over.
    pub(super) negated: bool,
}

/// Operands of a form, result included.
const MAX_OPERANDS: usize = 5;

/// The operands of an instruction, in the order of its form, as they go into its fields.
#[derive(Clone)]
pub(super) struct Fields {
    inst: Inst,
    /// Slot fields so far.
    slots: usize,
    /// 32-bit immediates so far, the row's own first.
    imms: usize,
    operands: [(Class, [i16; 3]); MAX_OPERANDS],
    count: usize,
    key: FormKey,
}

impl Fields {
    /// None yet; the row's own 32-bit immediates come first.
    pub(super) fn new(imm32: &[u32]) -> Self {
        let mut inst = Inst::new(Op(0));
        inst.imm32[..imm32.len()].copy_from_slice(imm32);
        Self {
            inst,
            slots: 0,
            imms: imm32.len(),
            operands: [(Class::A, [0; 3]); MAX_OPERANDS],
            count: 0,
            key: FormKey::EMPTY,
        }
    }

    pub(super) fn acc(&mut self) {
        self.operand(Class::A, [0; 3]);
    }

    pub(super) fn imm32(&mut self, imm: u32) {
        self.operand(Class::I, [0; 3]);
        self.inst.imm32[self.imms] = imm;
        self.imms += 1;
    }

    /// Changes one of the row's own 32-bit immediates.
    pub(super) fn set_imm32(&mut self, n: usize, imm: u32) {
        self.inst.imm32[n] = imm;
    }

    pub(super) fn imm64(&mut self, imm: u64) {
        self.operand(Class::W, [0; 3]);
        self.inst.imm64 = imm;
    }

    /// An operand with these slot fields.
    #[inline]
    pub(super) fn operand(&mut self, class: Class, slots: [i16; 3]) {
        self.operands[self.count] = (class, slots);
        self.count += 1;
        self.key = self.key.with(class);
        for slot in &slots[..class.slots() as usize] {
            self.inst.slots[self.slots] = *slot;
            self.slots += 1;
        }
    }

    /// The operands so far.
    pub(super) fn operands(&self) -> &[(Class, [i16; 3])] {
        &self.operands[..self.count]
    }

    /// The first immediate of an operand.
    pub(super) fn operand_imm32(&self) -> u32 {
        self.inst.imm32[0]
    }

    /// The instruction of `family` with these operands.
    pub(super) fn inst(&self, family: Family) -> Inst {
        self.try_inst(family)
            .unwrap_or_else(|| panic!("{family:?} has no form {:?}", self.key))
    }

    /// The same, if there is one. A pinned local is taken from its slot, which has the same value, where no form takes
    /// it from its register.
    pub(super) fn try_inst(&self, family: Family) -> Option<Inst> {
        match family.form_by_key(self.key) {
            Some(op) => Some(Inst { op, ..self.inst }),
            None => self.unpinned(family),
        }
    }

    /// The instruction that takes as many of the pinned locals as necessary, the first ones first, from their slots.
    fn unpinned(&self, family: Family) -> Option<Inst> {
        let mut fields = self.clone();
        for i in 0..self.count {
            if self.operands[i].0 != Class::L {
                continue;
            }
            fields.operands[i].0 = Class::S;
            let classes = fields.operands[..self.count].iter();
            let key = classes.fold(FormKey::EMPTY, |key, (class, _)| key.with(*class));
            if let Some(op) = family.form_by_key(key) {
                let mut inst = Inst { op, ..self.inst };
                let slots = fields.operands[..self.count]
                    .iter()
                    .flat_map(|(class, slots)| &slots[..class.slots() as usize]);
                inst.slots
                    .iter_mut()
                    .zip(slots)
                    .for_each(|(field, slot)| *field = *slot);
                return Some(inst);
            }
        }
        None
    }
}

/// A constant that fits a 32-bit immediate of its type.
pub(super) fn fits_imm32(bits: u64, ty: ValType) -> Option<u32> {
    match ty {
        ValType::I32 | ValType::F32 => Some(bits as u32),
        ValType::F64 => None,
        _ => (bits as i32 as u64 == bits).then_some(bits as u32),
    }
}

impl Family {
    /// Copies between the accumulator of a type and slots.
    pub(super) fn move_of(ty: ValType) -> Self {
        match ty {
            ValType::I32 => Self::MoveI32,
            ValType::F32 => Self::MoveF32,
            ValType::F64 => Self::MoveF64,
            _ => Self::MoveI64,
        }
    }
}

impl Translator<'_, '_> {
    /// Appends an instruction as it is. Its effects on accumulators and slots are the caller's to note.
    pub(super) fn append(&mut self, inst: Inst) {
        self.settle_last();
        self.append_raw(inst);
    }

    fn append_raw(&mut self, mut inst: Inst) {
        let position = self.encoder.position();
        if self.beginning.is_open() {
            self.note_beginning(position, &inst);
        }
        self.meter(&mut inst);
        self.encoder.emit(&inst);
        self.scratch = 0;
        self.before = self.last.map(|last| (last.position, last.inst));
        self.last = Some(Last {
            inst,
            position,
            result: None,
            negated: false,
        });
    }

    /// Writes the comparison with zero that the last instruction still waits for.
    pub(super) fn settle_last(&mut self) {
        let Some(last) = &mut self.last else { return };
        if last.negated {
            last.negated = false;
            let mut fields = Fields::new(&[]);
            fields.acc();
            fields.imm32(0);
            fields.acc();
            self.append_raw(fields.inst(Family::I32Eq));
            self.mark_result(Bank::Int);
        }
    }

    fn truncate(&mut self, position: u32) {
        self.encoder.truncate(position);
        self.beginning.truncate(position);
    }

    /// Takes the last instruction away again.
    pub(super) fn take_last(&mut self) -> Option<Inst> {
        let last = self.last.take()?;
        // Whoever used the result of the one before has it.
        self.last = self.before.take().map(|(position, inst)| Last {
            inst,
            position,
            result: None,
            negated: false,
        });
        self.truncate(last.position);
        if let Some(bank) = last.result {
            self.producers[bank as usize] = None;
        }
        Some(last.inst)
    }

    /// Notes that the last instruction left its result in an accumulator and could write a slot too.
    pub(super) fn mark_result(&mut self, bank: Bank) {
        if let Some(last) = &mut self.last {
            last.result = Some(bank);
            self.producers[bank as usize] = Some((last.position, last.inst));
        }
    }

    /// Binds a label here. Nothing is known of the accumulators then.
    pub(super) fn bind(&mut self, label: Label) {
        self.settle_last();
        let position = self.meter_position();
        self.encoder.bind(label, position);
        self.beginning.close();
        self.last = None;
        self.forget_accs();
    }

    /// The slot field for an offset.
    pub(super) fn near(offset: i32) -> Option<i16> {
        i16::try_from(offset).ok()
    }

    /// A scratch slot, for a slot that is too far away.
    fn scratch(&mut self) -> Step<i16> {
        if !self.window {
            return Err(Stop::FarSlot);
        }
        debug_assert!(self.scratch < super::WINDOW_SLOTS);
        let offset = 8 * self.scratch as i16;
        self.scratch += 1;
        Ok(offset)
    }

    fn copy_far(&mut self, to: i32, from: i32) {
        let scratch = self.scratch;
        let mut inst = Inst::new(Family::CopyFar.fixed());
        inst.imm32[..2].copy_from_slice(&[to as u32, from as u32]);
        self.append(inst);
        // Scratch slots stay taken until the instruction that they are for.
        self.scratch = scratch;
    }

    /// Copies the slot at `offset` to slot `n` of the window.
    pub(super) fn window_slot(&mut self, n: i32, offset: i32) -> Step<i16> {
        if !self.window {
            return Err(Stop::FarSlot);
        }
        self.copy_far(8 * n, offset);
        Ok(8 * n as i16)
    }

    /// A slot field for reading the slot at `offset`.
    pub(super) fn source(&mut self, offset: i32) -> Step<i16> {
        match Self::near(offset) {
            Some(near) => Ok(near),
            None => {
                let scratch = self.scratch()?;
                self.copy_far(scratch.into(), offset);
                Ok(scratch)
            }
        }
    }

    /// Is the slot at `offset` that of the pinned local of `bank`?
    pub(super) fn is_pinned(&self, offset: i32, bank: Bank) -> bool {
        self.pins[bank as usize] == Some(offset)
    }

    /// Adds an operand that is in a slot.
    pub(super) fn field_slot(&mut self, fields: &mut Fields, offset: i32, bank: Bank) -> Step {
        let slot = self.source(offset)?;
        let class = match self.is_pinned(offset, bank) {
            true => Class::L,
            false => Class::S,
        };
        fields.operand(class, [slot, 0, 0]);
        Ok(())
    }

    /// Adds an operand from the accumulator if it is there, else from its slot. Constants go to a slot.
    pub(super) fn field(&mut self, fields: &mut Fields, operand: Operand) -> Step {
        match operand.arg {
            Arg::Acc | Arg::AccAndSlot(_) => fields.acc(),
            Arg::Slot(offset) => self.field_slot(fields, offset, Bank::of(operand.ty))?,
            Arg::Const(bits) => {
                self.store_const(operand.own, bits, operand.ty)?;
                self.field_slot(fields, operand.own, Bank::of(operand.ty))?;
            }
            Arg::Sum(..) => unreachable!("sums are settled before they are used"),
        }
        Ok(())
    }

    /// Puts a constant operand into its own slot.
    pub(super) fn constant_to_slot(&mut self, operand: &mut Operand) -> Step {
        if let Arg::Const(bits) = operand.arg {
            self.store_const(operand.own, bits, operand.ty)?;
            operand.arg = Arg::Slot(operand.own);
        }
        Ok(())
    }

    /// Appends an instruction whose result goes to the accumulator, and pushes the result.
    pub(super) fn append_result(
        &mut self,
        family: Family,
        mut fields: Fields,
        ty: ValType,
    ) -> Step {
        let bank = Bank::of(ty);
        if let AccState::Entry(_) = self.acc[bank as usize] {
            // What is there would be lost. Fields that refer to slots stay valid.
            let scratch = self.scratch;
            self.spill(bank)?;
            self.scratch = scratch;
        }
        fields.acc();
        self.append(fields.inst(family));
        self.mark_result(bank);
        self.push_acc(ty);
        Ok(())
    }

    /// `inst`, whose result goes to the accumulator, with the slot at `offset` as its destination as well.
    fn with_slot(&self, inst: Inst, bank: Bank, offset: i32) -> Option<Inst> {
        let near = Self::near(offset)?;
        let (Class::A, operands) = inst.op.form().split_last()? else {
            return None;
        };
        let class = match self.is_pinned(offset, bank) {
            true => Class::D,
            false => Class::S,
        };
        let family = inst.op.family();
        let op = family.form_by_key(inst.op.key().with_last(class))?;
        let mut inst = Inst { op, ..inst };
        let slots: u8 = operands.iter().map(|class| class.slots()).sum();
        inst.slots[slots as usize] = near;
        Some(inst)
    }

    /// Makes the last instruction write its result to the slot at `offset` as well, if it can.
    fn retarget(&mut self, bank: Bank, offset: i32) -> bool {
        self.settle_last();
        if self.fusion
            && let Some(last) = self.last
            && last.result == Some(bank)
            && let Some(inst) = self.with_slot(last.inst, bank, offset)
        {
            let before = self.before;
            self.truncate(last.position);
            self.append_raw(inst);
            self.before = before;
            self.producers[bank as usize] = None;
            return true;
        }
        false
    }

    /// The same for the instruction that made what is in the accumulator, also if it is not the last. The
    /// slot must be one that no instruction since then has had to do with.
    fn retarget_producer(&mut self, bank: Bank, offset: i32) -> bool {
        if self.retarget(bank, offset) {
            return true;
        }
        let Some((position, inst)) = self.producers[bank as usize].take() else {
            return false;
        };
        if !self.fusion {
            return false;
        }
        let Some(with_slot) = self.with_slot(inst, bank, offset) else {
            return false;
        };
        let grown = self.encoder.replace(position, inst.op, &with_slot);
        self.beginning.replace(position, &with_slot, grown);
        self.moved(position, grown);
        true
    }

    /// Notes that the code after the cell at `position` has moved.
    fn moved(&mut self, position: u32, grown: u32) {
        if let Some((before, _)) = &mut self.before {
            if *before == position {
                // It is another instruction now.
                self.before = None;
            } else {
                *before += if *before > position { grown } else { 0 };
            }
        }
        if let Some(last) = &mut self.last {
            last.position += if last.position > position { grown } else { 0 };
        }
        for (producer, _) in self.producers.iter_mut().flatten() {
            *producer += if *producer > position { grown } else { 0 };
        }
        if let Some(map) = &mut self.map {
            let moved = map
                .iter_mut()
                .rev()
                .take_while(|(code, _)| *code > position);
            moved.for_each(|(code, _)| *code += grown);
        }
    }

    /// Stores the accumulator of `ty`, which holds an entry of the operand stack, in the entry's own slot.
    pub(super) fn store_acc_in_own(&mut self, ty: ValType, own: i32) -> Step {
        let bank = Bank::of(ty);
        if self.retarget_producer(bank, own) {
            self.wrote_slot(own);
            self.acc[bank as usize] = AccState::Slot(own);
            return Ok(());
        }
        self.move_acc(ty, own)
    }

    /// Stores the accumulator of `ty` in the slot at `offset`; it stays in the accumulator.
    pub(super) fn store_acc(&mut self, ty: ValType, offset: i32) -> Step {
        let bank = Bank::of(ty);
        if self.retarget(bank, offset) {
            self.wrote_slot(offset);
            self.acc[bank as usize] = match self.is_pinned(offset, bank) {
                // It went past the accumulator.
                true => AccState::Empty,
                false => AccState::Slot(offset),
            };
            return Ok(());
        }
        self.move_acc(ty, offset)
    }

    /// The same, always by an instruction of its own.
    pub(super) fn move_acc(&mut self, ty: ValType, offset: i32) -> Step {
        let mut fields = Fields::new(&[]);
        fields.acc();
        let far = match Self::near(offset) {
            Some(near) => {
                let class = match self.is_pinned(offset, Bank::of(ty)) {
                    true => Class::D,
                    false => Class::S,
                };
                fields.operand(class, [near, 0, 0]);
                None
            }
            None => {
                let scratch = self.scratch()?;
                fields.operand(Class::S, [scratch, 0, 0]);
                Some(scratch)
            }
        };
        self.append(fields.inst(Family::move_of(ty)));
        if let Some(scratch) = far {
            self.copy_far(offset, scratch.into());
            self.scratch = 0;
        }
        self.wrote_slot(offset);
        self.acc[Bank::of(ty) as usize] = AccState::Slot(offset);
        Ok(())
    }

    /// Puts a constant, or what is in a slot, into the pinned local whose slot is at `offset`. The accumulators
    /// stay as they are.
    pub(super) fn load_pinned(&mut self, value: Operand, offset: i32) -> Step {
        let mut fields = Fields::new(&[]);
        match value.arg {
            Arg::Const(bits) => match fits_imm32(bits, value.ty) {
                Some(imm) => fields.imm32(imm),
                None => fields.imm64(bits),
            },
            Arg::Slot(from) => {
                let from = self.source(from)?;
                fields.operand(Class::S, [from, 0, 0]);
            }
            _ => unreachable!("only constants and slots are loaded"),
        }
        let near = Self::near(offset).expect("pinned locals are near");
        fields.operand(Class::D, [near, 0, 0]);
        let mut inst = fields.inst(Family::move_of(value.ty));
        if Bank::of(value.ty) == Bank::Int
            && inst.op.form() == [Class::S, Class::D]
            && let Some(copy) = self.take_copy(Family::CopySlot)
        {
            let [from, to, ..] = inst.slots;
            inst = Inst::new(Family::CopyPin.fixed());
            inst.slots[..4].copy_from_slice(&[copy.slots[0], copy.slots[1], to, from]);
        }
        self.append(inst);
        self.wrote_slot(offset);
        Ok(())
    }

    /// Takes the last instruction out of the code if it is a copy of this row from slot to slot, or to the pinned integer.
    fn take_copy(&mut self, row: Family) -> Option<Inst> {
        let last = self.last.filter(|_| self.fusion && !self.window)?.inst;
        let copies = last.op.family() == row
            && (row == Family::CopySlot || last.op.form() == [Class::S, Class::D]);
        if copies {
            self.take_last();
        }
        copies.then_some(last)
    }

    /// Stores the sum of a slot and a constant in another slot. The accumulators stay as they are.
    pub(super) fn slot_add(&mut self, to: i32, from: i32, imm: i32) -> Step {
        let near = |offset| Self::near(offset).ok_or(Stop::FarSlot);
        let mut inst = Inst::new(Family::SlotAdd.fixed());
        inst.slots[..2].copy_from_slice(&[near(to)?, near(from)?]);
        inst.imm32[0] = imm as u32;
        self.append(inst);
        self.wrote_slot(to);
        Ok(())
    }

    /// Stores a constant in the slot at `offset`.
    pub(super) fn store_const(&mut self, offset: i32, bits: u64, ty: ValType) -> Step {
        // The upper bits of 32-bit values are unspecified, so that these always fit the shorter instruction.
        let bits = match ty {
            ValType::I32 | ValType::F32 => bits as i32 as u64,
            _ => bits,
        };
        let scratch = self.scratch;
        let (near, far) = match Self::near(offset) {
            Some(near) => (near, false),
            None => (self.scratch()?, true),
        };
        let mut inst = Inst::new(Family::Const64.fixed());
        if bits as i32 as u64 == bits {
            inst.op = Family::Const32.fixed();
            inst.imm32[0] = bits as u32;
        }
        inst.imm64 = bits;
        inst.slots[0] = near;
        self.append(inst);
        if far {
            self.copy_far(offset, near.into());
        }
        // The scratch slots of an instruction under way stay taken.
        self.scratch = scratch;
        self.wrote_slot(offset);
        Ok(())
    }

    /// Copies a slot. The accumulators stay as they are.
    pub(super) fn copy(&mut self, to: i32, from: i32, ty: ValType) -> Step {
        for half in 0..ty.slots() as i32 {
            self.copy_slot(to + 8 * half, from + 8 * half);
        }
        Ok(())
    }

    fn copy_slot(&mut self, to: i32, from: i32) {
        if to == from {
            return;
        }
        let scratch = self.scratch;
        self.wrote_slot(to);
        match (Self::near(to), Self::near(from)) {
            (Some(to), Some(from)) => self.copy_near(to, from),
            _ => self.copy_far(to, from),
        }
        self.scratch = scratch;
    }

    /// Two copies in a row become one instruction.
    fn copy_near(&mut self, to: i16, from: i16) {
        let mut inst = Inst::new(Family::CopySlot.fixed());
        inst.slots[..2].copy_from_slice(&[to, from]);
        if let Some(Last { inst: before, .. }) = self.last
            && before.op == inst.op
        {
            self.take_last();
            inst.op = Family::Copy2.fixed();
            inst.slots[..4].copy_from_slice(&[before.slots[0], before.slots[1], to, from]);
        } else if let Some(pin) = self
            .take_copy(Family::MoveI32)
            .or_else(|| self.take_copy(Family::MoveI64))
        {
            let [source, pinned, ..] = pin.slots;
            inst.op = Family::PinCopy.fixed();
            inst.slots[..4].copy_from_slice(&[pinned, source, to, from]);
        }
        self.append(inst);
    }
}
