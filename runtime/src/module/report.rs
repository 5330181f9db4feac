//! What a module takes in memory.

use core::mem::size_of_val;

#[cfg(feature = "compile")]
use super::FuncEntry;
use super::{Module, ModuleInner};

/// What a module takes in memory, in bytes: see [`Module::memory_report`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryReport {
    /// The module in the binary format. They are the module's own memory only if they were copied
    /// ([`Module::new`]): those of a mapped file take memory as they are read, and can be given up by the
    /// system.
    pub binary: usize,
    /// What was decoded: types, imports, exports, and lists with an entry a function, such as where its code is.
    pub tables: usize,
    /// The part of `tables` that grows with the functions that the module defines.
    pub function_tables: usize,
    /// How many functions the module defines.
    pub functions: usize,
    /// Their bodies in the binary format.
    pub bodies: usize,
    /// How many functions are translated so far.
    pub translated_functions: usize,
    /// Their bodies in the binary format.
    pub translated_bodies: usize,
    /// Their register code.
    pub code: usize,
    /// What is allocated for register code. What no code has been written to yet takes no memory where there
    /// is an operating system.
    pub code_allocated: usize,
    /// Scratch memory of the translator that is kept for the next function.
    pub scratch: usize,
}

impl Module {
    /// What the module takes in memory now, without its instances.
    ///
    /// Unless the module was made with [`CompilationMode::Eager`](crate::CompilationMode::Eager), register code
    /// grows as functions are called.
    pub fn memory_report(&self) -> MemoryReport {
        self.inner().memory_report()
    }
}

impl ModuleInner {
    fn memory_report(&self) -> MemoryReport {
        let code = self.code_usage();
        let defined = (self.num_funcs() - self.num_imported_funcs()) as usize;
        // Of each function: its type, where its body is, where its code is found, and where it lies.
        let type_index = self.func_types.bytes_each();
        let function_tables = defined * (type_index + self.entry_bytes()) + code.placed;
        let tables = size_of::<Self>()
            + function_tables
            + self.imported_funcs as usize * type_index
            + size_of_val(&*self.types)
            + size_of_val(&*self.type_numbers)
            + size_of_val(&*self.imports)
            + size_of_val(&*self.exports)
            + size_of_val(&*self.exports_by_name)
            + size_of_val(&*self.tables)
            + size_of_val(&*self.memories)
            + size_of_val(&*self.globals)
            + size_of_val(&*self.global_inits)
            + self.passive_elems.bytes()
            + self.passive_data.bytes();
        let body = |index: u32| self.body_len(index);
        MemoryReport {
            binary: self.bytes.len(),
            tables,
            function_tables,
            functions: defined,
            bodies: (0..defined as u32).map(body).sum(),
            translated_functions: code.functions.len(),
            translated_bodies: code.functions.iter().copied().map(body).sum(),
            code: code.bytes,
            code_allocated: code.allocated,
            scratch: code.scratch,
        }
    }

    /// Bytes of the body of a function in the binary format; an image has none.
    fn body_len(&self, _defined: u32) -> usize {
        #[cfg(feature = "compile")]
        return self
            .bodies
            .get(_defined as usize)
            .map_or(0, |body| body.len as usize);
        #[cfg(not(feature = "compile"))]
        0
    }

    /// Bytes of memory for each function: where its body is, and where its code is found.
    fn entry_bytes(&self) -> usize {
        #[cfg(feature = "compile")]
        return size_of::<FuncEntry>()
            + if self.bodies.is_empty() {
                0
            } else {
                size_of::<super::ByteRange>()
            };
        #[cfg(not(feature = "compile"))]
        0
    }
}
