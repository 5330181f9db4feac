//! Addresses of loads and stores: which operands they are the sum of.
//!
//! A row's offset is added in 64 bits, as the specification says; what the program itself adds to an address
//! wraps around in 32 bits, so its forms are different ones.

use super::{
    backend::{Backend, Class},
    kinds::Instr,
    machine::Machine,
    operand::{A, I, L, S, Src},
};
use crate::ir::Operand;

/// Where an access starts.
pub(super) trait Address: 'static {
    const OPERAND: Operand;
    /// Slot fields and 32-bit immediates that it takes.
    const SLOTS: usize = Self::OPERAND.slots() as usize;
    const IMMS: usize = 0;

    /// The first byte, given the row's offset. The sum cannot overflow: it is made in 64 bits of 32-bit parts.
    ///
    /// # Safety
    /// As for `Instr::run`; the address has the first slot fields of `O`, and 32-bit immediates from `imm` on.
    unsafe fn start<O: Instr, B: Backend, C: Class>(
        m: &Machine<B, C>,
        imm: usize,
        offset: u32,
    ) -> u64;
}

/// Addresses out of one or two operands: their sum wraps around, the offset does not.
macro_rules! sums {
    ($($(#[$doc:meta])* $name:ident = $first:ident $(+ $second:ident)?;)*) => {$(
        sums!(@declare $(#[$doc])* $name $($second)?);

        impl Address for $name {
            const OPERAND: Operand = Operand::$name;
            const IMMS: usize = <$first as Src>::IMMS;

            #[inline(always)]
            unsafe fn start<O: Instr, B: Backend, C: Class>(
                m: &Machine<B, C>,
                imm: usize,
                offset: u32,
            ) -> u64 {
                // SAFETY: passes on the caller's machine and fields.
                unsafe {
                    let sum = <$first as Src>::get::<u32, O, B, C>(m, 0, imm);
                    $(let sum = sum.wrapping_add(
                        <$second as Src>::get::<u32, O, B, C>(m, <$first as Src>::SLOTS, imm),
                    );)?
                    u64::from(sum) + u64::from(offset)
                }
            }
        }
    )*};
    (@declare $(#[$doc:meta])* $name:ident $second:ident) => {
        $(#[$doc])*
        pub(super) struct $name;
    };
    (@declare $name:ident) => {};
}

sums! {
    A = A;
    S = S;
    I = I;
    L = L;
    /// Two slots.
    X = S + S;
    /// Accumulator and slot.
    Y = A + S;
    /// Pinned local and slot.
    M = L + S;
    /// Pinned local and accumulator.
    N = L + A;
}

/// Addresses out of an operand, in brackets, and another one shifted left, or of the shifted one alone. How far is in their last
/// slot field.
macro_rules! scaled {
    ($($(#[$doc:meta])* $name:ident = [$($base:ident)?] $index:ident;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl Address for $name {
            const OPERAND: Operand = Operand::$name;

            #[inline(always)]
            unsafe fn start<O: Instr, B: Backend, C: Class>(
                m: &Machine<B, C>,
                imm: usize,
                offset: u32,
            ) -> u64 {
                // SAFETY: passes on the caller's machine and fields.
                unsafe {
                    #[allow(unused_variables, reason = "not all have a base")]
                    let (sum, field) = (0_u32, 0);
                    $(
                        let sum = <$base as Src>::get::<u32, O, B, C>(m, 0, imm);
                        let field = <$base as Src>::SLOTS;
                    )?
                    let index = <$index as Src>::get::<u32, O, B, C>(m, field, imm);
                    let by = m.field::<O>(const { Self::SLOTS - 1 });
                    u64::from(sum.wrapping_add(index.wrapping_shl(by))) + u64::from(offset)
                }
            }
        }
    )*};
}

scaled! {
    /// A slot, and a slot shifted.
    E = [S] S;
    /// A slot, and the accumulator shifted.
    V = [S] A;
    /// The pinned local, and a slot shifted.
    G = [L] S;
    /// The pinned local, and the accumulator shifted.
    H = [L] A;
    /// A slot, and the pinned local shifted.
    J = [S] L;
    /// A slot shifted.
    K = [] S;
    /// The accumulator shifted.
    O = [] A;
    /// The pinned local shifted.
    Q = [] L;
}

/// Addresses to which the program itself adds a constant: it takes the place of the offset, and wraps around.
macro_rules! wrapping {
    ($($(#[$doc:meta])* $name:ident = $base:ident $($shifted:ident)?;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl Address for $name {
            const OPERAND: Operand = Operand::$name;

            #[inline(always)]
            unsafe fn start<O: Instr, B: Backend, C: Class>(
                m: &Machine<B, C>,
                imm: usize,
                offset: u32,
            ) -> u64 {
                // SAFETY: passes on the caller's machine and fields.
                let base = unsafe { <$base as Src>::get::<u32, O, B, C>(m, 0, imm) };
                $(let base = wrapping!(@$shifted m, O, base);)?
                u64::from(base.wrapping_add(offset))
            }
        }
    )*};
    // How far is in the last slot field.
    (@shifted $m:ident, $op:ty, $base:ident) => {{
        // SAFETY: the field is in the operation's format.
        let by = unsafe { $m.field::<$op>(const { Self::SLOTS - 1 }) };
        $base.wrapping_shl(by)
    }};
}

wrapping! {
    /// A slot.
    P = S;
    /// The pinned local.
    R = L;
    /// A slot shifted.
    F = S shifted;
    /// The accumulator shifted.
    T = A shifted;
    /// The pinned local shifted.
    Z = L shifted;
}
