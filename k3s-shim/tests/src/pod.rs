//! Pods and containers: what a kubelet does with them, in the same order.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_cri::v1::*;
use serde_json::Value;

use crate::traces::hierarchies;
use crate::{Node, Process, wait};

/// A pod to be.
pub struct PodWish<'a> {
    node: &'a Node,
    handler: &'a str,
    config: PodSandboxConfig,
}

/// A pod that runs. Dropped, it is removed.
pub struct Pod<'a> {
    node: &'a Node,
    config: PodSandboxConfig,
    /// Its sandbox.
    pub id: String,
}

/// A container to be.
pub struct ContainerWish<'a> {
    pod: &'a Pod<'a>,
    config: ContainerConfig,
}

/// A container.
pub struct Container<'a> {
    node: &'a Node,
    log: PathBuf,
    /// Its own.
    pub id: String,
}

/// What a container has written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// On standard output.
    pub stdout: String,
    /// On standard error.
    pub stderr: String,
}

impl<'a> PodWish<'a> {
    pub(crate) fn new(node: &'a Node, name: &str) -> Self {
        let logs = node.folder().join("logs").join(name);
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.into(),
                uid: name.into(),
                namespace: "default".into(),
                attempt: 0,
            }),
            hostname: name.into(),
            log_directory: logs.display().to_string(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: format!("{}/{name}", node.cgroup()),
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(NamespaceOption {
                        pid: NamespaceMode::Container.into(),
                        ..NamespaceOption::default()
                    }),
                    ..LinuxSandboxSecurityContext::default()
                }),
                ..LinuxPodSandboxConfig::default()
            }),
            ..PodSandboxConfig::default()
        };
        let handler = "teff";
        Self {
            node,
            handler,
            config,
        }
    }

    /// With another runtime.
    pub fn handler(mut self, handler: &'a str) -> Self {
        self.handler = handler;
        self
    }

    /// With an annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.config.annotations.insert(key.into(), value.into());
        self
    }

    /// In the node's network.
    pub fn host_network(mut self) -> Self {
        self.config.hostname.clear();
        let linux = self.config.linux.as_mut();
        let options =
            linux.and_then(|linux| linux.security_context.as_mut()?.namespace_options.as_mut());
        if let Some(options) = options {
            options.network = NamespaceMode::Node.into();
        }
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn try_start(self) -> Result<Pod<'a>, String> {
        fs::create_dir_all(&self.config.log_directory).map_err(|e| e.to_string())?;
        let request = RunPodSandboxRequest {
            config: Some(self.config.clone()),
            runtime_handler: self.handler.into(),
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.run_pod_sandbox(request).await)?;
        let (node, config) = (self.node, self.config);
        Ok(Pod {
            node,
            config,
            id: answer.pod_sandbox_id,
        })
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If containerd refuses.
    pub fn start(self) -> Pod<'a> {
        self.try_start().expect("the pod starts")
    }
}

impl<'a> Pod<'a> {
    /// A container of a module in the image [`crate::MODULES`], as in `/tool.wasm#function`, and its arguments.
    pub fn module(&'a self, command: &[&str]) -> ContainerWish<'a> {
        self.container(crate::MODULES, command)
    }

    /// A container of an image. Its name is that of the function or file.
    pub fn container(&'a self, image: &str, command: &[&str]) -> ContainerWish<'a> {
        let first = command.first().copied().unwrap_or(image);
        let name = first.rsplit(['/', '#']).next().unwrap_or(first);
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: name.into(),
                attempt: 0,
            }),
            image: Some(ImageSpec {
                image: image.into(),
                ..ImageSpec::default()
            }),
            command: command.iter().map(|&word| word.into()).collect(),
            log_path: format!("{name}.log"),
            linux: Some(LinuxContainerConfig {
                resources: Some(LinuxContainerResources::default()),
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: self.namespaces(),
                    ..LinuxContainerSecurityContext::default()
                }),
            }),
            ..ContainerConfig::default()
        };
        ContainerWish { pod: self, config }
    }

    fn namespaces(&self) -> Option<NamespaceOption> {
        self.config
            .linux
            .as_ref()?
            .security_context
            .as_ref()?
            .namespace_options
            .clone()
    }

    /// Its name, which is that of its cgroup below the node's.
    pub fn name(&self) -> &str {
        let metadata = self.config.metadata.as_ref();
        metadata.map_or("", |metadata| &metadata.name)
    }

    /// What containerd knows of it.
    pub fn status(&self) -> PodSandboxStatus {
        let request = PodSandboxStatusRequest {
            pod_sandbox_id: self.id.clone(),
            verbose: false,
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.pod_sandbox_status(request).await);
        answer
            .expect("the pod is known")
            .status
            .expect("it has a status")
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.status().network.expect("it has a network").ip
    }

    /// The shim.
    pub fn shim(&self) -> Process {
        let request = PodSandboxStatusRequest {
            pod_sandbox_id: self.id.clone(),
            verbose: true,
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.pod_sandbox_status(request).await);
        Process(pid(&answer.expect("the pod is known").info))
    }

    /// Measurements.
    pub fn stats(&self) -> PodSandboxStats {
        let request = PodSandboxStatsRequest {
            pod_sandbox_id: self.id.clone(),
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.pod_sandbox_stats(request).await);
        answer
            .expect("the pod is known")
            .stats
            .expect("it has measurements")
    }

    /// Stops it, with its containers.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn stop(&self) -> Result<(), String> {
        let request = StopPodSandboxRequest {
            pod_sandbox_id: self.id.clone(),
        };
        self.node
            .cri
            .call(async |mut cri| cri.stop_pod_sandbox(request).await)
            .map(drop)
    }

    /// Stops and removes it, and the cgroup that the kubelet makes for a pod, and removes.
    ///
    /// # Errors
    ///
    /// What containerd says, or what is left.
    pub fn remove(&self) -> Result<(), String> {
        self.stop()?;
        let request = RemovePodSandboxRequest {
            pod_sandbox_id: self.id.clone(),
        };
        self.node
            .cri
            .call(async |mut cri| cri.remove_pod_sandbox(request).await)?;
        for path in self.cgroups() {
            // The kernel takes its time with the last process of one.
            wait(&format!("{} is empty", path.display()), || {
                fs::remove_dir(&path).ok()
            });
        }
        Ok(())
    }

    /// The cgroups of the whole pod, one of each hierarchy.
    fn cgroups(&self) -> Vec<PathBuf> {
        let parent = self
            .config
            .linux
            .as_ref()
            .map(|linux| linux.cgroup_parent.as_str());
        let parent = parent.unwrap_or_default().trim_start_matches('/');
        let all = hierarchies()
            .into_iter()
            .map(|hierarchy| hierarchy.join(parent));
        all.filter(|path| path.exists()).collect()
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let _ = self.stop();
        let request = RemovePodSandboxRequest {
            pod_sandbox_id: self.id.clone(),
        };
        let _ = self
            .node
            .cri
            .call(async |mut cri| cri.remove_pod_sandbox(request).await);
        for path in self.cgroups() {
            let _ = fs::remove_dir(path);
        }
    }
}

impl<'a> ContainerWish<'a> {
    /// With this name, and not that of the function.
    pub fn name(mut self, name: &str) -> Self {
        self.config.log_path = format!("{name}.log");
        if let Some(metadata) = self.config.metadata.as_mut() {
            metadata.name = name.into();
        }
        self
    }

    /// With arguments after the command.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.config.args = args.iter().map(|&word| word.into()).collect();
        self
    }

    /// With a variable of the environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.config.envs.push(KeyValue {
            key: key.into(),
            value: value.into(),
        });
        self
    }

    /// In this directory.
    pub fn working_dir(mut self, path: &str) -> Self {
        self.config.working_dir = path.into();
        self
    }

    /// With a directory of the node.
    pub fn mount(mut self, host: &Path, container: &str, readonly: bool) -> Self {
        self.config.mounts.push(Mount {
            container_path: container.into(),
            host_path: host.display().to_string(),
            readonly,
            ..Mount::default()
        });
        self
    }

    /// With a terminal.
    pub fn tty(mut self) -> Self {
        self.config.tty = true;
        self
    }

    /// With limits.
    pub fn resources(mut self, change: impl FnOnce(&mut LinuxContainerResources)) -> Self {
        if let Some(resources) = self
            .config
            .linux
            .as_mut()
            .and_then(|linux| linux.resources.as_mut())
        {
            change(resources);
        }
        self
    }

    /// With a limit of memory, in bytes.
    pub fn memory(self, bytes: i64) -> Self {
        self.resources(|resources| resources.memory_limit_in_bytes = bytes)
    }

    /// With another user, rights and so on.
    pub fn security(mut self, change: impl FnOnce(&mut LinuxContainerSecurityContext)) -> Self {
        let linux = self.config.linux.as_mut();
        if let Some(context) = linux.and_then(|linux| linux.security_context.as_mut()) {
            change(context);
        }
        self
    }

    /// Makes it, without starting it.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn try_create(self) -> Result<Container<'a>, String> {
        let log = Path::new(&self.pod.config.log_directory).join(&self.config.log_path);
        let request = CreateContainerRequest {
            pod_sandbox_id: self.pod.id.clone(),
            config: Some(self.config),
            sandbox_config: Some(self.pod.config.clone()),
        };
        let node = self.pod.node;
        let answer = node
            .cri
            .call(async |mut cri| cri.create_container(request).await)?;
        Ok(Container {
            node,
            log,
            id: answer.container_id,
        })
    }

    /// Makes and starts it.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn try_start(self) -> Result<Container<'a>, String> {
        let container = self.try_create()?;
        container.try_start()?;
        Ok(container)
    }

    /// Makes and starts it.
    ///
    /// # Panics
    ///
    /// If containerd refuses.
    pub fn start(self) -> Container<'a> {
        self.try_start().expect("the container starts")
    }
}

impl Container<'_> {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn try_start(&self) -> Result<(), String> {
        let request = StartContainerRequest {
            container_id: self.id.clone(),
        };
        self.node
            .cri
            .call(async |mut cri| cri.start_container(request).await)
            .map(drop)
    }

    /// What containerd knows of it.
    pub fn status(&self) -> ContainerStatus {
        let request = ContainerStatusRequest {
            container_id: self.id.clone(),
            verbose: false,
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.container_status(request).await);
        answer
            .expect("the container is known")
            .status
            .expect("it has a status")
    }

    /// Does it run?
    pub fn runs(&self) -> bool {
        self.status().state() == ContainerState::ContainerRunning
    }

    /// Its process.
    pub fn process(&self) -> Process {
        let request = ContainerStatusRequest {
            container_id: self.id.clone(),
            verbose: true,
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.container_status(request).await);
        Process(pid(&answer.expect("the container is known").info))
    }

    /// Its end: exit code and reason.
    pub fn end(&self) -> (i32, String) {
        let status = wait("the container ends", || {
            let status = self.status();
            (status.state() == ContainerState::ContainerExited).then_some(status)
        });
        (status.exit_code, status.reason)
    }

    /// What it has written until now.
    pub fn log(&self) -> Log {
        let text = fs::read(&self.log).unwrap_or_default();
        let mut log = Log::default();
        for line in String::from_utf8_lossy(&text).lines() {
            // A time, the stream, whether the line is Full or Partial, and what was written.
            let mut words = line.splitn(4, ' ').skip(1);
            let stream = match words.next() {
                Some("stdout") => &mut log.stdout,
                _ => &mut log.stderr,
            };
            let full = words.next() == Some("F");
            stream.push_str(words.next().unwrap_or_default());
            if full {
                stream.push('\n');
            }
        }
        log
    }

    /// Waits until it has written something.
    pub fn says(&self, what: &str) {
        wait(&format!("the container says {what:?}"), || {
            let log = self.log();
            let said = log.stdout.contains(what) || log.stderr.contains(what);
            assert!(
                said || self.status().state() != ContainerState::ContainerExited,
                "the container ended with {:?}: {log:?}",
                self.end()
            );
            said.then_some(())
        });
    }

    /// Runs something in it: exit code and outputs.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn exec(&self, command: &[&str], timeout: i64) -> Result<(i32, Log), String> {
        let request = ExecSyncRequest {
            container_id: self.id.clone(),
            cmd: command.iter().map(|&word| word.into()).collect(),
            timeout,
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.exec_sync(request).await)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let log = Log {
            stdout: text(answer.stdout),
            stderr: text(answer.stderr),
        };
        Ok((answer.exit_code, log))
    }

    /// Measurements.
    pub fn stats(&self) -> ContainerStats {
        let request = ContainerStatsRequest {
            container_id: self.id.clone(),
        };
        let answer = self
            .node
            .cri
            .call(async |mut cri| cri.container_stats(request).await);
        answer
            .expect("the container is known")
            .stats
            .expect("it has measurements")
    }

    /// Gives it other limits.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn update(&self, resources: LinuxContainerResources) -> Result<(), String> {
        let request = UpdateContainerResourcesRequest {
            container_id: self.id.clone(),
            linux: Some(resources),
            ..UpdateContainerResourcesRequest::default()
        };
        let update = async |mut cri: runtime_service_client::RuntimeServiceClient<_>| {
            cri.update_container_resources(request).await
        };
        self.node.cri.call(update).map(drop)
    }

    /// A file of its cgroup: that of the controller's hierarchy, or of the one there is.
    pub fn cgroup(&self, controller: &str, file: &str) -> String {
        let lines = self.process().file("cgroup");
        let path = lines.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (names, path) = rest.split_once(':')?;
            let own = names.split(',').any(|name| name == controller);
            let root = match own {
                true => format!("/sys/fs/cgroup/{controller}"),
                false if names.is_empty() && lines.lines().count() == 1 => "/sys/fs/cgroup".into(),
                false => return None,
            };
            Some(format!("{root}{path}/{file}"))
        });
        let path = path.expect("the container is in a cgroup");
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Asks it to stop, and stops it when it does not within some seconds.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn stop(&self, timeout: i64) -> Result<(), String> {
        let request = StopContainerRequest {
            container_id: self.id.clone(),
            timeout,
        };
        self.node
            .cri
            .call(async |mut cri| cri.stop_container(request).await)
            .map(drop)
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// What containerd says.
    pub fn remove(&self) -> Result<(), String> {
        let request = RemoveContainerRequest {
            container_id: self.id.clone(),
        };
        self.node
            .cri
            .call(async |mut cri| cri.remove_container(request).await)
            .map(drop)
    }
}

/// The process that containerd names among other things.
fn pid(info: &HashMap<String, String>) -> i32 {
    let info = info.get("info").map_or("{}", |text| text);
    let info: Value = serde_json::from_str(info).unwrap_or_default();
    info["pid"].as_i64().unwrap_or_default() as i32
}
