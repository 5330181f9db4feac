//! Which program is tested when it is not the library: the command `teff`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program, with arguments that come before all others.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
}

impl Program {
    /// The program at a path; or else words, the first of which is a program: `qemu-arm-static PATH/teff`.
    pub fn named(text: &str) -> Self {
        let mut words = text.split_whitespace().map(str::to_string);
        match words.next() {
            Some(first) if !Path::new(text).is_file() => Self {
                path: first.into(),
                arguments: words.collect(),
            },
            _ => Self {
                path: text.into(),
                arguments: Vec::new(),
            },
        }
    }

    /// The `teff` in the directory of the running program: both were built for the same profile and target.
    pub fn teff_beside() -> Result<Self, String> {
        let path = profile_dir()?.join(format!("teff{}", env::consts::EXE_SUFFIX));
        if !path.is_file() {
            return Err(format!(
                "there is no {}: build it with `cargo build -p teff-cli`, in the profile of this program, or name one \
                 with --teff",
                path.display()
            ));
        }
        Ok(Self {
            path,
            arguments: Vec::new(),
        })
    }

    /// A call of the program.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments);
        command
    }

    /// The first line that it prints for `--version`.
    pub fn version(&self) -> Result<String, String> {
        let name = self.path.display();
        let output = self
            .command()
            .arg("--version")
            .output()
            .map_err(|e| format!("cannot run {name}: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.lines().next() {
            Some(line) if output.status.success() => Ok(line.into()),
            _ => Err(format!("{name} --version: {}", output.status)),
        }
    }
}

/// Where cargo puts programs of the profile in which the running one was built.
pub fn profile_dir() -> Result<PathBuf, String> {
    let program =
        env::current_exe().map_err(|e| format!("cannot tell where this program is: {e}"))?;
    let dir = program.parent().unwrap_or(Path::new("."));
    // Tests are one directory further down.
    Ok(match dir.file_name() {
        Some(name) if name == "deps" => dir.parent().unwrap_or(dir),
        _ => dir,
    }
    .to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_program_and_its_arguments() {
        let program = Program::named("qemu-none -L x/y teff");
        assert_eq!(program.path, Path::new("qemu-none"));
        assert_eq!(program.arguments, ["-L", "x/y", "teff"]);
        let error = program.version().unwrap_err();
        assert!(error.contains("qemu-none"), "{error}");
    }
}
