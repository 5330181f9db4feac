//! Which file of a node gets the runtime's entry. Knows how K3s, RKE2 and containerd put their configuration together:
//!
//! * K3s and RKE2 write containerd's configuration at each start, from a template of the user or from their own. Newer ones
//!   import a folder of drop-ins in it; older ones need a template that includes theirs.
//! * A file that containerd 2 imports is merged into the rest. In containerd 1 its plugins *replace* those of the main file,
//!   which would lose the rest of the CRI's configuration; so drop-ins are for containerd 2 alone.
//! * A drop-in must have the version of the main file, or that is not converted.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml_edit::DocumentMut;

use super::Node;
use super::block::{self, Version};
use super::containerd::{Containerd, Number};
use super::distribution::{Distribution, Kind};

/// The name of our drop-in.
const DROP_IN: &str = "teff.toml";

/// The line of a template that includes what K3s would have written.
const BASE: &str = "{{ template \"base\" . }}\n";

/// A file, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) file: PathBuf,
    pub(crate) form: Form,
    pub(crate) version: Version,
}

/// How the file comes into the configuration.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Form {
    /// The main file imports it.
    DropIn,
    /// The main file is made of it.
    Template,
    /// It is the main file.
    Main,
}

impl Target {
    /// What is in a file of this form that we make.
    pub(crate) fn skeleton(&self) -> String {
        match self.form {
            Form::Template => BASE.into(),
            Form::DropIn | Form::Main => format!("version = {}\n", self.version.number()),
        }
    }

    /// Finds it. `containerd` is there to say its version, if it can.
    pub(crate) fn of(
        node: &Node,
        distribution: &Distribution,
        containerd: Option<&Containerd>,
    ) -> Result<Self> {
        let containerd = containerd.and_then(|containerd| containerd.version(node).ok());
        let config = distribution.config();
        let text = text(node, &config)?;
        let main = match &text {
            // A template's result is TOML as well.
            Some(text) => Some(Main::read(text).with_context(|| config.display().to_string())?),
            None => None,
        };
        match distribution.kind {
            Kind::Containerd => plain(&config, main, containerd),
            Kind::K3s | Kind::Rke2 => made(node, distribution, main, containerd),
        }
    }
}

/// What matters of a main file.
struct Main {
    version: Version,
    imports: Vec<String>,
}

impl Main {
    fn read(text: &str) -> Result<Self> {
        let document: DocumentMut = text.parse()?;
        let version = match document
            .get("version")
            .and_then(|version| version.as_integer())
        {
            Some(2) => Version::Two,
            Some(3) => Version::Three,
            None | Some(1) => bail!(
                "this is a configuration of version 1 (it has no `version = 2`), which is not edited; \
                 `containerd config migrate` prints it in a newer one"
            ),
            Some(other) => bail!("version = {other}: only versions 2 and 3 are known"),
        };
        let imports = document
            .get("imports")
            .and_then(|imports| imports.as_array());
        let imports = imports
            .into_iter()
            .flatten()
            .filter_map(|path| path.as_str())
            .map(String::from);
        Ok(Self {
            version,
            imports: imports.collect(),
        })
    }

    /// A folder whose files are imported, next to the main file or anywhere.
    fn folder(&self, beside: &Path) -> Option<PathBuf> {
        self.imports
            .iter()
            .find_map(|path| Some(beside.join(path.strip_suffix("/*.toml")?)))
    }
}

/// containerd alone.
fn plain(config: &Path, main: Option<Main>, containerd: Option<Number>) -> Result<Target> {
    let directory = config.parent().unwrap_or(Path::new("/"));
    let target = |version, form, file| {
        Ok(Target {
            file,
            form,
            version,
        })
    };
    match main {
        Some(main) => match main.folder(directory) {
            Some(folder) if main.version == Version::Three => {
                target(main.version, Form::DropIn, folder.join(DROP_IN))
            }
            _ => target(main.version, Form::Main, config.into()),
        },
        None => {
            let version = match containerd {
                Some(Number(0..=1, ..)) => Version::Two,
                Some(_) => Version::Three,
                None => bail!(
                    "{}: there is no such file, and no containerd that would say which version of it to write; \
                     `containerd config default` prints one",
                    config.display()
                ),
            };
            target(version, Form::Main, config.into())
        }
    }
}

/// K3s and RKE2. Their main file is what they made of the templates at their last start.
fn made(
    node: &Node,
    distribution: &Distribution,
    main: Option<Main>,
    containerd: Option<Number>,
) -> Result<Target> {
    let directory = distribution.templates();
    let template = |version| {
        let name = match version {
            Version::Two => "config.toml.tmpl",
            Version::Three => "config-v3.toml.tmpl",
        };
        Ok(Target {
            file: directory.join(name),
            form: Form::Template,
            version,
        })
    };
    // A template that has our lines keeps them.
    for version in [Version::Three, Version::Two] {
        let target: Result<Target> = template(version);
        if let Ok(target) = target
            && text(node, &target.file)?.is_some_and(|text| block::find(&text).is_some())
        {
            return Ok(target);
        }
    }
    let version = match main {
        Some(main) => {
            let second =
                main.version == Version::Three || containerd.is_some_and(|number| number.0 >= 2);
            match main.folder(&directory) {
                Some(folder) if second => {
                    return Ok(Target {
                        file: folder.join(DROP_IN),
                        form: Form::DropIn,
                        version: main.version,
                    });
                }
                _ => main.version,
            }
        }
        None => unmade(node, distribution)?,
    };
    template(version)
}

/// The version of the configuration of a K3s or RKE2 that has not been started yet.
fn unmade(node: &Node, distribution: &Distribution) -> Result<Version> {
    let directory = distribution.templates();
    if node.has(&directory.join("config-v3.toml.tmpl")) {
        return Ok(Version::Three);
    }
    if node.has(&directory.join("config.toml.tmpl")) {
        return Ok(Version::Two);
    }
    let name = distribution.name();
    let number = node.program(&name.to_lowercase()).and_then(|program| {
        let output = node
            .command(&program)
            .ok()?
            .arg("--version")
            .output()
            .ok()?;
        Number::find(&String::from_utf8_lossy(&output.stdout))
    });
    match number {
        Some(number) if has_containerd_2(number) => Ok(Version::Three),
        Some(_) => Ok(Version::Two),
        None => bail!(
            "{name} has not been started on this node yet ({} is not there), and does not say its version; start it once",
            directory.join("config.toml").display()
        ),
    }
}

/// Since which versions of Kubernetes K3s and RKE2 have containerd 2.
fn has_containerd_2(number: Number) -> bool {
    match number {
        Number(1, 31, patch) => patch >= 6,
        Number(1, 32, patch) => patch >= 2,
        Number(1, minor, _) => minor > 32,
        _ => true,
    }
}

/// A file as text, if it is there.
pub(crate) fn text(node: &Node, file: &Path) -> Result<Option<String>> {
    let bytes = node.read(file)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| anyhow::anyhow!("{}: it is not UTF-8", file.display()))
}
