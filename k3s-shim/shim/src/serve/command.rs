//! Other programs that the shim runs for a moment: the fetcher of modules, and the runtime of Linux containers. Their ends
//! come through the reaper, as those of all children do. Knows nothing of what they do.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use super::reaper::{Exit, Reaper};

/// A program that takes longer has hung.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The most that is kept of what a program says.
const OUTPUT: u64 = 1 << 20;

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// What it printed, if it ended well; else what it complained of.
    pub(crate) fn success(self, what: &str) -> io::Result<String> {
        if self.exit.status == 0 {
            return Ok(self.stdout);
        }
        let complaint = match self.stderr.trim() {
            "" => self.stdout.trim(),
            complaint => complaint,
        };
        let status = self.exit.status;
        Err(io::Error::other(format!(
            "{what} failed with exit status {status}: {complaint}"
        )))
    }
}

/// Runs a program to its end, both outputs captured unless the command says where they go.
pub(crate) async fn output(reaper: &Reaper, mut command: Command) -> io::Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let named = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => {
            io::Error::other(format!("{name} is not installed on this node"))
        }
        _ => io::Error::other(format!("{name}: {e}")),
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().map_err(named)?;
    let pid = child.id() as i32;
    let end = reaper.end_of(pid);
    let (stdout, stderr) = (child.stdout.map(Into::into), child.stderr.map(Into::into));
    let all = async {
        let (stdout, stderr) = tokio::try_join!(text(stdout), text(stderr))?;
        let exit = end.await.map_err(io::Error::other)?;
        Ok(Output {
            exit,
            stdout,
            stderr,
        })
    };
    match timeout(TIMEOUT, all).await {
        Ok(output) => output,
        Err(_) => {
            // SAFETY: kill has no preconditions; the process is a child that was not reaped: nobody waited for its end.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            let seconds = TIMEOUT.as_secs();
            Err(io::Error::other(format!(
                "{name} did not end within {seconds} s"
            )))
        }
    }
}

/// All that comes out of a pipe.
async fn text(pipe: Option<std::os::fd::OwnedFd>) -> io::Result<String> {
    let Some(pipe) = pipe else {
        return Ok(String::new());
    };
    let mut bytes = Vec::new();
    let pipe = Receiver::from_owned_fd(pipe)?;
    pipe.take(OUTPUT).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
