//! Copies, constants, selects and globals (spec §4.4.4, §4.4.5): what moves values without changing them.

use super::{
    backend::{Backend, Class},
    kinds::{Fixed, FixedOp, Typed},
    machine::Machine,
    memory::fixed_ops,
};

macro_rules! typed {
    ($($name:ident: $ty:ty;)*) => {$(
        pub(super) struct $name;

        impl Typed for $name {
            type Type = $ty;
        }
    )*};
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
    GlobalGetI32: u32;
    GlobalGetI64: u64;
    GlobalGetF32: f32;
    GlobalGetF64: f64;
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

    /// The same for slots that are too far away for a slot field.
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

    Const32 = |m, Op| {
        *m.slot::<Op>(0) = m.imm32::<Op>(0) as i32 as u64;
        m.next::<Op>()
    }

    Const64 = |m, Op| {
        *m.slot::<Op>(0) = m.imm64::<Op>();
        m.next::<Op>()
    }
}
