//! From a module to an image: translates all functions, and puts together what running them needs.

use alloc::{collections::BTreeSet, vec::Vec};

use bumpalo::Bump;

use super::{
    description,
    format::{ALIGN, HEADER, Header, ImageClass, Section, whole},
};
use crate::{
    Error, Result,
    error::bail,
    ir::{CellClass, Op, encode::Naming},
    module::{
        ByteRange, CodeMap, Import, ModuleExport, ModuleInner, parts::Parts,
        segments::SegmentSection,
    },
    translate,
};

/// The image of a module for machines of a class.
pub(super) fn write(module: &ModuleInner, class: ImageClass) -> Result<Vec<u8>> {
    if let CodeMap::Placed(_) = &module.code {
        return copy(module.bytes(), class);
    }
    if !module.has_natural_numbers() {
        bail!("{}", super::TAKEN);
    }
    let mut writer = Writer {
        image: alloc::vec![0; HEADER],
        sections: [ByteRange::default(); Section::COUNT],
    };
    writer.func_types(module);
    writer.code(module, class)?;
    let parts = writer.data(module);
    writer.section(Section::Names, |image| {
        image.extend_from_slice(module.name_section().of(module.bytes()));
    });
    writer.section(Section::Description, |image| {
        image.extend(description::write(&parts));
    });
    let Writer {
        mut image,
        sections,
    } = writer;
    let Ok(len) = u32::try_from(image.len()) else {
        bail!(
            "the image would have {} bytes: at most {} are supported",
            image.len(),
            u32::MAX
        );
    };
    Header::new(class, module.engine().config(), len, sections).write(&mut image);
    Ok(image)
}

/// An image again. Its code cannot be made into that of another class.
fn copy(image: &[u8], class: ImageClass) -> Result<Vec<u8>> {
    let header = Header::read(image, true, |_, _| ())?;
    if header.class != class {
        bail!(
            "the module is an image of the class {}, of which none of the class {class} can be made: compile the Wasm \
             binary for that target",
            header.class
        );
    }
    Ok(image[..whole(image)? as usize].to_vec())
}

/// An image that grows. Positions in it are final.
struct Writer {
    image: Vec<u8>,
    sections: [ByteRange; Section::COUNT],
}

impl Writer {
    /// Writes a section behind what is there.
    fn section<T>(&mut self, section: Section, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.image
            .resize(self.image.len().next_multiple_of(ALIGN), 0);
        let start = self.image.len();
        let result = write(&mut self.image);
        // An image that is too long for these numbers is refused at the end.
        self.sections[section as usize] = ByteRange {
            start: start as u32,
            len: (self.image.len() - start) as u32,
        };
        result
    }

    fn func_types(&mut self, module: &ModuleInner) {
        self.section(Section::FuncTypes, |image| {
            for func in 0..module.num_funcs() {
                image.extend(module.func_type_index(func).to_le_bytes());
            }
        });
    }

    /// The code of all functions, and the entries in front of it.
    fn code(&mut self, module: &ModuleInner, class: ImageClass) -> Result<()> {
        let count = (module.num_funcs() - module.num_imported_funcs()) as usize;
        self.section(Section::Entries, |image| {
            image.resize(image.len() + 4 * count, 0)
        });
        let entries = self.sections[Section::Entries as usize].start as usize;
        let naming = Naming::elsewhere(class.is_wide());
        let mut rows = BTreeSet::new();
        let mut arena = Bump::new();
        let mut allocations = Default::default();
        self.section(Section::Code, |image| {
            for index in 0..count {
                module.ensure_valid(index as u32, &mut allocations)?;
                arena.reset();
                let function = translate::translate(module, index as u32, naming, &arena, false)?;
                image.resize(image.len().next_multiple_of(CellClass::Compact.align()), 0);
                let first = image.len() + CellClass::Compact.prelude();
                let code = function.finish(0);
                let mut at = CellClass::Compact.prelude();
                while at < code.len() {
                    let op = Op(u16::from_le_bytes([code[at], code[at + 1]]));
                    rows.insert(op.family() as u32);
                    at += op.format().size(CellClass::Compact);
                }
                image.extend_from_slice(&code);
                let entry = entries + 4 * index;
                let Ok(distance) = u32::try_from(first - entry) else {
                    bail!("the module's code takes more than 4 GiB");
                };
                image[entry..entry + 4].copy_from_slice(&distance.to_le_bytes());
            }
            Result::Ok(())
        })?;
        self.section(Section::Rows, |image| {
            rows.iter().for_each(|row| image.extend(row.to_le_bytes()));
        });
        Ok(())
    }

    /// Copies names, expressions and segments. What describes them is to find them where they are now.
    fn data(&mut self, module: &ModuleInner) -> Parts {
        self.section(Section::Data, |image| {
            let bytes = module.bytes();
            let mut keep = |range: ByteRange| {
                let start = image.len() as u32;
                image.extend_from_slice(range.of(bytes));
                ByteRange { start, ..range }
            };
            let imports = module.import_list().iter().map(|import| Import {
                module: keep(import.module),
                name: keep(import.name),
                item: import.item,
            });
            let imports = imports.collect();
            let exports = module.export_list().iter().map(|export| ModuleExport {
                name: keep(export.name),
                item: export.item,
            });
            let exports = exports.collect();
            let global_inits = module.global_init_ranges().map(|range| keep(range).start);
            let global_inits = global_inits.collect();
            let (elems, data) = module.segment_sections();
            let mut keep_section = |segments: SegmentSection, range: ByteRange| {
                SegmentSection::new(keep(range).start, segments.count)
            };
            let elems = keep_section(elems, elems.elems_range(bytes));
            let data = keep_section(data, data.data_range(bytes));
            Parts {
                imports,
                exports,
                global_inits,
                elems,
                data,
                elems_are_plain: module.passive_elems().len() == 0,
                data_is_plain: module.passive_data().len() == 0,
                ..module.signature()
            }
        })
    }
}

/// What went wrong with the translation of a module that was to become an image.
pub(super) fn failed(error: Error) -> Error {
    error.context("cannot make an image of the module")
}
