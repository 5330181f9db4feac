//! Control instructions (spec §4.4.8), and the ways out of the handlers.

use core::marker::PhantomData;

use super::{
    backend::{Backend, Class},
    ctx::Exit,
    kinds::{Edge, EdgeOp, Fixed, FixedOp, IndexOp, Instr},
    machine::Machine,
    memory::fixed_ops,
    meter::{Charge, Free, U},
};
use crate::{Trap, ir::Format};

/// Sets slots to zero, four at a time.
///
/// # Safety
/// The slots, up to a multiple of four of them, lie in the frame.
#[inline(always)]
unsafe fn set_to_zero(mut slot: *mut u64, count: usize) {
    let end = slot.wrapping_add(count);
    while slot < end {
        // Volatile, or LLVM makes it a call of `memset`, and every handler pays for a frame.
        // SAFETY: the caller's promise.
        unsafe {
            slot.write_volatile(0);
            slot.wrapping_add(1).write_volatile(0);
            slot.wrapping_add(2).write_volatile(0);
            slot.wrapping_add(3).write_volatile(0);
        }
        slot = slot.wrapping_add(4);
    }
}

/// Declares rows of the kind `edge`: `|m| body`, with `O` for the operation itself.
macro_rules! edge_ops {
    ($($(#[$doc:meta])* $name:ident = |$m:ident, $op:ident| $body:block)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl EdgeOp for $name {
            #[allow(unused_mut, reason = "most change the machine")]
            #[inline(always)]
            unsafe fn run<$op: Instr, B: Backend, C: Class>(mut $m: Machine<B, C>) -> usize {
                // SAFETY: see `Instr`; every field that the body reads is in the row of the table.
                unsafe { $body }
            }
        }
    )*};
}
pub(super) use edge_ops;

edge_ops! {
    Br = |m, O| {
        m.branch::<O>()
    }

    /// Sets the slot to the immediate on the way.
    BrConst = |m, O| {
        if !m.charge::<O>() {
            return m.refill();
        }
        *m.slot::<O>(0) = m.imm32::<O>(0) as i32 as u64;
        m.jump(m.target::<O>())
    }

    /// Copies slot 1 to slot 0 on the way.
    BrCopy = |m, O| {
        if !m.charge::<O>() {
            return m.refill();
        }
        *m.slot::<O>(0) = *m.slot::<O>(1);
        m.jump(m.target::<O>())
    }

    /// An entry of a `br_table`; never executed.
    BrTarget = |m, O| {
        m.trap(Trap::UnreachableCodeReached)
    }
}

fixed_ops! {
    Unreachable = |m, Op| {
        m.trap(Trap::UnreachableCodeReached)
    }

    /// At the start of a function: sets locals from a slot on to zero, which is also null. Four at a time: the
    /// frame has room for what is too much.
    Enter = |m, Op| {
        set_to_zero(m.slot::<Op>(0), m.imm32::<Op>(0) as usize);
        m.next::<Op>()
    }

    /// At the start of a function that pins locals: saves the caller's pins in three slots from slot 0 on, and
    /// takes its own from slots 1 (integer), 2 (`f32`) and 3 (`f64`).
    Pin = |m, Op| {
        m.save_pins::<Op>();
        let pins = (*m.slot::<Op>(1), *m.slot::<Op>(2), *m.slot::<Op>(3));
        m.set_pins(pins.0, pins.1, pins.2);
        m.next::<Op>()
    }

    /// `Enter` from slot 4 on, then `Pin`.
    EnterPin = |m, Op| {
        set_to_zero(m.slot::<Op>(4), m.imm32::<Op>(0) as usize);
        m.save_pins::<Op>();
        let pins = (*m.slot::<Op>(1), *m.slot::<Op>(2), *m.slot::<Op>(3));
        m.set_pins(pins.0, pins.1, pins.2);
        m.next::<Op>()
    }

    /// Gives the caller its pins back.
    Unpin = |m, Op| {
        m.restore_pins::<Op>();
        m.next::<Op>()
    }

    /// What the outermost function returns to.
    Halt = |m, Op| {
        m.leave(Exit::Done as usize)
    }
}

/// Branches on a condition.
macro_rules! br_if {
    ($($name:ident: $condition:ident => $taken:expr;)*) => {$(
        pub(super) struct $name;

        impl IndexOp for $name {
            #[inline(always)]
            unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, $condition: u32) -> usize {
                // SAFETY: see `Instr`; the target is in the row of the table.
                unsafe { if $taken { m.branch::<O>() } else { m.next::<O>() } }
            }
        }
    )*};
}

br_if! {
    BrIfNez: condition => condition != 0;
    BrIfEqz: condition => condition == 0;
}

/// `br_table`: the cells after it are its targets, the default last.
pub(super) struct BrTable;

/// The same with metered targets.
pub(super) struct BrTableMetered;

impl IndexOp for BrTable {
    #[inline(always)]
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, index: u32) -> usize {
        // SAFETY: passes on the caller's promise.
        unsafe { br_table::<O, Free, B, C>(m, index) }
    }
}

impl IndexOp for BrTableMetered {
    #[inline(always)]
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, index: u32) -> usize {
        // SAFETY: passes on the caller's promise.
        unsafe { br_table::<O, U, B, C>(m, index) }
    }
}

/// Takes the branch that `index` chooses.
///
/// # Safety
/// As for [`Instr::run`]; the translator wrote as many `BrTarget` cells of this kind as the immediate of `O`
/// says, and one for the default.
#[inline(always)]
unsafe fn br_table<O: Instr, K: Charge, B: Backend, C: Class>(
    m: Machine<B, C>,
    index: u32,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let default = m.imm32::<O>(0);
        let index = if index < default { index } else { default } as usize;
        let target = const { Edge::<BrTarget, K>::FORMAT.target(C::CLASS) };
        let stride = const { Edge::<BrTarget, K>::FORMAT.size(C::CLASS) };
        let mut entry = m;
        entry.ip =
            m.ip.wrapping_add(const { O::FORMAT.size(C::CLASS) } + index * stride);
        if entry.charge::<Edge<BrTarget, K>>() {
            m.jump(C::target(entry.ip, target))
        } else {
            m.refill()
        }
    }
}

/// `br_table` in a branch back to a loop that begins with one: its targets are there.
pub(super) struct BrTableAt;

impl IndexOp for BrTableAt {
    #[inline(always)]
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, index: u32) -> usize {
        // SAFETY: passes on the caller's promise.
        unsafe {
            if const { O::METERED } {
                br_table_at::<O, U, B, C>(m, index)
            } else {
                br_table_at::<O, Free, B, C>(m, index)
            }
        }
    }
}

/// Takes the branch that `index` chooses of those at the target of `O`.
///
/// # Safety
/// As for [`br_table`].
#[inline(always)]
unsafe fn br_table_at<O: Instr, K: Charge, B: Backend, C: Class>(
    m: Machine<B, C>,
    index: u32,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let default = m.imm32::<O>(0);
        let index = if index < default { index } else { default } as usize;
        let target = const { Edge::<BrTarget, K>::FORMAT.target(C::CLASS) };
        let stride = const { Edge::<BrTarget, K>::FORMAT.size(C::CLASS) };
        let mut entry = m;
        entry.ip = m.target::<O>().wrapping_add(index * stride);
        // Both edges at once: nothing has happened if they cannot be charged for.
        if !K::METERED
            || m.spend(
                m.charge_of::<O>()
                    .wrapping_add(entry.charge_of::<Edge<BrTarget, K>>()),
            )
        {
            m.jump(C::target(entry.ip, target))
        } else {
            m.refill()
        }
    }
}

/// Leaves the handlers with one of the [`Exit`]s: not in the table, reached by jumps from other handlers.
pub(super) struct Leave<const EXIT: usize>;

impl<const EXIT: usize> Instr for Leave<EXIT> {
    const FORMAT: Format = Format::EMPTY;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see `Instr`.
        unsafe { m.leave(EXIT) }
    }
}

pub(super) type TakeTrap = Leave<{ Exit::Trap as usize }>;
pub(super) type TakeStop = Leave<{ Exit::Stop as usize }>;

/// Leaves for a call, with `ip` behind the present instruction, which is `O`.
pub(super) struct TakeCall<O>(PhantomData<O>);

impl<O: Instr> Instr for TakeCall<O> {
    const FORMAT: Format = Format::EMPTY;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        m.ip = m.ip.wrapping_add(const { O::FORMAT.size(C::CLASS) });
        // SAFETY: see `Instr`.
        unsafe { m.leave(Exit::Call as usize) }
    }
}

pub(super) type TakeTailCall = Leave<{ Exit::TailCall as usize }>;
