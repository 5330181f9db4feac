//! The operand stack: what each entry is, and which accumulator holds what.

use super::{Local, Step, Translator, emit::Fields};
use crate::{ir::Family, types::ValType};

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// What an entry of the operand stack is now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A local's present value, plus a number; written out before the local changes. With the next older
    /// entry of the same local.
    Local { index: u32, older: u32, plus: i32 },
    /// A constant, in the form of a slot.
    Const(u64),
    /// The accumulator of its type, and nowhere else.
    Acc,
    /// Its own slot.
    Temp,
    /// Its own slot plus a number.
    TempPlus(i32),
}

/// An entry of the operand stack.
#[derive(Copy, Clone, Debug)]
pub(super) struct Entry {
    pub(super) content: Content,
    pub(super) ty: ValType,
    /// Its own slot, counted from the first slot after the locals.
    pub(super) slot: u32,
}

/// What an accumulator holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum AccState {
    /// Nothing of use.
    Empty,
    /// The entry with this index, which is nowhere else.
    Entry(u32),
    /// The same as the slot at this offset.
    Slot(i32),
}

/// Accumulators: both integer types share one, as on 64-bit machines.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Bank {
    Int,
    F32,
    F64,
}

impl Bank {
    pub(super) fn of(ty: ValType) -> Self {
        match ty {
            ValType::F32 => Self::F32,
            ValType::F64 => Self::F64,
            _ => Self::Int,
        }
    }
}

/// A popped entry: how an instruction can get at its value.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Arg {
    /// In the accumulator alone.
    Acc,
    /// In the slot at this offset, and in the accumulator as well.
    AccAndSlot(i32),
    /// In the slot at this offset.
    Slot(i32),
    /// A constant.
    Const(u64),
    /// The slot at this offset plus a number, which no instruction has added yet: for addresses.
    Sum(i32, i32),
}

/// A popped entry with what is needed to put it somewhere else.
#[derive(Copy, Clone, Debug)]
pub(super) struct Operand {
    pub(super) arg: Arg,
    pub(super) ty: ValType,
    /// Offset of the entry's own slot: free now, unless the value is in it.
    pub(super) own: i32,
}

impl Operand {
    /// Is it in the accumulator?
    pub(super) fn in_acc(self) -> bool {
        matches!(self.arg, Arg::Acc | Arg::AccAndSlot(_))
    }
}

impl Translator<'_, '_> {
    /// Offset of the temporary slot `slot`, in bytes from `sp`.
    pub(super) fn temp_offset(&self, slot: u32) -> i32 {
        (8 * (self.local_slots + slot)) as i32
    }

    /// Offset of an entry's own slot.
    pub(super) fn own_offset(&self, entry: u32) -> i32 {
        self.temp_offset(self.stack[entry as usize].slot)
    }

    /// Notes that the frame reaches up to the end of the temporary slot before `slot`.
    pub(super) fn reserve(&mut self, slot: u32) {
        self.frame = self
            .frame
            .max(8 * (u64::from(self.local_slots) + u64::from(slot)));
    }

    /// Pushes an entry.
    pub(super) fn push(&mut self, content: Content, ty: ValType) {
        self.stack.push(Entry {
            content,
            ty,
            slot: self.height,
        });
        self.height += ty.slots();
        self.reserve(self.height);
    }

    pub(super) fn push_const(&mut self, bits: u64, ty: ValType) {
        self.push(Content::Const(bits), ty);
    }

    pub(super) fn push_local(&mut self, index: u32) {
        let entry = self.stack.len() as u32;
        let local = &mut self.locals[index as usize];
        let older = core::mem::replace(&mut local.newest, entry);
        let ty = local.ty;
        let content = Content::Local {
            index,
            older,
            plus: 0,
        };
        self.push(content, ty);
    }

    /// The number in the sum of an entry and `imm`, if that can wait: an address often is such a sum, and loads and
    /// stores make it themselves.
    fn sum_with(&self, entry: Entry, imm: i32) -> Option<i32> {
        let plus = match entry.content {
            _ if !self.fusion || self.window => return None,
            Content::Local { plus, .. } | Content::TempPlus(plus) => plus,
            Content::Temp => 0,
            _ => return None,
        };
        match entry.ty {
            ValType::I32 => Some(plus.wrapping_add(imm)),
            // Beyond 32 bits it would be another number.
            _ => plus.checked_add(imm),
        }
    }

    pub(super) fn can_sum(&self, entry: Entry, imm: i32) -> bool {
        self.sum_with(entry, imm).is_some()
    }

    /// Pushes the sum of an entry, which has just been popped from there, and `imm`, without an instruction.
    pub(super) fn push_sum(&mut self, entry: Entry, imm: i32) {
        let plus = self.sum_with(entry, imm).unwrap_or_default();
        match entry.content {
            Content::Local { index, .. } => {
                self.push_local(index);
                let top = self.stack.last_mut().expect("just pushed");
                top.ty = entry.ty;
                if let Content::Local { plus: sum, .. } = &mut top.content {
                    *sum = plus;
                }
            }
            _ if plus == 0 => self.push(Content::Temp, entry.ty),
            _ => self.push(Content::TempPlus(plus), entry.ty),
        }
    }

    /// Makes values of the sums among the last `count` entries, for an instruction that cannot add by itself.
    pub(super) fn settle_sums(&mut self, count: usize) -> Step {
        for entry in self.stack.len() - count..self.stack.len() {
            let Entry { content, ty, .. } = self.stack[entry];
            let Some((base, plus)) = self.sum(entry as u32) else {
                continue;
            };
            self.spill(Bank::Int)?;
            if let Content::Local { .. } = content {
                self.unlink(entry as u32);
            }
            let family = match ty {
                ValType::I32 => Family::I32Add,
                _ => Family::I64Add,
            };
            let mut fields = Fields::new(&[]);
            if self.acc[Bank::Int as usize] == AccState::Slot(base) {
                fields.acc();
            } else {
                self.field_slot(&mut fields, base, Bank::Int)?;
            }
            fields.imm32(plus as u32);
            fields.acc();
            self.append(fields.inst(family));
            self.mark_result(Bank::Int);
            self.stack[entry].content = Content::Acc;
            self.acc[Bank::Int as usize] = AccState::Entry(entry as u32);
        }
        Ok(())
    }

    /// If an entry is a sum that is still to be made: the offset of the slot, and the number.
    pub(super) fn sum(&self, entry: u32) -> Option<(i32, i32)> {
        match self.stack[entry as usize].content {
            Content::Local { index, plus, .. } if plus != 0 => {
                Some((self.locals[index as usize].offset, plus))
            }
            Content::TempPlus(plus) => Some((self.own_offset(entry), plus)),
            _ => None,
        }
    }

    /// Pushes the result that an instruction has just put into the accumulator.
    pub(super) fn push_acc(&mut self, ty: ValType) {
        self.acc[Bank::of(ty) as usize] = AccState::Entry(self.stack.len() as u32);
        self.push(Content::Acc, ty);
    }

    /// The entry on top, as an operand.
    pub(super) fn peek(&self) -> Operand {
        let entry = self
            .stack
            .last()
            .expect("validation has counted the operands");
        let own = self.temp_offset(entry.slot);
        let acc = self.acc[Bank::of(entry.ty) as usize];
        let at = |offset| {
            if acc == AccState::Slot(offset) {
                Arg::AccAndSlot(offset)
            } else {
                Arg::Slot(offset)
            }
        };
        let arg = match entry.content {
            Content::Local { index, plus: 0, .. } => at(self.locals[index as usize].offset),
            Content::Local { index, plus, .. } => {
                Arg::Sum(self.locals[index as usize].offset, plus)
            }
            Content::Const(bits) => Arg::Const(bits),
            Content::Acc => Arg::Acc,
            Content::Temp => at(own),
            Content::TempPlus(plus) => Arg::Sum(own, plus),
        };
        Operand {
            arg,
            ty: entry.ty,
            own,
        }
    }

    /// Pops an entry.
    pub(super) fn pop(&mut self) -> Operand {
        let operand = self.peek();
        if let Some(entry) = self.stack.pop() {
            self.height = entry.slot;
            self.settled = self.settled.min(self.stack.len());
            match entry.content {
                Content::Local { index, older, .. } => self.locals[index as usize].newest = older,
                Content::Acc => self.acc[Bank::of(entry.ty) as usize] = AccState::Empty,
                Content::Const(_) | Content::Temp | Content::TempPlus(_) => {}
            }
        }
        operand
    }

    /// Drops entries until `len` are left.
    pub(super) fn pop_to(&mut self, len: usize) {
        while self.stack.len() > len {
            self.pop();
        }
    }

    /// Notes that the slot at `offset` has a new value, which no accumulator has.
    pub(super) fn wrote_slot(&mut self, offset: i32) {
        for acc in &mut self.acc {
            if *acc == AccState::Slot(offset) {
                *acc = AccState::Empty;
            }
        }
    }

    /// Forgets what the accumulators hold: other code may run before the next instruction.
    pub(super) fn forget_accs(&mut self) {
        debug_assert!(!self.acc.iter().any(|acc| matches!(acc, AccState::Entry(_))));
        self.acc = [AccState::Empty; 3];
        self.producers = [None; 3];
    }

    /// Frees the accumulator of `bank`: an entry that is there moves to its own slot.
    pub(super) fn spill(&mut self, bank: Bank) -> Step {
        if let AccState::Entry(entry) = self.acc[bank as usize] {
            self.materialise(entry)?;
        }
        Ok(())
    }

    /// Frees all accumulators.
    pub(super) fn spill_all(&mut self) -> Step {
        self.spill(Bank::Int)?;
        self.spill(Bank::F32)?;
        self.spill(Bank::F64)
    }

    /// Sees to it that an entry is in its own slot.
    pub(super) fn materialise(&mut self, entry: u32) -> Step {
        let Entry { content, ty, .. } = self.stack[entry as usize];
        let own = self.own_offset(entry);
        match content {
            Content::Temp => return Ok(()),
            Content::Acc => self.store_acc_in_own(ty, own)?,
            Content::Const(bits) => self.store_const(own, bits, ty)?,
            Content::Local { index, plus, .. } => {
                self.unlink(entry);
                let from = self.locals[index as usize].offset;
                match plus {
                    0 => self.copy(own, from, ty)?,
                    _ => self.slot_add(own, from, plus)?,
                }
            }
            Content::TempPlus(plus) => self.slot_add(own, own, plus)?,
        }
        self.stack[entry as usize].content = Content::Temp;
        Ok(())
    }

    /// Takes an entry that stands for a local out of the local's list.
    fn unlink(&mut self, entry: u32) {
        let Content::Local { index, older, .. } = self.stack[entry as usize].content else {
            return;
        };
        let mut at = self.locals[index as usize].newest;
        if at == entry {
            self.locals[index as usize].newest = older;
            return;
        }
        while at != NONE {
            let Content::Local { older: next, .. } = &mut self.stack[at as usize].content else {
                return;
            };
            if *next == entry {
                *next = older;
                return;
            }
            at = *next;
        }
    }

    /// Moves the entries that stand for a local to their own slots, because the local is about to change.
    pub(super) fn preserve(&mut self, local: u32) -> Step {
        loop {
            match self.locals[local as usize].newest {
                NONE => return Ok(()),
                entry => self.materialise(entry)?,
            }
        }
    }

    /// Sees to it that no entry is a local or in an accumulator: before control flow splits or meets, since
    /// what happens to them on one path would not have happened on another.
    pub(super) fn settle_stack(&mut self) -> Step {
        self.settle_from(self.settled)?;
        self.settled = self.stack.len();
        Ok(())
    }

    fn settle_from(&mut self, first: usize) -> Step {
        // The newest first: it may be what the last instruction made.
        for entry in (first..self.stack.len()).rev() {
            if matches!(
                self.stack[entry].content,
                Content::Acc | Content::Local { .. } | Content::TempPlus(_)
            ) {
                self.materialise(entry as u32)?;
            }
        }
        Ok(())
    }

    /// Sees to it that the last `count` entries are in their own slots, which are consecutive.
    pub(super) fn materialise_last(&mut self, count: usize) -> Step {
        let first = self.stack.len() - count;
        // What the last instruction made goes first, while it still is the last.
        if let Some(entry) = self.stack.len().checked_sub(1)
            && entry >= first
            && self.stack[entry].content == Content::Acc
        {
            self.materialise(entry as u32)?;
        }
        for entry in first..self.stack.len() {
            self.materialise(entry as u32)?;
        }
        Ok(())
    }

    /// `local.tee`: the entry on top becomes the local, unless it is a constant.
    pub(super) fn local_tee(&mut self, index: u32) -> Step {
        let top = *self.stack.last().expect("validated");
        self.set_local(index)?;
        match top.content {
            Content::Const(bits) => self.push_const(bits, top.ty),
            _ => self.push_local(index),
        }
        Ok(())
    }

    /// `local.set`, and `local.tee` without what it leaves on the stack.
    pub(super) fn set_local(&mut self, index: u32) -> Step {
        self.settle_sums(1)?;
        let value = self.pop();
        let Local { offset, ty, .. } = self.locals[index as usize];
        // The same value again: a local set to itself.
        if matches!(value.arg, Arg::Slot(from) | Arg::AccAndSlot(from) if from == offset) {
            return Ok(());
        }
        if self.locals[index as usize].newest != NONE {
            // The value may be in the accumulator: copies of slots leave it alone.
            self.preserve(index)?;
        }
        match value.arg {
            Arg::Acc => self.store_acc(ty, offset),
            Arg::Const(_) if self.is_pinned(offset, Bank::of(ty)) => {
                self.load_pinned(value, offset)
            }
            Arg::Const(bits) => self.store_const(offset, bits, ty),
            Arg::AccAndSlot(_) => self.move_acc(ty, offset),
            Arg::Slot(_) if self.is_pinned(offset, Bank::of(ty)) => self.load_pinned(value, offset),
            Arg::Slot(from) => self.copy(offset, from, ty),
            Arg::Sum(..) => unreachable!("it was settled above"),
        }
    }
}
