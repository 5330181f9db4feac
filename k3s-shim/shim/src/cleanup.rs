//! `delete`: cleans up what a container has left, when its shim is gone or going. Guests die with their shim; this kills
//! what may live nevertheless, and removes cgroups, mounts and sockets. Does it again if it was done before. Knows the
//! bundle, nothing of tasks.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::SystemTime;

use containerd_shim_protos::api::DeleteResponse;
use containerd_shim_protos::protobuf::{Message, MessageField};

use crate::args::Flags;
use crate::bootstrap;
use crate::cgroup::Cgroup;
use crate::serve::message::timestamp;
use crate::serve::rootfs;
use crate::serve::runc::Runc;
use crate::spec::Spec;

/// The exit status of a container whose shim is gone: it was killed.
const KILLED: u32 = 128 + libc::SIGKILL as u32;

/// Cleans up; prints containerd's answer. A part that fails does not keep the others from being done.
pub(crate) fn delete(flags: &Flags) -> io::Result<()> {
    let bundle = match flags.bundle.as_os_str().is_empty() {
        true => std::env::current_dir()?,
        false => PathBuf::from(&flags.bundle),
    };
    let mut failed = Vec::new();
    if let Some(runc) = Runc::find(&flags.id, &bundle) {
        failed.extend(runc.delete_now().err());
    }
    let cgroup = Spec::load(&bundle).and_then(|spec| Cgroup::open(&spec.linux.cgroups_path));
    if let Ok(cgroup) = cgroup {
        failed.extend(cgroup.kill().err());
        failed.extend(cgroup.remove().err());
    }
    rootfs::unmount(&bundle);
    if let Some(socket) = bootstrap::socket(&bundle) {
        // Others of the pod may still be served.
        if UnixStream::connect(&socket).is_err() {
            let _ = fs::remove_file(socket);
        }
    }
    for error in failed {
        eprintln!(
            "containerd-shim-teff-v1: cleaning up after {}: {error}",
            flags.id
        );
    }

    let response = DeleteResponse {
        exit_status: KILLED,
        exited_at: MessageField::some(timestamp(SystemTime::now())),
        ..DeleteResponse::default()
    };
    io::stdout().write_all(&response.write_to_bytes()?)
}
