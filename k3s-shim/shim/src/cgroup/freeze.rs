//! Stopping the processes of a cgroup where they are, and letting them go on. Knows the freezer of version 1 and that of
//! version 2.

use std::io;
use std::path::{Path, PathBuf};

use super::{Cgroup, Groups, file, pauses};

/// The two freezers.
enum Freezer<'a> {
    V1(&'a Path),
    V2(&'a Path),
}

impl Cgroup {
    /// Stops all processes, and returns when they stand.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        let Some(freezer) = self.freezer()? else {
            return Ok(());
        };
        if self.pids().contains(&std::process::id()) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a pod's sandbox cannot be paused: the shim is in it, and nobody would be left to resume it",
            ));
        }
        freezer.ask(true)?;
        for pause in pauses() {
            if freezer.is_frozen()? {
                return Ok(());
            }
            std::thread::sleep(pause);
        }
        // Half frozen is worse than running.
        freezer.ask(false)?;
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "{}: not all processes could be stopped within two seconds",
                freezer.file().display()
            ),
        ))
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        match self.freezer()? {
            Some(freezer) => freezer.ask(false),
            None => Ok(()),
        }
    }

    fn freezer(&self) -> io::Result<Option<Freezer<'_>>> {
        match (&self.groups, self.dir("freezer"), self.unified()) {
            (Groups::None, ..) => Ok(None),
            (Groups::V1(_), Some(dir), _) => Ok(Some(Freezer::V1(dir))),
            (_, _, Some(dir)) => Ok(Some(Freezer::V2(dir))),
            (_, _, None) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "no hierarchy with the cgroup controller freezer is mounted: the container cannot be paused",
            )),
        }
    }
}

impl Freezer<'_> {
    fn file(&self) -> PathBuf {
        match self {
            Self::V1(dir) => dir.join("freezer.state"),
            Self::V2(dir) => dir.join("cgroup.freeze"),
        }
    }

    fn ask(&self, frozen: bool) -> io::Result<()> {
        let word = match (self, frozen) {
            (Self::V1(_), true) => "FROZEN",
            (Self::V1(_), false) => "THAWED",
            (Self::V2(_), true) => "1",
            (Self::V2(_), false) => "0",
        };
        file::write(&self.file(), word)
    }

    fn is_frozen(&self) -> io::Result<bool> {
        Ok(match self {
            // `FREEZING` on the way.
            Self::V1(_) => file::read(&self.file())?.trim() == "FROZEN",
            Self::V2(dir) => {
                let events = file::read(&dir.join("cgroup.events"))?;
                file::field(&events, "frozen") == Some(1)
            }
        })
    }
}
