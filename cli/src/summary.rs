//! What a module has, as text. Knows the binary through `wasmparser`; knows nothing of the engine.

use std::fmt::{self, Write};

use wasmparser::types::{CoreTypeId, EntityType, TypesRef};
use wasmparser::{
    CompositeInnerType, ElementItems, Error, GlobalType, MemoryType, Parser, Payload, TableType,
    TypeRef, ValType,
};

/// Bytes in a page, unless the memory says otherwise.
const PAGE: u64 = 65_536;

/// Sums and lists that the types alone do not give.
#[derive(Default)]
struct Contents {
    imports: Vec<String>,
    exports: Vec<String>,
    custom: Vec<String>,
    /// How many of each index space are imported.
    imported_functions: u32,
    imported_tables: u32,
    imported_memories: u32,
    imported_globals: u32,
    code_bytes: u64,
    data: Segments,
    elements: Segments,
    start: Option<u32>,
}

/// Segments, and the bytes or elements in them.
#[derive(Default)]
struct Segments {
    count: u32,
    content: u64,
}

/// Describes `binary`, which is valid and has these types.
pub(crate) fn describe(binary: &[u8], types: TypesRef<'_>) -> Result<String, Error> {
    let contents = Contents::read(binary, types)?;
    let mut text = String::new();
    contents
        .write(&mut text, binary.len(), types)
        .expect("a string takes any text");
    Ok(text)
}

impl Contents {
    fn read(binary: &[u8], types: TypesRef<'_>) -> Result<Self, Error> {
        let mut contents = Self::default();
        for payload in Parser::new(0).parse_all(binary) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        let ty = types.entity_type_from_import(&import);
                        let ty = ty.map(|ty| entity(ty, types)).unwrap_or_default();
                        contents
                            .imports
                            .push(format!("{}::{}  {ty}", import.module, import.name));
                        contents.count_import(import.ty);
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        let ty = types.entity_type_from_export(&export);
                        let ty = ty.map(|ty| entity(ty, types)).unwrap_or_default();
                        contents.exports.push(format!("{}  {ty}", export.name));
                    }
                }
                Payload::StartSection { func, .. } => contents.start = Some(func),
                Payload::CodeSectionEntry(body) => {
                    contents.code_bytes += body.range().end - body.range().start;
                }
                Payload::DataSection(segments) => {
                    for segment in segments {
                        contents.data.count += 1;
                        contents.data.content += segment?.data.len() as u64;
                    }
                }
                Payload::ElementSection(segments) => {
                    for segment in segments {
                        contents.elements.count += 1;
                        contents.elements.content += match segment?.items {
                            ElementItems::Functions(items) => u64::from(items.count()),
                            ElementItems::Expressions(_, items) => u64::from(items.count()),
                        };
                    }
                }
                Payload::CustomSection(section) => {
                    contents.custom.push(format!(
                        "{}  {} bytes",
                        section.name(),
                        section.data().len()
                    ));
                }
                _ => {}
            }
        }
        Ok(contents)
    }

    fn count_import(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => self.imported_functions += 1,
            TypeRef::Table(_) => self.imported_tables += 1,
            TypeRef::Memory(_) => self.imported_memories += 1,
            TypeRef::Global(_) => self.imported_globals += 1,
            TypeRef::Tag(_) => {}
        }
    }

    fn write(&self, out: &mut String, bytes: usize, types: TypesRef<'_>) -> fmt::Result {
        let functions = types.function_count();
        writeln!(out, "size       {bytes} bytes")?;
        writeln!(
            out,
            "functions  {functions}, {} of them imported; {} bytes of code",
            self.imported_functions, self.code_bytes
        )?;
        if let Some(start) = self.start {
            writeln!(out, "start      function {start}")?;
        }
        writeln!(
            out,
            "data       {} bytes in {} segments",
            self.data.content, self.data.count
        )?;
        writeln!(
            out,
            "elements   {} in {} segments",
            self.elements.content, self.elements.count
        )?;
        list(out, "imports", &self.imports)?;
        list(out, "exports", &self.exports)?;
        let memories = (0..types.memory_count()).map(|i| memory(&types.memory_at(i)));
        list(out, "memories", &numbered(memories, self.imported_memories))?;
        let tables = (0..types.table_count()).map(|i| table(&types.table_at(i)));
        list(out, "tables", &numbered(tables, self.imported_tables))?;
        let globals = (0..types.global_count()).map(|i| global(&types.global_at(i)));
        list(out, "globals", &numbered(globals, self.imported_globals))?;
        list(out, "custom sections", &self.custom)
    }
}

/// A heading and lines below it; nothing if there are no lines.
pub(crate) fn list(out: &mut String, heading: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{heading}:")?;
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

/// The lines with their indices, and a mark on the first `imported` ones.
fn numbered(lines: impl Iterator<Item = String>, imported: u32) -> Vec<String> {
    let number = |(i, line)| {
        let mark = if i < imported as usize {
            " (imported)"
        } else {
            ""
        };
        format!("{i}: {line}{mark}")
    };
    lines.enumerate().map(number).collect()
}

fn entity(ty: EntityType, types: TypesRef<'_>) -> String {
    let signature = |id: CoreTypeId| match &types[id].composite_type.inner {
        CompositeInnerType::Func(ty) => {
            format!("({}) -> ({})", join(ty.params()), join(ty.results()))
        }
        _ => "of another type".into(),
    };
    match ty {
        EntityType::Func(id) | EntityType::FuncExact(id) => format!("func {}", signature(id)),
        EntityType::Table(ty) => format!("table {}", table(&ty)),
        EntityType::Memory(ty) => format!("memory {}", memory(&ty)),
        EntityType::Global(ty) => format!("global {}", global(&ty)),
        EntityType::Tag(id) => format!("tag {}", signature(id)),
    }
}

fn join(types: &[ValType]) -> String {
    let types: Vec<_> = types.iter().map(ValType::to_string).collect();
    types.join(", ")
}

fn memory(ty: &MemoryType) -> String {
    let page = ty.page_size_log2.map_or(PAGE, |log2| 1 << log2);
    let size = |pages: u64| {
        format!(
            "{pages} pages ({})",
            bytes(u128::from(pages) * u128::from(page))
        )
    };
    let mut text = size(ty.initial);
    match ty.maximum {
        Some(maximum) => text = format!("{text}, at most {}", size(maximum)),
        None => text.push_str(", no maximum"),
    }
    for (is, what) in [(ty.memory64, ", 64-bit"), (ty.shared, ", shared")] {
        if is {
            text.push_str(what);
        }
    }
    if page != PAGE {
        text = format!("{text}, pages of {page} bytes");
    }
    text
}

/// A size in the largest unit of which it has one.
fn bytes(bytes: u128) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => format!("{} {unit}", decimal(bytes, shift)),
        None => format!("{bytes} bytes"),
    }
}

/// With one decimal, unless that is zero.
fn decimal(bytes: u128, shift: u32) -> String {
    let tenths = (bytes * 10) >> shift;
    match tenths % 10 {
        0 => format!("{}", tenths / 10),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

fn table(ty: &TableType) -> String {
    let mut text = format!("{} {}", ty.initial, ty.element_type);
    match ty.maximum {
        Some(maximum) => text = format!("{text}, at most {maximum}"),
        None => text.push_str(", no maximum"),
    }
    if ty.table64 {
        text.push_str(", 64-bit");
    }
    text
}

fn global(ty: &GlobalType) -> String {
    let mutable = if ty.mutable { "mutable " } else { "" };
    format!("{mutable}{}", ty.content_type)
}
