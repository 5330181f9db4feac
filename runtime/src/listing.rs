//! Listings: a function's register code beside the offsets of the Wasm it came from.

use alloc::{format, vec::Vec};
use core::fmt::Write;

use crate::{
    Error, Module, Result,
    ir::{CellClass, disasm},
    module::{CodeMap, ModuleInner},
};
#[cfg(feature = "compile")]
use crate::{ir::encode::Naming, translate};

/// Prints the register code of a function, given by its index in the module's function index space.
///
/// Each line has the offset of the Wasm instruction in the module, the offset in the code, and the
/// instruction. The code is listed in the compact form; the direct form has the same instructions. An image has the
/// code and no Wasm: the first of the offsets is missing then.
///
/// # Errors
/// If there is no such function, if it is imported, or if `out` fails.
pub fn disassemble(module: &Module, func_index: u32, out: &mut dyn Write) -> Result<()> {
    let inner = module.inner();
    let imported = inner.num_imported_funcs();
    if func_index >= inner.num_funcs() {
        return Err(Error::msg(format!(
            "there is no function {func_index}: the module has {}",
            inner.num_funcs()
        )));
    }
    let Some(defined) = func_index.checked_sub(imported) else {
        return Err(Error::msg(format!(
            "function {func_index} is imported and has no code"
        )));
    };
    let (code, map) = code_of(inner, defined)?;

    let frame = u32::from_le_bytes([code[0], code[1], code[2], code[3]]);
    writeln!(
        out,
        "{}: a frame of {frame} bytes, {} bytes of code",
        inner.func_type(func_index),
        code.len()
    )?;
    let mut at = CellClass::Compact.prelude();
    let mut shown = None;
    while at < code.len() {
        // The newest operator that had been read when this code was written.
        let entry = map
            .partition_point(|(start, _)| *start as usize <= at)
            .checked_sub(1);
        let offset = entry.map(|entry| map[entry].1);
        match offset.filter(|_| offset != shown) {
            Some(offset) => write!(out, "{offset:#8x} ")?,
            None => write!(out, "         ")?,
        }
        shown = offset;
        write!(out, "{at:6}  ")?;
        at = disasm::cell(out, &code, at, imported)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Where a function's operators are, in the code and in the module.
type Offsets = Vec<(u32, u32)>;

/// The compact code of a function, and where its operators are, if that is known.
fn code_of(module: &ModuleInner, defined: u32) -> Result<(Vec<u8>, Offsets)> {
    match &module.code {
        CodeMap::Placed(placed) => {
            let code = &module.bytes()[placed.range(module.bytes(), defined)];
            Ok((code.to_vec(), Vec::new()))
        }
        #[cfg(feature = "compile")]
        CodeMap::Translated(_) => {
            module.ensure_valid(defined, &mut Default::default())?;
            let arena = bumpalo::Bump::new();
            let naming = Naming::elsewhere(cfg!(target_pointer_width = "64"));
            let mut function = translate::translate(module, defined, naming, &arena, true)?;
            let map = function.map.take().unwrap_or_default();
            Ok((function.finish(0).to_vec(), map))
        }
    }
}
