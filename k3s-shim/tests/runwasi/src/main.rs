//! The least that a shim of runwasi can cost. runwasi's own shims are on no registry, and its library is: this is that
//! library with an engine that loads nothing and runs nothing, and waits to be ended. With an engine it can only be more.

use anyhow::Result;
use containerd_shim_wasm::sandbox::Sandbox;
use containerd_shim_wasm::sandbox::context::RuntimeContext;
use containerd_shim_wasm::shim::{Cli, Shim};
use tokio::signal::unix::{SignalKind, signal};

struct Runwasi;

#[derive(Default)]
struct Waiting;

impl Shim for Runwasi {
    type Sandbox = Waiting;

    fn name() -> &'static str {
        "runwasi"
    }
}

impl Sandbox for Waiting {
    async fn run_wasi(&self, _: &impl RuntimeContext) -> Result<i32> {
        // Process 1 of a pid namespace is ended by no signal that it does not handle.
        signal(SignalKind::terminate())?.recv().await;
        Ok(143)
    }
}

fn main() {
    Runwasi::run(None);
}
