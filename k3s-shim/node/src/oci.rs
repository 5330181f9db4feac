//! Images, made in memory: one layer with a few files, for Linux. Knows OCI's documents and archives.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::node::change::sha256;

/// Bytes with a name.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) media_type: &'static str,
    /// `sha256:` and 64 digits.
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

/// An image of one platform.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) manifest: Blob,
    pub(crate) config: Blob,
    pub(crate) layer: Blob,
    architecture: String,
}

/// What an image is made of.
pub(crate) struct Recipe<'a> {
    /// Paths from the root, with whether they are programs, and bytes.
    pub(crate) files: Vec<(&'a str, bool, Vec<u8>)>,
    pub(crate) entrypoint: &'a [String],
    /// The processor's name in Go: see [`architecture`].
    pub(crate) architecture: &'a str,
    /// Seconds since 1970, of all files.
    pub(crate) time: u64,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// This machine's processor, by the name that images have for it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            digest: format!("sha256:{}", sha256(&bytes)),
            bytes,
        }
    }

    fn json(media_type: &'static str, document: &Value) -> Self {
        Self::new(media_type, document.to_string().into_bytes())
    }

    /// What documents say of it.
    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

impl Image {
    /// Makes it.
    pub(crate) fn new(recipe: &Recipe<'_>) -> Result<Self> {
        let mut archive = Archive::new(recipe.time);
        for (path, is_program, bytes) in &recipe.files {
            let path = path.trim_start_matches('/');
            for (at, _) in path.match_indices('/') {
                archive.folder(&path[..at])?;
            }
            archive.file(path, if *is_program { 0o755 } else { 0o644 }, bytes)?;
        }
        let layer = Blob::new(LAYER, archive.end()?);
        let mut config = json!({
            "architecture": recipe.architecture,
            "os": "linux",
            "config": {"Entrypoint": recipe.entrypoint, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        });
        if recipe.architecture == "arm" {
            config["variant"] = "v7".into();
        }
        let config = Blob::json(CONFIG, &config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        Ok(Self {
            manifest: Blob::json(MANIFEST, &manifest),
            config,
            layer,
            architecture: recipe.architecture.into(),
        })
    }

    /// The archive that `ctr images import` and `docker load` take, with a name in it.
    pub(crate) fn archive(&self, name: &str) -> Result<Vec<u8>> {
        let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let mut manifest = self.manifest.descriptor();
        manifest["platform"] = json!({"architecture": self.architecture, "os": "linux"});
        if self.architecture == "arm" {
            manifest["platform"]["variant"] = "v7".into();
        }
        manifest["annotations"] = json!({
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": tag,
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]});
        let mut archive = Archive::new(0);
        archive.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        archive.file("index.json", 0o644, index.to_string().as_bytes())?;
        for blob in [&self.manifest, &self.config, &self.layer] {
            let path = format!("blobs/{}", blob.digest.replace(':', "/"));
            archive.file(&path, 0o644, &blob.bytes)?;
        }
        archive.end()
    }
}

/// A name as containerd keeps it: with a registry and a tag.
pub(crate) fn full_name(name: &str) -> Result<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    anyhow::ensure!(
        !path.is_empty() && !tag.is_empty() && path.chars().all(fits) && !name.contains('@'),
        "{name:?} is no name of an image: like localhost/hello:1 is wanted, in lower case"
    );
    let (first, rest) = path.split_once('/').unwrap_or(("", path));
    // As everywhere: without a registry, it is one of Docker's.
    Ok(match first {
        "" => format!("docker.io/library/{rest}:{tag}"),
        _ if first == "localhost" || first.contains(['.', ':']) => format!("{path}:{tag}"),
        _ => format!("docker.io/{path}:{tag}"),
    })
}

/// A tar archive that is the same whenever it is made of the same.
struct Archive {
    tar: tar::Builder<Vec<u8>>,
    folders: Vec<String>,
    time: u64,
}

impl Archive {
    fn new(time: u64) -> Self {
        Self {
            tar: tar::Builder::new(Vec::new()),
            folders: Vec::new(),
            time,
        }
    }

    fn folder(&mut self, path: &str) -> Result<()> {
        if self.folders.iter().any(|folder| folder == path) {
            return Ok(());
        }
        self.folders.push(path.into());
        self.entry(&format!("{path}/"), tar::EntryType::Directory, 0o755, &[])
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.entry(path, tar::EntryType::Regular, mode, bytes)
    }

    fn entry(&mut self, path: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len() as u64);
        let appended = self.tar.append_data(&mut header, path, bytes);
        appended.with_context(|| format!("{path} in the image's archive"))
    }

    fn end(self) -> Result<Vec<u8>> {
        self.tar.into_inner().context("the image's archive")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    fn unpack(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
        });
        entries.collect()
    }

    #[test]
    fn an_archive_holds_what_its_documents_say() {
        let entrypoint = ["/app/hello.wasm".to_owned()];
        let recipe = |architecture| Recipe {
            files: vec![
                ("/app/hello.wasm", true, b"\0asm".to_vec()),
                ("/app/data", false, vec![]),
            ],
            entrypoint: &entrypoint,
            architecture,
            time: 0,
        };
        let image = Image::new(&recipe("arm")).unwrap();
        let archive = image.archive("localhost/hello:1").unwrap();
        assert_eq!(
            archive,
            Image::new(&recipe("arm"))
                .unwrap()
                .archive("localhost/hello:1")
                .unwrap()
        );
        let files = unpack(&archive);
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            let bytes = &files[&format!("blobs/{}", digest.replace(':', "/"))];
            assert_eq!(digest, format!("sha256:{}", sha256(bytes)));
            assert_eq!(descriptor["size"], bytes.len());
            bytes
        };
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let target = &index["manifests"][0];
        assert_eq!(
            target["annotations"]["io.containerd.image.name"],
            "localhost/hello:1"
        );
        assert_eq!(target["platform"]["variant"], "v7");
        let manifest: Value = serde_json::from_slice(blob(target)).unwrap();
        let config: Value = serde_json::from_slice(blob(&manifest["config"])).unwrap();
        assert_eq!(config["config"]["Entrypoint"][0], "/app/hello.wasm");
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            manifest["layers"][0]["digest"]
        );
        let layer = unpack(blob(&manifest["layers"][0]));
        assert_eq!(
            layer.keys().collect::<Vec<_>>(),
            ["app/", "app/data", "app/hello.wasm"]
        );
        assert_eq!(layer["app/hello.wasm"], b"\0asm");
    }

    #[test]
    fn names_are_completed() {
        for (name, full) in [
            ("hello", "docker.io/library/hello:latest"),
            ("me/hello:2", "docker.io/me/hello:2"),
            ("localhost/hello:1", "localhost/hello:1"),
            (
                "registry.example:5000/hello",
                "registry.example:5000/hello:latest",
            ),
        ] {
            assert_eq!(full_name(name).unwrap(), full);
        }
        for name in ["", ":1", "Hello", "a b", "a@sha256:00"] {
            assert!(full_name(name).is_err(), "{name}");
        }
    }
}
