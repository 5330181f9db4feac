//! Instructions on numbers.

use wasm_encoder::Instruction as Op;

use super::body::Body;
use super::types::Ty;

static I32_BINARY: [Op<'static>; 15] = [
    Op::I32Add,
    Op::I32Sub,
    Op::I32Mul,
    Op::I32DivS,
    Op::I32DivU,
    Op::I32RemS,
    Op::I32RemU,
    Op::I32And,
    Op::I32Or,
    Op::I32Xor,
    Op::I32Shl,
    Op::I32ShrS,
    Op::I32ShrU,
    Op::I32Rotl,
    Op::I32Rotr,
];
static I64_BINARY: [Op<'static>; 15] = [
    Op::I64Add,
    Op::I64Sub,
    Op::I64Mul,
    Op::I64DivS,
    Op::I64DivU,
    Op::I64RemS,
    Op::I64RemU,
    Op::I64And,
    Op::I64Or,
    Op::I64Xor,
    Op::I64Shl,
    Op::I64ShrS,
    Op::I64ShrU,
    Op::I64Rotl,
    Op::I64Rotr,
];
static F32_BINARY: [Op<'static>; 7] = [
    Op::F32Add,
    Op::F32Sub,
    Op::F32Mul,
    Op::F32Div,
    Op::F32Min,
    Op::F32Max,
    Op::F32Copysign,
];
static F64_BINARY: [Op<'static>; 7] = [
    Op::F64Add,
    Op::F64Sub,
    Op::F64Mul,
    Op::F64Div,
    Op::F64Min,
    Op::F64Max,
    Op::F64Copysign,
];
/// The place of `copysign` in these: the one whose result may be a NaN of another sign than canonical ones have.
const COPYSIGN: usize = 6;

static I32_COMPARE: [Op<'static>; 10] = [
    Op::I32Eq,
    Op::I32Ne,
    Op::I32LtS,
    Op::I32LtU,
    Op::I32GtS,
    Op::I32GtU,
    Op::I32LeS,
    Op::I32LeU,
    Op::I32GeS,
    Op::I32GeU,
];
static I64_COMPARE: [Op<'static>; 10] = [
    Op::I64Eq,
    Op::I64Ne,
    Op::I64LtS,
    Op::I64LtU,
    Op::I64GtS,
    Op::I64GtU,
    Op::I64LeS,
    Op::I64LeU,
    Op::I64GeS,
    Op::I64GeU,
];
static F32_COMPARE: [Op<'static>; 6] = [
    Op::F32Eq,
    Op::F32Ne,
    Op::F32Lt,
    Op::F32Gt,
    Op::F32Le,
    Op::F32Ge,
];
static F64_COMPARE: [Op<'static>; 6] = [
    Op::F64Eq,
    Op::F64Ne,
    Op::F64Lt,
    Op::F64Gt,
    Op::F64Le,
    Op::F64Ge,
];

/// In the order of `unary_float`'s first seven choices.
static F32_UNARY: [Op<'static>; 7] = [
    Op::F32Abs,
    Op::F32Neg,
    Op::F32Ceil,
    Op::F32Floor,
    Op::F32Trunc,
    Op::F32Nearest,
    Op::F32Sqrt,
];
static F64_UNARY: [Op<'static>; 7] = [
    Op::F64Abs,
    Op::F64Neg,
    Op::F64Ceil,
    Op::F64Floor,
    Op::F64Trunc,
    Op::F64Nearest,
    Op::F64Sqrt,
];
/// Conversions to integers, signed and unsigned.
struct Truncations {
    saturating_i32: [Op<'static>; 2],
    saturating_i64: [Op<'static>; 2],
    trapping_i32: [Op<'static>; 2],
}
static F32_TRUNCATIONS: Truncations = Truncations {
    saturating_i32: [Op::I32TruncSatF32S, Op::I32TruncSatF32U],
    saturating_i64: [Op::I64TruncSatF32S, Op::I64TruncSatF32U],
    trapping_i32: [Op::I32TruncF32S, Op::I32TruncF32U],
};
static F64_TRUNCATIONS: Truncations = Truncations {
    saturating_i32: [Op::I32TruncSatF64S, Op::I32TruncSatF64U],
    saturating_i64: [Op::I64TruncSatF64S, Op::I64TruncSatF64U],
    trapping_i32: [Op::I32TruncF64S, Op::I32TruncF64U],
};

static I32_COUNTS: [Op<'static>; 3] = [Op::I32Clz, Op::I32Ctz, Op::I32Popcnt];
static I64_COUNTS: [Op<'static>; 3] = [Op::I64Clz, Op::I64Ctz, Op::I64Popcnt];
static I32_EXTENDS: [Op<'static>; 2] = [Op::I32Extend8S, Op::I32Extend16S];
static I64_EXTENDS: [Op<'static>; 3] = [Op::I64Extend8S, Op::I64Extend16S, Op::I64Extend32S];
static I32_TO_I64: [Op<'static>; 2] = [Op::I64ExtendI32S, Op::I64ExtendI32U];
static I32_TO_FLOAT: [(Op<'static>, Ty); 4] = [
    (Op::F32ConvertI32S, Ty::F32),
    (Op::F32ConvertI32U, Ty::F32),
    (Op::F64ConvertI32S, Ty::F64),
    (Op::F64ConvertI32U, Ty::F64),
];
static I64_TO_FLOAT: [(Op<'static>, Ty); 4] = [
    (Op::F32ConvertI64S, Ty::F32),
    (Op::F32ConvertI64U, Ty::F32),
    (Op::F64ConvertI64S, Ty::F64),
    (Op::F64ConvertI64U, Ty::F64),
];

impl Body<'_> {
    /// A binary instruction on two numbers of this type, which are on the stack.
    pub(super) fn binary(&mut self, ty: Ty) {
        let choice = self.choices.below(24);
        match ty {
            Ty::I32 => {
                let index = self.integer_binary(choice);
                self.emit_binary(&I32_BINARY[index]);
            }
            Ty::I64 => {
                let index = self.integer_binary(choice);
                self.emit_binary(&I64_BINARY[index]);
            }
            Ty::F32 => self.float_binary(&F32_BINARY, choice % 7),
            Ty::F64 => self.float_binary(&F64_BINARY, choice % 7),
            Ty::Func | Ty::Extern => unreachable!("references are no numbers"),
        }
    }

    /// The index of an integer instruction: what programs do most comes most often, divisions are rare.
    fn integer_binary(&mut self, choice: usize) -> usize {
        match choice {
            0..=3 => 0,
            4..=6 => 1,
            7 | 8 => 2,
            9 if self.choices.chance(1, 3) => 3 + self.choices.below(4),
            9..=12 => 7,
            13 | 14 => 8,
            15 | 16 => 9,
            17..=21 => choice - 7,
            _ => 1,
        }
    }

    fn float_binary(&mut self, instructions: &[Op<'_>; 7], index: usize) {
        self.emit_binary(&instructions[index]);
        if index == COPYSIGN {
            self.canonicalize();
        }
    }

    /// A comparison of two numbers of this type, which are on the stack.
    pub(super) fn compare(&mut self, ty: Ty) {
        let instructions: &[Op<'_>] = match ty {
            Ty::I32 => &I32_COMPARE,
            Ty::I64 => &I64_COMPARE,
            Ty::F32 => &F32_COMPARE,
            Ty::F64 => &F64_COMPARE,
            Ty::Func | Ty::Extern => unreachable!("references are no numbers"),
        };
        self.emit_any(instructions);
        self.pop(2);
        self.stack.push(Ty::I32);
    }

    /// An instruction on the value on top, which has this type.
    pub(super) fn unary(&mut self, ty: Ty) {
        match ty {
            Ty::I32 => self.unary_i32(),
            Ty::I64 => self.unary_i64(),
            Ty::F32 | Ty::F64 => self.unary_float(ty),
            Ty::Func | Ty::Extern => self.emit_unary(&Op::RefIsNull, Ty::I32),
        }
    }

    fn unary_i32(&mut self) {
        match self.choices.below(10) {
            0..=2 => self.emit(&Op::I32Eqz),
            choice @ 3..=5 => self.emit(&I32_COUNTS[choice - 3]),
            6 => self.emit_any(&I32_EXTENDS),
            7 => {
                self.emit_any(&I32_TO_I64);
                self.replace_top(Ty::I64);
            }
            8 => self.convert(&I32_TO_FLOAT),
            _ => {
                self.emit_unary(&Op::F32ReinterpretI32, Ty::F32);
                self.canonicalize();
            }
        }
    }

    fn unary_i64(&mut self) {
        match self.choices.below(10) {
            0 | 1 => self.emit_unary(&Op::I64Eqz, Ty::I32),
            choice @ 2..=4 => self.emit(&I64_COUNTS[choice - 2]),
            5 => self.emit_any(&I64_EXTENDS),
            6 | 7 => self.emit_unary(&Op::I32WrapI64, Ty::I32),
            8 => self.convert(&I64_TO_FLOAT),
            _ => {
                self.emit_unary(&Op::F64ReinterpretI64, Ty::F64);
                self.canonicalize();
            }
        }
    }

    fn unary_float(&mut self, ty: Ty) {
        let double = ty == Ty::F64;
        let (instructions, truncations) = if double {
            (&F64_UNARY, &F64_TRUNCATIONS)
        } else {
            (&F32_UNARY, &F32_TRUNCATIONS)
        };
        match self.choices.below(12) {
            choice @ 0..=6 => {
                self.emit(&instructions[choice]);
                // `abs` and `neg` change the sign of a NaN.
                if choice < 2 {
                    self.canonicalize();
                }
            }
            7 if double => self.emit_unary(&Op::F32DemoteF64, Ty::F32),
            7 => self.emit_unary(&Op::F64PromoteF32, Ty::F64),
            8 if double => self.emit_unary(&Op::I64ReinterpretF64, Ty::I64),
            8 => self.emit_unary(&Op::I32ReinterpretF32, Ty::I32),
            9 => {
                self.emit_any(&truncations.saturating_i32);
                self.replace_top(Ty::I32);
            }
            10 => {
                self.emit_any(&truncations.saturating_i64);
                self.replace_top(Ty::I64);
            }
            // Most would trap.
            _ if self.choices.chance(1, 6) => {
                self.emit_any(&truncations.trapping_i32);
                self.replace_top(Ty::I32);
            }
            _ => self.emit(&instructions[6]),
        }
    }

    /// One of these instructions.
    fn emit_any(&mut self, instructions: &[Op<'_>]) {
        let index = self.choices.below(instructions.len());
        self.emit(&instructions[index]);
    }

    fn convert(&mut self, conversions: &[(Op<'_>, Ty)]) {
        let (instruction, result) = &conversions[self.choices.below(conversions.len())];
        self.emit_unary(instruction, *result);
    }

    /// Makes the one NaN of a NaN on top, whose bits may be any.
    pub(super) fn canonicalize(&mut self) {
        let Some(ty) = self.top() else { return };
        let local = self.nan_local(ty);
        self.emit(&Op::LocalTee(local));
        let (nan, equal) = if ty == Ty::F32 {
            (Op::F32Const(f32::from_bits(0xffc0_0000).into()), Op::F32Eq)
        } else {
            let bits = 0xfff8_0000_0000_0000;
            (Op::F64Const(f64::from_bits(bits).into()), Op::F64Eq)
        };
        self.emit(&nan);
        self.emit(&Op::LocalGet(local));
        self.emit(&Op::LocalGet(local));
        self.emit(&equal);
        self.emit(&Op::Select);
    }
}
