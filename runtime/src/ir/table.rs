//! The instruction set: the one table.
//!
//! Every row is `kind Name "mnemonic" (fields);`. The kind says in which forms the instruction exists
//! (`forms.rs`), the fields are what a cell of it has besides the operands of its form (see
//! [`Format`](super::Format)). From this table come the operation numbers, the encoder, the disassembler
//! and (through the types of the same names in `exec`) the handlers of both backends.
//!
//! Comparisons have two names: the one that makes an `i32`, and the branch.
//!
//! The rows have the order of the rooms in `exec`: int, float, convert, memory, variable, control, call,
//! table.

/// Expands `$callback! { rows }` with all rows of the instruction set.
macro_rules! instructions {
    ($callback:ident) => {
        $callback! {
            // ---- int
            commutative(I) I32Add "i32.add" ();
            commutative(I) I32Mul "i32.mul" ();
            commutative(I) I32And "i32.and" ();
            commutative(I) I32Or "i32.or" ();
            commutative(I) I32Xor "i32.xor" ();
            binary(I) I32Sub "i32.sub" ();
            binary(I) I32Shl "i32.shl" ();
            binary(I) I32ShrS "i32.shr_s" ();
            binary(I) I32ShrU "i32.shr_u" ();
            binary(I) I32Rotl "i32.rotl" ();
            division(I) I32Rotr "i32.rotr" ();
            division(I) I32DivS "i32.div_s" ();
            division(I) I32DivU "i32.div_u" ();
            division(I) I32RemS "i32.rem_s" ();
            division(I) I32RemU "i32.rem_u" ();
            compare(I) I32Eq "i32.eq" ();
            compare(I) I32Ne "i32.ne" ();
            compare(I) I32LtS "i32.lt_s" ();
            compare(I) I32LtU "i32.lt_u" ();
            compare(I) I32GtS "i32.gt_s" ();
            compare(I) I32GtU "i32.gt_u" ();
            compare(I) I32LeS "i32.le_s" ();
            compare(I) I32LeU "i32.le_u" ();
            compare(I) I32GeS "i32.ge_s" ();
            compare(I) I32GeU "i32.ge_u" ();
            branch(I) BrI32Eq "br_if i32.eq" (target);
            branch(I) BrI32Ne "br_if i32.ne" (target);
            branch(I) BrI32LtS "br_if i32.lt_s" (target);
            branch(I) BrI32LtU "br_if i32.lt_u" (target);
            branch(I) BrI32GtS "br_if i32.gt_s" (target);
            branch(I) BrI32GtU "br_if i32.gt_u" (target);
            branch(I) BrI32LeS "br_if i32.le_s" (target);
            branch(I) BrI32LeU "br_if i32.le_u" (target);
            branch(I) BrI32GeS "br_if i32.ge_s" (target);
            branch(I) BrI32GeU "br_if i32.ge_u" (target);
            branch(I) BrI32And "br_if i32.and" (target);
            branch(I) BrI32Nand "br_unless i32.and" (target);
            unary() I32Clz "i32.clz" ();
            unary() I32Ctz "i32.ctz" ();
            unary() I32Popcnt "i32.popcnt" ();
            unary() I32Extend8S "i32.extend8_s" ();
            unary() I32Extend16S "i32.extend16_s" ();

            commutative(IW) I64Add "i64.add" ();
            commutative(IW) I64Mul "i64.mul" ();
            commutative(IW) I64And "i64.and" ();
            commutative(IW) I64Or "i64.or" ();
            commutative(IW) I64Xor "i64.xor" ();
            binary(I) I64Sub "i64.sub" ();
            binary(I) I64Shl "i64.shl" ();
            binary(I) I64ShrS "i64.shr_s" ();
            binary(I) I64ShrU "i64.shr_u" ();
            binary(I) I64Rotl "i64.rotl" ();
            division(I) I64Rotr "i64.rotr" ();
            division(I) I64DivS "i64.div_s" ();
            division(I) I64DivU "i64.div_u" ();
            division(I) I64RemS "i64.rem_s" ();
            division(I) I64RemU "i64.rem_u" ();
            compare(IW) I64Eq "i64.eq" ();
            compare(IW) I64Ne "i64.ne" ();
            compare(IW) I64LtS "i64.lt_s" ();
            compare(IW) I64LtU "i64.lt_u" ();
            compare(IW) I64GtS "i64.gt_s" ();
            compare(IW) I64GtU "i64.gt_u" ();
            compare(IW) I64LeS "i64.le_s" ();
            compare(IW) I64LeU "i64.le_u" ();
            compare(IW) I64GeS "i64.ge_s" ();
            compare(IW) I64GeU "i64.ge_u" ();
            branch(IW) BrI64Eq "br_if i64.eq" (target);
            branch(IW) BrI64Ne "br_if i64.ne" (target);
            branch(IW) BrI64LtS "br_if i64.lt_s" (target);
            branch(IW) BrI64LtU "br_if i64.lt_u" (target);
            branch(IW) BrI64GtS "br_if i64.gt_s" (target);
            branch(IW) BrI64GtU "br_if i64.gt_u" (target);
            branch(IW) BrI64LeS "br_if i64.le_s" (target);
            branch(IW) BrI64LeU "br_if i64.le_u" (target);
            branch(IW) BrI64GeS "br_if i64.ge_s" (target);
            branch(IW) BrI64GeU "br_if i64.ge_u" (target);
            unary() I64Clz "i64.clz" ();
            unary() I64Ctz "i64.ctz" ();
            unary() I64Popcnt "i64.popcnt" ();
            unary() I64Extend8S "i64.extend8_s" ();
            unary() I64Extend16S "i64.extend16_s" ();
            unary() I64Extend32S "i64.extend32_s" ();

            // ---- int: what follows one another often
            pair(shift) I32ShlAdd "i32.shl.add" ();
            pair(shift_const) I32ShrUAnd "i32.shr_u.and" ();
            pair(I) I32AddAdd "i32.add.add" ();
            pair(shift) I32RotlXor "i32.rotl.xor" ();
            pair(shift) I32ShrUXor "i32.shr_u.xor" ();
            pair(I) I32XorAdd "i32.xor.add" ();
            pair(shift_const) I32AndShl "i32.and.shl" ();
            pair(I) I32MulAdd "i32.mul.add" ();
            pair(then_shift) I32XorRotl "i32.xor.rotl" ();
            pair(mask) I32XorAnd "i32.xor.and" ();
            pair(shift) I32ShlXor "i32.shl.xor" ();
            pair(shift) I32ShlOr "i32.shl.or" ();
            pair(mask) I32AndOr "i32.and.or" ();
            pair(I) I32AddAnd "i32.add.and" ();
            pair(mask) I32XorXor "i32.xor.xor" ();
            pair(mask) I32AddXor "i32.add.xor" ();
            pair(shift) I64RotlAdd "i64.rotl.add" ();
            pair(shift) I64RotlXor "i64.rotl.xor" ();
            pair(mask) I64XorAnd "i64.xor.and" ();
            pair(I) I64MulAdd "i64.mul.add" ();
            pair(I) I64AddAdd "i64.add.add" ();
            pair(mask) I64AndXor "i64.and.xor" ();
            pair(then_shift) I64XorRotl "i64.xor.rotl" ();
            pair(shift) I64ShlAdd "i64.shl.add" ();
            pair(I) I64XorAdd "i64.xor.add" ();
            pair(shift_const) I64ShrUAnd "i64.shr_u.and" ();
            widened() I64WidenAdd "i64.extend_i32_u.add" ();
            counted() CountI32Ne "add, br_if i32.ne" (imm32 target);
            counted() CountI32LtS "add, br_if i32.lt_s" (imm32 target);
            counted() CountI32LtU "add, br_if i32.lt_u" (imm32 target);
            counted() CountI32GtS "add, br_if i32.gt_s" (imm32 target);
            counted() CountI32GtU "add, br_if i32.gt_u" (imm32 target);
            counted() CountI32LeS "add, br_if i32.le_s" (imm32 target);
            counted() CountI32LeU "add, br_if i32.le_u" (imm32 target);
            counted() CountI32GeS "add, br_if i32.ge_s" (imm32 target);
            counted() CountI32GeU "add, br_if i32.ge_u" (imm32 target);
            counted() CountI64Ne "add, br_if i64.ne" (imm32 target);
            counted() CountI64LtS "add, br_if i64.lt_s" (imm32 target);
            counted() CountI64LtU "add, br_if i64.lt_u" (imm32 target);
            counted() CountI64GtS "add, br_if i64.gt_s" (imm32 target);
            counted() CountI64GtU "add, br_if i64.gt_u" (imm32 target);
            counted() CountI64LeS "add, br_if i64.le_s" (imm32 target);
            counted() CountI64LeU "add, br_if i64.le_u" (imm32 target);
            counted() CountI64GeS "add, br_if i64.ge_s" (imm32 target);
            counted() CountI64GeU "add, br_if i64.ge_u" (imm32 target);

            // ---- float
            commutative(I) F32Add "f32.add" ();
            commutative(I) F32Mul "f32.mul" ();
            binary(I) F32Sub "f32.sub" ();
            binary(I) F32Div "f32.div" ();
            division(I) F32Min "f32.min" ();
            division(I) F32Max "f32.max" ();
            division(I) F32Copysign "f32.copysign" ();
            compare(I) F32Eq "f32.eq" ();
            compare(I) F32Ne "f32.ne" ();
            compare(I) F32Lt "f32.lt" ();
            compare(I) F32Gt "f32.gt" ();
            compare(I) F32Le "f32.le" ();
            compare(I) F32Ge "f32.ge" ();
            branch(I) BrF32Eq "br_if f32.eq" (target);
            branch(I) BrF32Ne "br_if f32.ne" (target);
            branch(I) BrF32Lt "br_if f32.lt" (target);
            branch(I) BrF32Gt "br_if f32.gt" (target);
            branch(I) BrF32Le "br_if f32.le" (target);
            branch(I) BrF32Ge "br_if f32.ge" (target);
            branch(I) BrF32NotLt "br_unless f32.lt" (target);
            branch(I) BrF32NotGt "br_unless f32.gt" (target);
            branch(I) BrF32NotLe "br_unless f32.le" (target);
            branch(I) BrF32NotGe "br_unless f32.ge" (target);
            unary() F32Abs "f32.abs" ();
            unary() F32Neg "f32.neg" ();
            unary() F32Ceil "f32.ceil" ();
            unary() F32Floor "f32.floor" ();
            unary() F32Trunc "f32.trunc" ();
            unary() F32Nearest "f32.nearest" ();
            unary() F32Sqrt "f32.sqrt" ();

            commutative(W) F64Add "f64.add" ();
            commutative(W) F64Mul "f64.mul" ();
            binary(W) F64Sub "f64.sub" ();
            binary(W) F64Div "f64.div" ();
            division(W) F64Min "f64.min" ();
            division(W) F64Max "f64.max" ();
            division(W) F64Copysign "f64.copysign" ();
            compare(W) F64Eq "f64.eq" ();
            compare(W) F64Ne "f64.ne" ();
            compare(W) F64Lt "f64.lt" ();
            compare(W) F64Gt "f64.gt" ();
            compare(W) F64Le "f64.le" ();
            compare(W) F64Ge "f64.ge" ();
            branch(W) BrF64Eq "br_if f64.eq" (target);
            branch(W) BrF64Ne "br_if f64.ne" (target);
            branch(W) BrF64Lt "br_if f64.lt" (target);
            branch(W) BrF64Gt "br_if f64.gt" (target);
            branch(W) BrF64Le "br_if f64.le" (target);
            branch(W) BrF64Ge "br_if f64.ge" (target);
            branch(W) BrF64NotLt "br_unless f64.lt" (target);
            branch(W) BrF64NotGt "br_unless f64.gt" (target);
            branch(W) BrF64NotLe "br_unless f64.le" (target);
            branch(W) BrF64NotGe "br_unless f64.ge" (target);
            unary() F64Abs "f64.abs" ();
            unary() F64Neg "f64.neg" ();
            unary() F64Ceil "f64.ceil" ();
            unary() F64Floor "f64.floor" ();
            unary() F64Trunc "f64.trunc" ();
            unary() F64Nearest "f64.nearest" ();
            unary() F64Sqrt "f64.sqrt" ();

            // ---- float: what follows one another often
            pair(F32) F32MulAdd "f32.mul.add" ();
            pair(F32) F32MulSub "f32.mul.sub" ();
            pair(F32) F32SubMul "f32.mul.rsub" ();
            pair(F32) F32AddMul "f32.add.mul" ();
            pair(F32) F32SubAdd "f32.sub.add" ();
            pair(F32) F32MulMul "f32.mul.mul" ();
            pair(F64) F64MulAdd "f64.mul.add" ();
            pair(F64) F64MulSub "f64.mul.sub" ();
            pair(F64) F64SubMul "f64.mul.rsub" ();
            pair(F64) F64AddMul "f64.add.mul" ();
            pair(F64) F64SubAdd "f64.sub.add" ();
            pair(F64) F64MulMul "f64.mul.mul" ();

            // ---- convert
            unary() I32WrapI64 "i32.wrap_i64" ();
            unary() I64ExtendI32S "i64.extend_i32_s" ();
            unary() I64ExtendI32U "i64.extend_i32_u" ();
            unary() I32TruncF32S "i32.trunc_f32_s" ();
            unary() I32TruncF32U "i32.trunc_f32_u" ();
            unary() I32TruncF64S "i32.trunc_f64_s" ();
            unary() I32TruncF64U "i32.trunc_f64_u" ();
            unary() I64TruncF32S "i64.trunc_f32_s" ();
            unary() I64TruncF32U "i64.trunc_f32_u" ();
            unary() I64TruncF64S "i64.trunc_f64_s" ();
            unary() I64TruncF64U "i64.trunc_f64_u" ();
            unary() I32TruncSatF32S "i32.trunc_sat_f32_s" ();
            unary() I32TruncSatF32U "i32.trunc_sat_f32_u" ();
            unary() I32TruncSatF64S "i32.trunc_sat_f64_s" ();
            unary() I32TruncSatF64U "i32.trunc_sat_f64_u" ();
            unary() I64TruncSatF32S "i64.trunc_sat_f32_s" ();
            unary() I64TruncSatF32U "i64.trunc_sat_f32_u" ();
            unary() I64TruncSatF64S "i64.trunc_sat_f64_s" ();
            unary() I64TruncSatF64U "i64.trunc_sat_f64_u" ();
            unary() F32ConvertI32S "f32.convert_i32_s" ();
            unary() F32ConvertI32U "f32.convert_i32_u" ();
            unary() F32ConvertI64S "f32.convert_i64_s" ();
            unary() F32ConvertI64U "f32.convert_i64_u" ();
            unary() F64ConvertI32S "f64.convert_i32_s" ();
            unary() F64ConvertI32U "f64.convert_i32_u" ();
            unary() F64ConvertI64S "f64.convert_i64_s" ();
            unary() F64ConvertI64U "f64.convert_i64_u" ();
            unary() F32DemoteF64 "f32.demote_f64" ();
            unary() F64PromoteF32 "f64.promote_f32" ();
            unary() I32ReinterpretF32 "i32.reinterpret_f32" ();
            unary() I64ReinterpretF64 "i64.reinterpret_f64" ();
            unary() F32ReinterpretI32 "f32.reinterpret_i32" ();
            unary() F64ReinterpretI64 "f64.reinterpret_i64" ();

            // ---- memory
            load() I32Load "i32.load" (imm32);
            load() I64Load "i64.load" (imm32);
            load() F32Load "f32.load" (imm32);
            load() F64Load "f64.load" (imm32);
            load() I32Load8S "i32.load8_s" (imm32);
            load() I32Load8U "i32.load8_u" (imm32);
            load() I32Load16S "i32.load16_s" (imm32);
            load() I32Load16U "i32.load16_u" (imm32);
            load() I64Load8S "i64.load8_s" (imm32);
            load() I64Load8U "i64.load8_u" (imm32);
            load() I64Load16S "i64.load16_s" (imm32);
            load() I64Load16U "i64.load16_u" (imm32);
            load() I64Load32S "i64.load32_s" (imm32);
            load() I64Load32U "i64.load32_u" (imm32);
            load_pair() I32LoadAdd "i32.load.add" (imm32);
            load_pair() I32LoadXor "i32.load.xor" (imm32);
            load_pair() I32Load8UAdd "i32.load8_u.add" (imm32);
            load_pair() I64LoadAdd "i64.load.add" (imm32);
            load_pair() I64LoadXor "i64.load.xor" (imm32);
            load_pair() F32LoadAdd "f32.load.add" (imm32);
            load_pair() F32LoadSub "f32.load.sub" (imm32);
            load_pair() F32LoadRsub "f32.load.rsub" (imm32);
            load_pair() F32LoadMul "f32.load.mul" (imm32);
            load_pair() F64LoadAdd "f64.load.add" (imm32);
            load_pair() F64LoadSub "f64.load.sub" (imm32);
            load_pair() F64LoadRsub "f64.load.rsub" (imm32);
            load_pair() F64LoadMul "f64.load.mul" (imm32);
            store() I32Store "i32.store" (imm32);
            store() I64Store "i64.store" (imm32);
            store() I32Store8 "i32.store8" (imm32);
            store() I32Store16 "i32.store16" (imm32);
            store() I64Store8 "i64.store8" (imm32);
            store() I64Store16 "i64.store16" (imm32);
            store() I64Store32 "i64.store32" (imm32);
            store_acc() F32Store "f32.store" (imm32);
            store_acc() F64Store "f64.store" (imm32);
            fixed() MemorySize "memory.size" ();
            fixed() MemoryGrow "memory.grow" (slot);
            fixed() MemoryFill "memory.fill" (slot);
            fixed() MemoryCopy "memory.copy" (slot);
            fixed() MemoryInit "memory.init" (slot imm32);
            fixed() DataDrop "data.drop" (imm32);

            // ---- variable
            fixed() CopySlot "copy" (slot slot);
            fixed() Copy2 "copy2" (slot slot slot slot);
            fixed() CopyFar "copy.far" (imm32 imm32);
            fixed() SlotAdd "slot.add" (slot slot imm32);
            fixed() Const32 "const32" (slot imm32);
            fixed() Const64 "const64" (slot imm64);
            moves(I) MoveI32 "move.i32" ();
            moves(IW) MoveI64 "move.i64" ();
            moves(I) MoveF32 "move.f32" ();
            moves(W) MoveF64 "move.f64" ();
            select(int) SelectI32 "select.i32" ();
            select(int) SelectI64 "select.i64" ();
            select(float) SelectF32 "select.f32" ();
            select(float) SelectF64 "select.f64" ();
            choose() SelectI32Eq "select i32.eq" ();
            choose() SelectI32Ne "select i32.ne" ();
            choose() SelectI32LtS "select i32.lt_s" ();
            choose() SelectI32LtU "select i32.lt_u" ();
            choose() SelectI32GtS "select i32.gt_s" ();
            choose() SelectI32GtU "select i32.gt_u" ();
            get() GlobalGetAdd "global.get, i32.add" (imm32 imm32);
            get() GlobalUpdate "global.get, i32.add, global.set" (imm32 imm32);
            fixed() GlobalSetSum "i32.add, global.set" (slot imm32 imm32);
            fixed() SlotAdd2 "slot.add2" (slot slot imm32 imm32);
            get() GlobalGetI32 "global.get.i32" (imm32);
            get() GlobalGetI64 "global.get.i64" (imm32);
            get() GlobalGetF32 "global.get.f32" (imm32);
            get() GlobalGetF64 "global.get.f64" (imm32);
            set(I) GlobalSetI32 "global.set.i32" (imm32);
            set(I) GlobalSetI64 "global.set.i64" (imm32);
            set(acc) GlobalSetF32 "global.set.f32" (imm32);
            set(acc) GlobalSetF64 "global.set.f64" (imm32);

            // ---- control
            fixed() Unreachable "unreachable" ();
            fixed() Br "br" (target);
            fixed() BrConst "const32, br" (slot imm32 target);
            fixed() BrCopy "copy, br" (slot slot target);
            test() BrIfNez "br_if" (target);
            test() BrIfEqz "br_unless" (target);
            test() BrTable "br_table" (imm32);
            fixed() BrTarget "br_table.target" (target);
            fixed() Enter "enter" (slot imm32);
            fixed() Pin "pin" (slot slot slot slot);
            fixed() EnterPin "enter, pin" (slot slot slot slot slot imm32);
            fixed() Unpin "unpin" (slot);
            fixed() Fuel "fuel" (imm32);
            fixed() Halt "halt" ();

            // ---- call
            fixed() Translate "translate" ();
            fixed() Call "call" (imm32 func);
            call() CallWith "call with" (slot imm32 imm32 func);
            fixed() CallImported "call.imported" (imm32 imm32);
            test() CallIndirect "call_indirect" (imm32 imm32 imm32);
            fixed() Resume "call.resume" ();
            fixed() Return "return" ();
            ret(I) ReturnI32 "return.i32" ();
            ret(I) ReturnI64 "return.i64" ();
            ret(F) ReturnF64 "return.f64" ();
            ret(I) ReturnUnpinI32 "return.unpin.i32" (slot);
            ret(I) ReturnUnpinI64 "return.unpin.i64" (slot);
            ret(F) ReturnUnpinF64 "return.unpin.f64" (slot);
            fixed() ReturnUnpin "return.unpin" (slot);
            fixed() ReturnMany "return.many" (slot imm32 imm32);
            fixed() ReturnCall "return_call" (slot imm32 imm32 imm32 func);
            fixed() ReturnCallImported "return_call.imported" (slot imm32 imm32 imm32 imm32);
            test() ReturnCallIndirect "return_call_indirect" (slot imm32 imm32 imm32 imm32 imm32);

            // ---- table
            fixed() RefFunc "ref.func" (imm32);
            fixed() TableGet "table.get" (slot imm32);
            fixed() TableSet "table.set" (slot imm32);
            fixed() TableSize "table.size" (imm32);
            fixed() TableGrow "table.grow" (slot imm32);
            fixed() TableFill "table.fill" (slot imm32);
            fixed() TableCopy "table.copy" (slot imm32 imm32);
            fixed() TableInit "table.init" (slot imm32 imm32);
            fixed() ElemDrop "elem.drop" (imm32);
        }
    };
}
pub(crate) use instructions;
