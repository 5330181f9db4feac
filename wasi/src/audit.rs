//! What the guest was refused: why a call ended, and the count of refusals.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use crate::types::Errno;

/// Why a guest was refused something that this world may have.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denial {
    /// A path leads out of the directory, or the host itself forbids what was asked for.
    Path,
    /// The directory was granted for less: it may not be changed, or its files not be written or read.
    Permissions,
    /// The descriptor lacks a right: it was opened without it, or the guest gave it up.
    Rights,
    /// Clocks are withheld.
    Clocks,
    /// Randomness is withheld.
    Random,
    /// A limit on open descriptors was reached.
    OpenFds,
    /// A limit on written bytes was reached.
    BytesWritten,
    /// A limit on created directory entries was reached.
    DirEntries,
    /// A limit on the subscriptions of one `poll_oneoff` was exceeded.
    Subscriptions,
    /// A limit on the time spent waiting was reached.
    BlockingTime,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "the path leads out of the directory, or the host forbids it",
            Self::Permissions => "the directory was not granted for this",
            Self::Rights => "the descriptor lacks the right",
            Self::Clocks => "clocks are withheld",
            Self::Random => "randomness is withheld",
            Self::OpenFds => "the limit on open descriptors is reached",
            Self::BytesWritten => "the limit on written bytes is reached",
            Self::DirEntries => "the limit on directory entries is reached",
            Self::Subscriptions => "there are more subscriptions than the limit allows",
            Self::BlockingTime => "the limit on waiting time is reached",
        })
    }
}

/// Why a handler did not succeed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The guest gets this error.
    Errno(Errno),
    /// The guest gets this error, and it is a refusal. The range is the path in the guest's memory.
    Denied(Errno, Denial, Option<(u32, u32)>),
    /// It would block: the context says on what. It is to be called again afterwards.
    Wait,
    /// The guest ends with this status.
    Exit(i32),
    /// The deadline of the engine's interruption has come during a wait.
    Interrupted,
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Self::Errno(error)
    }
}

impl Stop {
    /// A refusal that has to do with no path.
    pub(crate) fn denied(error: Errno, denial: Denial) -> Self {
        Self::Denied(error, denial, None)
    }

    /// The same with the path that the call was about. A directory's own `perm` is a refusal.
    pub(crate) fn about(self, path: (u32, u32)) -> Self {
        match self {
            Self::Errno(Errno::Perm) => Self::Denied(Errno::Perm, Denial::Path, Some(path)),
            Self::Denied(error, denial, _) => Self::Denied(error, denial, Some(path)),
            other => other,
        }
    }
}

/// A refusal, as it is logged.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub struct Refusal<'a> {
    /// The function that the guest called.
    pub function: &'static str,
    /// The path that it named, if it did: of two, the first.
    pub path: Option<&'a [u8]>,
    /// Why it was refused.
    pub denial: Denial,
    /// What the guest was told.
    pub errno: Errno,
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function, denial, ..
        } = self;
        write!(f, "{function}")?;
        if let Some(path) = self.path {
            write!(f, " `{}`", path.escape_ascii())?;
        }
        write!(f, ": {denial} ({})", self.errno.name())
    }
}

/// Who is told of refusals.
type Log = Box<dyn FnMut(&Refusal<'_>) + Send + Sync>;

/// The refusals so far.
#[derive(Default)]
pub(crate) struct Audit {
    counts: Vec<(&'static str, Denial, u64)>,
    pub(crate) log: Option<Log>,
}

impl Audit {
    #[cold]
    pub(crate) fn add(&mut self, refusal: &Refusal<'_>) {
        let same = |(function, denial, _): &&mut (&str, Denial, u64)| {
            *function == refusal.function && *denial == refusal.denial
        };
        match self.counts.iter_mut().find(same) {
            Some((_, _, count)) => *count += 1,
            None => self.counts.push((refusal.function, refusal.denial, 1)),
        }
        if let Some(log) = &mut self.log {
            log(refusal);
        }
    }

    pub(crate) fn counts(&self) -> &[(&'static str, Denial, u64)] {
        &self.counts
    }
}
