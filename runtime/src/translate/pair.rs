//! Two operations in one instruction: the last one is taken out of the code when its only use is an operand of the
//! next.

use super::{
    Step, Translator,
    emit::{Fields, Last, fits_imm32},
    stack::{Arg, Bank, Operand},
};
use crate::{
    ir::{Family, Inst, Operand as Class},
    types::ValType,
};

/// The row for `second(first(x, y), z)`, or with `z` in front if `reversed`.
fn pair_of(first: Family, second: Family, reversed: bool) -> Option<Family> {
    use Family::*;
    let commutes = match second {
        I32Add | I32And | I32Or | I32Xor | I64Add | I64And | I64Xor => true,
        F32Add | F32Mul | F64Add | F64Mul => true,
        _ => false,
    };
    Some(match (first, second, reversed && !commutes) {
        (I32Shl, I32Add, false) => I32ShlAdd,
        (I32ShrU, I32And, false) => I32ShrUAnd,
        (I32Add, I32Add, false) => I32AddAdd,
        (I32Rotl, I32Xor, false) => I32RotlXor,
        (I32ShrU, I32Xor, false) => I32ShrUXor,
        (I32Xor, I32Add, false) => I32XorAdd,
        (I32And, I32Shl, false) => I32AndShl,
        (I32Mul, I32Add, false) => I32MulAdd,
        (I32Xor, I32Rotl, false) => I32XorRotl,
        (I32Xor, I32And, false) => I32XorAnd,
        (I32Shl, I32Xor, false) => I32ShlXor,
        (I32Shl, I32Or, false) => I32ShlOr,
        (I32And, I32Or, false) => I32AndOr,
        (I32Add, I32And, false) => I32AddAnd,
        (I32Xor, I32Xor, false) => I32XorXor,
        (I32Add, I32Xor, false) => I32AddXor,
        (I64Rotl, I64Add, false) => I64RotlAdd,
        (I64Rotl, I64Xor, false) => I64RotlXor,
        (I64Xor, I64And, false) => I64XorAnd,
        (I64Mul, I64Add, false) => I64MulAdd,
        (I64Add, I64Add, false) => I64AddAdd,
        (I64And, I64Xor, false) => I64AndXor,
        (I64Xor, I64Rotl, false) => I64XorRotl,
        (I64Shl, I64Add, false) => I64ShlAdd,
        (I64Xor, I64Add, false) => I64XorAdd,
        (I64ShrU, I64And, false) => I64ShrUAnd,
        (I64ExtendI32U, I64Add, false) => I64WidenAdd,
        (I32Load, I32Add, false) => I32LoadAdd,
        (I32Load, I32Xor, false) => I32LoadXor,
        (I32Load8U, I32Add, false) => I32Load8UAdd,
        (I64Load, I64Add, false) => I64LoadAdd,
        (I64Load, I64Xor, false) => I64LoadXor,
        (F32Load, F32Add, false) => F32LoadAdd,
        (F32Load, F32Sub, false) => F32LoadSub,
        (F32Load, F32Sub, true) => F32LoadRsub,
        (F32Load, F32Mul, false) => F32LoadMul,
        (F64Load, F64Add, false) => F64LoadAdd,
        (F64Load, F64Sub, false) => F64LoadSub,
        (F64Load, F64Sub, true) => F64LoadRsub,
        (F64Load, F64Mul, false) => F64LoadMul,
        (F32Mul, F32Add, false) => F32MulAdd,
        (F32Mul, F32Sub, false) => F32MulSub,
        (F32Mul, F32Sub, true) => F32SubMul,
        (F32Add, F32Mul, false) => F32AddMul,
        (F32Sub, F32Add, false) => F32SubAdd,
        (F32Mul, F32Mul, false) => F32MulMul,
        (F64Mul, F64Add, false) => F64MulAdd,
        (F64Mul, F64Sub, false) => F64MulSub,
        (F64Mul, F64Sub, true) => F64SubMul,
        (F64Add, F64Mul, false) => F64AddMul,
        (F64Sub, F64Add, false) => F64SubAdd,
        (F64Mul, F64Mul, false) => F64MulMul,
        _ => return None,
    })
}

/// The row that adds a number to a local and branches on a comparison of it.
fn counted(branch: Family) -> Option<Family> {
    use Family::*;
    Some(match branch {
        BrIfNez | BrI32Ne => CountI32Ne,
        BrI32LtS => CountI32LtS,
        BrI32LtU => CountI32LtU,
        BrI32GtS => CountI32GtS,
        BrI32GtU => CountI32GtU,
        BrI32LeS => CountI32LeS,
        BrI32LeU => CountI32LeU,
        BrI32GeS => CountI32GeS,
        BrI32GeU => CountI32GeU,
        BrI64Ne => CountI64Ne,
        BrI64LtS => CountI64LtS,
        BrI64LtU => CountI64LtU,
        BrI64GtS => CountI64GtS,
        BrI64GtU => CountI64GtU,
        BrI64LeS => CountI64LeS,
        BrI64LeU => CountI64LeU,
        BrI64GeS => CountI64GeS,
        BrI64GeU => CountI64GeU,
        _ => return None,
    })
}

impl Translator<'_, '_> {
    /// The last instruction, if it has left its result in the accumulator of `bank`, where alone it is.
    fn last_result(&self, bank: Bank) -> Option<Last> {
        self.last.filter(|last| {
            self.fusion && !self.window && last.result == Some(bank) && !last.negated
        })
    }

    /// Makes `second` of two popped operands do the work of the last instruction too, if one of them is its result and
    /// the table has the pair; gives the row and its operands.
    pub(super) fn fuse(
        &mut self,
        second: Family,
        a: Operand,
        b: Operand,
    ) -> Step<Option<(Family, Fields)>> {
        let (other, reversed) = match (a.arg, b.arg) {
            (Arg::Acc, _) => (b, false),
            (_, Arg::Acc) => (a, true),
            _ => return Ok(None),
        };
        let bank = Bank::of(a.ty);
        let Some(last) = self.last_result(bank) else {
            return Ok(None);
        };
        let first = last.inst.op.family();
        let global = (first, second, other.arg);
        if let (Family::GlobalGetI32, Family::I32Add, Arg::Const(bits)) = global {
            self.take_last();
            let fields = Fields::new(&[last.inst.imm32[0], bits as u32]);
            return Ok(Some((Family::GlobalGetAdd, fields)));
        }
        let Some(pair) = pair_of(first, second, reversed) else {
            return Ok(None);
        };
        if pair == Family::I64WidenAdd && !self.encoder.shared_acc() {
            return Ok(None);
        }
        let mut fields = self.operands_of(&last.inst, bank);
        match other.arg {
            Arg::Slot(offset) => self.field_slot(&mut fields, offset, bank)?,
            Arg::Const(bits) if bank == Bank::Int => match fits_imm32(bits, other.ty) {
                Some(imm) => fields.imm32(imm),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }
        let mut whole = fields.clone();
        whole.acc();
        if whole.try_inst(pair).is_none() {
            return Ok(None);
        }
        self.take_last();
        Ok(Some((pair, fields)))
    }

    /// The operands of an instruction, and its row's immediates, as they were before it was written.
    fn operands_of(&self, inst: &Inst, bank: Bank) -> Fields {
        let row = inst.op.family().fields();
        let (row_imms, imms) = inst.imm32.split_at(row.imm32 as usize);
        let mut fields = Fields::new(row_imms);
        let mut slots = inst.slots.into_iter();
        let mut imms = imms.iter().copied();
        // A load's address is an integer.
        let bank = if row.imm32 > 0 { Bank::Int } else { bank };
        let pinned = self.pins[bank as usize].and_then(Self::near).unwrap_or(0);
        let form = inst.op.form();
        let mut operands: smallvec::SmallVec<[Class; 2]> =
            form[..form.len() - 1].iter().copied().collect();
        if bank == Bank::Int && operands[..] == [Class::S, Class::L] {
            // The rows for pairs of integers have the pinned local in front, and the slot's field is the first anyway.
            operands.reverse();
        }
        for class in operands {
            match class {
                Class::S => fields.operand(Class::S, [slots.next().unwrap_or(0), 0, 0]),
                Class::L => fields.operand(Class::L, [pinned, 0, 0]),
                Class::I => fields.imm32(imms.next().unwrap_or(0)),
                Class::W => fields.imm64(inst.imm64),
                Class::A => fields.acc(),
                class => {
                    let mut taken = [0; 3];
                    for (to, from) in taken[..class.slots() as usize].iter_mut().zip(&mut slots) {
                        *to = from;
                    }
                    fields.operand(class, taken);
                }
            }
        }
        fields
    }

    /// Makes a branch on a local do the work of the last instruction too, if that has just added a number to the
    /// local: the end of most loops.
    pub(super) fn count(&mut self, branch: Family, fields: &Fields) -> Option<Inst> {
        let last = self.last.filter(|_| self.fusion && !self.window)?;
        let [to, ..] = last.inst.slots;
        let (place, at) = match last.inst.op.form() {
            [Class::S, Class::I, Class::S] if to == last.inst.slots[1] => (Class::S, to),
            [Class::L, Class::I, Class::D] => (Class::D, to),
            _ => return None,
        };
        let (other, reversed) = match (place, fields.operands()) {
            (Class::S, [(Class::A, _)]) => (None, false),
            (Class::S, [(Class::A, _), other]) => (Some(*other), false),
            (Class::D, [(Class::L, _)]) => (None, false),
            (Class::D, [(Class::L, _), other]) => (Some(*other), false),
            (Class::D, [other, (Class::L, _)]) => (Some(*other), true),
            _ => return None,
        };
        let branch = match reversed {
            true => branch.mirrored_branch(),
            false => branch,
        };
        let row = counted(branch)?;
        match (last.inst.op.family(), branch.compared_type()) {
            (Family::I32Add, ValType::I32) | (Family::I64Add, ValType::I64) => {}
            _ => return None,
        }
        let mut counted = Fields::new(&[last.inst.imm32[0]]);
        counted.operand(place, [at, 0, 0]);
        match other {
            None => counted.imm32(0),
            Some((Class::I, _)) => counted.imm32(fields.operand_imm32()),
            Some((Class::S, [slot, ..])) if slot == at => return None,
            Some((class @ (Class::S | Class::L), slots)) => counted.operand(class, slots),
            _ => return None,
        }
        let inst = counted.try_inst(row)?;
        self.take_last();
        Some(inst)
    }
}
