//! The kinds of instruction: a row's semantics, given the operands of a form, become a handler's body.

use core::marker::PhantomData;

use super::{
    address::Address,
    backend::{Backend, Class},
    machine::Machine,
    meter::{Charge, Free},
    operand::{Dst, Local, Src, Value},
};
use crate::{
    Trap,
    ir::{Family, Format, Operand, form_format},
};

/// The body of one operation. Both backends and all classes share it.
///
/// # Safety
/// Of every `run` in the crate: the machine comes from the handler before or from the run loop, so `ip` is
/// at a cell of this operation that the translator wrote for the current function, `sp` is at its frame,
/// whose size was checked against the value stack when it was called, and `ctx` is the store's context,
/// which nobody else uses while handlers run.
pub(super) trait Instr: 'static {
    const FORMAT: Format;

    /// Is the last 32-bit immediate a charge? See [`Machine::charge`].
    const METERED: bool = false;

    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize;
}

/// A type that stands for a row of the table.
pub(super) trait Row: 'static {
    const FAMILY: Family;
}

/// `result ← f(a, b)`, which may trap.
pub(super) trait BinaryOp: Row {
    type In: Value;
    type Out: Value;

    fn apply(a: Self::In, b: Self::In) -> Result<Self::Out, Trap>;
}

/// `result ← f(a)`, which may trap.
pub(super) trait UnaryOp: Row {
    type In: Value;
    type Out: Value;

    fn apply(a: Self::In) -> Result<Self::Out, Trap>;
}

/// `result ← f(x, y, z)`: two operations, the second on the result of the first.
pub(super) trait PairOp: Row {
    type Type: Value;

    fn apply(x: Self::Type, y: Self::Type, z: Self::Type) -> Self::Type;
}

/// `local ← local + number`, and a comparison of it that is branched on.
pub(super) trait CountedOp: Row {
    type In: Value;

    fn add(a: Self::In, imm: u32) -> Self::In;
    fn test(a: Self::In, b: Self::In) -> bool;
}

/// A comparison that is branched on.
pub(super) trait TestOp: Row {
    type In: Value;

    fn test(a: Self::In, b: Self::In) -> bool;
}

/// A choice between two values by a comparison of two others of the same type.
pub(super) trait ChooseOp: Row {
    type Test: TestOp;
}

/// What [`ChooseOp`] compares.
type Compared<T> = <<T as ChooseOp>::Test as TestOp>::In;

/// `result ← memory[address]`.
pub(super) trait LoadOp: Row {
    type Out: Value;
    const SIZE: usize;

    /// # Safety
    /// `SIZE` bytes at `p` are in the memory; any alignment.
    unsafe fn load(p: *const u8) -> Self::Out;
}

/// `result ← f(memory[address], b)`.
pub(super) trait LoadPairOp: Row {
    type Load: LoadOp;

    fn apply(
        loaded: <Self::Load as LoadOp>::Out,
        b: <Self::Load as LoadOp>::Out,
    ) -> <Self::Load as LoadOp>::Out;
}

/// `memory[address] ← value`.
pub(super) trait StoreOp: Row {
    type In: Value;
    const SIZE: usize;

    /// # Safety
    /// `SIZE` bytes at `p` are in the memory; any alignment.
    unsafe fn store(p: *mut u8, value: Self::In);
}

/// A row that only has a type: moves, selects, globals.
pub(super) trait Typed: Row {
    type Type: Value;
}

/// `result ← global`, in some way.
pub(super) trait GlobalOp: Row {
    type Type: Value;

    /// # Safety
    /// As for [`Instr::run`]; `O` is the operation at `m.ip`.
    unsafe fn get<O: Instr, B: Backend, C: Class>(m: &Machine<B, C>) -> Self::Type;
}

/// A row with a single form.
pub(super) trait FixedOp: Row {
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize;
}

/// A call with an argument.
pub(super) trait CallOp: Row {
    const METERED: bool;
}

/// A return with its result.
pub(super) trait RetOp: Row {
    type Type: Value;
    /// Does it give the caller its pinned locals back?
    const UNPIN: bool;
}

/// A row that leads elsewhere, in a free and in a metered form.
pub(super) trait EdgeOp: Row {
    /// # Safety
    /// As for [`Instr::run`]; `O` is the operation at `m.ip`.
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>) -> usize;
}

/// A row with one condition or index, in the accumulator or a slot.
pub(super) trait IndexOp: Row {
    /// # Safety
    /// As for [`Instr::run`]; `O` is the operation at `m.ip`.
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, index: u32) -> usize;
}

pub(super) struct Binary<T, L, R, D>(PhantomData<(T, L, R, D)>);
pub(super) struct Unary<T, L, D>(PhantomData<(T, L, D)>);
pub(super) struct Pair<T, X, Y, Z, D>(PhantomData<(T, X, Y, Z, D)>);
pub(super) struct Counted<T, L, R, U = Free>(PhantomData<(T, L, R, U)>);
pub(super) struct Branch<T, L, R, U = Free>(PhantomData<(T, L, R, U)>);
pub(super) struct Load<T, L, D>(PhantomData<(T, L, D)>);
pub(super) struct LoadPair<T, X, R, D>(PhantomData<(T, X, R, D)>);
pub(super) struct CallArg<T, L>(PhantomData<(T, L)>);
pub(super) struct Store<T, L, R>(PhantomData<(T, L, R)>);
pub(super) struct Move<T, L, D>(PhantomData<(T, L, D)>);
pub(super) struct Select<T, K, L, R, D>(PhantomData<(T, K, L, R, D)>);
pub(super) struct Choose<T, K, L, X, Y, D>(PhantomData<(T, K, L, X, Y, D)>);
pub(super) struct Ret<T, L, U = Free>(PhantomData<(T, L, U)>);
pub(super) struct Get<T, D>(PhantomData<(T, D)>);
pub(super) struct Set<T, L>(PhantomData<(T, L)>);
pub(super) struct Index<T, L, F = Free>(PhantomData<(T, L, F)>);
pub(super) struct Edge<T, F = Free>(PhantomData<(T, F)>);
pub(super) struct Fixed<T>(PhantomData<T>);

/// The format of a row in the form of these operands.
const fn format_of<T: Row>(form: &[Operand]) -> Format {
    form_format(T::FAMILY.fields(), form)
}

/// The same in a form that may be metered.
pub(super) const fn edge_format<T: Row, F: Charge>(form: &[Operand]) -> Format {
    let mut format = format_of::<T>(form);
    format.imm32 += F::METERED as u8;
    format
}

/// How many 32-bit immediates the row itself has: those of operands come after them.
const fn row_imms<T: Row>() -> usize {
    T::FAMILY.fields().imm32 as usize
}

// SAFETY of the blocks below: see `Instr`; every field that a body reads is in the format beside it.

impl<T: BinaryOp, L: Src, R: Src, D: Dst> Instr for Binary<T, L, R, D> {
    const FORMAT: Format = format_of::<T>(&[L::OPERAND, R::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let a = L::get::<T::In, Self, B, C>(&m, 0, 0);
            let b = R::get::<T::In, Self, B, C>(&m, L::SLOTS, L::IMMS);
            match T::apply(a, b) {
                Ok(value) => {
                    D::put::<T::Out, Self, B, C>(&mut m, L::SLOTS + R::SLOTS, value);
                    m.next::<Self>()
                }
                Err(trap) => m.trap(trap),
            }
        }
    }
}

impl<T: PairOp, X: Src, Y: Src, Z: Src, D: Dst> Instr for Pair<T, X, Y, Z, D> {
    const FORMAT: Format = format_of::<T>(&[X::OPERAND, Y::OPERAND, Z::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let x = X::get::<T::Type, Self, B, C>(&m, 0, 0);
            let y = Y::get::<T::Type, Self, B, C>(&m, X::SLOTS, X::IMMS);
            let z = Z::get::<T::Type, Self, B, C>(&m, X::SLOTS + Y::SLOTS, X::IMMS + Y::IMMS);
            let result = T::apply(x, y, z);
            D::put::<T::Type, Self, B, C>(&mut m, X::SLOTS + Y::SLOTS + Z::SLOTS, result);
            m.next::<Self>()
        }
    }
}

impl<T: CountedOp, L: Local, R: Src, U: Charge> Instr for Counted<T, L, R, U> {
    const FORMAT: Format = edge_format::<T, U>(&[L::OPERAND, R::OPERAND]);
    const METERED: bool = U::METERED;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above; a local has one slot field whether it is pinned or not.
        unsafe {
            let imm = m.imm32::<Self>(0);
            let a = T::add(L::Source::get::<T::In, Self, B, C>(&m, 0, 0), imm);
            let b = R::get::<T::In, Self, B, C>(&m, 1, row_imms::<T>());
            let taken = T::test(a, b);
            if taken && !m.charge::<Self>() {
                return m.refill();
            }
            L::put::<T::In, Self, B, C>(&mut m, 0, a);
            if taken {
                m.jump(m.target::<Self>())
            } else {
                m.next::<Self>()
            }
        }
    }
}

impl<T: UnaryOp, L: Src, D: Dst> Instr for Unary<T, L, D> {
    const FORMAT: Format = format_of::<T>(&[L::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            match T::apply(L::get::<T::In, Self, B, C>(&m, 0, 0)) {
                Ok(value) => {
                    D::put::<T::Out, Self, B, C>(&mut m, L::SLOTS, value);
                    m.next::<Self>()
                }
                Err(trap) => m.trap(trap),
            }
        }
    }
}

impl<T: TestOp, L: Src, R: Src, F: Charge> Instr for Branch<T, L, R, F> {
    const FORMAT: Format = edge_format::<T, F>(&[L::OPERAND, R::OPERAND]);
    const METERED: bool = F::METERED;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let a = L::get::<T::In, Self, B, C>(&m, 0, 0);
            let b = R::get::<T::In, Self, B, C>(&m, L::SLOTS, L::IMMS);
            // Two dispatches, so that the branch is predicted and `ip` does not wait for the operands.
            if T::test(a, b) {
                m.branch::<Self>()
            } else {
                m.next::<Self>()
            }
        }
    }
}

/// Where the access of `O` is in memory 0, if its `size` bytes are within it.
#[inline(always)]
unsafe fn effective<O: Instr, X: Address, B: Backend, C: Class>(
    m: &Machine<B, C>,
    imm: usize,
    size: usize,
) -> Option<*mut u8> {
    // SAFETY: passes on the machine; every load and store has its offset first. `ctx` is live.
    unsafe {
        let start = X::start::<O, B, C>(m, imm, m.imm32::<O>(0));
        // A constant index, once this is inlined.
        if start >= (*m.ctx).starts[size.trailing_zeros() as usize] as u64 {
            return None;
        }
        Some(m.mem().wrapping_add(start as usize))
    }
}

impl<T: LoadOp, X: Address, D: Dst> Instr for Load<T, X, D> {
    const FORMAT: Format = format_of::<T>(&[X::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above; `effective` checks the access.
        unsafe {
            match effective::<Self, X, B, C>(&m, row_imms::<T>(), T::SIZE) {
                Some(p) => {
                    D::put::<T::Out, Self, B, C>(&mut m, X::SLOTS, T::load(p));
                    m.next::<Self>()
                }
                None => m.trap(Trap::MemoryOutOfBounds),
            }
        }
    }
}

impl<T: LoadPairOp, X: Address, R: Src, D: Dst> Instr for LoadPair<T, X, R, D> {
    const FORMAT: Format = format_of::<T>(&[X::OPERAND, R::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above; `effective` checks the access.
        unsafe {
            let b = R::get::<<T::Load as LoadOp>::Out, Self, B, C>(&m, X::SLOTS, row_imms::<T>());
            match effective::<Self, X, B, C>(&m, row_imms::<T>(), T::Load::SIZE) {
                Some(p) => {
                    let value = T::apply(T::Load::load(p), b);
                    D::put::<_, Self, B, C>(&mut m, X::SLOTS + R::SLOTS, value);
                    m.next::<Self>()
                }
                None => m.trap(Trap::MemoryOutOfBounds),
            }
        }
    }
}

impl<T: StoreOp, X: Address, R: Src> Instr for Store<T, X, R> {
    const FORMAT: Format = format_of::<T>(&[X::OPERAND, R::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see above; `effective` checks the access.
        unsafe {
            let value = R::get::<T::In, Self, B, C>(&m, X::SLOTS, row_imms::<T>() + X::IMMS);
            match effective::<Self, X, B, C>(&m, row_imms::<T>(), T::SIZE) {
                Some(p) => {
                    T::store(p, value);
                    m.next::<Self>()
                }
                None => m.trap(Trap::MemoryOutOfBounds),
            }
        }
    }
}

impl<T: Typed, L: Src, D: Dst> Instr for Move<T, L, D> {
    const FORMAT: Format = format_of::<T>(&[L::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let value = L::get::<T::Type, Self, B, C>(&m, 0, 0);
            D::put::<T::Type, Self, B, C>(&mut m, L::SLOTS, value);
            m.next::<Self>()
        }
    }
}

impl<T: Typed, K: Src, L: Src, R: Src, D: Dst> Instr for Select<T, K, L, R, D> {
    const FORMAT: Format = format_of::<T>(&[K::OPERAND, L::OPERAND, R::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let condition = K::get::<u32, Self, B, C>(&m, 0, 0);
            let a = L::get::<T::Type, Self, B, C>(&m, K::SLOTS, K::IMMS);
            let b = R::get::<T::Type, Self, B, C>(&m, K::SLOTS + L::SLOTS, K::IMMS + L::IMMS);
            let value = if condition != 0 { a } else { b };
            D::put::<T::Type, Self, B, C>(&mut m, K::SLOTS + L::SLOTS + R::SLOTS, value);
            m.next::<Self>()
        }
    }
}

impl<T: ChooseOp, K: Src, L: Src, X: Src, Y: Src, D: Dst> Instr for Choose<T, K, L, X, Y, D> {
    const FORMAT: Format =
        format_of::<T>(&[K::OPERAND, L::OPERAND, X::OPERAND, Y::OPERAND, D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let (slots, imms) = (K::SLOTS + L::SLOTS, K::IMMS + L::IMMS);
            let a = K::get::<Compared<T>, Self, B, C>(&m, 0, 0);
            let b = L::get::<Compared<T>, Self, B, C>(&m, K::SLOTS, K::IMMS);
            let x = X::get::<Compared<T>, Self, B, C>(&m, slots, imms);
            let y = Y::get::<Compared<T>, Self, B, C>(&m, slots + X::SLOTS, imms + X::IMMS);
            let value = if T::Test::test(a, b) { x } else { y };
            D::put::<Compared<T>, Self, B, C>(&mut m, slots + X::SLOTS + Y::SLOTS, value);
            m.next::<Self>()
        }
    }
}

impl<T: GlobalOp, D: Dst> Instr for Get<T, D> {
    const FORMAT: Format = format_of::<T>(&[D::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let value = T::get::<Self, B, C>(&m);
            D::put::<T::Type, Self, B, C>(&mut m, 0, value);
            m.next::<Self>()
        }
    }
}

impl<T: Typed, L: Src> Instr for Set<T, L> {
    const FORMAT: Format = format_of::<T>(&[L::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see above; the index is one of the instance's globals, whose type the validator checked.
        unsafe {
            let value = L::get::<T::Type, Self, B, C>(&m, 0, row_imms::<T>());
            let global = *(*m.ctx).globals.wrapping_add(m.imm32::<Self>(0) as usize);
            *(&raw mut (*global).value).cast::<T::Type>() = value;
            m.next::<Self>()
        }
    }
}

impl<T: EdgeOp, F: Charge> Instr for Edge<T, F> {
    const FORMAT: Format = edge_format::<T, F>(&[]);
    const METERED: bool = F::METERED;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe { T::run::<Self, B, C>(m) }
    }
}

impl<T: IndexOp, L: Src, F: Charge> Instr for Index<T, L, F> {
    const FORMAT: Format = edge_format::<T, F>(&[L::OPERAND]);
    const METERED: bool = F::METERED;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe {
            let index = L::get::<u32, Self, B, C>(&m, 0, 0);
            T::run::<Self, B, C>(m, index)
        }
    }
}

impl<T: FixedOp> Instr for Fixed<T> {
    const FORMAT: Format = T::FAMILY.fields();

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see above.
        unsafe { T::run(m) }
    }
}
