//! How much memory this process has at each stage of loading a module; `teff-benches memory` starts such processes.
//! Knows nothing of engines: also used by `teff-benches` itself for teff.

/// The number of instances that are made beside the first.
pub const FURTHER_INSTANCES: usize = 20;

/// Prints what is resident, and what is allocated by malloc, both in bytes: `<stage> <resident> <allocated>`.
pub fn mark(stage: &str) {
    println!("{stage} {} {}", resident(), allocated());
}

/// The resident memory; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// What malloc has given out; 0 where it does not tell.
fn allocated() -> u64 {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: a plain call of the C library, which takes no arguments.
        let info = unsafe { libc::mallinfo2() };
        (info.uordblks + info.hblkhd) as u64
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    0
}
