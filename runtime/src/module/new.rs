//! Modules of Wasm binaries: the constructors, and what only such modules have.

use alloc::{format, vec::Vec};
use core::ops::Range;

use wasmparser::{FuncValidatorAllocations, FunctionBody};

use super::{Bytes, CodeMap, Module, ModuleInner, bodies, decode};
use crate::{Engine, Error, Result, error::bail};

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
        // SAFETY: the caller promises that the file does not change.
        Self::decode(engine, unsafe { Bytes::map(path.as_ref())? })
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
        Self::decode(engine, unsafe { Bytes::map_open(file)? })
    }

    fn decode(engine: &Engine, bytes: Bytes) -> Result<Self> {
        decode::module(engine, bytes).map(Self::from_inner)
    }

    /// Validates a module without keeping it. All of it is validated, also with
    /// [`CompilationMode::Lazy`](crate::CompilationMode::Lazy).
    ///
    /// # Errors
    /// If the bytes are not a valid module, or the module uses a proposal that is not supported.
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<()> {
        decode::validate(engine, bytes)
    }
}

impl Module {
    /// The module in the binary format, as it was loaded. What an image was made of is not known: no bytes.
    pub fn binary(&self) -> &[u8] {
        match self.inner().code {
            CodeMap::Translated(_) => self.inner().bytes(),
            CodeMap::Placed(_) => &[],
        }
    }
}

impl ModuleInner {
    /// Where the body of a function begins in the module's bytes; 0 if they are those of an image.
    pub(crate) fn body_start(&self, defined_index: u32) -> usize {
        let body = self.bodies.get(defined_index as usize);
        body.map_or(0, |body| body.start as usize)
    }

    /// The body of a function that the module defines, counted without imports.
    pub(crate) fn func_body(&self, defined_index: u32) -> FunctionBody<'_> {
        bodies::body(&self.bytes, self.bodies[defined_index as usize])
    }

    /// These bodies are not needed soon.
    pub(super) fn release_bodies(&self, defined: Range<u32>) {
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
}
