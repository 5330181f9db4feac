//! Calls and returns (spec §4.4.10), and the layout of frames.
//!
//! Frames overlap in one value stack. Seen from the callee:
//!
//! ```text
//!   sp - 16 - 8·area   parameters; a function's results come back in the same place
//!   sp - 16            return address: the cell after the call
//!   sp -  8            the caller's sp
//!   sp                 locals, then temporaries; the last of them are parameters of the next callee
//! ```
//!
//! A single result comes back in the accumulator of its type instead. In front of a function's first cell
//! is the size of its frame from `sp` on, which the caller checks against the end of the value stack.

use super::{
    address::P,
    backend::{Backend, Class},
    control::{TakeCall, TakeTailCall, edge_ops},
    ctx::Exit,
    kinds::{CallArg, CallOp, EdgeOp, Fixed, FixedOp, IndexOp, Instr, Ret, RetOp, edge_format},
    machine::Machine,
    memory::fixed_ops,
    meter::Charge,
    operand::{Src, Value},
};
use crate::{
    Trap,
    ir::{Format, Operand, form_format},
    module::FuncEntry,
    store::FuncObj,
};

/// Bytes of the header between parameters and locals, and where its fields are from `sp`.
pub(crate) const HEADER: usize = 16;
const RETURN_IP: isize = -16;
const CALLER_SP: isize = -8;

/// A field of the frame at `sp`.
#[inline(always)]
fn header<T>(sp: *mut u8, field: isize) -> *mut T {
    sp.wrapping_offset(field).cast()
}

/// Where the function whose frame is at `sp` returns to: address and `sp`.
///
/// # Safety
/// `sp` is the frame of an active function.
pub(super) unsafe fn return_to(sp: *mut u8) -> (*const u8, *mut u8) {
    // SAFETY: the caller wrote the header.
    unsafe {
        (
            *header::<*const u8>(sp, RETURN_IP),
            *header::<*mut u8>(sp, CALLER_SP),
        )
    }
}

/// Writes the header of a frame.
///
/// # Safety
/// The header lies in the value stack.
#[inline(always)]
pub(super) unsafe fn set_return(sp: *mut u8, ip: *const u8, caller_sp: *mut u8) {
    // SAFETY: the caller vouches for the place.
    unsafe {
        *header::<*const u8>(sp, RETURN_IP) = ip;
        *header::<*mut u8>(sp, CALLER_SP) = caller_sp;
    }
}

/// The size of the frame that the function at `code` needs from its `sp` on.
///
/// # Safety
/// `code` is the first cell of a function translated for `C`.
#[inline(always)]
pub(super) unsafe fn frame_bytes<C: Class>(code: *const u8) -> usize {
    // SAFETY: the encoder put the prelude there.
    unsafe {
        *code
            .wrapping_sub(const { C::CLASS.prelude() })
            .cast::<u32>() as usize
    }
}

/// Moves slots to where they are further down in the value stack; the two places may overlap.
///
/// # Safety
/// `count` slots at both places lie in the value stack, and `to` is below `from`.
#[inline(always)]
unsafe fn move_down(from: *const u64, to: *mut u64, count: usize) {
    let mut i = 0;
    while i < count {
        // Volatile, or LLVM makes it a call of `memmove`, and the handler needs a frame.
        // SAFETY: the caller's promise; in this order no slot is overwritten before it has moved.
        unsafe { to.wrapping_add(i).write_volatile(*from.wrapping_add(i)) };
        i += 1;
    }
}

/// Is there room for a frame of `bytes` at `sp`, which may be beyond `limit`?
#[inline(always)]
pub(super) fn fits(sp: *mut u8, bytes: usize, limit: *mut u8) -> bool {
    if cfg!(target_pointer_width = "64") {
        // No such machine has addresses so high that the sum could overflow.
        (sp as usize).wrapping_add(bytes) <= limit as usize
    } else {
        (sp as usize)
            .checked_add(bytes)
            .is_some_and(|end| end <= limit as usize)
    }
}

/// What the function at `code`, which is metered, charges when it is entered, and where it goes on then: its
/// [`EnterMetered`] need not be executed, if the charge is made.
///
/// # Safety
/// `code` is the first cell of a metered function translated for `C`.
#[inline(always)]
unsafe fn metered_entry<C: Class>(code: *const u8) -> (i32, *const u8) {
    let charge = const { Fixed::<EnterMetered>::FORMAT.imm32(C::CLASS, 0) };
    let size = const { Fixed::<EnterMetered>::FORMAT.size(C::CLASS) };
    // SAFETY: the first cell of metered functions is an `EnterMetered`.
    let units = unsafe { *code.wrapping_add(charge).cast::<i32>() };
    (units, code.wrapping_add(size))
}

/// Enters `entry` with its frame at `sp`, which lies within the frame of the present instruction, `O`. If it
/// cannot be charged for, nothing happens yet; else `pass` is called first.
///
/// # Safety
/// As for `Instr::run`; `entry` is a function of the current instance's module, and metered if `METERED`.
#[inline(always)]
unsafe fn enter<const METERED: bool, O: Instr, B: Backend, C: Class>(
    mut m: Machine<B, C>,
    entry: *const FuncEntry,
    sp: *mut u8,
    pass: impl FnOnce(),
) -> usize {
    // SAFETY: entries live as long as their module, which the instance keeps; the frame's header is
    // within the value stack because the check comes first.
    unsafe {
        let mut code = FuncEntry::code(entry);
        if !fits(sp, frame_bytes::<C>(code), (*m.ctx).stack_limit) {
            return m.trap(Trap::StackOverflow);
        }
        if METERED {
            let (units, behind) = metered_entry::<C>(code);
            if !m.pay(units) {
                return m.refill();
            }
            code = behind;
        }
        pass();
        let next = m.ip.wrapping_add(const { O::FORMAT.size(C::CLASS) });
        set_return(sp, next, m.sp);
        // A function that is not translated yet finds itself here.
        m.acc = entry.expose_provenance();
        m.sp = sp;
        m.jump(code)
    }
}

/// Calls a function of another instance or of the host, by way of the run loop.
///
/// # Safety
/// As for `Instr::run`.
#[inline(always)]
unsafe fn call_other<O: Instr, B: Backend, C: Class>(
    mut m: Machine<B, C>,
    func: *const FuncObj,
    sp: *mut u8,
) -> usize {
    m.acc = func.expose_provenance();
    // SAFETY: `ctx` is live.
    unsafe {
        (*m.ctx).callee_sp = sp;
        B::cold::<C, TakeCall<O>>(m)
    }
}

/// The function that `call_indirect` finds: not null, of the wanted type.
///
/// # Safety
/// As for `Instr::run`; `table` is one of the current instance's.
#[inline(always)]
unsafe fn look_up<B: Backend, C: Class>(
    m: &Machine<B, C>,
    table: u32,
    index: u32,
    sig: u32,
) -> Result<*const FuncObj, Trap> {
    // SAFETY: the instance's tables live as long as it does; a function table's elements are null or
    // addresses of functions of this store.
    unsafe {
        let table = *(*m.ctx).tables.wrapping_add(table as usize);
        if index as usize >= (*table).len {
            return Err(Trap::UndefinedElement);
        }
        let func = *(*table).elements.wrapping_add(index as usize) as usize as *const FuncObj;
        if func.is_null() {
            return Err(Trap::IndirectCallToNull);
        }
        if (*func).sig != sig {
            return Err(Trap::BadSignature);
        }
        Ok(func)
    }
}

fixed_ops! {
    /// The whole code of a function that is not translated yet.
    Translate = |m, Op| {
        m.leave(Exit::Translate as usize)
    }

    /// Where calls into other instances return to.
    Resume = |m, Op| {
        m.leave(Exit::Resume as usize)
    }

    /// At the start of a metered function: charges for all of it.
    EnterMetered = |m, Op| {
        if m.pay(m.imm32::<Op>(0) as i32) {
            m.next::<Op>()
        } else {
            m.refill()
        }
    }

    /// A function of the same module. Immediate 0: the callee's `sp`, from `sp`.
    Call = |m, Op| {
        let sp = m.sp.wrapping_add(m.imm32::<Op>(0) as usize);
        enter::<false, Op, B, C>(m, m.entry::<Op>(), sp, || {})
    }

    /// The same where code is metered.
    CallMetered = |m, Op| {
        let sp = m.sp.wrapping_add(m.imm32::<Op>(0) as usize);
        enter::<true, Op, B, C>(m, m.entry::<Op>(), sp, || {})
    }

    /// An imported function. Immediates: function index, the callee's `sp` from `sp`.
    CallImported = |m, Op| {
        let func = (*m.ctx).funcs.wrapping_add(m.imm32::<Op>(0) as usize);
        let sp = m.sp.wrapping_add(m.imm32::<Op>(1) as usize);
        call_other::<Op, B, C>(m, func, sp)
    }
}

edge_ops! {
    /// With the result in the accumulator, or none.
    Return = |m, O| {
        if !m.charge::<O>() {
            return m.refill();
        }
        let (ip, sp) = return_to(m.sp);
        m.sp = sp;
        m.jump(ip)
    }

    /// The same for a function that pins locals: see [`Unpin`](super::control::Unpin).
    ReturnUnpin = |m, O| {
        if !m.charge::<O>() {
            return m.refill();
        }
        m.restore_pins::<O>();
        let (ip, sp) = return_to(m.sp);
        m.sp = sp;
        m.jump(ip)
    }

    /// With results in slots: copies them to the slot. Immediates: where they are, from `sp`; slots.
    ReturnMany = |m, O| {
        if !m.charge::<O>() {
            return m.refill();
        }
        let to = m.slot::<O>(0);
        let from = m.sp.wrapping_add(m.imm32::<O>(0) as usize).cast::<u64>();
        let (ip, sp) = return_to(m.sp);
        move_down(from, to, m.imm32::<O>(1) as usize);
        m.sp = sp;
        m.jump(ip)
    }

    /// A function of the same module takes this frame's place. The slot is where this frame's area begins.
    /// Immediates: where the arguments are now, from `sp`; argument slots; area slots.
    ReturnCall = |m, O| {
        let entry = m.entry::<O>();
        tail_enter::<O, B, C>(m, entry)
    }

    /// The same for an imported function; the last immediate is its index.
    ReturnCallImported = |m, O| {
        let func = (*m.ctx).funcs.wrapping_add(m.imm32::<O>(3) as usize);
        tail_call_other::<O, B, C>(m, func)
    }
}

/// `call`, and on the way a whole slot for an argument, which goes to the slot of the row. Immediates: the callee's
/// `sp` from `sp`, and a number that is added to the argument if that is a sum.
pub(super) struct CallWith;

/// The same where code is metered.
pub(super) struct CallWithMetered;

impl CallOp for CallWith {
    const METERED: bool = false;
}

impl CallOp for CallWithMetered {
    const METERED: bool = true;
}

/// Where the argument of [`CallWith`] comes from.
pub(super) trait Argument: 'static {
    const OPERAND: Operand;

    /// # Safety
    /// As for `Instr::run`; the operand has the first slot field, and the second immediate.
    unsafe fn get<O: Instr, B: Backend, C: Class>(m: &Machine<B, C>) -> u64;
}

impl<T: Src> Argument for T {
    const OPERAND: Operand = T::OPERAND;

    #[inline(always)]
    unsafe fn get<O: Instr, B: Backend, C: Class>(m: &Machine<B, C>) -> u64 {
        // SAFETY: the operand's immediate comes after those of the row.
        unsafe { T::get::<u64, O, B, C>(m, 0, 2) }
    }
}

impl Argument for P {
    const OPERAND: Operand = Operand::P;

    #[inline(always)]
    unsafe fn get<O: Instr, B: Backend, C: Class>(m: &Machine<B, C>) -> u64 {
        // SAFETY: see the trait.
        unsafe { (*m.slot::<O>(0)).wrapping_add(m.imm32::<O>(1) as i32 as u64) }
    }
}

impl<T: CallOp, L: Argument> Instr for CallArg<T, L> {
    const FORMAT: Format = form_format(T::FAMILY.fields(), &[L::OPERAND]);

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(m: Machine<B, C>) -> usize {
        // SAFETY: see `Instr`; the row's slot comes after the operand's.
        unsafe {
            let argument = L::get::<Self, B, C>(&m);
            let to = m.slot::<Self>(const { L::OPERAND.slots() as usize });
            let sp = m.sp.wrapping_add(m.imm32::<Self>(0) as usize);
            let entry = m.entry::<Self>();
            if T::METERED {
                enter::<true, Self, B, C>(m, entry, sp, || *to = argument)
            } else {
                *to = argument;
                enter::<false, Self, B, C>(m, entry, sp, || {})
            }
        }
    }
}

/// Declares returns with a result that is not in the accumulator yet.
macro_rules! returns {
    ($($name:ident $unpin:ident: $ty:ty;)*) => {$(
        /// Returns with this.
        pub(super) struct $name;

        impl RetOp for $name {
            type Type = $ty;
            const UNPIN: bool = false;
        }

        /// The same for a function that pins locals.
        pub(super) struct $unpin;

        impl RetOp for $unpin {
            type Type = $ty;
            const UNPIN: bool = true;
        }
    )*};
}

returns! {
    ReturnI32 ReturnUnpinI32: u32;
    ReturnI64 ReturnUnpinI64: u64;
    ReturnF64 ReturnUnpinF64: f64;
}

impl<T: RetOp, L: Src, U: Charge> Instr for Ret<T, L, U> {
    const FORMAT: Format = edge_format::<T, U>(&[L::OPERAND]);
    const METERED: bool = U::METERED;

    #[inline(always)]
    unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
        // SAFETY: see `Instr`; the slot of the saved pins comes after that of the operand.
        unsafe {
            if !m.charge::<Self>() {
                return m.refill();
            }
            let value = L::get::<T::Type, Self, B, C>(&m, 0, 0);
            T::Type::set_acc(&mut m, value);
            if T::UNPIN {
                m.restore_pins_at::<Self>(L::SLOTS);
            }
            let (ip, sp) = return_to(m.sp);
            m.sp = sp;
            m.jump(ip)
        }
    }
}

/// `call_indirect`. Immediates: table, type, the callee's `sp` from `sp`.
pub(super) struct CallIndirect;

/// The same where code is metered.
pub(super) struct CallIndirectMetered;

impl IndexOp for CallIndirect {
    #[inline(always)]
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, index: u32) -> usize {
        // SAFETY: passes on the caller's promise.
        unsafe { call_indirect::<false, O, B, C>(m, index) }
    }
}

impl IndexOp for CallIndirectMetered {
    #[inline(always)]
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, index: u32) -> usize {
        // SAFETY: passes on the caller's promise.
        unsafe { call_indirect::<true, O, B, C>(m, index) }
    }
}

/// Calls the function that the table has at `index`.
///
/// # Safety
/// As for [`Instr::run`]; the immediates of `O` are in the row of the table. Code is metered if `METERED`.
#[inline(always)]
unsafe fn call_indirect<const METERED: bool, O: Instr, B: Backend, C: Class>(
    m: Machine<B, C>,
    index: u32,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let func = match look_up(&m, m.imm32::<O>(0), index, m.imm32::<O>(1)) {
            Ok(func) => func,
            Err(trap) => return m.trap(trap),
        };
        let sp = m.sp.wrapping_add(m.imm32::<O>(2) as usize);
        if (*func).instance == (*m.ctx).instance {
            enter::<METERED, O, B, C>(m, (*func).entry, sp, || {})
        } else {
            call_other::<O, B, C>(m, func, sp)
        }
    }
}

/// `return_call_indirect`. The slot and the first three immediates as in [`ReturnCall`]; then table and type.
pub(super) struct ReturnCallIndirect;

impl IndexOp for ReturnCallIndirect {
    #[inline(always)]
    unsafe fn run<O: Instr, B: Backend, C: Class>(m: Machine<B, C>, index: u32) -> usize {
        // SAFETY: see `Instr`; the immediates are in the row of the table.
        unsafe {
            let func = match look_up(&m, m.imm32::<O>(3), index, m.imm32::<O>(4)) {
                Ok(func) => func,
                Err(trap) => return m.trap(trap),
            };
            if (*func).instance == (*m.ctx).instance {
                tail_enter::<O, B, C>(m, (*func).entry)
            } else {
                tail_call_other::<O, B, C>(m, func)
            }
        }
    }
}

/// The move that a tail call makes.
struct TailArea {
    from: *mut u64,
    to: *mut u64,
    params: usize,
    /// The callee's `sp`.
    sp: *mut u8,
}

/// Reads the fields that all tail calls have; the slot is the last one of `O`, since an index operand in a
/// slot comes first.
///
/// # Safety
/// As for `Instr::run`.
#[inline(always)]
unsafe fn tail_area<O: Instr, B: Backend, C: Class>(m: &Machine<B, C>) -> TailArea {
    // SAFETY: see `Instr`.
    unsafe {
        let to = m.slot::<O>(const { O::FORMAT.slots as usize - 1 });
        let area = to.wrapping_add(m.imm32::<O>(2) as usize).cast::<u8>();
        TailArea {
            from: m.sp.wrapping_add(m.imm32::<O>(0) as usize).cast(),
            to,
            params: m.imm32::<O>(1) as usize,
            sp: area.wrapping_add(HEADER),
        }
    }
}

/// Replaces the frame by one for a tail call: moves the arguments down and writes the new header. What the
/// old one said is read first: the arguments may lie over it.
///
/// # Safety
/// As for `Instr::run`; the area's `sp` is within the value stack.
#[inline(always)]
unsafe fn replace_frame<B: Backend, C: Class>(m: &Machine<B, C>, area: &TailArea) {
    // SAFETY: the arguments lie in this frame; their new place lies below the new header, which the caller
    // checked.
    unsafe {
        let (return_ip, caller) = return_to(m.sp);
        move_down(area.from, area.to, area.params);
        set_return(area.sp, return_ip, caller);
    }
}

/// A tail call within the instance.
///
/// # Safety
/// As for `Instr::run`; `entry` is a function of the current instance's module.
#[inline(always)]
unsafe fn tail_enter<O: Instr, B: Backend, C: Class>(
    mut m: Machine<B, C>,
    entry: *const FuncEntry,
) -> usize {
    // SAFETY: see `Instr`; nothing is overwritten before the new frame is known to fit.
    unsafe {
        let mut code = FuncEntry::code(entry);
        let area = tail_area::<O, B, C>(&m);
        if !fits(area.sp, frame_bytes::<C>(code), (*m.ctx).stack_limit) {
            return m.trap(Trap::StackOverflow);
        }
        if O::METERED {
            // What is left of this function is given back.
            let (units, behind) = metered_entry::<C>(code);
            if !m.pay(units.wrapping_add(m.charge_of::<O>())) {
                return m.refill();
            }
            code = behind;
        }
        replace_frame(&m, &area);
        m.acc = entry.expose_provenance();
        m.sp = area.sp;
        m.jump(code)
    }
}

/// A tail call out of the instance, by way of the run loop, which finds the new frame made.
///
/// # Safety
/// As for `Instr::run`.
#[inline(always)]
unsafe fn tail_call_other<O: Instr, B: Backend, C: Class>(
    mut m: Machine<B, C>,
    func: *const FuncObj,
) -> usize {
    // SAFETY: as in `tail_enter`.
    unsafe {
        let area = tail_area::<O, B, C>(&m);
        if area.sp > (*m.ctx).stack_limit {
            return m.trap(Trap::StackOverflow);
        }
        if !m.charge::<O>() {
            return m.refill();
        }
        replace_frame(&m, &area);
        m.acc = func.expose_provenance();
        (*m.ctx).callee_sp = area.sp;
        B::cold::<C, TakeTailCall>(m)
    }
}
