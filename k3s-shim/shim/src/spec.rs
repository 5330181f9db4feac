//! `config.json` of a bundle, as far as the shim uses it. Read leniently: fields it does not know, and values of
//! architectures or calls it has never heard of, are no error. Knows nothing of what is done with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

/// The annotation that says whether a container is the pod's sandbox or one in it.
const CONTAINER_TYPE: &str = "io.kubernetes.cri.container-type";

/// The annotation with the id of the pod's sandbox.
const SANDBOX_ID: &str = "io.kubernetes.cri.sandbox-id";

/// A container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    pub(crate) process: Process,
    pub(crate) root: Root,
    pub(crate) hostname: String,
    pub(crate) mounts: Vec<Mount>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) linux: Linux,
}

/// The first process of a container, or one that is executed in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Process {
    pub(crate) terminal: bool,
    pub(crate) user: User,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) args: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) env: Vec<String>,
    pub(crate) cwd: PathBuf,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) rlimits: Vec<Rlimit>,
    pub(crate) oom_score_adj: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) additional_gids: Vec<u32>,
}

/// A limit of setrlimit(2); `kind` is `RLIMIT_…`.
#[derive(Debug, Deserialize)]
pub(crate) struct Rlimit {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    pub(crate) readonly: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Mount {
    pub(crate) destination: PathBuf,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) source: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) options: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Linux {
    pub(crate) cgroups_path: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) resources: Option<Resources>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) uid_mappings: Vec<serde_json::Value>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) sysctl: BTreeMap<String, String>,
}

/// A namespace to make, or to join if it has a path. `kind` is `pid`, `network`, `mount`, `ipc`, `uts`, `user`,
/// `cgroup` or `time`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Namespace {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) path: PathBuf,
}

/// What a container may use. In bytes, microseconds and the kernel's shares. Also what an update of a running container
/// carries.
#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Resources {
    pub(crate) memory: Option<Memory>,
    pub(crate) cpu: Option<Cpu>,
    pub(crate) pids: Option<Pids>,
    /// Files of cgroup v2 and what is to be written to them.
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) unified: BTreeMap<String, String>,
}

/// Negative is unlimited; missing or 0 is "not said".
#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Memory {
    pub(crate) limit: Option<i64>,
    pub(crate) reservation: Option<i64>,
    pub(crate) swap: Option<i64>,
}

#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Cpu {
    pub(crate) shares: Option<u64>,
    pub(crate) quota: Option<i64>,
    pub(crate) period: Option<u64>,
    pub(crate) cpus: String,
    pub(crate) mems: String,
}

#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Pids {
    pub(crate) limit: i64,
}

impl Spec {
    /// Reads the `config.json` of a bundle.
    pub(crate) fn load(bundle: &Path) -> io::Result<Self> {
        let path = bundle.join("config.json");
        let named =
            |e: &dyn std::fmt::Display| io::Error::other(format!("{}: {e}", path.display()));
        let text = fs::read(&path).map_err(|e| named(&e))?;
        serde_json::from_slice(&text).map_err(|e| named(&e))
    }

    /// Is it the sandbox of a pod, in which nothing runs?
    pub(crate) fn is_sandbox(&self) -> bool {
        self.annotation(CONTAINER_TYPE) == Some("sandbox")
    }

    /// The id of the pod's sandbox, for a container of a pod.
    pub(crate) fn sandbox_id(&self) -> Option<&str> {
        self.annotation(SANDBOX_ID)
    }

    /// The value of an annotation.
    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str)
    }
}

/// Go writes lists and maps without entries as `null`.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
