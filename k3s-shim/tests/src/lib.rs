//! A node in a folder: a containerd of its own that is driven through the CRI, as a kubelet does. For tests and benchmarks.
//!
//! ```text
//! node     containerd: set up by `teff-shim install`, started, killed, started again
//! cri      calls of the CRI
//! pod      pods and containers: made, started, looked at, removed when dropped
//! image    images, made here and given to containerd
//! process  a process as /proc shows it
//! traces   what is on this machine of pods: processes, mounts, cgroups, sockets, files
//! ```

#![cfg(feature = "containerd")]

mod cri;
mod image;
mod node;
mod pod;
mod process;
mod traces;

pub use self::cri::Cri;
pub use self::image::{Image, LINUX, MODULES, PAUSE, layers};
pub use self::node::Node;
pub use self::pod::{Container, ContainerWish, Log, Pod, PodWish};
pub use self::process::Process;
pub use self::traces::Traces;

use std::time::{Duration, Instant};

/// Nothing takes this long unless it hangs.
pub const HANG: Duration = Duration::from_secs(120);

/// Waits for something, and says what it was if it does not come.
///
/// # Panics
///
/// If it does not come.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < HANG, "not within {HANG:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
