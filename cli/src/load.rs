//! From a path to a module: mapped if it is a binary file or an image, converted if it is text, read if it is
//! standard input or a pipe.

use std::borrow::Cow;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use teff_runtime::{CodeForm, Config, Engine, Module, TrustedKey};

use crate::failure::{Failure, Result};

/// The first bytes of every Wasm binary.
const MAGIC: &[u8] = b"\0asm";

/// A module's bytes: in a file, or already here.
pub(crate) struct Source {
    path: PathBuf,
    content: Content,
}

enum Content {
    /// A regular file with a binary.
    File,
    /// A binary.
    Bytes(Vec<u8>),
    /// A regular file with an image.
    ImageFile,
    /// An image.
    Image(Vec<u8>),
}

impl Source {
    /// Finds out what `path` is, and reads and converts it unless it can be mapped.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let content = if path == Path::new("-") {
            let mut bytes = Vec::new();
            io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|e| unreadable(path, &e))?;
            Content::of(path, bytes)?
        } else {
            match kind_of_file(path).map_err(|e| unreadable(path, &e))? {
                Some(Kind::Binary) => Content::File,
                Some(Kind::Image) => Content::ImageFile,
                None => Content::of(path, fs::read(path).map_err(|e| unreadable(path, &e))?)?,
            }
        };
        Ok(Self {
            path: path.into(),
            content,
        })
    }

    /// The module, for running.
    pub(crate) fn module(&self, engine: &Engine) -> Result<Module> {
        let path = &self.path;
        let module = match &self.content {
            // SAFETY: that the file is not changed while it is mapped is up to who runs teff, as it is with
            // every program that the system maps.
            Content::File => unsafe { Module::from_mapped_file(engine, path) },
            Content::Bytes(bytes) => Module::new(engine, bytes),
            // SAFETY: as above; and an image is a program, which nobody runs by way of teff who would not run it
            // otherwise: the help says so.
            Content::ImageFile => unsafe { Module::deserialize_file(engine, path) },
            // SAFETY: as above.
            Content::Image(bytes) => unsafe { Module::deserialize(engine, bytes) },
        };
        module.map_err(|e| self.failure(e))
    }

    /// Is it an image, as `teff compile` makes them?
    pub(crate) fn is_image(&self) -> bool {
        matches!(self.content, Content::ImageFile | Content::Image(_))
    }

    /// An engine that can load it.
    pub(crate) fn engine(&self) -> Result<Engine> {
        let mut config = Config::new();
        if self.is_image() {
            config.code_form(CodeForm::Compact);
        }
        Engine::new(&config).map_err(Failure::message)
    }

    /// The module of an image that is signed by `key`, and of nothing else.
    pub(crate) fn signed_module(&self, engine: &Engine, key: &TrustedKey) -> Result<Module> {
        if !self.is_image() {
            return Err(Failure::message(format!(
                "--trusted-key: {} is no image, so nobody has signed it: see `teff compile --sign`",
                self.path.display()
            )));
        }
        Module::deserialize_signed(engine, self.binary()?, key).map_err(|e| self.failure(e))
    }

    /// What is wrong with it.
    pub(crate) fn failure(&self, error: impl Display) -> Failure {
        let problem = if self.is_image() {
            "cannot be loaded"
        } else {
            "is not valid"
        };
        Failure::message(format!("{} {problem}: {error}", self.path.display()))
    }

    /// The bytes, for looking into.
    pub(crate) fn binary(&self) -> Result<Cow<'_, [u8]>> {
        match &self.content {
            Content::File | Content::ImageFile => match fs::read(&self.path) {
                Ok(bytes) => Ok(bytes.into()),
                Err(e) => Err(unreadable(&self.path, &e)),
            },
            Content::Bytes(bytes) | Content::Image(bytes) => Ok(bytes.into()),
        }
    }
}

impl Content {
    /// Binaries and images as they are, text converted.
    fn of(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        if Kind::of(&bytes) == Some(Kind::Image) {
            return Ok(Self::Image(bytes));
        }
        to_binary(path, bytes).map(Self::Bytes)
    }
}

/// What the first bytes tell.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Kind {
    Binary,
    Image,
}

impl Kind {
    fn of(start: &[u8]) -> Option<Self> {
        if start.starts_with(MAGIC) {
            return Some(Self::Binary);
        }
        Engine::detect_precompiled(start).map(|_| Self::Image)
    }
}

/// What a regular file is that is neither text nor anything else. Pipes are not touched.
fn kind_of_file(path: &Path) -> io::Result<Option<Kind>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut start = Vec::new();
    File::open(path)?.take(8).read_to_end(&mut start)?;
    Ok(Kind::of(&start))
}

/// Binaries as they are, text converted.
fn to_binary(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.starts_with(MAGIC) {
        return Ok(bytes);
    }
    let shown = path.display();
    let is_text = path.extension().is_some_and(|extension| extension == "wat");
    if !is_text && !wat::Detect::from_bytes(&bytes).is_wasm() {
        return Err(Failure::message(format!(
            "{shown} is no WebAssembly module: it is neither binary nor text"
        )));
    }
    match wat::parse_bytes(&bytes) {
        Ok(binary) => Ok(binary.into_owned()),
        Err(e) => Err(Failure::message(text_error(path, e))),
    }
}

/// `wat`'s error on one line: it prints the message, then the place, then the source.
fn text_error(path: &Path, mut error: wat::Error) -> String {
    error.set_path(path);
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default();
    match text
        .lines()
        .find_map(|line| line.trim().strip_prefix("--> "))
    {
        Some(place) => format!("{place}: {message}"),
        None => message.to_string(),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::message(format!("cannot read {}: {error}", path.display()))
}
