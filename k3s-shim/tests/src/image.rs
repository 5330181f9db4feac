//! Images, made here and given to containerd: as `teff-shim image` writes them, and as tools for OCI artifacts do.

use std::fs;
use std::path::Path;

use k8s_cri::v1::{ImageSpec, ImageStatusRequest, RemoveImageRequest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::node::run;
use crate::{Node, wait};

/// The image of the modules that the tests run.
pub const MODULES: &str = "local.test/modules:1";
/// An image with a program of Linux in it, busybox.
pub const LINUX: &str = "local.test/linux:1";
/// The image of sandboxes.
pub const PAUSE: &str = "local.test/pause:1";

/// An image to be made: its name, and the files in it.
pub struct Image {
    name: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Image {
    /// Without files.
    pub fn new(name: &str) -> Self {
        let (name, files) = (name.into(), Vec::new());
        Self { name, files }
    }

    /// With one more.
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), content.into()));
        self
    }

    /// What containerd wants to have for every sandbox, although nothing of it is run.
    pub(crate) fn pause() -> Self {
        Self::new(PAUSE).file("/pause.wat", "(module (func (export \"_start\")))")
    }

    /// Gives it to a node, through `teff-shim image`. The first file must be a module.
    ///
    /// # Errors
    ///
    /// What failed, and why.
    pub fn import(&self, node: &Node) -> Result<(), String> {
        let folder = tempfile::tempdir_in(node.folder()).map_err(|e| e.to_string())?;
        let archive = folder.path().join("image.tar");
        let mut command = node.command("teff-shim");
        command.arg("image");
        for (number, (path, content)) in self.files.iter().enumerate() {
            let name = Path::new(path).file_name().unwrap_or_default();
            let source = folder.path().join(name);
            fs::write(&source, content).map_err(|e| format!("{}: {e}", source.display()))?;
            match number {
                0 => command.arg(source),
                _ => command
                    .arg("--file")
                    .arg(format!("{}={path}", source.display())),
            };
        }
        run(command
            .args(["--name", &self.name, "--output"])
            .arg(&archive))?;
        import(node, &self.name, &archive)
    }

    /// Gives a node an image whose files are all programs, the first of which is run unless another is named;
    /// `teff-shim image` makes none without a module.
    ///
    /// # Errors
    ///
    /// What failed, and why.
    pub fn import_programs(&self, node: &Node) -> Result<(), String> {
        let mut layer = tar::Builder::new(Vec::new());
        for (path, content) in &self.files {
            append(&mut layer, path.trim_start_matches('/'), 0o755, content)?;
        }
        let layer = layer.into_inner().map_err(|e| e.to_string())?;
        let diff = digest(&layer);
        let entry = self.files.first().map(|(path, _)| path);
        let config = json!({
            "architecture": architecture(), "os": "linux", "config": {"Entrypoint": [entry]},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        });
        let kind = "application/vnd.oci.image.layer.v1.tar";
        let config_kind = "application/vnd.oci.image.config.v1+json";
        oci(
            node,
            &self.name,
            (config_kind, config),
            &[(kind, None, layer)],
        )
    }
}

/// Gives a node an image whose layers are modules, with their titles, as tools for OCI artifacts push them.
///
/// # Errors
///
/// What failed, and why.
pub fn layers(
    node: &Node,
    name: &str,
    kind: &str,
    modules: &[(Option<&str>, Vec<u8>)],
) -> Result<(), String> {
    let config = json!({
        "architecture": architecture(), "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
        // Images of the same configuration are one image to containerd.
        "author": name,
    });
    let layers = modules
        .iter()
        .map(|(title, module)| (kind, *title, module.clone()));
    let layers: Vec<_> = layers.collect();
    oci(
        node,
        name,
        ("application/vnd.oci.image.config.v1+json", config),
        &layers,
    )
}

type Layer<'a> = (&'a str, Option<&'a str>, Vec<u8>);

/// An OCI image layout as an archive.
fn oci(node: &Node, name: &str, config: (&str, Value), layers: &[Layer<'_>]) -> Result<(), String> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut blob = |kind: &str, content: &[u8]| -> Result<Value, String> {
        let digest = digest(content);
        let path = format!("blobs/{}", digest.replace(':', "/"));
        append(&mut archive, &path, 0o644, content)?;
        Ok(json!({"mediaType": kind, "digest": digest, "size": content.len()}))
    };
    let config = blob(config.0, config.1.to_string().as_bytes())?;
    let mut described = Vec::new();
    for (kind, title, content) in layers {
        let mut layer = blob(kind, content)?;
        if let Some(title) = title {
            layer["annotations"] = json!({"org.opencontainers.image.title": title});
        }
        described.push(layer);
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": described});
    let mut manifest = blob(kind, manifest.to_string().as_bytes())?;
    manifest["annotations"] = json!({"io.containerd.image.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    append(
        &mut archive,
        "index.json",
        0o644,
        index.to_string().as_bytes(),
    )?;
    append(
        &mut archive,
        "oci-layout",
        0o644,
        b"{\"imageLayoutVersion\":\"1.0.0\"}",
    )?;
    let archive = archive.into_inner().map_err(|e| e.to_string())?;
    let path = node.folder().join("layers.tar");
    fs::write(&path, archive).map_err(|e| e.to_string())?;
    import(node, name, &path)
}

fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    path: &str,
    mode: u32,
    content: &[u8],
) -> Result<(), String> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    let added = archive.append_data(&mut header, path, content);
    added.map_err(|e| e.to_string())
}

fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hash}")
}

/// In the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Gives an archive to containerd, in the place of an image of the name.
fn import(node: &Node, name: &str, archive: &Path) -> Result<(), String> {
    let spec = ImageSpec {
        image: name.into(),
        ..ImageSpec::default()
    };
    let request = RemoveImageRequest {
        image: Some(spec.clone()),
    };
    node.cri
        .images(async |mut images| images.remove_image(request).await)?;
    let socket = node.socket();
    let mut ctr = node.command("ctr");
    ctr.arg("--address").arg(socket);
    // The CRI unpacks an image when it is first needed; of one that is modules, there is nothing to unpack.
    ctr.args(["--namespace", "k8s.io", "images", "import", "--no-unpack"])
        .arg(archive);
    run(&mut ctr)?;
    // The CRI hears of it a little later.
    wait(&format!("the CRI knows {name}"), || {
        let request = ImageStatusRequest {
            image: Some(spec.clone()),
            verbose: false,
        };
        let answer = node
            .cri
            .images(async |mut images| images.image_status(request).await);
        answer.ok()?.image
    });
    Ok(())
}
