//! Arithmetic, comparisons and conversions.

use super::{
    Step, Translator,
    emit::{Fields, Last, fits_imm32},
    stack::{Arg, Bank, Content, Operand},
};
use crate::{
    ir::{Family, Inst},
    types::ValType,
};

/// What becomes of an operation when its operands change places.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// The same operation.
    Commutes,
    /// Another one: `a < b` is `b > a`.
    Mirrors(Family),
    /// Nothing that would help: the form with the operands in this order exists.
    Fixed,
}

impl Translator<'_, '_> {
    /// An operation on two operands, the result of which has type `out`.
    pub(super) fn binary(&mut self, family: Family, order: Order, out: ValType) -> Step {
        self.binary_of_any_nan(family, order, out)?;
        self.canonicalize(family)
    }

    /// In deterministic code: after an operation that can make a NaN, lets it be the canonical one.
    fn canonicalize(&mut self, family: Family) -> Step {
        use Family::*;
        if !self.deterministic {
            return Ok(());
        }
        match family {
            F32Add | F32Sub | F32Mul | F32Div | F32Min | F32Max | F32Ceil | F32Floor | F32Trunc
            | F32Nearest | F32Sqrt | F32DemoteF64 => {
                self.unary_of_any_nan(F32Canonical, ValType::F32)
            }
            F64Add | F64Sub | F64Mul | F64Div | F64Min | F64Max | F64Ceil | F64Floor | F64Trunc
            | F64Nearest | F64Sqrt | F64PromoteF32 => {
                self.unary_of_any_nan(F64Canonical, ValType::F64)
            }
            // Moves of bits, whose result is known; and what makes no float.
            _ => Ok(()),
        }
    }

    fn binary_of_any_nan(&mut self, family: Family, order: Order, out: ValType) -> Step {
        if self.add_later(family) {
            return Ok(());
        }
        self.settle_sums(2)?;
        let mut b = self.pop();
        let mut a = self.pop();
        let (mut family, mut order) = (family, order);

        // x - c is x + -c, which has more forms.
        if let (Family::I32Sub | Family::I64Sub, Arg::Const(bits)) = (family, b.arg) {
            let negated = bits.wrapping_neg();
            if family == Family::I32Sub {
                (family, order) = (Family::I32Add, Order::Commutes);
                b.arg = Arg::Const(negated as u32 as u64);
            } else {
                (family, order) = (Family::I64Add, Order::Commutes);
                b.arg = Arg::Const(negated);
            }
        }
        if let (Arg::Const(_), Arg::Const(_)) = (a.arg, b.arg) {
            self.constant_to_slot(&mut a)?;
        }
        // Only one of them can be in the accumulator: the one that is nowhere else.
        if a.in_acc() && b.in_acc() {
            let other = if b.arg == Arg::Acc { &mut a } else { &mut b };
            if let Arg::AccAndSlot(offset) = other.arg {
                other.arg = Arg::Slot(offset);
            }
        }
        // Constants go last and the accumulator first, if that is the same.
        // A pinned local goes second, but before a constant.
        let bank = Bank::of(a.ty);
        let pinned =
            matches!((a.arg, b.arg), (Arg::Slot(a), Arg::Slot(_)) if self.is_pinned(a, bank));
        if matches!(a.arg, Arg::Const(_)) || b.in_acc() || pinned {
            match order {
                Order::Commutes => core::mem::swap(&mut a, &mut b),
                Order::Mirrors(mirror) => {
                    core::mem::swap(&mut a, &mut b);
                    family = mirror;
                }
                Order::Fixed => {}
            }
        }
        if let Some((pair, fields)) = self.fuse(family, a, b)? {
            return self.append_result(pair, fields, out);
        }
        let wide = order != Order::Fixed || a.ty == ValType::F64;
        let mut fields = Fields::new(&[]);
        self.field_or_const(&mut fields, a, wide)?;
        self.field_or_const(&mut fields, b, wide)?;
        self.append_result(family, fields, out)
    }

    /// Leaves the addition of a constant to a slot to the instruction that uses the sum: see `push_sum`. `false` if it
    /// is none.
    fn add_later(&mut self, family: Family) -> bool {
        let [.., first, second] = self.stack[..] else {
            return false;
        };
        let Content::Const(bits) = second.content else {
            return false;
        };
        let imm = match family {
            Family::I32Add => Some(bits as i32),
            Family::I32Sub => Some((bits as i32).wrapping_neg()),
            Family::I64Add => i32::try_from(bits as i64).ok(),
            Family::I64Sub => i32::try_from((bits as i64).wrapping_neg()).ok(),
            _ => None,
        };
        let Some(imm) = imm else { return false };
        if !self.can_sum(first, imm) {
            return false;
        }
        self.pop();
        self.pop();
        self.push_sum(first, imm);
        true
    }

    /// Adds an operand; constants become immediates where they fit, 64-bit ones only if `wide`.
    fn field_or_const(&mut self, fields: &mut Fields, operand: Operand, wide: bool) -> Step {
        match operand.arg {
            Arg::Const(bits) => match fits_imm32(bits, operand.ty) {
                Some(imm) => fields.imm32(imm),
                None if wide => fields.imm64(bits),
                None => self.field(fields, operand)?,
            },
            _ => self.field(fields, operand)?,
        }
        Ok(())
    }

    /// An operation on one operand.
    pub(super) fn unary(&mut self, family: Family, out: ValType) -> Step {
        self.unary_of_any_nan(family, out)?;
        self.canonicalize(family)
    }

    fn unary_of_any_nan(&mut self, family: Family, out: ValType) -> Step {
        self.settle_sums(1)?;
        let operand = self.pop();
        let mut fields = Fields::new(&[]);
        self.field(&mut fields, operand)?;
        self.append_result(family, fields, out)
    }

    /// `i32.wrap_i64`. The upper bits of an `i32` are unspecified, so where both types share an accumulator
    /// nothing has to be done.
    pub(super) fn wrap(&mut self) -> Step {
        if !self.encoder.shared_acc() {
            return self.unary(Family::I32WrapI64, ValType::I32);
        }
        self.retype(ValType::I32);
        Ok(())
    }

    /// `i64.extend_i32_s` and `i64.extend_i32_u`. The result of a comparison has 64 bits already.
    pub(super) fn extend(&mut self, family: Family) -> Step {
        if self.fusion && self.encoder.shared_acc() && self.comparison_on_top(false).is_some() {
            self.retype(ValType::I64);
            return Ok(());
        }
        self.unary(family, ValType::I64)
    }

    /// Takes the entry on top for one of the other integer type.
    fn retype(&mut self, ty: ValType) {
        self.settle_last();
        let top = self.stack.last_mut().expect("validated");
        top.ty = ty;
        if let (Content::Const(bits), ValType::I32) = (&mut top.content, ty) {
            *bits &= u64::from(u32::MAX);
        }
    }

    /// The last instruction, if it is a comparison whose result is the entry on top, and its branch. With
    /// `and`, that counts as a comparison of its result with zero.
    fn comparison_on_top(&self, and: bool) -> Option<(Inst, Family)> {
        let Some(Last {
            inst,
            result: Some(Bank::Int),
            negated: false,
            ..
        }) = self.last.filter(|_| self.fusion)
        else {
            return None;
        };
        let branch = inst.op.family().branch()?;
        let top = self.stack.last()?;
        let on_top = top.content == Content::Acc && Bank::of(top.ty) == Bank::Int;
        (on_top && (and || inst.op.family() != Family::I32And)).then_some((inst, branch))
    }

    /// `i32.eqz`. Of a comparison, it is the opposite comparison; where there is none, as for floats, it
    /// waits for the branch that usually comes next.
    pub(super) fn i32_eqz(&mut self) -> Step {
        if self.negate_comparison(true) {
            return Ok(());
        }
        self.push_const(0, ValType::I32);
        self.binary(Family::I32Eq, Order::Commutes, ValType::I32)
    }

    /// Negates the comparison that has made the entry on top, if one has.
    fn negate_comparison(&mut self, and: bool) -> bool {
        let Some((inst, branch)) = self.comparison_on_top(and) else {
            return false;
        };
        match branch.negation().comparison() {
            Some(opposite) => {
                self.take_last();
                let op = opposite
                    .form(inst.op.form())
                    .expect("comparisons have the same forms");
                self.append(Inst { op, ..inst });
                self.mark_result(Bank::Int);
            }
            None => {
                if let Some(last) = &mut self.last {
                    last.negated = true;
                }
            }
        }
        self.stack.last_mut().expect("it is on top").ty = ValType::I32;
        true
    }

    /// `i64.eqz` and `ref.is_null`.
    pub(super) fn i64_eqz(&mut self) -> Step {
        if self.negate_comparison(false) {
            return Ok(());
        }
        self.push_const(0, ValType::I64);
        self.binary(Family::I64Eq, Order::Commutes, ValType::I32)
    }
}

/// Rows that belong together.
macro_rules! comparisons {
    ($($ty:ident $compare:ident $mirror:ident $branch:ident $negation:ident;)*) => {
        impl Family {
            /// The comparison with its operands exchanged.
            pub(super) fn mirror(self) -> Self {
                match self {
                    $(Self::$compare => Self::$mirror,)*
                    other => other,
                }
            }

            /// The branch on a comparison.
            pub(super) fn branch(self) -> Option<Self> {
                match self {
                    $(Self::$compare => Some(Self::$branch),)*
                    _ => None,
                }
            }

            /// The type of what a branch compares.
            #[allow(unreachable_patterns, reason = "most comparisons are listed with their opposites")]
            pub(super) fn compared_type(self) -> ValType {
                match self {
                    $(Self::$branch | Self::$negation => ValType::$ty,)*
                    Self::BrI64And | Self::BrI64Nand => ValType::I64,
                    _ => ValType::I32,
                }
            }

            /// The branch on the comparison with exchanged operands.
            pub(super) fn mirrored_branch(self) -> Self {
                match self {
                    $(Self::$branch => Self::$mirror.branch().unwrap_or(self),)*
                    other => other,
                }
            }

            /// The comparison of a branch.
            fn comparison(self) -> Option<Self> {
                match self {
                    $(Self::$branch => Some(Self::$compare),)*
                    _ => None,
                }
            }

            /// The branch that is taken when this one is not.
            #[allow(unreachable_patterns, reason = "most comparisons are listed with their opposites")]
            pub(super) fn negation(self) -> Self {
                match self {
                    $(Self::$branch => Self::$negation,)*
                    $(Self::$negation => Self::$branch,)*
                    Self::BrI64And => Self::BrI64Nand,
                    Self::BrI64Nand => Self::BrI64And,
                    other => unreachable!("{other:?} is no branch on a comparison"),
                }
            }
        }
    };
}

comparisons! {
    I32 I32Eq I32Eq BrI32Eq BrI32Ne;
    I32 I32Ne I32Ne BrI32Ne BrI32Eq;
    I32 I32LtS I32GtS BrI32LtS BrI32GeS;
    I32 I32LtU I32GtU BrI32LtU BrI32GeU;
    I32 I32GtS I32LtS BrI32GtS BrI32LeS;
    I32 I32GtU I32LtU BrI32GtU BrI32LeU;
    I32 I32LeS I32GeS BrI32LeS BrI32GtS;
    I32 I32LeU I32GeU BrI32LeU BrI32GtU;
    I32 I32GeS I32LeS BrI32GeS BrI32LtS;
    I32 I32GeU I32LeU BrI32GeU BrI32LtU;
    I64 I64Eq I64Eq BrI64Eq BrI64Ne;
    I64 I64Ne I64Ne BrI64Ne BrI64Eq;
    I64 I64LtS I64GtS BrI64LtS BrI64GeS;
    I64 I64LtU I64GtU BrI64LtU BrI64GeU;
    I64 I64GtS I64LtS BrI64GtS BrI64LeS;
    I64 I64GtU I64LtU BrI64GtU BrI64LeU;
    I64 I64LeS I64GeS BrI64LeS BrI64GtS;
    I64 I64LeU I64GeU BrI64LeU BrI64GtU;
    I64 I64GeS I64LeS BrI64GeS BrI64LtS;
    I64 I64GeU I64LeU BrI64GeU BrI64LtU;
    F32 F32Eq F32Eq BrF32Eq BrF32Ne;
    F32 F32Ne F32Ne BrF32Ne BrF32Eq;
    F32 F32Lt F32Gt BrF32Lt BrF32NotLt;
    F32 F32Gt F32Lt BrF32Gt BrF32NotGt;
    F32 F32Le F32Ge BrF32Le BrF32NotLe;
    F32 F32Ge F32Le BrF32Ge BrF32NotGe;
    F64 F64Eq F64Eq BrF64Eq BrF64Ne;
    F64 F64Ne F64Ne BrF64Ne BrF64Eq;
    F64 F64Lt F64Gt BrF64Lt BrF64NotLt;
    F64 F64Gt F64Lt BrF64Gt BrF64NotGt;
    F64 F64Le F64Ge BrF64Le BrF64NotLe;
    F64 F64Ge F64Le BrF64Ge BrF64NotGe;
    I32 I32And I32And BrI32And BrI32Nand;
}
