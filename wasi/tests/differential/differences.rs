//! The differences that are explained: each with the reason, and exactly when it applies.
//!
//! `docs/wasi-differences.md` shows this table, which a test makes sure of.

use crate::{
    Outcome, Trap,
    calls::{Kind, MEMORY},
    case::{APPEND, CREAT, Case, DIRECTORY, EXCL, FD_WRITE, SYNCHRONOUS, TRUNC, What, errno::*},
};

/// A difference that is explained.
pub(crate) struct Explained {
    pub(crate) name: &'static str,
    /// The functions, for the document.
    pub(crate) functions: &'static str,
    pub(crate) teff: &'static str,
    pub(crate) oracle: &'static str,
    pub(crate) reason: &'static str,
    /// May the two trees or the descriptors be different after it?
    pub(crate) diverges: bool,
    pub(crate) applies: fn(&Case<'_>) -> bool,
}

/// The explanation of a difference, and its place in the table.
pub(crate) fn explain(case: &Case<'_>) -> Option<(usize, &'static Explained)> {
    TABLE
        .iter()
        .enumerate()
        .find(|(_, explained)| (explained.applies)(case))
}

/// The table as Markdown.
pub(crate) fn document() -> String {
    let mut text =
        String::from("| case | functions | teff | wasi-common | why |\n|---|---|---|---|---|\n");
    for explained in TABLE {
        let Explained {
            name,
            functions,
            teff,
            oracle,
            reason,
            ..
        } = explained;
        text += &format!("| {name} | {functions} | {teff} | {oracle} | {reason} |\n");
    }
    text
}

/// Those that only an oracle shows that was built with assertions.
pub(crate) const NEEDS_ASSERTIONS: &[&str] = &["beyond the end"];

pub(crate) const TABLE: &[Explained] = &[
    Explained {
        name: "fault",
        functions: "all",
        teff: "`fault`, before anything is done",
        oracle: "traps when it comes to the address, perhaps after the deed; or does not look at memory that \
                 it turns out not to need",
        reason: "An error is what a guest can handle, and one that comes before the deed leaves no half-done \
                 work. Hosts answer `EFAULT` too.",
        diverges: true,
        applies: |case| case.teff_is(FAULT) && case.out_of_bounds(),
    },
    Explained {
        name: "unknown value",
        functions: "all with flags or choices",
        teff: "`inval`",
        oracle: "traps",
        reason: "An error is what a guest can handle.",
        diverges: false,
        applies: |case| {
            *case.oracle == Outcome::Trap(Trap::Value)
                && case.teff_is(INVAL)
                && matches!(case.call.unknown(), Some(kind) if kind != Kind::Rights)
        },
    },
    Explained {
        name: "not a socket",
        functions: "`sock_*`",
        teff: "`notsock`; `notcapable` for a directory",
        oracle: "`badf`",
        reason: "POSIX: `ENOTSOCK`.",
        diverges: false,
        applies: |case| {
            case.call.is_socket_function()
                && case.oracle_is(BADF)
                && (case.teff_is(NOTSOCK) || case.teff_is(NOTCAPABLE))
                && case.fds[0].is_some()
        },
    },
    Explained {
        name: "two errors",
        functions: "all",
        teff: "one error",
        oracle: "the other error",
        reason: "The call has two faults, each by its arguments alone, and the interface does not say which \
                 of them is reported.",
        diverges: false,
        applies: |case| {
            let wrong = case.wrong();
            let (Outcome::Errno(teff), oracle) = (case.teff, case.oracle_errno()) else {
                return false;
            };
            *teff != oracle && wrong.contains(teff) && wrong.contains(&oracle)
        },
    },
    Explained {
        name: "alignment",
        functions: "all with results in memory",
        teff: "takes any address",
        oracle: "traps if the address is not aligned, after the deed",
        reason: "Nothing needs alignment in a memory of bytes, and compilers for which it is undefined \
                 behaviour do not produce it.",
        diverges: true,
        applies: |case| *case.oracle == Outcome::Trap(Trap::Alignment),
    },
    Explained {
        name: "empty buffer",
        functions: "all with vectors",
        teff: "a vector of no bytes may have any address",
        oracle: "traps",
        reason: "Guests pass dangling pointers with a length of 0, and nothing is accessed there.",
        diverges: true,
        applies: |case| {
            *case.oracle == Outcome::Trap(Trap::Memory)
                && case
                    .call
                    .ranges()
                    .iter()
                    .any(|(address, len)| *len == 0 && u64::from(*address) > MEMORY as u64)
        },
    },
    Explained {
        name: "unknown rights",
        functions: "`path_open`, `fd_fdstat_set_rights`",
        teff: "drops them",
        oracle: "traps",
        reason: "Guests pass all bits to ask for everything.",
        diverges: true,
        applies: |case| {
            *case.oracle == Outcome::Trap(Trap::Value) && case.call.unknown() == Some(Kind::Rights)
        },
    },
    Explained {
        name: "not UTF-8",
        functions: "all with paths",
        teff: "passes the bytes of paths and targets on",
        oracle: "`ilseq`",
        reason: "Names of the host are bytes. A guest can open whatever name it was shown.",
        diverges: true,
        applies: |case| {
            case.oracle_is(ILSEQ)
                && (case.is(&["path_readlink"])
                    || case
                        .call
                        .paths()
                        .any(|path| std::str::from_utf8(path).is_err())
                    || case.call.range("path").1 > 0
                    || case.call.range("old_path").1 > 0
                    || case.call.range("new_path").1 > 0)
        },
    },
    Explained {
        name: "clocks of CPU time",
        functions: "`clock_res_get`, `clock_time_get`",
        teff: "has them",
        oracle: "`badf`",
        reason: "The oracle leaves them out.",
        diverges: false,
        applies: |case| {
            case.is(&["clock_res_get", "clock_time_get"])
                && matches!(case.call.number("id"), 2 | 3)
                && case.answers(BADF, SUCCESS)
        },
    },
    Explained {
        name: "not a directory",
        functions: "`path_*`, `fd_readdir`",
        teff: "`notdir` for a descriptor that is open but no directory",
        oracle: "`badf`, except from `path_open`",
        reason: "POSIX: `ENOTDIR` of `openat` and its kin, and of `fdopendir`.",
        diverges: false,
        applies: |case| {
            case.answers(BADF, NOTDIR)
                && (case.on_path() || case.is(&["fd_readdir"]))
                && case.fds.iter().flatten().any(|live| !live.dir)
        },
    },
    Explained {
        name: "synchronous writes",
        functions: "`path_open`",
        teff: "opens with them",
        oracle: "`notsup` for `dsync`, `rsync` and `sync`",
        reason: "The oracle leaves them out.",
        diverges: true,
        applies: |case| {
            case.is(&["path_open"])
                && case.oracle_is(NOTSUP)
                && case.call.number("fdflags") & SYNCHRONOUS != 0
        },
    },
    Explained {
        name: "setting synchronous writes",
        functions: "`fd_fdstat_set_flags`",
        teff: "`notsup` for a change of `dsync`, `rsync` or `sync`",
        oracle: "`inval`",
        reason: "It cannot be changed on an open file on Linux, which the first word says better.",
        diverges: false,
        applies: |case| {
            case.is(&["fd_fdstat_set_flags"])
                && case.answers(INVAL, NOTSUP)
                && case.call.number("flags") & SYNCHRONOUS != 0
        },
    },
    Explained {
        name: "appending to standard streams",
        functions: "`fd_fdstat_set_flags`",
        teff: "`notsup` for a change of `append` on a standard stream",
        oracle: "changes it for everybody who has the stream",
        reason: "The stream is shared with the host's other processes.",
        diverges: true,
        applies: |case| {
            case.is(&["fd_fdstat_set_flags"])
                && case.answers(SUCCESS, NOTSUP)
                && matches!(case.fds[0], Some(live) if live.stdio)
        },
    },
    Explained {
        name: "times of standard streams",
        functions: "`fd_filestat_set_times`",
        teff: "`perm`",
        oracle: "sets them",
        reason: "The guest was given the stream to read or to write, and not the file behind it.",
        diverges: true,
        applies: |case| {
            case.is(&["fd_filestat_set_times"])
                && case.answers(SUCCESS, PERM)
                && matches!(case.fds[0], Some(live) if live.stdio)
        },
    },
    Explained {
        name: "what is no preopened directory",
        functions: "`fd_prestat_dir_name`, `fd_prestat_get`",
        teff: "`badf`",
        oracle: "`notdir` for what is no directory, `notsup` for one that was opened later",
        reason: "Guests look for their directories by calling this until `badf`.",
        diverges: false,
        applies: |case| {
            case.is(&["fd_prestat_dir_name", "fd_prestat_get"])
                && case.teff_is(BADF)
                && (case.oracle_is(NOTDIR) || case.oracle_is(NOTSUP))
                && !matches!(case.fds[0], Some(live) if live.preopen)
        },
    },
    Explained {
        name: "directory and more",
        functions: "`path_open`",
        teff: "what the host says to `directory` with `excl` or `trunc`",
        oracle: "`inval`",
        reason: "The interface forbids none of them; POSIX leaves `O_EXCL` without `O_CREAT` undefined, and \
                 cutting a directory fails anyway.",
        diverges: false,
        applies: |case| {
            case.is(&["path_open"])
                && case.oracle_is(INVAL)
                && case.call.number("oflags") & DIRECTORY != 0
                && case.call.number("oflags") & (EXCL | TRUNC) != 0
        },
    },
    Explained {
        name: "truncating to append",
        functions: "`path_open`",
        teff: "does both",
        oracle: "`inval` for `trunc` with `append`",
        reason: "POSIX allows it; Rust's standard library, which the oracle uses, does not.",
        diverges: true,
        applies: |case| {
            case.is(&["path_open"])
                && case.oracle_is(INVAL)
                && case.call.number("oflags") & TRUNC != 0
                && case.call.number("fdflags") & APPEND != 0
        },
    },
    Explained {
        name: "appending without writing",
        functions: "`path_open`",
        teff: "opens a directory with the flag `append`, as the host does",
        oracle: "`isdir`: it opens for writing whatever is to be appended to",
        reason: "Without the right to write nothing is written.",
        diverges: false,
        applies: |case| {
            case.is(&["path_open"])
                && case.answers(ISDIR, SUCCESS)
                && case.call.number("fdflags") & APPEND != 0
                && case.call.number("fs_rights_base") & FD_WRITE == 0
        },
    },
    Explained {
        name: "slash after a directory to remove",
        functions: "`path_remove_directory`",
        teff: "removes it, or says why not",
        oracle: "`inval`",
        reason: "POSIX: a slash after a directory's name means the directory.",
        diverges: true,
        applies: |case| {
            case.is(&["path_remove_directory"])
                && case.oracle_is(INVAL)
                && case.call.path("path").ends_with(b"/")
        },
    },
    Explained {
        name: "slash after what is no directory",
        functions: "all with paths",
        teff: "resolves it as a directory: `notdir` if it is none, and a link is followed",
        oracle: "cuts the slash off, or the `/.`",
        reason: "POSIX, *Pathname Resolution*: a path that ends with a slash names a directory, and a link \
                 before it is followed.",
        diverges: true,
        applies: |case| {
            let cut = [
                SUCCESS,
                LOOP,
                NOENT,
                NOTDIR,
                NAMETOOLONG,
                PERM,
                ISDIR,
                INVAL,
                NOTEMPTY,
            ];
            case.on_path()
                && case
                    .call
                    .paths()
                    .any(|path| path.ends_with(b"/") || path.ends_with(b"/."))
                && cut.contains(&case.oracle_errno())
                && matches!(case.teff, Outcome::Errno(teff) if cut.contains(teff) || *teff == EXIST)
        },
    },
    Explained {
        name: "the text first",
        functions: "all with paths",
        teff: "the error of a path's text: empty (`noent`), absolute (`perm`), with a NUL (`inval`), with a name \
               of more than 255 bytes or itself of more than 4,095 (`nametoolong`)",
        oracle: "what is wrong with the files on the way there",
        reason: "The interface does not say which of two errors is reported.",
        diverges: false,
        applies: |case| {
            case.on_path()
                && case.fails()
                && matches!(case.teff, Outcome::Errno(errno) if case.wrong_paths().contains(errno))
        },
    },
    Explained {
        name: "long path",
        functions: "all with paths",
        teff: "`nametoolong` for a path of more than 4,095 bytes",
        oracle: "takes it apart first",
        reason: "The host's own limit, which a guest meets with every other path.",
        diverges: true,
        applies: |case| {
            case.on_path()
                && case.answers(SUCCESS, NAMETOOLONG)
                && case.call.paths().any(|path| path.len() > 4095)
        },
    },
    Explained {
        name: "either path",
        functions: "`path_rename`, `path_link`",
        teff: "what is wrong with the one path",
        oracle: "what is wrong with the other",
        reason: "The interface does not say which of two errors is reported.",
        diverges: false,
        applies: |case| {
            let found = |errno| errno != SUCCESS && case.lookups.contains(&errno);
            case.is(&["path_rename", "path_link"])
                && case.fails()
                && (case.oracle_is(BUSY)
                    || found(case.oracle_errno())
                    || matches!(case.teff, Outcome::Errno(teff) if found(*teff)))
        },
    },
    Explained {
        name: "a link to a link's target",
        functions: "`path_link`",
        teff: "follows with `symlink_follow`",
        oracle: "`inval`",
        reason: "The oracle leaves it out. POSIX: `AT_SYMLINK_FOLLOW` of `linkat`.",
        diverges: true,
        applies: |case| {
            case.is(&["path_link"]) && case.oracle_is(INVAL) && case.call.number("old_flags") == 1
        },
    },
    Explained {
        name: "rights that are not there",
        functions: "`fd_fdstat_set_rights`",
        teff: "`notcapable` if a right is asked for that the descriptor has not",
        oracle: "changes nothing and says that all is well",
        reason: "`witx`: this can only be used to remove rights.",
        diverges: true,
        applies: |case| case.is(&["fd_fdstat_set_rights"]) && case.answers(SUCCESS, NOTCAPABLE),
    },
    Explained {
        name: "rights that were given up",
        functions: "all with descriptors",
        teff: "`notcapable`, or `badf` for reading and writing",
        oracle: "does it",
        reason: "The guest has given the right up with `fd_fdstat_set_rights`, which the oracle ignores.",
        diverges: true,
        applies: |case| {
            (case.teff_is(NOTCAPABLE) || case.teff_is(BADF))
                && case
                    .fds
                    .iter()
                    .flatten()
                    .any(|live| live.rights != [u64::MAX; 2])
        },
    },
    Explained {
        name: "allocating",
        functions: "`fd_allocate`",
        teff: "does it, if the file is open for writing",
        oracle: "`notsup`",
        reason: "The oracle leaves it out.",
        diverges: true,
        applies: |case| case.is(&["fd_allocate"]) && case.oracle_is(NOTSUP),
    },
    Explained {
        name: "synchronising a directory",
        functions: "`fd_sync`, `fd_datasync`",
        teff: "does it",
        oracle: "`badf`",
        reason: "It is how names come to be on the device; POSIX hosts have it.",
        diverges: false,
        applies: |case| {
            case.is(&["fd_sync", "fd_datasync"])
                && case.answers(BADF, SUCCESS)
                && matches!(case.fds[0], Some(live) if live.dir)
        },
    },
    Explained {
        name: "no times to set",
        functions: "`path_filestat_set_times`",
        teff: "resolves the path all the same",
        oracle: "says that all is well without a look",
        reason: "POSIX: `utimensat` with `UTIME_OMIT` for both still fails if the path does.",
        diverges: false,
        applies: |case| {
            case.is(&["path_filestat_set_times"])
                && case.oracle_is(SUCCESS)
                && case.call.number("fst_flags") == 0
        },
    },
    Explained {
        name: "far offset",
        functions: "`fd_advise`, `fd_pread`, `fd_pwrite`",
        teff: "`inval` for an offset of 2^63 and more",
        oracle: "does nothing successfully (with empty buffers, or advice)",
        reason: "POSIX: `EINVAL` for a negative offset, which it is to the host.",
        diverges: false,
        applies: |case| {
            case.is(&["fd_advise", "fd_pread", "fd_pwrite"])
                && case.answers(SUCCESS, INVAL)
                && case.call.number("offset") >= 1 << 63
        },
    },
    Explained {
        name: "truncating without writing",
        functions: "`path_open`",
        teff: "opens and cuts a file also without the right to write to it",
        oracle: "`inval` for `trunc` without `fd_write`",
        reason: "The right that `trunc` needs is the directory's `path_filestat_set_size`; Rust's standard \
                 library, which the oracle uses, asks for writing.",
        diverges: true,
        applies: |case| {
            case.is(&["path_open"])
                && case.oracle_is(INVAL)
                && case.call.number("oflags") & TRUNC != 0
                && case.call.number("fs_rights_base") & FD_WRITE == 0
        },
    },
    Explained {
        name: "cutting without writing",
        functions: "`fd_filestat_set_size`",
        teff: "`inval` for a file that was opened without the right to write to it",
        oracle: "cuts one that `path_open` has created or opened to append, or finds the size too large (`fbig`): it is open for writing whatever the rights are",
        reason: "POSIX: `EINVAL` of `ftruncate` for a file that is not open for writing.",
        diverges: true,
        applies: |case| {
            case.is(&["fd_filestat_set_size"])
                && (case.answers(SUCCESS, INVAL) || case.answers(FBIG, INVAL))
                && matches!(case.fds[0], Some(live) if !live.writes)
        },
    },
    Explained {
        name: "what already exists as a directory",
        functions: "`path_open`",
        teff: "`isdir` for `creat` with `excl` of a path that ends in `.`, `..` or a slash",
        oracle: "`exist`",
        reason: "Linux's own answer; either is true.",
        diverges: false,
        applies: |case| {
            case.is(&["path_open"])
                && case.answers(EXIST, ISDIR)
                && case.call.number("oflags") & (CREAT | EXCL) == CREAT | EXCL
                && (case.call.path("path").ends_with(b".")
                    || case.call.path("path").ends_with(b"/"))
        },
    },
    Explained {
        name: "events with an error",
        functions: "`poll_oneoff`",
        teff: "an event with the error for the subscription that has it",
        oracle: "`badf` or `inval` for the whole call, or no error: it knows no absolute time of the realtime \
                 clock (`notsup`), no descriptor that cannot be read (`inval`) and no missing right",
        reason: "`witx`: an event has an error for that.",
        diverges: false,
        applies: |case| {
            case.is(&["poll_oneoff"])
                && (matches!(case.what, What::Result(_))
                    || case.teff_is(SUCCESS)
                        && [BADF, INVAL, NOTSUP]
                            .map(Outcome::Errno)
                            .contains(case.oracle))
        },
    },
    Explained {
        name: "beyond the end",
        functions: "`poll_oneoff`",
        teff: "0 bytes can be read",
        oracle: "fails in an assertion when the offset is beyond the file's end",
        reason: "It subtracts the one from the other.",
        diverges: true,
        applies: |case| case.is(&["poll_oneoff"]) && *case.oracle == Outcome::Panic,
    },
    Explained {
        name: "a link where a directory is wanted",
        functions: "`path_open`",
        teff: "`notdir` for `directory` on a link that is not to be followed",
        oracle: "`loop`",
        reason: "Linux's answer to `O_DIRECTORY` with `O_NOFOLLOW`; either is true.",
        diverges: false,
        applies: |case| {
            case.is(&["path_open"])
                && case.answers(LOOP, NOTDIR)
                && case.call.number("oflags") & DIRECTORY != 0
                && case.call.number("dirflags") == 0
        },
    },
    Explained {
        name: "flags of a directory",
        functions: "`fd_fdstat_get`",
        teff: "the flags that it was opened with",
        oracle: "none",
        reason: "They are what the host has set.",
        diverges: false,
        applies: |case| {
            case.is(&["fd_fdstat_get"])
                && matches!(case.what, What::Result(_))
                && matches!(case.fds[0], Some(live) if live.dir)
        },
    },
];
