//! The own generator: modules that are hard for an interpreter which keeps values out of their slots.
//!
//! teff's translator delays pushes, fuses instructions, and keeps the topmost value in a register. So these modules
//! have deep operand stacks whose values are locals, constants and results in every mixture; blocks, loops, branches and
//! calls with several parameters and results; locals that change while their old values are on the stack; and all forms
//! of conditions. Every module is valid by construction: each step knows the types on the stack.
//!
//! Every module ends: loops have counters, a function calls only functions after it or the host, and what goes through
//! the table with an index of chance burns fuel, a global that `reset` refills. NaNs are made canonical where their bits
//! are not determined.
//!
//! A seed is the same module for ever, as long as nobody changes the order in which choices are asked for.

mod body;
mod control;
mod memory;
mod numeric;
mod types;
mod values;

use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Instruction, MemArg, MemArgTarget, MemorySection, MemoryType, Module, RefType, TableSection,
    TableType, TypeSection,
};

use crate::choices::Choices;
use crate::outcome::RESET;
use body::Body;
use types::{Signature, Ty, signature};

/// The signatures of the host functions `h0` and `h1`, which come first in the index space.
const HOST: [(&[Ty], &[Ty]); 2] = [
    (&[Ty::I32], &[Ty::I32]),
    (&[Ty::F64, Ty::I32, Ty::I64], &[Ty::I64, Ty::F64]),
];
/// How many functions are imported.
const IMPORTS: usize = HOST.len();
/// How many calls may be made before the fuel is used up.
const FUEL: i32 = 200;
/// The global that fuel is in; the generator leaves it alone.
const FUEL_GLOBAL: u32 = 0;

/// What functions must know of their module.
struct Shape {
    /// The type section, which grows as types are needed.
    types: Vec<Signature>,
    /// The signatures of the functions that are not imported.
    signatures: Vec<Signature>,
    globals: Vec<Ty>,
}

impl Shape {
    /// The index of this type, a new one if need be.
    fn type_index(&mut self, signature: &Signature) -> u32 {
        let index = self.types.iter().position(|ty| ty == signature);
        index.unwrap_or_else(|| {
            self.types.push(signature.clone());
            self.types.len() - 1
        }) as u32
    }

    /// The signature of a function by its index in the module.
    fn signature(&self, function: u32) -> Signature {
        match HOST.get(function as usize) {
            Some((parameters, results)) => (parameters.to_vec(), results.to_vec()),
            None => self.signatures[function as usize - IMPORTS].clone(),
        }
    }
}

/// The module of these choices.
pub(crate) fn generate(choices: &mut Choices) -> Vec<u8> {
    let count = 1 + choices.below(4);
    let signatures: Vec<Signature> = (0..count).map(|_| signature(choices)).collect();
    let mut globals = vec![Ty::I32, Ty::I32, Ty::I64, Ty::F32, Ty::F64];
    for _ in 0..choices.below(3) {
        globals.push(Ty::any(choices));
    }
    let mut shape = Shape {
        types: Vec::new(),
        signatures: signatures.clone(),
        globals,
    };

    // The order in which types are asked for is the order of the type section.
    let mut imports = ImportSection::new();
    for (index, (parameters, results)) in HOST.iter().enumerate() {
        let ty = shape.type_index(&(parameters.to_vec(), results.to_vec()));
        imports.import("h", &format!("h{index}"), EntityType::Function(ty));
    }
    let reset_type = shape.type_index(&(Vec::new(), Vec::new()));
    let mut functions = FunctionSection::new();
    for signature in &signatures {
        functions.function(shape.type_index(signature));
    }
    functions.function(reset_type);

    let mut code = CodeSection::new();
    for index in 0..count {
        code.function(&function(choices, &mut shape, index));
    }
    code.function(&reset());

    let mut module = Module::new();
    module
        .section(&type_section(&shape))
        .section(&imports)
        .section(&functions)
        .section(&table_section())
        .section(&memory_section())
        .section(&global_section(&shape))
        .section(&export_section(&shape))
        .section(&element_section(count))
        .section(&DataCountSection { count: 2 })
        .section(&code)
        .section(&data_section());
    module.finish()
}

/// The function with this index, imports not counted.
fn function(choices: &mut Choices, shape: &mut Shape, index: usize) -> Function {
    // So many locals that the slots of others need wide operands.
    let unused_locals = if choices.chance(1, 10) {
        choices.pick(&[4060, 4070, 4080, 4085, 4090, 4094, 4096, 5000])
    } else {
        0
    };
    let unused_type = Ty::number(choices);
    // Or so many operands.
    let pushes = if choices.chance(1, 40) {
        4060 + choices.below(40)
    } else {
        0
    };
    let mut body = Body::new(choices, shape, index, unused_locals);
    // Without a meaning today; seeds would be other modules if it were not asked for.
    body.choices.chance(9, 10);
    burn_fuel(&mut body);
    for _ in 0..pushes {
        let local = body.local_if_any(Ty::I32);
        body.local_get(local, Ty::I32);
    }
    body.instructions();
    body.emit(&Instruction::End);

    let (locals, instructions) = body.finish();
    // Every local is a group of its own.
    let mut groups: Vec<_> = locals.iter().map(|ty| (1, ty.encoded())).collect();
    if unused_locals > 0 {
        groups.insert(0, (unused_locals, unused_type.encoded()));
    }
    let mut function = Function::new(groups);
    function.raw(instructions);
    function
}

/// Counts the fuel down and reads memory at that address, which traps as soon as it is negative.
fn burn_fuel(body: &mut Body<'_>) {
    for instruction in [
        Instruction::GlobalGet(FUEL_GLOBAL),
        Instruction::I32Const(1),
        Instruction::I32Sub,
        Instruction::GlobalSet(FUEL_GLOBAL),
        Instruction::GlobalGet(FUEL_GLOBAL),
        Instruction::I32Load8U(at_offset(0)),
        Instruction::Drop,
    ] {
        body.emit(&instruction);
    }
}

/// The function that refills the fuel.
fn reset() -> Function {
    let mut function = Function::new([]);
    function.instruction(&Instruction::I32Const(FUEL));
    function.instruction(&Instruction::GlobalSet(FUEL_GLOBAL));
    function.instruction(&Instruction::End);
    function
}

/// The immediates of a load or store with this offset. No alignment is promised.
fn at_offset(offset: u32) -> MemArg {
    MemArg {
        offset: u64::from(offset),
        align: 0,
        target: MemArgTarget::Memory(0),
        ordering: None,
    }
}

fn type_section(shape: &Shape) -> TypeSection {
    let mut section = TypeSection::new();
    for (parameters, results) in &shape.types {
        let encoded = |types: &[Ty]| types.iter().map(|ty| ty.encoded()).collect::<Vec<_>>();
        section.ty().function(encoded(parameters), encoded(results));
    }
    section
}

fn table_section() -> TableSection {
    let mut section = TableSection::new();
    section.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 12,
        maximum: Some(14),
        shared: false,
    });
    section
}

fn memory_section() -> MemorySection {
    let mut section = MemorySection::new();
    section.memory(MemoryType {
        minimum: 1,
        maximum: Some(2),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    section
}

fn global_section(shape: &Shape) -> GlobalSection {
    let mut section = GlobalSection::new();
    for (index, ty) in shape.globals.iter().enumerate() {
        let value = match ty {
            Ty::I32 if index as u32 == FUEL_GLOBAL => ConstExpr::i32_const(FUEL),
            Ty::I32 => ConstExpr::i32_const(77),
            Ty::I64 => ConstExpr::i64_const(-9),
            Ty::F32 => ConstExpr::f32_const(1.25.into()),
            Ty::F64 => ConstExpr::f64_const((-3.5).into()),
            Ty::Func | Ty::Extern => ConstExpr::ref_null(ty.heap_type()),
        };
        let ty = GlobalType {
            val_type: ty.encoded(),
            mutable: true,
            shared: false,
        };
        section.global(ty, &value);
    }
    section
}

fn export_section(shape: &Shape) -> ExportSection {
    let mut section = ExportSection::new();
    let functions = shape.signatures.len();
    for index in 0..functions {
        let name = format!("f{index}");
        section.export(&name, ExportKind::Func, (index + IMPORTS) as u32);
    }
    section.export(RESET, ExportKind::Func, (functions + IMPORTS) as u32);
    section.export("mem", ExportKind::Memory, 0);
    for index in 0..shape.globals.len() {
        section.export(&format!("g{index}"), ExportKind::Global, index as u32);
    }
    section
}

/// Every function but `reset` is in the table, at its own index.
fn element_section(functions: usize) -> ElementSection {
    let mut section = ElementSection::new();
    let all: Vec<u32> = (0..(functions + IMPORTS) as u32).collect();
    let elements = Elements::Functions(all.into());
    section.active(None, &ConstExpr::i32_const(0), elements);
    section
}

fn data_section() -> DataSection {
    let mut section = DataSection::new();
    section.passive((0..100u8).map(|byte| byte.wrapping_mul(37)));
    let bytes = (0..200u8).map(|byte| byte.wrapping_mul(73) ^ 0x5a);
    section.active(0, &ConstExpr::i32_const(0), bytes);
    section
}
