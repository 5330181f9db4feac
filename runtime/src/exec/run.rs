//! The run loop: enters handlers, and does what they leave for: calls into the host and into other
//! instances, translation, traps.

use core::{ptr, ptr::NonNull, sync::atomic::Ordering};

use super::{
    Target, backtrace,
    call::{HEADER, fits, return_to, set_return},
    ctx::{Crossing, Ctx, Exit, Saved},
    selftest,
};
use crate::{
    Result, Trap,
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
    // SAFETY: the store keeps its instances, and so their modules and the engine, as long as it lives; the
    // host borrows it while this runs.
    let module = unsafe { module_of(callee.instance) };
    let target = module.engine().target();
    selftest::check(target)?;
    // SAFETY: no reference to the store exists while handlers run; all access is through this pointer.
    let activation = unsafe { Activation::begin(&raw mut (*store.as_ptr()).ctx)? };
    let run = Run {
        store,
        ctx: activation.ctx,
        target,
    };
    // SAFETY: as above.
    unsafe { run.outermost(callee, module.func_type(callee.index), slots) }
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
        Ok(Self {
            top: ctx.top,
            instance: ctx.instance,
            crossings: ctx.crossings.len(),
            ctx,
        })
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
}

// SAFETY of the blocks below: `ctx` is the context of `store`, which `invoke`'s caller keeps alive; handlers
// do not run while these functions do; registers and frames were written by handlers or by this module.

impl Run<'_> {
    /// Calls `callee`, which is no host function, with a frame at the top of the value stack.
    unsafe fn outermost(&self, callee: &FuncObj, ty: &FuncType, slots: &mut [u64]) -> Result<()> {
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

            loop {
                let code = self.target.run(ctx);
                let mut saved = (*ctx).saved;
                let next = match self.handle(Exit::from_code(code), &mut saved) {
                    Ok(next) => next,
                    Err(error) => {
                        let trace = backtrace::capture(&*ctx, self.target, saved.ip, saved.sp);
                        return Err(error.with_backtrace(trace));
                    }
                };
                (*ctx).saved = saved;
                if let Next::Finished = next {
                    break;
                }
            }
            // A single result is in its accumulator, several are where the parameters were.
            match ty.result_slice() {
                [single] if single.slots() == 1 => slots[0] = (*ctx).saved.result(*single),
                _ => area.copy_to(slots.as_mut_ptr(), slots.len()),
            }
            Ok(())
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
                    let index = module.code.index_of(entry);
                    saved.ip = module.code.translate(module, index)?;
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
            saved.ip = (*entry).code.load(Ordering::Acquire);
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
            // The host may have grown the memory.
            (*self.ctx).reload_memory();
            if let [single] = (*ty).result_slice() {
                saved.set_result(*single, *base);
            }
            Ok(())
        }
    }
}
