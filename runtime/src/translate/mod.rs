//! Translation: the body of one function, in one pass, into register instructions.
//!
//! Knows the decoded module and the IR; knows nothing of stores and instances. It relies on validation
//! having passed.
//!
//! The operand stack of Wasm exists only here. An entry of it is a local, a constant, the accumulator, or
//! a temporary slot of the frame, and becomes an operand of the instruction that consumes it; so
//! `local.get`, `const`, `drop` and `block` make no code. Results go to the accumulator first; when the
//! next instruction sets a local, or the accumulator is needed for something else, the instruction that
//! made the result is rewritten to write the slot itself.
//!
//! - `stack`: entries, and which accumulator holds what
//! - `emit`: writing instructions, and rewriting the last one
//! - `control`, `branch`: blocks; branches and selects
//! - `heads`: what loops begin with, for the branches back to them
//! - `pair`: two operations in one instruction
//! - `scan`, `pin`: which locals are worth a register of their own
//! - `onward`: where branches to the ends of blocks lead in the end
//! - `meter`: what edges are charged with
//! - `numeric`, `memory`, `call`: the families, as in `exec`
//! - `operators`, `visit`: from Wasm's operators to these

mod branch;
mod call;
mod control;
mod emit;
mod heads;
mod memory;
mod meter;
mod numeric;
mod onward;
mod operators;
mod pair;
mod pin;
mod scan;
mod stack;
mod visit;

use alloc::vec::Vec as Map;
use core::ops::Range;

use bumpalo::{Bump, collections::Vec};
use wasmparser::BinaryReaderError;

use crate::{
    Error, Result,
    exec::HEADER,
    ir::{Encoder, Inst, Label, encode::Naming},
    module::{ModuleInner, val_type},
    types::{FuncType, ValType},
};
use control::Control;
use emit::Last;
use heads::{Beginning, Head, Test};
use meter::Meter;
use scan::End;
use stack::{AccState, Entry, NONE};

/// For each instruction, in order: its offset in the code, and the offset of its operator in the module.
pub(crate) type OffsetMap = Map<(u32, u32)>;

/// A translated function, not yet placed.
pub(crate) struct Function<'a> {
    encoder: Encoder<'a>,
    frame_bytes: u32,
    /// If it was asked for.
    pub(crate) map: Option<OffsetMap>,
}

impl<'a> Function<'a> {
    /// Bytes of its code.
    pub(crate) fn len(&self) -> usize {
        self.encoder.len()
    }

    /// The bytes, for code that will lie at `base`.
    pub(crate) fn finish(self, base: usize) -> Vec<'a, u8> {
        self.encoder.finish(base, self.frame_bytes)
    }
}

/// Translates the `index`-th function that the module defines, and records the offsets of its operators if
/// `record` says so.
pub(crate) fn translate<'a>(
    module: &'a ModuleInner,
    index: u32,
    naming: Naming<'a>,
    arena: &'a Bump,
    record: bool,
) -> Result<Function<'a>> {
    // Frames that a slot field can reach from end to end are the rule. The exception is found out on the
    // way, and translated again with a window of scratch slots.
    for window in [false, true] {
        let mut translator = Translator::new(module, index, naming, arena, window);
        translator.map = record.then(OffsetMap::new);
        match translator.run() {
            Ok(function) => return Ok(function),
            Err(Stop::FarSlot) if !window => {}
            Err(Stop::FarSlot) => unreachable!("the window makes every slot reachable"),
            Err(Stop::Error(error)) => return Err(error),
        }
    }
    unreachable!("the second round returns")
}

/// Why translation stopped.
enum Stop {
    /// A slot is too far away for a slot field, and there is no window.
    FarSlot,
    Error(Error),
}

impl From<BinaryReaderError> for Stop {
    fn from(error: BinaryReaderError) -> Self {
        Self::Error(error.into())
    }
}

type Step<T = ()> = core::result::Result<T, Stop>;

/// Largest frame, in bytes. It also bounds what the translator's own operand stack can take: a few bytes of
/// calls with many results make a great many entries.
const MAX_FRAME: u64 = 16 << 20;

/// Scratch slots of a function with a window, at the start of its frame.
const WINDOW_SLOTS: u32 = 4;

/// A local variable: where it is, and who still needs its present value.
struct Local {
    /// Bytes from `sp`.
    offset: i32,
    ty: ValType,
    /// The newest entry of the operand stack that stands for it, or `NONE`.
    newest: u32,
}

struct Translator<'a, 'm> {
    module: &'m ModuleInner,
    ty: &'m FuncType,
    index: u32,
    encoder: Encoder<'a>,
    locals: Vec<'a, Local>,
    /// Slots from `sp` to the end of the locals, and of what is saved beside them.
    local_slots: u32,
    /// Those of them that `Enter` sets to zero.
    zeroed: Range<u32>,
    stack: Vec<'a, Entry>,
    /// Slots of all entries.
    height: u32,
    /// Entries below this index are neither locals nor accumulators.
    settled: usize,
    controls: Vec<'a, Control<'m>>,
    /// Blocks that have been opened so far, and what is known of all of them by their numbers.
    opened: u32,
    ends: Vec<'a, End>,
    /// Where the innermost loop begins, until its first instruction is known.
    loop_start: u32,
    /// The meter's position there.
    loop_position: u32,
    heads: Vec<'a, Head>,
    beginning: Beginning<'a>,
    /// The last test that was written: a candidate for being turned around.
    test: Option<Test>,
    /// Labels of the `br_table`s among them; none for those that need values moved.
    tables: Vec<'a, Option<Label>>,
    acc: [AccState; 3],
    last: Option<Last>,
    /// The instruction before the last one, if no branch leads between them.
    before: Option<(u32, Inst)>,
    /// For each accumulator, where the instruction is that left its content there alone.
    producers: [Option<(u32, Inst)>; 3],
    map: Option<OffsetMap>,
    /// Highest slot in use so far, in bytes from `sp`.
    frame: u64,
    /// Where there are scratch slots, and which is next.
    window: bool,
    scratch: u32,
    reachable: bool,
    /// See [`Config::fusion`](crate::Config::fusion).
    fusion: bool,
    /// See [`Config::deterministic`](crate::Config::deterministic).
    deterministic: bool,
    /// For each accumulator's bank, the slot of the local that is pinned.
    pins: [Option<i32>; 3],
    /// If any is: the first of three slots for what the caller had pinned.
    saved_pins: Option<i16>,
    meter: Option<Meter>,
}

impl<'a, 'm> Translator<'a, 'm> {
    fn new(
        module: &'m ModuleInner,
        index: u32,
        naming: Naming<'a>,
        arena: &'a Bump,
        window: bool,
    ) -> Self {
        let ty = module.func_type(module.num_imported_funcs() + index);
        let mut locals = Vec::with_capacity_in(ty.params().len(), arena);
        let mut offset = -((HEADER as i32) + 8 * ty.area_slots() as i32);
        for param in ty.params() {
            locals.push(Local {
                offset,
                ty: param,
                newest: NONE,
            });
            offset += 8 * param.slots() as i32;
        }
        Self {
            module,
            ty,
            index,
            encoder: Encoder::new(arena, naming),
            locals,
            local_slots: if window { WINDOW_SLOTS } else { 0 },
            zeroed: 0..0,
            stack: Vec::new_in(arena),
            height: 0,
            settled: 0,
            controls: Vec::new_in(arena),
            opened: 0,
            ends: Vec::new_in(arena),
            loop_start: NONE,
            loop_position: 0,
            heads: Vec::new_in(arena),
            beginning: Beginning::new(arena),
            test: None,
            tables: Vec::new_in(arena),
            acc: [AccState::Empty; 3],
            last: None,
            before: None,
            producers: [None; 3],
            map: None,
            frame: 0,
            window,
            scratch: 0,
            reachable: true,
            fusion: module.engine().config().fusion,
            deterministic: module.engine().config().deterministic,
            pins: [None; 3],
            saved_pins: None,
            meter: None,
        }
    }

    fn run(mut self) -> Step<Function<'a>> {
        let body = self.module.func_body(self.index);
        self.declare_locals(&body)?;
        self.survey_locals(&body)?;
        // `Enter` works in steps of four slots.
        self.frame = 8 * (u64::from(self.local_slots) + 3);
        self.begin_function();
        let mut operators = body.get_binary_reader_for_operators()?;
        while !self.controls.is_empty() {
            if let Some(map) = &mut self.map {
                let offset = operators.original_position() as u32;
                map.push((self.encoder.position(), offset));
            }
            operators.visit_operator(&mut self)??;
            self.check_frame()?;
        }
        Ok(Function {
            encoder: self.encoder,
            frame_bytes: self.frame as u32,
            map: self.map,
        })
    }

    fn check_frame(&self) -> Step {
        if self.frame > MAX_FRAME {
            return Err(Stop::Error(Error::msg(alloc::format!(
                "function {} needs a frame of {} bytes, more than the {MAX_FRAME} that are supported",
                self.module.num_imported_funcs() + self.index,
                self.frame,
            ))));
        }
        Ok(())
    }

    fn declare_locals(&mut self, body: &wasmparser::FunctionBody<'_>) -> Step {
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            let ty = val_type(ty);
            for _ in 0..count {
                let offset = (8 * self.local_slots) as i32;
                self.locals.push(Local {
                    offset,
                    ty,
                    newest: NONE,
                });
                self.local_slots += ty.slots();
            }
        }
        Ok(())
    }
}
