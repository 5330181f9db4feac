//! Files that commands write.

use std::fs;
use std::io;
use std::path::Path;

use crate::failure::{Failure, Result};

/// Writes all or nothing. What is no regular file, such as a device, is written to as it is.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_or_replace(path, content)
        .map_err(|e| Failure::message(format!("cannot write {}: {e}", path.display())))
}

fn write_or_replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, content);
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = fs::write(&new, content).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Perhaps it was never made.
        let _ = fs::remove_file(&new);
    }
    written
}
