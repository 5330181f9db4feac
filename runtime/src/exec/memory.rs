//! Memory instructions (spec §4.4.7).

use super::{
    backend::{Backend, Class},
    kinds::{Fixed, FixedOp, LoadOp, StoreOp},
    machine::Machine,
    unaligned::{Unit, read_extended},
};
use crate::{
    Trap,
    store::{MemoryObj, instance},
};

/// Declares loads: name, type in memory, type of the result.
macro_rules! loads {
    ($($name:ident: $raw:ty => $out:ty = |$v:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl LoadOp for $name {
            type Out = $out;
            const SIZE: usize = size_of::<$raw>();

            #[inline(always)]
            unsafe fn load(p: *const u8) -> $out {
                // SAFETY: the caller checked that the bytes are in the memory.
                let $v = unsafe { <$raw>::read(p) };
                $body
            }
        }
    )*};
}

/// Declares stores: name, type of the value, type in memory.
macro_rules! stores {
    ($($name:ident: $in:ty => $raw:ty = |$v:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl StoreOp for $name {
            type In = $in;
            const SIZE: usize = size_of::<$raw>();

            #[inline(always)]
            unsafe fn store(p: *mut u8, $v: $in) {
                // SAFETY: the caller checked that the bytes are in the memory.
                unsafe { <$raw>::write(p, $body) };
            }
        }
    )*};
}

loads! {
    I32Load: u32 => u32 = |v| v;
    I64Load: u64 => u64 = |v| v;
    F32Load: u32 => f32 = |v| f32::from_bits(v);
    F64Load: u64 => f64 = |v| f64::from_bits(v);
    I32Load8S: i8 => u32 = |v| v as u32;
    I32Load8U: u8 => u32 = |v| u32::from(v);
    I32Load16S: i16 => u32 = |v| v as u32;
    I32Load16U: u16 => u32 = |v| u32::from(v);
    I64Load8S: i8 => u64 = |v| v as u64;
    I64Load8U: u8 => u64 = |v| u64::from(v);
    I64Load16S: i16 => u64 = |v| v as u64;
    I64Load16U: u16 => u64 = |v| u64::from(v);
    I64Load32S: i32 => u64 = |v| v as u64;
}

pub(super) struct I64Load32U;

impl LoadOp for I64Load32U {
    type Out = u64;
    const SIZE: usize = size_of::<u32>();

    #[inline(always)]
    unsafe fn load(p: *const u8) -> u64 {
        // SAFETY: the caller checked that the bytes are in the memory.
        unsafe { read_extended(p) }
    }
}

stores! {
    I32Store: u32 => u32 = |v| v;
    I64Store: u64 => u64 = |v| v;
    F32Store: f32 => u32 = |v| v.to_bits();
    F64Store: f64 => u64 = |v| v.to_bits();
    I32Store8: u32 => u8 = |v| v as u8;
    I32Store16: u32 => u16 = |v| v as u16;
    I64Store8: u64 => u8 = |v| v as u8;
    I64Store16: u64 => u16 = |v| v as u16;
    I64Store32: u64 => u32 = |v| v as u32;
}

/// Declares rows with one form: `|m| body`, with `Op` for the operation itself.
macro_rules! fixed_ops {
    ($($(#[$doc:meta])* $name:ident = |$m:ident, $op:ident| $body:block)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl FixedOp for $name {
            #[allow(unused_mut, reason = "most change the machine")]
            #[inline(always)]
            unsafe fn run<B: Backend, C: Class>(mut $m: Machine<B, C>) -> usize {
                #[allow(dead_code, reason = "some have no fields")]
                type $op = Fixed<$name>;
                // SAFETY: see `Instr`; every field that the body reads is in the row of the table.
                unsafe { $body }
            }
        }
    )*};
}
pub(super) use fixed_ops;

/// Operand `n` of an instruction whose operands are consecutive slots, the first of which is its slot field.
macro_rules! operand {
    ($m:ident, $op:ty, $n:literal as $ty:ty) => {
        *$m.slot::<$op>(0).wrapping_add($n).cast::<$ty>()
    };
}
pub(super) use operand;

/// Goes on, or traps.
macro_rules! next_or_trap {
    ($m:ident, $op:ty, $result:expr) => {
        match $result {
            Ok(()) => $m.next::<$op>(),
            Err(trap) => $m.trap(trap),
        }
    };
}
pub(super) use next_or_trap;

/// `start + len <= limit`, for 32-bit operands.
pub(super) fn within(start: u32, len: u32, limit: usize) -> bool {
    u64::from(start) + u64::from(len) <= limit as u64
}

fixed_ops! {
    MemorySize = |m, Op| {
        m.acc = (*m.ctx).mem_len >> (*m.ctx).mem_page_log2;
        m.next::<Op>()
    }

    MemoryGrow = |m, Op| {
        let delta = operand!(m, Op, 0 as u32);
        let old = grow((*(*m.ctx).instance).memories[0], delta);
        m.reload_mem();
        m.acc = old as usize;
        m.next::<Op>()
    }

    MemoryFill = |m, Op| {
        let (start, value, len) =
            (operand!(m, Op, 0 as u32), operand!(m, Op, 1 as u32), operand!(m, Op, 2 as u32));
        if within(start, len, (*m.ctx).mem_len) {
            m.mem().wrapping_add(start as usize).write_bytes(value as u8, len as usize);
            m.next::<Op>()
        } else {
            m.trap(Trap::MemoryOutOfBounds)
        }
    }

    MemoryCopy = |m, Op| {
        let (to, from, len) =
            (operand!(m, Op, 0 as u32), operand!(m, Op, 1 as u32), operand!(m, Op, 2 as u32));
        let limit = (*m.ctx).mem_len;
        if within(to, len, limit) && within(from, len, limit) {
            let mem = m.mem();
            let from = mem.wrapping_add(from as usize);
            from.copy_to(mem.wrapping_add(to as usize), len as usize);
            m.next::<Op>()
        } else {
            m.trap(Trap::MemoryOutOfBounds)
        }
    }

    MemoryInit = |m, Op| {
        let (to, from, len) =
            (operand!(m, Op, 0 as u32), operand!(m, Op, 1 as u32), operand!(m, Op, 2 as u32));
        let (instance, segment) = ((*m.ctx).instance, m.imm32::<Op>(0));
        let range = [to.into(), from.into(), len.into()];
        let done = instance::memory_init(instance, segment, range, len.into());
        next_or_trap!(m, Op, done)
    }

    DataDrop = |m, Op| {
        instance::data_drop((*m.ctx).instance, m.imm32::<Op>(0));
        m.next::<Op>()
    }
}

/// `memory.grow`: the old size in pages, or -1.
#[inline(never)]
fn grow(memory: *mut MemoryObj, delta: u32) -> u32 {
    // SAFETY: a memory of the current instance, which nobody else refers to while handlers run.
    let memory = unsafe { &mut *memory };
    memory.grow(delta.into()).map_or(u32::MAX, |old| old as u32)
}
