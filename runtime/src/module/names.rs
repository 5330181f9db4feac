//! The name section (spec appendix "Name Section"), read when a name is asked for.
//!
//! It is a custom section: an error in it makes a name absent, and nothing else.

use alloc::string::{String, ToString};

/// Kinds of subsections.
const MODULE: u8 = 0;
const FUNCTIONS: u8 = 1;

/// The module's own name.
pub(crate) fn module_name(section: &[u8]) -> Option<&str> {
    Names(subsection(section, MODULE)?).name()
}

/// The name of a function.
pub(crate) fn func_name(section: &[u8], func_index: u32) -> Option<String> {
    let mut names = Names(subsection(section, FUNCTIONS)?);
    // Names are in the order of their indices, but an unchecked section may not be.
    for _ in 0..names.u32()? {
        let index = names.u32()?;
        let name = names.bytes()?;
        if index == func_index {
            return core::str::from_utf8(name).ok().map(ToString::to_string);
        }
    }
    None
}

/// The content of the first subsection of this kind.
fn subsection(section: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut names = Names(section);
    loop {
        let kind = names.byte()?;
        let content = names.bytes()?;
        if kind == wanted {
            return Some(content);
        }
    }
}

/// What is left of a part of the section, which nobody has checked.
struct Names<'a>(&'a [u8]);

impl<'a> Names<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn u32(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0xf {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// So many bytes as the number in front of them says.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn name(&mut self) -> Option<&'a str> {
        core::str::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_section() {
        let section = b"\0\x03\x02mm\x01\x09\x02\0\x01a\x90\x02\x02bc\x02\x01\0";
        assert_eq!(module_name(section), Some("mm"));
        assert_eq!(func_name(section, 0).as_deref(), Some("a"));
        assert_eq!(func_name(section, 0x110).as_deref(), Some("bc"));
        assert_eq!(func_name(section, 1), None);
    }

    #[test]
    fn damaged_sections_have_no_names() {
        let section = b"\0\x03\x02mm\x01\x09\x02\0\x01a\x90\x02\x02bc";
        for len in 0..section.len() {
            let cut = &section[..len];
            assert!(module_name(cut).is_none_or(|name| name == "mm"));
            assert!(func_name(cut, 0x110).is_none());
        }
        for damaged in [
            &b"\0\x03\x02\xff\xff"[..],
            b"\0\xff\xff\xff\xff\xff\x01",
            b"\0\x01\x05",
            b"\x01\xff\xff\xff\xff\x0f",
        ] {
            assert_eq!(module_name(damaged), None);
            assert_eq!(func_name(damaged, 0), None);
        }
    }
}
