//! Modules: decoded, validated, compact; and where the code of their functions is. Nothing here knows a store.
//!
//! What the module's bytes say well enough is not kept twice: names, function bodies, segments and constant
//! expressions are ranges or positions in the bytes.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::{
    fmt,
    ops::{Deref, Range},
};

use wasmparser::{FuncValidatorAllocations, FunctionBody};

use crate::{
    Engine, Error, ExportType, ExternType, FuncType, GlobalType, ImportType, MemoryType, Result,
    TableType, error::bail, sync::Arc,
};

mod bodies;
mod code;
pub(crate) mod const_expr;
pub(crate) mod cursor;
mod decode;
mod names;
mod report;
pub(crate) mod segments;

pub(crate) use code::{CodeMap, FuncEntry};
pub(crate) use decode::{FEATURES, val_type};

pub use report::MemoryReport;

use bodies::Checker;
use segments::{DataSegment, ElemSegment, PassiveItems, PassiveSegments, SegmentSection};

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
    func_types: Box<[u32]>,
    tables: Box<[TableType]>,
    memories: Box<[MemoryType]>,
    globals: Box<[GlobalType]>,
    imported_funcs: u32,
    imported_tables: u32,
    imported_memories: u32,
    imported_globals: u32,
    /// Positions of the initial values of the globals that are not imported.
    global_inits: Box<[u32]>,
    /// Bodies of the functions that are not imported.
    bodies: Box<[ByteRange]>,
    /// With [`CompilationMode::Lazy`]: validates bodies when they are translated.
    unchecked: Option<Checker>,
    start: Option<u32>,
    elems: SegmentSection,
    data: SegmentSection,
    passive_elems: PassiveSegments<PassiveItems>,
    passive_data: PassiveSegments<ByteRange>,
    name_section: ByteRange,
    pub(crate) code: CodeMap,
}

/// The bytes of a module.
pub(crate) enum Bytes {
    Owned(Box<[u8]>),
    Static(&'static [u8]),
    #[cfg(all(feature = "std", unix))]
    Mapped(crate::sys::FileMap),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Static(bytes) => bytes,
            #[cfg(all(feature = "std", unix))]
            Self::Mapped(map) => map,
        }
    }
}

impl Bytes {
    /// These bytes are not needed soon. Nothing is lost.
    fn release(&self, _range: Range<usize>) {
        #[cfg(all(feature = "std", unix))]
        if let Self::Mapped(map) = self {
            map.release(_range);
        }
    }
}

/// A part of the module's bytes.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct ByteRange {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl ByteRange {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.len as usize]
    }

    /// A name. The parser has checked that it is UTF-8.
    fn name_in(self, bytes: &[u8]) -> &str {
        core::str::from_utf8(self.of(bytes)).unwrap_or_default()
    }
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
struct Import {
    module: ByteRange,
    name: ByteRange,
    item: ExternIndex,
}

/// An export.
struct ModuleExport {
    name: ByteRange,
    item: ExternIndex,
}

impl Module {
    /// Decodes and validates a module in the binary format. The bytes are copied.
    ///
    /// How much of it is validated and translated now, and how much when functions are called, is up to
    /// [`Config::compilation_mode`](crate::Config::compilation_mode).
    ///
    /// # Errors
    /// If the bytes are not a valid module, or the module uses a proposal that is not supported. With
    /// [`CompilationMode::Eager`](crate::CompilationMode::Eager) also if a function cannot be translated.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = bytes.as_ref();
        let mut copy = Vec::new();
        if copy.try_reserve_exact(bytes.len()).is_err() {
            bail!(
                "out of memory: cannot copy a module of {} bytes",
                bytes.len()
            );
        }
        copy.extend_from_slice(bytes);
        Self::decode(engine, Bytes::Owned(copy.into()))
    }

    /// Decodes and validates a module that lives as long as the program, for example in flash. Nothing
    /// is copied.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_static(engine: &Engine, bytes: &'static [u8]) -> Result<Self> {
        Self::decode(engine, Bytes::Static(bytes))
    }

    /// Decodes and validates a module in a file, which is mapped and not copied.
    ///
    /// # Errors
    /// As [`Module::new`], and if the file cannot be read.
    ///
    /// # Safety
    /// The file must not change as long as the module, a clone of it or an instance is in use.
    #[cfg(all(feature = "std", unix))]
    pub unsafe fn from_mapped_file(
        engine: &Engine,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let map = std::fs::File::open(path).and_then(|file| {
            // SAFETY: the caller promises that the file does not change.
            unsafe { crate::sys::FileMap::of(&file) }
        });
        let map = map.map_err(|error| {
            crate::Error::from(error)
                .context(format_args!("cannot map the file `{}`", path.display()))
        })?;
        Self::decode(engine, Bytes::Mapped(map))
    }

    /// The same for a file that is open already. It may be closed afterwards.
    ///
    /// # Errors
    /// As [`Module::from_mapped_file`].
    ///
    /// # Safety
    /// As [`Module::from_mapped_file`].
    #[cfg(all(feature = "std", unix))]
    pub unsafe fn from_mapped_open_file(engine: &Engine, file: &std::fs::File) -> Result<Self> {
        // SAFETY: the caller promises that the file does not change.
        let map = unsafe { crate::sys::FileMap::of(file) }
            .map_err(|error| crate::Error::from(error).context("cannot map the open file"))?;
        Self::decode(engine, Bytes::Mapped(map))
    }

    fn decode(engine: &Engine, bytes: Bytes) -> Result<Self> {
        Ok(Self {
            inner: Arc::new(decode::module(engine, bytes)?),
        })
    }

    /// Validates a module without keeping it. All of it is validated, also with
    /// [`CompilationMode::Lazy`](crate::CompilationMode::Lazy).
    ///
    /// # Errors
    /// If the bytes are not a valid module, or the module uses a proposal that is not supported.
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<()> {
        decode::validate(engine, bytes)
    }

    /// The module in the binary format, as it was loaded.
    pub fn binary(&self) -> &[u8] {
        &self.inner.bytes
    }

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

    /// The module's name, from its name section.
    pub fn name(&self) -> Option<&str> {
        self.inner.name()
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
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

    pub(crate) fn num_imported_funcs(&self) -> u32 {
        self.imported_funcs
    }

    pub(crate) fn num_imported_globals(&self) -> u32 {
        self.imported_globals
    }

    pub(crate) fn num_funcs(&self) -> u32 {
        self.func_types.len() as u32
    }

    pub(crate) fn func_type_index(&self, func_index: u32) -> u32 {
        self.func_types[func_index as usize]
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

    /// The body of a function that the module defines, counted without imports.
    pub(crate) fn func_body(&self, defined_index: u32) -> FunctionBody<'_> {
        bodies::body(&self.bytes, self.bodies[defined_index as usize])
    }

    /// These bodies are not needed soon.
    fn release_bodies(&self, defined: Range<u32>) {
        self.bytes.release(bodies::span(&self.bodies, defined));
    }

    /// Validates the body of a function that the module defines, unless that was done with the whole module.
    pub(crate) fn ensure_valid(
        &self,
        defined_index: u32,
        allocations: &mut FuncValidatorAllocations,
    ) -> Result<()> {
        let Some(checker) = &self.unchecked else {
            return Ok(());
        };
        let func_index = self.imported_funcs + defined_index;
        let body = self.func_body(defined_index);
        checker
            .check(func_index, &body, allocations)
            .map_err(|error| {
                let name = self.func_name(func_index);
                let name = name.map(|name| format!(" `{name}`")).unwrap_or_default();
                Error::from(error).context(format_args!("function {func_index}{name} is invalid"))
            })
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
