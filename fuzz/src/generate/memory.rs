//! Memory and tables.

use wasm_encoder::{Instruction as Op, MemArg};

use super::at_offset;
use super::body::Body;
use super::types::Ty;

/// A load or store that still needs its immediates.
type Access = fn(MemArg) -> Op<'static>;

const I32_LOADS: [Access; 5] = [
    Op::I32Load,
    Op::I32Load8S,
    Op::I32Load8U,
    Op::I32Load16S,
    Op::I32Load16U,
];
const I64_LOADS: [Access; 7] = [
    Op::I64Load,
    Op::I64Load8S,
    Op::I64Load8U,
    Op::I64Load16S,
    Op::I64Load16U,
    Op::I64Load32S,
    Op::I64Load32U,
];
const I32_STORES: [Access; 3] = [Op::I32Store, Op::I32Store8, Op::I32Store16];
const I64_STORES: [Access; 4] = [Op::I64Store, Op::I64Store8, Op::I64Store16, Op::I64Store32];

impl Body<'_> {
    fn offset(&mut self) -> u32 {
        self.choices.pick(&[0, 0, 8, 1, 100, 4096, 32768, 65528, 3])
    }

    /// Pushes an address that mostly is within memory, and returns the offset to use with it.
    fn address(&mut self) -> u32 {
        match self.choices.below(8) {
            0 => {
                self.i32_const(16);
                0
            }
            1 | 2 => {
                let address = self.choices.pick(&[0, 8, 4096, 65528, 60000, 20]);
                self.i32_const(address);
                if address < 1000 {
                    self.offset()
                } else {
                    self.choices.pick(&[0, 1, 2])
                }
            }
            3 => {
                let address = self.choices.pick(&[-1, -8, i32::MIN]);
                if self.choices.chance(1, 6) {
                    // With these offsets the sum does not fit into 32 bits.
                    self.i32_const(address);
                    self.choices.pick(&[16, 0, u32::MAX, 0x8000_0000])
                } else {
                    self.i32_const(24);
                    0
                }
            }
            4 | 5 => {
                self.push(Ty::I32, 1);
                let mask = self.choices.pick(&[0xff, 0xfff8, 0x7fff]);
                self.mask(mask);
                if self.choices.chance(1, 4) {
                    self.offset()
                } else {
                    8
                }
            }
            6 => {
                self.push(Ty::I32, 1);
                self.mask(0xffc);
                let local = self.local(Ty::I32);
                self.emit(&Op::LocalTee(local));
                self.choices.below(64) as u32
            }
            _ => {
                // What 16 bits of memory say.
                let address = self.choices.below(64) as i32;
                self.i32_const(address);
                self.emit(&Op::I32Load16U(at_offset(0)));
                2
            }
        }
    }

    /// Pushes a number of this type from memory.
    pub(super) fn load(&mut self, ty: Ty) {
        let offset = self.address();
        let load = match ty {
            Ty::I32 => self.choices.pick(&I32_LOADS),
            Ty::I64 => self.choices.pick(&I64_LOADS),
            Ty::F32 => Op::F32Load,
            Ty::F64 => Op::F64Load,
            Ty::Func | Ty::Extern => unreachable!("memory holds no references"),
        };
        self.emit_unary(&load(at_offset(offset)), ty);
        if ty.is_float() {
            self.canonicalize();
        }
    }

    /// Stores a number.
    pub(super) fn store(&mut self) {
        let ty = self.top_number_or_any();
        // As the stack is: likely out of bounds.
        if self.available().ends_with(&[Ty::I32, ty]) && self.choices.chance(1, 8) {
            self.emit_store(ty, 0);
            return;
        }
        let offset;
        if self.top() == Some(ty) && self.choices.chance(1, 2) {
            // The value is there before the address, so it has to go by way of a local.
            let local = self.local(ty);
            self.local_set(local);
            offset = self.address();
            self.local_get(local, ty);
        } else {
            offset = self.address();
            self.push(ty, 1);
        }
        self.emit_store(ty, offset);
    }

    fn emit_store(&mut self, ty: Ty, offset: u32) {
        let store = match ty {
            Ty::I32 => self.choices.pick(&I32_STORES),
            Ty::I64 => self.choices.pick(&I64_STORES),
            Ty::F32 => Op::F32Store,
            Ty::F64 => Op::F64Store,
            Ty::Func | Ty::Extern => unreachable!("memory holds no references"),
        };
        self.emit(&store(at_offset(offset)));
        self.pop(2);
    }

    /// An instruction on a whole range of memory or of the table, or on their sizes.
    pub(super) fn bulk(&mut self) {
        match self.choices.below(10) {
            0 => {
                self.i32_const(0);
                self.emit(&Op::MemoryGrow(0));
            }
            1 => {
                self.push(Ty::I32, 1);
                self.mask(1);
                self.emit(&Op::MemoryGrow(0));
            }
            2 => {
                self.small();
                self.push(Ty::I32, 1);
                self.small();
                self.emit(&Op::MemoryFill(0));
                self.pop(3);
            }
            3 => self.three_small(&Op::MemoryCopy {
                src_mem: 0,
                dst_mem: 0,
            }),
            4 => self.three_small(&Op::MemoryInit {
                mem: 0,
                data_index: 0,
            }),
            5 => {
                self.i32_const(10);
                self.push(Ty::Func, 1);
                self.emit(&Op::TableSet(0));
                self.pop(2);
            }
            6 => {
                self.push(Ty::Func, 1);
                self.i32_const(0);
                self.emit(&Op::TableGrow(0));
                self.pop(2);
                self.stack.push(Ty::I32);
            }
            7 => {
                self.i32_const(9);
                self.push(Ty::Func, 1);
                self.i32_const(2);
                self.emit(&Op::TableFill(0));
                self.pop(3);
            }
            8 => {
                self.i32_const(9);
                self.i32_const(10);
                self.i32_const(2);
                self.emit(&Op::TableCopy {
                    src_table: 0,
                    dst_table: 0,
                });
                self.pop(3);
            }
            _ => {
                self.emit(&Op::TableSize(0));
                self.stack.push(Ty::I32);
            }
        }
    }

    /// An instruction on three small numbers.
    fn three_small(&mut self, instruction: &Op<'_>) {
        for _ in 0..3 {
            self.small();
        }
        self.emit(instruction);
        self.pop(3);
    }

    /// Pushes a small number, constant or not.
    fn small(&mut self) {
        if self.choices.chance(1, 2) {
            self.push(Ty::I32, 1);
            self.mask(0x3f);
        } else {
            let value = self.choices.below(64) as i32;
            self.i32_const(value);
        }
    }
}
