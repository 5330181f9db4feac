//! What an engine's code runs on: backend, cell class, handlers, and the few cells that belong to no function.

use alloc::boxed::Box;
#[cfg(feature = "std")]
use core::sync::atomic::AtomicUsize;

use super::{
    backend::{Compact, Direct},
    ctx::Ctx,
    handlers::write_row,
};
#[cfg(feature = "compile")]
use crate::ir::encode::Naming;
use crate::{
    config::{Backend, CodeForm, Config},
    ir::{CellClass, Family, HandlerList, cell::push_bare},
};

/// See [`Naming::shared_acc`](crate::ir::encode::Naming::shared_acc). The same machines have registers for pinned locals.
#[cfg(feature = "compile")]
const SHARED_ACC: bool = cfg!(target_pointer_width = "64");

/// One per engine.
pub(crate) struct Target {
    backend: Backend,
    class: CellClass,
    /// What direct cells name, or where compact ones are looked up; none if there is a table for these.
    #[cfg_attr(
        not(teff_lists),
        allow(dead_code, reason = "there are only tables then")
    )]
    handlers: Option<HandlerList>,
    /// The code of functions that are not translated yet, and what calls return to at the edges.
    cells: Box<[u64]>,
    #[cfg(feature = "compile")]
    translate: usize,
    halt: usize,
    resume: usize,
}

impl Target {
    pub(crate) fn new(config: &Config) -> Self {
        let class = match (config.backend, config.code_form) {
            // Images have compact code.
            _ if cfg!(not(feature = "compile")) => CellClass::Compact,
            (Backend::Threaded, CodeForm::Direct) => CellClass::NATIVE,
            (Backend::Threaded, CodeForm::Compact) if cfg!(not(teff_compact)) => CellClass::NATIVE,
            _ => CellClass::Compact,
        };
        let handlers = write_row(config.backend, class).map(HandlerList::new);
        // In front of the first one is the size of its frame, as in front of every function: 0.
        let mut bytes = alloc::vec![0; class.prelude()];
        let mut place = |family: Family| {
            let handler = handlers.as_ref();
            let handler = handler.map_or(0, |handlers| handlers.address(family.fixed()));
            push_bare(&mut bytes, class, family.fixed(), handler)
        };
        #[cfg(feature = "compile")]
        let translate = {
            // Every metered function begins with its charge; this one's is nothing.
            let charge = config.is_metered().then(|| place(Family::EnterMetered));
            let translate = place(Family::Translate);
            charge.unwrap_or(translate)
        };
        let halt = place(Family::Halt);
        let resume = place(Family::Resume);
        let mut cells = alloc::vec![0_u64; bytes.len().div_ceil(8)];
        // SAFETY: the words have room for the bytes.
        unsafe {
            cells
                .as_mut_ptr()
                .cast::<u8>()
                .copy_from(bytes.as_ptr(), bytes.len())
        };
        Self {
            backend: config.backend,
            class,
            handlers,
            cells: cells.into(),
            #[cfg(feature = "compile")]
            translate,
            halt,
            resume,
        }
    }

    /// Where compact cells look their handlers up.
    #[cfg(feature = "std")]
    pub(crate) fn handlers(&self) -> *const AtomicUsize {
        self.handlers
            .as_ref()
            .map_or(core::ptr::null(), HandlerList::as_ptr)
    }

    /// Code that was made elsewhere, with these rows of the instruction table, is to run here: their handlers are listed.
    /// Nothing if there is no such row.
    pub(crate) fn prepare(&self, rows: impl Iterator<Item = u32>) -> Option<()> {
        for row in rows {
            #[cfg(teff_lists)]
            {
                let family = Family::from_number(row)?;
                if let Some(handlers) = &self.handlers {
                    handlers.prepare(family);
                }
            }
            // Without a list there is a table of all of them.
            #[cfg(not(teff_lists))]
            let _ = row;
        }
        Some(())
    }

    /// How to name things in code for this target; `entries` is the module's code map.
    #[cfg(feature = "compile")]
    pub(crate) fn naming(&self, entries: (usize, usize)) -> Naming<'_> {
        Naming {
            class: self.class,
            handlers: self.handlers.as_ref(),
            entries,
            shared_acc: SHARED_ACC,
            pins: SHARED_ACC,
        }
    }

    #[cfg(teff_threaded)]
    pub(super) fn is_threaded(&self) -> bool {
        self.backend == Backend::Threaded
    }

    pub(crate) fn class(&self) -> CellClass {
        self.class
    }

    fn cell(&self, offset: usize) -> *const u8 {
        self.cells.as_ptr().cast::<u8>().wrapping_add(offset)
    }

    /// The code of a function that is not translated yet.
    #[cfg(feature = "compile")]
    pub(crate) fn translate_ip(&self) -> *const u8 {
        self.cell(self.translate)
    }

    /// What the outermost function returns to.
    pub(super) fn halt_ip(&self) -> *const u8 {
        self.cell(self.halt)
    }

    /// What calls into other instances return to.
    pub(super) fn resume_ip(&self) -> *const u8 {
        self.cell(self.resume)
    }

    /// Runs from the registers saved in `ctx` until a handler leaves; gives the exit's code.
    ///
    /// # Safety
    /// `ctx` is live and used by nobody else; its saved registers are those of code of this target.
    pub(super) unsafe fn run(&self, ctx: *mut Ctx) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            match self.backend {
                #[cfg(teff_threaded)]
                Backend::Threaded => self.run_on::<super::backend::Threaded>(ctx),
                #[cfg(any(feature = "loop", not(teff_threaded)))]
                Backend::Loop => self.run_on::<super::backend::Looped>(ctx),
                #[allow(unreachable_patterns, reason = "a build may have one backend alone")]
                _ => unreachable!("`Config::backend` admits only backends of this build"),
            }
        }
    }

    unsafe fn run_on<B: super::backend::Backend>(&self, ctx: *mut Ctx) -> usize {
        // SAFETY: passes on the caller's promise.
        unsafe {
            match self.class {
                CellClass::Compact => B::run::<Compact>(ctx),
                _ => B::run::<Direct>(ctx),
            }
        }
    }

    /// The size of the frame that the function at `code` needs.
    ///
    /// # Safety
    /// `code` is the first cell of a function of this target.
    pub(super) unsafe fn frame_bytes(&self, code: *const u8) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            match self.class {
                CellClass::Compact => super::call::frame_bytes::<Compact>(code),
                _ => super::call::frame_bytes::<Direct>(code),
            }
        }
    }
}
