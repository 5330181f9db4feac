//! The parts of a module while they are collected, from a binary or from an image.

use alloc::{boxed::Box, vec::Vec};

use super::{
    ByteRange, Bytes, CodeMap, Import, ModuleExport, ModuleInner,
    segments::{PassiveItems, PassiveSegments, SegmentSection},
    words::Words,
};
#[cfg(feature = "compile")]
use super::{const_expr, cursor::Cursor};
use crate::{Engine, FuncType, GlobalType, MemoryType, TableType};

/// The parts of a [`ModuleInner`] while they are collected.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) types: Vec<FuncType>,
    pub(crate) imports: Vec<Import>,
    pub(crate) exports: Vec<ModuleExport>,
    pub(crate) func_types: Words,
    pub(crate) tables: Vec<TableType>,
    pub(crate) memories: Vec<MemoryType>,
    pub(crate) globals: Vec<GlobalType>,
    pub(crate) imported_funcs: u32,
    pub(crate) imported_tables: u32,
    pub(crate) imported_memories: u32,
    pub(crate) imported_globals: u32,
    pub(crate) global_inits: Vec<u32>,
    #[cfg(feature = "compile")]
    pub(crate) bodies: Vec<ByteRange>,
    pub(crate) start: Option<u32>,
    pub(crate) elems: SegmentSection,
    pub(crate) data: SegmentSection,
    /// No element segment is passive.
    pub(crate) elems_are_plain: bool,
    /// No data segment is passive.
    pub(crate) data_is_plain: bool,
    pub(crate) name_section: ByteRange,
}

impl Parts {
    /// The module, whose functions are all valid.
    pub(crate) fn finish(mut self, engine: &Engine, bytes: Bytes, code: CodeMap) -> ModuleInner {
        let type_numbers = engine.register(&mut self.types);
        let passive_elems = if self.elems_are_plain {
            PassiveSegments::default()
        } else {
            PassiveSegments::collect(
                self.elems
                    .elems(&bytes)
                    .map(|segment| (segment.mode, segment.items)),
                |items| PassiveItems::new(items, &bytes),
            )
        };
        let passive_data = if self.data_is_plain {
            PassiveSegments::default()
        } else {
            PassiveSegments::collect(
                self.data
                    .data(&bytes)
                    .map(|segment| (segment.mode, segment.bytes)),
                |range| range,
            )
        };
        let mut exports_by_name: Box<[u32]> = (0..self.exports.len() as u32).collect();
        exports_by_name
            .sort_unstable_by_key(|&export| self.exports[export as usize].name.of(&bytes));

        ModuleInner {
            code,
            engine: engine.clone(),
            types: self.types.into(),
            type_numbers,
            imports: self.imports.into(),
            exports: self.exports.into(),
            exports_by_name,
            func_types: self.func_types,
            tables: self.tables.into(),
            memories: self.memories.into(),
            globals: self.globals.into(),
            imported_funcs: self.imported_funcs,
            imported_tables: self.imported_tables,
            imported_memories: self.imported_memories,
            imported_globals: self.imported_globals,
            global_inits: self.global_inits.into(),
            #[cfg(feature = "compile")]
            bodies: self.bodies.into(),
            #[cfg(feature = "compile")]
            unchecked: None,
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

/// What an image has of a module.
#[cfg(feature = "compile")]
impl ModuleInner {
    /// The parts that say the same wherever the bytes are.
    pub(crate) fn signature(&self) -> Parts {
        Parts {
            types: self.types.to_vec(),
            tables: self.tables.to_vec(),
            memories: self.memories.to_vec(),
            globals: self.globals.to_vec(),
            imported_funcs: self.imported_funcs,
            imported_tables: self.imported_tables,
            imported_memories: self.imported_memories,
            imported_globals: self.imported_globals,
            start: self.start,
            ..Parts::default()
        }
    }

    pub(crate) fn import_list(&self) -> &[Import] {
        &self.imports
    }

    pub(crate) fn export_list(&self) -> &[ModuleExport] {
        &self.exports
    }

    /// Where the initial values of the globals that are not imported are.
    pub(crate) fn global_init_ranges(&self) -> impl Iterator<Item = ByteRange> {
        self.global_inits.iter().map(|&start| {
            let mut cursor = Cursor::new(&self.bytes, start as usize);
            const_expr::skip(&mut cursor);
            let len = cursor.position() as u32 - start;
            ByteRange { start, len }
        })
    }

    /// Element segments and data segments.
    pub(crate) fn segment_sections(&self) -> (SegmentSection, SegmentSection) {
        (self.elems, self.data)
    }

    pub(crate) fn name_section(&self) -> ByteRange {
        self.name_section
    }
}
