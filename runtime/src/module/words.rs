//! Lists of numbers: in memory, or in the module's bytes if they are an image.

use alloc::vec::Vec;

use super::ByteRange;

/// The little-endian number at a position of the bytes.
pub(crate) fn word(bytes: &[u8], position: u32) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[position as usize..position as usize + 4]);
    u32::from_le_bytes(word)
}

/// A list of numbers, one for each function of a module: what is in an image takes no memory.
#[derive(Debug)]
pub(crate) enum Words {
    Owned(Vec<u32>),
    /// Little-endian, four bytes each.
    Placed(ByteRange),
}

impl Default for Words {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

impl Words {
    pub(crate) fn len(&self) -> u32 {
        match self {
            Self::Owned(words) => words.len() as u32,
            Self::Placed(range) => range.len / 4,
        }
    }

    /// Makes room for so many more.
    #[cfg(feature = "compile")]
    pub(crate) fn reserve_exact(&mut self, more: usize) {
        if let Self::Owned(words) = self {
            words.reserve_exact(more);
        }
    }

    /// Adds a number to those in memory.
    #[cfg(feature = "compile")]
    pub(crate) fn push(&mut self, word: u32) -> u32 {
        let index = self.len();
        match self {
            Self::Owned(words) => words.push(word),
            Self::Placed(_) => unreachable!("an image has all of them"),
        }
        index
    }

    pub(crate) fn get(&self, bytes: &[u8], index: u32) -> u32 {
        match self {
            Self::Owned(words) => words[index as usize],
            Self::Placed(range) => word(range.of(bytes), index * 4),
        }
    }

    /// Bytes of memory that it takes for each number.
    pub(crate) fn bytes_each(&self) -> usize {
        match self {
            Self::Owned(_) => 4,
            Self::Placed(_) => 0,
        }
    }
}
