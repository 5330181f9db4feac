//! From Wasm's operators to the translator's methods: one line an operator.

use wasmparser::Operator;

use super::{Step, Stop, Translator, numeric::Order};
use crate::{
    Error,
    ir::Family,
    types::ValType,
    types::ValType::{F32, F64, I32, I64},
};

/// Calls of `binary` and `unary` for operators that have the names of rows.
macro_rules! numeric {
    (
        $self:ident, $operator:ident;
        commutes { $($c:ident: $c_ty:ident,)* }
        compares { $($cmp:ident,)* }
        fixed { $($f:ident: $f_ty:ident,)* }
        unary { $($u:ident: $u_ty:ident,)* }
        loads { $($l:ident: $l_ty:ident,)* }
        stores { $($s:ident,)* }
        else { $($rest:tt)* }
    ) => {
        match $operator {
            $(Operator::$c => $self.binary(Family::$c, Order::Commutes, $c_ty),)*
            $(Operator::$cmp => {
                $self.binary(Family::$cmp, Order::Mirrors(Family::$cmp.mirror()), I32)
            })*
            $(Operator::$f => $self.binary(Family::$f, Order::Fixed, $f_ty),)*
            $(Operator::$u => $self.unary(Family::$u, $u_ty),)*
            $(Operator::$l { memarg } => $self.load(Family::$l, *memarg, $l_ty),)*
            $(Operator::$s { memarg } => $self.store(Family::$s, None, *memarg),)*
            $($rest)*
        }
    };
}

impl Translator<'_, '_> {
    /// Translates one operator.
    #[inline(always)]
    pub(super) fn visit(&mut self, operator: &Operator<'_>) -> Step {
        self.count_operator(operator);
        match operator {
            Operator::Block { blockty } => return self.block(*blockty),
            Operator::Loop { blockty } => return self.loop_(*blockty),
            Operator::If { blockty } => return self.if_(*blockty),
            Operator::Else => return self.else_(),
            Operator::End => return self.end(),
            _ if !self.reachable => return Ok(()),
            _ => {}
        }
        numeric! {
            self, operator;
            commutes {
                I32Add: I32, I32Mul: I32, I32And: I32, I32Or: I32, I32Xor: I32,
                I64Add: I64, I64Mul: I64, I64And: I64, I64Or: I64, I64Xor: I64,
                F32Add: F32, F32Mul: F32, F64Add: F64, F64Mul: F64,
            }
            compares {
                I32Eq, I32Ne, I32LtS, I32LtU, I32GtS, I32GtU, I32LeS, I32LeU, I32GeS, I32GeU,
                I64Eq, I64Ne, I64LtS, I64LtU, I64GtS, I64GtU, I64LeS, I64LeU, I64GeS, I64GeU,
                F32Eq, F32Ne, F32Lt, F32Gt, F32Le, F32Ge,
                F64Eq, F64Ne, F64Lt, F64Gt, F64Le, F64Ge,
            }
            fixed {
                I32Sub: I32, I32Shl: I32, I32ShrS: I32, I32ShrU: I32, I32Rotl: I32, I32Rotr: I32,
                I32DivS: I32, I32DivU: I32, I32RemS: I32, I32RemU: I32,
                I64Sub: I64, I64Shl: I64, I64ShrS: I64, I64ShrU: I64, I64Rotl: I64, I64Rotr: I64,
                I64DivS: I64, I64DivU: I64, I64RemS: I64, I64RemU: I64,
                F32Sub: F32, F32Div: F32, F32Min: F32, F32Max: F32, F32Copysign: F32,
                F64Sub: F64, F64Div: F64, F64Min: F64, F64Max: F64, F64Copysign: F64,
            }
            unary {
                I32Clz: I32, I32Ctz: I32, I32Popcnt: I32, I32Extend8S: I32, I32Extend16S: I32,
                I64Clz: I64, I64Ctz: I64, I64Popcnt: I64,
                I64Extend8S: I64, I64Extend16S: I64, I64Extend32S: I64,
                F32Abs: F32, F32Neg: F32, F32Ceil: F32, F32Floor: F32, F32Trunc: F32,
                F32Nearest: F32, F32Sqrt: F32,
                F64Abs: F64, F64Neg: F64, F64Ceil: F64, F64Floor: F64, F64Trunc: F64,
                F64Nearest: F64, F64Sqrt: F64,
                I32TruncF32S: I32, I32TruncF32U: I32, I32TruncF64S: I32, I32TruncF64U: I32,
                I64TruncF32S: I64, I64TruncF32U: I64, I64TruncF64S: I64, I64TruncF64U: I64,
                I32TruncSatF32S: I32, I32TruncSatF32U: I32,
                I32TruncSatF64S: I32, I32TruncSatF64U: I32,
                I64TruncSatF32S: I64, I64TruncSatF32U: I64,
                I64TruncSatF64S: I64, I64TruncSatF64U: I64,
                F32ConvertI32S: F32, F32ConvertI32U: F32, F32ConvertI64S: F32, F32ConvertI64U: F32,
                F64ConvertI32S: F64, F64ConvertI32U: F64, F64ConvertI64S: F64, F64ConvertI64U: F64,
                F32DemoteF64: F32, F64PromoteF32: F64,
                I32ReinterpretF32: I32, I64ReinterpretF64: I64,
                F32ReinterpretI32: F32, F64ReinterpretI64: F64,
            }
            loads {
                I32Load: I32, I64Load: I64, F32Load: F32, F64Load: F64,
                I32Load8S: I32, I32Load8U: I32, I32Load16S: I32, I32Load16U: I32,
                I64Load8S: I64, I64Load8U: I64, I64Load16S: I64, I64Load16U: I64,
                I64Load32S: I64, I64Load32U: I64,
            }
            stores {
                I32Store, I64Store, I32Store8, I32Store16, I64Store8, I64Store16, I64Store32,
            }
            else {
                Operator::F32Store { memarg } => {
                    self.store(Family::I32Store, Some(Family::F32Store), *memarg)
                }
                Operator::F64Store { memarg } => {
                    self.store(Family::I64Store, Some(Family::F64Store), *memarg)
                }
                Operator::I32WrapI64 => self.wrap(),
                Operator::I64ExtendI32S => self.extend(Family::I64ExtendI32S),
                Operator::I64ExtendI32U => self.extend(Family::I64ExtendI32U),
                Operator::I32Eqz => self.i32_eqz(),
                Operator::I64Eqz | Operator::RefIsNull => self.i64_eqz(),

                Operator::I32Const { value } => {
                    self.push_const(*value as u32 as u64, I32);
                    Ok(())
                }
                Operator::I64Const { value } => {
                    self.push_const(*value as u64, I64);
                    Ok(())
                }
                Operator::F32Const { value } => {
                    self.push_const(value.bits().into(), F32);
                    Ok(())
                }
                Operator::F64Const { value } => {
                    self.push_const(value.bits(), F64);
                    Ok(())
                }
                Operator::RefNull { .. } => {
                    self.push_const(0, ValType::FUNCREF);
                    Ok(())
                }

                Operator::LocalGet { local_index } => {
                    self.push_local(*local_index);
                    Ok(())
                }
                Operator::LocalSet { local_index } => self.set_local(*local_index),
                Operator::LocalTee { local_index } => self.local_tee(*local_index),
                Operator::GlobalGet { global_index } => self.global_get(*global_index),
                Operator::GlobalSet { global_index } => self.global_set(*global_index),
                Operator::Drop => {
                    self.pop();
                    Ok(())
                }
                Operator::Select | Operator::TypedSelect { .. } => self.select(),

                Operator::Nop => Ok(()),
                Operator::Unreachable => {
                    self.unreachable();
                    Ok(())
                }
                Operator::Br { relative_depth } => self.br(*relative_depth),
                Operator::BrIf { relative_depth } => self.br_if(*relative_depth),
                Operator::BrTable { targets } => self.br_table(targets),
                Operator::Return => self.return_(),
                Operator::Call { function_index } => self.call(*function_index),
                Operator::CallIndirect { type_index, table_index } => {
                    self.call_indirect(*type_index, *table_index)
                }
                Operator::ReturnCall { function_index } => self.return_call(*function_index),
                Operator::ReturnCallIndirect { type_index, table_index } => {
                    self.return_call_indirect(*type_index, *table_index)
                }

                Operator::MemorySize { .. } => self.simple(Family::MemorySize, &[], Some(I32)),
                Operator::MemoryGrow { .. } => self.in_slots(Family::MemoryGrow, 1, &[], Some(I32)),
                Operator::MemoryFill { .. } => self.in_slots(Family::MemoryFill, 3, &[], None),
                Operator::MemoryCopy { .. } => self.in_slots(Family::MemoryCopy, 3, &[], None),
                Operator::MemoryInit { data_index, .. } => {
                    self.in_slots(Family::MemoryInit, 3, &[*data_index], None)
                }
                Operator::DataDrop { data_index } => {
                    self.simple(Family::DataDrop, &[*data_index], None)
                }

                Operator::RefFunc { function_index } => {
                    self.simple(Family::RefFunc, &[*function_index], Some(ValType::FUNCREF))
                }
                Operator::TableGet { table } => {
                    let ty = ValType::Ref(*self.module.table_type(*table).element());
                    self.in_slots(Family::TableGet, 1, &[*table], Some(ty))
                }
                Operator::TableSet { table } => {
                    self.in_slots(Family::TableSet, 2, &[*table], None)
                }
                Operator::TableSize { table } => {
                    self.simple(Family::TableSize, &[*table], Some(I32))
                }
                Operator::TableGrow { table } => {
                    self.in_slots(Family::TableGrow, 2, &[*table], Some(I32))
                }
                Operator::TableFill { table } => {
                    self.in_slots(Family::TableFill, 3, &[*table], None)
                }
                Operator::TableCopy { dst_table, src_table } => {
                    self.in_slots(Family::TableCopy, 3, &[*dst_table, *src_table], None)
                }
                Operator::TableInit { elem_index, table } => {
                    self.in_slots(Family::TableInit, 3, &[*table, *elem_index], None)
                }
                Operator::ElemDrop { elem_index } => {
                    self.simple(Family::ElemDrop, &[*elem_index], None)
                }
                other => Err(Stop::Error(Error::msg(alloc::format!(
                    "the translator does not know {other:?}, though validation let it pass: \
                     please report this"
                )))),
            }
        }
    }
}
