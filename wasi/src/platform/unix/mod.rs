//! Unix, through libc: the host's clocks, randomness, files, directories and sockets.
//!
//! Nothing outside of this folder knows of libc.

mod clock;
mod dir;
mod file;
mod list;
mod openat2;
mod path;
mod random;
mod socket;
mod stat;
mod sys;
mod wait;
mod words;

use core::task::Waker;

pub use self::{dir::HostDir, file::HostFile, path::PathResolution};
use super::{Clock, Platform, Source};
use crate::types::Errno;

/// The host.
#[derive(Default)]
pub struct Unix {
    bell: wait::LazyBell,
}

impl Unix {
    /// The host.
    pub fn new() -> Self {
        Self::default()
    }
}

impl core::fmt::Debug for Unix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Unix")
    }
}

impl Platform for Unix {
    fn now(&self, clock: Clock) -> Result<u64, Errno> {
        clock::now(clock)
    }

    fn resolution(&self, clock: Clock) -> Result<u64, Errno> {
        clock::resolution(clock)
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), Errno> {
        random::fill(buffer)
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn wait(&self, sources: &mut [Source], timeout: Option<u64>) -> Result<(), Errno> {
        wait::wait(&self.bell, sources, timeout)
    }

    fn waker(&self) -> Option<Waker> {
        self.bell.waker()
    }
}
