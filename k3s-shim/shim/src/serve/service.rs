//! containerd's task service: its messages in, its messages out. What is to be done, `pod` does.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use containerd_shim_protos::api::{
    CheckpointTaskRequest, CloseIORequest, ConnectRequest, ConnectResponse, CreateTaskRequest,
    CreateTaskResponse, DeleteRequest, DeleteResponse, Empty, ExecProcessRequest, KillRequest,
    PauseRequest, PidsRequest, PidsResponse, ProcessInfo, ResizePtyRequest, ResumeRequest,
    ShutdownRequest, StartRequest, StartResponse, StateRequest, StateResponse, StatsRequest,
    StatsResponse, Status, UpdateTaskRequest, WaitRequest, WaitResponse,
};
use containerd_shim_protos::events::task::{
    TaskCreate, TaskDelete, TaskExecAdded, TaskExecStarted, TaskIO, TaskPaused, TaskResumed,
    TaskStart,
};
use containerd_shim_protos::protobuf::MessageField;
use containerd_shim_protos::shim_async::Task;
use containerd_shim_protos::ttrpc::r#async::TtrpcContext;
use containerd_shim_protos::ttrpc::{Code, Result};
use tokio::sync::Notify;

use crate::protocol::{Mount, Stdio};
use crate::spec::Resources;

use super::container::{Container, Exec, Kind};
use super::log;
use super::message::{error, failed, timestamp};
use super::pod::{Pod, Wish};
use super::process::{Process, State};
use super::reaper::Exit;

/// The service.
pub(crate) struct Service {
    pub(crate) pod: Arc<Pod>,
    /// Told when the shim may end.
    pub(crate) done: Arc<Notify>,
}

impl Service {
    fn container(&self, id: &str) -> Result<Arc<Container>> {
        let missing = || error(Code::NOT_FOUND, format!("there is no container {id} here"));
        self.pod.find(id).ok_or_else(missing)
    }

    /// A process that was started, or a container's first one: with an empty `exec_id`.
    fn process(&self, id: &str, exec_id: &str) -> Result<Arc<Process>> {
        let container = self.container(id)?;
        if exec_id.is_empty() {
            return Ok(container.init.clone());
        }
        let not_yet = || {
            error(
                Code::FAILED_PRECONDITION,
                format!("the process {exec_id} was not started yet"),
            )
        };
        exec(&container, exec_id)?.process().ok_or_else(not_yet)
    }

    /// Does something that must come to its end, also when containerd hangs up in the middle.
    async fn finish<T, F>(&self, what: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match tokio::spawn(what).await {
            Ok(result) => result,
            Err(e) => Err(failed(format!("the shim failed in the middle of it: {e}"))),
        }
    }
}

/// A process that was announced for a container.
fn exec(container: &Container, id: &str) -> Result<Arc<Exec>> {
    let missing = || {
        error(
            Code::NOT_FOUND,
            format!("there is no process {id} in container {}", container.id),
        )
    };
    container.exec(id).ok_or_else(missing)
}

/// A terminal would need somebody between it and the FIFOs.
fn no_terminal(terminal: bool) -> Result<()> {
    match terminal {
        true => Err(error(
            Code::FAILED_PRECONDITION,
            "teff's containers have no terminals: leave out `tty: true`, or the -t of kubectl",
        )),
        false => Ok(()),
    }
}

#[async_trait]
impl Task for Service {
    async fn create(
        &self,
        _: &TtrpcContext,
        request: CreateTaskRequest,
    ) -> Result<CreateTaskResponse> {
        no_terminal(request.terminal)?;
        if self.pod.find(&request.id).is_some() {
            return Err(error(
                Code::ALREADY_EXISTS,
                format!("there is a container {} already", request.id),
            ));
        }
        if !request.checkpoint.is_empty() {
            return Err(error(
                Code::UNIMPLEMENTED,
                "teff cannot restore checkpoints",
            ));
        }
        let rootfs = request.rootfs.iter().map(|mount| Mount {
            kind: mount.type_.clone(),
            source: mount.source.clone(),
            options: mount.options.clone(),
        });
        let stdio = Stdio {
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
        };
        let wish = Wish {
            id: request.id.clone(),
            bundle: PathBuf::from(&request.bundle),
            rootfs: rootfs.collect(),
            stdio,
        };
        let pod = self.pod.clone();
        self.finish(async move {
            let container = pod.create(wish).await.map_err(failed)?;
            let pid = container.init.pid as u32;
            let event = TaskCreate {
                container_id: request.id,
                bundle: request.bundle,
                rootfs: request.rootfs,
                io: MessageField::some(TaskIO {
                    stdin: request.stdin,
                    stdout: request.stdout,
                    stderr: request.stderr,
                    ..TaskIO::default()
                }),
                pid,
                ..TaskCreate::default()
            };
            pod.events.publish("/tasks/create", &event);
            Ok(CreateTaskResponse {
                pid,
                ..CreateTaskResponse::default()
            })
        })
        .await
    }

    async fn start(&self, _: &TtrpcContext, request: StartRequest) -> Result<StartResponse> {
        let container = self.container(&request.id)?;
        let pod = self.pod.clone();
        self.finish(async move {
            let pid = if request.exec_id.is_empty() {
                pod.start(&container).await.map_err(failed)?;
                let pid = container.init.pid as u32;
                let event = TaskStart {
                    container_id: request.id,
                    pid,
                    ..TaskStart::default()
                };
                pod.events.publish("/tasks/start", &event);
                pid
            } else {
                let exec = exec(&container, &request.exec_id)?;
                let pid = pod.start_exec(&container, &exec).await.map_err(failed)? as u32;
                let event = TaskExecStarted {
                    container_id: request.id,
                    exec_id: request.exec_id,
                    pid,
                    ..TaskExecStarted::default()
                };
                pod.events.publish("/tasks/exec-started", &event);
                pid
            };
            Ok(StartResponse {
                pid,
                ..StartResponse::default()
            })
        })
        .await
    }

    async fn exec(&self, _: &TtrpcContext, request: ExecProcessRequest) -> Result<Empty> {
        no_terminal(request.terminal)?;
        let container = self.container(&request.id)?;
        let process = serde_json::from_slice(&request.spec.value).map_err(|e| {
            error(
                Code::INVALID_ARGUMENT,
                format!("the process to execute: {e}"),
            )
        })?;
        let stdio = Stdio {
            stdin: request.stdin,
            stdout: request.stdout,
            stderr: request.stderr,
        };
        if !container.add_exec(Exec::new(request.exec_id.clone(), process, stdio)) {
            return Err(error(
                Code::ALREADY_EXISTS,
                format!("there is a process {} already", request.exec_id),
            ));
        }
        let event = TaskExecAdded {
            container_id: request.id,
            exec_id: request.exec_id,
            ..TaskExecAdded::default()
        };
        self.pod.events.publish("/tasks/exec-added", &event);
        Ok(Empty::new())
    }

    async fn delete(&self, _: &TtrpcContext, request: DeleteRequest) -> Result<DeleteResponse> {
        let container = self.container(&request.id)?;
        let pod = self.pod.clone();
        self.finish(async move {
            let (pid, exit) = if request.exec_id.is_empty() {
                let exit = pod.delete(&container).await.map_err(failed)?;
                (container.init.pid, exit)
            } else {
                let exec = exec(&container, &request.exec_id)?;
                let ended = match exec.process() {
                    None => (0, Exit::signal(libc::SIGKILL)),
                    Some(process) => match process.state() {
                        State::Stopped(exit) => (process.pid, exit),
                        _ => {
                            let running =
                                format!("the process {} is still running", request.exec_id);
                            return Err(error(Code::FAILED_PRECONDITION, running));
                        }
                    },
                };
                container.remove_exec(&request.exec_id);
                ended
            };
            let exited_at = MessageField::some(timestamp(exit.at));
            if request.exec_id.is_empty() {
                let event = TaskDelete {
                    container_id: request.id.clone(),
                    id: request.id,
                    pid: pid as u32,
                    exit_status: exit.status,
                    exited_at: exited_at.clone(),
                    ..TaskDelete::default()
                };
                pod.events.publish("/tasks/delete", &event);
            }
            Ok(DeleteResponse {
                pid: pid as u32,
                exit_status: exit.status,
                exited_at,
                ..DeleteResponse::default()
            })
        })
        .await
    }

    async fn state(&self, _: &TtrpcContext, request: StateRequest) -> Result<StateResponse> {
        let container = self.container(&request.id)?;
        let (process, stdio) = if request.exec_id.is_empty() {
            (Some(container.init.clone()), container.init.stdio.clone())
        } else {
            let exec = exec(&container, &request.exec_id)?;
            (exec.process(), exec.stdio.clone())
        };
        let state = process
            .as_ref()
            .map_or(State::Created, |process| process.state());
        let mut response = StateResponse {
            id: request.id,
            bundle: container.bundle.to_string_lossy().into_owned(),
            pid: process.map_or(0, |process| process.pid as u32),
            stdin: stdio.stdin,
            stdout: stdio.stdout,
            stderr: stdio.stderr,
            exec_id: request.exec_id,
            ..StateResponse::default()
        };
        let status = match state {
            State::Stopped(exit) => {
                response.exit_status = exit.status;
                response.exited_at = MessageField::some(timestamp(exit.at));
                Status::STOPPED
            }
            _ if container.is_paused() => Status::PAUSED,
            State::Created => Status::CREATED,
            State::Running => Status::RUNNING,
        };
        response.status = status.into();
        Ok(response)
    }

    async fn kill(&self, _: &TtrpcContext, request: KillRequest) -> Result<Empty> {
        let container = self.container(&request.id)?;
        let process = self.process(&request.id, &request.exec_id)?;
        let over = || {
            error(
                Code::NOT_FOUND,
                format!("the process of {} has ended already", request.id),
            )
        };
        if matches!(process.state(), State::Stopped(_)) {
            return Err(over());
        }
        let signal = request.signal as i32;
        if matches!(container.kind, Kind::Sandbox(_)) {
            // Nothing runs in it: whatever the signal, that is its end.
            container.stopped(
                &container.id,
                &process,
                Exit::signal(signal),
                &self.pod.events,
            );
            return Ok(Empty::new());
        }
        if signal == libc::SIGKILL && container.is_paused() {
            // What is frozen does not die.
            container.resume().map_err(failed)?;
        }
        if request.all && signal == libc::SIGKILL {
            let _ = container.cgroup.kill();
        }
        match process.kill(signal) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(over()),
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Err(over()),
            Err(e) => Err(failed(format!("signal {signal}: {e}"))),
            Ok(()) => Ok(Empty::new()),
        }
    }

    async fn wait(&self, _: &TtrpcContext, request: WaitRequest) -> Result<WaitResponse> {
        let container = self.container(&request.id)?;
        let process = match request.exec_id.as_str() {
            "" => Some(container.init.clone()),
            // What is waited for must not keep the process from being forgotten.
            id => {
                let started = exec(&container, id)?.when_started();
                started.await
            }
        };
        let exit = match process {
            Some(process) => process.wait().await,
            None => Exit::signal(libc::SIGKILL),
        };
        Ok(WaitResponse {
            exit_status: exit.status,
            exited_at: MessageField::some(timestamp(exit.at)),
            ..WaitResponse::default()
        })
    }

    async fn pids(&self, _: &TtrpcContext, request: PidsRequest) -> Result<PidsResponse> {
        let container = self.container(&request.id)?;
        let process = |pid| ProcessInfo {
            pid,
            ..ProcessInfo::default()
        };
        Ok(PidsResponse {
            processes: container.pids().into_iter().map(process).collect(),
            ..PidsResponse::default()
        })
    }

    async fn pause(&self, _: &TtrpcContext, request: PauseRequest) -> Result<Empty> {
        let container = self.container(&request.id)?;
        if matches!(container.kind, Kind::Sandbox(_)) {
            return Err(error(
                Code::FAILED_PRECONDITION,
                "a pod's sandbox cannot be paused: the shim would stop",
            ));
        }
        container.pause().map_err(failed)?;
        let event = TaskPaused {
            container_id: request.id,
            ..TaskPaused::default()
        };
        self.pod.events.publish("/tasks/paused", &event);
        Ok(Empty::new())
    }

    async fn resume(&self, _: &TtrpcContext, request: ResumeRequest) -> Result<Empty> {
        let container = self.container(&request.id)?;
        container.resume().map_err(failed)?;
        let event = TaskResumed {
            container_id: request.id,
            ..TaskResumed::default()
        };
        self.pod.events.publish("/tasks/resumed", &event);
        Ok(Empty::new())
    }

    async fn update(&self, _: &TtrpcContext, request: UpdateTaskRequest) -> Result<Empty> {
        let container = self.container(&request.id)?;
        let resources: Resources = serde_json::from_slice(&request.resources.value)
            .map_err(|e| error(Code::INVALID_ARGUMENT, format!("the resources to set: {e}")))?;
        container.cgroup.update(&resources).map_err(failed)?;
        Ok(Empty::new())
    }

    async fn stats(&self, _: &TtrpcContext, request: StatsRequest) -> Result<StatsResponse> {
        let container = self.container(&request.id)?;
        Ok(StatsResponse {
            stats: MessageField::some(container.cgroup.stats().map_err(failed)?),
            ..StatsResponse::default()
        })
    }

    async fn connect(&self, _: &TtrpcContext, request: ConnectRequest) -> Result<ConnectResponse> {
        let container = self.pod.find(&request.id);
        Ok(ConnectResponse {
            shim_pid: std::process::id(),
            task_pid: container.map_or(0, |container| container.init.pid as u32),
            version: env!("CARGO_PKG_VERSION").into(),
            ..ConnectResponse::default()
        })
    }

    async fn shutdown(&self, _: &TtrpcContext, request: ShutdownRequest) -> Result<Empty> {
        // It is said for every container; the shim stays for the others.
        if request.now || self.pod.is_empty() {
            log::debug("nothing is left to do");
            self.done.notify_one();
        }
        Ok(Empty::new())
    }

    async fn close_io(&self, _: &TtrpcContext, request: CloseIORequest) -> Result<Empty> {
        if request.stdin {
            self.process(&request.id, &request.exec_id)?.close_stdin();
        }
        Ok(Empty::new())
    }

    async fn resize_pty(&self, _: &TtrpcContext, _: ResizePtyRequest) -> Result<Empty> {
        no_terminal(true).map(|()| Empty::new())
    }

    async fn checkpoint(&self, _: &TtrpcContext, _: CheckpointTaskRequest) -> Result<Empty> {
        Err(error(Code::UNIMPLEMENTED, "teff cannot make checkpoints"))
    }
}
