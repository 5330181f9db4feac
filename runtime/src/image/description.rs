//! The description of a module in an image: all that is not a list with an entry for each function, and no content.
//!
//! Numbers are four bytes, little-endian; kinds and types one. Lists have their length in front.

use alloc::vec::Vec;

use super::format::{Header, Section};
use crate::{
    FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType, TableType, ValType,
    module::{
        ByteRange, ExternIndex, ExternKind, Import, ModuleExport, parts::Parts,
        segments::SegmentSection,
    },
};

/// Reads the description; the lists that it refers to are those of the header. Nothing if it contradicts itself.
pub(super) fn read(bytes: &[u8], header: &Header) -> Option<Parts> {
    let mut input = Input(header.section(Section::Description).of(bytes));
    let mut parts = Parts {
        types: input.list(Input::func_type)?,
        tables: input.list(Input::table_type)?,
        memories: input.list(Input::memory_type)?,
        globals: input.list(Input::global_type)?,
        imported_funcs: input.number()?,
        imported_tables: input.number()?,
        imported_memories: input.number()?,
        imported_globals: input.number()?,
        imports: input.list(Input::import)?,
        exports: input.list(Input::export)?,
        global_inits: input.list(Input::number)?,
        start: input.option()?,
        elems: input.segments()?,
        data: input.segments()?,
        elems_are_plain: input.flag()?,
        data_is_plain: input.flag()?,
        name_section: header.section(Section::Names),
        ..Parts::default()
    };
    if !input.0.is_empty() {
        return None;
    }
    parts.func_types = crate::module::words::Words::Placed(header.section(Section::FuncTypes));
    is_consistent(&parts, bytes, header).then_some(parts)
}

/// Do all indices and positions lead to something?
fn is_consistent(parts: &Parts, bytes: &[u8], header: &Header) -> bool {
    let funcs = parts.func_types.len();
    let data = header.section(Section::Data);
    let is_inside = |range: &ByteRange| {
        range.start >= data.start
            && range
                .start
                .checked_add(range.len)
                .is_some_and(|end| end <= data.start + data.len)
    };
    // One byte at least: each expression and segment has one.
    let is_position = |position: u32| {
        is_inside(&ByteRange {
            start: position,
            len: 1,
        })
    };
    let is_item = |item: &ExternIndex, imported: bool| {
        let (all, imports) = match item.kind {
            ExternKind::Func => (funcs, parts.imported_funcs),
            ExternKind::Table => (parts.tables.len() as u32, parts.imported_tables),
            ExternKind::Memory => (parts.memories.len() as u32, parts.imported_memories),
            ExternKind::Global => (parts.globals.len() as u32, parts.imported_globals),
        };
        item.index < if imported { imports } else { all }
    };
    let types = parts.types.len() as u32;
    let is_segments =
        |segments: &SegmentSection| segments.count == 0 || is_position(segments.position());
    let imported_globals = parts.imported_globals as usize;
    header.section(Section::FuncTypes).len.is_multiple_of(4)
        && (0..funcs).all(|func| parts.func_types.get(bytes, func) < types)
        && parts.imported_funcs <= funcs
        && parts.imported_tables as usize <= parts.tables.len()
        && parts.imported_memories as usize <= parts.memories.len()
        && parts.globals.len().checked_sub(imported_globals) == Some(parts.global_inits.len())
        && parts.imports.len() as u64
            == u64::from(parts.imported_funcs)
                + u64::from(parts.imported_tables)
                + u64::from(parts.imported_memories)
                + u64::from(parts.imported_globals)
        && parts.imports.iter().all(|import| {
            is_inside(&import.module) && is_inside(&import.name) && is_item(&import.item, true)
        })
        && parts
            .exports
            .iter()
            .all(|export| is_inside(&export.name) && is_item(&export.item, false))
        && parts.global_inits.iter().all(|init| is_position(*init))
        && parts.start.is_none_or(|start| start < funcs)
        && is_segments(&parts.elems)
        && is_segments(&parts.data)
}

/// Writes the description.
#[cfg(feature = "compile")]
pub(super) fn write(parts: &Parts) -> Vec<u8> {
    let mut output = Output::default();
    output.list(&parts.types, Output::func_type);
    output.list(&parts.tables, Output::table_type);
    output.list(&parts.memories, Output::memory_type);
    output.list(&parts.globals, Output::global_type);
    output.number(&parts.imported_funcs);
    output.number(&parts.imported_tables);
    output.number(&parts.imported_memories);
    output.number(&parts.imported_globals);
    output.list(&parts.imports, Output::import);
    output.list(&parts.exports, Output::export);
    output.list(&parts.global_inits, Output::number);
    output.option(parts.start);
    output.segments(parts.elems);
    output.segments(parts.data);
    output.byte(parts.elems_are_plain.into());
    output.byte(parts.data_is_plain.into());
    output.0
}

/// What is left to be read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*first))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn option(&mut self) -> Option<Option<u32>> {
        let (is_there, number) = (self.flag()?, self.number()?);
        Some(is_there.then_some(number))
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()? as usize;
        // Every element takes a byte at least, so a wrong count takes no more memory than the image has.
        let mut list = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            list.push(each(self)?);
        }
        Some(list)
    }

    fn range(&mut self) -> Option<ByteRange> {
        Some(ByteRange {
            start: self.number()?,
            len: self.number()?,
        })
    }

    fn val_type(&mut self) -> Option<ValType> {
        let byte = self.byte()?;
        VAL_TYPES.get(usize::from(byte)).copied()
    }

    fn func_type(&mut self) -> Option<FuncType> {
        let params = self.list(Self::val_type)?;
        let results = self.list(Self::val_type)?;
        Some(FuncType::from_lists(params, results))
    }

    fn table_type(&mut self) -> Option<TableType> {
        let ValType::Ref(element) = self.val_type()? else {
            return None;
        };
        Some(TableType::new(element, self.number()?, self.option()?))
    }

    fn memory_type(&mut self) -> Option<MemoryType> {
        let ty = MemoryType::new(self.number()?, self.option()?);
        ty.with_page_size_log2(self.byte()?).ok()
    }

    fn global_type(&mut self) -> Option<GlobalType> {
        let content = self.val_type()?;
        let mutability = if self.flag()? {
            Mutability::Var
        } else {
            Mutability::Const
        };
        Some(GlobalType::new(content, mutability))
    }

    fn item(&mut self) -> Option<ExternIndex> {
        let kind = *KINDS.get(usize::from(self.byte()?))?;
        Some(ExternIndex {
            kind,
            index: self.number()?,
        })
    }

    fn import(&mut self) -> Option<Import> {
        Some(Import {
            module: self.range()?,
            name: self.range()?,
            item: self.item()?,
        })
    }

    fn export(&mut self) -> Option<ModuleExport> {
        Some(ModuleExport {
            name: self.range()?,
            item: self.item()?,
        })
    }

    fn segments(&mut self) -> Option<SegmentSection> {
        Some(SegmentSection::new(self.number()?, self.number()?))
    }
}

/// Types and kinds have the numbers of their places here.
const VAL_TYPES: [ValType; 9] = [
    ValType::I32,
    ValType::I64,
    ValType::F32,
    ValType::F64,
    ValType::V128,
    ValType::FUNCREF,
    ValType::EXTERNREF,
    ValType::Ref(RefType::new(false, HeapType::Func)),
    ValType::Ref(RefType::new(false, HeapType::Extern)),
];

const KINDS: [ExternKind; 4] = [
    ExternKind::Func,
    ExternKind::Table,
    ExternKind::Memory,
    ExternKind::Global,
];

#[cfg(feature = "compile")]
#[derive(Default)]
struct Output(Vec<u8>);

#[cfg(feature = "compile")]
impl Output {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: &u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn option(&mut self, number: Option<u32>) {
        self.byte(number.is_some().into());
        self.number(&number.unwrap_or_default());
    }

    fn list<T>(&mut self, list: &[T], each: impl Fn(&mut Self, &T)) {
        self.number(&(list.len() as u32));
        list.iter().for_each(|item| each(self, item));
    }

    fn range(&mut self, range: ByteRange) {
        self.number(&range.start);
        self.number(&range.len);
    }

    fn val_type(&mut self, ty: &ValType) {
        let number = VAL_TYPES.iter().position(|known| known == ty);
        self.byte(number.expect("all types are listed") as u8);
    }

    fn func_type(&mut self, ty: &FuncType) {
        self.list(ty.param_slice(), Self::val_type);
        self.list(ty.result_slice(), Self::val_type);
    }

    /// Limits are 32-bit numbers.
    fn limits(&mut self, minimum: u64, maximum: Option<u64>) {
        self.number(&(minimum as u32));
        self.option(maximum.map(|maximum| maximum as u32));
    }

    fn table_type(&mut self, ty: &TableType) {
        self.val_type(&ValType::Ref(*ty.element()));
        self.limits(ty.minimum(), ty.maximum());
    }

    fn memory_type(&mut self, ty: &MemoryType) {
        self.limits(ty.minimum(), ty.maximum());
        self.byte(ty.page_size_log2());
    }

    fn global_type(&mut self, ty: &GlobalType) {
        self.val_type(ty.content());
        self.byte((ty.mutability() == Mutability::Var).into());
    }

    fn item(&mut self, item: ExternIndex) {
        let kind = KINDS.iter().position(|known| *known == item.kind);
        self.byte(kind.expect("all kinds are listed") as u8);
        self.number(&item.index);
    }

    fn import(&mut self, import: &Import) {
        self.range(import.module);
        self.range(import.name);
        self.item(import.item);
    }

    fn export(&mut self, export: &ModuleExport) {
        self.range(export.name);
        self.item(export.item);
    }

    fn segments(&mut self, segments: SegmentSection) {
        self.number(&segments.position());
        self.number(&segments.count);
    }
}
