//! Two answers that differ, and what the call has wrong by its arguments alone.

use crate::{
    Outcome, Trap,
    calls::{Call, Kind, MEMORY},
    session::Live,
};

/// The error codes that are spoken of here.
pub(crate) mod errno {
    pub(crate) const SUCCESS: u16 = 0;
    pub(crate) const BADF: u16 = 8;
    pub(crate) const BUSY: u16 = 10;
    pub(crate) const EXIST: u16 = 20;
    pub(crate) const FAULT: u16 = 21;
    pub(crate) const FBIG: u16 = 22;
    pub(crate) const ILSEQ: u16 = 25;
    pub(crate) const INVAL: u16 = 28;
    pub(crate) const ISDIR: u16 = 31;
    pub(crate) const LOOP: u16 = 32;
    pub(crate) const NAMETOOLONG: u16 = 37;
    pub(crate) const NOENT: u16 = 44;
    pub(crate) const NOTDIR: u16 = 54;
    pub(crate) const NOTEMPTY: u16 = 55;
    pub(crate) const NOTSOCK: u16 = 57;
    pub(crate) const NOTSUP: u16 = 58;
    pub(crate) const PERM: u16 = 63;
    pub(crate) const NOTCAPABLE: u16 = 76;
}
use errno::*;

/// `fdflags`.
pub(crate) const APPEND: u64 = 1;
pub(crate) const SYNCHRONOUS: u64 = 2 | 8 | 16;

/// `oflags`.
pub(crate) const CREAT: u64 = 1;
pub(crate) const DIRECTORY: u64 = 2;
pub(crate) const EXCL: u64 = 4;
pub(crate) const TRUNC: u64 = 8;

/// `rights`.
pub(crate) const FD_WRITE: u64 = 1 << 6;

/// Two answers that differ.
pub(crate) struct Case<'a> {
    pub(crate) call: &'a Call,
    /// The descriptors among the arguments, those that are open.
    pub(crate) fds: Vec<Option<&'a Live>>,
    pub(crate) teff: &'a Outcome,
    pub(crate) oracle: &'a Outcome,
    pub(crate) what: &'a What,
    /// What the oracle says to looking up each path.
    pub(crate) lookups: Vec<u16>,
}

/// In what two answers differ.
#[derive(Debug)]
pub(crate) enum What {
    Outcome,
    /// The error is the same (or there is none), but the results are not.
    Result(String),
}

impl Case<'_> {
    pub(crate) fn is(&self, functions: &[&str]) -> bool {
        functions.contains(&self.call.function.name)
    }

    pub(crate) fn on_path(&self) -> bool {
        self.call.function.name.starts_with("path_")
    }

    /// The two answers.
    pub(crate) fn answers(&self, oracle: u16, teff: u16) -> bool {
        *self.oracle == Outcome::Errno(oracle) && *self.teff == Outcome::Errno(teff)
    }

    pub(crate) fn oracle_is(&self, errno: u16) -> bool {
        *self.oracle == Outcome::Errno(errno)
    }

    pub(crate) fn teff_is(&self, errno: u16) -> bool {
        *self.teff == Outcome::Errno(errno)
    }

    pub(crate) fn out_of_bounds(&self) -> bool {
        self.call
            .ranges()
            .iter()
            .any(|(address, len)| u64::from(*address) + u64::from(*len) > MEMORY as u64)
    }

    /// What the arguments have wrong whatever the state of the files, as the errors that say so.
    pub(crate) fn wrong(&self) -> Vec<u16> {
        let call = self.call;
        let mut wrong = Vec::new();
        if self.out_of_bounds() {
            wrong.push(FAULT);
        }
        if matches!(call.unknown(), Some(kind) if kind != Kind::Rights) {
            wrong.push(INVAL);
        }
        if self.fds.iter().any(Option::is_none) {
            wrong.push(BADF);
        }
        if self.on_path() && self.fds.iter().flatten().any(|live| !live.dir) {
            wrong.push(NOTDIR);
        }
        if self.fds.iter().flatten().any(|live| live.read_only) && self.changes() {
            wrong.push(PERM);
        }
        wrong.extend(self.wrong_paths());
        let times = call.number("fst_flags");
        if times & 3 == 3 || times & 12 == 12 {
            wrong.push(INVAL);
        }
        if call.is_socket_function() {
            wrong.extend([NOTSOCK, NOTCAPABLE, BADF]);
        }
        if call.function.name == "poll_oneoff" {
            wrong.extend(call.wrong_subscriptions());
            // What is no file cannot be waited for, says the oracle.
            wrong.push(BADF);
        }
        if call.count() > 1024 {
            wrong.push(INVAL);
        }
        let before_the_start = call.number("whence") == 0 && (call.number("offset") as i64) < 0;
        if call.function.name == "fd_seek" && before_the_start {
            wrong.push(INVAL);
        }
        // Directories have no content, and no flags to set.
        let on_dir = matches!(self.fds.first(), Some(Some(live)) if live.dir);
        if on_dir && (call.is_about_content() || self.is(&["fd_fdstat_set_flags"])) {
            wrong.push(BADF);
        }
        if call.number("oflags") & (CREAT | DIRECTORY) == CREAT | DIRECTORY {
            wrong.push(INVAL);
        }
        wrong
    }

    /// What the paths have wrong by their text alone.
    pub(crate) fn wrong_paths(&self) -> Vec<u16> {
        let mut wrong = Vec::new();
        if self.call.has_empty_range() {
            wrong.push(NOENT);
        }
        for (index, path) in self.call.paths().enumerate() {
            let of_path = wrong_path(path).into_iter();
            // The target of a link may lead anywhere, if it is not absolute.
            let target = self.is(&["path_symlink"]) && index == 0 && !path.starts_with(b"/");
            wrong.extend(of_path.filter(|errno| !target || *errno != PERM));
        }
        wrong
    }

    pub(crate) fn fails(&self) -> bool {
        *self.oracle != Outcome::Errno(SUCCESS) && *self.teff != Outcome::Errno(SUCCESS)
    }

    /// Would this call change a tree?
    pub(crate) fn changes(&self) -> bool {
        match self.call.function.name {
            "path_open" => {
                self.call.number("oflags") & (CREAT | TRUNC) != 0
                    || self.call.number("fs_rights_base") & FD_WRITE != 0
            }
            "path_filestat_get" | "path_readlink" => false,
            "fd_filestat_set_times" => true,
            _ => self.on_path(),
        }
    }

    /// The answer of the oracle, its traps as the errors that teff gives instead.
    pub(crate) fn oracle_errno(&self) -> u16 {
        match self.oracle {
            Outcome::Errno(errno) => *errno,
            Outcome::Trap(Trap::Memory) => FAULT,
            Outcome::Trap(Trap::Value) => INVAL,
            _ => SUCCESS,
        }
    }
}

/// The errors of a path by its text alone.
fn wrong_path(path: &[u8]) -> Vec<u16> {
    let mut wrong = Vec::new();
    if path.is_empty() {
        wrong.push(NOENT);
    }
    if path.contains(&0) {
        wrong.push(INVAL);
    }
    if std::str::from_utf8(path).is_err() {
        wrong.push(ILSEQ);
    }
    let mut components = path.split(|byte| *byte == b'/');
    if path.len() > 4095 || components.clone().any(|name| name.len() > 255) {
        wrong.push(NAMETOOLONG);
    }
    let mut depth = 0;
    let leaves = components.any(|name| {
        depth += match name {
            b"" | b"." => 0,
            b".." => -1,
            _ => 1,
        };
        depth < 0
    });
    if leaves || path.starts_with(b"/") {
        wrong.push(PERM);
    }
    wrong
}
