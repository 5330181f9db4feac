//! `teff inspect --ir`: the register code of one function or of all. Finds functions by name; leaves the
//! code to the runtime.

use std::collections::BTreeMap;

use teff_runtime::Engine;
use wasmparser::{ExternalKind, KnownCustom, Name, Parser, Payload, TypeRef};

use crate::failure::{Failure, Result};
use crate::load::Source;

/// The functions of a module: how many there are, and their names.
#[derive(Default)]
struct Functions {
    imported: u32,
    count: u32,
    /// From the name section, or else from an export.
    names: BTreeMap<u32, String>,
    exports: Vec<(String, u32)>,
}

/// The code of the function `wanted`, a name or an index; of all functions if it is empty.
pub(crate) fn text(source: &Source, wanted: &str) -> Result<String> {
    let engine = Engine::default();
    let module = source.module(&engine)?;
    let functions = Functions::read(&source.binary()?).map_err(Failure::message)?;
    let indices = match wanted {
        "" => functions.imported..functions.count,
        wanted => {
            let index = functions.find(wanted)?;
            index..index + 1
        }
    };
    let mut text = String::new();
    for index in indices {
        if !text.is_empty() {
            text.push('\n');
        }
        let name = functions
            .name(index)
            .map(|name| format!(" {name}"))
            .unwrap_or_default();
        text.push_str(&format!("function {index}{name}\n"));
        teff_runtime::disassemble(&module, index, &mut text).map_err(Failure::message)?;
    }
    Ok(text)
}

impl Functions {
    fn read(binary: &[u8]) -> std::result::Result<Self, wasmparser::Error> {
        let mut functions = Self::default();
        for payload in Parser::new(0).parse_all(binary) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let is_func =
                            matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                        functions.imported += u32::from(is_func);
                    }
                }
                Payload::FunctionSection(defined) => functions.count = defined.count(),
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                            functions
                                .exports
                                .push((export.name.to_string(), export.index));
                        }
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        functions.names.extend(names.flat_map(Self::function_names));
                    }
                }
                _ => {}
            }
        }
        functions.count += functions.imported;
        for (name, index) in &functions.exports {
            functions
                .names
                .entry(*index)
                .or_insert_with(|| name.clone());
        }
        Ok(functions)
    }

    /// A damaged name section means no names, not an error.
    fn function_names(
        name: std::result::Result<Name<'_>, wasmparser::Error>,
    ) -> Vec<(u32, String)> {
        match name {
            Ok(Name::Function(names)) => names
                .into_iter()
                .flatten()
                .map(|n| (n.index, n.name.to_string()))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn find(&self, wanted: &str) -> Result<u32> {
        let exported = self
            .exports
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, index)| *index);
        let named = || {
            self.names
                .iter()
                .find(|(_, name)| *name == wanted)
                .map(|(index, _)| *index)
        };
        let found = exported.or_else(named).or_else(|| wanted.parse().ok());
        let index = match found {
            Some(index) if index < self.count => index,
            _ => {
                return Err(Failure::message(format!(
                    "--ir={wanted}: there is no function of that name or index; there are {}",
                    self.count
                )));
            }
        };
        if index < self.imported {
            return Err(Failure::message(format!(
                "--ir={wanted}: function {index} is imported; it has no code here"
            )));
        }
        Ok(index)
    }

    fn name(&self, index: u32) -> Option<&str> {
        self.names.get(&index).map(String::as_str)
    }
}
