//! `teff-shim fetch`: the module of a container whose image has it as a layer. The shim runs this for a moment, so that
//! gRPC's memory is not in every pod.
//!
//! ```text
//! containerd   what is asked of it
//! manifest     which image of an index, which layer of an image
//! content      where its bytes are
//! ```

pub(crate) mod containerd;
mod content;
mod manifest;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use self::containerd::Containerd;
use self::content::Store;
use self::manifest::{Content, Descriptor, Document};
use crate::grpc;

/// Find the module of a container whose image has it as a layer (the shim runs this).
///
/// Images can carry a module as a layer of type application/wasm or application/vnd.wasm.content.layer.v1+wasm instead
/// of a file in a root file system. With several such layers, the one is taken whose annotation
/// org.opencontainers.image.title is the name of the container's program (its first argument), else the first.
///
/// Prints one line of JSON: {"path": "...", "digest": "..."}. The path is that of containerd's own file if it can be
/// read, so that all pods of an image share its pages in memory; otherwise it is that of a copy at --output.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// containerd's socket.
    #[arg(
        long,
        value_name = "SOCKET",
        default_value = "/run/containerd/containerd.sock"
    )]
    address: PathBuf,
    /// containerd's namespace; that of Kubernetes is k8s.io.
    #[arg(long, default_value = "k8s.io")]
    namespace: String,
    /// The id of the container.
    #[arg(long, value_name = "ID")]
    container: String,
    /// Where a copy goes if containerd's own file cannot be read.
    #[arg(long, value_name = "PATH")]
    output: PathBuf,
}

/// Indexes of indexes are followed this far.
const DEPTH: u32 = 4;

/// Does it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (path, digest) = grpc::block_on(fetch(args))?;
    let path = path
        .to_str()
        .with_context(|| format!("{}: the path is not UTF-8", path.display()))?;
    println!("{}", serde_json::json!({ "path": path, "digest": digest }));
    Ok(())
}

async fn fetch(args: &Args) -> Result<(PathBuf, String)> {
    let containerd = Containerd::connect(&args.address, &args.namespace).await?;
    let wanted = containerd.container(&args.container).await?;
    let image = || format!("image {}", wanted.image);
    let target = containerd.image(&wanted.image).await?;
    let store = Store::of(&containerd).await;
    let layers = layers(&store, &target.digest, DEPTH)
        .await
        .with_context(image)?;
    let layer = manifest::module(&layers, wanted.program.as_deref()).with_context(image)?;
    let path = store
        .blob(&layer.digest, layer.size, &args.output)
        .await
        .with_context(image)?;
    is_module(&path).with_context(image)?;
    Ok((path, layer.digest.clone()))
}

/// The layers of an image, or of the most suitable one of an index that is there.
async fn layers(store: &Store<'_>, digest: &str, depth: u32) -> Result<Vec<Descriptor>> {
    let bytes = store.document(digest).await?;
    let document: Document =
        serde_json::from_slice(&bytes).with_context(|| format!("manifest {digest}"))?;
    let choices = match document
        .content()
        .with_context(|| format!("manifest {digest}"))?
    {
        Content::Layers(layers) => return Ok(layers),
        Content::Choices(choices) => choices,
    };
    ensure!(
        depth > 0,
        "index {digest}: indexes in indexes in indexes; none of them has a manifest"
    );
    // Of an index, containerd pulls what is for this machine, which need not be what is best.
    let mut first = None;
    for choice in &choices {
        match Box::pin(layers(store, &choice.digest, depth - 1)).await {
            Ok(layers) => return Ok(layers),
            Err(e) => first = first.or(Some(e)),
        }
    }
    match first {
        Some(e) => Err(e).with_context(|| {
            format!(
                "index {digest}: none of its {} manifests can be read",
                choices.len()
            )
        }),
        None => bail!("index {digest}: it has no manifests"),
    }
}

/// The media type says that it is a module; do its first bytes?
fn is_module(path: &Path) -> Result<()> {
    let mut preamble = Vec::new();
    let read = File::open(path).and_then(|file| file.take(8).read_to_end(&mut preamble));
    read.with_context(|| path.display().to_string())?;
    match preamble.as_slice() {
        b"\0asm\x01\0\0\0" => Ok(()),
        [b'\0', b'a', b's', b'm', _, _, 1, 0] => {
            bail!(
                "its Wasm layer holds a component, and teff runs core modules only; compile for wasm32-wasip1"
            )
        }
        other => bail!(
            "its Wasm layer holds no module: it starts with {other:02x?} instead of 00 61 73 6d 01 00 00 00"
        ),
    }
}
