//! Memory, table and global instructions.

use super::{
    Step, Translator,
    emit::{Fields, fits_imm32},
    stack::{Arg, Bank, Operand},
};
use crate::{
    ir::{Family, Inst},
    types::ValType,
};

impl Translator<'_, '_> {
    /// The effective address of a constant address: it goes where the offset is, if it fits.
    fn constant_address(address: Operand, offset: u32) -> Option<u32> {
        match address.arg {
            Arg::Const(bits) => (bits as u32).checked_add(offset),
            _ => None,
        }
    }

    pub(super) fn load(&mut self, family: Family, memarg: wasmparser::MemArg, ty: ValType) -> Step {
        let address = self.pop();
        // Offsets of 32-bit memories have 32 bits: the validator checked that.
        let offset = memarg.offset as u32;
        let mut fields = Fields::new(&[offset]);
        match Self::constant_address(address, offset) {
            Some(effective) => {
                fields = Fields::new(&[0]);
                fields.imm32(effective);
            }
            None => self.field(&mut fields, address)?,
        }
        self.append_result(family, fields, ty)
    }

    /// `family` takes its value from an integer, `in_acc` is the row for a float in the accumulator.
    pub(super) fn store(
        &mut self,
        family: Family,
        in_acc: Option<Family>,
        memarg: wasmparser::MemArg,
    ) -> Step {
        let mut value = self.pop();
        let mut address = self.pop();
        let offset = memarg.offset as u32;
        let constant = Self::constant_address(address, offset);
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
        let mut fields = Fields::new(&[if constant.is_some() { 0 } else { offset }]);
        match constant {
            Some(effective) => fields.imm32(effective),
            None => self.field(&mut fields, address)?,
        }
        match imm {
            Some(imm) => fields.imm32(imm),
            None => self.field(&mut fields, value)?,
        }
        self.append(fields.inst(family));
        Ok(())
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
            None => self.field(&mut fields, value)?,
        }
        self.append(fields.inst(family));
        Ok(())
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
        if let Some(ty) = result {
            // Its only form leaves the result in the accumulator.
            self.producers[Bank::of(ty) as usize] = None;
            self.push_acc(ty);
        }
        Ok(())
    }
}
