//! Giving up rights: what the guest could do to the node if it got out of the interpreter. Knows nothing of modules.

mod bpf;
mod landlock;
mod seccomp;

use std::fs;
use std::io;

use crate::spec::{Process, User};
use crate::sys::check;

pub(crate) use landlock::restrict as landlock;
pub(crate) use seccomp::restrict as seccomp;

/// The highest capability that a kernel may have one day; asking for more is no error here.
const CAPABILITIES: libc::c_ulong = 63;

/// SECBIT_NOROOT, SECBIT_NO_SETUID_FIXUP, SECBIT_NO_CAP_AMBIENT_RAISE, each with the bit that locks it.
const SECUREBITS: libc::c_ulong = 0b1100_1111;

/// The limits of setrlimit(2), by the names that OCI has for them.
const RLIMITS: [(&str, u32); 16] = [
    ("RLIMIT_AS", libc::RLIMIT_AS as _),
    ("RLIMIT_CORE", libc::RLIMIT_CORE as _),
    ("RLIMIT_CPU", libc::RLIMIT_CPU as _),
    ("RLIMIT_DATA", libc::RLIMIT_DATA as _),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE as _),
    ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS as _),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK as _),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE as _),
    ("RLIMIT_NICE", libc::RLIMIT_NICE as _),
    ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE as _),
    ("RLIMIT_NPROC", libc::RLIMIT_NPROC as _),
    ("RLIMIT_RSS", libc::RLIMIT_RSS as _),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO as _),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME as _),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING as _),
    ("RLIMIT_STACK", libc::RLIMIT_STACK as _),
];

/// Has the kernel kill this process when the shim dies.
pub(crate) fn die_with_parent() -> io::Result<()> {
    prctl(
        libc::PR_SET_PDEATHSIG,
        [libc::SIGKILL as libc::c_ulong, 0, 0, 0],
    )
}

/// Makes the guest die before the shim when memory runs out, and as the container's class of service wants it.
pub(crate) fn raise_oom_score(wanted: Option<i32>) {
    let own = fs::read_to_string("/proc/self/oom_score_adj").ok();
    let own: i32 = own.and_then(|own| own.trim().parse().ok()).unwrap_or(0);
    let score = wanted.unwrap_or(0).max(own + 1).min(1000);
    // To lower it can be forbidden; that it is higher than it might be harms nobody else.
    let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
}

/// Sets the container's limits. A core dump would be the guest's memory on the node's disk.
pub(crate) fn rlimits(process: &Process) -> io::Result<()> {
    set_rlimit(libc::RLIMIT_CORE as _, 0, 0)?;
    for limit in &process.rlimits {
        let known = RLIMITS.iter().find(|(name, _)| *name == limit.kind);
        let &(name, number) =
            known.ok_or_else(|| io::Error::other(format!("unknown limit {}", limit.kind)))?;
        set_rlimit(number, limit.soft, limit.hard)
            .map_err(|e| io::Error::other(format!("{name}={}:{}: {e}", limit.soft, limit.hard)))?;
    }
    Ok(())
}

fn set_rlimit(number: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft as libc::rlim_t,
        rlim_max: hard as libc::rlim_t,
    };
    // SAFETY: `limit` lives through the call.
    check(unsafe { libc::setrlimit(number as _, &limit) }).map(drop)
}

/// Becomes the container's user, without any capability, for ever.
pub(crate) fn identity(user: &User) -> io::Result<()> {
    let named = |what: &str| {
        let what = what.to_string();
        move |e: io::Error| io::Error::other(format!("{what}: {e}"))
    };
    prctl(libc::PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0]).map_err(named("no_new_privs"))?;
    for capability in 0..=CAPABILITIES {
        // The first that the kernel has not is the end.
        // SAFETY: plain numbers.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            break;
        }
    }
    prctl(libc::PR_SET_SECUREBITS, [SECUREBITS, 0, 0, 0]).map_err(named("securebits"))?;
    let groups: Vec<libc::gid_t> = user.additional_gids.clone();
    // SAFETY: the pointer and the number are those of `groups`.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }).map_err(named("setgroups"))?;
    // SAFETY: plain numbers.
    check(unsafe { libc::setresgid(user.gid, user.gid, user.gid) }).map_err(named("setgid"))?;
    // SAFETY: plain numbers.
    check(unsafe { libc::setresuid(user.uid, user.uid, user.uid) }).map_err(named("setuid"))?;
    drop_capabilities().map_err(named("capset"))?;
    // Another user's process has lost it.
    die_with_parent()
}

fn drop_capabilities() -> io::Result<()> {
    /// _LINUX_CAPABILITY_VERSION_3.
    const VERSION: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION, 0];
    // Two times effective, permitted, inheritable.
    let none = [0_u32; 6];
    // SAFETY: both have the kernel's layout: two and six 32-bit numbers.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    check(result as libc::c_int).map(drop)
}

fn prctl(option: libc::c_int, [a, b, c, d]: [libc::c_ulong; 4]) -> io::Result<()> {
    // SAFETY: prctl with plain numbers.
    check(unsafe { libc::prctl(option, a, b, c, d) }).map(drop)
}
