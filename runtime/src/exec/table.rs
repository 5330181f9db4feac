//! Table and reference instructions (spec §4.4.6, §4.4.2). Rare enough to have their operands in slots.

use super::{
    backend::{Backend, Class},
    kinds::{Fixed, FixedOp},
    machine::Machine,
    memory::{fixed_ops, next_or_trap, operand},
    operand::Value,
};
use crate::{
    Trap,
    store::{TableObj, instance},
};

/// Table `index` of the current instance.
///
/// # Safety
/// As for `Instr::run`; the validator checked the index. The reference is used before anything else
/// touches the table.
#[inline(always)]
unsafe fn table<'a, B: Backend, C: Class>(m: &Machine<B, C>, index: u32) -> &'a mut TableObj {
    // SAFETY: the instance's tables live as long as it does.
    unsafe { &mut **(*m.ctx).tables.wrapping_add(index as usize) }
}

fixed_ops! {
    RefFunc = |m, Op| {
        let func = (*m.ctx).funcs.wrapping_add(m.imm32::<Op>(0) as usize);
        u64::set_acc(&mut m, func.expose_provenance() as u64);
        m.next::<Op>()
    }

    TableGet = |m, Op| {
        let table = table(&m, m.imm32::<Op>(0));
        let index = operand!(m, Op, 0 as u32) as usize;
        if index < table.len {
            u64::set_acc(&mut m, *table.elements.wrapping_add(index));
            m.next::<Op>()
        } else {
            m.trap(Trap::TableOutOfBounds)
        }
    }

    TableSet = |m, Op| {
        let table = table(&m, m.imm32::<Op>(0));
        let index = operand!(m, Op, 0 as u32) as usize;
        if index < table.len {
            *table.elements.wrapping_add(index) = operand!(m, Op, 1 as u64);
            m.next::<Op>()
        } else {
            m.trap(Trap::TableOutOfBounds)
        }
    }

    TableSize = |m, Op| {
        m.acc = table(&m, m.imm32::<Op>(0)).len;
        m.next::<Op>()
    }

    TableGrow = |m, Op| {
        let (value, delta) = (operand!(m, Op, 0 as u64), operand!(m, Op, 1 as u32));
        let old = table(&m, m.imm32::<Op>(0)).grow(delta.into(), value);
        m.acc = old.map_or(u32::MAX, |old| old as u32) as usize;
        m.next::<Op>()
    }

    TableFill = |m, Op| {
        let (start, value, len) =
            (operand!(m, Op, 0 as u32), operand!(m, Op, 1 as u64), operand!(m, Op, 2 as u32));
        let table = table(&m, m.imm32::<Op>(0));
        next_or_trap!(m, Op, table.fill(start.into(), value, len.into()))
    }

    /// Immediates: destination table, source table.
    TableCopy = |m, Op| {
        let (to, from, len) =
            (operand!(m, Op, 0 as u32), operand!(m, Op, 1 as u32), operand!(m, Op, 2 as u32));
        let (to_table, from_table) = (m.imm32::<Op>(0), m.imm32::<Op>(1));
        let instance = (*m.ctx).instance;
        let done = instance::table_copy(
            instance, to_table, from_table, to.into(), from.into(), len.into(),
        );
        next_or_trap!(m, Op, done)
    }

    /// Immediates: table, elem segment.
    TableInit = |m, Op| {
        let (to, from, len) =
            (operand!(m, Op, 0 as u32), operand!(m, Op, 1 as u32), operand!(m, Op, 2 as u32));
        let (table, segment) = (m.imm32::<Op>(0), m.imm32::<Op>(1));
        let instance = (*m.ctx).instance;
        let range = [to.into(), from.into(), len.into()];
        let done = instance::table_init(instance, table, segment, range, len.into());
        next_or_trap!(m, Op, done)
    }

    ElemDrop = |m, Op| {
        instance::elem_drop((*m.ctx).instance, m.imm32::<Op>(0));
        m.next::<Op>()
    }
}
