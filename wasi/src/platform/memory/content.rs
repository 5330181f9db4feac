//! The bytes of a file: its own, or those of whoever gave them, until somebody writes.

use alloc::vec::Vec;

use crate::types::Errno;

/// What is in a file.
#[derive(Debug)]
pub(super) enum Content {
    /// Its own bytes.
    Owned(Vec<u8>),
    /// Bytes that are there for ever, such as those of the program's own image.
    Static(&'static [u8]),
}

impl Default for Content {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// How many bytes of memory it takes.
    pub(super) fn cost(&self) -> u64 {
        match self {
            Self::Owned(bytes) => bytes.len() as u64,
            Self::Static(_) => 0,
        }
    }

    /// Its own bytes, copied now if they were not, with room for `len` of them.
    pub(super) fn make_mut(&mut self, len: usize) -> Result<&mut Vec<u8>, Errno> {
        if let Self::Static(bytes) = self {
            let mut own = Vec::new();
            reserve(&mut own, len.max(bytes.len()))?;
            own.extend_from_slice(bytes);
            *self = Self::Owned(own);
        }
        match self {
            Self::Owned(bytes) => {
                reserve(bytes, len)?;
                Ok(bytes)
            }
            Self::Static(_) => Err(Errno::Io),
        }
    }

    /// Makes it as long as this; what is added is zeros.
    pub(super) fn set_len(&mut self, len: usize) -> Result<(), Errno> {
        match self {
            Self::Static(bytes) if len <= bytes.len() => *bytes = &bytes[..len],
            Self::Owned(bytes) if len <= bytes.len() => {
                bytes.truncate(len);
                // What is no longer needed goes back, unless that is little.
                if bytes.capacity() / 2 > len {
                    bytes.shrink_to_fit();
                }
            }
            _ => self.make_mut(len)?.resize(len, 0),
        }
        Ok(())
    }
}

/// Makes room for `len` bytes in all: more than that, if there is as much, for what will be written next.
fn reserve(bytes: &mut Vec<u8>, len: usize) -> Result<(), Errno> {
    let more = len.saturating_sub(bytes.len());
    bytes
        .try_reserve(more)
        .or_else(|_| bytes.try_reserve_exact(more))
        .map_err(|_| Errno::Nospc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_copied_when_they_must_be() {
        let mut content = Content::Static(b"abcdef");
        content.set_len(4).unwrap();
        assert!(matches!(content, Content::Static(b"abcd")));
        assert_eq!(content.cost(), 0);
        content.make_mut(5).unwrap()[0] = b'x';
        assert_eq!((content.bytes(), content.cost()), (&b"xbcd"[..], 4));
        let mut content = Content::Static(b"ab");
        content.set_len(4).unwrap();
        assert_eq!(content.bytes(), b"ab\0\0");
        content.set_len(1).unwrap();
        content.set_len(3).unwrap();
        assert_eq!(content.bytes(), b"a\0\0");
    }

    #[test]
    fn memory_goes_back_and_too_much_is_refused() {
        let mut content = Content::Owned(alloc::vec![1; 1000]);
        content.set_len(10).unwrap();
        assert!(matches!(&content, Content::Owned(bytes) if bytes.capacity() < 100));
        assert_eq!(content.set_len(usize::MAX), Err(Errno::Nospc));
        assert_eq!(content.len(), 10);
    }
}
