//! The containers that this shim serves, and how they come and go. Knows containers and processes; containerd's messages
//! are translated in `service`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::cgroup::Cgroup;
use crate::protocol::{self, Mount, Request, Stdio};
use crate::spec::Spec;

use super::container::{Container, Exec, Kind};
use super::events::Events;
use super::fetch;
use super::process::{HeldStreams, Process, Spawned, State};
use super::reaper::{Exit, Reaper};
use super::rootfs;
use super::runc::Runc;
use super::sandbox::Sandbox;

/// The containers, and what all of them need.
pub(crate) struct Pod {
    pub(crate) events: Events,
    pub(crate) reaper: Reaper,
    /// containerd's namespace.
    namespace: String,
    /// containerd's gRPC socket.
    address: String,
    /// Does this shim have namespaces of its own, since it serves one pod alone?
    own_namespaces: bool,
    containers: Mutex<HashMap<String, Arc<Container>>>,
    /// How many containers there are.
    count: watch::Sender<usize>,
}

/// What containerd wants to have made.
pub(crate) struct Wish {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: Vec<Mount>,
    pub(crate) stdio: Stdio,
}

impl Pod {
    pub(crate) fn new(
        events: Events,
        reaper: Reaper,
        namespace: String,
        address: String,
        own_namespaces: bool,
    ) -> Self {
        Self {
            events,
            reaper,
            namespace,
            address,
            own_namespaces,
            containers: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    fn containers(&self) -> MutexGuard<'_, HashMap<String, Arc<Container>>> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Container>> {
        self.containers().get(id).cloned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.containers().is_empty()
    }

    /// Changes with the number of containers.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Makes a container that waits to be started.
    pub(crate) async fn create(&self, wish: Wish) -> io::Result<Arc<Container>> {
        let spec = Spec::load(&wish.bundle)?;
        let cgroup = Cgroup::create(&spec.linux.cgroups_path, spec.linux.resources.as_ref())?;
        let made = match spec.is_sandbox() {
            true => self
                .sandbox(&wish, &spec, &cgroup)
                .map(|(kind, process)| (kind, process, None)),
            false => self.container(&wish, &spec, &cgroup).await,
        };
        let (kind, process, end) = match made {
            Ok(made) => made,
            Err(e) => {
                // Nothing of it stays.
                let _ = cgroup.kill();
                let _ = cgroup.remove();
                return Err(e);
            }
        };
        let container = Arc::new(Container::new(&wish.id, wish.bundle, kind, cgroup, process));
        if let Some(end) = end {
            container.supervise(end, &self.events);
        }
        let mut containers = self.containers();
        containers.insert(wish.id, container.clone());
        self.count.send_replace(containers.len());
        Ok(container)
    }

    fn sandbox(&self, wish: &Wish, spec: &Spec, cgroup: &Cgroup) -> io::Result<(Kind, Process)> {
        let sandbox = Sandbox::enter(spec, cgroup, self.own_namespaces)?;
        let process = Process::new(std::process::id() as i32, wish.stdio.clone());
        Ok((Kind::Sandbox(sandbox), process))
    }

    /// The network namespace of the pod that a container belongs to.
    fn network(&self, spec: &Spec) -> Option<PathBuf> {
        match &self.find(spec.sandbox_id()?)?.kind {
            Kind::Sandbox(sandbox) => sandbox.network.clone(),
            Kind::Wasm(_) | Kind::Linux(_) => None,
        }
    }

    async fn container(
        &self,
        wish: &Wish,
        spec: &Spec,
        cgroup: &Cgroup,
    ) -> io::Result<(Kind, Process, Option<oneshot::Receiver<Exit>>)> {
        let mut container = protocol::Container {
            id: wish.id.clone(),
            bundle: wish.bundle.clone(),
            rootfs: wish.rootfs.clone(),
            module: None,
            stdio: wish.stdio.clone(),
            memory: cgroup.memory_limit(),
            shim_is_shared: !self.own_namespaces,
            network: self.network(spec),
        };
        let _held = HeldStreams::open(&wish.stdio);
        loop {
            let request = Request::Container(container.clone());
            match Process::spawn(&request, &wish.stdio, cgroup, &self.reaper).await? {
                Spawned::Ready(process, end) => {
                    return Ok((Kind::Wasm(container), process, Some(end)));
                }
                Spawned::NotWasm(_) => {
                    let runc = Runc::new(
                        &wish.id,
                        &wish.bundle,
                        &self.namespace,
                        &spec.linux.cgroups_path,
                    );
                    rootfs::mount(&wish.rootfs, &wish.bundle)?;
                    return match runc.create(&self.reaper, &wish.stdio).await {
                        Ok(pid) => {
                            let end = self.reaper.end_of(pid);
                            Ok((
                                Kind::Linux(runc),
                                Process::new(pid, wish.stdio.clone()),
                                Some(end),
                            ))
                        }
                        Err(e) => {
                            let _ = runc.delete(&self.reaper).await;
                            rootfs::unmount(&wish.bundle);
                            Err(e)
                        }
                    };
                }
                Spawned::NoModule(name) => {
                    container.module = Some(
                        self.fetch(&wish.id, &wish.bundle, container.module.is_some(), &name)
                            .await?,
                    );
                }
            }
        }
    }

    /// The module of the container's image, when the image has no file of the name.
    async fn fetch(&self, id: &str, bundle: &Path, again: bool, name: &str) -> io::Result<PathBuf> {
        let missing = format!("the image has no file `{name}`");
        if again {
            return Err(io::Error::other(missing));
        }
        let from = (self.address.as_str(), self.namespace.as_str(), id);
        let fetched = fetch::module(&self.reaper, from, &bundle.join("module.wasm")).await;
        fetched
            .map_err(|e| io::Error::other(format!("{missing}, and no layer that is a module: {e}")))
    }

    /// Lets a container run; gives its process.
    pub(crate) async fn start(&self, container: &Arc<Container>) -> io::Result<()> {
        match &container.kind {
            Kind::Linux(runc) => runc.start(&self.reaper).await?,
            Kind::Sandbox(_) | Kind::Wasm(_) => {}
        }
        container.init.go()
    }

    /// Makes and runs a process that was announced by `exec`.
    pub(crate) async fn start_exec(
        &self,
        container: &Arc<Container>,
        exec: &Arc<Exec>,
    ) -> io::Result<i32> {
        let (process, end) = match &container.kind {
            Kind::Sandbox(_) => {
                return Err(io::Error::other(
                    "nothing can be executed in a pod's sandbox",
                ));
            }
            Kind::Linux(runc) => {
                let pid = runc
                    .exec(&self.reaper, &exec.id, &exec.process, &exec.stdio)
                    .await?;
                (
                    Process::new(pid, exec.stdio.clone()),
                    self.reaper.end_of(pid),
                )
            }
            Kind::Wasm(asked) => {
                let request = Request::Exec(protocol::Exec {
                    container: protocol::Container {
                        stdio: exec.stdio.clone(),
                        memory: container.cgroup.memory_limit(),
                        ..asked.clone()
                    },
                    pid: container.init.pid,
                    process: exec.process.clone(),
                });
                match Process::spawn(&request, &exec.stdio, &container.cgroup, &self.reaper).await?
                {
                    Spawned::Ready(process, end) => (process, end),
                    Spawned::NotWasm(path) => {
                        return Err(io::Error::other(format!(
                            "`{path}` is no WebAssembly module; in this container modules of its image can be executed, and \
                             exports of its own one (as `#name`)"
                        )));
                    }
                    Spawned::NoModule(name) => {
                        return Err(io::Error::other(format!(
                            "the container has no file `{name}`"
                        )));
                    }
                }
            }
        };
        let process = Arc::new(process);
        exec.started(process.clone());
        process.go()?;
        let pid = process.pid;
        container.supervise_exec(exec, process, end, &self.events);
        Ok(pid)
    }

    /// Removes a container that has ended, or never ran, with all that it had on the node.
    pub(crate) async fn delete(&self, container: &Arc<Container>) -> io::Result<Exit> {
        let exit = match container.init.state() {
            State::Stopped(exit) => exit,
            State::Running => {
                return Err(io::Error::other(format!(
                    "{} is still running",
                    container.id
                )));
            }
            State::Created => {
                let exit = Exit::signal(libc::SIGKILL);
                if !matches!(container.kind, Kind::Sandbox(_)) {
                    let _ = container.init.kill(libc::SIGKILL);
                    container.init.wait().await;
                }
                exit
            }
        };
        match &container.kind {
            Kind::Sandbox(sandbox) => sandbox.leave(&container.cgroup),
            Kind::Wasm(_) => container.cgroup.kill()?,
            Kind::Linux(runc) => {
                runc.delete(&self.reaper).await?;
                rootfs::unmount(&container.bundle);
            }
        }
        container.cgroup.remove()?;
        let mut containers = self.containers();
        containers.remove(&container.id);
        self.count.send_replace(containers.len());
        Ok(exit)
    }
}
