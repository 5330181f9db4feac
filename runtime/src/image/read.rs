//! From an image to a module, whose code stays where it is.

use super::{
    description,
    format::{ALIGN, Header, INCONSISTENT, ImageClass, Section},
};
use crate::{
    Engine, MemoryType, Result,
    error::bail,
    ir::CellClass,
    module::{Bytes, CodeMap, ModuleInner, placed::Placed},
};

/// The module of an image, if the image is whole and made for this teff, this machine and this engine.
pub(super) fn read(engine: &Engine, bytes: Bytes) -> Result<ModuleInner> {
    if !bytes.as_ptr().addr().is_multiple_of(ALIGN) {
        bail!(
            "the image lies at an address that is no multiple of {ALIGN}: align it, or use `Module::deserialize`"
        );
    }
    let verified = !engine.config().verify_images;
    let header = Header::read(&bytes, verified, |start, end| bytes.release(start..end))?;
    check_engine(engine, &header)?;
    let Some(parts) = description::read(&bytes, &header) else {
        bail!("{INCONSISTENT}");
    };
    let default = MemoryType::DEFAULT_PAGE_SIZE_LOG2;
    let custom = |memory: &MemoryType| memory.page_size_log2() != default;
    if !engine.config().custom_page_sizes && parts.memories.iter().any(custom) {
        bail!(
            "the image has a memory with pages of another size than 64 KiB, and the engine does not allow that \
             (Config::wasm_custom_page_sizes)"
        );
    }
    let code = Placed::new(
        &bytes,
        header.section(Section::Entries),
        header.section(Section::Code),
    );
    let Some(code) =
        code.filter(|code| parts.imported_funcs + code.count() == parts.func_types.len())
    else {
        bail!("{INCONSISTENT}");
    };
    let rows = header
        .section(Section::Rows)
        .of(&bytes)
        .as_chunks()
        .0
        .iter();
    let rows = rows.map(|row| u32::from_le_bytes(*row));
    if engine.target().prepare(rows).is_none() {
        bail!("{INCONSISTENT}");
    }
    let module = parts.finish(engine, bytes, CodeMap::Placed(code));
    if !module.has_natural_numbers() {
        bail!("{}", super::TAKEN);
    }
    Ok(module)
}

/// Can this engine run the code?
fn check_engine(engine: &Engine, header: &Header) -> Result<()> {
    let class = header.class;
    if class != ImageClass::NATIVE {
        bail!(
            "the image has code of the class {class}, and this machine runs {}: compile the module with the target of \
             this machine",
            ImageClass::NATIVE
        );
    }
    if engine.target().class() != CellClass::Compact {
        bail!(
            "the image has compact code, and the engine runs direct code: make the engine with \
             `Config::code_form(CodeForm::Compact)`"
        );
    }
    if engine.config().is_metered() && !header.metered {
        bail!(
            "the image's code is not metered, so it cannot be limited by fuel or epochs: compile the module with metering (`teff compile --metered`)"
        );
    }
    if engine.config().is_deterministic() && !header.deterministic {
        bail!(
            "the image's code is not deterministic: compile the module with an engine that is (Config::deterministic)"
        );
    }
    Ok(())
}
