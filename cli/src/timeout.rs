//! `--timeout`: a thread that ends the program when its time is up. Knows the engine's epochs alone.

use std::process::exit;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use teff_runtime::Engine;

use crate::failure::{Failure, Result, TIMED_OUT};

/// How long a guest may take to stop by itself. Only one that waits for the system takes longer than a
/// moment.
const GRACE: Duration = Duration::from_millis(200);

/// Watches the program until it is dropped.
pub(crate) struct Watchdog {
    /// The thread sees that this is gone.
    _here: mpsc::Sender<()>,
}

impl Watchdog {
    /// Begins the engine's next epoch after this time; ends the process if that does not help.
    pub(crate) fn start(engine: &Engine, time: Duration) -> Result<Self> {
        let engine = engine.clone();
        let (here, gone) = mpsc::channel();
        let watch = move || {
            let up = |time| gone.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if up(time) {
                engine.increment_epoch();
                if up(GRACE) {
                    // Interpreted code would have stopped: it is not what takes the time.
                    eprintln!(
                        "teff: timed out, not in the guest's own code (--timeout sets the limit)"
                    );
                    exit(TIMED_OUT);
                }
            }
        };
        thread::Builder::new()
            .name("timeout".into())
            .spawn(watch)
            .map_err(|e| Failure::message(format!("--timeout: cannot start a thread: {e}")))?;
        Ok(Self { _here: here })
    }
}
