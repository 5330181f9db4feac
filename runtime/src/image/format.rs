//! The format of images: the header and the list of sections. All numbers are little-endian.
//!
//! | offset | bytes | |
//! |--:|--:|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 4 | version of the format |
//! | 12 | 4 | class of the code: see [`ImageClass`] |
//! | 16 | 8 | version of the instruction set |
//! | 24 | 8 | checksum of the image, these eight bytes taken as zeros |
//! | 32 | 4 | length of the image |
//! | 36 | 4 | flags |
//! | 40 | 8 each | start and length of each [`Section`] |
//!
//! What is in front of the list is the same in all versions of the format, so that a loader can tell a damaged image from
//! one of another version.

use core::fmt;

use super::checksum::{BLOCK, Checksum};
#[cfg(feature = "compile")]
use crate::Config;
use crate::{
    Result,
    error::bail,
    ir::INSTRUCTION_SET,
    module::{ByteRange, words::word},
};

/// The first bytes of every image. They do not survive a transfer as text.
pub(super) const MAGIC: [u8; 8] = *b"\x89teff\r\n\x1a";

const FORMAT: u32 = 1;

/// Bytes of the header that all versions of the format have.
const FIXED: usize = 40;

/// Bytes of the header.
pub(super) const HEADER: usize = FIXED + 8 * Section::COUNT;

const CHECKSUM: usize = 24;

/// Sections begin at multiples of this, and so do images in memory.
pub(super) const ALIGN: usize = 8;

/// A flag: the code is metered.
const METERED: u32 = 1;

/// A flag: NaNs that operations make are canonical.
const DETERMINISTIC: u32 = 2;

/// What follows an image that is signed: this, the public key, the signature.
pub(super) const SIGNATURE_MAGIC: [u8; 8] = *b"teffsig1";
pub(super) const SIGNATURE: usize = SIGNATURE_MAGIC.len() + 32 + 64;

/// Parts of an image.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// For each function, the index of its type.
    FuncTypes,
    /// For each function that the module defines, the distance from here to its first cell.
    Entries,
    /// The rows of the instruction table that the code uses, by number.
    Rows,
    /// Cells.
    Code,
    /// Names, constant expressions, segments: where in it what is is said by the description.
    Data,
    /// The name section of the Wasm binary.
    Names,
    /// All else: types, imports, exports, tables, memories, globals.
    Description,
}

impl Section {
    pub(super) const ALL: [Self; 7] = [
        Self::FuncTypes,
        Self::Entries,
        Self::Rows,
        Self::Code,
        Self::Data,
        Self::Names,
        Self::Description,
    ];

    pub(super) const COUNT: usize = Self::ALL.len();
}

/// Which machines an image's code is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageClass {
    /// Compact code that keeps values of 64 bits in registers, for 64-bit machines.
    Compact64,
    /// Compact code for 32-bit machines.
    Compact32,
}

impl ImageClass {
    /// The class of this machine.
    pub const NATIVE: Self = if cfg!(target_pointer_width = "64") {
        Self::Compact64
    } else {
        Self::Compact32
    };

    /// The class of a target: a Rust target triple, a processor's name as the first part of one, or `compact64` or
    /// `compact32`.
    pub fn of_target(target: &str) -> Option<Self> {
        let processor = target.split('-').next().unwrap_or_default();
        let starts = |names: &[&str]| names.iter().any(|name| processor.starts_with(name));
        // Big-endian machines would need another encoding.
        if starts(&[
            "aarch64_be",
            "armeb",
            "armebv7r",
            "thumbeb",
            "mips",
            "powerpc",
            "s390x",
            "sparc",
        ]) {
            return None;
        }
        if starts(&[
            "x86_64",
            "aarch64",
            "arm64",
            "riscv64",
            "loongarch64",
            "compact64",
        ]) {
            return Some(Self::Compact64);
        }
        let narrow = [
            "i586",
            "i686",
            "arm",
            "thumb",
            "riscv32",
            "xtensa",
            "compact32",
        ];
        starts(&narrow).then_some(Self::Compact32)
    }

    #[cfg(feature = "compile")]
    pub(super) fn is_wide(self) -> bool {
        self == Self::Compact64
    }

    fn number(self) -> u32 {
        match self {
            Self::Compact64 => 1,
            Self::Compact32 => 2,
        }
    }

    fn from_number(number: u32) -> Option<Self> {
        [Self::Compact64, Self::Compact32]
            .into_iter()
            .find(|class| class.number() == number)
    }
}

impl fmt::Display for ImageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compact64 => "compact64",
            Self::Compact32 => "compact32",
        })
    }
}

/// What a header says.
#[derive(Copy, Clone, Debug)]
pub(super) struct Header {
    pub(super) class: ImageClass,
    pub(super) metered: bool,
    pub(super) deterministic: bool,
    pub(super) len: u32,
    sections: [ByteRange; Section::COUNT],
}

impl Header {
    /// Reads the header of an image that is whole: if `verified`, the checksum is known to be right already, or is to be
    /// trusted. `done` is told which parts of the bytes will not be read again here.
    pub(super) fn read(bytes: &[u8], verified: bool, done: impl Fn(usize, usize)) -> Result<Self> {
        let len = whole(bytes)?;
        let image = &bytes[..len as usize];
        if !verified && checksum(image, done) != long(image, CHECKSUM) {
            bail!("the image is damaged: its checksum is wrong");
        }
        let format = word(image, 8);
        if format != FORMAT {
            bail!(
                "the image has version {format} of the format, and this teff reads version {FORMAT}: compile the module again"
            );
        }
        let set = long(image, 16);
        if set != INSTRUCTION_SET {
            bail!(
                "the image has code of another version of teff (instruction set {set:016x}, here {INSTRUCTION_SET:016x}): \
                 compile the module again"
            );
        }
        let class = word(image, 12);
        let Some(class) = ImageClass::from_number(class) else {
            bail!("the image has code of a class that this teff does not know ({class})");
        };
        let mut sections = [ByteRange::default(); Section::COUNT];
        for (section, at) in sections.iter_mut().zip((FIXED as u32..).step_by(8)) {
            let (start, section_len) = (word(image, at), word(image, at + 4));
            let inside = start.checked_add(section_len).is_some_and(|end| end <= len);
            if !inside || !(start as usize).is_multiple_of(ALIGN) || (start as usize) < HEADER {
                bail!("{INCONSISTENT}");
            }
            *section = ByteRange {
                start,
                len: section_len,
            };
        }
        Ok(Self {
            class,
            metered: word(image, 36) & METERED != 0,
            deterministic: word(image, 36) & DETERMINISTIC != 0,
            len,
            sections,
        })
    }

    pub(super) fn section(&self, section: Section) -> ByteRange {
        self.sections[section as usize]
    }

    /// The header of an image with these sections, whose checksum is missing yet.
    #[cfg(feature = "compile")]
    pub(super) fn new(
        class: ImageClass,
        config: &Config,
        len: u32,
        sections: [ByteRange; Section::COUNT],
    ) -> Self {
        Self {
            class,
            metered: config.is_metered(),
            deterministic: config.is_deterministic(),
            len,
            sections,
        }
    }

    /// Writes the header of an image, and its checksum.
    #[cfg(feature = "compile")]
    pub(super) fn write(&self, image: &mut [u8]) {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let flags = flag(self.metered, METERED) | flag(self.deterministic, DETERMINISTIC);
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &FORMAT.to_le_bytes());
        put(12, &self.class.number().to_le_bytes());
        put(16, &INSTRUCTION_SET.to_le_bytes());
        put(32, &self.len.to_le_bytes());
        put(36, &flags.to_le_bytes());
        for (section, at) in self.sections.iter().zip((FIXED..).step_by(8)) {
            put(at, &section.start.to_le_bytes());
            put(at + 4, &section.len.to_le_bytes());
        }
        let sum = checksum(image, |_, _| ());
        image[CHECKSUM..CHECKSUM + 8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// What is wrong with an image whose checksum is right.
pub(super) const INCONSISTENT: &str = "the image is inconsistent: teff does not make such images, or it was changed and given a new checksum";

/// The length of the image that the bytes begin with, without a signature behind it.
pub(super) fn whole(bytes: &[u8]) -> Result<u32> {
    if !bytes.starts_with(&MAGIC) {
        bail!("not an image: the first bytes are not those that `Module::serialize` writes");
    }
    let have = bytes.len();
    if have < HEADER {
        bail!("the image is truncated: it has {have} bytes, and its header alone takes {HEADER}");
    }
    let len = word(bytes, 32);
    let len_usize = len as usize;
    if len_usize < HEADER {
        bail!("the image is damaged: its length is less than that of its header");
    }
    if have < len_usize {
        bail!("the image is truncated: it has {have} of its {len} bytes");
    }
    let rest = &bytes[len_usize..];
    let signed = rest.len() == SIGNATURE && rest.starts_with(&SIGNATURE_MAGIC);
    if !rest.is_empty() && !signed {
        bail!(
            "the image is damaged: {} bytes follow its end, and they are no signature",
            rest.len()
        );
    }
    Ok(len)
}

/// So many bytes are summed before what was read is given up.
const STEP: usize = 256 << 10;

fn checksum(image: &[u8], done: impl Fn(usize, usize)) -> u64 {
    const { assert!(STEP.is_multiple_of(BLOCK) && CHECKSUM + 8 == BLOCK) };
    let mut sum = Checksum::new();
    let mut first = [0; BLOCK];
    first[..CHECKSUM].copy_from_slice(&image[..CHECKSUM]);
    sum.add(&first);
    let mut at = BLOCK;
    for step in image[BLOCK..].chunks(STEP) {
        sum.add(step);
        done(at, at + step.len());
        at += step.len();
    }
    sum.finish()
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let at = at as u32;
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_targets() {
        for (target, class) in [
            ("x86_64-unknown-linux-gnu", Some(ImageClass::Compact64)),
            ("aarch64-unknown-linux-musl", Some(ImageClass::Compact64)),
            ("riscv64gc-unknown-linux-gnu", Some(ImageClass::Compact64)),
            ("compact64", Some(ImageClass::Compact64)),
            ("armv7-unknown-linux-gnueabihf", Some(ImageClass::Compact32)),
            ("thumbv6m-none-eabi", Some(ImageClass::Compact32)),
            ("thumbv8m.main-none-eabihf", Some(ImageClass::Compact32)),
            ("riscv32imc-unknown-none-elf", Some(ImageClass::Compact32)),
            ("compact32", Some(ImageClass::Compact32)),
            ("aarch64_be-unknown-linux-gnu", None),
            ("s390x-unknown-linux-gnu", None),
            ("wasm32-wasip1", None),
            ("", None),
        ] {
            assert_eq!(ImageClass::of_target(target), class, "{target}");
        }
    }
}
