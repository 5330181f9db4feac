//! `teff inspect` of an image: what its header says, what it imports and exports, and its register code.

use teff_runtime::{ExternType, ImageClass, ImageInfo, disassemble};

use crate::failure::{Failure, Result};
use crate::load::Source;
use crate::summary;

/// What the image is and has.
pub(crate) fn overview(source: &Source) -> Result<String> {
    let info = ImageInfo::read(&source.binary()?).map_err(|e| source.failure(e))?;
    let metered = if info.metered { "" } else { "not " };
    let mut text = format!(
        "image      {} bytes, for machines of the class {}, {metered}metered\n\
         code       {} bytes\n\
         data       {} bytes of names, expressions and segments\n\
         names      {} bytes\n",
        info.len, info.class, info.code, info.data, info.names
    );
    if let Some(key) = info.signer {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("signed     with {hex}, which was not checked\n"));
    }
    if info.class != ImageClass::NATIVE {
        text.push_str("\nThis machine is of another class: imports and exports are shown where the image can run.\n");
        return Ok(text);
    }
    let module = source.module(&source.engine()?)?;
    let imports: Vec<_> = module
        .imports()
        .map(|import| format!("{}::{}  {}", import.module(), import.name(), import.ty()))
        .collect();
    let exports: Vec<_> = module
        .exports()
        .map(|export| format!("{}  {}", export.name(), export.ty()))
        .collect();
    let report = module.memory_report();
    let memory = [format!(
        "tables: {} bytes, {} of them for {} functions",
        report.tables, report.function_tables, report.functions
    )];
    for (heading, lines) in [
        ("imports", &imports[..]),
        ("exports", &exports),
        ("in memory", &memory),
    ] {
        summary::list(&mut text, heading, lines).expect("a string takes any text");
    }
    Ok(text)
}

/// The code of a function, given by its index, or of all if that is empty.
pub(crate) fn code(source: &Source, wanted: &str) -> Result<String> {
    let module = source.module(&source.engine()?)?;
    let is_func = |ty| matches!(ty, ExternType::Func(_));
    let imported = module
        .imports()
        .filter(|import| is_func(import.ty()))
        .count() as u32;
    let count = imported + module.memory_report().functions as u32;
    let indices = match wanted {
        "" => imported..count,
        wanted => match wanted.parse() {
            Ok(index) => index..index + 1,
            Err(_) => {
                return Err(Failure::message(format!(
                    "--ir={wanted}: functions of an image are given by their index; there are {count}"
                )));
            }
        },
    };
    let mut text = String::new();
    for index in indices {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("function {index}\n"));
        disassemble(&module, index, &mut text).map_err(Failure::message)?;
    }
    Ok(text)
}
