//! A process, as /proc shows it.

use std::fs;

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(pub i32);

impl Process {
    /// All there are.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.map(Self).collect()
    }

    /// A file of it; empty if it has gone.
    pub fn file(self, name: &str) -> String {
        let bytes = fs::read(format!("/proc/{}/{name}", self.0)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A line of its `status`, `smaps_rollup` or another file of that form, without unit.
    pub fn value(self, file: &str, key: &str) -> Option<String> {
        let text = self.file(file);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        Some(line?.trim().trim_end_matches(" kB").to_owned())
    }

    /// The words that it was started with.
    pub fn words(self) -> Vec<String> {
        let line = self.file("cmdline");
        line.split_terminator('\0').map(Into::into).collect()
    }

    /// Its parent.
    pub fn parent(self) -> Option<Self> {
        self.value("status", "PPid")?.parse().ok().map(Self)
    }

    /// Is it there, and not only waited for?
    pub fn lives(self) -> bool {
        self.value("status", "State")
            .is_some_and(|state| !state.starts_with('Z'))
    }

    /// Its end, at once.
    pub fn kill(self) {
        // SAFETY: kill has no preconditions.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }
}
