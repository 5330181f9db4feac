//! Modules: decoded, validated, compact; and where the code of their functions is. Nothing here knows a store.
//!
//! What the module's bytes say well enough is not kept twice: names, function bodies, segments and constant
//! expressions are ranges or positions in the bytes.

use alloc::{boxed::Box, string::String};
use core::fmt;

use crate::{
    Engine, ExportType, ExternType, FuncType, GlobalType, ImportType, MemoryType, TableType,
    sync::Arc,
};

#[cfg(feature = "compile")]
mod bodies;
mod bytes;
mod code;
pub(crate) mod const_expr;
pub(crate) mod cursor;
#[cfg(feature = "compile")]
mod decode;
mod names;
#[cfg(feature = "compile")]
mod new;
pub(crate) mod parts;
pub(crate) mod placed;
#[cfg(feature = "compile")]
mod plain;
mod report;
pub(crate) mod segments;
#[cfg(feature = "compile")]
mod translated;
pub(crate) mod words;

pub(crate) use bytes::{ByteRange, Bytes};
pub(crate) use code::{CodeMap, FuncEntry};
#[cfg(feature = "compile")]
pub(crate) use decode::{FEATURES, val_type};

pub use report::MemoryReport;

#[cfg(feature = "compile")]
use bodies::Checker;
use segments::{DataSegment, ElemSegment, PassiveItems, PassiveSegments, SegmentSection};
use words::Words;

/// A decoded and validated module. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: Arc<ModuleInner>,
}

/// What a module is made of. Lists of functions, tables, memories and globals are index spaces: imports
/// first.
pub(crate) struct ModuleInner {
    engine: Engine,
    bytes: Bytes,
    types: Box<[FuncType]>,
    /// The engine's numbers of `types`, held until the module is dropped.
    type_numbers: Box<[u32]>,
    imports: Box<[Import]>,
    exports: Box<[ModuleExport]>,
    /// Indices of `exports` in the order of their names.
    exports_by_name: Box<[u32]>,
    /// Type indices.
    func_types: Words,
    tables: Box<[TableType]>,
    memories: Box<[MemoryType]>,
    globals: Box<[GlobalType]>,
    imported_funcs: u32,
    imported_tables: u32,
    imported_memories: u32,
    imported_globals: u32,
    /// Positions of the initial values of the globals that are not imported.
    global_inits: Box<[u32]>,
    /// Bodies of the functions that are not imported; none in an image.
    #[cfg(feature = "compile")]
    bodies: Box<[ByteRange]>,
    /// With [`CompilationMode::Lazy`](crate::CompilationMode::Lazy): validates bodies when they are translated.
    #[cfg(feature = "compile")]
    unchecked: Option<Checker>,
    start: Option<u32>,
    elems: SegmentSection,
    data: SegmentSection,
    passive_elems: PassiveSegments<PassiveItems>,
    passive_data: PassiveSegments<ByteRange>,
    name_section: ByteRange,
    pub(crate) code: CodeMap,
}

/// The kinds of things that modules import and export.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExternKind {
    Func,
    Table,
    Memory,
    Global,
}

/// Something in one of the index spaces.
#[derive(Copy, Clone, Debug)]
pub(crate) struct ExternIndex {
    pub(crate) kind: ExternKind,
    pub(crate) index: u32,
}

/// An import.
pub(crate) struct Import {
    pub(crate) module: ByteRange,
    pub(crate) name: ByteRange,
    pub(crate) item: ExternIndex,
}

/// An export.
pub(crate) struct ModuleExport {
    pub(crate) name: ByteRange,
    pub(crate) item: ExternIndex,
}

impl Module {
    /// The imports, in the module's order. The same name may be imported more than once.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        let inner = &*self.inner;
        inner.imports.iter().map(move |import| ImportType {
            module: import.module.name_in(&inner.bytes),
            name: import.name.name_in(&inner.bytes),
            ty: inner.extern_type(import.item),
        })
    }

    /// The exports, in the module's order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        self.inner.exports().map(|(name, item)| ExportType {
            name,
            ty: self.inner.extern_type(item),
        })
    }

    /// The type of the export with this name.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        self.inner
            .export(name)
            .map(|item| self.inner.extern_type(item))
    }

    /// Does instantiation run a start function of the module's?
    pub fn has_start_function(&self) -> bool {
        self.inner.start.is_some()
    }

    /// The module's name, from its name section.
    pub fn name(&self) -> Option<&str> {
        self.inner.name()
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn from_inner(inner: ModuleInner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn inner(&self) -> &ModuleInner {
        &self.inner
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl ModuleInner {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn name(&self) -> Option<&str> {
        names::module_name(self.name_section.of(&self.bytes))
    }

    /// A function's name from the name section. It is searched for: this is for diagnostics only.
    pub(crate) fn func_name(&self, func_index: u32) -> Option<String> {
        names::func_name(self.name_section.of(&self.bytes), func_index)
    }

    pub(crate) fn type_at(&self, type_index: u32) -> &FuncType {
        &self.types[type_index as usize]
    }

    /// The engine's number of a type.
    pub(crate) fn sig(&self, type_index: u32) -> u32 {
        self.type_numbers[type_index as usize]
    }

    /// Do its types have the numbers that they have in other engines too? Code that checks types has these numbers.
    pub(crate) fn has_natural_numbers(&self) -> bool {
        let mut numbers = self.types.iter().zip(&self.type_numbers);
        numbers.all(|(ty, number)| ty.natural_number() == *number)
    }

    pub(crate) fn num_imported_funcs(&self) -> u32 {
        self.imported_funcs
    }

    pub(crate) fn num_imported_globals(&self) -> u32 {
        self.imported_globals
    }

    pub(crate) fn num_funcs(&self) -> u32 {
        self.func_types.len()
    }

    pub(crate) fn func_type_index(&self, func_index: u32) -> u32 {
        self.func_types.get(&self.bytes, func_index)
    }

    pub(crate) fn func_type(&self, func_index: u32) -> &FuncType {
        self.type_at(self.func_type_index(func_index))
    }

    pub(crate) fn table_type(&self, index: u32) -> &TableType {
        &self.tables[index as usize]
    }

    pub(crate) fn memory_type(&self, index: u32) -> &MemoryType {
        &self.memories[index as usize]
    }

    pub(crate) fn global_type(&self, index: u32) -> &GlobalType {
        &self.globals[index as usize]
    }

    /// The types of the tables that the module defines.
    pub(crate) fn defined_tables(&self) -> &[TableType] {
        &self.tables[self.imported_tables as usize..]
    }

    /// The types of the memories that the module defines.
    pub(crate) fn defined_memories(&self) -> &[MemoryType] {
        &self.memories[self.imported_memories as usize..]
    }

    /// The globals that the module defines: their types, and the positions of their initial values.
    pub(crate) fn defined_globals(&self) -> impl ExactSizeIterator<Item = (&GlobalType, u32)> {
        let types = &self.globals[self.imported_globals as usize..];
        types.iter().zip(self.global_inits.iter().copied())
    }

    pub(crate) fn start(&self) -> Option<u32> {
        self.start
    }

    /// All element segments.
    pub(crate) fn elems(&self) -> impl Iterator<Item = ElemSegment> {
        self.elems.elems(&self.bytes)
    }

    /// All data segments.
    pub(crate) fn data(&self) -> impl Iterator<Item = DataSegment> {
        self.data.data(&self.bytes)
    }

    pub(crate) fn passive_elems(&self) -> &PassiveSegments<PassiveItems> {
        &self.passive_elems
    }

    pub(crate) fn passive_data(&self) -> &PassiveSegments<ByteRange> {
        &self.passive_data
    }

    /// What is imported, in the module's order.
    pub(crate) fn import_items(&self) -> impl ExactSizeIterator<Item = ExternIndex> {
        self.imports.iter().map(|import| import.item)
    }

    /// Module name and field name of an import.
    pub(crate) fn import_name(&self, import: usize) -> (&str, &str) {
        let import = &self.imports[import];
        (
            import.module.name_in(&self.bytes),
            import.name.name_in(&self.bytes),
        )
    }

    /// The exports, in the module's order.
    pub(crate) fn exports(&self) -> impl ExactSizeIterator<Item = (&str, ExternIndex)> {
        self.exports
            .iter()
            .map(|export| (export.name.name_in(&self.bytes), export.item))
    }

    /// The export with this name.
    pub(crate) fn export(&self, name: &str) -> Option<ExternIndex> {
        let by_name = &self.exports_by_name;
        let found = by_name.binary_search_by_key(&name.as_bytes(), |&export| {
            self.exports[export as usize].name.of(&self.bytes)
        });
        Some(self.exports[by_name[found.ok()?] as usize].item)
    }

    pub(crate) fn extern_type(&self, item: ExternIndex) -> ExternType {
        match item.kind {
            ExternKind::Func => self.func_type(item.index).clone().into(),
            ExternKind::Table => self.table_type(item.index).clone().into(),
            ExternKind::Memory => self.memory_type(item.index).clone().into(),
            ExternKind::Global => self.global_type(item.index).clone().into(),
        }
    }
}

impl Drop for ModuleInner {
    fn drop(&mut self) {
        self.engine.release(&self.types);
    }
}
