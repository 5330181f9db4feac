//! Images: modules that are validated and translated already, as files and as bytes in flash.
//!
//! An image is what [`Module::serialize`] writes. Its code is compact, which is position independent, and runs where
//! the image lies: nothing of it is copied or changed.
//!
//! `format` is the header with its versions and its checksum, `description` the types, imports and exports,
//! `write` makes images, `sign` signs them, `read` makes modules of them. What an image has besides (constant expressions, segments, names)
//! is encoded as in Wasm binaries, and read by `module`.

mod checksum;
mod description;
mod format;
mod read;
#[cfg(feature = "signatures")]
mod sign;
#[cfg(feature = "compile")]
mod write;

#[cfg(any(feature = "std", feature = "compile"))]
use alloc::vec::Vec;

pub use format::ImageClass;
#[cfg(feature = "signatures")]
pub use sign::{SigningKey, TrustedKey};

use format::{Header, MAGIC, SIGNATURE, SIGNATURE_MAGIC, Section};

use crate::{Engine, Module, Result, error::bail, module::Bytes};

/// The code of an image has numbers of function types: see `FuncType::natural_number`. Only types of nine parameters and
/// results or more can come in each other's way, and hardly ever do.
const TAKEN: &str = "a function type of the module has a number that another type has in this engine already: use another engine";

/// What precompiled bytes are: see [`Engine::detect_precompiled`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precompiled {
    /// The image of a module.
    Module,
}

/// What the header of an image says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageInfo {
    /// The machines that it is for.
    pub class: ImageClass,
    /// Can it be limited by fuel and epochs?
    pub metered: bool,
    /// Are its results the same to the bit on every machine ([`Config::deterministic`](crate::Config::deterministic))?
    pub deterministic: bool,
    /// Bytes of the image, without a signature.
    pub len: usize,
    /// Bytes of register code.
    pub code: usize,
    /// Bytes of names, constant expressions and segments.
    pub data: usize,
    /// Bytes of functions' names.
    pub names: usize,
    /// The public key that the signature says it is of, if there is one. It was not checked.
    pub signer: Option<[u8; 32]>,
}

impl ImageInfo {
    /// Reads the header of an image.
    ///
    /// # Errors
    /// If the bytes are no image, if the image is damaged, or if it was made by another version of teff.
    pub fn read(image: &[u8]) -> Result<Self> {
        let header = Header::read(image, false, |_, _| ())?;
        let len = header.len as usize;
        let bytes_of = |section| header.section(section).len as usize;
        Ok(Self {
            class: header.class,
            metered: header.metered,
            deterministic: header.deterministic,
            len,
            code: bytes_of(Section::Code),
            data: bytes_of(Section::Data),
            names: bytes_of(Section::Names),
            signer: (image.len() == len + SIGNATURE)
                .then(|| image[len + SIGNATURE_MAGIC.len()..].first_chunk().copied())
                .flatten(),
        })
    }
}

impl Engine {
    /// Do the bytes begin as an image does? Only the first eight are looked at.
    pub fn detect_precompiled(bytes: &[u8]) -> Option<Precompiled> {
        bytes.starts_with(&MAGIC).then_some(Precompiled::Module)
    }

    /// Does the file begin as an image does?
    ///
    /// # Errors
    /// If the file cannot be read.
    #[cfg(feature = "std")]
    pub fn detect_precompiled_file(
        path: impl AsRef<std::path::Path>,
    ) -> Result<Option<Precompiled>> {
        use std::io::Read;
        let path = path.as_ref();
        let mut start = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start))
            .map_err(|error| {
                crate::Error::from(error).context(format_args!("cannot read `{}`", path.display()))
            })?;
        Ok(Self::detect_precompiled(&start))
    }

    /// The image of a module in the binary format: see [`Module::serialize`].
    ///
    /// # Errors
    /// As [`Module::new`] and [`Module::serialize`].
    #[cfg(feature = "compile")]
    pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        Module::new(self, bytes)?.serialize()
    }
}

impl Module {
    /// Translates all of the module, and gives it as an image: bytes that [`Module::deserialize`] and its kin make the
    /// module of again, without validation and translation.
    ///
    /// The code is compact, and for the machines of [`Config::target`](crate::Config::target). It is metered, and
    /// deterministic, if the engine's is. Other options of the engine do not matter. The same module gives the same image.
    ///
    /// The image of a module that came out of an image is that image, without a signature.
    ///
    /// # Errors
    /// If a function is invalid ([`CompilationMode::Lazy`](crate::CompilationMode::Lazy)) or cannot be
    /// translated; and for a module of an image, if the target is of another class.
    #[cfg(feature = "compile")]
    pub fn serialize(&self) -> Result<Vec<u8>> {
        write::write(self.inner(), self.engine().config().image_class).map_err(write::failed)
    }

    /// The module of an image, which is copied.
    ///
    /// # Errors
    /// If the bytes are no image, if the image is damaged or truncated, if another version of teff made it, if it is for
    /// other machines, or if it does not fit the engine: that must run compact code
    /// ([`CodeForm::Compact`](crate::CodeForm::Compact) or [`Backend::Loop`](crate::Backend::Loop)), and must not be
    /// metered unless the image is.
    ///
    /// # Safety
    /// An image is code, and what it does is not checked: a checksum finds accidents, no attackers. The bytes must be
    /// what [`Module::serialize`] gave, unchanged: because they come from a place that only you write to, or because you
    /// checked a signature. What does not satisfy this can do anything that this process can.
    ///
    /// `Module::deserialize_signed` checks a signature and is safe.
    pub unsafe fn deserialize(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Self> {
        Self::of_image(engine, Bytes::aligned(bytes.as_ref())?)
    }

    /// The module of an image that lies in memory as long as the program runs, in flash for example. Nothing is copied:
    /// the code runs where it is.
    ///
    /// # Errors
    /// As [`Module::deserialize`], and if the bytes do not begin at an address that is a multiple of 8.
    ///
    /// # Safety
    /// As for [`Module::deserialize`].
    pub unsafe fn deserialize_static(engine: &Engine, bytes: &'static [u8]) -> Result<Self> {
        Self::of_image(engine, Bytes::Static(bytes))
    }

    /// The module of an image in a file, which is mapped and not copied: all processes that run it share its pages.
    ///
    /// # Errors
    /// As [`Module::deserialize`], and if the file cannot be mapped.
    ///
    /// # Safety
    /// As for [`Module::deserialize`]; and the file must not change as long as the module, a clone of it or an
    /// instance is in use.
    #[cfg(all(feature = "std", unix))]
    pub unsafe fn deserialize_file(
        engine: &Engine,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Self> {
        // SAFETY: the caller promises that the file does not change.
        Self::of_image(engine, unsafe { Bytes::map(path.as_ref())? })
    }

    /// The same for a file that is open already. It may be closed afterwards.
    ///
    /// # Errors
    /// As [`Module::deserialize_file`].
    ///
    /// # Safety
    /// As for [`Module::deserialize_file`].
    #[cfg(all(feature = "std", unix))]
    pub unsafe fn deserialize_open_file(engine: &Engine, file: &std::fs::File) -> Result<Self> {
        // SAFETY: the caller promises that the file does not change.
        Self::of_image(engine, unsafe { Bytes::map_open(file)? })
    }

    fn of_image(engine: &Engine, bytes: Bytes) -> Result<Self> {
        if u32::try_from(bytes.len()).is_err() {
            bail!(
                "the image has {} bytes, but at most {} are supported",
                bytes.len(),
                u32::MAX
            );
        }
        read::read(engine, bytes).map(Self::from_inner)
    }
}
