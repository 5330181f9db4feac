//! The bytes of a module, and parts of them.

use alloc::{boxed::Box, vec::Vec};
use core::ops::{Deref, Range};

use crate::{Result, error::bail};

/// The bytes of a module.
pub(crate) enum Bytes {
    #[cfg(feature = "compile")]
    Owned(Box<[u8]>),
    /// A copy of so many bytes, at an address that is a multiple of 8.
    Aligned(Box<[u64]>, usize),
    Static(&'static [u8]),
    #[cfg(all(feature = "std", unix))]
    Mapped(crate::sys::FileMap),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            #[cfg(feature = "compile")]
            Self::Owned(bytes) => bytes,
            // SAFETY: the words are as many as it takes for the bytes, and any bytes are.
            Self::Aligned(words, len) => unsafe {
                core::slice::from_raw_parts(words.as_ptr().cast(), *len)
            },
            Self::Static(bytes) => bytes,
            #[cfg(all(feature = "std", unix))]
            Self::Mapped(map) => map,
        }
    }
}

impl Bytes {
    /// A copy at an address that is a multiple of 8.
    pub(crate) fn aligned(bytes: &[u8]) -> Result<Self> {
        let mut words = Vec::<u64>::new();
        let count = bytes.len().div_ceil(8);
        if words.try_reserve_exact(count).is_err() {
            bail!("out of memory: cannot copy {} bytes", bytes.len());
        }
        let (whole, rest) = bytes.as_chunks::<8>();
        words.extend(whole.iter().map(|word| u64::from_ne_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            words.push(u64::from_ne_bytes(word));
        }
        Ok(Self::Aligned(words.into(), bytes.len()))
    }

    /// The bytes of a file, which is mapped.
    ///
    /// # Safety
    /// The file must not change as long as these exist.
    #[cfg(all(feature = "std", unix))]
    pub(crate) unsafe fn map(path: &std::path::Path) -> Result<Self> {
        let map = std::fs::File::open(path).and_then(|file| {
            // SAFETY: the caller promises that the file does not change.
            unsafe { crate::sys::FileMap::of(&file) }
        });
        let map = map.map_err(|error| {
            crate::Error::from(error)
                .context(format_args!("cannot map the file `{}`", path.display()))
        })?;
        Ok(Self::Mapped(map))
    }

    /// The same for a file that is open already.
    ///
    /// # Safety
    /// The file must not change as long as these exist.
    #[cfg(all(feature = "std", unix))]
    pub(crate) unsafe fn map_open(file: &std::fs::File) -> Result<Self> {
        // SAFETY: the caller promises that the file does not change.
        let map = unsafe { crate::sys::FileMap::of(file) }
            .map_err(|error| crate::Error::from(error).context("cannot map the open file"))?;
        Ok(Self::Mapped(map))
    }

    /// These bytes are not needed soon. Nothing is lost.
    pub(crate) fn release(&self, _range: Range<usize>) {
        #[cfg(all(feature = "std", unix))]
        if let Self::Mapped(map) = self {
            map.release(_range);
        }
    }
}

/// A part of the module's bytes.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct ByteRange {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl ByteRange {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.len as usize]
    }

    /// A name. The parser has checked that it is UTF-8.
    pub(super) fn name_in(self, bytes: &[u8]) -> &str {
        core::str::from_utf8(self.of(bytes)).unwrap_or_default()
    }
}
