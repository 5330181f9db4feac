//! The ends of processes: every child of the shim, and every process that it adopts from one. Knows nothing of what they
//! were for.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// The exit status, or 128 and the signal.
    pub(crate) status: u32,
    pub(crate) at: SystemTime,
}

impl Exit {
    /// Killed by a signal, now.
    pub(crate) fn signal(signal: i32) -> Self {
        Self {
            status: 128 + signal as u32,
            at: SystemTime::now(),
        }
    }
}

/// Statuses of adopted processes that nobody has asked for yet are kept, but not for ever.
const UNCLAIMED: usize = 64;

#[derive(Default)]
struct Ends {
    waiting: HashMap<i32, oneshot::Sender<Exit>>,
    /// The newest at the end.
    unclaimed: Vec<(i32, Exit)>,
}

/// Collects the ends of processes.
#[derive(Clone)]
pub(crate) struct Reaper(Arc<Mutex<Ends>>);

impl Reaper {
    /// Begins to collect. Orphans of this process' children become its own.
    pub(crate) fn start() -> io::Result<Self> {
        // SAFETY: prctl with a plain number.
        crate::sys::check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) })?;
        let reaper = Self(Arc::default());
        let mut children = signal(SignalKind::child())?;
        let collected = reaper.clone();
        tokio::spawn(async move {
            while children.recv().await.is_some() {
                collected.collect();
            }
        });
        Ok(reaper)
    }

    /// The end of a process, once; also if it is over already.
    pub(crate) fn end_of(&self, pid: i32) -> oneshot::Receiver<Exit> {
        let (sender, receiver) = oneshot::channel();
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match ends.unclaimed.iter().position(|(dead, _)| *dead == pid) {
            Some(n) => {
                let (_, exit) = ends.unclaimed.swap_remove(n);
                let _ = sender.send(exit);
            }
            None => drop(ends.waiting.insert(pid, sender)),
        }
        receiver
    }

    fn collect(&self) {
        loop {
            let mut status = 0;
            // SAFETY: waitpid writes one int, to which it is given a reference.
            let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
            if pid <= 0 {
                return;
            }
            let exit = match libc::WIFSIGNALED(status) {
                true => Exit::signal(libc::WTERMSIG(status)),
                false => Exit {
                    status: libc::WEXITSTATUS(status) as u32,
                    at: SystemTime::now(),
                },
            };
            let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match ends.waiting.remove(&pid) {
                Some(sender) => drop(sender.send(exit)),
                None => {
                    if ends.unclaimed.len() == UNCLAIMED {
                        ends.unclaimed.remove(0);
                    }
                    ends.unclaimed.push((pid, exit));
                }
            }
        }
    }
}
