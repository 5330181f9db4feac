//! Reading and writing the small files of a cgroup, with errors that name the file and the value. Knows nothing of what
//! the files mean.

use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The text of a file.
pub(super) fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map_err(|e| named(&e, format_args!("reading {}", path.display())))
}

/// The text of a file of a directory, or nothing if it cannot be read: the kernel has no such file where the controller
/// is not enabled, or is too old for it.
pub(super) fn look(dir: &Path, file: &str) -> Option<String> {
    fs::read_to_string(dir.join(file)).ok()
}

/// Writes a value to a file that is there already. One call of write(2), as these files need it.
pub(super) fn write(path: &Path, value: impl Display) -> io::Result<()> {
    let value = value.to_string();
    // Not `fs::write`: that would create the file, which a cgroup's file system refuses with a misleading error.
    let written = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()));
    written.map_err(|e| {
        named(
            &e,
            format_args!("writing \"{value}\" to {}", path.display()),
        )
    })
}

/// The same error with what was being done in front, of the same kind.
pub(super) fn named(e: &io::Error, what: impl Display) -> io::Error {
    io::Error::new(e.kind(), format!("{what}: {e}"))
}

/// The number after a word, in a file of lines of a word and a number.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (word, number) = line.split_once(' ')?;
        (word == name).then(|| number.trim().parse().ok())?
    })
}

/// A file of one number. `max` is [`u64::MAX`].
pub(super) fn number(dir: &Path, file: &str) -> Option<u64> {
    match look(dir, file)?.trim() {
        "max" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_whole_word() {
        let text = "total_cache 7\ncache 5\n";
        assert_eq!(field(text, "cache"), Some(5));
        assert_eq!(field(text, "total_cache"), Some(7));
        assert_eq!(field(text, "total"), None);
        assert_eq!(field("cache x\n", "cache"), None);
    }

    #[test]
    fn errors_name_the_file_and_the_value() {
        let missing = Path::new("/proc/self/no-such-file");
        let e = write(missing, 17).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::NotFound);
        let text = e.to_string();
        assert!(text.contains("\"17\"") && text.contains("no-such-file"));
        assert!(
            read(missing)
                .unwrap_err()
                .to_string()
                .contains("no-such-file")
        );
    }
}
