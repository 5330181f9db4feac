//! Calls over a Unix socket with gRPC, whose messages are written out where they are used: what is sent and read here is
//! little, and a generated client would need protoc to build. Knows no service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tonic::client::Grpc;

use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

/// A call that takes longer has hung.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The largest message that is taken.
const LARGEST: usize = 32 << 20;

/// A server that is there, and the namespace of containerd that calls are about.
#[derive(Clone)]
pub(crate) struct Client {
    grpc: Grpc<Channel>,
    namespace: Option<AsciiMetadataValue>,
}

impl Client {
    /// Connects to a socket.
    pub(crate) async fn connect(socket: &Path) -> Result<Self> {
        let path = socket.to_path_buf();
        // The address is the connector's affair; this one only makes a well-formed request.
        let endpoint = Endpoint::from_static("http://localhost").timeout(TIMEOUT);
        // Tried by hand first: the transport's own error does not say why.
        drop(stream(path.clone()).await.with_context(|| {
            format!(
                "{}: nobody answers; is it containerd's socket, and does containerd run?",
                socket.display()
            )
        })?);
        let channel = endpoint
            .connect_with_connector(tower::service_fn(move |_| stream(path.clone())))
            .await
            .with_context(|| format!("{}: this does not speak gRPC", socket.display()))?;
        let grpc = Grpc::new(channel).max_decoding_message_size(LARGEST);
        Ok(Self {
            grpc,
            namespace: None,
        })
    }

    /// The same server, asked about one of containerd's namespaces.
    pub(crate) fn namespace(mut self, name: &str) -> Result<Self> {
        let value = name
            .parse()
            .with_context(|| format!("namespace {name:?}"))?;
        self.namespace = Some(value);
        Ok(self)
    }

    /// Calls a method, as in `/package.Service/Method`.
    pub(crate) async fn call<Q, A>(&self, method: &'static str, request: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.ready().await?;
        let answer = grpc
            .unary(self.request(request), path(method), ProstCodec::default())
            .await?;
        Ok(answer.into_inner())
    }

    /// Calls a method that answers with many messages.
    pub(crate) async fn stream<Q, A>(
        &self,
        method: &'static str,
        request: Q,
    ) -> Result<Streaming<A>, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.ready().await?;
        let answer = grpc
            .server_streaming(self.request(request), path(method), ProstCodec::default())
            .await?;
        Ok(answer.into_inner())
    }

    /// Calls a method that takes many messages and answers with many, with one, and takes the last answer.
    pub(crate) async fn exchange<Q, A>(
        &self,
        method: &'static str,
        request: Q,
    ) -> Result<Option<A>, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.ready().await?;
        let requests = self.request(tokio_stream::once(request));
        let answers = grpc
            .streaming(requests, path(method), ProstCodec::<Q, A>::default())
            .await?;
        let (mut answers, mut last) = (answers.into_inner(), None);
        while let Some(answer) = answers.message().await? {
            last = Some(answer);
        }
        Ok(last)
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = self.grpc.clone();
        grpc.ready()
            .await
            .map_err(|e| Status::unavailable(e.to_string()))?;
        Ok(grpc)
    }

    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let Some(namespace) = &self.namespace {
            request
                .metadata_mut()
                .insert("containerd-namespace", namespace.clone());
        }
        request
    }
}

async fn stream(path: PathBuf) -> std::io::Result<TokioIo<UnixStream>> {
    Ok(TokioIo::new(UnixStream::connect(path).await?))
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}

/// Runs a conversation to its end, on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.context("event loop")?.block_on(future)
}
