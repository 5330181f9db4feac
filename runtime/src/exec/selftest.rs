//! The self-test of the threaded backend: handlers must jump, not call.
//!
//! If the compiler kept a frame per handler, deep code would overrun the native stack. Once per process a
//! chain of handlers notes where the native stack is; if it drifts, nothing is run.

use super::Target;
use crate::Result;

/// An error if the target's backend is not safe to run.
pub(super) fn check(target: &Target) -> Result<()> {
    #[cfg(teff_threaded)]
    if target.is_threaded() && !threaded::jumps() {
        crate::error::bail!(
            "this build of teff does not compile the threaded backend to jumps: \
             use Backend::Loop, or build with optimisation"
        );
    }
    let _ = target;
    Ok(())
}

#[cfg(teff_threaded)]
mod threaded {
    use core::sync::atomic::{AtomicU8, Ordering};

    use crate::{
        Config,
        exec::{
            backend::{self, Backend, Class, Direct, Threaded, ThreadedFn},
            ctx::{Ctx, Exit, Saved},
            kinds::Instr,
            machine::Machine,
            meter::Meter,
        },
        ir::Format,
    };

    /// Handlers in a chain.
    const LENGTH: usize = 64;

    /// How far apart native stack addresses in one and the same frame depth can be.
    const SLACK: usize = 512;

    /// Goes on with itself, out of line, until it has run `LENGTH` times. Notes the stack's address at the first and at
    /// the last time in two words that `sp` leads to.
    struct Probe;

    impl Instr for Probe {
        const FORMAT: Format = Format::EMPTY;

        #[inline(always)]
        unsafe fn run<B: Backend, C: Class>(mut m: Machine<B, C>) -> usize {
            // SAFETY: `jumps` passes a live context and room for two words.
            unsafe {
                let notes = m.sp.cast::<usize>();
                if m.acc == 0 {
                    notes.write(here());
                }
                m.acc += 1;
                if m.acc == LENGTH {
                    notes.wrapping_add(1).write(here());
                    return m.leave(Exit::Done as usize);
                }
                // By address, as dispatch does, so that the compiler cannot make a loop of it.
                B::dispatch::<C>(m)
            }
        }
    }

    /// Roughly where the native stack is.
    #[inline(never)]
    fn here() -> usize {
        let local = 0_u8;
        (&raw const local).expose_provenance()
    }

    const UNKNOWN: u8 = 0;
    const JUMPS: u8 = 1;
    const CALLS: u8 = 2;
    static RESULT: AtomicU8 = AtomicU8::new(UNKNOWN);

    /// Does the native stack stay where it is along a chain of handlers?
    pub(super) fn jumps() -> bool {
        match RESULT.load(Ordering::Relaxed) {
            UNKNOWN => {
                let jumps = probe();
                RESULT.store(if jumps { JUMPS } else { CALLS }, Ordering::Relaxed);
                jumps
            }
            known => known == JUMPS,
        }
    }

    fn probe() -> bool {
        let handler: ThreadedFn = backend::threaded::<Direct, Probe>;
        // A cell that is nothing but its handler, and does not move on.
        let cell = [(handler as *const ()).expose_provenance()];
        let mut notes = [0_usize; 2];
        let mut ctx = Ctx::new(&Config::new(), Meter::default());
        ctx.saved = Saved::at(cell.as_ptr().cast(), notes.as_mut_ptr().cast());
        // SAFETY: the registers are what `Probe` needs, and it leaves after a while.
        unsafe { Threaded::run::<Direct>(&raw mut ctx) };
        notes[0].abs_diff(notes[1]) < SLACK
    }
}
