//! The name section (spec appendix "Name Section"), read when a name is asked for.
//!
//! It is a custom section: an error in it makes a name absent, and nothing else.

use alloc::string::{String, ToString};

use wasmparser::{BinaryReader, Name, NameSectionReader};

fn subsections(section: &[u8]) -> impl Iterator<Item = Name<'_>> {
    NameSectionReader::new(BinaryReader::new(section, 0)).map_while(Result::ok)
}

/// The module's own name.
pub(crate) fn module_name(section: &[u8]) -> Option<&str> {
    subsections(section).find_map(|subsection| match subsection {
        Name::Module { name, .. } => Some(name),
        _ => None,
    })
}

/// The name of a function.
pub(crate) fn func_name(section: &[u8], func_index: u32) -> Option<String> {
    let names = subsections(section).find_map(|subsection| match subsection {
        Name::Function(names) => Some(names),
        _ => None,
    })?;
    // Names are in the order of their indices, but an unchecked section may not be.
    let naming = names
        .into_iter()
        .map_while(Result::ok)
        .find(|naming| naming.index == func_index)?;
    Some(naming.name.to_string())
}
