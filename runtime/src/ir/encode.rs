//! Writes instructions as cells into a scratch buffer, and resolves branch targets when the function ends.

use super::{CellClass, HandlerList, Op};
use bumpalo::{Bump, collections::Vec};

/// Most fields of a kind that an operation has.
const MAX_SLOTS: usize = 5;
const MAX_IMM32: usize = 6;

/// More bytes than any cell has; and room for all fields of a kind where any of them can begin.
const CELL_ROOM: usize = 96;

const _: () = {
    let mut op = 0;
    while op < Op::COUNT {
        let format = Op(op as u16).format();
        assert!(format.slots as usize <= MAX_SLOTS && format.imm32 as usize <= MAX_IMM32);
        assert!(format.size(CellClass::Direct64) + 4 * MAX_IMM32 <= CELL_ROOM);
        op += 1;
    }
};

/// An instruction before it is encoded. Which fields count is the operation's format.
///
/// It is copied often. Aligned like this, copies are made of the same few wide pieces, each of which can take from the
/// store before what is not in memory yet.
#[derive(Copy, Clone, Debug)]
#[repr(align(16))]
pub(crate) struct Inst {
    pub(crate) op: Op,
    /// Byte offsets from `sp`.
    pub(crate) slots: [i16; MAX_SLOTS],
    /// In a metered form, the last one is the position that the edge leads from: see [`Encoder::bind`].
    pub(crate) imm32: [u32; MAX_IMM32],
    pub(crate) imm64: u64,
    /// Index of a defined function.
    pub(crate) func: u32,
    pub(crate) target: Label,
}

impl Inst {
    pub(crate) fn new(op: Op) -> Self {
        Self {
            op,
            slots: [0; MAX_SLOTS],
            imm32: [0; MAX_IMM32],
            imm64: 0,
            func: 0,
            target: Label(0),
        }
    }
}

/// A place in the code that branches lead to; bound to an offset once it is known.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label(u32);

/// A cell with fields that depend on where a label is.
struct Reloc {
    /// Start of the cell: relative targets count from here.
    cell: u32,
    op: Op,
    label: Label,
}

/// Where a label is.
#[derive(Copy, Clone)]
struct Place {
    offset: u32,
    /// The meter's position.
    position: u32,
}

/// How an encoder names handlers and functions: what the translator is told about the engine.
#[derive(Copy, Clone)]
pub(crate) struct Naming<'a> {
    pub(crate) class: CellClass,
    /// The addresses of the handlers, which direct cells name. Compact code that is to run here needs them known as
    /// well, unless there is a table elsewhere.
    pub(crate) handlers: Option<&'a HandlerList>,
    /// Address and stride of the code map's entries, by which a direct cell names a function.
    pub(crate) entries: (usize, usize),
    /// Does one machine register hold the accumulator of both integer types? Then the low half of the
    /// 64-bit one is the 32-bit one.
    pub(crate) shared_acc: bool,
    /// Are there registers for pinned locals?
    pub(crate) pins: bool,
}

impl Naming<'_> {
    /// For compact code that runs elsewhere, or not at all: on machines with registers of 64 bits, or of 32.
    pub(crate) fn elsewhere(wide: bool) -> Self {
        Self {
            class: CellClass::Compact,
            handlers: None,
            entries: (0, 0),
            shared_acc: wide,
            pins: wide,
        }
    }
}

const UNBOUND: u32 = u32::MAX;

/// The code of one function while it is translated.
pub(crate) struct Encoder<'a> {
    naming: Naming<'a>,
    bytes: Vec<'a, u8>,
    labels: Vec<'a, Place>,
    relocs: Vec<'a, Reloc>,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(arena: &'a Bump, naming: Naming<'a>) -> Self {
        let mut bytes = Vec::new_in(arena);
        bytes.resize(naming.class.prelude(), 0);
        Self {
            naming,
            bytes,
            labels: Vec::new_in(arena),
            relocs: Vec::new_in(arena),
        }
    }

    /// Offset of the next cell.
    pub(crate) fn position(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// A label that is not bound yet.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(Place {
            offset: UNBOUND,
            position: 0,
        });
        Label(self.labels.len() as u32 - 1)
    }

    /// Binds `label` to the next cell, at this position of the meter: edges to it are charged with the
    /// distance from there to where they come from.
    pub(crate) fn bind(&mut self, label: Label, position: u32) {
        let offset = self.position();
        let place = &mut self.labels[label.0 as usize];
        debug_assert_eq!(place.offset, UNBOUND);
        *place = Place { offset, position };
    }

    /// Changes 32-bit immediate `n` of the cell at `position`, which is of `op`.
    pub(crate) fn patch_imm32(&mut self, position: u32, op: Op, n: usize, value: u32) {
        let field = position as usize + op.format().imm32(self.naming.class, n);
        self.put(field, value.to_le_bytes());
    }

    /// Removes everything from `position` on: the caller emitted it last and no label is bound there.
    pub(crate) fn truncate(&mut self, position: u32) {
        self.bytes.truncate(position as usize);
        while self
            .relocs
            .last()
            .is_some_and(|reloc| reloc.cell >= position)
        {
            self.relocs.pop();
        }
    }

    /// See [`Naming::shared_acc`].
    pub(crate) fn shared_acc(&self) -> bool {
        self.naming.shared_acc
    }

    /// See [`Naming::pins`].
    pub(crate) fn has_pins(&self) -> bool {
        self.naming.pins
    }

    /// Appends an instruction.
    pub(crate) fn emit(&mut self, inst: &Inst) {
        // One copy for each class, in which the places of the fields need little arithmetic.
        match self.naming.class {
            CellClass::Direct64 => self.emit_as(CellClass::Direct64, inst),
            CellClass::Direct32 => self.emit_as(CellClass::Direct32, inst),
            CellClass::Compact => self.emit_as(CellClass::Compact, inst),
        }
    }

    #[inline(always)]
    fn emit_as(&mut self, class: CellClass, inst: &Inst) {
        let position = self.bytes.len();
        // More than it needs, so that nothing is counted while it is written; the rest is taken away again.
        self.bytes.resize(position + CELL_ROOM, 0);
        let size = self.write(class, position, inst);
        self.bytes.truncate(position + size);
    }

    /// Replaces the instruction at `position`, which is `old` and has no target, by one without a target
    /// too. What comes after it moves by the bytes returned; no label is bound there.
    pub(crate) fn replace(&mut self, position: u32, old: Op, inst: &Inst) -> u32 {
        let size = |op: Op| op.format().size(self.naming.class);
        let (cell, end) = (position as usize, self.bytes.len());
        let (before, after) = (size(old), size(inst.op));
        debug_assert!(before <= after && inst.op.format().target == 0 && !inst.op.is_metered());
        let grown = after - before;
        let mut rest = Vec::new_in(self.bytes.bump());
        rest.extend_from_slice_copy(&self.bytes[cell + before..end]);
        self.bytes.truncate(cell);
        if grown > 0 {
            for reloc in self.relocs.iter_mut().rev() {
                if reloc.cell <= position {
                    break;
                }
                reloc.cell += grown as u32;
            }
        }
        self.emit(inst);
        self.bytes.extend_from_slice_copy(&rest);
        grown as u32
    }

    /// Writes an instruction at `position`, where there are `CELL_ROOM` bytes, and gives its size.
    #[inline(always)]
    fn write(&mut self, class: CellClass, position: usize, inst: &Inst) -> usize {
        let cell = &mut self.bytes[position..position + CELL_ROOM];
        let format = inst.op.format();
        let handlers = self.naming.handlers;
        let handler = handlers.map_or(0, |handlers| handlers.address(inst.op));
        match class {
            CellClass::Direct64 => put(cell, 0, (handler as u64).to_le_bytes()),
            CellClass::Direct32 => put(cell, 0, (handler as u32).to_le_bytes()),
            CellClass::Compact => put(cell, 0, inst.op.0.to_le_bytes()),
        }
        // All fields of a kind are written, without counting them; what comes next overwrites those that the format
        // does not have, which are zero.
        for (n, slot) in inst.slots.iter().enumerate() {
            put(cell, format.slot(class, n), slot.to_le_bytes());
        }
        let imm32 = format.imm32(class, 0);
        for (n, imm) in inst.imm32.iter().enumerate() {
            put(cell, imm32 + 4 * n, imm.to_le_bytes());
        }
        if format.imm64 > 0 {
            put(cell, format.imm64(class), inst.imm64.to_le_bytes());
        }
        if format.func > 0 {
            let (base, stride) = self.naming.entries;
            let address = base.wrapping_add(stride * inst.func as usize);
            let field = format.func(class);
            match class {
                CellClass::Direct64 => put(cell, field, (address as u64).to_le_bytes()),
                CellClass::Direct32 => put(cell, field, (address as u32).to_le_bytes()),
                CellClass::Compact => put(cell, field, inst.func.to_le_bytes()),
            }
        }
        if format.target > 0 || inst.op.is_metered() {
            self.relocs.push(Reloc {
                cell: position as u32,
                op: inst.op,
                label: inst.target,
            });
        }
        format.size(class)
    }

    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        put(&mut self.bytes, at, bytes);
    }

    /// Writes the frame's size into the prelude, and every target and charge, for code that will lie at
    /// address `base`; gives the finished bytes.
    pub(crate) fn finish(mut self, base: usize, frame_bytes: u32) -> Vec<'a, u8> {
        self.put(0, frame_bytes.to_le_bytes());
        let class = self.naming.class;
        for i in 0..self.relocs.len() {
            let Reloc { cell, op, label } = self.relocs[i];
            let format = op.format();
            let Place {
                offset: target,
                position,
            } = self.labels[label.0 as usize];
            debug_assert_ne!(target, UNBOUND, "a branch to a label that was never bound");
            if op.is_metered() {
                let field = cell as usize + format.imm32(class, format.imm32 as usize - 1);
                let mut from = [0; 4];
                from.copy_from_slice(&self.bytes[field..field + 4]);
                let charge = u32::from_le_bytes(from).wrapping_sub(position);
                self.put(field, charge.to_le_bytes());
            }
            if format.target == 0 {
                continue;
            }
            let field = cell as usize + format.target(class);
            match class {
                CellClass::Direct64 => {
                    self.put(field, (base as u64 + u64::from(target)).to_le_bytes());
                }
                CellClass::Direct32 => self.put(field, (base as u32 + target).to_le_bytes()),
                CellClass::Compact => self.put(field, target.wrapping_sub(cell).to_le_bytes()),
            }
        }
        self.bytes
    }

    /// Bytes so far, prelude included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes bytes at an offset.
#[inline(always)]
fn put<const N: usize>(cell: &mut [u8], at: usize, bytes: [u8; N]) {
    cell[at..at + N].copy_from_slice(&bytes);
}
