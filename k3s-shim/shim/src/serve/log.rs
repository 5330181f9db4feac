//! The shim's log: lines in containerd's own form, to the FIFO that containerd reads. Knows nothing of what is logged.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where to, and who writes.
struct Log {
    file: File,
    id: String,
    debug: bool,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Opens the log of the bundle. Both ends of the FIFO, so that nothing blocks and nothing fails while containerd is away;
/// what does not fit into it then is lost.
pub(crate) fn open(bundle: &Path, id: &str, debug: bool) {
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(bundle.join("log"));
    if let Ok(file) = file {
        let id = id.to_string();
        LOG.get_or_init(|| Log { file, id, debug });
    }
}

/// Something that the operator should see.
pub(crate) fn warn(message: impl std::fmt::Display) {
    write("warning", &message);
}

/// Something that helps to find out what happened.
pub(crate) fn debug(message: impl std::fmt::Display) {
    if LOG.get().is_some_and(|log| log.debug) {
        write("debug", &message);
    }
}

fn write(level: &str, message: &dyn std::fmt::Display) {
    let Some(log) = LOG.get() else { return };
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let line = format!(
        "time=\"{}\" level={level} msg={:?} runtime=io.containerd.teff.v1 shim={}\n",
        rfc3339(time.as_secs()),
        message.to_string(),
        log.id
    );
    // One write a line: lines of several shims do not mix. A log that cannot be written is no reason to stop.
    let _ = (&log.file).write(line.as_bytes());
}

/// A moment in seconds since 1970, in UTC.
fn rfc3339(seconds: u64) -> String {
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    // The calendar of 400 years repeats; years begin in March here, so that the leap day is the last.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_478_399, "2026-11-23T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), date);
        }
    }
}
