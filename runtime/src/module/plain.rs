//! Data sections as most compilers write them, recognised without the validator.

use wasmparser::{BinaryReader, DataSectionReader, WasmFeatures};

use super::{FEATURES, const_expr};

/// The validator refuses more.
const MOST_DATA_SEGMENTS: u32 = 100_000;

/// Is this data section as most compilers write it: segments for memory 0 at constant offsets, and nothing
/// else? If there is a memory 0 then, the section is valid, and none of its segments is passive.
///
/// Such sections have up to 100,000 small segments. To look for these few bytes takes a tenth of the time that
/// the validator needs for expressions of any kind.
pub(super) fn is_plain_data(section: &DataSectionReader<'_>, bytes: &[u8]) -> bool {
    // With 64-bit memories, the offset may have to be an `i64.const`.
    const { assert!(!FEATURES.contains(WasmFeatures::MEMORY64)) };
    if section.count() > MOST_DATA_SEGMENTS {
        return false;
    }
    let start = section.original_position();
    let Some(segments) = bytes.get(start as usize..section.range().end as usize) else {
        return false;
    };
    let mut reader = BinaryReader::new_features(segments, start, FEATURES);
    let mut segment = || -> wasmparser::Result<bool> {
        if reader.read_u8()? != 0 || reader.read_u8()? != const_expr::I32_CONST {
            return Ok(false);
        }
        reader.read_var_i32()?;
        let ends = reader.read_u8()? == const_expr::END;
        let len = reader.read_var_u32()?;
        reader.read_bytes(len as usize)?;
        Ok(ends)
    };
    (0..section.count()).all(|_| matches!(segment(), Ok(true))) && reader.eof()
}
