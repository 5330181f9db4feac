//! What the shim and the process of a container say to each other, over one socket pair that the process has as
//! descriptor 3. Each message is one line of JSON. Knows nothing of either side.
//!
//! ```text
//! shim                                            process (this program again, `containerd-shim-teff-v1 guest`)
//!  │ forks, puts the process into its cgroup         │ waits
//!  │ ─────────────── Request ──────────────────────▶ │ joins namespaces, mounts, drops rights, loads the module
//!  │ ◀────────────── Reply ───────────────────────── │ waits
//!  │ ─────────────── Go (one line) ────────────────▶ │ closes the socket, runs the guest
//! ```
//!
//! The end of the file on either side ends the process, or means that it is gone.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The descriptor on which the process of a container finds the socket.
pub(crate) const SOCKET: i32 = 3;

/// The only word of the shim after its request: run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Go;

/// What the process is to become.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A container's first process.
    Container(Container),
    /// One more process in a running container, as `kubectl exec` asks for it.
    Exec(Exec),
}

/// A container's first process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Container {
    /// The container's id.
    pub(crate) id: String,
    /// Where `config.json` is.
    pub(crate) bundle: PathBuf,
    /// What is to be mounted at the bundle's `rootfs`; nothing if that is mounted, or plain files, already.
    pub(crate) rootfs: Vec<Mount>,
    /// A module that is not in the root file system: the Wasm layer of an OCI artifact.
    pub(crate) module: Option<PathBuf>,
    /// Where its streams go.
    pub(crate) stdio: Stdio,
    /// The least memory limit that holds for it, in bytes.
    pub(crate) memory: Option<u64>,
    /// Does the shim serve other pods as well? Then it has no namespaces to share.
    pub(crate) shim_is_shared: bool,
    /// The network namespace of its pod, unless that is the node's.
    pub(crate) network: Option<PathBuf>,
}

/// One more process in a running container.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exec {
    /// The container, as it was asked for.
    pub(crate) container: Container,
    /// The container's first process, whose namespaces it joins.
    pub(crate) pid: i32,
    /// The `process` that takes the place of that in `config.json`, as JSON.
    pub(crate) process: serde_json::Value,
}

/// One mount, as containerd's snapshotter describes it: type, source and options of mount(8).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mount {
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) options: Vec<String>,
}

/// The paths of the streams: a FIFO, or a file to append to. Empty is `/dev/null`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Stdio {
    pub(crate) stdin: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The module is loaded, everything is in place: `Go` runs it.
    Ready,
    /// The program to run is an ordinary one of Linux (this is its path): a runtime for those has to run it.
    NotWasm(String),
    /// There is no file of that name in the root file system: perhaps the image's layer is the module.
    NoModule(String),
    /// It cannot be done: what, where, and what to do about it, in one line.
    Failed(String),
}

/// Writes one message.
pub(crate) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads one message; nothing at the end of the file.
pub(crate) fn receive<T: DeserializeOwned>(mut from: impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    match line.is_empty() {
        true => Ok(None),
        false => Ok(Some(serde_json::from_slice(&line)?)),
    }
}
