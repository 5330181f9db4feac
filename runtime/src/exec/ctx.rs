//! The context: what handlers need besides their registers. One per store.

use alloc::vec::Vec;
use core::ptr;
#[cfg(feature = "std")]
use core::sync::atomic::AtomicUsize;

use super::{Target, meter::Meter};
use crate::{
    Config, Result,
    error::bail,
    module::FuncEntry,
    store::{FuncObj, GlobalObj, InstanceObj, TableObj},
    sys::Pages,
    types::ValType,
};

/// Why handlers returned to the run loop. 0 means that they did not: the loop backend goes on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Exit {
    /// The outermost function returned.
    Done = 1,
    /// A trap; its code is in the accumulator.
    Trap = 2,
    /// A call to a function that is not translated yet; its `FuncEntry` is in the accumulator.
    Translate = 3,
    /// A call to a host function or another instance's; its `FuncObj` is in the accumulator, the callee's
    /// `sp` in [`Ctx::callee_sp`], and `ip` is at the next instruction.
    Call = 4,
    /// The same as a tail call: the arguments are in place already.
    TailCall = 5,
    /// A call to another instance returned.
    Resume = 6,
    /// The meter's budget does not allow the instruction at `ip`, which has had no effect;
    /// [`Meter::stop`] says why.
    Stop = 7,
}

impl Exit {
    /// The exit with this code.
    pub(super) fn from_code(code: usize) -> Option<Self> {
        [
            Self::Done,
            Self::Trap,
            Self::Translate,
            Self::Call,
            Self::TailCall,
            Self::Resume,
            Self::Stop,
        ]
        .into_iter()
        .find(|exit| *exit as usize == code)
    }
}

/// The registers that handlers pass along, as they are saved on an exit.
#[derive(Copy, Clone, Debug)]
#[repr(C)]
pub(super) struct Saved {
    pub(super) ip: *const u8,
    pub(super) sp: *mut u8,
    pub(super) acc: usize,
    /// The 64-bit integer accumulator of 32-bit targets.
    pub(super) acc64: u64,
    pub(super) fa32: f32,
    pub(super) fa64: f64,
    /// The pinned locals, on 64-bit targets.
    pub(super) pin: usize,
    pub(super) pin32: f32,
    pub(super) pin64: f64,
}

impl Saved {
    /// Registers at the start of `ip`.
    pub(super) fn at(ip: *const u8, sp: *mut u8) -> Self {
        Self {
            ip,
            sp,
            acc: 0,
            acc64: 0,
            fa32: 0.0,
            fa64: 0.0,
            pin: 0,
            pin32: 0.0,
            pin64: 0.0,
        }
    }

    /// A result from the accumulator of its type, as a slot.
    pub(super) fn result(&self, ty: ValType) -> u64 {
        match ty {
            ValType::F32 => u64::from(self.fa32.to_bits()),
            ValType::F64 => self.fa64.to_bits(),
            ValType::I32 => self.acc as u32 as u64,
            _ if cfg!(target_pointer_width = "64") => self.acc as u64,
            _ => self.acc64,
        }
    }

    /// Puts a result, given as a slot, into the accumulator of its type.
    pub(super) fn set_result(&mut self, ty: ValType, slot: u64) {
        match ty {
            ValType::F32 => self.fa32 = f32::from_bits(slot as u32),
            ValType::F64 => self.fa64 = f64::from_bits(slot),
            _ => {
                self.acc = slot as usize;
                self.acc64 = slot;
            }
        }
    }
}

/// Where to go on after a call into another instance.
#[derive(Copy, Clone, Debug)]
pub(super) struct Crossing {
    pub(super) return_ip: *const u8,
    pub(super) instance: *mut InstanceObj,
}

/// A value stack with its first free byte.
pub(super) struct Stack {
    pub(super) pages: Pages,
    pub(super) top: *mut u8,
}

/// See the module's documentation. Fields that handlers read come first.
#[repr(C)]
pub(crate) struct Ctx {
    /// How many addresses of memory 0 of the current instance an access may begin at: of 1, 2, 4 and 8 bytes. So that
    /// an access is checked by one comparison.
    pub(super) starts: [usize; 4],
    /// Units that code may use up before it asks for more; see `meter`.
    pub(super) budget: isize,
    /// Frames end at or below this address of the value stack.
    pub(super) stack_limit: *mut u8,
    /// The engine's list of handlers by number, for the compact class.
    #[cfg(feature = "std")]
    pub(super) handlers: *const AtomicUsize,
    /// The current instance's functions, globals, tables; its module's code map.
    pub(super) funcs: *const FuncObj,
    pub(super) globals: *const *mut GlobalObj,
    pub(super) tables: *const *mut TableObj,
    pub(super) entries: *const FuncEntry,
    pub(super) instance: *mut InstanceObj,
    /// Base of memory 0, for reloading the register, and for targets that have none; and its bytes.
    pub(super) mem_base: *mut u8,
    pub(super) mem_len: usize,
    /// Accumulators of targets whose registers do not hold them.
    pub(super) acc64: u64,
    pub(super) fa64: f64,
    pub(super) fa32: f32,
    /// Set with every exit; see [`Exit`].
    pub(super) exit: usize,
    pub(super) saved: Saved,
    pub(super) callee_sp: *mut u8,
    /// First free byte of the value stack, while the host runs.
    pub(super) top: *mut u8,
    /// Calls into other instances that have not returned.
    pub(super) crossings: Vec<Crossing>,
    /// Nested entries: Wasm that called the host that called Wasm.
    /// The size of a page of memory 0, as a power of two.
    pub(super) mem_page_log2: u32,
    pub(super) nesting: u32,
    pub(super) max_nesting: u32,
    pub(super) meter: Meter,
    /// The value stack; none before the first call.
    stack: Option<Pages>,
    stack_bytes: usize,
}

impl Ctx {
    /// A context that runs nothing yet.
    pub(crate) fn new(config: &Config, meter: Meter) -> Self {
        Self {
            starts: [0; 4],
            budget: 0,
            stack_limit: ptr::null_mut(),
            #[cfg(feature = "std")]
            handlers: ptr::null(),
            funcs: ptr::null(),
            globals: ptr::null(),
            tables: ptr::null(),
            entries: ptr::null(),
            instance: ptr::null_mut(),
            mem_base: ptr::null_mut(),
            mem_len: 0,
            acc64: 0,
            fa64: 0.0,
            fa32: 0.0,
            exit: 0,
            saved: Saved::at(ptr::null(), ptr::null_mut()),
            callee_sp: ptr::null_mut(),
            top: ptr::null_mut(),
            crossings: Vec::new(),
            mem_page_log2: 0,
            nesting: 0,
            max_nesting: config.max_host_nesting,
            meter,
            stack: None,
            stack_bytes: config.max_wasm_stack,
        }
    }

    /// The same, for code of this target, which must outlive it.
    #[cfg(feature = "std")]
    pub(crate) fn for_target(self, target: &Target) -> Self {
        Self {
            handlers: target.handlers(),
            ..self
        }
    }

    /// The same, for code of this target.
    #[cfg(not(feature = "std"))]
    pub(crate) fn for_target(self, _target: &Target) -> Self {
        self
    }

    /// Allocates the value stack, unless it is there. Stores that run nothing do without.
    pub(super) fn ensure_stack(&mut self) -> Result<()> {
        if self.stack.is_none() {
            // Whole slots.
            let bytes = self.stack_bytes & !7;
            let Ok(stack) = Pages::new(bytes, 0) else {
                bail!(
                    "out of memory: cannot allocate a value stack of {bytes} bytes \
                     (Config::max_wasm_stack)"
                );
            };
            let top = stack.base();
            self.put_stack(Stack { pages: stack, top });
        }
        Ok(())
    }

    /// Takes the value stack away with all that is on it; the next call gets another one.
    pub(super) fn take_stack(&mut self) -> Option<Stack> {
        let top = self.top;
        self.stack.take().map(|pages| Stack { pages, top })
    }

    /// Makes `stack` the value stack, in place of the one that was there.
    pub(super) fn put_stack(&mut self, stack: Stack) {
        let Stack { pages, top } = stack;
        self.top = top;
        self.stack_limit = pages.base().wrapping_add(pages.len());
        self.stack = Some(pages);
    }

    /// Makes `instance` the current one. Null is allowed: nothing of it is used then.
    ///
    /// # Safety
    /// `instance` is null or an instance of this context's store.
    pub(super) unsafe fn set_instance(&mut self, instance: *mut InstanceObj) {
        self.instance = instance;
        // SAFETY: the caller gives an instance of the store, which keeps it alive and in place.
        if let Some(instance) = unsafe { instance.as_ref() } {
            self.funcs = instance.funcs.as_ptr();
            self.globals = instance.globals.as_ptr();
            self.tables = instance.tables.as_ptr();
            self.entries = instance.module.inner().entries();
        }
        // SAFETY: as above.
        unsafe { self.reload_memory() };
    }

    /// Reads base and length of memory 0 again: after anything that may have grown it.
    ///
    /// # Safety
    /// The current instance is null or alive.
    pub(super) unsafe fn reload_memory(&mut self) {
        // SAFETY: the caller vouches for the instance; its memories live as long as it does.
        unsafe {
            let memory = self
                .instance
                .as_ref()
                .and_then(|instance| instance.memories.first());
            (self.mem_base, self.mem_len, self.mem_page_log2) = match memory {
                Some(memory) => ((**memory).base, (**memory).len, (**memory).page_size_log2),
                None => (ptr::null_mut(), 0, 0),
            };
        }
        let len = self.mem_len;
        self.starts = [1, 2, 4, 8].map(|size| len.checked_sub(size).map_or(0, |last| last + 1));
    }
}
