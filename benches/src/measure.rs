//! Runs one command as a child process and takes its CPU time and its output. Unix only.

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// One run that ended by itself.
pub(crate) struct Run {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The exit status; nothing if a signal ended it.
    pub(crate) status: Option<i32>,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// From before the start to after the end.
    pub(crate) wall: Duration,
}

impl Run {
    /// Why the run does not count; nothing if it ended well with the expected output.
    pub(crate) fn failure(&self, expected: &[u8]) -> Option<String> {
        let first_line = || {
            let text = String::from_utf8_lossy(&self.stderr);
            let line = text.lines().find(|line| !line.trim().is_empty());
            line.map_or_else(String::new, |line| {
                format!(": {}", line.chars().take(120).collect::<String>())
            })
        };
        match self.status {
            None => Some(format!("killed by a signal{}", first_line())),
            Some(status) if status != 0 => Some(format!("exit status {status}{}", first_line())),
            Some(_) if self.stdout != expected => Some("wrong output".to_owned()),
            Some(_) => None,
        }
    }
}

/// Runs a command to its end, or kills it after the limit.
pub(crate) fn run(mut command: Command, limit: Duration) -> Result<Run, String> {
    let started = Instant::now();
    // Not waited for by std, which cannot give the child's resource usage: `usage_of` does.
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let id = child.id();
    let stderr = child.stderr.take();
    let stderr = thread::spawn(move || read_all(stderr));

    // The child is not reaped before the watchdog has ended, so the id cannot have become another process's.
    let (done, watched) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let late = matches!(watched.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
        if late {
            // SAFETY: a plain system call. The id is of a child of this process that has not been waited for yet.
            unsafe { libc::kill(id as libc::pid_t, libc::SIGKILL) };
        }
        late
    });
    let stdout = read_all(child.stdout.take());
    wait_without_reaping(id).map_err(|error| error.to_string())?;
    let wall = started.elapsed();
    drop(done);
    let late = watchdog.join().unwrap_or(false);
    let (status, usage) = usage_of(id).map_err(|error| error.to_string())?;
    let stderr = stderr.join().unwrap_or_else(|_| Ok(Vec::new()));
    if late {
        return Err(format!("not done after {} s", limit.as_secs_f64()));
    }
    let time = |value: libc::timeval| {
        Duration::from_secs(value.tv_sec as u64) + Duration::from_micros(value.tv_usec as u64)
    };
    Ok(Run {
        stdout: stdout.map_err(|error| error.to_string())?,
        stderr: stderr.map_err(|error| error.to_string())?,
        status: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        wall,
    })
}

fn read_all(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Waits until a child of this process has ended, and leaves it as it is.
fn wait_without_reaping(child: u32) -> io::Result<()> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: the pointer is valid for the write of its type.
        let result = unsafe {
            libc::waitid(
                libc::P_PID,
                child as libc::id_t,
                info.as_mut_ptr(),
                libc::WEXITED | libc::WNOWAIT,
            )
        };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Waits for a child of this process: its wait status, and what it used.
fn usage_of(child: u32) -> io::Result<(libc::c_int, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes of their types, and rusage may be all zero bytes.
        let ended =
            unsafe { libc::wait4(child as libc::pid_t, &mut status, 0, usage.as_mut_ptr()) };
        if ended >= 0 {
            // SAFETY: it was zeroed above, which is a valid rusage, and wait4 has only overwritten it.
            return Ok((status, unsafe { usage.assume_init() }));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Pins this process, and so its children, to one core: the one given, or the last one that it may use. Returns the
/// core; nothing where the system cannot.
#[cfg(target_os = "linux")]
pub(crate) fn pin(core: Option<usize>) -> Result<Option<usize>, String> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: all zero bytes are a valid, empty set; the call writes at most `size` bytes to it.
    let mut set = unsafe {
        if libc::sched_getaffinity(0, size, set.as_mut_ptr()) != 0 {
            return Err(format!("the cores: {}", io::Error::last_os_error()));
        }
        set.assume_init()
    };
    // SAFETY: the index is below the number of bits of a set.
    let may_use = |&core: &usize| unsafe { libc::CPU_ISSET(core, &set) };
    let all = 0..libc::CPU_SETSIZE as usize;
    let core = match core {
        Some(core) if all.contains(&core) && may_use(&core) => core,
        Some(core) => return Err(format!("this process may not run on core {core}")),
        None => match all.rev().find(may_use) {
            Some(core) => core,
            None => return Ok(None),
        },
    };
    // SAFETY: the set is initialised and the index was checked; the call only reads the set.
    let done = unsafe {
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size, &set)
    };
    if done != 0 {
        return Err(format!("core {core}: {}", io::Error::last_os_error()));
    }
    Ok(Some(core))
}

/// Other systems: nothing is pinned.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_core: Option<usize>) -> Result<Option<usize>, String> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Run, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_run_counts_only_with_the_expected_output_and_success() {
        let good = shell("echo 42", LONG).unwrap();
        assert_eq!(good.failure(b"42\n"), None);
        assert_eq!(good.failure(b"43\n").as_deref(), Some("wrong output"));

        let bad = shell("echo 42; echo 'no memory' >&2; exit 3", LONG).unwrap();
        assert_eq!(
            bad.failure(b"42\n").as_deref(),
            Some("exit status 3: no memory")
        );

        let killed = shell("echo 42; kill -SEGV $$", LONG).unwrap();
        assert_eq!(
            killed.failure(b"42\n").as_deref(),
            Some("killed by a signal")
        );
    }

    #[test]
    fn a_run_that_takes_too_long_is_ended() {
        // exec, so that the process that is killed is the one that sleeps.
        let outcome = shell("exec sleep 50", Duration::from_millis(200));
        assert_eq!(outcome.err().as_deref(), Some("not done after 0.2 s"));
    }

    #[test]
    fn the_work_of_the_child_is_counted() {
        let run = shell("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done", LONG).unwrap();
        assert!(run.cpu > Duration::ZERO, "{:?}", run.cpu);
    }
}
