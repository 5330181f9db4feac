//! The most memory that a process has resident. Linux only.
//!
//! What `wait4` tells of a child is no less than what its parent had resident when it was started. So the child is
//! traced here, stops when it is about to end, and its own count is read.

#[cfg(target_os = "linux")]
pub(crate) use linux::peak_kib;

/// Other systems: nothing is known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn peak_kib(_: std::process::Command) -> std::io::Result<Option<u64>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    use std::ptr::null_mut;

    /// Runs a command to its end. In KiB; nothing if it ended before it could be asked.
    pub(crate) fn peak_kib(mut command: Command) -> io::Result<Option<u64>> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: a system call without arguments that matter, between `fork` and `exec`.
        unsafe { command.pre_exec(|| request(libc::PTRACE_TRACEME, 0, 0)) };
        let child = command.spawn()?.id() as libc::pid_t;
        // It stops as soon as the program is loaded.
        if stop_of(child)?.is_none() {
            return Ok(None);
        }
        let options = libc::PTRACE_O_TRACEEXIT | libc::PTRACE_O_EXITKILL;
        request(libc::PTRACE_SETOPTIONS, child, options as usize)?;
        let mut signal = 0;
        let mut peak = None;
        loop {
            request(libc::PTRACE_CONT, child, signal)?;
            let Some(status) = stop_of(child)? else {
                return Ok(peak);
            };
            let event = status >> 8;
            if event == libc::SIGTRAP | (libc::PTRACE_EVENT_EXIT << 8) {
                peak = high_water(&fs::read_to_string(format!("/proc/{child}/status"))?);
                signal = 0;
            } else {
                signal = libc::WSTOPSIG(status) as usize;
            }
        }
    }

    fn request(request: libc::c_uint, child: libc::pid_t, data: usize) -> io::Result<()> {
        // SAFETY: the requests made here take a number, and no memory of this process.
        match unsafe { libc::ptrace(request, child, null_mut::<libc::c_void>(), data) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Waits until a child stops, and gives its wait status; nothing if it has ended.
    fn stop_of(child: libc::pid_t) -> io::Result<Option<libc::c_int>> {
        let mut status = 0;
        loop {
            // SAFETY: the pointer is valid for the write of its type.
            if unsafe { libc::waitpid(child, &mut status, 0) } == child {
                return Ok(libc::WIFSTOPPED(status).then_some(status));
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// The line of the process's status that says what its most was.
    fn high_water(status: &str) -> Option<u64> {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_small_process_has_less_than_this_one() {
            // More than the child will have, and touched.
            let ballast = vec![1_u8; 64 << 20];
            let peak = peak_kib(Command::new("true")).unwrap().unwrap();
            assert!(peak > 0 && peak < (ballast.len() >> 10) as u64, "{peak}");
        }

        #[test]
        fn what_a_process_touches_counts() {
            let mut command = Command::new("sh");
            command.args(["-c", "x=$(head -c 30000000 /dev/zero | tr '\\0' x); : $x"]);
            let peak = peak_kib(command).unwrap().unwrap();
            assert!(peak > 30_000_000 / 1024, "{peak}");
        }

        #[test]
        fn a_signal_reaches_the_process() {
            let mut command = Command::new("sh");
            command.args(["-c", "kill -TERM $$; sleep 50"]);
            assert!(peak_kib(command).unwrap().is_some());
        }
    }
}
