//! Prints code of the compact class, whose cells say which operation they are.

use core::fmt;

use super::{CellClass, Op, Operand};

const CLASS: CellClass = CellClass::Compact;

/// A number in code.
fn read<const N: usize>(code: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&code[at..at + N]);
    bytes
}

/// Prints the cell at `at` as `mnemonic operands → result`, and gives the offset of the next one.
///
/// Slots are printed as `s` with their distance from `sp` in slots of eight bytes, so parameters are
/// negative; branch targets as offsets in `code`; functions by their index, of which the first `imported` are
/// imports.
pub(crate) fn cell(
    f: &mut dyn fmt::Write,
    code: &[u8],
    at: usize,
    imported: u32,
) -> Result<usize, fmt::Error> {
    let op = Op(u16::from_le_bytes(read(code, at)));
    let format = op.format();
    let raw = |n| i16::from_le_bytes(read(code, at + format.slot(CLASS, n)));
    let slot = |n| raw(n) / 8;
    let imm32 = |n| u32::from_le_bytes(read(code, at + format.imm32(CLASS, n)));
    let fields = op.family().fields();

    write!(f, "{}", op.mnemonic())?;
    let mut separator = " ";
    let (mut slots, mut imms) = (0, fields.imm32 as usize);
    let result = op.has_result().then(|| op.form().len() - 1);
    for (i, operand) in op.form().iter().enumerate() {
        if result == Some(i) {
            break;
        }
        write!(f, "{separator}")?;
        match operand {
            Operand::A => write!(f, "acc")?,
            Operand::L | Operand::D => write!(f, "pin")?,
            Operand::S => write!(f, "s{}", slot(slots))?,
            Operand::P => write!(f, "s{} wrapping", slot(slots))?,
            Operand::R => write!(f, "pin wrapping")?,
            Operand::X => write!(f, "s{} + s{}", slot(slots), slot(slots + 1))?,
            Operand::Y => write!(f, "acc + s{}", slot(slots))?,
            Operand::M => write!(f, "pin + s{}", slot(slots))?,
            Operand::N => write!(f, "pin + acc")?,
            Operand::E => write!(
                f,
                "s{} + (s{} << {})",
                slot(slots),
                slot(slots + 1),
                raw(slots + 2)
            )?,
            Operand::V => write!(f, "s{} + (acc << {})", slot(slots), raw(slots + 1))?,
            Operand::G => write!(f, "pin + (s{} << {})", slot(slots), raw(slots + 1))?,
            Operand::H => write!(f, "pin + (acc << {})", raw(slots))?,
            Operand::J => write!(f, "s{} + (pin << {})", slot(slots), raw(slots + 1))?,
            Operand::K => write!(f, "(s{} << {})", slot(slots), raw(slots + 1))?,
            Operand::O => write!(f, "(acc << {})", raw(slots))?,
            Operand::Q => write!(f, "(pin << {})", raw(slots))?,
            Operand::F => write!(f, "(s{} << {}) wrapping", slot(slots), raw(slots + 1))?,
            Operand::T => write!(f, "(acc << {}) wrapping", raw(slots))?,
            Operand::Z => write!(f, "(pin << {}) wrapping", raw(slots))?,
            Operand::I => {
                write!(f, "{}", imm32(imms) as i32)?;
                imms += 1;
            }
            Operand::W => {
                let imm = u64::from_le_bytes(read(code, at + format.imm64(CLASS)));
                write!(f, "{imm:#x}")?;
            }
            Operand::U => {
                write!(f, "fuel {}", imm32(imms) as i32)?;
                imms += 1;
            }
        }
        slots += operand.slots() as usize;
        separator = ", ";
    }
    let row_slots = slots + result.map_or(0, |i| op.form()[i].slots() as usize);
    for n in 0..fields.slots as usize {
        write!(f, "{separator}s{}", slot(row_slots + n))?;
        separator = ", ";
    }
    for n in 0..fields.imm32 as usize {
        write!(f, "{separator}#{}", imm32(n) as i32)?;
        separator = ", ";
    }
    if fields.imm64 > 0 {
        let imm = u64::from_le_bytes(read(code, at + format.imm64(CLASS)));
        write!(f, "{separator}{imm:#x}")?;
    }
    if format.func > 0 {
        let func = u32::from_le_bytes(read(code, at + format.func(CLASS)));
        write!(f, "{separator}func[{}]", imported + func)?;
    }
    if let Some(i) = result {
        match op.form()[i] {
            Operand::S => write!(f, " → s{}", slot(slots))?,
            Operand::D => write!(f, " → pin, s{}", slot(slots))?,
            _ => write!(f, " → acc")?,
        }
    }
    if format.target > 0 {
        let distance = i32::from_le_bytes(read(code, at + format.target(CLASS)));
        write!(f, " @{}", at as i64 + i64::from(distance))?;
    }
    Ok(at + format.size(CLASS))
}
