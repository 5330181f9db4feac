//! The runtime's entry in containerd's configuration: what is written where, and whether containerd makes of it what is
//! meant.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use toml_edit::{DocumentMut, Table};

use crate::node::Node;
use crate::node::block::{self, Kept, RUNTIME};
use crate::node::change::{Change, put};
use crate::node::containerd::{Containerd, runtimes};
use crate::node::distribution::Distribution;
use crate::node::target::{Form, Target, text};

/// What is to be written.
pub(crate) struct Plan {
    pub(crate) change: Change,
    target: Target,
    /// The file without our lines, if it was there.
    original: Option<String>,
    lines: String,
    runtime_type: String,
    /// The runtimes that containerd had before, if it could be asked.
    before: Result<BTreeMap<String, Table>, String>,
}

/// Did containerd see the configuration?
pub(crate) enum Checked {
    /// It did, and has the runtime.
    Yes(String),
    /// It could not, for this reason.
    No(String),
}

impl Plan {
    /// Makes it, of the files as they are.
    pub(crate) fn new(
        node: &Node,
        distribution: &Distribution,
        containerd: Option<&Containerd>,
        runtime_type: &str,
    ) -> Result<Self> {
        let target = Target::of(node, distribution, containerd)?;
        let file = || target.file.display().to_string();
        let before = ask(node, distribution, containerd)?;
        let now = text(node, &target.file)?;
        let original = now.as_deref().map(block::take);
        if let Some(original) = &original {
            refuse_other_entry(&target, original).with_context(file)?;
        }
        let kept = kept(node, distribution, &target, &before)?;
        let lines = block::lines(target.version, runtime_type, &kept);
        let base = now.unwrap_or_else(|| target.skeleton());
        let after = block::put(&base, &lines);
        if target.form != Form::Template {
            // What containerd would say too, but it is not always there to ask.
            after.parse::<DocumentMut>().with_context(|| {
                format!(
                    "{}: with the runtime's entry at its end, this is no TOML any more",
                    file()
                )
            })?;
        }
        let change = Change::of(node, &target.file, Some(after.into_bytes()), 0o644)?;
        Ok(Self {
            change,
            target,
            original,
            lines,
            runtime_type: runtime_type.into(),
            before,
        })
    }

    /// The file as it would be without us.
    pub(crate) fn original(&self) -> Option<&[u8]> {
        match &self.original {
            // What we made and nobody has added to is not anybody's.
            Some(text)
                if text.trim() == self.target.skeleton().trim()
                    && self.change.before.is_some()
                    && self.ours() =>
            {
                None
            }
            Some(_) if !self.ours() => self.change.before.as_deref(),
            original => original.as_deref().map(str::as_bytes),
        }
    }

    /// Are our lines in the file already?
    fn ours(&self) -> bool {
        let before = self.change.before.as_deref().map(String::from_utf8_lossy);
        before.is_some_and(|text| block::find(&text).is_some())
    }

    /// What is in the file beside our lines if we make it.
    pub(crate) fn skeleton(&self) -> String {
        self.target.skeleton()
    }

    /// Asks containerd what it makes of the files, which are written.
    pub(crate) fn check(
        &self,
        node: &Node,
        distribution: &Distribution,
        containerd: Option<&Containerd>,
    ) -> Result<Checked> {
        let (Some(containerd), Ok(before)) = (containerd, &self.before) else {
            return Ok(Checked::No(
                self.before.as_ref().err().cloned().unwrap_or_default(),
            ));
        };
        let config = distribution.config();
        let after = match self.target.form {
            Form::Main | Form::DropIn => containerd.runtimes(node, &config)?,
            Form::Template => {
                // What the template will make: what it made last time, with our lines.
                let Some(made) = text(node, &config)? else {
                    let why = format!(
                        "{} makes {} when it starts",
                        distribution.name(),
                        config.display()
                    );
                    return Ok(Checked::No(why));
                };
                let trial = config.with_file_name("teff-trial.toml");
                put(
                    node,
                    &trial,
                    Some(block::put(&made, &self.lines).as_bytes()),
                    0o600,
                )?;
                let result = containerd.runtimes(node, &trial);
                put(node, &trial, None, 0)?;
                result?
            }
        };
        let entry = after.get(RUNTIME).with_context(|| {
            format!(
                "{} does not see the runtime {RUNTIME} in {}",
                containerd.path().display(),
                config.display()
            )
        })?;
        let runtime_type = entry
            .get("runtime_type")
            .and_then(|item| item.as_str())
            .unwrap_or_default();
        ensure!(
            runtime_type == self.runtime_type,
            "{} sees the runtime {RUNTIME} with the type {runtime_type:?} instead of {:?}: another file has an entry of \
             that name",
            containerd.path().display(),
            self.runtime_type
        );
        let lost: Vec<&str> = before
            .keys()
            .filter(|name| !after.contains_key(*name))
            .map(String::as_str)
            .collect();
        ensure!(
            lost.is_empty(),
            "containerd would lose these runtimes: {}",
            lost.join(", ")
        );
        let names: Vec<&str> = after.keys().map(String::as_str).collect();
        Ok(Checked::Yes(format!(
            "{} accepts its configuration, and has the runtimes {}.",
            containerd.path().display(),
            names.join(", ")
        )))
    }
}

/// The runtimes that containerd has now, or why it cannot say.
fn ask(
    node: &Node,
    distribution: &Distribution,
    containerd: Option<&Containerd>,
) -> Result<Result<BTreeMap<String, Table>, String>> {
    let Some(containerd) = containerd else {
        return Ok(Err("its program is not found on this node".into()));
    };
    // One that cannot be run cannot object; one that runs and objects is heard.
    if let Err(e) = containerd.version(node) {
        return Ok(Err(format!("{e:#}")));
    }
    let config = distribution.config();
    let before = containerd.runtimes(node, &config);
    before.map(Ok).with_context(|| {
        format!(
            "{} is not accepted as it is, before anything is changed; mend it first",
            config.display()
        )
    })
}

/// Is containerd's configuration accepted now? For what changes it otherwise.
pub(crate) fn check(
    node: &Node,
    distribution: &Distribution,
    containerd: Option<&Containerd>,
) -> Result<Checked> {
    Ok(match ask(node, distribution, containerd)? {
        Ok(runtimes) => {
            let names: Vec<&str> = runtimes.keys().map(String::as_str).collect();
            Checked::Yes(names.join(", "))
        }
        Err(why) => Checked::No(why),
    })
}

/// Two entries of one name are an error to containerd, or one hides the other.
fn refuse_other_entry(target: &Target, original: &str) -> Result<()> {
    let has = match target.form {
        Form::Template => original.lines().any(|line| {
            let line = line.trim().trim_start_matches('[').trim_end_matches(']');
            !line.starts_with('#')
                && line
                    .rsplit('.')
                    .next()
                    .is_some_and(|name| name.trim_matches(['"', '\'']) == RUNTIME)
        }),
        Form::DropIn | Form::Main => {
            runtimes(&original.parse::<DocumentMut>()?).contains_key(RUNTIME)
        }
    };
    if has {
        bail!(
            "a runtime {RUNTIME} has an entry here that teff-shim did not write; remove it first"
        );
    }
    Ok(())
}

/// Runtimes that are there by default, and would not be beside an entry.
fn kept(
    node: &Node,
    distribution: &Distribution,
    target: &Target,
    before: &Result<BTreeMap<String, Table>, String>,
) -> Result<Kept> {
    if target.form == Form::Template {
        // It includes what K3s writes, which has entries.
        return Ok(Kept::new());
    }
    let main = text(node, &distribution.config())?
        .map(|text| block::take(&text))
        .unwrap_or_default();
    let mut own = runtimes(&main.parse::<DocumentMut>()?);
    own.remove(RUNTIME);
    if !own.is_empty() {
        return Ok(Kept::new());
    }
    match before {
        Ok(runtimes) => {
            let mut runtimes = runtimes.clone();
            runtimes.remove(RUNTIME);
            Ok(runtimes)
        }
        Err(_) => {
            let runc: DocumentMut = "runtime_type = \"io.containerd.runc.v2\"\n".parse()?;
            Ok(Kept::from([("runc".into(), runc.as_table().clone())]))
        }
    }
}
