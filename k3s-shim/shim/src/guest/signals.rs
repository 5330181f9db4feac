//! Signals that ask a guest to stop: a thread waits for them, and interrupts the guest. Knows the engine's epochs alone.

use std::io;
use std::mem::MaybeUninit;
use std::process::exit;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use teff_runtime::Engine;

/// The signals that are asked of a container by people and by Kubernetes. Others do what they always do.
const STOPPING: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP];

/// How long a guest that was interrupted may take to notice: only one that waits inside the system takes longer than a
/// moment.
const NOTICE: Duration = Duration::from_secs(2);

/// Stack of the thread that waits.
const STACK: usize = 64 << 10;

/// Whether somebody has asked the guest to stop.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<(Mutex<Option<i32>>, Condvar)>);

impl Stop {
    /// Starts to wait for signals. To be called before there are other threads.
    pub(crate) fn watch(engine: &Engine, grace: Duration) -> io::Result<Self> {
        let set = set();
        // SAFETY: `set` is a set of signals; nothing is to be written back.
        let result = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
        if result != 0 {
            return Err(io::Error::from_raw_os_error(result));
        }
        let stop = Self::default();
        let (watched, engine) = (stop.clone(), engine.clone());
        let (up, started) = mpsc::channel();
        let watch = move || {
            let _ = up.send(());
            let Some(signal) = wait(&set, None) else {
                return;
            };
            watched.set(signal);
            engine.increment_epoch();
            // What the guest does now, it does under the deadline; a second signal is impatience.
            wait(&set, Some(grace));
            engine.increment_epoch();
            thread::sleep(NOTICE);
            exit(128 + signal);
        };
        thread::Builder::new()
            .name("signals".into())
            .stack_size(STACK)
            .spawn(watch)?;
        // What a thread needs of the system to start, it may soon be denied.
        started.recv().map_err(io::Error::other)?;
        Ok(stop)
    }

    /// The signal, if there was one.
    pub(crate) fn signal(&self) -> Option<i32> {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one.
    pub(crate) fn wait(&self) -> i32 {
        let (signal, changed) = &*self.0;
        let mut signal = signal.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *signal {
                Some(signal) => return signal,
                None => signal = changed.wait(signal).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn set(&self, signal: i32) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
        self.0.1.notify_all();
    }
}

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset makes it a set; sigaddset adds signals that exist.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in STOPPING {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// The next of these signals, or nothing when the time is up.
fn wait(set: &libc::sigset_t, time: Option<Duration>) -> Option<i32> {
    loop {
        let mut signal = 0;
        let result = match time {
            // SAFETY: both point to what they are to.
            None => match unsafe { libc::sigwait(set, &mut signal) } {
                0 => signal,
                error => -error,
            },
            Some(time) => {
                // SAFETY: timespec is plain data, for which zero is a value.
                let mut timeout: libc::timespec = unsafe { std::mem::zeroed() };
                timeout.tv_sec = time.as_secs() as _;
                // SAFETY: both point to what they are to; nothing is to be written.
                match unsafe { libc::sigtimedwait(set, std::ptr::null_mut(), &timeout) } {
                    -1 => match io::Error::last_os_error().raw_os_error() {
                        Some(libc::EAGAIN) => return None,
                        error => -error.unwrap_or(libc::EINVAL),
                    },
                    signal => signal,
                }
            }
        };
        match -result {
            libc::EINTR => {}
            error if error > 0 => return None,
            _ => return Some(result),
        }
    }
}
