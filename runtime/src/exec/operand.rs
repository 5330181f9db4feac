//! Operand access: the values handlers work on, and where a form says that they are.

use super::{
    backend::{Backend, Class},
    kinds::Instr,
    machine::Machine,
};
use crate::ir::Operand;

/// A type that slots, accumulators and immediates can hold. A 32-bit value in a slot or the accumulator
/// has unspecified upper bits.
pub(super) trait Value: Copy + 'static {
    /// From the accumulator of the type.
    unsafe fn acc<B: Backend, C: Class>(m: &Machine<B, C>) -> Self;
    /// To the accumulator of the type.
    unsafe fn set_acc<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self);
    /// From the pinned local of the type. 32-bit targets have none, and never run what asks for it.
    unsafe fn pin<B: Backend, C: Class>(m: &Machine<B, C>) -> Self;
    /// To the register of the pinned local of the type.
    unsafe fn set_pin<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self);
    /// From a 32-bit immediate.
    fn from_imm32(imm: u32) -> Self;
    /// From a 64-bit immediate.
    fn from_imm64(imm: u64) -> Self;
    /// As the content of a slot.
    fn to_slot(self) -> u64;
}

impl Value for u32 {
    #[inline(always)]
    unsafe fn acc<B: Backend, C: Class>(m: &Machine<B, C>) -> Self {
        m.acc as Self
    }

    #[inline(always)]
    unsafe fn set_acc<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self) {
        m.acc = widen(value);
    }

    #[inline(always)]
    unsafe fn pin<B: Backend, C: Class>(m: &Machine<B, C>) -> Self {
        #[cfg(target_pointer_width = "64")]
        return m.pin as Self;
        // SAFETY: passes on the caller's machine.
        #[cfg(target_pointer_width = "32")]
        return unsafe { Self::acc(m) };
    }

    #[inline(always)]
    unsafe fn set_pin<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self) {
        #[cfg(target_pointer_width = "64")]
        {
            m.pin = widen(value);
        }
        // SAFETY: passes on the caller's machine.
        #[cfg(target_pointer_width = "32")]
        unsafe {
            Self::set_acc(m, value);
        }
    }

    #[inline(always)]
    fn from_imm32(imm: u32) -> Self {
        imm
    }

    #[inline(always)]
    fn from_imm64(imm: u64) -> Self {
        imm as Self
    }

    #[inline(always)]
    fn to_slot(self) -> u64 {
        widen(self) as u64
    }
}

impl Value for u64 {
    #[inline(always)]
    unsafe fn acc<B: Backend, C: Class>(m: &Machine<B, C>) -> Self {
        #[cfg(target_pointer_width = "64")]
        return m.acc as Self;
        // SAFETY: `ctx` is live for as long as handlers run.
        #[cfg(target_pointer_width = "32")]
        return unsafe { (*m.ctx).acc64 };
    }

    #[inline(always)]
    unsafe fn set_acc<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self) {
        #[cfg(target_pointer_width = "64")]
        {
            m.acc = value as usize;
        }
        // SAFETY: as above.
        #[cfg(target_pointer_width = "32")]
        unsafe {
            (*m.ctx).acc64 = value;
        }
    }

    #[inline(always)]
    unsafe fn pin<B: Backend, C: Class>(m: &Machine<B, C>) -> Self {
        #[cfg(target_pointer_width = "64")]
        return m.pin as Self;
        // SAFETY: passes on the caller's machine.
        #[cfg(target_pointer_width = "32")]
        return unsafe { Self::acc(m) };
    }

    #[inline(always)]
    unsafe fn set_pin<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self) {
        #[cfg(target_pointer_width = "64")]
        {
            m.pin = value as usize;
        }
        // SAFETY: passes on the caller's machine.
        #[cfg(target_pointer_width = "32")]
        unsafe {
            Self::set_acc(m, value);
        }
    }

    #[inline(always)]
    fn from_imm32(imm: u32) -> Self {
        imm as i32 as Self
    }

    #[inline(always)]
    fn from_imm64(imm: u64) -> Self {
        imm
    }

    #[inline(always)]
    fn to_slot(self) -> u64 {
        self
    }
}

/// As a register's or a slot's content, by whatever extension is free: 32-bit operations extend by sign on riscv64, by zero
/// elsewhere.
#[inline(always)]
fn widen(value: u32) -> usize {
    if cfg!(target_arch = "riscv64") {
        value as i32 as usize
    } else {
        value as usize
    }
}

macro_rules! float_value {
    ($ty:ident, $acc:ident, $pin:ident, $from32:expr, $from64:expr, $to_slot:expr) => {
        impl Value for $ty {
            #[inline(always)]
            unsafe fn acc<B: Backend, C: Class>(m: &Machine<B, C>) -> Self {
                #[cfg(target_pointer_width = "64")]
                return m.$acc;
                // SAFETY: `ctx` is live for as long as handlers run.
                #[cfg(target_pointer_width = "32")]
                return unsafe { (*m.ctx).$acc };
            }

            #[inline(always)]
            unsafe fn set_acc<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self) {
                #[cfg(target_pointer_width = "64")]
                {
                    m.$acc = value;
                }
                // SAFETY: as above.
                #[cfg(target_pointer_width = "32")]
                unsafe {
                    (*m.ctx).$acc = value;
                }
            }

            #[inline(always)]
            unsafe fn pin<B: Backend, C: Class>(m: &Machine<B, C>) -> Self {
                #[cfg(target_pointer_width = "64")]
                return m.$pin;
                // SAFETY: passes on the caller's machine.
                #[cfg(target_pointer_width = "32")]
                return unsafe { Self::acc(m) };
            }

            #[inline(always)]
            unsafe fn set_pin<B: Backend, C: Class>(m: &mut Machine<B, C>, value: Self) {
                #[cfg(target_pointer_width = "64")]
                {
                    m.$pin = value;
                }
                // SAFETY: passes on the caller's machine.
                #[cfg(target_pointer_width = "32")]
                unsafe {
                    Self::set_acc(m, value);
                }
            }

            #[inline(always)]
            fn from_imm32(imm: u32) -> Self {
                $from32(imm)
            }

            #[inline(always)]
            fn from_imm64(imm: u64) -> Self {
                $from64(imm)
            }

            #[inline(always)]
            fn to_slot(self) -> u64 {
                $to_slot(self.to_bits())
            }
        }
    };
}

float_value!(
    f32,
    fa32,
    pin32,
    f32::from_bits,
    |imm: u64| f32::from_bits(imm as u32),
    |bits: u32| widen(bits) as u64
);
float_value!(
    f64,
    fa64,
    pin64,
    |imm: u32| f64::from_bits(u64::from(imm)),
    f64::from_bits,
    |bits: u64| bits
);

/// Where a form's operand is. `SLOT` and `IMM` say which fields it takes.
pub(super) trait Src: 'static {
    const OPERAND: Operand;
    const SLOTS: usize = 0;
    const IMMS: usize = 0;

    /// The operand, whose field is slot field `slot` or 32-bit immediate `imm`.
    unsafe fn get<T: Value, O: Instr, B: Backend, C: Class>(
        m: &Machine<B, C>,
        slot: usize,
        imm: usize,
    ) -> T;
}

/// Where a form's result goes.
pub(super) trait Dst: 'static {
    const OPERAND: Operand;

    /// Puts the result, into the slot of slot field `slot` if it goes to one.
    unsafe fn put<T: Value, O: Instr, B: Backend, C: Class>(
        m: &mut Machine<B, C>,
        slot: usize,
        value: T,
    );
}

/// Writes a slot: whole on 64-bit machines, because a copy of the slot reads it whole, and a wide load
/// that follows a narrow store has to wait for the cache. Machines with narrower words never load wide.
#[inline(always)]
pub(super) unsafe fn put_slot<T: Value>(slot: *mut u64, value: T) {
    // SAFETY: the caller's slot is in the frame and aligned to 8.
    unsafe {
        if cfg!(target_pointer_width = "64") {
            *slot = value.to_slot();
        } else {
            *slot.cast::<T>() = value;
        }
    }
}

/// The accumulator.
pub(super) struct A;
/// A slot.
pub(super) struct S;
/// A 32-bit immediate.
pub(super) struct I;
/// A 64-bit immediate.
pub(super) struct W;
/// The pinned local.
pub(super) struct L;
/// The pinned local, as a result.
pub(super) struct D;

impl Src for L {
    const OPERAND: Operand = Operand::L;

    #[inline(always)]
    unsafe fn get<T: Value, O: Instr, B: Backend, C: Class>(
        m: &Machine<B, C>,
        _: usize,
        _: usize,
    ) -> T {
        // SAFETY: passes on the caller's machine.
        unsafe { T::pin(m) }
    }
}

impl Src for A {
    const OPERAND: Operand = Operand::A;

    #[inline(always)]
    unsafe fn get<T: Value, O: Instr, B: Backend, C: Class>(
        m: &Machine<B, C>,
        _: usize,
        _: usize,
    ) -> T {
        // SAFETY: passes on the caller's machine.
        unsafe { T::acc(m) }
    }
}

impl Src for S {
    const OPERAND: Operand = Operand::S;
    const SLOTS: usize = 1;

    #[inline(always)]
    unsafe fn get<T: Value, O: Instr, B: Backend, C: Class>(
        m: &Machine<B, C>,
        slot: usize,
        _: usize,
    ) -> T {
        // SAFETY: the slot is in the frame and aligned to 8; a 32-bit value is in its low half, which
        // comes first on the little-endian targets that teff has.
        unsafe { *m.slot::<O>(slot).cast::<T>() }
    }
}

impl Src for I {
    const OPERAND: Operand = Operand::I;
    const IMMS: usize = 1;

    #[inline(always)]
    unsafe fn get<T: Value, O: Instr, B: Backend, C: Class>(
        m: &Machine<B, C>,
        _: usize,
        imm: usize,
    ) -> T {
        // SAFETY: the field is in the operation's format.
        T::from_imm32(unsafe { m.imm32::<O>(imm) })
    }
}

impl Src for W {
    const OPERAND: Operand = Operand::W;

    #[inline(always)]
    unsafe fn get<T: Value, O: Instr, B: Backend, C: Class>(
        m: &Machine<B, C>,
        _: usize,
        _: usize,
    ) -> T {
        // SAFETY: the field is in the operation's format.
        T::from_imm64(unsafe { m.imm64::<O>() })
    }
}

impl Dst for A {
    const OPERAND: Operand = Operand::A;

    #[inline(always)]
    unsafe fn put<T: Value, O: Instr, B: Backend, C: Class>(
        m: &mut Machine<B, C>,
        _: usize,
        value: T,
    ) {
        // SAFETY: passes on the caller's machine.
        unsafe { T::set_acc(m, value) };
    }
}

/// A place that is an operand and takes the result as well.
pub(super) trait Local: Dst {
    type Source: Src;
}

impl Local for S {
    type Source = S;
}

impl Local for D {
    type Source = L;
}

impl Dst for D {
    const OPERAND: Operand = Operand::D;

    #[inline(always)]
    unsafe fn put<T: Value, O: Instr, B: Backend, C: Class>(
        m: &mut Machine<B, C>,
        slot: usize,
        value: T,
    ) {
        // SAFETY: the slot is in the frame and aligned to 8.
        unsafe {
            put_slot(m.slot::<O>(slot), value);
            T::set_pin(m, value);
        }
    }
}

impl Dst for S {
    const OPERAND: Operand = Operand::S;

    #[inline(always)]
    unsafe fn put<T: Value, O: Instr, B: Backend, C: Class>(
        m: &mut Machine<B, C>,
        slot: usize,
        value: T,
    ) {
        // SAFETY: the slot is in the frame and aligned to 8.
        unsafe {
            put_slot(m.slot::<O>(slot), value);
            T::set_acc(m, value);
        }
    }
}
