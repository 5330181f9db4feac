//! The two ways to get from one handler to the next, and the two ways a cell names its handler.

#[cfg(feature = "std")]
use core::sync::atomic::Ordering;
use core::{marker::PhantomData, ptr::with_exposed_provenance};

#[cfg(not(feature = "std"))]
use super::handlers::Handlers;
use super::{ctx::Ctx, handlers::Handler, kinds::Instr, machine::Machine};
use crate::{ir::CellClass, module::FuncEntry};

/// How a cell names its handler, its function and its target.
pub(super) trait Class: Copy + 'static {
    const CLASS: CellClass;

    /// The handler of the cell at `ip`.
    unsafe fn handler<B: Backend>(ip: *const u8, ctx: *mut Ctx) -> B::Handler;

    /// What the target field at `offset` leads to.
    unsafe fn target(ip: *const u8, offset: usize) -> *const u8;

    /// The function that the field at `offset` names.
    unsafe fn entry(ip: *const u8, offset: usize, ctx: *mut Ctx) -> *const FuncEntry;
}

/// Addresses of this machine's size.
#[derive(Copy, Clone)]
pub(super) struct Direct;

/// Indices and distances.
#[derive(Copy, Clone)]
pub(super) struct Compact;

// SAFETY of the reads below: cells are aligned to their class's alignment, and the translator wrote the
// fields that the operation's format names.

impl Class for Direct {
    const CLASS: CellClass = CellClass::NATIVE;

    #[inline(always)]
    unsafe fn handler<B: Backend>(ip: *const u8, _: *mut Ctx) -> B::Handler {
        // SAFETY: the first field of a direct cell is the address of a handler of the engine's backend.
        unsafe { B::from_address(*ip.cast::<usize>()) }
    }

    #[inline(always)]
    unsafe fn target(ip: *const u8, offset: usize) -> *const u8 {
        // SAFETY: see above.
        with_exposed_provenance(unsafe { *ip.wrapping_add(offset).cast::<usize>() })
    }

    #[inline(always)]
    unsafe fn entry(ip: *const u8, offset: usize, _: *mut Ctx) -> *const FuncEntry {
        // SAFETY: see above.
        with_exposed_provenance(unsafe { *ip.wrapping_add(offset).cast::<usize>() })
    }
}

impl Class for Compact {
    const CLASS: CellClass = CellClass::Compact;

    #[inline(always)]
    unsafe fn handler<B: Backend>(ip: *const u8, ctx: *mut Ctx) -> B::Handler {
        // SAFETY: see above; the encoder writes only numbers of the table.
        unsafe {
            let number = *ip.cast::<u16>() as usize;
            #[cfg(feature = "std")]
            return B::from_address(
                // Whatever this thread runs was written before its code was published.
                (*(*ctx).handlers.wrapping_add(number)).load(Ordering::Relaxed),
            );
            #[cfg(not(feature = "std"))]
            {
                let _ = ctx;
                *B::TABLE.0.as_ptr().wrapping_add(number)
            }
        }
    }

    #[inline(always)]
    unsafe fn target(ip: *const u8, offset: usize) -> *const u8 {
        // SAFETY: see above.
        let distance = unsafe { *ip.wrapping_add(offset).cast::<i32>() };
        ip.wrapping_offset(distance as isize)
    }

    #[inline(always)]
    unsafe fn entry(ip: *const u8, offset: usize, ctx: *mut Ctx) -> *const FuncEntry {
        // SAFETY: see above; the index is one of the current module's.
        unsafe {
            let index = *ip.wrapping_add(offset).cast::<u32>() as usize;
            (*ctx).entries.wrapping_add(index)
        }
    }
}

/// How control gets from one handler to the next.
pub(super) trait Backend: Copy + 'static {
    /// The type of its handlers.
    type Handler: Handler;

    /// What a handler needs to go back to its caller with the registers.
    type Home: Copy;

    /// The handlers of the compact class, by operation number. With `std`, the context leads to them.
    #[cfg(not(feature = "std"))]
    const TABLE: &'static Handlers<Self::Handler>;

    /// The handler at an address out of a cell.
    unsafe fn from_address(address: usize) -> Self::Handler;

    /// Goes on with the instruction at `m.ip`.
    unsafe fn dispatch<C: Class>(m: Machine<Self, C>) -> usize;

    /// Goes on in the body of `O`, out of line: for what is rare.
    unsafe fn cold<C: Class, O: Instr>(m: Machine<Self, C>) -> usize;

    /// Runs from the registers saved in `ctx` until a handler leaves; gives the exit's code.
    unsafe fn run<C: Class>(ctx: *mut Ctx) -> usize;
}

/// Threaded code: every handler ends in a jump to the next one.
///
/// Rust does not promise that a call in tail position becomes a jump, but rustc makes it one at every
/// opt-level but 0 as long as nothing of the caller's frame is needed any more; `build.rs`, the self-test
/// and a check of the disassembly guard that.
#[cfg(teff_threaded)]
mod threaded {
    use super::*;
    #[cfg(not(feature = "std"))]
    use crate::exec::handlers::{Handlers, THREADED_COMPACT};

    #[derive(Copy, Clone)]
    pub(in crate::exec) struct Threaded;

    /// Declares the handler type and the functions for one target class: same arguments, same order.
    macro_rules! threaded {
        ($abi:literal, ($($arg:ident: $ty:ty),*)) => {
            pub(in crate::exec) type ThreadedFn = unsafe extern $abi fn($($ty),*) -> usize;

            /// The handler of `O` for class `C`.
            pub(in crate::exec) unsafe extern $abi fn handler<C: Class, O: Instr>($($arg: $ty),*) -> usize {
                let m: Machine<Threaded, C> = Machine { $($arg,)* home: (), class: PhantomData };
                // SAFETY: the registers come from the handler before, or from the run loop.
                unsafe { O::run(m) }
            }

            /// The same, out of line and out of the way.
            #[cold]
            #[inline(never)]
            pub(in crate::exec) unsafe extern $abi fn cold<C: Class, O: Instr>($($arg: $ty),*) -> usize {
                let m: Machine<Threaded, C> = Machine { $($arg,)* home: (), class: PhantomData };
                // SAFETY: as above.
                unsafe { O::run(m) }
            }

            impl Threaded {
                #[inline(always)]
                unsafe fn enter<C: Class>(f: ThreadedFn, m: Machine<Self, C>) -> usize {
                    let Machine { $($arg,)* .. } = m;
                    // SAFETY: `f` is a handler, and takes the registers as they are.
                    unsafe { f($($arg),*) }
                }
            }
        };
    }

    #[cfg(target_arch = "x86_64")]
    threaded!("sysv64", (
        ip: *const u8, sp: *mut u8, mem: *mut u8, acc: usize, pin: usize, ctx: *mut Ctx,
        fa32: f32, fa64: f64, pin32: f32, pin64: f64
    ));
    #[cfg(all(target_pointer_width = "64", not(target_arch = "x86_64")))]
    threaded!("C", (
        ip: *const u8, sp: *mut u8, mem: *mut u8, acc: usize, pin: usize, ctx: *mut Ctx,
        fa32: f32, fa64: f64, pin32: f32, pin64: f64
    ));
    #[cfg(target_pointer_width = "32")]
    threaded!("C", (ip: *const u8, sp: *mut u8, acc: usize, ctx: *mut Ctx));

    impl Backend for Threaded {
        type Handler = ThreadedFn;
        type Home = ();

        #[cfg(not(feature = "std"))]
        const TABLE: &'static Handlers<ThreadedFn> = &THREADED_COMPACT;

        #[inline(always)]
        unsafe fn from_address(address: usize) -> ThreadedFn {
            // SAFETY: the caller's address is one of a `ThreadedFn`, exposed when the table was listed.
            unsafe { core::mem::transmute(with_exposed_provenance::<()>(address)) }
        }

        #[inline(always)]
        unsafe fn dispatch<C: Class>(m: Machine<Self, C>) -> usize {
            // SAFETY: `m.ip` is at a cell.
            unsafe { Self::enter(C::handler::<Self>(m.ip, m.ctx), m) }
        }

        #[inline(always)]
        unsafe fn cold<C: Class, O: Instr>(m: Machine<Self, C>) -> usize {
            // SAFETY: as for any handler.
            unsafe { Self::enter(cold::<C, O>, m) }
        }

        unsafe fn run<C: Class>(ctx: *mut Ctx) -> usize {
            // SAFETY: the caller's context is live and its saved registers are at a cell.
            unsafe { Self::dispatch(Machine::<Self, C>::restore(ctx, ())) }
        }
    }
}

#[cfg(teff_threaded)]
pub(super) use threaded::{Threaded, ThreadedFn, handler as threaded};

/// A loop that calls the handlers one by one. Its machine is in memory between them.
#[cfg(any(feature = "loop", not(teff_threaded)))]
mod looped {
    use super::*;
    #[cfg(not(feature = "std"))]
    use crate::exec::handlers::{Handlers, LOOP_COMPACT};

    #[derive(Copy, Clone)]
    pub(in crate::exec) struct Looped;

    /// The registers between two handlers: those of [`Machine`].
    #[repr(C)]
    pub(in crate::exec) struct Registers {
        ip: *const u8,
        sp: *mut u8,
        #[cfg(target_pointer_width = "64")]
        mem: *mut u8,
        acc: usize,
        #[cfg(target_pointer_width = "64")]
        pin: usize,
        ctx: *mut Ctx,
        #[cfg(target_pointer_width = "64")]
        fa32: f32,
        #[cfg(target_pointer_width = "64")]
        fa64: f64,
        #[cfg(target_pointer_width = "64")]
        pin32: f32,
        #[cfg(target_pointer_width = "64")]
        pin64: f64,
    }

    impl Registers {
        #[inline(always)]
        fn of<C: Class>(m: &Machine<Looped, C>) -> Self {
            Self {
                ip: m.ip,
                sp: m.sp,
                #[cfg(target_pointer_width = "64")]
                mem: m.mem,
                acc: m.acc,
                #[cfg(target_pointer_width = "64")]
                pin: m.pin,
                ctx: m.ctx,
                #[cfg(target_pointer_width = "64")]
                fa32: m.fa32,
                #[cfg(target_pointer_width = "64")]
                fa64: m.fa64,
                #[cfg(target_pointer_width = "64")]
                pin32: m.pin32,
                #[cfg(target_pointer_width = "64")]
                pin64: m.pin64,
            }
        }
    }

    /// A handler: takes the registers from its argument and leaves them there. 0 means to go on.
    ///
    /// A reference, because then what a handler does not change needs not be written back: nothing else can
    /// lead to it.
    pub(in crate::exec) type LoopFn = unsafe fn(&mut Registers) -> usize;

    /// The handler of `O` for class `C`.
    pub(in crate::exec) unsafe fn handler<C: Class, O: Instr>(registers: &mut Registers) -> usize {
        let m: Machine<Looped, C> = Machine {
            ip: registers.ip,
            sp: registers.sp,
            #[cfg(target_pointer_width = "64")]
            mem: registers.mem,
            acc: registers.acc,
            #[cfg(target_pointer_width = "64")]
            pin: registers.pin,
            ctx: registers.ctx,
            #[cfg(target_pointer_width = "64")]
            fa32: registers.fa32,
            #[cfg(target_pointer_width = "64")]
            fa64: registers.fa64,
            #[cfg(target_pointer_width = "64")]
            pin32: registers.pin32,
            #[cfg(target_pointer_width = "64")]
            pin64: registers.pin64,
            home: registers,
            class: PhantomData,
        };
        // SAFETY: the registers are those that the handler before left, or the run loop's.
        unsafe { O::run(m) }
    }

    /// The same, out of line and out of the way.
    #[cold]
    #[inline(never)]
    unsafe fn cold<C: Class, O: Instr>(registers: *mut Registers) -> usize {
        // SAFETY: nobody else uses the registers meanwhile.
        unsafe { handler::<C, O>(&mut *registers) }
    }

    impl Backend for Looped {
        type Handler = LoopFn;
        type Home = *mut Registers;

        #[cfg(not(feature = "std"))]
        const TABLE: &'static Handlers<LoopFn> = &LOOP_COMPACT;

        #[inline(always)]
        unsafe fn from_address(address: usize) -> LoopFn {
            // SAFETY: the caller's address is one of a `LoopFn`, exposed when the table was listed.
            unsafe { core::mem::transmute(with_exposed_provenance::<()>(address)) }
        }

        #[inline(always)]
        unsafe fn dispatch<C: Class>(m: Machine<Self, C>) -> usize {
            // SAFETY: `home` is from the reference that the handler was given.
            unsafe { m.home.write(Registers::of(&m)) };
            0
        }

        #[inline(always)]
        unsafe fn cold<C: Class, O: Instr>(m: Machine<Self, C>) -> usize {
            // SAFETY: as for any handler; `home` is from the reference that this one was given.
            unsafe {
                m.home.write(Registers::of(&m));
                cold::<C, O>(m.home)
            }
        }

        unsafe fn run<C: Class>(ctx: *mut Ctx) -> usize {
            // SAFETY: the caller's context is live and its saved registers are at a cell; handlers leave
            // the registers at a cell whenever they return 0.
            unsafe {
                let start = Machine::<Self, C>::restore(ctx, core::ptr::null_mut());
                let mut registers = Registers::of(&start);
                loop {
                    #[cfg(feature = "census")]
                    crate::exec::census::count::<C>(registers.ip);
                    let code = C::handler::<Self>(registers.ip, registers.ctx)(&mut registers);
                    if code != 0 {
                        return code;
                    }
                }
            }
        }
    }
}

#[cfg(any(feature = "loop", not(teff_threaded)))]
pub(super) use looped::{LoopFn, Looped, handler as looped};
