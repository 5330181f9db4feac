//! Pushing values: constants, locals, globals, and small expressions.

use wasm_encoder::Instruction as Op;

use super::IMPORTS;
use super::body::Body;
use super::types::Ty;

const I32_CONSTANTS: [i32; 22] = [
    0,
    1,
    -1,
    2,
    7,
    31,
    32,
    33,
    255,
    256,
    -128,
    0x7fff,
    0x8000,
    0xffff,
    i32::MAX,
    i32::MIN,
    i32::MIN + 1,
    -5,
    100,
    1000,
    0x5555_5555,
    3,
];
const I64_CONSTANTS: [i64; 24] = [
    0,
    1,
    -1,
    2,
    7,
    63,
    64,
    65,
    255,
    -128,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    -0x8000_0000,
    -0x8000_0001,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
    0x1234_5678_9abc_def0,
    -5,
    100,
    0x7fff_ffff_ffff,
    3,
];
const FLOAT_CONSTANTS: [f64; 16] = [
    0.0,
    1.0,
    -1.0,
    -0.0,
    0.5,
    1.5,
    2.5,
    -2.5,
    1e10,
    -1e10,
    3.0e38,
    1e-40,
    f64::INFINITY,
    f64::NEG_INFINITY,
    2_147_483_648.0,
    4.0,
];

impl Body<'_> {
    /// Pushes a constant of this type.
    pub(super) fn constant(&mut self, ty: Ty) {
        let instruction = match ty {
            Ty::I32 => Op::I32Const(self.choices.pick(&I32_CONSTANTS)),
            Ty::I64 => Op::I64Const(self.choices.pick(&I64_CONSTANTS)),
            Ty::F32 => Op::F32Const((self.choices.pick(&FLOAT_CONSTANTS) as f32).into()),
            Ty::F64 => Op::F64Const(self.choices.pick(&FLOAT_CONSTANTS).into()),
            Ty::Func | Ty::Extern => Op::RefNull(ty.heap_type()),
        };
        self.emit(&instruction);
        self.stack.push(ty);
    }

    /// Pushes this number.
    pub(super) fn i32_const(&mut self, value: i32) {
        self.emit(&Op::I32Const(value));
        self.stack.push(Ty::I32);
    }

    /// Masks the `i32` on top.
    pub(super) fn mask(&mut self, mask: i32) {
        self.i32_const(mask);
        self.emit_binary(&Op::I32And);
    }

    /// Pushes a value of this type, of an expression that is `depth` deep already.
    pub(super) fn push(&mut self, ty: Ty, depth: u32) {
        self.budget -= 1;
        match self.choices.below(if depth > 3 { 7 } else { 12 }) {
            0 | 5 => self.constant(ty),
            1..=4 => self.any_local_get(ty),
            6 => match self.global(ty) {
                Some(global) => {
                    self.emit(&Op::GlobalGet(global));
                    self.stack.push(ty);
                }
                None => self.constant(ty),
            },
            7 if !ty.is_reference() => self.load(ty),
            8 | 9 if !ty.is_reference() => {
                self.push(ty, depth + 1);
                self.push(ty, depth + 1);
                self.binary(ty);
            }
            10 => {
                self.push(ty, depth + 1);
                let local = self.local(ty);
                self.emit(&Op::LocalTee(local));
            }
            11 => self.push_of_other_type(ty, depth),
            _ if ty == Ty::Func => {
                let functions = IMPORTS + self.shape.signatures.len();
                let function = self.choices.below(functions) as u32;
                self.emit(&Op::RefFunc(function));
                self.stack.push(Ty::Func);
            }
            _ => self.any_local_get(ty),
        }
    }

    fn any_local_get(&mut self, ty: Ty) {
        let local = self.local(ty);
        self.local_get(local, ty);
    }

    /// Pushes a value of this type that is made of something of another.
    fn push_of_other_type(&mut self, ty: Ty, depth: u32) {
        match ty {
            Ty::I32 => match self.choices.below(5) {
                0 => {
                    self.push(Ty::I32, depth + 1);
                    self.emit(&Op::I32Eqz);
                }
                1 => {
                    let compared = Ty::number(self.choices);
                    self.push(compared, depth + 1);
                    self.push(compared, depth + 1);
                    self.compare(compared);
                }
                2 => {
                    let function = self.choices.chance(1, 2);
                    let reference = if function { Ty::Func } else { Ty::Extern };
                    self.push(reference, depth + 1);
                    self.emit_unary(&Op::RefIsNull, Ty::I32);
                }
                3 => {
                    self.emit(&Op::MemorySize(0));
                    self.stack.push(Ty::I32);
                }
                _ => {
                    self.push(Ty::I64, depth + 1);
                    self.emit_unary(&Op::I32WrapI64, Ty::I32);
                }
            },
            Ty::I64 => {
                self.push(Ty::I32, depth + 1);
                let signed = self.choices.chance(1, 2);
                let extend = if signed {
                    Op::I64ExtendI32S
                } else {
                    Op::I64ExtendI32U
                };
                self.emit_unary(&extend, Ty::I64);
            }
            Ty::F32 => {
                self.push(Ty::I32, depth + 1);
                self.emit_unary(&Op::F32ConvertI32S, Ty::F32);
            }
            Ty::F64 => {
                self.push(Ty::F32, depth + 1);
                self.emit_unary(&Op::F64PromoteF32, Ty::F64);
            }
            Ty::Func if self.choices.chance(1, 2) => {
                let index = self.choices.below(8);
                self.i32_const(index as i32);
                self.emit_unary(&Op::TableGet(0), Ty::Func);
            }
            Ty::Func | Ty::Extern => self.constant(ty),
        }
    }

    /// Makes the top of the stack have these types, mostly with as much as possible of what is there.
    pub(super) fn need(&mut self, types: &[Ty]) {
        let available = self.available();
        let most = types.len().min(available.len());
        let fitting: Vec<usize> = (0..=most)
            .rev()
            .filter(|count| available.ends_with(&types[..*count]))
            .collect();
        let reused = if self.choices.chance(1, 4) {
            self.choices.pick(&fitting)
        } else {
            fitting[0]
        };
        for ty in &types[reused..] {
            self.push(*ty, 1);
        }
    }

    /// Gets rid of the value on top, which has this type.
    pub(super) fn sink(&mut self, ty: Ty) {
        match self.choices.below(5) {
            0 | 1 => self.emit(&Op::Drop),
            2 | 3 => {
                let local = self.local(ty);
                self.emit(&Op::LocalSet(local));
            }
            _ => match self.global(ty) {
                Some(global) => self.emit(&Op::GlobalSet(global)),
                None => self.emit(&Op::Drop),
            },
        }
        self.pop(1);
    }

    /// A `select` between two values of a type.
    pub(super) fn select(&mut self) {
        let ty = match self.top() {
            Some(ty) if self.choices.chance(1, 2) => ty,
            _ => Ty::any(self.choices),
        };
        self.need(&[ty, ty]);
        self.condition_above(2);
        if ty.is_reference() || self.choices.chance(1, 6) {
            self.emit(&Op::TypedSelect(ty.encoded()));
        } else {
            self.emit(&Op::Select);
        }
        self.pop(2);
    }
}
