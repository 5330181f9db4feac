//! Where tests are, and what they are. Knows the layout of the suite and the form of its specifications, which its
//! `doc/specification.md` describes; runs nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The version of WASI that is run, as manifests call it.
const PREVIEW1: &str = "wasm32-wasip1";

/// What a test gets, and what must come of it. Every field can be left out.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Specification {
    /// Arguments, without the program's name.
    pub args: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// A directory beside the test that the program sees as `/`.
    pub root: Option<PathBuf>,
    /// The exit status.
    pub exit_code: i32,
    /// All that it must write to standard output, if that is tested.
    pub stdout: Option<String>,
    /// The same for standard error.
    pub stderr: Option<String>,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its folder, as the suite calls it.
    pub folder: String,
    /// Its name: the file's, without the extension.
    pub name: String,
    /// The program.
    pub wasm: PathBuf,
    /// Its specification; or why it cannot be run as it says.
    pub specification: Result<Specification, Unusable>,
}

/// Why there is no [`Specification`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is in the form with steps, which no test of preview 1 needs.
    Operations,
    /// It is none.
    Wrong(String),
}

/// A folder of the suite that is no test of preview 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRun {
    /// The folder.
    pub folder: String,
    /// Why its tests are not run.
    pub reason: String,
}

/// The tests below a directory.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// In the order in which they are reported.
    pub cases: Vec<Case>,
    /// What else is there.
    pub not_run: Vec<NotRun>,
}

/// The file that makes a directory a folder of tests.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    name: String,
    /// Old suites have none; all of them are of preview 1.
    version: Option<String>,
}

impl Suite {
    /// All tests below a directory.
    pub fn directory(path: &Path) -> Result<Self, String> {
        let mut suite = Self::default();
        suite.collect(path, "")?;
        if suite.cases.is_empty() {
            return Err(format!(
                "there is no test of WASI preview 1 below {}: a directory with manifest.json and .wasm files; take \
                 a branch of the suite that has them built, such as prod/testsuite-base",
                path.display()
            ));
        }
        let key = |case: &Case| (case.folder.clone(), case.name.clone());
        suite.cases.sort_by_key(key);
        suite.not_run.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(suite)
    }

    /// Keeps the tests whose folder and name contain `text`.
    pub fn filter(&mut self, text: &str) {
        let path = |case: &Case| format!("{}/{}", case.folder, case.name);
        self.cases.retain(|case| path(case).contains(text));
    }

    fn collect(&mut self, dir: &Path, folder: &str) -> Result<(), String> {
        let manifest = dir.join("manifest.json");
        if manifest.is_file() {
            let name = match folder {
                "" => dir.file_name().unwrap_or_default().to_string_lossy(),
                folder => folder.into(),
            };
            return self.folder(dir, &name, &manifest);
        }
        for path in entries(dir)? {
            // Not through links: they may lead back.
            if path.is_dir() && !path.is_symlink() {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let folder = match folder {
                    "" => name.into_owned(),
                    folder => format!("{folder}/{name}"),
                };
                self.collect(&path, &folder)?;
            }
        }
        Ok(())
    }

    fn folder(&mut self, dir: &Path, folder: &str, manifest: &Path) -> Result<(), String> {
        let manifest: Manifest = serde_json::from_str(&read(manifest)?)
            .map_err(|e| format!("{} is no manifest: {e}", manifest.display()))?;
        let reason = match manifest.version {
            _ if manifest.name.contains("threads") => Some(
                "teff has no threads, and the proposal wasi-threads is no part of preview 1".into(),
            ),
            Some(version) if version != PREVIEW1 => Some(format!("for {version}, not {PREVIEW1}")),
            _ => None,
        };
        if let Some(reason) = reason {
            let folder = folder.into();
            self.not_run.push(NotRun { folder, reason });
            return Ok(());
        }
        for wasm in entries(dir)? {
            if wasm.extension().is_some_and(|e| e == "wasm") {
                self.cases.push(Case {
                    folder: folder.into(),
                    name: wasm
                        .file_stem()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into(),
                    specification: specification(&wasm.with_extension("json")),
                    wasm,
                });
            }
        }
        Ok(())
    }
}

fn specification(path: &Path) -> Result<Specification, Unusable> {
    if !path.exists() {
        return Ok(Specification::default());
    }
    parse(&read(path).map_err(Unusable::Wrong)?)
}

fn parse(text: &str) -> Result<Specification, Unusable> {
    let wrong = |e: serde_json::Error| Unusable::Wrong(format!("its specification is wrong: {e}"));
    let json: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
    let steps = ["operations", "proposals", "servers"];
    if steps.iter().any(|key| json.get(key).is_some()) {
        return Err(Unusable::Operations);
    }
    serde_json::from_value(json).map_err(wrong)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let error = |e| format!("cannot read the directory {}: {e}", dir.display());
    let paths = fs::read_dir(dir).map_err(error)?;
    paths
        .map(|entry| entry.map(|entry| entry.path()).map_err(error))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_specification_has_defaults_and_no_other_fields() {
        assert_eq!(parse("{}"), Ok(Specification::default()));
        let some =
            parse(r#"{"root": "fs.dir", "exit_code": 33, "stdout": "", "env": {"b": "c\nd"}}"#)
                .unwrap();
        assert_eq!((some.exit_code, some.stdout), (33, Some(String::new())));
        assert_eq!(some.root, Some("fs.dir".into()));
        assert_eq!(some.env["b"], "c\nd");
        assert_eq!(parse(r#"{"operations": []}"#), Err(Unusable::Operations));
        assert!(matches!(parse(r#"{"dirs": []}"#), Err(Unusable::Wrong(e)) if e.contains("dirs")));
        assert!(matches!(parse("{"), Err(Unusable::Wrong(_))));
    }

    #[test]
    fn folders_are_those_with_a_manifest_of_preview_1() {
        let scratch = Scratch::new().unwrap();
        let file = |path: &str, text: &str| {
            let path = scratch.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        file(
            "c/wasip1/manifest.json",
            r#"{"name": "C", "version": "wasm32-wasip1"}"#,
        );
        file("c/wasip1/b.wasm", "");
        file("c/wasip1/a.wasm", "");
        file("c/wasip1/a.json", r#"{"args": ["x"]}"#);
        // Not the test's, but what it sees.
        file("c/wasip1/fs.dir/z.wasm", "");
        file(
            "c/wasip3/manifest.json",
            r#"{"name": "C", "version": "wasm32-wasip3"}"#,
        );
        file("c/wasip3/a.wasm", "");
        file("t/manifest.json", r#"{"name": "WASI threads proposal"}"#);
        file("t/a.wasm", "");
        file("old/manifest.json", r#"{"name": "Old tests"}"#);
        file("old/a.wasm", "");
        file("none/a.wasm", "");

        let mut suite = Suite::directory(scratch.path()).unwrap();
        let path = |case: &Case| format!("{}/{}", case.folder, case.name);
        let paths: Vec<_> = suite.cases.iter().map(path).collect();
        assert_eq!(paths, ["c/wasip1/a", "c/wasip1/b", "old/a"]);
        assert_eq!(suite.cases[0].specification.as_ref().unwrap().args, ["x"]);
        let not_run: Vec<_> = suite.not_run.iter().map(|n| &*n.folder).collect();
        assert_eq!(not_run, ["c/wasip3", "t"]);

        suite.filter("wasip1/b");
        assert_eq!(suite.cases.len(), 1);
        let error = Suite::directory(&scratch.path().join("none")).unwrap_err();
        assert!(error.contains("none"), "{error}");
    }
}
