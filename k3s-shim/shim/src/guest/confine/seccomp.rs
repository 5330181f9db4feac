//! The system calls of the interpreter, of WASI, and of what they stand on; no others. Knows nothing of who makes them.

use std::io;

use crate::sys::check;

use super::bpf::{self, Rule};
use Rule::{Always, OneOf, Without};

/// AUDIT_ARCH_…: the ELF machine, and bits for 64-bit and little-endian.
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 62 | 0xc000_0000;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 183 | 0xc000_0000;
#[cfg(target_arch = "riscv64")]
const ARCH: u32 = 243 | 0xc000_0000;
#[cfg(target_arch = "arm")]
const ARCH: u32 = 40 | 0x4000_0000;

/// Requests of ioctl(2): is it a terminal, how much is there to read, do not wait.
const IOCTLS: &[u32] = &[
    libc::TCGETS as u32,
    libc::FIONREAD as u32,
    libc::FIONBIO as u32,
];

/// No memory that can be executed: an interpreter has no use for it.
const EXECUTABLE: u32 = libc::PROT_EXEC as u32;

/// What all architectures have.
const COMMON: &[Rule] = &[
    Always(libc::SYS_read),
    Always(libc::SYS_write),
    Always(libc::SYS_readv),
    Always(libc::SYS_writev),
    Always(libc::SYS_pread64),
    Always(libc::SYS_pwrite64),
    Always(libc::SYS_preadv),
    Always(libc::SYS_pwritev),
    Always(libc::SYS_close),
    Always(libc::SYS_statx),
    Always(libc::SYS_lseek),
    Without(libc::SYS_mprotect, 2, EXECUTABLE),
    Always(libc::SYS_munmap),
    Always(libc::SYS_mremap),
    Always(libc::SYS_madvise),
    Always(libc::SYS_brk),
    // Files and names.
    Always(libc::SYS_openat),
    Always(libc::SYS_openat2),
    Always(libc::SYS_mkdirat),
    Always(libc::SYS_unlinkat),
    Always(libc::SYS_renameat2),
    Always(libc::SYS_linkat),
    Always(libc::SYS_symlinkat),
    Always(libc::SYS_readlinkat),
    Always(libc::SYS_utimensat),
    Always(libc::SYS_ftruncate),
    Always(libc::SYS_fallocate),
    Always(libc::SYS_fsync),
    Always(libc::SYS_fdatasync),
    Always(libc::SYS_dup),
    Always(libc::SYS_dup3),
    Always(libc::SYS_getdents64),
    OneOf(libc::SYS_ioctl, 1, IOCTLS),
    // Waiting, clocks, randomness.
    Always(libc::SYS_ppoll),
    Always(libc::SYS_pipe2),
    Always(libc::SYS_eventfd2),
    Always(libc::SYS_clock_gettime),
    Always(libc::SYS_clock_getres),
    Always(libc::SYS_clock_nanosleep),
    Always(libc::SYS_nanosleep),
    Always(libc::SYS_getrandom),
    // Sockets that are open already.
    Always(libc::SYS_accept4),
    Always(libc::SYS_recvfrom),
    Always(libc::SYS_recvmsg),
    Always(libc::SYS_sendto),
    Always(libc::SYS_sendmsg),
    Always(libc::SYS_shutdown),
    Always(libc::SYS_getsockopt),
    Always(libc::SYS_getsockname),
    // Threads and signals, such as they are here.
    Always(libc::SYS_futex),
    Always(libc::SYS_gettid),
    Always(libc::SYS_getpid),
    Always(libc::SYS_tgkill),
    Always(libc::SYS_sched_yield),
    Always(libc::SYS_rt_sigreturn),
    Always(libc::SYS_rt_sigaction),
    Always(libc::SYS_rt_sigprocmask),
    Always(libc::SYS_rt_sigtimedwait),
    Always(libc::SYS_sigaltstack),
    Always(libc::SYS_restart_syscall),
    Always(libc::SYS_exit),
    Always(libc::SYS_exit_group),
];

/// Older calls with the same jobs, and those of 32-bit machines.
#[cfg(target_arch = "x86_64")]
const OTHERS: &[Rule] = &[
    Without(libc::SYS_mmap, 2, EXECUTABLE),
    Always(libc::SYS_fcntl),
    Always(libc::SYS_fstat),
    Always(libc::SYS_newfstatat),
    Always(libc::SYS_fadvise64),
    Always(libc::SYS_renameat),
    Always(libc::SYS_poll),
    Always(libc::SYS_accept),
];
#[cfg(target_arch = "aarch64")]
const OTHERS: &[Rule] = &[
    Without(libc::SYS_mmap, 2, EXECUTABLE),
    Always(libc::SYS_fcntl),
    Always(libc::SYS_fstat),
    Always(libc::SYS_newfstatat),
    Always(libc::SYS_fadvise64),
    Always(libc::SYS_renameat),
    Always(libc::SYS_accept),
];
#[cfg(target_arch = "riscv64")]
const OTHERS: &[Rule] = &[
    Without(libc::SYS_mmap, 2, EXECUTABLE),
    Always(libc::SYS_fcntl),
    Always(libc::SYS_fstat),
    Always(libc::SYS_newfstatat),
    Always(libc::SYS_fadvise64),
    Always(libc::SYS_accept),
];
#[cfg(target_arch = "arm")]
const OTHERS: &[Rule] = &[
    Without(libc::SYS_mmap2, 2, EXECUTABLE),
    Always(libc::SYS_fcntl),
    Always(libc::SYS_fcntl64),
    Always(libc::SYS_fstat64),
    Always(libc::SYS_fstatat64),
    Always(libc::SYS_ftruncate64),
    Always(libc::SYS__llseek),
    Always(libc::SYS_arm_fadvise64_64),
    Always(libc::SYS_renameat),
    Always(libc::SYS_poll),
    Always(libc::SYS_accept),
    Always(libc::SYS_send),
    Always(libc::SYS_recv),
    // With 64-bit times; libc has no names for these here. All 32-bit processors have the same numbers.
    Always(403), // clock_gettime64
    Always(406), // clock_getres_time64
    Always(407), // clock_nanosleep_time64
    Always(412), // utimensat_time64
    Always(414), // ppoll_time64
    Always(422), // futex_time64
    Always(421), // rt_sigtimedwait_time64
];

/// Whoever makes one of these is no interpreter any more.
const NEVER: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_reboot,
];

/// Has the kernel keep all threads of this process to that, for ever. It takes no_new_privs, or root.
pub(crate) fn restrict() -> io::Result<()> {
    let rules = [COMMON, OTHERS].concat();
    let mut program = bpf::program(ARCH, &rules, NEVER);
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: `filter` describes `program`; both live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &filter,
        )
    };
    // A positive number is a thread that could not follow.
    match check(result as libc::c_int) {
        Ok(0) => Ok(()),
        Ok(thread) => Err(io::Error::other(format!(
            "seccomp: thread {thread} has a filter of its own"
        ))),
        Err(e) => Err(io::Error::other(format!("seccomp: {e}"))),
    }
}
