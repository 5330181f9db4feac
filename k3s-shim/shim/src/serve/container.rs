//! A container of the pod: its sandbox, a Wasm guest, or a Linux program that runc runs. Knows processes and cgroups;
//! containerd's messages are translated in `service`.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use containerd_shim_protos::events::task::{TaskExit, TaskOOM};
use containerd_shim_protos::protobuf::MessageField;
use tokio::sync::{oneshot, watch};

use crate::cgroup::Cgroup;
use crate::protocol;

use super::events::Events;
use super::log;
use super::message::timestamp;
use super::process::Process;
use super::reaper::Exit;
use super::runc::Runc;
use super::sandbox::Sandbox;

/// What runs in a container.
pub(crate) enum Kind {
    /// Nothing: it stands for the pod.
    Sandbox(Sandbox),
    /// A module; this asked for it, and asks for more processes in it.
    Wasm(protocol::Container),
    /// An ordinary program.
    Linux(Runc),
}

/// A container.
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) cgroup: Cgroup,
    pub(crate) init: Arc<Process>,
    changing: Mutex<Changing>,
}

/// What changes about a container.
#[derive(Default)]
struct Changing {
    execs: HashMap<String, Arc<Exec>>,
    paused: bool,
}

/// A process that is executed in a container.
pub(crate) struct Exec {
    pub(crate) id: String,
    /// OCI's `process`.
    pub(crate) process: serde_json::Value,
    pub(crate) stdio: protocol::Stdio,
    /// There is one as soon as it was started.
    started: watch::Sender<Option<Arc<Process>>>,
}

impl Exec {
    pub(crate) fn new(id: String, process: serde_json::Value, stdio: protocol::Stdio) -> Self {
        Self {
            id,
            process,
            stdio,
            started: watch::Sender::new(None),
        }
    }

    /// Its process, once it was started.
    pub(crate) fn process(&self) -> Option<Arc<Process>> {
        self.started.borrow().clone()
    }

    pub(crate) fn started(&self, process: Arc<Process>) {
        self.started.send_replace(Some(process));
    }

    /// Its process, as soon as it is started: containerd asks for the end before the beginning. Nothing if it never is.
    pub(crate) fn when_started(&self) -> impl Future<Output = Option<Arc<Process>>> + use<> {
        let mut started = self.started.subscribe();
        async move { started.wait_for(Option::is_some).await.ok()?.clone() }
    }
}

impl Container {
    pub(crate) fn new(
        id: &str,
        bundle: PathBuf,
        kind: Kind,
        cgroup: Cgroup,
        init: Process,
    ) -> Self {
        Self {
            id: id.into(),
            bundle,
            kind,
            cgroup,
            init: Arc::new(init),
            changing: Mutex::default(),
        }
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a process to execute; says if there is one of that name.
    pub(crate) fn add_exec(&self, exec: Exec) -> bool {
        let mut changing = self.changing();
        let is_new = !changing.execs.contains_key(&exec.id);
        if is_new {
            changing.execs.insert(exec.id.clone(), Arc::new(exec));
        }
        is_new
    }

    pub(crate) fn exec(&self, id: &str) -> Option<Arc<Exec>> {
        self.changing().execs.get(id).cloned()
    }

    pub(crate) fn remove_exec(&self, id: &str) {
        self.changing().execs.remove(id);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.changing().paused
    }

    /// Stops all of its processes where they are.
    pub(crate) fn pause(&self) -> io::Result<()> {
        self.cgroup.freeze()?;
        self.changing().paused = true;
        Ok(())
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) -> io::Result<()> {
        self.cgroup.thaw()?;
        self.changing().paused = false;
        Ok(())
    }

    /// Every process of the container; at least the first, even if it has ended. To a containerd 2 that starts again, a
    /// container without processes is one that was never made: it would forget it, with its exit status.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = self.cgroup.pids();
        if pids.is_empty() {
            pids.push(self.init.pid as u32);
        }
        pids
    }

    /// Watches over the first process until it has ended, and does what is to be done then.
    pub(crate) fn supervise(self: &Arc<Self>, mut end: oneshot::Receiver<Exit>, events: &Events) {
        let (container, events) = (self.clone(), events.clone());
        tokio::spawn(async move {
            let mut told = 0;
            let mut tell = || {
                let kills = container.cgroup.oom_kills();
                if kills > told {
                    told = kills;
                    container.publish_oom(&events);
                }
            };
            let exit = match container.cgroup.oom_watch() {
                Ok(mut watch) => loop {
                    tokio::select! {
                        exit = &mut end => break exit,
                        () = watch.killed() => tell(),
                    }
                },
                Err(e) => {
                    log::warn(format!(
                        "{}: kills for want of memory are told late: {e}",
                        container.id
                    ));
                    (&mut end).await
                }
            };
            let exit = exit.unwrap_or_else(|_| Exit::signal(libc::SIGKILL));
            // A kill and the end that it causes may come together.
            tell();
            if !matches!(container.kind, Kind::Linux(_)) {
                // Who was executed in the container ends with it.
                let _ = container.cgroup.kill();
            }
            container.stopped(&container.id, &container.init, exit, &events);
        });
    }

    /// The same for an executed process.
    pub(crate) fn supervise_exec(
        self: &Arc<Self>,
        exec: &Arc<Exec>,
        process: Arc<Process>,
        end: oneshot::Receiver<Exit>,
        events: &Events,
    ) {
        let (container, exec, events) = (self.clone(), exec.clone(), events.clone());
        tokio::spawn(async move {
            let exit = end.await.unwrap_or_else(|_| Exit::signal(libc::SIGKILL));
            container.stopped(&exec.id, &process, exit, &events);
        });
    }

    /// A process has ended.
    pub(crate) fn stopped(&self, id: &str, process: &Process, exit: Exit, events: &Events) {
        log::debug(format!(
            "{}: {id} ended with status {}",
            self.id, exit.status
        ));
        let event = TaskExit {
            container_id: self.id.clone(),
            id: id.into(),
            pid: process.pid as u32,
            exit_status: exit.status,
            exited_at: MessageField::some(timestamp(exit.at)),
            ..TaskExit::default()
        };
        events.publish("/tasks/exit", &event);
        process.stopped(exit);
    }

    fn publish_oom(&self, events: &Events) {
        let event = TaskOOM {
            container_id: self.id.clone(),
            ..TaskOOM::default()
        };
        events.publish("/tasks/oom", &event);
    }
}
