//! Verifying a node by the socket of its CRI alone: its status, and a probe pod whose image is made here and goes into
//! containerd's content store, so that nothing is needed from a network. What is made is removed, whatever happens.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tonic::{Code, Status};

use super::messages::*;
use super::probe::{self, Probe, READ_ONLY, READ_WRITE, Said, USER};
use super::{cri, network, process};
use crate::fetch::containerd::Target;
use crate::grpc::Client;
use crate::install::{SHIM, version_of};
use crate::node::Node;
use crate::node::block::RUNTIME;
use crate::oci::{Blob, Image, Recipe, architecture};

/// The namespace of containerd that the CRI uses.
const NAMESPACE: &str = "k8s.io";

/// Where sockets are found without being told.
const SOCKETS: [&str; 2] = [
    "/run/k3s/containerd/containerd.sock",
    "/run/containerd/containerd.sock",
];

/// Waiting for anything is done in steps of this.
const STEP: Duration = Duration::from_millis(20);

/// NODE, in [`NamespaceOption`]; CONTAINER is 1.
const OF_NODE: i32 = 2;

/// The socket of this node's CRI.
pub(crate) fn find() -> Option<PathBuf> {
    SOCKETS.iter().map(PathBuf::from).find(|path| path.exists())
}

/// The server's sides that are talked with.
struct Server {
    client: Client,
    timeout: Duration,
    interrupted: Arc<AtomicBool>,
}

/// Asks, and runs the probe.
pub(crate) async fn ask(
    socket: &Path,
    timeout: Duration,
) -> Result<(network::Facts, cri::Facts, Result<Probe, String>)> {
    let server = Server {
        client: Client::connect(socket).await?.namespace(NAMESPACE)?,
        timeout,
        interrupted: Arc::default(),
    };
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, interrupted) = (signal(kind)?, server.interrupted.clone());
        tokio::spawn(async move {
            signals.recv().await;
            interrupted.store(true, Ordering::Relaxed);
        });
    }
    let version: VersionResponse = server
        .runtime("/runtime.v1.RuntimeService/Version", Nothing {})
        .await
        .with_context(|| format!("{}: no CRI answers there", socket.display()))?;
    let status: StatusResponse = server
        .runtime(
            "/runtime.v1.RuntimeService/Status",
            StatusRequest { verbose: true },
        )
        .await?;
    let conditions = status.status.unwrap_or_default().conditions;
    let conditions = conditions.into_iter().map(|condition| {
        let message = format!("{} {}", condition.reason, condition.message);
        (condition.kind, condition.status, message.trim().to_owned())
    });
    let network = network::Facts {
        conditions: conditions.collect(),
        ..network::Facts::default()
    };
    let config = status.info.get("config");
    let config: Option<Value> = config.and_then(|text| serde_json::from_str(text).ok());
    let runtimes = config
        .as_ref()
        .map(|config| &config["containerd"]["runtimes"]);
    let entry = runtimes.map(|runtimes| runtimes[RUNTIME].clone());
    let entry = entry.filter(|entry| !entry.is_null());
    let names = runtimes.and_then(Value::as_object);
    let names = names.map(|runtimes| runtimes.keys().cloned().collect());
    let this = || String::from("this node");
    let name = format!("{}://{}", version.runtime_name, version.runtime_version);
    let cri = cri::Facts {
        runtimes: BTreeMap::from([(this(), name)]),
        api: Some(version.runtime_api_version),
        handlers: BTreeMap::from([(this(), names)]),
        shim: shim(entry.as_ref()),
        entry,
        ..cri::Facts::default()
    };
    let has_network = network
        .conditions
        .iter()
        .any(|(kind, is, _)| kind == "NetworkReady" && *is);
    let probe = server
        .probe(has_network)
        .await
        .map_err(|e| format!("{e:#}"));
    Ok((network, cri, probe))
}

/// The version of the shim that containerd's entry stands for, if it is found: containerd may look in other folders.
fn shim(entry: Option<&Value>) -> Option<Result<String, String>> {
    let kind = entry?["runtimeType"].as_str().unwrap_or_default();
    let program = match kind.starts_with('/') {
        true => PathBuf::from(kind),
        false => {
            let own = std::env::var_os("PATH").unwrap_or_default();
            let mut places = std::env::split_paths(&own).map(|folder| folder.join(SHIM));
            let known = || Node::at(Path::new("/")).program(SHIM);
            places.find(|place| place.is_file()).or_else(known)?
        }
    };
    let version = version_of(Command::new(&program), SHIM);
    Some(version.map_err(|e| format!("{}: {e:#}", program.display())))
}

impl Server {
    async fn runtime<Q, A>(&self, method: &'static str, request: Q) -> Result<A>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let answer = self.client.call(method, request).await;
        answer.map_err(|status| {
            anyhow!(
                "{}: {}",
                method.rsplit('/').next().unwrap_or(method),
                status.message()
            )
        })
    }

    /// Runs a pod, and removes it and all that was made for it.
    async fn probe(&self, has_network: bool) -> Result<Probe> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let unique = now.context("this node's clock stands before 1970")?;
        let name = format!("teff-verify-{}-{}", std::process::id(), unique.as_nanos());
        let folder = Folder::new(&name)?;
        let entrypoint = [probe::PATH.to_owned()];
        let image = Image::new(&Recipe {
            files: vec![
                (probe::PATH, true, probe::module()?),
                // No other image has these blobs, so all of them can be deleted.
                ("/name", false, name.clone().into_bytes()),
            ],
            entrypoint: &entrypoint,
            architecture: architecture(),
            time: unique.as_secs(),
        })?;
        let reference = format!("localhost/{name}:1");
        let result = match self.import(&image, &reference).await {
            Ok(()) => self.pod(&name, &reference, &folder, has_network).await,
            Err(e) => Err(e.context("the probe's image could not be given to containerd")),
        };
        let removed = self.remove_image(&image, &reference).await;
        match (result, removed) {
            (Ok(_), Err(e)) => {
                Err(e.context("the probe ran, but its image could not be removed again"))
            }
            (result, _) => result,
        }
    }

    async fn import(&self, image: &Image, name: &str) -> Result<()> {
        for blob in [&image.layer, &image.config, &image.manifest] {
            self.write(blob)
                .await
                .with_context(|| blob.digest.clone())?;
        }
        let target = Target {
            media_type: image.manifest.media_type.into(),
            digest: image.manifest.digest.clone(),
            size: image.manifest.bytes.len() as i64,
        };
        let request = CreateImageRequest {
            image: Some(NewImage {
                name: name.into(),
                target: Some(target),
            }),
        };
        let _: Nothing = self
            .runtime("/containerd.services.images.v1.Images/Create", request)
            .await?;
        // The CRI hears of it a moment later.
        self.wait("the CRI does not see the probe's image", || async {
            let answer: ImageStatusResponse = self
                .runtime("/runtime.v1.ImageService/ImageStatus", of_image(name))
                .await?;
            Ok(answer.image.map(drop))
        })
        .await
    }

    async fn write(&self, blob: &Blob) -> Result<()> {
        let request = WriteContentRequest {
            action: 2,
            reference: blob.digest.clone(),
            total: blob.bytes.len() as i64,
            expected: blob.digest.clone(),
            data: blob.bytes.clone(),
            // The garbage collector leaves it alone; it is deleted by name.
            labels: HashMap::from([("containerd.io/gc.root".into(), "teff-verify".into())]),
        };
        let written: Result<Option<Nothing>, Status> = self
            .client
            .exchange("/containerd.services.content.v1.Content/Write", request)
            .await;
        match written {
            Err(status) if status.code() != Code::AlreadyExists => bail!("{}", status.message()),
            _ => Ok(()),
        }
    }

    /// Removes the image's content first: then containerd takes the unpacked layer too when the image goes.
    async fn remove_image(&self, image: &Image, name: &str) -> Result<()> {
        for blob in [&image.manifest, &image.config, &image.layer] {
            let id = Id {
                id: blob.digest.clone(),
            };
            self.gone("/containerd.services.content.v1.Content/Delete", id)
                .await?;
        }
        // The CRI has a second name for it.
        let second = image.config.digest.clone();
        for name in [second, name.to_owned()] {
            let request = DeleteImageRequest { name, sync: true };
            self.gone("/containerd.services.images.v1.Images/Delete", request)
                .await?;
        }
        Ok(())
    }

    async fn gone<Q>(&self, method: &'static str, request: Q) -> Result<()>
    where
        Q: prost::Message + Send + Sync + 'static,
    {
        match self.client.call::<Q, Nothing>(method, request).await {
            Err(status) if status.code() != Code::NotFound => {
                bail!("{method}: {}", status.message())
            }
            _ => Ok(()),
        }
    }

    async fn pod(
        &self,
        name: &str,
        image: &str,
        folder: &Folder,
        has_network: bool,
    ) -> Result<Probe> {
        let namespaces = || NamespaceOption {
            network: if has_network { 0 } else { OF_NODE },
            pid: 1,
            ipc: 0,
        };
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: "teff-verify".into(),
                uid: name.into(),
                namespace: "teff-verify".into(),
            }),
            // In the node's network, it would be the node's name.
            hostname: if has_network { "teff-verify" } else { "" }.into(),
            log_directory: folder.path("log"),
            labels: HashMap::from([("app.kubernetes.io/name".into(), "teff-verify".into())]),
            linux: Some(LinuxPodSandboxConfig {
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(namespaces()),
                }),
            }),
        };
        let began = Instant::now();
        let request = RunPodSandboxRequest {
            config: Some(config.clone()),
            runtime_handler: RUNTIME.into(),
        };
        let sandbox: Result<Id> = self
            .runtime("/runtime.v1.RuntimeService/RunPodSandbox", request)
            .await;
        let sandbox = sandbox.map_err(|e| match e.to_string().contains("sandbox image") {
            true => e.context("containerd wants its sandbox image for every pod, though the shim has no use for it: import it"),
            false => e,
        })?;
        let volume = |path: &str, name: &str, readonly| Mount {
            container_path: path.into(),
            host_path: folder.path(name),
            readonly,
        };
        let container = ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: "probe".into(),
            }),
            image: Some(ImageSpec {
                image: image.into(),
            }),
            mounts: vec![
                volume(READ_ONLY, "ro", true),
                volume(READ_WRITE, "rw", false),
            ],
            log_path: "probe.log".into(),
            linux: Some(LinuxContainerConfig {
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(namespaces()),
                    run_as_user: Some(Int64Value {
                        value: i64::from(USER),
                    }),
                    readonly_rootfs: true,
                }),
            }),
        };
        let result = self
            .container(&sandbox, container, config, folder, began)
            .await;
        let mut stopped = Ok(());
        for method in [
            "/runtime.v1.RuntimeService/StopPodSandbox",
            "/runtime.v1.RuntimeService/RemovePodSandbox",
        ] {
            let done: Result<Nothing> = self.runtime(method, sandbox.clone()).await;
            stopped = stopped.and(done.map(drop));
        }
        let mut probe = result?;
        stopped.context("the probe ran, but its pod could not be removed again")?;
        probe.host_network = !has_network;
        Ok(probe)
    }

    async fn container(
        &self,
        sandbox: &Id,
        config: ContainerConfig,
        sandbox_config: PodSandboxConfig,
        folder: &Folder,
        began: Instant,
    ) -> Result<Probe> {
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.id.clone(),
            config: Some(config),
            sandbox_config: Some(sandbox_config),
        };
        let container: Id = self
            .runtime("/runtime.v1.RuntimeService/CreateContainer", request)
            .await?;
        let _: Nothing = self
            .runtime(
                "/runtime.v1.RuntimeService/StartContainer",
                container.clone(),
            )
            .await?;
        let millis = began.elapsed().as_millis();
        let of = |id: &Id| StatusOf {
            id: id.id.clone(),
            verbose: true,
        };
        let log = || {
            let log = fs::read_to_string(Path::new(&folder.path("log")).join("probe.log"));
            probe::without_stamps(&log.unwrap_or_default())
        };
        let said = self
            .wait("the probe ran, and did not say what it may do", || async {
                if let Some(said) = Said::parse(&log()) {
                    return Ok(Some(said));
                }
                let answer: ContainerStatusResponse = self
                    .runtime("/runtime.v1.RuntimeService/ContainerStatus", of(&container))
                    .await?;
                let status = answer.status.unwrap_or_default();
                if status.state == 2 {
                    let (code, reason) = (status.exit_code, status.reason);
                    bail!(
                        "the probe ended with exit code {code} ({reason}) {}: {}",
                        status.message,
                        log()
                    );
                }
                Ok(None)
            })
            .await?;
        let answer: ContainerStatusResponse = self
            .runtime("/runtime.v1.RuntimeService/ContainerStatus", of(&container))
            .await?;
        let pid = answer.info.get("info").and_then(|info| {
            let info: Value = serde_json::from_str(info).ok()?;
            u32::try_from(info["pid"].as_u64()?).ok()
        });
        let process = match pid {
            Some(pid) => process::of(Path::new("/proc"), pid),
            None => process::of_container(Path::new("/proc"), &container.id),
        };
        let answer: PodSandboxStatusResponse = self
            .runtime("/runtime.v1.RuntimeService/PodSandboxStatus", of(sandbox))
            .await?;
        let network = answer
            .status
            .unwrap_or_default()
            .network
            .unwrap_or_default();
        Ok(Probe {
            millis,
            ip: Some(network.ip).filter(|ip| !ip.is_empty()),
            host_network: false,
            said,
            process: process.map_err(|e| format!("{e:#}")),
        })
    }

    /// Tries until something is there.
    async fn wait<T, F>(&self, what: &str, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let began = Instant::now();
        while began.elapsed() < self.timeout {
            if let Some(found) = attempt().await? {
                return Ok(found);
            }
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            tokio::time::sleep(STEP).await;
        }
        bail!("{what} after {} s", self.timeout.as_secs())
    }
}

fn of_image(name: &str) -> OfImage {
    OfImage {
        image: Some(ImageSpec { image: name.into() }),
    }
}

/// The probe's volumes and its log.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let folder = Self(Path::new("/run").join(name));
        for name in ["log", "ro", "rw"] {
            let path = folder.path(name);
            fs::create_dir_all(&path).with_context(|| format!("{path} (this needs root)"))?;
        }
        // For the probe's user.
        fs::set_permissions(folder.path("rw"), fs::Permissions::from_mode(0o777))?;
        Ok(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
