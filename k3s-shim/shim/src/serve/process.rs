//! One process of a container, from before it runs until after it has ended. Knows the reaper, and how processes and the
//! shim talk; nothing of containerd.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::cgroup::Cgroup;
use crate::protocol::{self, Go, Reply, Request, Stdio};
use crate::sys;

use super::reaper::{Exit, Reaper};

/// How long a process may take until its guest can run. A module of many megabytes on a slow card takes seconds.
const READY: Duration = Duration::from_secs(120);

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything is in place; it waits.
    Created,
    Running,
    Stopped(Exit),
}

/// One process.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) stdio: Stdio,
    /// The socket over which it is told to go; nothing once it was.
    control: Mutex<Option<UnixStream>>,
    /// A writer of the FIFO that is its standard input. While the shim has one, the guest sees no end of the file when
    /// somebody attaches and detaches.
    stdin: Mutex<Option<File>>,
    state: watch::Sender<State>,
}

/// What became of a request for a process.
pub(crate) enum Spawned {
    /// It waits; the receiver gets its end.
    Ready(Process, oneshot::Receiver<Exit>),
    /// The program is not Wasm: its path.
    NotWasm(String),
    /// There is no such file in the root file system: its name.
    NoModule(String),
}

impl Process {
    /// A process that others make and start: a Linux container's, or the shim itself as a pod's sandbox.
    pub(crate) fn new(pid: i32, stdio: Stdio) -> Self {
        Self {
            pid,
            stdio,
            control: Mutex::default(),
            stdin: Mutex::default(),
            state: watch::Sender::new(State::Created),
        }
    }

    /// Starts a process that becomes what the request says, in this cgroup.
    pub(crate) async fn spawn(
        request: &Request,
        stdio: &Stdio,
        cgroup: &Cgroup,
        reaper: &Reaper,
    ) -> io::Result<Spawned> {
        let (own, its) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("containerd-shim-teff-v1")
            .arg("guest")
            .env_clear();
        // It looks for `teff-shim` there.
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .stdin(process::Stdio::null())
            .stdout(process::Stdio::null())
            .stderr(process::Stdio::null());
        let fd = its.as_raw_fd();
        // SAFETY: between fork and exec one system call is made; `fd` is open, since `its` lives until after the spawn.
        unsafe { command.pre_exec(move || sys::pass_as(fd, protocol::SOCKET)) };
        let child = command.spawn()?;
        drop(its);
        let pid = child.id() as i32;
        let end = reaper.end_of(pid);

        // From here on, dropping `own` ends the process.
        cgroup.add(child.id())?;
        let (reply, own) = match timeout(READY, ask(own, request)).await {
            Ok(answer) => answer?,
            Err(_) => {
                let seconds = READY.as_secs();
                return Err(io::Error::other(format!(
                    "the module was not ready after {seconds} s"
                )));
            }
        };
        match reply {
            Some(Reply::Ready) => {
                let process = Self {
                    control: Mutex::new(Some(own)),
                    stdin: Mutex::new(hold_open(&stdio.stdin)),
                    ..Self::new(pid, stdio.clone())
                };
                Ok(Spawned::Ready(process, end))
            }
            Some(Reply::NotWasm(path)) => Ok(Spawned::NotWasm(path)),
            Some(Reply::NoModule(name)) => Ok(Spawned::NoModule(name)),
            Some(Reply::Failed(why)) => Err(io::Error::other(why)),
            None => {
                let status = end.await.map_or(0, |exit| exit.status);
                Err(io::Error::other(match status {
                    137 => "the process was killed before the module was ready: the memory limit may be too low".into(),
                    status => format!("the process ended (exit status {status}) before the module was ready"),
                }))
            }
        }
    }

    /// Lets it run.
    pub(crate) fn go(&self) -> io::Result<()> {
        let control = self
            .control
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(control) = control {
            protocol::send(&control, &Go)?;
        }
        self.state.send_if_modified(|state| {
            let created = *state == State::Created;
            if created {
                *state = State::Running;
            }
            created
        });
        Ok(())
    }

    pub(crate) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// It has ended, and whoever waits may know.
    pub(crate) fn stopped(&self, exit: Exit) {
        self.close_stdin();
        self.state.send_replace(State::Stopped(exit));
    }

    /// Its end, as soon as everything that belongs to it is done.
    pub(crate) async fn wait(&self) -> Exit {
        let mut state = self.state.subscribe();
        loop {
            if let State::Stopped(exit) = *state.borrow_and_update() {
                return exit;
            }
            if state.changed().await.is_err() {
                return Exit::signal(libc::SIGKILL);
            }
        }
    }

    /// Its standard input ends when the last writer outside closes it.
    pub(crate) fn close_stdin(&self) {
        self.stdin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Sends a signal; `notfound` if it is gone.
    pub(crate) fn kill(&self, signal: i32) -> io::Result<()> {
        // SAFETY: siginfo_t is plain data, for which zero is a value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // The number may be another process' once the reaper has had this one; then it is no child.
        // SAFETY: waitid writes to `info`, to which it is given a reference.
        sys::check(unsafe { libc::waitid(libc::P_PID, self.pid as libc::id_t, &mut info, flags) })
            .map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
        // SAFETY: kill has no preconditions; the process is a child that was not reaped.
        sys::check(unsafe { libc::kill(self.pid, signal) }).map(drop)
    }
}

/// Sends the request, waits for the reply. Nothing if the process ended without one.
async fn ask(own: UnixStream, request: &Request) -> io::Result<(Option<Reply>, UnixStream)> {
    own.set_nonblocking(true)?;
    let mut stream = tokio::net::UnixStream::from_std(own)?;
    let mut text = Vec::new();
    protocol::send(&mut text, request)?;
    // A process that ended has closed its side; what it was, its status says.
    let _ = stream.write_all(&text).await;
    let mut line = String::new();
    let mut stream = BufReader::new(stream);
    let _ = stream.read_line(&mut line).await;
    let reply = match line.is_empty() {
        true => None,
        false => Some(serde_json::from_str(&line)?),
    };
    Ok((reply, stream.into_inner().into_std()?))
}

/// Both ends of a FIFO, without waiting for anybody; nothing if there is none.
fn hold_open(path: &str) -> Option<File> {
    if path.is_empty() {
        return None;
    }
    let options = libc::O_NONBLOCK | libc::O_CLOEXEC;
    File::options()
        .read(true)
        .write(true)
        .custom_flags(options)
        .open(path)
        .ok()
}

/// The streams of a container that is being made. Several processes may have a try at it, one after the other: the first
/// finds that the program is one of Linux, or that the module must be fetched. Without this, the end of such a process
/// would be the end of the streams for containerd, which does not open them again.
pub(crate) struct HeldStreams {
    _files: [Option<File>; 3],
}

impl HeldStreams {
    pub(crate) fn open(stdio: &Stdio) -> Self {
        let _files = [&stdio.stdin, &stdio.stdout, &stdio.stderr].map(|path| hold_open(path));
        Self { _files }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::{self, File};
    use std::io::{ErrorKind, Read};
    use std::os::unix::fs::OpenOptionsExt;

    use super::{HeldStreams, Stdio};
    use crate::sys;

    /// A process that opens a stream and ends, as one does that finds no module, is not the end of the stream.
    #[test]
    fn streams_outlive_a_failed_try() {
        let path = std::env::temp_dir().join(format!("teff-streams-{}", std::process::id()));
        let name = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the pointer is that of `name`.
        sys::check(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }).unwrap();
        let mut reader = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let mut read = || reader.read(&mut [0; 8]).map_err(|e| e.kind());
        let stdio = Stdio {
            stdout: path.to_str().unwrap().into(),
            ..Stdio::default()
        };
        let held = HeldStreams::open(&stdio);
        drop(File::options().append(true).open(&path).unwrap());
        assert_eq!(read(), Err(ErrorKind::WouldBlock));
        drop(held);
        assert_eq!(read(), Ok(0));
        fs::remove_file(path).unwrap();
    }
}
