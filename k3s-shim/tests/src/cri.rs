//! Calls of the CRI, one after the other: each waits for its answer. Knows the socket, and nothing of what is called.

use std::path::Path;

use k8s_cri::v1::image_service_client::ImageServiceClient;
use k8s_cri::v1::runtime_service_client::RuntimeServiceClient;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use crate::HANG;

/// A client. It comes back to a containerd that was away.
pub struct Cri {
    runtime: Runtime,
    channel: Channel,
}

impl Cri {
    /// For the socket of a containerd, which need not be there yet.
    pub fn new(socket: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("an event loop");
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))
            .expect("an address")
            .timeout(HANG);
        let _inside = runtime.enter();
        let channel = endpoint.connect_lazy();
        drop(_inside);
        Self { runtime, channel }
    }

    /// Calls the RuntimeService.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn call<T>(
        &self,
        call: impl AsyncFnOnce(RuntimeServiceClient<Channel>) -> Result<Response<T>, Status>,
    ) -> Result<T, String> {
        let client = RuntimeServiceClient::new(self.channel.clone());
        let answer = self.runtime.block_on(call(client));
        answer
            .map(Response::into_inner)
            .map_err(|e| e.message().into())
    }

    /// Calls the ImageService.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn images<T>(
        &self,
        call: impl AsyncFnOnce(ImageServiceClient<Channel>) -> Result<Response<T>, Status>,
    ) -> Result<T, String> {
        let client = ImageServiceClient::new(self.channel.clone());
        let answer = self.runtime.block_on(call(client));
        answer
            .map(Response::into_inner)
            .map_err(|e| e.message().into())
    }
}
