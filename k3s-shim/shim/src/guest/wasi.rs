//! What a container's guest is granted: what its `config.json` says, and nothing else. Knows WASI's builder.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use teff_wasi::{DirPerms, FilePerms, WasiCtx, WasiCtxBuilder};

use crate::protocol::Stdio;
use crate::spec::Spec;
use crate::sys::check;

use super::mounts::Volume;

/// Addresses to listen at, with commas between them; the guest finds the sockets from descriptor 3 on.
const TCP_LISTEN: &str = "teff.dev/tcp-listen";

/// The streams of the process.
pub(crate) struct Streams {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Streams {
    /// Opens them. While paths are the node's, and this process may.
    pub(crate) fn open(stdio: &Stdio) -> io::Result<Self> {
        Ok(Self {
            stdin: input(&stdio.stdin)?,
            stdout: output(&stdio.stdout)?,
            stderr: output(&stdio.stderr)?,
        })
    }

    /// What this program itself says from now on, the container's log has.
    pub(crate) fn take_over(&self) -> io::Result<()> {
        for (stream, number) in [(&self.stdout, 1), (&self.stderr, 2)] {
            // SAFETY: dup2 of an open descriptor onto one that std leaves alone.
            check(unsafe { libc::dup2(stream.as_raw_fd(), number) })?;
        }
        Ok(())
    }
}

/// A stream to read. One that nobody writes to yet is not waited for.
fn input(path: &str) -> io::Result<OwnedFd> {
    let path = path_of(path);
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = file.map_err(|e| io::Error::other(format!("stdin {path}: {e}")))?;
    // SAFETY: fcntl on an open descriptor of ours.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, 0) })?;
    Ok(file.into())
}

/// A stream to write. A FIFO is opened for both ways: when containerd restarts, it is without a reader for a moment, and
/// the guest is to wait then, not to fail.
fn output(path: &str) -> io::Result<OwnedFd> {
    let path = path_of(path);
    let file = File::options().read(true).append(true).open(path);
    Ok(file
        .map_err(|e| io::Error::other(format!("output {path}: {e}")))?
        .into())
}

fn path_of(path: &str) -> &str {
    match path.strip_prefix("file://").unwrap_or(path) {
        "" => "/dev/null",
        path => path,
    }
}

/// The sockets that the pod's annotation asks for. In the pod's network, and before rights are given up: Kubernetes allows
/// all ports to everybody in a pod.
pub(crate) fn listeners(spec: &Spec) -> io::Result<Vec<TcpListener>> {
    let addresses = spec.annotation(TCP_LISTEN).unwrap_or_default();
    let addresses = addresses
        .split(',')
        .map(str::trim)
        .filter(|address| !address.is_empty());
    let listen = |address: &str| {
        TcpListener::bind(address).map_err(|e| {
            io::Error::other(format!(
                "annotation {TCP_LISTEN}: cannot listen at `{address}` (host:port is wanted): {e}"
            ))
        })
    };
    addresses.map(listen).collect()
}

/// All of it. The root and the volumes are opened here, with the rights of the container's user.
pub(crate) fn context(
    spec: &Spec,
    streams: Streams,
    listeners: Vec<TcpListener>,
    volumes: &[Volume],
) -> teff_runtime::Result<WasiCtx> {
    let process = &spec.process;
    let mut builder = WasiCtxBuilder::new();
    builder.args(&process.args);
    let mut has = [false; 2];
    let defaults = [
        ("PWD", process.cwd.to_string_lossy()),
        ("HOSTNAME", spec.hostname.as_str().into()),
    ];
    for variable in &process.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        for (has, (default, _)) in has.iter_mut().zip(&defaults) {
            *has |= *default == name;
        }
        builder.env(name, value);
    }
    for (has, (name, value)) in has.iter().zip(&defaults) {
        if !has && !value.is_empty() {
            builder.env(name, value.as_bytes());
        }
    }
    builder
        .stdin(streams.stdin)
        .stdout(streams.stdout)
        .stderr(streams.stderr);
    // A pipe whose reader is gone ends a Unix program without a word.
    builder.sigpipe(true);
    for listener in listeners {
        builder.preopened_socket(listener)?;
    }
    let root = Volume {
        path: "/".into(),
        readonly: spec.root.readonly,
    };
    for volume in std::iter::once(&root).chain(volumes) {
        grant(&mut builder, &volume.path, volume.readonly)?;
    }
    Ok(builder.build())
}

fn grant(builder: &mut WasiCtxBuilder, path: &Path, readonly: bool) -> teff_runtime::Result<()> {
    let (dirs, files) = match readonly {
        true => (DirPerms::READ, FilePerms::READ),
        false => (DirPerms::all(), FilePerms::all()),
    };
    builder
        .preopened_dir(path, path.as_os_str().as_encoded_bytes(), dirs, files)
        .map(drop)
}
