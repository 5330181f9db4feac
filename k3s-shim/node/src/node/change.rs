//! Files before and after: shown as a diff, written so that nobody sees half a file, and put back if something fails.
//! Knows nothing of what is in them.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use similar::TextDiff;

use super::Node;

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its path on the node.
    pub(crate) path: PathBuf,
    /// Its bytes, if it is there.
    pub(crate) before: Option<Vec<u8>>,
    /// Its bytes afterwards, if it is to be there.
    pub(crate) after: Option<Vec<u8>>,
    /// Its permissions, if it is new.
    pub(crate) mode: u32,
}

impl Change {
    /// A change of a file that is as it is now. Links are refused: what they stand for is somebody else's.
    pub(crate) fn of(node: &Node, path: &Path, after: Option<Vec<u8>>, mode: u32) -> Result<Self> {
        if node
            .path(path)
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_symlink())
        {
            bail!(
                "{}: this is a link, and links are not replaced; name the file itself",
                path.display()
            );
        }
        Ok(Self {
            path: path.into(),
            before: node.read(path)?,
            after,
            mode,
        })
    }

    /// Does it change anything?
    pub(crate) fn is_any(&self) -> bool {
        self.before != self.after
    }

    /// For people, in the form that `patch` takes, as far as it is text.
    pub(crate) fn diff(&self) -> String {
        let text = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => std::str::from_utf8(bytes).ok().map(String::from),
            None => Some(String::new()),
        };
        let name = |bytes: &Option<Vec<u8>>| match bytes {
            Some(_) => self.path.display().to_string(),
            None => "/dev/null".into(),
        };
        if let (Some(before), Some(after)) = (text(&self.before), text(&self.after)) {
            let diff = TextDiff::from_lines(&before, &after);
            return diff
                .unified_diff()
                .header(&name(&self.before), &name(&self.after))
                .to_string();
        }
        let size = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => format!("{} bytes, sha256 {}", bytes.len(), &sha256(bytes)[..12]),
            None => "nothing".into(),
        };
        format!(
            "{}: {} -> {}\n",
            self.path.display(),
            size(&self.before),
            size(&self.after)
        )
    }

    /// Makes it so.
    fn apply(&self, node: &Node) -> Result<()> {
        put(node, &self.path, self.after.as_deref(), self.mode)
    }

    /// The change back.
    fn back(&self) -> Self {
        Self {
            before: self.after.clone(),
            after: self.before.clone(),
            ..self.clone()
        }
    }
}

/// Makes all changes, then sees whether the result is accepted; if anything fails, all is as before.
pub(crate) fn apply(
    node: &Node,
    changes: &[Change],
    accepted: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut done = 0;
    let result = changes
        .iter()
        .try_for_each(|change| change.apply(node).inspect(|()| done += 1))
        .and_then(|()| accepted());
    let Err(e) = result else {
        return Ok(());
    };
    for change in changes[..done].iter().rev() {
        if let Err(also) = change.back().apply(node) {
            return Err(e.context(format!("and it could not be undone: {also:#}")));
        }
    }
    Err(e.context("nothing was changed"))
}

/// Writes a file under another name and renames it, or removes it. A file that is there keeps its owner and permissions.
pub(crate) fn put(node: &Node, path: &Path, bytes: Option<&[u8]>, mode: u32) -> Result<()> {
    let at = node.path(path);
    let named = |e: io::Error| anyhow::anyhow!("{}: {e}{}", path.display(), advice(&e));
    let Some(bytes) = bytes else {
        return match fs::remove_file(&at) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(named(e)),
            _ => Ok(()),
        };
    };
    let directory = at
        .parent()
        .with_context(|| format!("{}: this is no file", path.display()))?;
    fs::create_dir_all(directory).map_err(named)?;
    let name = at
        .file_name()
        .with_context(|| format!("{}: this is no file", path.display()))?;
    // Hidden, and not named like the files that folders of drop-ins are searched for.
    let part = directory.join(format!(".{}.part", name.to_string_lossy()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&part)?;
        let mode = match fs::metadata(&at) {
            Ok(old) => {
                std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
                old.permissions().mode()
            }
            Err(_) => mode,
        };
        file.set_permissions(Permissions::from_mode(mode & 0o7777))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, &at)?;
        // The name too is to survive a loss of power.
        File::open(directory)?.sync_all()
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&part);
        named(e)
    })
}

/// What can be done about an error.
fn advice(e: &io::Error) -> &'static str {
    match e.kind() {
        io::ErrorKind::PermissionDenied => " (this needs root)",
        io::ErrorKind::ReadOnlyFilesystem => {
            " (another folder for programs is named with --bin-dir)"
        }
        _ => "",
    }
}

/// The digest of bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
