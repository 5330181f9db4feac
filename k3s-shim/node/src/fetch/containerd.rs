//! What is asked of containerd: a container, an image, where content lies, content. The messages are those of containerd's
//! API as far as they are used. Knows nothing of manifests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use prost::Message;
use serde::Deserialize;
use tonic::{Code, Status, Streaming};

use crate::grpc::Client;

/// A message that asks for one thing by its id, name or digest; `Filters` asks for many.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ByName {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Filters {
    #[prost(string, repeated, tag = "1")]
    pub(crate) filters: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetContainerResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) container: Option<Container>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Container {
    #[prost(string, tag = "3")]
    pub(crate) image: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) spec: Option<Any>,
}

/// A message of a type that only its name tells; containerd packs a container's `config.json` in one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetImageResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) image: Option<Image>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Image {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) target: Option<Target>,
}

/// A descriptor, as containerd's API has it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Target {
    #[prost(string, tag = "1")]
    pub(crate) media_type: String,
    #[prost(string, tag = "2")]
    pub(crate) digest: String,
    #[prost(int64, tag = "3")]
    pub(crate) size: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PluginsResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) plugins: Vec<Plugin>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Plugin {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) id: String,
    #[prost(map = "string, string", tag = "5")]
    pub(crate) exports: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadContentRequest {
    #[prost(string, tag = "1")]
    pub(crate) digest: String,
    #[prost(int64, tag = "2")]
    pub(crate) offset: i64,
    #[prost(int64, tag = "3")]
    pub(crate) size: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadContentResponse {
    #[prost(int64, tag = "1")]
    pub(crate) offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) data: Vec<u8>,
}

/// A container, as far as its module is concerned.
pub(crate) struct Wanted {
    /// The name of its image.
    pub(crate) image: String,
    /// `args[0]` of its process.
    pub(crate) program: Option<String>,
}

/// containerd, asked about one namespace.
pub(crate) struct Containerd {
    client: Client,
    namespace: String,
}

impl Containerd {
    /// Connects.
    pub(crate) async fn connect(socket: &Path, namespace: &str) -> Result<Self> {
        let client = Client::connect(socket).await?.namespace(namespace)?;
        Ok(Self {
            client,
            namespace: namespace.into(),
        })
    }

    /// What a container wants to run.
    pub(crate) async fn container(&self, id: &str) -> Result<Wanted> {
        let answer: Result<GetContainerResponse, _> = self
            .client
            .call(
                "/containerd.services.containers.v1.Containers/Get",
                ByName { name: id.into() },
            )
            .await;
        let container = self
            .found(answer, || format!("container {id}"))?
            .container
            .unwrap_or_default();
        if container.image.is_empty() {
            bail!(
                "container {id} was made without an image, so there is no layer to take a module from"
            );
        }
        let program = container.spec.and_then(|spec| program(&spec.value));
        Ok(Wanted {
            image: container.image,
            program,
        })
    }

    /// What an image's name stands for: the digest and media type of a manifest or an index.
    pub(crate) async fn image(&self, name: &str) -> Result<Target> {
        let answer: Result<GetImageResponse, _> = self
            .client
            .call(
                "/containerd.services.images.v1.Images/Get",
                ByName { name: name.into() },
            )
            .await;
        let image = self.found(answer, || format!("image {name}"))?.image;
        image
            .and_then(|image| image.target)
            .with_context(|| format!("image {name}: containerd says no digest of it"))
    }

    /// The directory of the content store, if containerd says where it is.
    pub(crate) async fn content_root(&self) -> Option<PathBuf> {
        let filters = Filters {
            filters: vec!["type==io.containerd.content.v1".into()],
        };
        let plugins: PluginsResponse = self
            .client
            .call(
                "/containerd.services.introspection.v1.Introspection/Plugins",
                filters,
            )
            .await
            .ok()?;
        let root = plugins
            .plugins
            .into_iter()
            .find_map(|mut plugin| plugin.exports.remove("root"))?;
        Some(root.into())
    }

    /// Content, in pieces. `size` 0 is all of it.
    pub(crate) async fn read(
        &self,
        digest: &str,
        size: i64,
    ) -> Result<Streaming<ReadContentResponse>> {
        let request = ReadContentRequest {
            digest: digest.into(),
            offset: 0,
            size,
        };
        let answer = self
            .client
            .stream("/containerd.services.content.v1.Content/Read", request)
            .await;
        self.found(answer, || format!("content {digest}"))
    }

    fn found<T>(&self, answer: Result<T, Status>, what: impl Fn() -> String) -> Result<T> {
        answer.map_err(|status| match status.code() {
            Code::NotFound => {
                anyhow::anyhow!(
                    "{}: containerd has none of that name in namespace {}",
                    what(),
                    self.namespace
                )
            }
            _ => anyhow::anyhow!("{}: containerd answers: {}", what(), status.message()),
        })
    }
}

/// The first argument in a `config.json`.
fn program(config: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        process: Process,
    }
    #[derive(Deserialize)]
    struct Process {
        args: Vec<String>,
    }
    let config: Config = serde_json::from_slice(config).ok()?;
    config.process.args.into_iter().next()
}
