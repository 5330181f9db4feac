//! Memory, table and global instructions.

use super::{
    Step, Translator,
    emit::{Fields, fits_imm32},
    stack::{Arg, Bank, Operand},
};
use crate::{
    ir::{Family, Inst, Operand as Class},
    types::ValType,
};

impl Translator<'_, '_> {
    /// Adds an address, for a row whose first immediate is the offset. What makes the address is taken out of the
    /// code if the instruction can do it by itself.
    fn address(&mut self, fields: &mut Fields, address: Operand, offset: u32) -> Step {
        match address.arg {
            // A constant address goes where the offset is, if it fits.
            Arg::Const(bits) if (bits as u32).checked_add(offset).is_some() => {
                fields.set_imm32(0, 0);
                fields.imm32(bits as u32 + offset);
                Ok(())
            }
            Arg::Sum(base, plus) => {
                debug_assert_eq!(offset, 0);
                fields.set_imm32(0, plus as u32);
                let slot = self.source(base)?;
                let class = match self.is_pinned(base, Bank::Int) {
                    true => Class::R,
                    false => Class::P,
                };
                fields.operand(class, [slot, 0, 0]);
                Ok(())
            }
            Arg::Acc if let Some((class, slots)) = self.take_addition() => {
                fields.operand(class, slots);
                Ok(())
            }
            Arg::Acc
                if offset == 0
                    && let Some((class, slots, plus)) = self.take_shifted_sum() =>
            {
                fields.set_imm32(0, plus);
                fields.operand(class, slots);
                Ok(())
            }
            _ => self.field(fields, address),
        }
    }

    /// Takes the last instruction out of the code if it has made the address that was popped as a sum of two
    /// operands, or by shifting one, and gives them.
    fn take_addition(&mut self) -> Option<(Class, [i16; 3])> {
        let last = self.last.filter(|_| self.fusion && !self.window)?;
        if last.result != Some(Bank::Int) || last.negated {
            return None;
        }
        let [a, b, ..] = last.inst.slots;
        let by = (last.inst.imm32[0] & 31) as i16;
        let pinned = |slot: i16| self.is_pinned(slot.into(), Bank::Int);
        let sum = match (last.inst.op.family(), last.inst.op.form()) {
            // The low half of an i64 sum is the sum of the low halves.
            (Family::I64Add, _) if !self.encoder.shared_acc() => return None,
            (Family::I32Add | Family::I64Add, form) => match form {
                [Class::S, Class::S, Class::A] => (Class::X, [a, b, 0]),
                [Class::A, Class::S, Class::A] => (Class::Y, [a, 0, 0]),
                [Class::S, Class::L, Class::A] => (Class::M, [a, 0, 0]),
                [Class::A, Class::L, Class::A] => (Class::N, [0; 3]),
                _ => return None,
            },
            (Family::I32ShlAdd, form) => match form {
                [Class::S, Class::I, Class::S, Class::A] if pinned(b) => (Class::G, [a, by, 0]),
                [Class::S, Class::I, Class::S, Class::A] => (Class::E, [b, a, by]),
                [Class::A, Class::I, Class::S, Class::A] if pinned(a) => (Class::H, [by, 0, 0]),
                [Class::A, Class::I, Class::S, Class::A] => (Class::V, [a, by, 0]),
                [Class::L, Class::I, Class::S, Class::A] => (Class::J, [a, by, 0]),
                _ => return None,
            },
            (Family::I32Shl, form) => match form {
                [Class::S, Class::I, Class::A] => (Class::K, [a, by, 0]),
                [Class::A, Class::I, Class::A] => (Class::O, [by, 0, 0]),
                [Class::L, Class::I, Class::A] => (Class::Q, [by, 0, 0]),
                _ => return None,
            },
            _ => return None,
        };
        self.take_last();
        Some(sum)
    }

    /// The same if it has made the address by shifting an operand and adding a constant, which comes last.
    fn take_shifted_sum(&mut self) -> Option<(Class, [i16; 3], u32)> {
        let last = self.last.filter(|_| self.fusion && !self.window)?;
        if last.result != Some(Bank::Int) || last.inst.op.family() != Family::I32ShlAdd {
            return None;
        }
        let [by, plus, ..] = last.inst.imm32;
        let by = (by & 31) as i16;
        let (class, slots) = match last.inst.op.form() {
            [Class::S, Class::I, Class::I, Class::A] => (Class::F, [last.inst.slots[0], by, 0]),
            [Class::A, Class::I, Class::I, Class::A] => (Class::T, [by, 0, 0]),
            [Class::L, Class::I, Class::I, Class::A] => (Class::Z, [by, 0, 0]),
            _ => return None,
        };
        self.take_last();
        Some((class, slots, plus))
    }

    pub(super) fn load(&mut self, family: Family, memarg: wasmparser::MemArg, ty: ValType) -> Step {
        // Offsets of 32-bit memories have 32 bits: the validator checked that.
        let offset = memarg.offset as u32;
        if offset != 0 {
            self.settle_sums(1)?;
        }
        let address = self.pop();
        let mut fields = Fields::new(&[offset]);
        self.address(&mut fields, address, offset)?;
        self.append_result(family, fields, ty)
    }

    /// `family` takes its value from an integer, `in_acc` is the row for a float in the accumulator.
    pub(super) fn store(
        &mut self,
        family: Family,
        in_acc: Option<Family>,
        memarg: wasmparser::MemArg,
    ) -> Step {
        let offset = memarg.offset as u32;
        self.settle_sums(1)?;
        if offset != 0 {
            self.settle_sums(2)?;
        }
        let mut value = self.pop();
        let mut address = self.pop();
        // An integer address and value cannot both be in the one accumulator.
        if Bank::of(value.ty) == Bank::Int && value.in_acc() && address.in_acc() {
            let other = if value.arg == Arg::Acc {
                &mut address
            } else {
                &mut value
            };
            if let Arg::AccAndSlot(at) = other.arg {
                other.arg = Arg::Slot(at);
            }
        }
        // A float's bits are an integer's, except in the accumulator.
        let family = in_acc.filter(|_| value.in_acc()).unwrap_or(family);
        let imm = match value.arg {
            Arg::Const(bits) => match value.ty {
                // All 64 bits have to be right.
                ValType::F64 => fits_imm32(bits, ValType::I64),
                ty => fits_imm32(bits, ty),
            },
            _ => None,
        };
        let mut fields = Fields::new(&[offset]);
        self.address(&mut fields, address, offset)?;
        match imm {
            Some(imm) => fields.imm32(imm),
            None => self.bits(&mut fields, value)?,
        }
        self.append(fields.inst(family));
        Ok(())
    }

    /// Adds a value for a row that takes a float's bits as an integer's, unless they are in the accumulator.
    fn bits(&mut self, fields: &mut Fields, value: Operand) -> Step {
        match value.arg {
            Arg::Slot(offset) if Bank::of(value.ty) != Bank::Int => {
                let slot = self.source(offset)?;
                fields.operand(Class::S, [slot, 0, 0]);
                Ok(())
            }
            _ => self.field(fields, value),
        }
    }

    pub(super) fn global_get(&mut self, index: u32) -> Step {
        let ty = *self.module.global_type(index).content();
        let family = match ty {
            ValType::I32 => Family::GlobalGetI32,
            ValType::F32 => Family::GlobalGetF32,
            ValType::F64 => Family::GlobalGetF64,
            _ => Family::GlobalGetI64,
        };
        self.append_result(family, Fields::new(&[index]), ty)
    }

    pub(super) fn global_set(&mut self, index: u32) -> Step {
        if self.global_sum(index) {
            return Ok(());
        }
        self.settle_sums(1)?;
        let value = self.pop();
        let mut fields = Fields::new(&[index]);
        // As for stores: a float's bits are an integer's, except in the accumulator.
        let family = match (value.ty, value.in_acc()) {
            (ValType::F32, true) => Family::GlobalSetF32,
            (ValType::F64, true) => Family::GlobalSetF64,
            (ValType::I32, _) => Family::GlobalSetI32,
            _ => Family::GlobalSetI64,
        };
        let imm = match value.arg {
            Arg::Const(bits) => match value.ty {
                ValType::I32 => Some(bits as u32),
                _ => fits_imm32(bits, ValType::I64),
            },
            _ => None,
        };
        match imm {
            Some(imm) => fields.imm32(imm),
            None => self.bits(&mut fields, value)?,
        }
        self.append(fields.inst(family));
        Ok(())
    }

    /// `global.set` of a sum that is still to be made, or of one that was made of the same global: as with a stack
    /// pointer in the linear memory. `false` if it is neither.
    fn global_sum(&mut self, index: u32) -> bool {
        let value = self.peek();
        if let (Arg::Sum(base, plus), ValType::I32) = (value.arg, value.ty)
            && let Some(base) = Self::near(base)
        {
            self.pop();
            let mut inst = Inst::new(Family::GlobalSetSum.fixed());
            inst.slots[0] = base;
            inst.imm32[..2].copy_from_slice(&[index, plus as u32]);
            self.append(inst);
            return true;
        }
        let Some(last) = self.last.filter(|last| {
            last.inst.op.family() == Family::GlobalGetAdd && last.inst.imm32[0] == index
        }) else {
            return false;
        };
        let is_it = match (value.arg, last.inst.op.form()) {
            (Arg::Acc, [Class::A]) => last.result == Some(Bank::Int),
            (Arg::Slot(at) | Arg::AccAndSlot(at), [Class::S | Class::D]) => {
                Self::near(at) == Some(last.inst.slots[0])
            }
            _ => false,
        };
        if is_it {
            self.pop();
            self.take_last();
            let op = Family::GlobalUpdate.form(last.inst.op.form());
            let op = op.expect("both rows have the same forms");
            self.append(Inst { op, ..last.inst });
        }
        is_it
    }

    /// An instruction without operands on the stack whose result, if any, goes to the accumulator.
    pub(super) fn simple(&mut self, family: Family, imms: &[u32], result: Option<ValType>) -> Step {
        if let Some(ty) = result {
            self.spill(Bank::of(ty))?;
        }
        let mut inst = Inst::new(family.fixed());
        inst.imm32[..imms.len()].copy_from_slice(imms);
        self.append(inst);
        if let Some(ty) = result {
            // Its only form leaves the result in the accumulator.
            self.producers[Bank::of(ty) as usize] = None;
            self.push_acc(ty);
        }
        Ok(())
    }

    /// An instruction that finds its `count` operands in consecutive slots. They are the last entries of
    /// the stack; its result, if any, goes to the accumulator.
    pub(super) fn in_slots(
        &mut self,
        family: Family,
        count: usize,
        imms: &[u32],
        result: Option<ValType>,
    ) -> Step {
        self.materialise_last(count)?;
        if let Some(ty) = result {
            self.spill(Bank::of(ty))?;
        }
        let first = self.own_offset((self.stack.len() - count) as u32);
        let last = first + 8 * (count as i32 - 1);
        let base = if Self::near(last).is_some() {
            first as i16
        } else {
            // All into the window, which has consecutive slots.
            let mut base = 0;
            for i in (0..count as i32).rev() {
                base = self.window_slot(i, first + 8 * i)?;
            }
            base
        };
        self.pop_to(self.stack.len() - count);
        let mut inst = Inst::new(family.fixed());
        inst.slots[0] = base;
        inst.imm32[..imms.len()].copy_from_slice(imms);
        self.append(inst);
        for i in 0..count as i32 {
            // Bulk instructions that are metered note there what is left.
            self.wrote_slot(first + 8 * i);
        }
        if let Some(ty) = result {
            // Its only form leaves the result in the accumulator.
            self.producers[Bank::of(ty) as usize] = None;
            self.push_acc(ty);
        }
        Ok(())
    }
}
