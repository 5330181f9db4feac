//! What a container is to run: `path.wasm`, `path.wasm#function`, or `#function` of the container's own module. Knows the
//! root file system, which is this process' root by then.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

/// The first bytes of a Wasm binary.
const MAGIC: &[u8] = b"\0asm";

/// A program to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path as it was written; empty for the container's own module.
    pub(crate) name: String,
    /// The export to call instead of `_start`.
    pub(crate) function: Option<String>,
}

/// What was found under a name.
pub(crate) enum Found {
    /// A binary.
    Binary(File),
    /// A module as text.
    Text(File),
    /// A program of Linux: its path.
    Native(PathBuf),
    /// Nothing.
    Missing,
}

impl Entry {
    pub(crate) fn parse(argument: &str) -> Self {
        match argument.rsplit_once('#') {
            Some((name, function)) if !function.is_empty() => Self {
                name: name.into(),
                function: Some(function.into()),
            },
            _ => Self {
                name: argument.into(),
                function: None,
            },
        }
    }

    /// Is it a module as text, by its name? (What converts it must be started before the node's programs are out of
    /// reach.)
    pub(crate) fn is_text(&self) -> bool {
        Path::new(&self.name)
            .extension()
            .is_some_and(|extension| extension == "wat")
    }

    /// Looks for it, as a shell would: names with a slash from the working directory, others there and along PATH.
    pub(crate) fn find(&self, cwd: &Path, path: &str) -> io::Result<Found> {
        let cwd = Path::new("/").join(cwd);
        let mut places = vec![cwd.join(&self.name)];
        if !self.name.contains('/') {
            places.extend(
                path.split(':')
                    .filter(|dir| !dir.is_empty())
                    .map(|dir| Path::new(dir).join(&self.name)),
            );
        }
        for place in places {
            if !place.is_file() {
                continue;
            }
            let named = |e: io::Error| io::Error::other(format!("{}: {e}", place.display()));
            let mut file = File::open(&place).map_err(named)?;
            let mut start = Vec::new();
            (&mut file).take(4).read_to_end(&mut start).map_err(named)?;
            file.rewind().map_err(named)?;
            return Ok(match start.as_slice() {
                MAGIC => Found::Binary(file),
                _ if self.is_text() => Found::Text(file),
                _ => Found::Native(place),
            });
        }
        Ok(Found::Missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_functions() {
        for (argument, name, function) in [
            ("/app.wasm", "/app.wasm", None),
            ("/app.wasm#run", "/app.wasm", Some("run")),
            ("#probe", "", Some("probe")),
            ("app#1.wasm#run", "app#1.wasm", Some("run")),
            ("app#", "app#", None),
        ] {
            let entry = Entry::parse(argument);
            assert_eq!(
                (entry.name.as_str(), entry.function.as_deref()),
                (name, function),
                "{argument}"
            );
        }
        assert!(Entry::parse("/a.wat#f").is_text());
    }
}
