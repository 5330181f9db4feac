//! The run loop: enters handlers, and does what they leave for: calls into the host and into other
//! instances, translation, traps.

use alloc::vec::Vec;
use core::{ptr, ptr::NonNull};

use super::{
    Target, backtrace,
    call::{HEADER, fits, return_to, set_return},
    ctx::{Crossing, Ctx, Exit, Saved, Stack},
    selftest,
};
use crate::{
    Error, Pending, Result, Trap,
    module::{FuncEntry, Module, ModuleInner},
    store::{FuncObj, InstanceObj, StoreInner},
    types::FuncType,
};

/// Calls a function, of Wasm or of the host. `slots` has [`FuncType::area_slots`] cells: parameters in,
/// results out; the upper bits of a 32-bit value are unspecified.
pub(crate) fn invoke(
    store: NonNull<StoreInner>,
    func: NonNull<FuncObj>,
    slots: &mut [u64],
) -> Result<()> {
    // SAFETY: callers checked that the function belongs to the store, which keeps it.
    let callee = unsafe { func.as_ref() };
    if callee.instance.is_null() {
        // SAFETY: as above; the slots are as many as the type needs.
        return unsafe { StoreInner::call_host(store, callee.index, ptr::null_mut(), slots) };
    }
    let run = Run::of(store, callee)?;
    // SAFETY: no reference to the store exists while handlers run; all access is through this pointer.
    unsafe {
        let _activation = Activation::begin(run.ctx)?;
        let area = run.start(callee, slots)?;
        match run.go(None)? {
            None => run.finish(callee, area, slots),
            Some(stop) => return Err(run.with_backtrace(stop.error(), (*run.ctx).saved)),
        }
    }
    Ok(())
}

/// The same, but if it is stopped the call can go on later.
pub(crate) fn invoke_resumable(
    store: NonNull<StoreInner>,
    func: NonNull<FuncObj>,
    slots: &mut [u64],
) -> Result<Option<Suspended>> {
    // SAFETY: as in `invoke`.
    let callee = unsafe { func.as_ref() };
    if callee.instance.is_null() {
        return invoke(store, func, slots).map(|()| None);
    }
    let run = Run::of(store, callee)?;
    // SAFETY: as in `invoke`.
    unsafe {
        let activation = Activation::begin_apart(run.ctx, None)?;
        let area = run.start(callee, slots)?;
        run.go_until_stopped(&activation, func, area, slots, None)
    }
}

/// Goes on with a call that was suspended in this store.
pub(crate) fn resume(
    store: NonNull<StoreInner>,
    suspended: Suspended,
    slots: &mut [u64],
) -> Result<Option<Suspended>> {
    let Suspended {
        func,
        stack,
        saved,
        callee_sp,
        instance,
        crossings,
        stop,
        ..
    } = suspended;
    // SAFETY: as in `invoke`: it was called in this store.
    let run = Run::of(store, unsafe { func.as_ref() })?;
    // SAFETY: as in `invoke`; the registers, the instance and the crossings are those of what is on the
    // stack, whose frames begin at its base.
    unsafe {
        let area = stack.pages.base().cast();
        let activation = Activation::begin_apart(run.ctx, Some(stack))?;
        (*run.ctx).crossings.extend(crossings);
        (*run.ctx).set_instance(instance);
        (*run.ctx).saved = saved;
        (*run.ctx).callee_sp = callee_sp;
        let first = match stop {
            Stop::Meter(_) => None,
            Stop::Host(exit) => Some(exit),
        };
        run.go_until_stopped(&activation, func, area, slots, first)
    }
}

/// Why a call was stopped between two instructions.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Stop {
    /// The fuel does not suffice, or the deadline has come.
    Meter(Trap),
    /// The host function of this call has nothing to give yet.
    Host(Exit),
}

impl Stop {
    /// What becomes of a call that cannot be suspended.
    fn error(self) -> Error {
        match self {
            Self::Meter(trap) => trap.into(),
            Self::Host(_) => Error::msg(
                "a host function asked to be called again later, but this call cannot be suspended \
                 (see Func::call_resumable)",
            ),
        }
    }
}

/// A call that has been stopped: its frames, on a value stack that is theirs alone, and its registers.
///
/// The store knows nothing of it. Its addresses lead into the store; they are used only by [`resume`], which
/// is given the store that they are of.
pub(crate) struct Suspended {
    func: NonNull<FuncObj>,
    stack: Stack,
    saved: Saved,
    /// The frame of the host function to call, if one is.
    callee_sp: *mut u8,
    instance: *mut InstanceObj,
    crossings: Vec<Crossing>,
    /// Why it stopped.
    pub(crate) stop: Stop,
    /// The units that it needs to go on, if it ran out of fuel.
    pub(crate) required: u64,
}

impl Suspended {
    /// The function that was called.
    pub(crate) fn func(&self) -> NonNull<FuncObj> {
        self.func
    }
}

/// The module of an instance.
///
/// # Safety
/// The instance lives for `'a`.
unsafe fn module_of<'a>(instance: *mut InstanceObj) -> &'a ModuleInner {
    // SAFETY: the caller's promise; nobody changes an instance's module.
    let module: &'a Module = unsafe { &(*instance).module };
    module.inner()
}

/// One entry into handlers. Ends, also when the host panics, with the context as it was before.
struct Activation {
    ctx: *mut Ctx,
    top: *mut u8,
    instance: *mut InstanceObj,
    crossings: usize,
    /// The value stack of those outside, if this one has another.
    outer: Option<Stack>,
}

impl Activation {
    /// # Safety
    /// `ctx` is live as long as the activation.
    unsafe fn begin(ctx: *mut Ctx) -> Result<Self> {
        // SAFETY: the caller's promise; the reference ends before handlers run.
        let ctx = unsafe { &mut *ctx };
        ctx.ensure_stack()?;
        if ctx.nesting >= ctx.max_nesting {
            return Trap::StackOverflow.err();
        }
        ctx.nesting += 1;
        // So that the first function that is entered looks at the epoch.
        ctx.empty_budget();
        Ok(Self {
            top: ctx.top,
            instance: ctx.instance,
            crossings: ctx.crossings.len(),
            outer: None,
            ctx,
        })
    }

    /// The same on `stack`, or at the base of some stack.
    ///
    /// # Safety
    /// As for [`begin`](Self::begin).
    unsafe fn begin_apart(ctx: *mut Ctx, stack: Option<Stack>) -> Result<Self> {
        // SAFETY: passes on the caller's promise; the reference ends before it is passed on.
        unsafe {
            let context = &mut *ctx;
            let mut outer = None;
            // The store's own stack will do if there is nothing on it.
            if stack.is_some() || context.nesting > 0 {
                outer = context.take_stack();
            }
            if let Some(stack) = stack {
                context.put_stack(stack);
            }
            match Self::begin(ctx) {
                Ok(mut activation) => {
                    activation.outer = outer;
                    Ok(activation)
                }
                Err(error) => {
                    if let Some(outer) = outer {
                        (*ctx).put_stack(outer);
                    }
                    Err(error)
                }
            }
        }
    }

    /// Takes what is active out of the context.
    ///
    /// # Safety
    /// Handlers have stopped in this activation, which is the innermost, and has a stack of its own.
    unsafe fn suspend(&self, func: NonNull<FuncObj>, stop: Stop) -> Suspended {
        // SAFETY: `begin`'s caller keeps the context alive.
        let ctx = unsafe { &mut *self.ctx };
        Suspended {
            func,
            stack: ctx.take_stack().expect("what has run has a stack"),
            saved: ctx.saved,
            callee_sp: ctx.callee_sp,
            instance: ctx.instance,
            crossings: ctx.crossings.split_off(self.crossings),
            stop,
            required: match stop {
                Stop::Meter(_) => ctx.required(),
                Stop::Host(_) => 0,
            },
        }
    }
}

impl Drop for Activation {
    fn drop(&mut self) {
        // SAFETY: `begin`'s caller keeps the context alive; handlers do not run now. The instance was the
        // current one, so it is null or alive.
        unsafe {
            let ctx = &mut *self.ctx;
            ctx.nesting -= 1;
            ctx.top = self.top;
            if let Some(outer) = self.outer.take() {
                ctx.put_stack(outer);
            }
            ctx.crossings.truncate(self.crossings);
            ctx.set_instance(self.instance);
        }
    }
}

/// What the run loop works on.
struct Run<'a> {
    store: NonNull<StoreInner>,
    ctx: *mut Ctx,
    target: &'a Target,
}

/// Whether to go on in the handlers.
enum Next {
    Continue,
    Finished,
    /// For this reason.
    Stopped(Stop),
}

// SAFETY of the blocks below: `ctx` is the context of `store`, which `invoke`'s caller keeps alive; handlers
// do not run while these functions do; registers and frames were written by handlers or by this module.

impl<'a> Run<'a> {
    /// What is needed to run `callee`, which is no host function.
    fn of(store: NonNull<StoreInner>, callee: &FuncObj) -> Result<Self> {
        // SAFETY: the store keeps its instances, and so their modules and the engine, as long as it lives;
        // the host borrows it while this runs.
        let module = unsafe { module_of::<'a>(callee.instance) };
        let target = module.engine().target();
        selftest::check(target)?;
        Ok(Self {
            store,
            // SAFETY: the store is live.
            ctx: unsafe { &raw mut (*store.as_ptr()).ctx },
            target,
        })
    }

    /// Puts a frame for `callee`, which is no host function, on top of the value stack. Gives the place of
    /// its parameters.
    unsafe fn start(&self, callee: &FuncObj, slots: &[u64]) -> Result<*mut u64> {
        // SAFETY: see above; the area and the header are checked to fit before they are written.
        unsafe {
            let ctx = self.ctx;
            let base = (*ctx).top;
            let bytes = slots.len() * 8 + HEADER;
            if bytes > (*ctx).stack_limit as usize - base as usize {
                return Trap::StackOverflow.err();
            }
            let area = base.cast::<u64>();
            area.copy_from(slots.as_ptr(), slots.len());
            let sp = base.wrapping_add(bytes);
            set_return(sp, self.target.halt_ip(), ptr::null_mut());
            (*ctx).set_instance(callee.instance);
            let mut saved = Saved::at(ptr::null(), sp);
            self.enter(&mut saved, callee.entry)?;
            (*ctx).saved = saved;
            Ok(area)
        }
    }

    /// Runs from the saved registers until the outermost function returns, or is stopped: then it gives the
    /// reason. What handlers have left for already is done first, if there is something.
    unsafe fn go(&self, mut left: Option<Exit>) -> Result<Option<Stop>> {
        // SAFETY: see above.
        unsafe {
            loop {
                let exit = match left.take() {
                    None => Exit::from_code(self.target.run(self.ctx)),
                    left => left,
                };
                let mut saved = (*self.ctx).saved;
                match self.handle(exit, &mut saved) {
                    Ok(Next::Continue) => (*self.ctx).saved = saved,
                    Ok(Next::Finished) => return Ok(None),
                    Ok(Next::Stopped(stop)) => return Ok(Some(stop)),
                    Err(error) => match exit {
                        // The saved registers are those before the call, which can be made again.
                        Some(exit @ (Exit::Call | Exit::TailCall)) if error.is::<Pending>() => {
                            return Ok(Some(Stop::Host(exit)));
                        }
                        _ => return Err(self.with_backtrace(error, saved)),
                    },
                }
            }
        }
    }

    /// The error with the functions that are active.
    unsafe fn with_backtrace(&self, error: Error, saved: Saved) -> Error {
        // SAFETY: see above.
        let trace = unsafe {
            let store = (*self.store.as_ptr()).id;
            backtrace::capture(store, &*self.ctx, self.target, saved.ip, saved.sp)
        };
        error.with_backtrace(trace)
    }

    /// Fetches the results of `callee`, which has returned; its area was at `area`.
    unsafe fn finish(&self, callee: &FuncObj, area: *const u64, slots: &mut [u64]) {
        // SAFETY: see above.
        unsafe {
            let ty = module_of(callee.instance).func_type(callee.index);
            // A single result is in its accumulator, several are where the parameters were.
            match ty.result_slice() {
                [single] if single.slots() == 1 => slots[0] = (*self.ctx).saved.result(*single),
                _ => area.copy_to(slots.as_mut_ptr(), slots.len()),
            }
        }
    }

    /// Runs until `func` returns or is suspended; see [`go`](Self::go).
    unsafe fn go_until_stopped(
        &self,
        activation: &Activation,
        func: NonNull<FuncObj>,
        area: *const u64,
        slots: &mut [u64],
        left: Option<Exit>,
    ) -> Result<Option<Suspended>> {
        // SAFETY: see above.
        unsafe {
            match self.go(left)? {
                None => {
                    self.finish(func.as_ref(), area, slots);
                    Ok(None)
                }
                Some(stop) => Ok(Some(activation.suspend(func, stop))),
            }
        }
    }

    /// Does what the handlers left for.
    unsafe fn handle(&self, exit: Option<Exit>, saved: &mut Saved) -> Result<Next> {
        // SAFETY: see above; what the accumulator holds is said at each exit's definition.
        unsafe {
            match exit {
                Some(Exit::Done) => return Ok(Next::Finished),
                Some(Exit::Trap) => return Trap::ALL[saved.acc & 0xff].err(),
                Some(Exit::Translate) => {
                    let entry = ptr::with_exposed_provenance::<FuncEntry>(saved.acc);
                    let module = module_of((*self.ctx).instance);
                    saved.ip = module.translate(entry)?;
                    self.check_frame(saved.ip, saved.sp)?;
                }
                Some(Exit::Call) => {
                    let func = &*ptr::with_exposed_provenance::<FuncObj>(saved.acc);
                    let sp = (*self.ctx).callee_sp;
                    if func.instance.is_null() {
                        self.call_host(func, sp, saved)?;
                    } else {
                        self.cross(saved.ip);
                        set_return(sp, self.target.resume_ip(), saved.sp);
                        self.enter_instance(saved, func, sp)?;
                    }
                }
                Some(Exit::TailCall) => {
                    let func = &*ptr::with_exposed_provenance::<FuncObj>(saved.acc);
                    let sp = (*self.ctx).callee_sp;
                    let (return_ip, caller) = return_to(sp);
                    // From here on the frame is the callee's.
                    saved.sp = sp;
                    if func.instance.is_null() {
                        self.call_host(func, sp, saved)?;
                        (saved.ip, saved.sp) = (return_ip, caller);
                    } else {
                        // Whoever made this frame from another instance is resumed in it in any case.
                        if return_ip != self.target.resume_ip() {
                            self.cross(return_ip);
                            set_return(sp, self.target.resume_ip(), caller);
                        }
                        self.enter_instance(saved, func, sp)?;
                    }
                }
                Some(Exit::Resume) => {
                    let crossing = (*self.ctx).crossings.pop();
                    let crossing = crossing.expect("every call into another instance is noted");
                    (*self.ctx).set_instance(crossing.instance);
                    saved.ip = crossing.return_ip;
                }
                Some(Exit::Stop) => {
                    return Ok(Next::Stopped(Stop::Meter((*self.ctx).meter.stop)));
                }
                None => unreachable!("handlers leave with one of the exits"),
            }
            Ok(Next::Continue)
        }
    }

    /// Notes that the current instance calls another one.
    unsafe fn cross(&self, return_ip: *const u8) {
        // SAFETY: see above.
        unsafe {
            let instance = (*self.ctx).instance;
            (*self.ctx).crossings.push(Crossing {
                return_ip,
                instance,
            });
        }
    }

    /// Goes on in `func`, whose instance becomes the current one. Its frame is at `sp`.
    unsafe fn enter_instance(&self, saved: &mut Saved, func: &FuncObj, sp: *mut u8) -> Result<()> {
        // SAFETY: see above.
        unsafe {
            (*self.ctx).set_instance(func.instance);
            saved.sp = sp;
            self.enter(saved, func.entry)
        }
    }

    /// Goes on at the start of a function of the current instance. Its frame is at `saved.sp`.
    unsafe fn enter(&self, saved: &mut Saved, entry: *const FuncEntry) -> Result<()> {
        // SAFETY: see above; entries live as long as their module.
        unsafe {
            saved.ip = FuncEntry::code(entry);
            saved.acc = entry.expose_provenance();
            self.check_frame(saved.ip, saved.sp)
        }
    }

    /// Does the frame of the function at `code` fit at `sp`?
    unsafe fn check_frame(&self, code: *const u8, sp: *mut u8) -> Result<()> {
        // SAFETY: see above.
        unsafe {
            if fits(sp, self.target.frame_bytes(code), (*self.ctx).stack_limit) {
                Ok(())
            } else {
                Trap::StackOverflow.err()
            }
        }
    }

    /// Calls the host, with parameters and results below the header of a frame at `sp`.
    unsafe fn call_host(&self, func: &FuncObj, sp: *mut u8, saved: &mut Saved) -> Result<()> {
        // SAFETY: see above. The area lies in the caller's frame; the host does not reach it otherwise, and
        // puts its own frames above `top`.
        unsafe {
            let ty = &(*self.store.as_ptr()).host_func(func.index).ty as *const FuncType;
            let area = (*ty).area_slots() as usize;
            let base = sp.wrapping_sub(HEADER + 8 * area).cast::<u64>();
            let instance = (*self.ctx).instance;
            let top = core::mem::replace(&mut (*self.ctx).top, sp);
            let slots = core::slice::from_raw_parts_mut(base, area);
            StoreInner::call_host(self.store, func.index, instance, slots)?;
            (*self.ctx).top = top;
            // The host may have grown the memory, and taken its time.
            (*self.ctx).reload_memory();
            (*self.ctx).look_at_epoch();
            if let [single] = (*ty).result_slice() {
                saved.set_result(*single, *base);
            }
            Ok(())
        }
    }
}
