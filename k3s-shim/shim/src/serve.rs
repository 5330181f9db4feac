//! The shim: serves containerd's task API for the containers of one pod, in one thread. Knows all parts of `serve`, whose
//! files are in the order `service` → `pod` → `container` → `process`.

mod command;
mod container;
mod events;
mod fetch;
mod log;
pub(crate) mod message;
mod pod;
mod process;
mod reaper;
pub(crate) mod rootfs;
pub(crate) mod runc;
mod sandbox;
mod service;

use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use containerd_shim_protos::shim_async::create_task;
use containerd_shim_protos::ttrpc::r#async::Server;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::args::Flags;
use crate::bootstrap;
use crate::spec::Spec;

use events::Events;
use pod::Pod;
use reaper::Reaper;
use service::Service;

/// The names under which containerd calls the task service: 2.0 gave the same one a new name.
const SERVICES: [&str; 2] = ["containerd.task.v2.Task", "containerd.task.v3.Task"];

/// A shim without containers, for which none is made and none asked for, ends after so long: containerd has forgotten it.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// Serves until containerd says that nothing is left to do.
pub(crate) fn serve(flags: &Flags) -> io::Result<()> {
    let bundle = std::env::current_dir()?;
    log::open(&bundle, &flags.id, flags.debug);
    let spec = Spec::load(&bundle)?;
    let one_pod = bootstrap::serves_one_pod(&spec);
    if one_pod {
        sandbox::own_namespaces()?;
    }
    let listener = bootstrap::listener();
    let address = listener.local_addr()?;
    // The bundle is removed while the shim still lives.
    std::env::set_current_dir("/")?;
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let result = runtime.block_on(run(flags, one_pod, listener));
    if let Some(socket) = address.as_pathname() {
        let _ = std::fs::remove_file(socket);
    }
    if let Err(e) = &result {
        log::warn(format!("the shim ends: {e}"));
    }
    result
}

async fn run(flags: &Flags, one_pod: bool, listener: UnixListener) -> io::Result<()> {
    let reaper = Reaper::start()?;
    let events = match std::env::var("TTRPC_ADDRESS") {
        Ok(address) if !address.is_empty() => address,
        _ => format!("{}.ttrpc", flags.address),
    };
    let events = match events.contains("://") {
        true => events,
        false => format!("unix://{events}"),
    };
    let events = Events::start(events, flags.namespace.clone());
    let pod = Arc::new(Pod::new(
        events,
        reaper,
        flags.namespace.clone(),
        flags.address.clone(),
        one_pod,
    ));
    let done = Arc::new(Notify::new());

    let mut server = Server::new();
    for name in SERVICES {
        let service = Service {
            pod: pod.clone(),
            done: done.clone(),
        };
        let services = create_task(Arc::new(service)).into_values();
        server = server.register_service(
            services
                .map(|service| (name.to_string(), service))
                .collect(),
        );
    }
    // SAFETY: it is a listening Unix socket, which is given away here.
    server =
        unsafe { server.add_unix_listener(listener.into_raw_fd()) }.map_err(io::Error::other)?;
    server.start().await.map_err(io::Error::other)?;

    tokio::select! {
        () = done.notified() => {}
        () = forgotten(&pod) => log::warn("nothing has been asked of this shim: it ends"),
    }
    // The answer to `Shutdown` is on its way, and so may be the last events.
    tokio::time::sleep(Duration::from_millis(20)).await;
    pod.events.delivered().await;
    Ok(())
}

/// Comes back when there has been no container for a long time.
async fn forgotten(pod: &Pod) {
    let mut count = pod.count();
    loop {
        let changed = if *count.borrow_and_update() == 0 {
            match timeout(FORGOTTEN, count.changed()).await {
                Err(_) => return,
                Ok(changed) => changed,
            }
        } else {
            count.changed().await
        };
        if changed.is_err() {
            return;
        }
    }
}
