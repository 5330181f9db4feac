//! Linux containers in a pod of Wasm ones: `runc` runs them. Knows its command line, and mounts what containerd gives as
//! the root file system where it looks for it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::protocol::Stdio;

use super::command::output;
use super::reaper::{Exit, Reaper};

/// The program.
const RUNC: &str = "runc";

/// The file in a bundle that says that its container is one of runc's.
pub(crate) const MARK: &str = "teff-runc-root";

/// A line of its log.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
}

/// A container that runc knows.
#[derive(Debug, Clone)]
pub(crate) struct Runc {
    id: String,
    bundle: PathBuf,
    root: PathBuf,
    systemd: bool,
}

impl Runc {
    /// For a container of this containerd namespace. `cgroups_path` tells who manages cgroups.
    pub(crate) fn new(id: &str, bundle: &Path, namespace: &str, cgroups_path: &str) -> Self {
        Self {
            id: id.into(),
            bundle: bundle.into(),
            // Where containerd's own shim has it: `runc --root … list` shows all of a node.
            root: Path::new("/run/containerd/runc").join(namespace),
            systemd: cgroups_path.matches(':').count() == 2,
        }
    }

    /// For cleaning up: if the container of this bundle is one of runc's.
    pub(crate) fn find(id: &str, bundle: &Path) -> Option<Self> {
        let root = fs::read_to_string(bundle.join(MARK)).ok()?;
        Some(Self {
            id: id.into(),
            bundle: bundle.into(),
            root: root.into(),
            systemd: false,
        })
    }

    fn log(&self) -> PathBuf {
        self.bundle.join("teff-runc.json")
    }

    fn command(&self, action: &str) -> Command {
        let mut command = Command::new(RUNC);
        command
            .arg("--root")
            .arg(&self.root)
            .arg("--log")
            .arg(self.log())
            .args(["--log-format", "json"]);
        if self.systemd {
            command.arg("--systemd-cgroup");
        }
        command.arg(action);
        command
    }

    /// The container, waiting to be started: its process.
    pub(crate) async fn create(&self, reaper: &Reaper, stdio: &Stdio) -> io::Result<i32> {
        fs::write(
            self.bundle.join(MARK),
            self.root.as_os_str().as_encoded_bytes(),
        )?;
        let pid_file = self.bundle.join("init.pid");
        let mut command = self.command("create");
        command
            .arg("--bundle")
            .arg(&self.bundle)
            .arg("--pid-file")
            .arg(&pid_file)
            .arg(&self.id);
        self.detached(reaper, command, stdio, &pid_file).await
    }

    pub(crate) async fn start(&self, reaper: &Reaper) -> io::Result<()> {
        let mut command = self.command("start");
        command.arg(&self.id);
        self.run(reaper, command, "start").await
    }

    /// One more process in it.
    pub(crate) async fn exec(
        &self,
        reaper: &Reaper,
        exec_id: &str,
        process: &serde_json::Value,
        stdio: &Stdio,
    ) -> io::Result<i32> {
        let (spec, pid_file) = (
            self.bundle.join(format!("{exec_id}.json")),
            self.bundle.join(format!("{exec_id}.pid")),
        );
        fs::write(&spec, serde_json::to_vec(process)?)?;
        let mut command = self.command("exec");
        command
            .arg("--detach")
            .arg("--process")
            .arg(&spec)
            .arg("--pid-file")
            .arg(&pid_file)
            .arg(&self.id);
        let pid = self.detached(reaper, command, stdio, &pid_file).await;
        let _ = fs::remove_file(spec);
        let _ = fs::remove_file(pid_file);
        pid
    }

    /// Ends what is left of it, and forgets it.
    pub(crate) async fn delete(&self, reaper: &Reaper) -> io::Result<()> {
        let mut command = self.command("delete");
        command.arg("--force").arg(&self.id);
        self.run(reaper, command, "delete").await
    }

    /// The same, for a process that has no reaper.
    pub(crate) fn delete_now(&self) -> io::Result<()> {
        let mut command = self.command("delete");
        command.arg("--force").arg(&self.id);
        command.output().map(drop)
    }

    async fn run(&self, reaper: &Reaper, command: Command, what: &str) -> io::Result<()> {
        let output = output(reaper, command).await?;
        self.check(&output.exit, what, &output.stderr)
    }

    /// Runs what leaves a process behind that has the container's streams.
    async fn detached(
        &self,
        reaper: &Reaper,
        mut command: Command,
        stdio: &Stdio,
        pid_file: &Path,
    ) -> io::Result<i32> {
        command.stdin(stream(&stdio.stdin, false)?);
        command.stdout(stream(&stdio.stdout, true)?);
        command.stderr(stream(&stdio.stderr, true)?);
        let child = command.spawn().map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => io::Error::other(
                "this container is an ordinary Linux program, and `runc`, which would run it beside the Wasm containers of \
                 the pod, is not installed on this node",
            ),
            _ => e,
        })?;
        let exit = reaper
            .end_of(child.id() as i32)
            .await
            .map_err(io::Error::other)?;
        self.check(&exit, "create", "")?;
        let pid = fs::read_to_string(pid_file)?;
        pid.trim()
            .parse()
            .map_err(|e| io::Error::other(format!("{}: `{pid}`: {e}", pid_file.display())))
    }

    /// An error says what runc logged last.
    fn check(&self, exit: &Exit, what: &str, stderr: &str) -> io::Result<()> {
        if exit.status == 0 {
            return Ok(());
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let last = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok())
            .rfind(|line| line.level == "error" || line.level == "fatal");
        let why = last.map_or_else(|| stderr.trim().to_string(), |line| line.msg);
        Err(io::Error::other(format!(
            "runc {what} failed with exit status {}: {why}",
            exit.status
        )))
    }
}

/// A stream of a container. A FIFO is opened for both ways: a reader or writer that comes back, as containerd does after
/// a restart, finds it open.
fn stream(path: &str, write: bool) -> io::Result<std::process::Stdio> {
    if path.is_empty() {
        return Ok(std::process::Stdio::null());
    }
    let path = path.strip_prefix("file://").unwrap_or(path);
    let named = |e: io::Error| io::Error::other(format!("{path}: {e}"));
    let file = match write {
        true => File::options().read(true).append(true).open(path),
        // A writer that does not exist yet must not be waited for.
        false => File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path),
    };
    let file = file.map_err(named)?;
    if !write {
        blocking(&file).map_err(named)?;
    }
    Ok(file.into())
}

/// Takes back that reads do not wait.
fn blocking(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: fcntl on an open descriptor of ours.
    crate::sys::check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, 0) }).map(drop)
}
