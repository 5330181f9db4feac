//! Cells: how an instruction lies in memory, for each class of target.
//!
//! A cell is the handler (its address, or its index in the compact class), then the fields, each at its
//! natural alignment: slots (signed 16-bit byte offsets from `sp`), 32-bit immediates, the 64-bit
//! immediate, the function, the branch target. The class is data of the translator, not of the build, so a host
//! can translate for any target. Handlers ask the same `const fn`s where their fields are.

use alloc::vec::Vec;

use super::Op;

/// How handlers, functions and branch targets are named in a cell.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum CellClass {
    /// By 64-bit addresses.
    Direct64,
    /// By 32-bit addresses.
    Direct32,
    /// By index and relative distance: position independent.
    Compact,
}

impl CellClass {
    /// The direct class of this machine.
    pub(crate) const NATIVE: Self = if cfg!(target_pointer_width = "64") {
        Self::Direct64
    } else {
        Self::Direct32
    };

    /// Bytes of the handler's name at the start of a cell.
    const fn header(self) -> usize {
        match self {
            Self::Direct64 => 8,
            Self::Direct32 => 4,
            Self::Compact => 2,
        }
    }

    /// Alignment of cells, and of the widest field.
    pub(crate) const fn align(self) -> usize {
        match self {
            Self::Direct64 => 8,
            Self::Direct32 | Self::Compact => 4,
        }
    }

    /// Bytes of a branch target or function.
    pub(crate) const fn word(self) -> usize {
        match self {
            Self::Direct64 => 8,
            Self::Direct32 | Self::Compact => 4,
        }
    }

    /// Bytes between the start of a function's code and its first cell: they hold the frame's size.
    pub(crate) const fn prelude(self) -> usize {
        self.align()
    }
}

/// Which fields a cell has after its handler.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) slots: u8,
    pub(crate) imm32: u8,
    pub(crate) imm64: u8,
    pub(crate) func: u8,
    pub(crate) target: u8,
}

/// Appends a cell without fields, or with fields that are zero, and gives its offset. Direct cells name the handler by
/// its address.
pub(crate) fn push_bare(code: &mut Vec<u8>, class: CellClass, op: Op, handler: usize) -> usize {
    let at = code.len();
    match class {
        CellClass::Direct64 => code.extend((handler as u64).to_le_bytes()),
        CellClass::Direct32 => code.extend((handler as u32).to_le_bytes()),
        CellClass::Compact => code.extend(op.0.to_le_bytes()),
    }
    code.resize(at + op.format().size(class), 0);
    at
}

const fn align_up(offset: usize, align: usize) -> usize {
    (offset + align - 1) & !(align - 1)
}

impl Format {
    pub(crate) const EMPTY: Self = Self {
        slots: 0,
        imm32: 0,
        imm64: 0,
        func: 0,
        target: 0,
    };

    /// Offset of slot field `n` from the start of the cell.
    #[inline(always)]
    pub(crate) const fn slot(self, class: CellClass, n: usize) -> usize {
        class.header() + 2 * n
    }

    /// Offset of 32-bit immediate `n`.
    #[inline(always)]
    pub(crate) const fn imm32(self, class: CellClass, n: usize) -> usize {
        align_up(self.slot(class, self.slots as usize), 4) + 4 * n
    }

    const fn after_imm32(self, class: CellClass) -> usize {
        if self.imm32 > 0 {
            self.imm32(class, self.imm32 as usize)
        } else {
            self.slot(class, self.slots as usize)
        }
    }

    /// Offset of the 64-bit immediate. In 32-bit classes it is aligned to 4 and read in halves.
    pub(crate) const fn imm64(self, class: CellClass) -> usize {
        align_up(self.after_imm32(class), class.align())
    }

    const fn after_imm64(self, class: CellClass) -> usize {
        if self.imm64 > 0 {
            self.imm64(class) + 8
        } else {
            self.after_imm32(class)
        }
    }

    /// Offset of the function.
    pub(crate) const fn func(self, class: CellClass) -> usize {
        align_up(self.after_imm64(class), class.word())
    }

    const fn after_func(self, class: CellClass) -> usize {
        if self.func > 0 {
            self.func(class) + class.word()
        } else {
            self.after_imm64(class)
        }
    }

    /// Offset of the branch target.
    pub(crate) const fn target(self, class: CellClass) -> usize {
        align_up(self.after_func(class), class.word())
    }

    /// Bytes of the whole cell.
    pub(crate) const fn size(self, class: CellClass) -> usize {
        let end = if self.target > 0 {
            self.target(class) + class.word()
        } else {
            self.after_func(class)
        };
        align_up(end, class.align())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_sizes_of_the_design() {
        // slot, slot → slot
        let binary = Format {
            slots: 3,
            ..Format::EMPTY
        };
        // slot, imm32 → slot
        let immediate = Format {
            slots: 2,
            imm32: 1,
            ..Format::EMPTY
        };
        // compare slot, slot and branch
        let branch = Format {
            slots: 2,
            target: 1,
            ..Format::EMPTY
        };
        let sizes = |format: Format| {
            [CellClass::Direct64, CellClass::Direct32, CellClass::Compact].map(|c| format.size(c))
        };
        assert_eq!(sizes(binary), [16, 12, 8]);
        assert_eq!(sizes(immediate), [16, 12, 12]);
        assert_eq!(sizes(branch), [24, 12, 12]);
    }

    #[test]
    fn fields_do_not_overlap_and_are_aligned() {
        for class in [CellClass::Direct64, CellClass::Direct32, CellClass::Compact] {
            for op in crate::ir::Op::all() {
                let format = op.format();
                let mut end = class.header();
                let mut place = |offset: usize, size: usize, align: usize| {
                    assert!(
                        offset >= end && offset.is_multiple_of(align),
                        "{} in {class:?}",
                        op.mnemonic()
                    );
                    end = offset + size;
                };
                for n in 0..format.slots as usize {
                    place(format.slot(class, n), 2, 2);
                }
                for n in 0..format.imm32 as usize {
                    place(format.imm32(class, n), 4, 4);
                }
                if format.imm64 > 0 {
                    place(format.imm64(class), 8, class.align());
                }
                if format.func > 0 {
                    place(format.func(class), class.word(), class.word());
                }
                if format.target > 0 {
                    place(format.target(class), class.word(), class.word());
                }
                assert!(end <= format.size(class));
            }
        }
    }
}
