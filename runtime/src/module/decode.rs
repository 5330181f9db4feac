//! Bytes to [`ModuleInner`]: one pass that validates everything and keeps little.

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use wasmparser::{
    ExternalKind, FuncValidatorAllocations, Parser, Payload, SectionLimited, TypeRef, ValidPayload,
    Validator, WasmFeatures,
};

use super::{
    ByteRange, Bytes, CodeMap, ExternIndex, ExternKind, Import, ModuleExport, ModuleInner,
    segments::{PassiveItems, PassiveSegments, SegmentSection},
};
use crate::{
    Engine, Error, FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType, Result,
    TableType, ValType, error::bail,
};

/// What modules may use: WebAssembly 2.0 without vectors, extended constant expressions, tail calls.
///
/// `GC_TYPES` is the validator's gate for `externref`; `CALL_INDIRECT_OVERLONG` and `BULK_MEMORY_OPT` are
/// parts of reference types and bulk memory.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::TAIL_CALL);

/// Decodes and validates.
pub(super) fn module(engine: &Engine, bytes: Bytes) -> Result<ModuleInner> {
    let mut decoder = Decoder {
        base: bytes.as_ptr().addr(),
        ..Decoder::default()
    };
    walk(&bytes, |payload| decoder.payload(payload))?;
    Ok(decoder.finish(engine, bytes))
}

/// Validates alone.
pub(super) fn validate(bytes: &[u8]) -> Result<()> {
    walk(bytes, |_| Ok(()))
}

/// Validates, and shows each validated payload but function bodies' contents to `each`.
fn walk(bytes: &[u8], mut each: impl FnMut(&Payload<'_>) -> wasmparser::Result<()>) -> Result<()> {
    if !bytes.starts_with(b"\0asm") {
        bail!(
            "not a WebAssembly module: the first bytes are not `\\0asm` (text must be converted to the \
             binary format first)"
        );
    }
    if u32::try_from(bytes.len()).is_err() {
        bail!(
            "the module has {} bytes, but at most {} are supported",
            bytes.len(),
            u32::MAX
        );
    }
    let mut run = || {
        let mut validator = Validator::new_with_features(FEATURES);
        let mut parser = Parser::new(0);
        parser.set_features(FEATURES);
        let mut allocations = FuncValidatorAllocations::default();
        for payload in parser.parse_all(bytes) {
            let payload = payload?;
            if let ValidPayload::Func(func, body) = validator.payload(&payload)? {
                let mut func = func.into_validator(allocations);
                func.validate(&body)?;
                allocations = func.into_allocations();
            }
            each(&payload)?;
        }
        Ok(())
    };
    run().map_err(|error: wasmparser::Error| Error::from(error).context("invalid module"))
}

/// The parts of a [`ModuleInner`] while they are collected.
#[derive(Default)]
struct Decoder {
    /// Address of the module's first byte.
    base: usize,
    types: Vec<FuncType>,
    imports: Vec<Import>,
    exports: Vec<ModuleExport>,
    func_types: Vec<u32>,
    tables: Vec<TableType>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
    imported_funcs: u32,
    imported_tables: u32,
    imported_memories: u32,
    imported_globals: u32,
    global_inits: Vec<u32>,
    bodies: Vec<ByteRange>,
    start: Option<u32>,
    elems: SegmentSection,
    data: SegmentSection,
    name_section: ByteRange,
}

impl Decoder {
    /// Takes what is worth keeping. The validator has accepted the payload.
    fn payload(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                self.types.reserve_exact(section.count() as usize);
                for ty in section.clone().into_iter_err_on_gc_types() {
                    self.types.push(func_type(&ty?));
                }
            }
            Payload::ImportSection(section) => self.imports(section.clone())?,
            Payload::FunctionSection(section) => {
                self.func_types.reserve_exact(section.count() as usize);
                for type_index in section.clone() {
                    self.func_types.push(type_index?);
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    self.tables.push(table_type(&table?.ty));
                }
            }
            Payload::MemorySection(section) => {
                for ty in section.clone() {
                    self.memories.push(memory_type(&ty?));
                }
            }
            Payload::GlobalSection(section) => {
                self.globals.reserve_exact(section.count() as usize);
                self.global_inits.reserve_exact(section.count() as usize);
                for global in section.clone() {
                    let global = global?;
                    self.globals.push(global_type(&global.ty));
                    let init = global.init_expr.get_binary_reader();
                    self.global_inits.push(init.original_position() as u32);
                }
            }
            Payload::ExportSection(section) => self.exports(section.clone())?,
            Payload::StartSection { func, .. } => self.start = Some(*func),
            Payload::ElementSection(section) => self.elems = segments(section),
            Payload::DataSection(section) => self.data = segments(section),
            Payload::CodeSectionStart { count, .. } => self.bodies.reserve_exact(*count as usize),
            Payload::CodeSectionEntry(body) => self.bodies.push(byte_range(&body.range())),
            Payload::CustomSection(section) if section.name() == "name" => {
                let start = section.data_offset() as u32;
                self.name_section = ByteRange {
                    start,
                    len: section.data().len() as u32,
                };
            }
            _ => {}
        }
        Ok(())
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'_>) -> wasmparser::Result<()> {
        self.imports.reserve_exact(section.count() as usize);
        for import in section.into_imports() {
            let import = import?;
            let (kind, index) = match import.ty {
                TypeRef::Table(ty) => (ExternKind::Table, push(&mut self.tables, table_type(&ty))),
                TypeRef::Memory(ty) => (
                    ExternKind::Memory,
                    push(&mut self.memories, memory_type(&ty)),
                ),
                TypeRef::Global(ty) => (
                    ExternKind::Global,
                    push(&mut self.globals, global_type(&ty)),
                ),
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                    (ExternKind::Func, push(&mut self.func_types, ty))
                }
                TypeRef::Tag(_) => unreachable!("{}", DISABLED),
            };
            let (module, name) = (self.range_of(import.module), self.range_of(import.name));
            self.imports.push(Import {
                module,
                name,
                item: ExternIndex { kind, index },
            });
        }
        self.imported_funcs = self.func_types.len() as u32;
        self.imported_tables = self.tables.len() as u32;
        self.imported_memories = self.memories.len() as u32;
        self.imported_globals = self.globals.len() as u32;
        Ok(())
    }

    fn exports(&mut self, section: wasmparser::ExportSectionReader<'_>) -> wasmparser::Result<()> {
        self.exports.reserve_exact(section.count() as usize);
        for export in section {
            let export = export?;
            let kind = match export.kind {
                ExternalKind::Func | ExternalKind::FuncExact => ExternKind::Func,
                ExternalKind::Table => ExternKind::Table,
                ExternalKind::Memory => ExternKind::Memory,
                ExternalKind::Global => ExternKind::Global,
                ExternalKind::Tag => unreachable!("{}", DISABLED),
            };
            let name = self.range_of(export.name);
            self.exports.push(ModuleExport {
                name,
                item: ExternIndex {
                    kind,
                    index: export.index,
                },
            });
        }
        Ok(())
    }

    /// Where a part of the module is in it.
    fn range_of(&self, part: &str) -> ByteRange {
        ByteRange {
            start: (part.as_ptr().addr() - self.base) as u32,
            len: part.len() as u32,
        }
    }

    fn finish(mut self, engine: &Engine, bytes: Bytes) -> ModuleInner {
        let type_numbers = engine.register(&mut self.types);
        let passive_elems = PassiveSegments::collect(
            self.elems
                .elems(&bytes)
                .map(|segment| (segment.mode, segment.items)),
            |items| PassiveItems::new(items, &bytes),
        );
        let passive_data = PassiveSegments::collect(
            self.data
                .data(&bytes)
                .map(|segment| (segment.mode, segment.bytes)),
            |range| range,
        );
        let mut exports_by_name: Box<[u32]> = (0..self.exports.len() as u32).collect();
        exports_by_name
            .sort_unstable_by_key(|&export| self.exports[export as usize].name.of(&bytes));

        ModuleInner {
            code: CodeMap::new(engine.target(), self.bodies.len() as u32),
            engine: engine.clone(),
            types: self.types.into(),
            type_numbers,
            imports: self.imports.into(),
            exports: self.exports.into(),
            exports_by_name,
            func_types: self.func_types.into(),
            tables: self.tables.into(),
            memories: self.memories.into(),
            globals: self.globals.into(),
            imported_funcs: self.imported_funcs,
            imported_tables: self.imported_tables,
            imported_memories: self.imported_memories,
            imported_globals: self.imported_globals,
            global_inits: self.global_inits.into(),
            bodies: self.bodies.into(),
            start: self.start,
            elems: self.elems,
            data: self.data,
            passive_elems,
            passive_data,
            name_section: self.name_section,
            bytes,
        }
    }
}

/// What the validator refuses because [`FEATURES`] lacks it.
const DISABLED: &str = "the validator refuses proposals that are off";

fn push<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    list.len() as u32 - 1
}

fn byte_range(range: &Range<u64>) -> ByteRange {
    ByteRange {
        start: range.start as u32,
        len: (range.end - range.start) as u32,
    }
}

fn segments<T>(section: &SectionLimited<'_, T>) -> SegmentSection {
    SegmentSection::new(section.original_position() as u32, section.count())
}

pub(crate) fn val_type(ty: wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty)),
    }
}

fn ref_type(ty: wasmparser::RefType) -> RefType {
    let heap_type = if ty.is_extern_ref() {
        HeapType::Extern
    } else {
        HeapType::Func
    };
    RefType::new(ty.is_nullable(), heap_type)
}

fn func_type(ty: &wasmparser::FuncType) -> FuncType {
    FuncType::from_lists(
        ty.params().iter().copied().map(val_type),
        ty.results().iter().copied().map(val_type),
    )
}

// Without 64-bit memories and tables, limits are 32-bit numbers.

fn table_type(ty: &wasmparser::TableType) -> TableType {
    TableType::new(
        ref_type(ty.element_type),
        ty.initial as u32,
        ty.maximum.map(|max| max as u32),
    )
}

fn memory_type(ty: &wasmparser::MemoryType) -> MemoryType {
    MemoryType::new(ty.initial as u32, ty.maximum.map(|max| max as u32))
}

fn global_type(ty: &wasmparser::GlobalType) -> GlobalType {
    let mutability = if ty.mutable {
        Mutability::Var
    } else {
        Mutability::Const
    };
    GlobalType::new(val_type(ty.content_type), mutability)
}
