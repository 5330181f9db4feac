//! Manifests and indexes of images, and which of their layers is the module. Knows the OCI image specification and the
//! media types under which modules are published; asks nobody for anything.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Deserialize;

/// Layers that are a module.
const MODULE: [&str; 2] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
];

/// Layers that are a component, which is another format.
const COMPONENT: &str = "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm";

/// The annotation with a layer's file name.
const TITLE: &str = "org.opencontainers.image.title";

/// The annotation of entries of an index that are about another entry.
const ABOUT: &str = "vnd.docker.reference.type";

/// Points at content.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    pub(crate) platform: Option<Platform>,
}

/// What an entry of an index is for.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Platform {
    architecture: String,
    os: String,
}

/// A manifest (`layers`) or an index (`manifests`); which of both, its fields tell more reliably than its type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Document {
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

/// What a document says.
pub(crate) enum Content {
    /// The layers of an image.
    Layers(Vec<Descriptor>),
    /// Images to choose from, the most suitable first.
    Choices(Vec<Descriptor>),
}

impl Document {
    /// Which kind of document this is.
    pub(crate) fn content(self) -> Result<Content> {
        match (self.layers, self.manifests) {
            (Some(layers), None) => Ok(Content::Layers(layers)),
            (None, Some(manifests)) => Ok(Content::Choices(by_suitability(manifests))),
            _ => bail!("neither a manifest (with `layers`) nor an index (with `manifests`)"),
        }
    }
}

/// Entries for Wasm, then for this machine, then others; without those that are about other entries.
fn by_suitability(mut entries: Vec<Descriptor>) -> Vec<Descriptor> {
    let annotation = |entry: &Descriptor, name| {
        entry
            .annotations
            .as_ref()
            .is_some_and(|all| all.contains_key(name))
    };
    entries.retain(|entry| !annotation(entry, ABOUT));
    entries.sort_by_key(|entry| match &entry.platform {
        Some(platform) if platform.is_wasm() => 0,
        None => 1,
        Some(platform) if platform.is_here() => 2,
        Some(_) => 3,
    });
    entries
}

impl Platform {
    fn is_wasm(&self) -> bool {
        self.architecture.starts_with("wasm") || self.os.starts_with("wasi")
    }

    fn is_here(&self) -> bool {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        self.os == "linux" && self.architecture == architecture
    }
}

/// The layer that is the module: with several, the one whose title is the program's name, else the first.
pub(crate) fn module<'a>(
    layers: &'a [Descriptor],
    program: Option<&str>,
) -> Result<&'a Descriptor> {
    let modules = || {
        layers
            .iter()
            .filter(|layer| MODULE.contains(&layer.media_type()))
    };
    let named = program.map(file_name).and_then(|program| {
        modules().find(|layer| {
            layer
                .title()
                .is_some_and(|title| file_name(title) == program)
        })
    });
    if let Some(layer) = named.or_else(|| modules().next()) {
        return Ok(layer);
    }
    if layers.iter().any(|layer| layer.media_type() == COMPONENT) {
        bail!(
            "its Wasm layer is a component ({COMPONENT}), and teff runs core modules only; compile for wasm32-wasip1, \
             which makes a module"
        );
    }
    let mut has: Vec<_> = layers.iter().map(Descriptor::media_type).collect();
    has.dedup();
    let has = match has.is_empty() {
        true => "none".into(),
        false => has.join(", "),
    };
    bail!(
        "it has no Wasm layer: its layers are of type {has}; {} would be accepted",
        MODULE.join(" and ")
    )
}

impl Descriptor {
    /// The media type without parameters.
    fn media_type(&self) -> &str {
        let end = self.media_type.find(';').unwrap_or(self.media_type.len());
        self.media_type[..end].trim()
    }

    fn title(&self) -> Option<&str> {
        self.annotations.as_ref()?.get(TITLE).map(String::as_str)
    }
}

/// Without directories, and without the export after `#`.
fn file_name(program: &str) -> &str {
    let program = program.split('#').next().unwrap_or(program);
    program.rsplit('/').next().unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(json: &str) -> Content {
        serde_json::from_str::<Document>(json)
            .unwrap()
            .content()
            .unwrap()
    }

    fn layers(json: &str) -> Vec<Descriptor> {
        match content(json) {
            Content::Layers(layers) => layers,
            Content::Choices(_) => panic!("an index"),
        }
    }

    #[test]
    fn the_module_among_layers() {
        let several = layers(
            r#"{"layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:0"},
                {"mediaType": "application/wasm", "digest": "sha256:1", "annotations": {"org.opencontainers.image.title": "a.wasm"}},
                {"mediaType": "application/vnd.wasm.content.layer.v1+wasm; charset=x", "digest": "sha256:2",
                 "annotations": {"org.opencontainers.image.title": "bin/b.wasm"}}]}"#,
        );
        for (program, digest) in [
            (None, "sha256:1"),
            (Some("/app.wasm"), "sha256:1"),
            (Some("a.wasm"), "sha256:1"),
            (Some("/b.wasm#run"), "sha256:2"),
        ] {
            assert_eq!(
                module(&several, program).unwrap().digest,
                digest,
                "{program:?}"
            );
        }
    }

    #[test]
    fn what_is_no_module_is_named() {
        let component = layers(&format!(
            r#"{{"layers": [{{"mediaType": "{COMPONENT}"}}]}}"#
        ));
        let error = module(&component, None).unwrap_err().to_string();
        assert!(
            error.contains("component") && error.contains("wasm32-wasip1"),
            "{error}"
        );
        let files =
            layers(r#"{"layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}]}"#);
        let error = module(&files, None).unwrap_err().to_string();
        assert!(
            error.contains("layer.v1.tar+gzip") && error.contains(MODULE[0]),
            "{error}"
        );
        let error = module(&[], None).unwrap_err().to_string();
        assert!(error.contains("type none"), "{error}");
    }

    #[test]
    fn wasm_before_this_machine_before_others() {
        let Content::Choices(choices) = content(
            r#"{"manifests": [
                {"digest": "other", "platform": {"architecture": "s390x", "os": "linux"}},
                {"digest": "about", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
                {"digest": "any"},
                {"digest": "wasm", "platform": {"architecture": "wasm", "os": "wasip1"}}]}"#,
        ) else {
            panic!("no index")
        };
        let order: Vec<_> = choices
            .iter()
            .map(|choice| choice.digest.as_str())
            .collect();
        assert_eq!(order, ["wasm", "any", "other"]);
    }

    #[test]
    fn other_documents_are_refused() {
        for json in ["{}", r#"{"layers": [], "manifests": []}"#] {
            assert!(
                serde_json::from_str::<Document>(json)
                    .unwrap()
                    .content()
                    .is_err()
            );
        }
    }
}
