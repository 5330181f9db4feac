//! Bulk instructions where code is metered: in chunks, each charged by its size after a look at the epoch.
//!
//! Between two chunks the operands in their slots say what is left, so an instruction that was stopped there
//! goes on when it is executed again. All that is left is checked before each chunk; as memories and tables
//! never shrink, only the first check can fail, before anything was written.

use super::{
    backend::{Backend, Class},
    control::TakeStop,
    ctx::Ctx,
    kinds::{Fixed, FixedOp},
    machine::Machine,
    memory::{fixed_ops, within},
    operand::Value,
};
use crate::{
    Trap,
    store::{TableObj, instance},
};

/// Bytes of a chunk, and elements of the same size.
const CHUNK: u32 = 64 << 10;
const ELEMENTS: u32 = CHUNK / 8;

/// Bytes and elements for each unit.
const BYTES_A_UNIT: u32 = 64;
const ELEMENTS_A_UNIT: u32 = BYTES_A_UNIT / 8;

/// Why an instruction does not come to its end.
enum Halt {
    Trap(Trap),
    /// The meter has stopped it.
    Stop,
}

impl From<Trap> for Halt {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}

/// Charges for what comes next.
///
/// # Safety
/// `ctx` is live and used by nobody else.
unsafe fn pay(ctx: *mut Ctx, units: u32) -> Result<(), Halt> {
    // SAFETY: the caller's promise.
    if unsafe { (*ctx).pay_for_chunk(units) } {
        Ok(())
    } else {
        Err(Halt::Stop)
    }
}

/// The operands of an instruction: consecutive slots, which nothing else reads any more.
struct Operands(*mut u64);

impl Operands {
    /// The 32-bit operands; each is the lower half of a slot.
    ///
    /// # Safety
    /// There are as many.
    unsafe fn get<const N: usize>(&self) -> [u32; N] {
        // SAFETY: the caller's promise.
        core::array::from_fn(|n| unsafe { *self.0.wrapping_add(n) as u32 })
    }

    /// Notes that `count` of the last of three operands are done; those in `places` say where the rest is.
    ///
    /// # Safety
    /// There are three, the last at least `count`.
    unsafe fn advance(&self, places: &[usize], count: u32) {
        // SAFETY: the caller's promise.
        unsafe {
            let operands = self.get::<3>();
            for &n in places {
                // The end may be the end of the address space: nothing is left there.
                *self.0.wrapping_add(n) = operands[n].wrapping_add(count).into();
            }
            *self.0.wrapping_add(2) = (operands[2] - count).into();
        }
    }

    /// For a copy of what is left: how far into it the next chunk of `count` is, which is noted as done. It
    /// is the last one if the target is behind the source, since it may overlap what is copied later.
    ///
    /// # Safety
    /// As for [`advance`](Self::advance).
    unsafe fn advance_copy(&self, count: u32) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            let [to, from, len] = self.get();
            if to > from {
                self.advance(&[], count);
                (len - count) as usize
            } else {
                self.advance(&[0, 1], count);
                0
            }
        }
    }
}

// SAFETY of the functions below: handlers call them, so the context is live, nobody else uses it or what its
// instance leads to, and there are as many operands as the instruction has; indices are those that the
// validator checked. Every chunk is within the ranges that were just checked.

#[inline(never)]
unsafe fn memory_fill(ctx: *mut Ctx, operands: Operands) -> Result<(), Halt> {
    // SAFETY: see above.
    unsafe {
        loop {
            let [to, value, len] = operands.get();
            if !within(to, len, (*ctx).mem_len) {
                return Err(Trap::MemoryOutOfBounds.into());
            }
            let count = len.min(CHUNK);
            if count == 0 {
                return Ok(());
            }
            pay(ctx, count / BYTES_A_UNIT)?;
            let to = (*ctx).mem_base.wrapping_add(to as usize);
            to.write_bytes(value as u8, count as usize);
            operands.advance(&[0], count);
        }
    }
}

#[inline(never)]
unsafe fn memory_copy(ctx: *mut Ctx, operands: Operands) -> Result<(), Halt> {
    // SAFETY: see above.
    unsafe {
        loop {
            let [to, from, len] = operands.get();
            let limit = (*ctx).mem_len;
            if !within(to, len, limit) || !within(from, len, limit) {
                return Err(Trap::MemoryOutOfBounds.into());
            }
            let count = len.min(CHUNK);
            if count == 0 {
                return Ok(());
            }
            pay(ctx, count / BYTES_A_UNIT)?;
            let base = (*ctx).mem_base.wrapping_add(operands.advance_copy(count));
            let from = base.wrapping_add(from as usize);
            from.copy_to(base.wrapping_add(to as usize), count as usize);
        }
    }
}

#[inline(never)]
unsafe fn memory_init(ctx: *mut Ctx, operands: Operands, segment: u32) -> Result<(), Halt> {
    // SAFETY: see above.
    unsafe {
        loop {
            let range = operands.get::<3>().map(u64::from);
            instance::memory_init((*ctx).instance, segment, range, 0)?;
            let count = (range[2] as u32).min(CHUNK);
            if count == 0 {
                return Ok(());
            }
            pay(ctx, count / BYTES_A_UNIT)?;
            instance::memory_init((*ctx).instance, segment, range, count.into())?;
            operands.advance(&[0, 1], count);
        }
    }
}

/// The old size in pages, or -1; `None` if the meter has stopped it.
#[inline(never)]
unsafe fn memory_grow(ctx: *mut Ctx, delta: u32) -> Option<u32> {
    // SAFETY: see above.
    unsafe {
        let memory = &mut *(*(*ctx).instance).memories[0];
        // What fails is free. What does not is less than 4 GiB.
        if u64::from(delta) <= memory.limit {
            let bytes = u64::from(delta) << memory.page_size_log2;
            pay(ctx, (bytes / u64::from(BYTES_A_UNIT)) as u32).ok()?;
        }
        Some(memory.grow(delta.into()).map_or(u32::MAX, |old| old as u32))
    }
}

/// Table `index` of the current instance.
unsafe fn table<'a>(ctx: *mut Ctx, index: u32) -> &'a mut TableObj {
    // SAFETY: see above; the reference is used before anything else touches the table.
    unsafe { &mut **(*ctx).tables.wrapping_add(index as usize) }
}

#[inline(never)]
unsafe fn table_fill(ctx: *mut Ctx, operands: Operands, index: u32) -> Result<(), Halt> {
    // SAFETY: see above.
    unsafe {
        loop {
            let [to, _, len] = operands.get();
            let value = *operands.0.wrapping_add(1);
            let table = table(ctx, index);
            table.range(to.into(), len.into())?;
            let count = len.min(ELEMENTS);
            if count == 0 {
                return Ok(());
            }
            pay(ctx, count / ELEMENTS_A_UNIT)?;
            table.fill(to.into(), value, count.into())?;
            operands.advance(&[0], count);
        }
    }
}

#[inline(never)]
unsafe fn table_copy(
    ctx: *mut Ctx,
    operands: Operands,
    to_table: u32,
    from_table: u32,
) -> Result<(), Halt> {
    // SAFETY: see above.
    unsafe {
        loop {
            let [to, from, len] = operands.get::<3>().map(u64::from);
            let source = table(ctx, from_table).range(from, len)?.as_ptr();
            let target = table(ctx, to_table).range(to, len)?.as_mut_ptr();
            let count = (len as u32).min(ELEMENTS);
            if count == 0 {
                return Ok(());
            }
            pay(ctx, count / ELEMENTS_A_UNIT)?;
            let skip = operands.advance_copy(count);
            let source = source.wrapping_add(skip);
            source.copy_to(target.wrapping_add(skip), count as usize);
        }
    }
}

#[inline(never)]
unsafe fn table_init(
    ctx: *mut Ctx,
    operands: Operands,
    table: u32,
    segment: u32,
) -> Result<(), Halt> {
    // SAFETY: see above.
    unsafe {
        loop {
            let range = operands.get::<3>().map(u64::from);
            instance::table_init((*ctx).instance, table, segment, range, 0)?;
            let count = (range[2] as u32).min(ELEMENTS);
            if count == 0 {
                return Ok(());
            }
            pay(ctx, count / ELEMENTS_A_UNIT)?;
            instance::table_init((*ctx).instance, table, segment, range, count.into())?;
            operands.advance(&[0, 1], count);
        }
    }
}

/// The old length, or -1; `None` if the meter has stopped it. The table itself remembers what has been written behind its end.
#[inline(never)]
unsafe fn table_grow(ctx: *mut Ctx, operands: Operands, index: u32) -> Option<u32> {
    // SAFETY: see above.
    unsafe {
        let [_, delta] = operands.get();
        let value = *operands.0;
        let table = table(ctx, index);
        loop {
            let Some(left) = table.prepare_growth(delta.into(), value) else {
                return Some(u32::MAX);
            };
            let count = left.min(ELEMENTS as usize);
            if count == 0 {
                return Some(table.finish_growth(table.len + delta as usize) as u32);
            }
            pay(ctx, count as u32 / ELEMENTS_A_UNIT).ok()?;
            table.fill_to(table.filled() + count);
        }
    }
}

/// Goes on, traps or stops.
macro_rules! next_or_halt {
    ($m:ident, $op:ty, $done:expr) => {
        match $done {
            Ok(()) => $m.next::<$op>(),
            Err(Halt::Trap(trap)) => $m.trap(trap),
            Err(Halt::Stop) => B::cold::<C, TakeStop>($m),
        }
    };
}

// Handlers pass and receive nothing through memory, not even an array of two: on 32-bit machines its address would
// leave the handler, which then could not end in a jump.
fixed_ops! {
    MemoryGrowMetered = |m, Op| {
        match memory_grow(m.ctx, *m.slot::<Op>(0) as u32) {
            Some(old) => {
                m.reload_mem();
                u32::set_acc(&mut m, old);
                m.next::<Op>()
            }
            None => B::cold::<C, TakeStop>(m),
        }
    }

    MemoryFillMetered = |m, Op| {
        next_or_halt!(m, Op, memory_fill(m.ctx, Operands(m.slot::<Op>(0))))
    }

    MemoryCopyMetered = |m, Op| {
        next_or_halt!(m, Op, memory_copy(m.ctx, Operands(m.slot::<Op>(0))))
    }

    MemoryInitMetered = |m, Op| {
        let operands = Operands(m.slot::<Op>(0));
        next_or_halt!(m, Op, memory_init(m.ctx, operands, m.imm32::<Op>(0)))
    }

    TableGrowMetered = |m, Op| {
        let operands = Operands(m.slot::<Op>(0));
        match table_grow(m.ctx, operands, m.imm32::<Op>(0)) {
            Some(old) => {
                u32::set_acc(&mut m, old);
                m.next::<Op>()
            }
            None => B::cold::<C, TakeStop>(m),
        }
    }

    TableFillMetered = |m, Op| {
        let operands = Operands(m.slot::<Op>(0));
        next_or_halt!(m, Op, table_fill(m.ctx, operands, m.imm32::<Op>(0)))
    }

    TableCopyMetered = |m, Op| {
        let operands = Operands(m.slot::<Op>(0));
        let (to_table, from_table) = (m.imm32::<Op>(0), m.imm32::<Op>(1));
        next_or_halt!(m, Op, table_copy(m.ctx, operands, to_table, from_table))
    }

    TableInitMetered = |m, Op| {
        let operands = Operands(m.slot::<Op>(0));
        let (table, segment) = (m.imm32::<Op>(0), m.imm32::<Op>(1));
        next_or_halt!(m, Op, table_init(m.ctx, operands, table, segment))
    }
}
