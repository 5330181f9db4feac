//! What was changed on a node, kept there so that it can be undone: `/var/lib/teff/install.json`, and beside it what files
//! were before. Knows nothing of what the files are for.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Node;
use super::change::{Change, put, sha256};

/// The folder.
pub(crate) const FOLDER: &str = "/var/lib/teff";

/// All that was changed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The version that is installed.
    pub(crate) version: String,
    /// The files, in the order in which they were first changed.
    pub(crate) files: Vec<Entry>,
    /// containerd has not been started since its configuration was changed.
    pub(crate) restart: bool,
}

/// A file that was changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    /// Where the file is kept as it was, if there was one.
    pub(crate) before: Option<PathBuf>,
    /// Its permissions then.
    mode: u32,
    /// The SHA-256 of what was written.
    pub(crate) after: String,
    /// What is in the file beside our lines, if we made it.
    pub(crate) skeleton: Option<String>,
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Program,
    Config,
}

/// Keeps others from changing the node at the same time.
pub(crate) struct Lock {
    folder: PathBuf,
    _file: File,
}

impl Record {
    fn path() -> PathBuf {
        Path::new(FOLDER).join("install.json")
    }

    /// The node's record, if it has one.
    pub(crate) fn load(node: &Node) -> Result<Option<Self>> {
        let path = Self::path();
        let Some(bytes) = node.read(&path)? else {
            return Ok(None);
        };
        let record = serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
        Ok(Some(record))
    }

    /// Writes it down.
    pub(crate) fn save(&self, node: &Node) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        put(node, &Self::path(), Some(text.as_bytes()), 0o600)
    }

    /// Removes it with all that it kept.
    pub(crate) fn remove(node: &Node) -> Result<()> {
        let folder = node.path(Path::new(FOLDER));
        for name in ["before", "install.json"] {
            let path = folder.join(name);
            let result = match path.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            match result {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| path.display().to_string());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes down a change that is about to be made. `original` is what the file would be without us.
    pub(crate) fn note(
        &mut self,
        node: &Node,
        change: &Change,
        kind: Kind,
        original: Option<&[u8]>,
        skeleton: Option<String>,
    ) -> Result<()> {
        let Some(after) = &change.after else {
            return Ok(());
        };
        let after = sha256(after);
        let unchanged = change.before.as_deref().map(sha256);
        if let Some(entry) = self
            .files
            .iter_mut()
            .find(|entry| entry.path == change.path)
        {
            // As we left it: what was there before us is known already.
            if unchanged.as_ref() == Some(&entry.after) {
                entry.after = after;
                return Ok(());
            }
        }
        let before = match original {
            Some(bytes) => {
                let path = Path::new(FOLDER).join("before").join(sha256(bytes));
                put(node, &path, Some(bytes), 0o600)?;
                Some(path)
            }
            None => None,
        };
        let mode =
            fs::metadata(node.path(&change.path)).map(|metadata| metadata.permissions().mode());
        let mode = mode.unwrap_or(change.mode) & 0o7777;
        let skeleton = skeleton.filter(|_| original.is_none());
        let entry = Entry {
            path: change.path.clone(),
            kind,
            before,
            mode,
            after,
            skeleton,
        };
        match self
            .files
            .iter_mut()
            .find(|entry| entry.path == change.path)
        {
            Some(old) => *old = entry,
            None => self.files.push(entry),
        }
        Ok(())
    }

    /// Only one at a time.
    pub(crate) fn lock(node: &Node) -> Result<Lock> {
        let folder = node.path(Path::new(FOLDER));
        let path = folder.join("lock");
        let named = || format!("{FOLDER}/lock");
        loop {
            fs::create_dir_all(&folder).with_context(named)?;
            let file = File::create(&path).with_context(named)?;
            file.lock().with_context(named)?;
            // Whoever had it before may have removed it, and then it keeps nobody else out.
            let (own, there) = (file.metadata().with_context(named)?, fs::metadata(&path));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())) {
                return Ok(Lock {
                    folder,
                    _file: file,
                });
            }
        }
    }
}

impl Drop for Lock {
    /// Where nothing is installed, nothing is left.
    fn drop(&mut self) {
        if !self.folder.join("install.json").exists() {
            let _ = fs::remove_file(self.folder.join("lock"));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

impl Entry {
    /// The change back to what was there before us.
    pub(crate) fn back(&self, node: &Node) -> Result<Change> {
        let before = match &self.before {
            Some(path) => Some(node.read(path)?.with_context(|| {
                format!(
                    "{}: what {} was before is not there any more",
                    path.display(),
                    self.path.display()
                )
            })?),
            None => None,
        };
        Change::of(node, &self.path, before, self.mode)
    }
}
