//! Copies, constants, selects and globals (spec §4.4.4, §4.4.5): what moves values without changing them.

use super::{
    backend::{Backend, Class},
    kinds::{Fixed, FixedOp, GlobalOp, Instr, Typed},
    machine::Machine,
    memory::fixed_ops,
    operand::Value,
};

macro_rules! typed {
    ($($name:ident: $ty:ty;)*) => {$(
        pub(super) struct $name;

        impl Typed for $name {
            type Type = $ty;
        }
    )*};
}

/// Declares rows that read an `i32` global, with index immediate 0, and add immediate 1; the second one also writes it.
macro_rules! global_sums {
    ($($name:ident: $update:literal;)*) => {$(
        pub(super) struct $name;

        impl GlobalOp for $name {
            type Type = u32;

            #[inline(always)]
            unsafe fn get<O: Instr, B: Backend, C: Class>(m: &Machine<B, C>) -> u32 {
                // SAFETY: as for `Typed` globals; the translator saw that it is an `i32`.
                unsafe {
                    let global = *(*m.ctx).globals.wrapping_add(m.imm32::<O>(0) as usize);
                    let value = (&raw mut (*global).value).cast::<u32>();
                    let sum = (*value).wrapping_add(m.imm32::<O>(1));
                    if $update {
                        *value = sum;
                    }
                    sum
                }
            }
        }
    )*};
}

global_sums! {
    GlobalGetAdd: false;
    GlobalUpdate: true;
}

/// Declares rows that read a global, whose index is immediate 0.
macro_rules! global_gets {
    ($($name:ident: $ty:ty;)*) => {$(
        pub(super) struct $name;

        impl GlobalOp for $name {
            type Type = $ty;

            #[inline(always)]
            unsafe fn get<O: Instr, B: Backend, C: Class>(m: &Machine<B, C>) -> $ty {
                // SAFETY: see `Instr`; the index is one of the instance's globals, whose type the validator
                // checked.
                unsafe {
                    let global = *(*m.ctx).globals.wrapping_add(m.imm32::<O>(0) as usize);
                    *(&raw const (*global).value).cast::<$ty>()
                }
            }
        }
    )*};
}

global_gets! {
    GlobalGetI32: u32;
    GlobalGetI64: u64;
    GlobalGetF32: f32;
    GlobalGetF64: f64;
}

typed! {
    MoveI32: u32;
    MoveI64: u64;
    MoveF32: f32;
    MoveF64: f64;
    SelectI32: u32;
    SelectI64: u64;
    SelectF32: f32;
    SelectF64: f64;
    GlobalSetI32: u32;
    GlobalSetI64: u64;
    GlobalSetF32: f32;
    GlobalSetF64: f64;
}

fixed_ops! {
    /// Slot 1 to slot 0. Leaves the accumulators alone.
    CopySlot = |m, Op| {
        *m.slot::<Op>(0) = *m.slot::<Op>(1);
        m.next::<Op>()
    }

    /// Slot 1 to slot 0, then slot 3 to slot 2.
    Copy2 = |m, Op| {
        *m.slot::<Op>(0) = *m.slot::<Op>(1);
        *m.slot::<Op>(2) = *m.slot::<Op>(3);
        m.next::<Op>()
    }

    /// Slot 1 to slot 0, then slot 3 to the pinned integer, whose slot is slot 2.
    CopyPin = |m, Op| {
        *m.slot::<Op>(0) = *m.slot::<Op>(1);
        let value = *m.slot::<Op>(3);
        *m.slot::<Op>(2) = value;
        u64::set_pin(&mut m, value);
        m.next::<Op>()
    }

    /// Slot 1 to the pinned integer, whose slot is slot 0, then slot 3 to slot 2.
    PinCopy = |m, Op| {
        let value = *m.slot::<Op>(1);
        *m.slot::<Op>(0) = value;
        u64::set_pin(&mut m, value);
        *m.slot::<Op>(2) = *m.slot::<Op>(3);
        m.next::<Op>()
    }

    /// Slot to slot, for slots that are too far away for a slot field.
    CopyFar = |m, Op| {
        let slot = |n| m.sp.wrapping_offset(m.imm32::<Op>(n) as i32 as isize).cast::<u64>();
        *slot(0) = *slot(1);
        m.next::<Op>()
    }

    /// The sum of slot 1 and the immediate, to slot 0: for integers of both widths, since nobody looks at the
    /// upper half of an `i32`. Leaves the accumulators alone.
    SlotAdd = |m, Op| {
        *m.slot::<Op>(0) = (*m.slot::<Op>(1)).wrapping_add(m.imm32::<Op>(0) as i32 as u64);
        m.next::<Op>()
    }

    /// Two such sums, each from and to the same slot.
    SlotAdd2 = |m, Op| {
        let (a, b) = (m.slot::<Op>(0), m.slot::<Op>(1));
        *a = (*a).wrapping_add(m.imm32::<Op>(0) as i32 as u64);
        *b = (*b).wrapping_add(m.imm32::<Op>(1) as i32 as u64);
        m.next::<Op>()
    }

    /// The sum of a slot and immediate 1, to the `i32` global with index immediate 0.
    GlobalSetSum = |m, Op| {
        let sum = (*m.slot::<Op>(0).cast::<u32>()).wrapping_add(m.imm32::<Op>(1));
        let global = *(*m.ctx).globals.wrapping_add(m.imm32::<Op>(0) as usize);
        *(&raw mut (*global).value).cast::<u32>() = sum;
        m.next::<Op>()
    }

    Const32 = |m, Op| {
        *m.slot::<Op>(0) = m.imm32::<Op>(0) as i32 as u64;
        m.next::<Op>()
    }

    Const64 = |m, Op| {
        *m.slot::<Op>(0) = m.imm64::<Op>();
        m.next::<Op>()
    }
}
