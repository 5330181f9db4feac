//! Ending every process of a cgroup. Knows that the calling process may be one of them, which it spares.

use std::io;

use super::{Cgroup, file, pauses};

impl Cgroup {
    /// Kills all processes but the calling one, frozen or not, and returns when they are gone. Their parent has still to
    /// wait for them.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let me = std::process::id();
        let others = || {
            let mut pids = self.pids();
            let all = pids.len();
            pids.retain(|&pid| pid != me);
            (pids.len() < all, pids)
        };
        for (attempt, pause) in pauses().enumerate() {
            let (spare_me, pids) = others();
            if pids.is_empty() {
                return Ok(());
            }
            // The kernel can kill them all at once, so that none escapes by a fork, from 5.14 on. The first time only: a
            // process that is not in this hierarchy yet is left.
            let at_once = match self.unified() {
                Some(dir) if attempt == 0 && !spare_me => {
                    file::write(&dir.join("cgroup.kill"), 1).is_ok()
                }
                _ => false,
            };
            if !at_once {
                pids.into_iter().for_each(kill);
            }
            // In version 1 a frozen process dies when it thaws. Nothing is lost if there is no freezer, or nothing frozen.
            let _ = self.thaw();
            std::thread::sleep(pause);
        }
        match others() {
            (_, pids) if pids.is_empty() => Ok(()),
            (_, pids) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("processes {pids:?} are still there two seconds after they were killed"),
            )),
        }
    }
}

/// Kills one. It may be gone.
fn kill(pid: u32) {
    if let Ok(pid) = libc::pid_t::try_from(pid)
        && pid > 0
    {
        // SAFETY: kill(2) touches no memory of this process, and a positive number is one process, never a group.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}
