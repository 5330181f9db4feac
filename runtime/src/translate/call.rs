//! Calls and returns.
//!
//! Arguments are put into the slots that are theirs on the operand stack; behind the area of parameters
//! and results the callee's frame begins.

use super::{
    Step, Translator,
    control::slots_of,
    emit::{Fields, fits_imm32},
    stack::{Arg, Bank, Content, Operand},
};
use crate::{
    exec::HEADER,
    ir::{Family, Inst, Operand as Class},
    types::{FuncType, ValType},
};

impl<'m> Translator<'_, 'm> {
    /// Prepares the operand stack for a call: arguments in their slots, nothing in accumulators. Pops the
    /// arguments and gives the callee's `sp`, from this frame's.
    fn pass_arguments(&mut self, ty: &FuncType) -> Step<u32> {
        let count = ty.params().len();
        self.materialise_last(count)?;
        self.spill_all()?;
        self.pop_to(self.stack.len() - count);
        let area = self.height + ty.area_slots();
        self.reserve(area + HEADER as u32 / 8);
        Ok(self.temp_offset(area) as u32 + HEADER as u32)
    }

    /// Pushes what a call has left: one result in the accumulator, several in slots.
    fn push_results(&mut self, ty: &FuncType) {
        self.forget_accs();
        match ty.result_slice() {
            [single] => self.push_acc(*single),
            results => {
                for result in results {
                    self.push(Content::Temp, *result);
                }
            }
        }
    }

    pub(super) fn call(&mut self, func: u32) -> Step {
        let module = self.module;
        let ty = module.func_type(func);
        let sp = self.pass_arguments(ty)?;
        let inst = match func.checked_sub(module.num_imported_funcs()) {
            Some(defined) => {
                let mut inst = self.call_with(sp).unwrap_or_else(|| {
                    let mut inst = Inst::new(Family::Call.fixed());
                    inst.imm32[0] = sp;
                    inst
                });
                inst.func = defined;
                inst
            }
            None => {
                let mut inst = Inst::new(Family::CallImported.fixed());
                inst.imm32[..2].copy_from_slice(&[func, sp]);
                inst
            }
        };
        self.append(inst);
        self.push_results(ty);
        Ok(())
    }

    /// A call that does the work of the last instruction too, if that has put an argument into its slot.
    fn call_with(&mut self, sp: u32) -> Option<Inst> {
        let last = self.last.filter(|_| self.fusion && !self.window)?.inst;
        let mut fields = Fields::new(&[sp, 0]);
        let [to, from, ..] = last.slots;
        let to = match (last.op.family(), last.op.form()) {
            (Family::CopySlot, _) => {
                self.field_slot(&mut fields, from.into(), Bank::Int).ok()?;
                to
            }
            (Family::SlotAdd, _) => {
                fields.operand(Class::P, [from, 0, 0]);
                fields.set_imm32(1, last.imm32[0]);
                to
            }
            (Family::Const32, _) => {
                fields.imm32(last.imm32[0]);
                to
            }
            (Family::MoveI32 | Family::MoveI64, [Class::A, Class::S])
                if self.encoder.shared_acc() =>
            {
                fields.acc();
                to
            }
            _ => return None,
        };
        self.take_last();
        let mut inst = fields.inst(Family::CallWith);
        let slots = inst.op.format().slots as usize;
        inst.slots[slots - 1] = to;
        Some(inst)
    }

    pub(super) fn call_indirect(&mut self, type_index: u32, table: u32) -> Step {
        let module = self.module;
        let ty = module.type_at(type_index);
        self.settle_sums(1)?;
        let mut index = self.pop();
        self.constant_to_slot(&mut index)?;
        // The index stays where it is: arguments go below it, and copies leave the accumulator alone.
        let sp = self.pass_arguments(ty)?;
        let mut fields = Fields::new(&[table, module.sig(type_index), sp]);
        self.field(&mut fields, index)?;
        self.append(fields.inst(Family::CallIndirect));
        self.push_results(ty);
        Ok(())
    }

    /// The fields that all tail calls have: see `ReturnCall` in `exec`.
    fn tail_fields(&mut self, ty: &FuncType) -> Step<[u32; 3]> {
        let count = ty.params().len();
        self.materialise_last(count)?;
        self.spill_all()?;
        self.pop_to(self.stack.len() - count);
        let from = self.temp_offset(self.height) as u32;
        Ok([from, ty.param_slots(), ty.area_slots()])
    }

    pub(super) fn return_call(&mut self, func: u32) -> Step {
        let module = self.module;
        let fields = self.tail_fields(module.func_type(func))?;
        let mut inst;
        match func.checked_sub(module.num_imported_funcs()) {
            Some(defined) => {
                inst = Inst::new(Family::ReturnCall.fixed());
                inst.func = defined;
            }
            None => {
                inst = Inst::new(Family::ReturnCallImported.fixed());
                inst.imm32[3] = func;
            }
        }
        inst.slots[0] = self.area_start();
        inst.imm32[..3].copy_from_slice(&fields);
        self.append_unpin();
        self.append(inst);
        self.unreachable_from_here();
        Ok(())
    }

    pub(super) fn return_call_indirect(&mut self, type_index: u32, table: u32) -> Step {
        let module = self.module;
        self.settle_sums(1)?;
        let mut index = self.pop();
        self.constant_to_slot(&mut index)?;
        let [from, params, area] = self.tail_fields(module.type_at(type_index))?;
        let mut fields = Fields::new(&[from, params, area, table, module.sig(type_index)]);
        self.field(&mut fields, index)?;
        let mut inst = fields.inst(Family::ReturnCallIndirect);
        let slots = inst.op.format().slots as usize;
        inst.slots[slots - 1] = self.area_start();
        self.append_unpin();
        self.append(inst);
        self.unreachable_from_here();
        Ok(())
    }

    pub(super) fn return_(&mut self) -> Step {
        self.append_return()?;
        self.unreachable_from_here();
        Ok(())
    }

    /// Returns with the results on top of the operand stack, and pops them.
    pub(super) fn append_return(&mut self) -> Step {
        match self.ty.result_slice() {
            [_] => {
                let result = self.pop();
                self.leave_with(result)
            }
            _ => self.append_return_keep(),
        }
    }

    /// The same without popping them.
    pub(super) fn append_return_keep(&mut self) -> Step {
        let types = self.ty.result_slice();
        match types {
            [] => self.append_leave(),
            [_] => {
                // On the way out it does not matter what the accumulator held, but the entry stays as it
                // is for the code that goes on.
                let (entry, state) = (*self.stack.last().expect("validated"), self.acc);
                let value = self.peek();
                self.leave_with(value)?;
                self.acc = state;
                debug_assert_eq!(entry.slot, self.stack.last().expect("validated").slot);
            }
            _ => {
                self.materialise_last(types.len())?;
                let first = self.own_offset((self.stack.len() - types.len()) as u32);
                self.append_unpin();
                let mut inst = Inst::new(Family::ReturnMany.fixed());
                inst.slots[0] = self.area_start();
                inst.imm32[..2].copy_from_slice(&[first as u32, slots_of(types)]);
                self.append(inst);
            }
        }
        Ok(())
    }

    /// Leaves the function with this result.
    fn leave_with(&mut self, result: Operand) -> Step {
        if result.in_acc() {
            self.append_leave();
            return Ok(());
        }
        let family = match (result.ty, self.saved_pins) {
            (ValType::I32, None) => Some(Family::ReturnI32),
            (ValType::I32, _) => Some(Family::ReturnUnpinI32),
            (ValType::F64, None) => Some(Family::ReturnF64),
            (ValType::F64, _) => Some(Family::ReturnUnpinF64),
            (ValType::F32, _) => None,
            (_, None) => Some(Family::ReturnI64),
            (_, _) => Some(Family::ReturnUnpinI64),
        };
        let mut fields = Fields::new(&[]);
        match (family, result.arg) {
            (Some(family), Arg::Slot(offset)) if self.fusion => {
                self.field_slot(&mut fields, offset, Bank::of(result.ty))?;
                self.append_leave_as(fields, family);
            }
            (Some(family), Arg::Const(bits))
                if self.fusion && fits_imm32(bits, result.ty).is_some() =>
            {
                fields.imm32(bits as u32);
                self.append_leave_as(fields, family);
            }
            _ => {
                self.load_acc(result)?;
                self.append_leave();
            }
        }
        Ok(())
    }

    /// Appends a return with an operand; the saved pins come after it.
    fn append_leave_as(&mut self, fields: Fields, family: Family) {
        let mut inst = fields.inst(family);
        if let Some(saved) = self.saved_pins {
            let slots = inst.op.format().slots as usize;
            inst.slots[slots - 1] = saved;
        }
        self.append(inst);
    }

    /// Leaves the function; its result is in the accumulator.
    pub(super) fn append_leave(&mut self) {
        let mut inst = Inst::new(Family::Return.fixed());
        if let Some(saved) = self.saved_pins {
            inst.op = Family::ReturnUnpin.fixed();
            inst.slots[0] = saved;
        }
        self.append(inst);
    }

    /// Gives the caller its pinned locals back.
    fn append_unpin(&mut self) {
        if let Some(saved) = self.saved_pins {
            let mut inst = Inst::new(Family::Unpin.fixed());
            inst.slots[0] = saved;
            self.append(inst);
        }
    }

    /// Where this function's own parameters and results are, from `sp`.
    pub(super) fn area_start(&self) -> i16 {
        // 1,000 parameters and results are the most that validation admits.
        -((HEADER as i32 + 8 * self.ty.area_slots() as i32) as i16)
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
            Arg::Slot(offset) => {
                let slot = self.source(offset)?;
                fields.operand(Class::S, [slot, 0, 0]);
            }
            Arg::Sum(base, plus) => {
                self.field_slot(&mut fields, base, Bank::Int)?;
                fields.imm32(plus as u32);
                fields.acc();
                let family = match ty {
                    ValType::I32 => Family::I32Add,
                    _ => Family::I64Add,
                };
                self.append(fields.inst(family));
                return Ok(());
            }
            Arg::Acc | Arg::AccAndSlot(_) => return Ok(()),
        }
        fields.acc();
        self.append(fields.inst(Family::move_of(ty)));
        Ok(())
    }
}
