//! `start`: sees to it that a shim serves a container, and tells containerd where. A container of a pod is served by
//! the shim of the pod's sandbox. Knows the bundle and the socket, nothing of tasks.
//!
//! containerd 1.6 to 2.2 read a plain address; 2.3 and later put `BootstrapParams` on standard input and read a
//! `BootstrapResult`.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use containerd_shim_protos::bootstrap_api::{BootstrapParams, BootstrapResult};
use containerd_shim_protos::protobuf::Message;

use crate::args::Flags;
use crate::spec::Spec;
use crate::sys;

/// The descriptor on which the shim finds its listening socket.
pub(crate) const LISTENER: i32 = 3;

/// The file of a bundle that says where its shim listens. containerd's, too.
pub(crate) const ADDRESS: &str = "address";

/// Where the sockets of shims are unless containerd says otherwise.
const SOCKETS: &str = "/run/containerd/s";

/// The most that is read of standard input.
const INPUT: u64 = 10 << 20;

/// Pods with this annotation and the value [`NODE`] share one shim.
const GROUPING: &str = "teff.dev/grouping";

/// The group of all of them. No container has this id: those of Kubernetes are hashes.
const NODE: &str = "node";

/// Starts a shim, or finds the one that is there; prints its address.
pub(crate) fn start(flags: &Flags) -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().take(INPUT).read_to_end(&mut input)?;
    let params = params(&input, flags);
    let bundle = std::env::current_dir()?;
    let spec = Spec::load(&bundle)?;

    let address = match existing(&bundle, &spec, flags) {
        Some(address) => address,
        None => {
            let sockets = match params
                .as_ref()
                .and_then(|params| params.socket_dir.as_deref())
            {
                Some(dir) if !dir.is_empty() => dir,
                _ => SOCKETS,
            };
            let group = group(&spec, &flags.id);
            serve(
                flags,
                params.as_ref(),
                &Path::new(sockets).join(socket_name(flags, group)),
            )?
        }
    };
    fs::write(bundle.join(ADDRESS), &address)?;
    let reply = match params {
        Some(_) => result(&address)?,
        None => address.into_bytes(),
    };
    io::stdout().write_all(&reply)
}

/// What containerd 2.3 or later says; earlier ones give the runtime's options there, or nothing. A message of one kind
/// can be read as one of the other, so what it says must fit the command line.
fn params(input: &[u8], flags: &Flags) -> Option<BootstrapParams> {
    let params = BootstrapParams::parse_from_bytes(input).ok()?;
    let fits = params.instance_id == flags.id && params.namespace == flags.namespace;
    fits.then_some(params)
}

/// The reply to them.
fn result(address: &str) -> io::Result<Vec<u8>> {
    let result = BootstrapResult {
        version: containerd_shim_protos::TASK_API_VERSION,
        address: address.into(),
        protocol: "ttrpc".into(),
        ..Default::default()
    };
    result.write_to_bytes().map_err(io::Error::other)
}

/// What shares a shim: a pod, the whole node if so annotated, or the container alone if it is in no pod.
fn group<'a>(spec: &'a Spec, id: &'a str) -> &'a str {
    match spec.annotation(GROUPING) {
        Some(NODE) => NODE,
        _ => spec.sandbox_id().unwrap_or(id),
    }
}

/// Is a shim that is started for this container one for a single pod?
pub(crate) fn serves_one_pod(spec: &Spec) -> bool {
    group(spec, "") != NODE
}

/// The address of the shim of the container's sandbox: containerd keeps the bundles of a namespace side by side.
fn existing(bundle: &Path, spec: &Spec, flags: &Flags) -> Option<String> {
    let sandbox = spec.sandbox_id().filter(|sandbox| *sandbox != flags.id)?;
    let address = fs::read_to_string(bundle.parent()?.join(sandbox).join(ADDRESS)).ok()?;
    let address = address.trim();
    UnixStream::connect(address.strip_prefix("unix://")?).ok()?;
    Some(address.to_string())
}

/// A name for the socket: short, since a socket's path has at most 107 bytes, and of this containerd alone.
fn socket_name(flags: &Flags, group: &str) -> String {
    /// FNV-1a's offset basis and prime for 128 bits.
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    let mut hash = BASIS;
    for part in [&flags.address, &flags.namespace, group] {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("teff-{hash:032x}")
}

/// Starts a shim that listens at `path`, unless one does.
fn serve(flags: &Flags, params: Option<&BootstrapParams>, path: &Path) -> io::Result<String> {
    let address = format!("unix://{}", path.display());
    let named = |e: io::Error| io::Error::other(format!("{}: {e}", path.display()));
    if UnixStream::connect(path).is_ok() {
        return Ok(address);
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(named)?;
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(named(e)),
        _ => {}
    }
    // SAFETY: umask(2) has no preconditions; this process has one thread.
    let umask = unsafe { libc::umask(0o077) };
    let listener = UnixListener::bind(path).map_err(named);
    // SAFETY: as above.
    unsafe { libc::umask(umask) };
    let listener = listener?;

    let mut command = Command::new("/proc/self/exe");
    command.arg0("containerd-shim-teff-v1");
    command.args([
        "-namespace",
        &flags.namespace,
        "-id",
        &flags.id,
        "-address",
        &flags.address,
    ]);
    if flags.debug {
        command.arg("-debug");
    }
    command.arg("serve");
    if let Some(params) = params.filter(|params| !params.containerd_ttrpc_address.is_empty()) {
        command.env("TTRPC_ADDRESS", &params.containerd_ttrpc_address);
    }
    // containerd waits for the end of what `start` prints, so the shim must not hold it open.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let fd = listener.as_raw_fd();
    // SAFETY: between fork and exec only system calls are made. `fd` is open: `listener` lives until after the spawn.
    unsafe {
        command.pre_exec(move || {
            sys::check(libc::setsid())?;
            sys::pass_as(fd, LISTENER)
        });
    }
    let child = command
        .spawn()
        .map_err(|e| io::Error::other(format!("cannot start the shim: {e}")))?;
    sys::raise_oom_score(child.id());
    Ok(address)
}

/// The listening socket, for the shim.
pub(crate) fn listener() -> UnixListener {
    // SAFETY: `serve` above passed it; nobody else in this process knows of it.
    unsafe { OwnedFd::from_raw_fd(LISTENER) }.into()
}

/// The path of the socket of the shim of this bundle.
pub(crate) fn socket(bundle: &Path) -> Option<PathBuf> {
    let address = fs::read_to_string(bundle.join(ADDRESS)).ok()?;
    Some(address.trim().strip_prefix("unix://")?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Flags {
        Flags {
            namespace: "k8s.io".into(),
            id: "abc".into(),
            ..Flags::default()
        }
    }

    /// Encoded by hand from the published `bootstrap.proto`: instance_id = 1, namespace = 2, log_level = 3,
    /// containerd_ttrpc_address = 5, socket_dir = 9.
    const PARAMS: &[u8] = b"\x0a\x03abc\x12\x06k8s.io\x18\x04\x2a\x07/t.sock\x4a\x06/run/s";

    #[test]
    fn parameters_of_containerd_2_3() {
        let params = params(PARAMS, &flags()).unwrap();
        assert_eq!(params.containerd_ttrpc_address, "/t.sock");
        assert_eq!(params.socket_dir.as_deref(), Some("/run/s"));
    }

    #[test]
    fn what_earlier_ones_say_is_not_taken_for_them() {
        assert!(params(b"", &flags()).is_none());
        // `google.protobuf.Any`: type_url = 1, value = 2, as the runtime's options come.
        assert!(params(b"\x0a\x08type/url\x12\x04\x08\x01\x10\x02", &flags()).is_none());
        assert!(params(b"not protobuf at all", &flags()).is_none());
    }

    #[test]
    fn the_result_has_the_published_fields() {
        assert_eq!(
            result("unix:///s").unwrap(),
            // version = 1, address = 2, protocol = 3.
            b"\x08\x03\x12\x09unix:///s\x1a\x05ttrpc"
        );
    }

    #[test]
    fn a_socket_belongs_to_one_group_of_one_containerd() {
        let name = socket_name(&flags(), "pod");
        assert_eq!(name, socket_name(&flags(), "pod"));
        assert_ne!(name, socket_name(&flags(), "other"));
        let mut elsewhere = flags();
        elsewhere.address = "/other.sock".into();
        assert_ne!(name, socket_name(&elsewhere, "pod"));
        assert!(SOCKETS.len() + 1 + name.len() < 100);
    }
}
