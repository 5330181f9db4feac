//! Runs one workload in a child process and takes its CPU time and peak memory. Unix only.

use std::io::Read;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, io};

use clap::ValueEnum;

use crate::engine::EngineKind;
use crate::workload::Workload;

/// One run: what it printed and what it cost.
pub(crate) struct Run {
    pub(crate) stdout: Vec<u8>,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// The most memory that was resident, in KiB.
    pub(crate) peak_kib: u64,
}

pub(crate) fn run(engine: EngineKind, workload: &Workload, examples: &Path) -> Result<Run, String> {
    let failed = |what: String| format!("{} on {engine}: {what}", workload.name);
    let this = env::current_exe().map_err(|error| failed(error.to_string()))?;
    let name = engine
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default();
    // Not waited for by std, which cannot give the child's resource usage: `usage_of` does.
    let mut child = Command::new(this)
        .args(["run", &name, workload.name, "--examples"])
        .arg(examples)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut stdout = Vec::new();
    let read = child
        .stdout
        .take()
        .map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut stdout));
    let (status, usage) = usage_of(child.id()).map_err(|error| failed(error.to_string()))?;
    read.map_err(|error| failed(error.to_string()))?;
    if status != 0 {
        return Err(failed("the run failed".to_owned()));
    }
    let time = |value: libc::timeval| {
        Duration::from_secs(value.tv_sec as u64) + Duration::from_micros(value.tv_usec as u64)
    };
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_vendor = "apple") {
        1024
    } else {
        1
    };
    Ok(Run {
        stdout,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_kib: usage.ru_maxrss as u64 / unit,
    })
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
