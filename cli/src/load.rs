//! From a path to a module: mapped if it is a binary file, converted if it is text, read if it is
//! standard input or a pipe.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use teff_runtime::{Engine, Module};
use wasmparser::{Parser, Payload};

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
}

impl Source {
    /// Finds out what `path` is, and reads and converts it unless it can be mapped.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let content = if path == Path::new("-") {
            let mut bytes = Vec::new();
            io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|e| unreadable(path, &e))?;
            Content::Bytes(to_binary(path, bytes)?)
        } else if is_binary_file(path).map_err(|e| unreadable(path, &e))? {
            Content::File
        } else {
            let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
            Content::Bytes(to_binary(path, bytes)?)
        };
        Ok(Self {
            path: path.into(),
            content,
        })
    }

    /// The module, for running.
    pub(crate) fn module(&self, engine: &Engine) -> Result<Module> {
        let module = match &self.content {
            Content::File => map(engine, &self.path),
            Content::Bytes(bytes) => Module::new(engine, bytes),
        };
        module.map_err(|e| Failure::message(format!("{} is not valid: {e}", self.path.display())))
    }

    /// Does the module have a start function, which instantiation runs?
    pub(crate) fn has_start_function(&self) -> Result<bool> {
        let binary = self.binary()?;
        let mut sections = Parser::new(0).parse_all(&binary);
        Ok(sections.any(|section| matches!(section, Ok(Payload::StartSection { .. }))))
    }

    /// The bytes, for looking into.
    pub(crate) fn binary(&self) -> Result<Cow<'_, [u8]>> {
        match &self.content {
            Content::File => match fs::read(&self.path) {
                Ok(bytes) => Ok(bytes.into()),
                Err(e) => Err(unreadable(&self.path, &e)),
            },
            Content::Bytes(bytes) => Ok(bytes.into()),
        }
    }
}

fn map(engine: &Engine, path: &Path) -> teff_runtime::Result<Module> {
    // SAFETY: that the file is not changed while it is mapped is up to who runs teff, as it is with
    // every program that the system maps.
    unsafe { Module::from_mapped_file(engine, path) }
}

/// Is it a regular file that starts as a binary does? Pipes are not touched.
fn is_binary_file(path: &Path) -> io::Result<bool> {
    if !fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    File::open(path)?
        .take(MAGIC.len() as u64)
        .read_to_end(&mut start)?;
    Ok(start == MAGIC)
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
