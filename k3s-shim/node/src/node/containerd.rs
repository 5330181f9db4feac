//! The node's containerd as a check of its configuration: what it makes of a file, without being started. Knows its command
//! line and what it prints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use toml_edit::{DocumentMut, Table};

use super::Node;
use super::block::Version;

/// A program that prints what containerd reads out of a configuration.
#[derive(Debug, Clone)]
pub(crate) enum Containerd {
    /// That of the node.
    OfNode(PathBuf),
    /// One that was named, and runs here.
    Named(PathBuf),
}

impl Containerd {
    /// Its version; `None` if it cannot be run, with the reason for people.
    pub(crate) fn version(&self, node: &Node) -> Result<Number> {
        let printed = self.run(node, &["--version"], None)?;
        Number::find(&printed)
            .with_context(|| format!("{} --version printed {printed:?}", self.path().display()))
    }

    /// The runtimes that are in a configuration file with all it imports, or those that are there without one.
    pub(crate) fn runtimes(&self, node: &Node, config: &Path) -> Result<BTreeMap<String, Table>> {
        let printed = match node.has(config) {
            true => self.run(node, &["config", "dump"], Some(config))?,
            false => self.run(node, &["config", "default"], None)?,
        };
        let dump: DocumentMut = printed.parse().with_context(|| {
            format!(
                "{} config dump printed something that is no TOML",
                self.path().display()
            )
        })?;
        Ok(runtimes(&dump))
    }

    /// Its path, for people.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::OfNode(path) | Self::Named(path) => path,
        }
    }

    fn run(&self, node: &Node, args: &[&str], config: Option<&Path>) -> Result<String> {
        let (mut command, config) = match self {
            Self::OfNode(path) => (node.command(path)?, config.map(Path::to_path_buf)),
            Self::Named(path) => (Command::new(path), config.map(|config| node.path(config))),
        };
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        let output = command.args(args).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("{}: cannot be run", self.path().display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        if !output.status.success() {
            bail!("{} says: {}", self.path().display(), text(&output.stderr));
        }
        Ok(text(&output.stdout))
    }
}

/// The runtimes of a configuration of either version.
pub(crate) fn runtimes(config: &DocumentMut) -> BTreeMap<String, Table> {
    let mut found = BTreeMap::new();
    for version in [Version::Two, Version::Three] {
        let table = config
            .get("plugins")
            .and_then(|item| item.get(version.plugin()));
        let table = table
            .and_then(|item| item.get("containerd"))
            .and_then(|item| item.get("runtimes"));
        for (name, entry) in table
            .and_then(|item| item.as_table_like())
            .into_iter()
            .flat_map(|table| table.iter())
        {
            if let Ok(entry) = entry.clone().into_table() {
                found.insert(name.to_string(), entry);
            }
        }
    }
    found
}

/// `major.minor.patch` of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Number {
    /// The first version in a text: `k3s version v1.32.2+k3s1 (…)`, `containerd github.com/… 1.6.20~ds1 …`.
    pub(crate) fn find(text: &str) -> Option<Self> {
        text.split_whitespace()
            .find_map(|word| Self::parse(word).ok())
    }

    fn parse(word: &str) -> Result<Self> {
        let word = word.strip_prefix('v').unwrap_or(word);
        let end = word
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(word.len());
        let numbers: Vec<u32> = word[..end]
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        ensure!(numbers.len() == 3);
        Ok(Self(numbers[0], numbers[1], numbers[2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, number) in [
            (
                "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3",
                Some(Number(1, 6, 20)),
            ),
            (
                "containerd github.com/k3s-io/containerd v2.1.5-k3s1 cafe",
                Some(Number(2, 1, 5)),
            ),
            (
                "k3s version v1.32.2+k3s1 (381620ef)\ngo version go1.23.6",
                Some(Number(1, 32, 2)),
            ),
            ("nothing 1.2", None),
        ] {
            assert_eq!(Number::find(text), number, "{text}");
        }
    }
}
