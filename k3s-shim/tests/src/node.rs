//! A containerd of one's own, in a folder: with a bridge for its pods, and the shim put in place by `teff-shim install` as on
//! any node. Knows containerd's configuration.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use k8s_cri::v1::{
    ListPodSandboxRequest, RemovePodSandboxRequest, StatusRequest, StopPodSandboxRequest,
};
use tempfile::TempDir;

use crate::traces::hierarchies;
use crate::{Cri, Image, PodWish, Traces, wait};

/// The folder with `containerd-shim-teff-v1` and `teff-shim`, if not that of this program's build.
const PROGRAMS: &str = "TEFF_PROGRAMS";
/// The folder with `containerd` and `ctr`, if they are not to be found in PATH.
const CONTAINERD: &str = "TEFF_CONTAINERD";

/// A node.
pub struct Node {
    folder: TempDir,
    /// Where programs are looked for.
    path: String,
    /// `containerd` as it calls itself, as in `1.6.20`.
    pub version: String,
    containerd: Mutex<Option<Child>>,
    /// The CRI.
    pub cri: Cri,
    before: Traces,
    /// The bridge, and the cgroup above all pods: not those of another node on this machine.
    name: String,
}

impl Node {
    /// Sets one up, and starts it.
    ///
    /// # Errors
    ///
    /// What failed, and why.
    pub fn start() -> Result<Self, String> {
        Self::with_runtimes(&[])
    }

    /// The same, for these runtimes beside teff and runc: of `name`, `containerd-shim-name-v1` must be in PATH.
    ///
    /// # Errors
    ///
    /// What failed, and why.
    pub fn with_runtimes(others: &[&str]) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("teff-").tempdir();
        let folder = folder.map_err(|e| format!("a folder for containerd: {e}"))?;
        let root = folder.path();
        let programs = match std::env::var_os(PROGRAMS) {
            Some(folder) => fs::canonicalize(&folder).map_err(|e| format!("{PROGRAMS}: {e}"))?,
            None => {
                let own = std::env::current_exe().map_err(|e| e.to_string())?;
                own.ancestors().nth(2).unwrap_or(&own).to_path_buf()
            }
        };
        let own_path = std::env::var("PATH").unwrap_or_default();
        let path = match std::env::var(CONTAINERD) {
            Ok(folder) => format!("{folder}:{own_path}"),
            Err(_) => own_path,
        };
        let path = format!("{}/usr/local/bin:{path}", root.display());
        let name = format!("teff{}", std::process::id());
        let version = run(command(&path, "containerd").arg("--version"))?;
        let version = version.split_whitespace().nth(2).unwrap_or_default();
        let version = version.trim_start_matches('v').split(['~', '+']).next();
        let version = version.unwrap_or_default().to_owned();

        configure(root, &name, &version, others)?;
        run(command(&path, programs.join("teff-shim"))
            .args(["install", "--distribution", "containerd"])
            .arg("--root")
            .arg(root)
            .arg("--from")
            .arg(&programs)
            .arg("--containerd")
            .arg(find(&path, "containerd")?))?;
        let node = Self {
            cri: Cri::new(&root.join("containerd.sock")),
            containerd: Mutex::new(None),
            before: Traces::find(root, &name),
            version,
            folder,
            path,
            name,
        };
        node.again()?;
        Image::pause().import(&node)?;
        Ok(node)
    }

    /// Starts containerd, which must not run.
    ///
    /// # Errors
    ///
    /// Its last words.
    pub fn again(&self) -> Result<(), String> {
        let root = self.folder.path();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .map_err(|e| e.to_string())?;
        let child = command(&self.path, "containerd")
            .arg("--config")
            .arg(root.join("etc/containerd/config.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|e| format!("containerd: {e}"))?;
        let mut held = self.containerd.lock().expect("no test panics with it");
        let child = held.insert(child);
        wait("containerd's CRI is ready", || {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(Err(format!("containerd: {status}\n{}", self.log())));
            }
            let answer = self
                .cri
                .call(async |mut cri| cri.status(StatusRequest::default()).await);
            let ready = answer.ok()?.status?;
            ready
                .conditions
                .iter()
                .all(|it| it.status)
                .then_some(Ok(()))
        })
    }

    /// containerd dies.
    pub fn kill(&self) {
        if let Some(mut child) = self
            .containerd
            .lock()
            .expect("no test panics with it")
            .take()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The start of a pod; its name must be unique.
    pub fn pod(&self, name: &str) -> PodWish<'_> {
        PodWish::new(self, name)
    }

    /// The folder that all of it is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The cgroup above the pods.
    pub fn cgroup(&self) -> String {
        format!("/{}", self.name)
    }

    /// containerd's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("containerd.sock")
    }

    /// Where a program of this node is.
    ///
    /// # Errors
    ///
    /// That it is nowhere.
    pub fn find(&self, program: &str) -> Result<PathBuf, String> {
        find(&self.path, program)
    }

    /// One of this node's programs.
    pub fn command(&self, program: &str) -> Command {
        command(&self.path, program)
    }

    /// What is here of this node's pods that was not before there were any.
    pub fn traces(&self) -> Traces {
        Traces::find(self.folder.path(), &self.name).without(&self.before)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("containerd.log")
    }

    /// The last warnings and errors of containerd and the shims, and what else is no plain information.
    pub fn log(&self) -> String {
        let text = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().filter(|line| !line.contains("level=info"));
        let lines: Vec<&str> = lines.collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Removes all pods.
    pub fn remove_pods(&self) {
        let all = self
            .cri
            .call(async |mut cri| cri.list_pod_sandbox(ListPodSandboxRequest::default()).await);
        for pod in all.map(|all| all.items).unwrap_or_default() {
            let (id, again) = (pod.id.clone(), pod.id);
            let stop = StopPodSandboxRequest { pod_sandbox_id: id };
            let _ = self
                .cri
                .call(async |mut cri| cri.stop_pod_sandbox(stop).await);
            let remove = RemovePodSandboxRequest {
                pod_sandbox_id: again,
            };
            let _ = self
                .cri
                .call(async |mut cri| cri.remove_pod_sandbox(remove).await);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.remove_pods();
        self.kill();
        let _ = Command::new("ip")
            .args(["link", "delete", &self.name])
            .output();
        self.traces().clear();
        for hierarchy in hierarchies() {
            let _ = fs::remove_dir(hierarchy.join(&self.name));
        }
    }
}

/// A program of a node.
fn command(path: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let program = program.as_ref();
    // Looked for where the node does, not where this process would.
    let found = program.to_str().and_then(|name| find(path, name).ok());
    let mut command = Command::new(found.as_deref().map_or(program, Path::as_os_str));
    command.env("PATH", path);
    command
}

fn find(path: &str, program: &str) -> Result<PathBuf, String> {
    let mut places = std::env::split_paths(path).map(|folder| folder.join(program));
    let found = places.find(|place| place.is_file());
    found.ok_or_else(|| format!("{program} is not installed: .ci/containerd.sh installs it"))
}

/// What a program prints, or what it complains of.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let name = command.get_program().to_string_lossy();
    let output = output.map_err(|e| format!("{name}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{name}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Writes containerd's configuration, without our runtime, and that of a network.
fn configure(root: &Path, bridge: &str, version: &str, others: &[&str]) -> Result<(), String> {
    let (cni, folder) = (root.join("cni"), root.join("etc/containerd"));
    for folder in [&cni, &folder] {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    // One of 4096 networks.
    let number = std::process::id() % 4096;
    let subnet = format!("10.{}.{}.0/24", 200 + number / 256, number % 256);
    let network = serde_json::json!({
        "cniVersion": "1.0.0",
        "name": bridge,
        "plugins": [{
            "type": "bridge", "bridge": bridge, "isGateway": true,
            "ipam": {"type": "host-local", "dataDir": root.join("addresses"), "ranges": [[{"subnet": subnet}]]},
        }],
    });
    let root = root.display();
    let common = format!(
        "root = '{root}/root'\nstate = '{root}/state'\n\
         [grpc]\naddress = '{root}/containerd.sock'\n\
         [plugins.'io.containerd.internal.v1.opt']\npath = '{root}/opt'\n"
    );
    let cni_dirs = "/usr/lib/cni";
    let runtimes = |plugin: &str| -> String {
        let all = [("runc", "io.containerd.runc.v2".to_owned())]
            .into_iter()
            .chain(
                others
                    .iter()
                    .map(|&name| (name, format!("io.containerd.{name}.v1"))),
            );
        all.map(|(name, kind)| {
            format!("[plugins.'{plugin}'.containerd.runtimes.{name}]\nruntime_type = '{kind}'\n")
        })
        .collect()
    };
    let specific = match version.split('.').next() {
        Some("0" | "1") => format!(
            "[plugins.'io.containerd.grpc.v1.cri']\n\
             sandbox_image = 'local.test/pause:1'\nrestrict_oom_score_adj = true\nstream_server_address = '127.0.0.1'\n\
             [plugins.'io.containerd.grpc.v1.cri'.cni]\nbin_dir = '{cni_dirs}'\nconf_dir = '{root}/cni'\n\
             [plugins.'io.containerd.grpc.v1.cri'.containerd]\ndefault_runtime_name = 'runc'\n\
             {}",
            runtimes("io.containerd.grpc.v1.cri")
        ),
        _ => format!(
            "[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = 'local.test/pause:1'\n\
             [plugins.'io.containerd.cri.v1.runtime']\nrestrict_oom_score_adj = true\n\
             [plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['{cni_dirs}']\nconf_dir = '{root}/cni'\n\
             [plugins.'io.containerd.cri.v1.runtime'.containerd]\ndefault_runtime_name = 'runc'\n\
             {}\
             [plugins.'io.containerd.grpc.v1.cri']\nstream_server_address = '127.0.0.1'\n",
            runtimes("io.containerd.cri.v1.runtime")
        ),
    };
    let number = if version.starts_with("1.") { 2 } else { 3 };
    let config = format!("version = {number}\n{common}{specific}");
    let write = |path: PathBuf, text: String| {
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    write(folder.join("config.toml"), config)?;
    write(cni.join("10-bridge.conflist"), network.to_string())
}
