//! Modules: decoded and validated bytes, not yet translated.

use crate::{
    Engine, ExportType, ExternType, FuncType, GlobalType, ImportType, MemoryType, Result,
    TableType, sync::Arc,
};

mod code;

pub(crate) use code::{CodeMap, FuncEntry};

/// A decoded and validated module. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: Arc<ModuleInner>,
}

/// What a module is made of.
pub(crate) struct ModuleInner {
    engine: Engine,
    pub(crate) code: CodeMap,
}

impl Module {
    /// Decodes and validates a binary module. The bytes are copied.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Self> {
        todo!()
    }

    /// Decodes and validates a binary module that lives as long as the program, for example in flash.
    /// Nothing is copied.
    pub fn from_static(engine: &Engine, bytes: &'static [u8]) -> Result<Self> {
        todo!()
    }

    /// Decodes and validates a binary module in a file, which is mapped and not copied.
    ///
    /// # Safety
    /// The file must not change as long as the module is in use.
    #[cfg(all(feature = "std", unix))]
    pub unsafe fn from_mapped_file(
        engine: &Engine,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Self> {
        todo!()
    }

    /// Validates a binary module without keeping it.
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<()> {
        todo!()
    }

    /// The imports, in the module's order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        (0..0usize).map(|_| todo!())
    }

    /// The exports, in the module's order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        (0..0usize).map(|_| todo!())
    }

    /// The type of the export with this name.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        todo!()
    }

    /// The module's name, from its name section.
    pub fn name(&self) -> Option<&str> {
        todo!()
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn inner(&self) -> &ModuleInner {
        &self.inner
    }
}

impl ModuleInner {
    pub(crate) fn num_imported_funcs(&self) -> u32 {
        todo!()
    }
    pub(crate) fn num_funcs(&self) -> u32 {
        todo!()
    }
    pub(crate) fn func_type(&self, func_index: u32) -> &FuncType {
        todo!()
    }
    pub(crate) fn func_type_index(&self, func_index: u32) -> u32 {
        todo!()
    }
    pub(crate) fn type_at(&self, type_index: u32) -> &FuncType {
        todo!()
    }
    pub(crate) fn sig(&self, type_index: u32) -> u32 {
        todo!()
    }
    pub(crate) fn global_type(&self, index: u32) -> &GlobalType {
        todo!()
    }
    pub(crate) fn table_type(&self, index: u32) -> &TableType {
        todo!()
    }
    pub(crate) fn memory_type(&self, index: u32) -> &MemoryType {
        todo!()
    }
    pub(crate) fn func_body(&self, defined_index: u32) -> wasmparser::FunctionBody<'_> {
        todo!()
    }
    pub(crate) fn bytes(&self) -> &[u8] {
        todo!()
    }
    pub(crate) fn func_name(&self, func_index: u32) -> Option<alloc::string::String> {
        todo!()
    }
    pub(crate) fn name(&self) -> Option<&str> {
        todo!()
    }
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}
