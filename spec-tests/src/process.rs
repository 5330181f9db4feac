//! Runs a program to its end, for so long at most, and keeps what it writes.

use std::fmt;
use std::io::{self, Read, pipe};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Most bytes that are kept of a stream: what a program that hangs can write must not fill the memory.
const KEPT: usize = 64 << 20;

/// How a program ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, or by a signal.
    Status(ExitStatus),
    /// It was killed after this time.
    TimedOut(Duration),
}

impl End {
    /// Did it exit with this status?
    pub fn is(self, code: i32) -> bool {
        matches!(self, Self::Status(status) if status.code() == Some(code))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::TimedOut(limit) => write!(f, "not done after {} seconds", limit.as_secs()),
        }
    }
}

/// What came of a program.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// What it wrote to standard output, and to standard error too if the two are one stream.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// How long it took.
    pub seconds: f64,
}

/// Runs `command` with a standard input at its end, for `limit` at most.
pub fn run(mut command: Command, limit: Duration) -> io::Result<Finished> {
    // A closed pipe, which polls as hung up, not a file such as /dev/null, which is always readable.
    command
        .stdin(closed()?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().map(keep);
    let stderr = child.stderr.take().map(keep);
    finish(child, start, limit, stdout, stderr)
}

/// The same with standard error going where standard output goes, so that the order of lines is kept.
pub fn run_merged(mut command: Command, limit: Duration) -> io::Result<Finished> {
    let (reader, writer) = pipe()?;
    command
        .stdin(closed()?)
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let start = Instant::now();
    let child = command.spawn()?;
    // It holds ends of the pipe, which would stay open.
    drop(command);
    finish(child, start, limit, Some(keep(reader)), None)
}

/// The reading end of a pipe that nobody writes to.
fn closed() -> io::Result<Stdio> {
    let (reader, _) = pipe()?;
    Ok(reader.into())
}

type Stream = JoinHandle<Vec<u8>>;

/// Reads a stream to its end on a thread.
fn keep(mut stream: impl Read + Send + 'static) -> Stream {
    thread::spawn(move || {
        let mut kept = Vec::new();
        // A stream that cannot be read any further has ended.
        let _ = stream.by_ref().take(KEPT as u64).read_to_end(&mut kept);
        let _ = io::copy(&mut stream, &mut io::sink());
        kept
    })
}

fn finish(
    mut child: Child,
    start: Instant,
    limit: Duration,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
) -> io::Result<Finished> {
    let mut pause = Duration::from_millis(1);
    let end = loop {
        if let Some(status) = child.try_wait()? {
            break End::Status(status);
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            break End::TimedOut(limit);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let seconds = start.elapsed().as_secs_f64();
    let text = |stream: Option<Stream>| stream.and_then(|s| s.join().ok()).unwrap_or_default();
    Ok(Finished {
        end,
        stdout: text(stdout),
        stderr: text(stderr),
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn keeps_both_streams_and_the_status() {
        let done = run(sh("cat; echo out; echo err >&2; exit 3"), LONG).unwrap();
        assert!(done.end.is(3), "{done:?}");
        assert_eq!(
            (&*done.stdout, &*done.stderr),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn merged_streams_keep_their_order() {
        let done = run_merged(sh("echo 1; echo 2 >&2; echo 3"), LONG).unwrap();
        assert_eq!(
            (&*done.stdout, &*done.stderr),
            (&b"1\n2\n3\n"[..], &b""[..])
        );
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        let done = run(sh("echo begun; exec sleep 600"), Duration::from_millis(300)).unwrap();
        assert!(matches!(done.end, End::TimedOut(_)), "{done:?}");
        assert_eq!(done.stdout, b"begun\n");
    }

    #[test]
    fn a_signal_is_no_exit_status() {
        let done = run(sh("kill -SEGV $$"), LONG).unwrap();
        assert!(
            !done.end.is(0) && done.end.to_string().contains("signal"),
            "{done:?}"
        );
    }
}
