//! The state of one guest.

use alloc::boxed::Box;

use teff_runtime::{Instance, Memory};

use crate::{
    WasiLimits,
    audit::{Audit, Denial},
    device::Identity,
    fd::Fds,
    limits::Budget,
    platform::{Blocking, Clock, Platform},
    proc::Strings,
    wait::Parked,
};

/// What one guest sees of the world: its arguments and environment, its open descriptors, clocks and
/// randomness.
///
/// Made by a [`WasiCtxBuilder`](crate::WasiCtxBuilder) and kept in the store's data, where
/// [`add_to_linker`](crate::add_to_linker) finds it.
pub struct WasiCtx {
    pub(crate) args: Strings,
    pub(crate) env: Strings,
    /// What `device.get` tells.
    pub(crate) device: Identity,
    pub(crate) fds: Fds,
    pub(crate) platform: Box<dyn Platform>,
    /// Are there clocks?
    pub(crate) clocks: bool,
    /// The clock that the guest has as its monotonic one.
    pub(crate) monotonic: Clock,
    /// Is there randomness?
    pub(crate) random: bool,
    /// Does writing to a standard stream that nobody reads any more end the guest?
    pub(crate) sigpipe: bool,
    pub(crate) limits: WasiLimits,
    pub(crate) budget: Budget,
    /// How a call may block that the guest wants to block.
    pub(crate) blocking: Blocking,
    /// Must every wait be the platform's?
    pub(crate) only_platform_waits: bool,
    pub(crate) parked: Parked,
    /// The instance that called last, and the memory that it exports.
    pub(crate) memory: Option<(Instance, Memory)>,
    pub(crate) audit: Audit,
}

/// A store with this data may move to another thread.
const _: fn() = || {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<WasiCtx>();
};

impl WasiCtx {
    /// What the guest was refused so far: the function, why, and how often.
    pub fn refusals(&self) -> &[(&'static str, Denial, u64)] {
        self.audit.counts()
    }
}

impl core::fmt::Debug for WasiCtx {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasiCtx").finish_non_exhaustive()
    }
}
