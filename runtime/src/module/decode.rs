//! Bytes to [`ModuleInner`]: reads all sections, validates them, and keeps little.

use alloc::vec::Vec;
use core::ops::Range;

use wasmparser::{ExternalKind, Parser, Payload, SectionLimited, TypeRef, Validator, WasmFeatures};

use super::{
    ByteRange, Bytes, CodeMap, ExternIndex, ExternKind, Import, ModuleExport, ModuleInner,
    bodies::{Bodies, Checker},
    code::Translated,
    parts::Parts,
    plain::is_plain_data,
    segments::SegmentSection,
};
use crate::{
    CompilationMode, Config, Engine, Error, FuncType, GlobalType, HeapType, MemoryType, Mutability,
    RefType, Result, TableType, ValType, error::bail,
};

/// What modules may always use: WebAssembly 2.0 without vectors, extended constant expressions, tail calls.
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

/// What modules of this engine may use. What is optional concerns sections alone, not function bodies.
fn features(config: &Config) -> WasmFeatures {
    let mut features = FEATURES;
    features.set(WasmFeatures::CUSTOM_PAGE_SIZES, config.custom_page_sizes);
    features
}

/// Decodes, validates and translates as much as the engine's configuration says.
pub(super) fn module(engine: &Engine, bytes: Bytes) -> Result<ModuleInner> {
    let config = engine.config();
    let lazy = config.compilation_mode == CompilationMode::Lazy;
    let (parts, checker) = decode(config, &bytes, !lazy, &|range| bytes.release(range))?;
    let code = Translated::new(engine.target(), parts.bodies.len() as u32);
    let mut module = parts.finish(engine, bytes, CodeMap::Translated(code));
    module.unchecked = checker.filter(|_| lazy);
    if config.compilation_mode == CompilationMode::Eager {
        module.translate_all()?;
    }
    Ok(module)
}

/// Validates all of a module, whatever the configuration says, and keeps nothing.
pub(super) fn validate(engine: &Engine, bytes: &[u8]) -> Result<()> {
    decode(engine.config(), bytes, true, &|_| ()).map(|_| ())
}

/// Reads all sections and validates them, and the function bodies if `with_bodies`. Also gives what it takes
/// to validate bodies later; there is nothing if there are none.
///
/// `done` is told which parts of the bytes will not be read again here.
fn decode(
    config: &Config,
    bytes: &[u8],
    with_bodies: bool,
    done: &(dyn Fn(Range<usize>) + Sync),
) -> Result<(Parts, Option<Checker>)> {
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
    let decode = || -> wasmparser::Result<_> {
        let mut parser = Parser::new(0);
        parser.set_features(features(config));
        let mut payloads = parser.parse_all(bytes);
        let mut sections = Sections {
            bytes,
            validator: Validator::new_with_features(features(config)),
            parts: Parts::default(),
        };
        let checker = sections.up_to_code(&mut payloads)?;
        let ranges = core::mem::take(&mut sections.parts.bodies);
        match checker.as_ref().filter(|_| with_bodies) {
            Some(checker) => {
                let bodies = Bodies {
                    checker,
                    bytes,
                    ranges: &ranges,
                    imported: sections.parts.imported_funcs,
                    done,
                };
                bodies.validate(config, || sections.rest(&mut payloads))?;
            }
            None => sections.rest(&mut payloads)?,
        }
        sections.parts.bodies = ranges;
        Ok((sections.parts, checker))
    };
    decode().map_err(|error| Error::from(error).context("invalid module"))
}

/// Validates the sections of a module, and takes what is worth keeping.
struct Sections<'m> {
    bytes: &'m [u8],
    validator: Validator,
    parts: Parts,
}

impl Sections<'_> {
    /// The sections up to the code, whose bodies are found but not looked into.
    fn up_to_code<'a>(
        &mut self,
        payloads: &mut impl Iterator<Item = wasmparser::Result<Payload<'a>>>,
    ) -> wasmparser::Result<Option<Checker>> {
        let mut checker = None;
        let mut bodies = 0;
        for payload in payloads {
            let payload = payload?;
            match &payload {
                Payload::CodeSectionStart { count, .. } => {
                    self.validator.payload(&payload)?;
                    bodies = *count as usize;
                    self.parts.bodies.reserve_exact(bodies);
                }
                Payload::CodeSectionEntry(body) => {
                    let func = self.validator.code_section_entry(body)?;
                    checker.get_or_insert_with(|| Checker::new(func));
                    self.parts.bodies.push(byte_range(&body.range()));
                    if self.parts.bodies.len() == bodies {
                        break;
                    }
                }
                section => self.section(section)?,
            }
        }
        Ok(checker)
    }

    /// The sections after the code.
    fn rest<'a>(
        &mut self,
        payloads: &mut impl Iterator<Item = wasmparser::Result<Payload<'a>>>,
    ) -> wasmparser::Result<()> {
        for payload in payloads {
            self.section(&payload?)?;
        }
        Ok(())
    }

    fn section(&mut self, section: &Payload<'_>) -> wasmparser::Result<()> {
        if let Payload::DataSection(data) = section
            && !self.parts.memories.is_empty()
            && is_plain_data(data, self.bytes)
        {
            self.parts.data = segments(data);
            self.parts.data_is_plain = true;
            return Ok(());
        }
        self.validator.payload(section)?;
        self.parts.section(section, self.bytes)
    }
}

impl Parts {
    /// Takes what is worth keeping of a section that the validator has accepted.
    fn section(&mut self, section: &Payload<'_>, bytes: &[u8]) -> wasmparser::Result<()> {
        match section {
            Payload::TypeSection(section) => {
                self.types.reserve_exact(section.count() as usize);
                for ty in section.clone().into_iter_err_on_gc_types() {
                    self.types.push(func_type(&ty?));
                }
            }
            Payload::ImportSection(section) => self.imports(section.clone(), bytes)?,
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
            Payload::ExportSection(section) => self.exports(section.clone(), bytes)?,
            Payload::StartSection { func, .. } => self.start = Some(*func),
            Payload::ElementSection(section) => self.elems = segments(section),
            Payload::DataSection(section) => self.data = segments(section),
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

    fn imports(
        &mut self,
        section: wasmparser::ImportSectionReader<'_>,
        bytes: &[u8],
    ) -> wasmparser::Result<()> {
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
                    (ExternKind::Func, self.func_types.push(ty))
                }
                TypeRef::Tag(_) => unreachable!("{}", DISABLED),
            };
            let (module, name) = (range_of(import.module, bytes), range_of(import.name, bytes));
            self.imports.push(Import {
                module,
                name,
                item: ExternIndex { kind, index },
            });
        }
        self.imported_funcs = self.func_types.len();
        self.imported_tables = self.tables.len() as u32;
        self.imported_memories = self.memories.len() as u32;
        self.imported_globals = self.globals.len() as u32;
        Ok(())
    }

    fn exports(
        &mut self,
        section: wasmparser::ExportSectionReader<'_>,
        bytes: &[u8],
    ) -> wasmparser::Result<()> {
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
            let name = range_of(export.name, bytes);
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
}

/// Where a part of the bytes is in them.
fn range_of(part: &str, bytes: &[u8]) -> ByteRange {
    ByteRange {
        start: (part.as_ptr().addr() - bytes.as_ptr().addr()) as u32,
        len: part.len() as u32,
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
    let default = u32::from(MemoryType::DEFAULT_PAGE_SIZE_LOG2);
    MemoryType::new(ty.initial as u32, ty.maximum.map(|max| max as u32))
        .with_page_size_log2(ty.page_size_log2.unwrap_or(default) as u8)
        .expect("the validator knows the sizes that pages can have")
}

fn global_type(ty: &wasmparser::GlobalType) -> GlobalType {
    let mutability = if ty.mutable {
        Mutability::Var
    } else {
        Mutability::Const
    };
    GlobalType::new(val_type(ty.content_type), mutability)
}
