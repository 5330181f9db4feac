//! The table of WASI preview 1's functions, and what is made from it: their linking and their list.
//!
//! A line gives a function's name, its parameters, the rights that its descriptors need, and the handler
//! that does it, with its doc comment. A handler has the form
//! `fn(&mut WasiCtx, &mut [u8], parameters…) -> Result<(), Stop>`; the slice is the guest's memory.

use alloc::{format, vec::Vec};

use teff_runtime::{Caller, Error, Extern, Linker, Memory, Module, Result, Trap, ValType};

use crate::{
    WasiCtx, attr,
    audit::{Refusal, Stop},
    clock, dir, fs, guest, io,
    path::PATH_MAX,
    poll, preview0,
    proc::{self, I32Exit},
    sock,
    types::{Errno, Rights},
    wait::wait,
};

/// The names under which guests import the functions.
const PREVIEW1: &str = "wasi_snapshot_preview1";
const PREVIEW0: &str = "wasi_unstable";

/// A function of WASI preview 1.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its parameters as the interface names them, with their WebAssembly types.
    pub params: &'static [(&'static str, ValType)],
    /// The rights that a descriptor must have, after the name of its parameter.
    pub rights: &'static [(&'static str, &'static str)],
    /// Does it return an error code (`errno`)? All but `proc_exit` do.
    pub returns_errno: bool,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// The WebAssembly type of a parameter.
const fn val_type(name: &str) -> ValType {
    match name.as_bytes() {
        b"u64" | b"i64" => ValType::I64,
        _ => ValType::I32,
    }
}

/// Defines a function of a version of the interface.
macro_rules! define {
    (
        $linker:ident, $version:ident, $interruptible:ident, $get:ident,
        $module:ident::$name:ident($($param:ident: $ty:ident),*)
    ) => {
        $linker.func_wrap(
            $version,
            stringify!($name),
            move |mut caller: Caller<'_, T>, $($param: $ty),*| -> Result<u32> {
                let memory = memory(&mut caller, $get, $version, stringify!($name))?;
                loop {
                    let (mem, data) = memory.data_and_store_mut(&mut caller);
                    let ctx = $get(data);
                    ctx.set_blocking($interruptible);
                    let result = match $module::$name(ctx, mem $(, $param)*) {
                        Ok(()) if !ctx.parked.waited => return Ok(0),
                        Err(Stop::Wait) => match wait(&mut caller, $get) {
                            Ok(()) => continue,
                            stopped => stopped,
                        },
                        result => result,
                    };
                    return finish(&mut caller, $get, stringify!($name), result);
                }
            },
        )?
    };
}

macro_rules! functions {
    ($(
        #[doc = $summary:literal]
        $name:ident($($param:ident: $ty:ident),* $(,)?) [$($on:ident: $right:ident),*]
            = $module:ident::$handler:ident;
    )*) => {
        /// The functions of WASI preview 1, in alphabetical order, with the rights that they need.
        ///
        $(#[doc = concat!(
            "- `", stringify!($name), "(", stringify!($($param: $ty),*), ")` [", stringify!($($on: $right),*),
            "]:", $summary,
        )])*
        /// - `proc_exit(rval: u32)` []: Ends the guest with this status, as the error [`I32Exit`].
        pub const FUNCTIONS: &[Function] = &[
            $(Function {
                name: stringify!($name),
                params: &[$((stringify!($param), val_type(stringify!($ty)))),*],
                rights: &[$((stringify!($on), stringify!($right))),*],
                returns_errno: true,
                summary: $summary.trim_ascii(),
            },)*
            Function {
                name: "proc_exit",
                params: &[("rval", ValType::I32)],
                rights: &[],
                returns_errno: false,
                summary: "Ends the guest with this status.",
            },
        ];

        /// The functions with the check of rights that the table asks for.
        pub(crate) mod checked {
            use super::*;

            $(
                #[allow(clippy::too_many_arguments, reason = "the interface's")]
                pub(crate) fn $name(
                    ctx: &mut WasiCtx,
                    mem: &mut [u8],
                    $($param: $ty),*
                ) -> core::result::Result<(), Stop> {
                    $(ctx.fds.check($on, Rights::$right)?;)*
                    $module::$handler(ctx, mem $(, $param)*)
                }
            )*
        }

        /// The functions as unit tests call them, without an interpreter: with their waits.
        #[cfg(test)]
        #[allow(dead_code, reason = "not all have a unit test")]
        pub(crate) mod plain {
            use super::*;

            $(
                #[allow(clippy::too_many_arguments, reason = "the interface's")]
                pub(crate) fn $name(
                    ctx: &mut WasiCtx,
                    mem: &mut [u8],
                    $($param: $ty),*
                ) -> core::result::Result<(), Errno> {
                    crate::testing::call(ctx, |ctx| checked::$name(ctx, mem $(, $param)*))
                }
            )*
        }

        /// Defines those functions of a version of the interface whose names are `wanted`.
        fn add<T: 'static>(
            linker: &mut Linker<T>,
            version: &'static str,
            get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
            wanted: impl Fn(&str) -> bool,
        ) -> Result<()> {
            // Else a host's call may as well block by itself.
            let interruptible = linker.engine().config().is_epoch_interruption();
            $(if wanted(stringify!($name)) {
                define!(linker, version, interruptible, get, checked::$name($($param: $ty),*));
            })*
            if wanted("proc_exit") {
                linker.func_wrap(version, "proc_exit", |status: u32| -> Result<()> {
                    Err(I32Exit(status as i32).into())
                })?;
            }
            Ok(())
        }
    };
}

/// Defines all functions of WASI preview 1 in a linker: as `wasi_snapshot_preview1` and, for old modules, as
/// `wasi_unstable`.
///
/// `get` finds the context in the store's data. A guest's calls read and write the memory that it exports as
/// `memory`; without one, a call traps with an error that says so.
///
/// # Errors
/// If one of the names is already defined, and the linker does not allow shadowing.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<()> {
    add(linker, PREVIEW1, get, |_| true)?;
    add_preview0(linker, get, |_| true)
}

/// Defines those functions of WASI preview 1 that a module imports. It takes less time than
/// [`add_to_linker`], which defines all of them, and serves this module alone.
///
/// # Errors
/// As [`add_to_linker`].
pub fn add_imported_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    module: &Module,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<()> {
    let imported = |version| -> Vec<_> {
        module
            .imports()
            .filter(|import| import.module() == version)
            .map(|import| import.name())
            .collect()
    };
    let names = imported(PREVIEW1);
    add(linker, PREVIEW1, get, |name| names.contains(&name))?;
    let names = imported(PREVIEW0);
    if names.is_empty() {
        return Ok(());
    }
    add_preview0(linker, get, |name| names.contains(&name))
}

/// Defines those functions of the interface's first version whose names are `wanted`.
fn add_preview0<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    const OTHERWISE: [&str; 4] = [
        "fd_filestat_get",
        "fd_seek",
        "path_filestat_get",
        "poll_oneoff",
    ];
    let same = |name: &str| name != "sock_accept" && !OTHERWISE.contains(&name);
    add(linker, PREVIEW0, get, |name| same(name) && wanted(name))?;
    let interruptible = linker.engine().config().is_epoch_interruption();
    if wanted("fd_filestat_get") {
        define!(linker, PREVIEW0, interruptible, get, preview0::fd_filestat_get(fd: u32, filestat: u32));
    }
    if wanted("fd_seek") {
        define!(
            linker, PREVIEW0, interruptible, get,
            preview0::fd_seek(fd: u32, offset: i64, whence: u32, newoffset: u32)
        );
    }
    if wanted("path_filestat_get") {
        define!(
            linker, PREVIEW0, interruptible, get,
            preview0::path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, filestat: u32)
        );
    }
    if wanted("poll_oneoff") {
        define!(
            linker, PREVIEW0, interruptible, get,
            preview0::poll_oneoff(subscriptions: u32, events: u32, nsubscriptions: u32, nevents: u32)
        );
    }
    Ok(())
}

/// The memory that the caller exports.
pub(crate) fn memory<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
    module: &str,
    function: &str,
) -> Result<Memory> {
    let caller_is = caller.instance();
    match get(caller.data_mut()).memory {
        Some((of, memory)) if caller_is == Some(of) => Ok(memory),
        _ => find_memory(caller, get, module, function),
    }
}

/// The same at an instance's first call. To look for the name takes a third of a call that does little, so the
/// context keeps what was found: what an instance exports does not change.
#[cold]
fn find_memory<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
    module: &str,
    function: &str,
) -> Result<Memory> {
    let found = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = found.ok_or_else(|| {
        Error::msg(format!(
            "`{module}::{function}` was called from a module that exports no memory named `memory`: \
             WASI functions need it to take and return data"
        ))
    })?;
    let caller_is = caller.instance();
    get(caller.data_mut()).memory = caller_is.map(|instance| (instance, memory));
    Ok(memory)
}

/// The end of a call that is not simply a success: what the guest gets, and the note of a refusal.
#[cold]
pub(crate) fn finish<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy,
    function: &'static str,
    result: core::result::Result<(), Stop>,
) -> Result<u32> {
    let ctx = get(caller.data_mut());
    ctx.parked.reset();
    match result {
        Ok(()) => Ok(0),
        Err(Stop::Errno(error)) => Ok(error as u32),
        Err(Stop::Exit(status)) => Err(I32Exit(status).into()),
        Err(Stop::Interrupted) => Err(Trap::Interrupt.into()),
        // Whoever calls this has waited.
        Err(Stop::Wait) => Ok(Errno::Again as u32),
        Err(Stop::Denied(errno, denial, path)) => {
            let memory = memory(caller, get, PREVIEW1, function)?;
            let (mem, data) = memory.data_and_store_mut(caller);
            // No longer than a path may be.
            let path =
                path.and_then(|(ptr, len)| guest::bytes(mem, ptr, len.min(PATH_MAX as u32)).ok());
            get(data).audit.add(&Refusal {
                function,
                path,
                denial,
                errno,
            });
            Ok(errno as u32)
        }
    }
}

functions! {
    /// Writes the arguments, each with a NUL after it, and a pointer to each.
    args_get(argv: u32, argv_buf: u32) [] = proc::args_get;
    /// The number of arguments and the bytes that they need.
    args_sizes_get(argc: u32, argv_buf_size: u32) [] = proc::args_sizes_get;
    /// The resolution of a clock in nanoseconds.
    clock_res_get(id: u32, resolution: u32) [] = clock::clock_res_get;
    /// The time of a clock in nanoseconds.
    clock_time_get(id: u32, precision: u64, time: u32) [] = clock::clock_time_get;
    /// Writes the environment's variables as `NAME=value`, and a pointer to each.
    environ_get(environ: u32, environ_buf: u32) [] = proc::environ_get;
    /// The number of variables in the environment and the bytes that they need.
    environ_sizes_get(environc: u32, environ_buf_size: u32) [] = proc::environ_sizes_get;
    /// Tells how a file will be used.
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32) [fd: FD_ADVISE] = io::fd_advise;
    /// Reserves space for a file.
    fd_allocate(fd: u32, offset: u64, len: u64) [fd: FD_ALLOCATE] = io::fd_allocate;
    /// Closes a descriptor.
    fd_close(fd: u32) [] = io::fd_close;
    /// Waits until a file's data is on its device.
    fd_datasync(fd: u32) [fd: FD_DATASYNC] = io::fd_datasync;
    /// The type, flags and rights of a descriptor.
    fd_fdstat_get(fd: u32, fdstat: u32) [] = attr::fd_fdstat_get;
    /// Sets a descriptor's flags.
    fd_fdstat_set_flags(fd: u32, flags: u32) [fd: FD_FDSTAT_SET_FLAGS] = attr::fd_fdstat_set_flags;
    /// Gives up rights of a descriptor.
    fd_fdstat_set_rights(fd: u32, fs_rights_base: u64, fs_rights_inheriting: u64)
        [] = attr::fd_fdstat_set_rights;
    /// The attributes of an open file.
    fd_filestat_get(fd: u32, filestat: u32) [fd: FD_FILESTAT_GET] = attr::fd_filestat_get;
    /// Sets the size of an open file.
    fd_filestat_set_size(fd: u32, size: u64)
        [fd: FD_FILESTAT_SET_SIZE] = attr::fd_filestat_set_size;
    /// Sets the times of an open file.
    fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, fst_flags: u32)
        [fd: FD_FILESTAT_SET_TIMES] = attr::fd_filestat_set_times;
    /// Reads from an offset and leaves the descriptor's own as it is.
    fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32)
        [fd: FD_READ] = io::fd_pread;
    /// The guest's path of a directory that it has from its start.
    fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) [] = attr::fd_prestat_dir_name;
    /// Is this a directory that the guest has from its start, and how long is its path?
    fd_prestat_get(fd: u32, prestat: u32) [] = attr::fd_prestat_get;
    /// Writes at an offset and leaves the descriptor's own as it is.
    fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32)
        [fd: FD_WRITE] = io::fd_pwrite;
    /// Reads.
    fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) [fd: FD_READ] = io::fd_read;
    /// Lists a directory.
    fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, bufused: u32)
        [fd: FD_READDIR] = dir::fd_readdir;
    /// Puts a descriptor in the place of another.
    fd_renumber(fd: u32, to: u32) [] = io::fd_renumber;
    /// Moves a descriptor's offset.
    fd_seek(fd: u32, offset: i64, whence: u32, newoffset: u32) [] = io::fd_seek;
    /// Waits until a file's data and attributes are on its device.
    fd_sync(fd: u32) [fd: FD_SYNC] = io::fd_sync;
    /// A descriptor's offset.
    fd_tell(fd: u32, offset: u32) [] = io::fd_tell;
    /// Writes.
    fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) [fd: FD_WRITE] = io::fd_write;
    /// Creates a directory.
    path_create_directory(fd: u32, path: u32, path_len: u32)
        [fd: PATH_CREATE_DIRECTORY] = fs::path_create_directory;
    /// The attributes of what is at a path.
    path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, filestat: u32)
        [fd: PATH_FILESTAT_GET] = fs::path_filestat_get;
    /// Sets the times of what is at a path.
    path_filestat_set_times(
        fd: u32, flags: u32, path: u32, path_len: u32, atim: u64, mtim: u64, fst_flags: u32,
    )
        [fd: PATH_FILESTAT_SET_TIMES] = fs::path_filestat_set_times;
    /// Gives a file another name.
    path_link(
        old_fd: u32, old_flags: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32,
        new_path_len: u32,
    )
        [old_fd: PATH_LINK_SOURCE, new_fd: PATH_LINK_TARGET] = fs::path_link;
    /// Opens a file or directory.
    path_open(
        fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32, fs_rights_base: u64,
        fs_rights_inheriting: u64, fdflags: u32, opened_fd: u32,
    )
        [fd: PATH_OPEN] = fs::path_open;
    /// The target of a symbolic link.
    path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, bufused: u32)
        [fd: PATH_READLINK] = fs::path_readlink;
    /// Removes an empty directory.
    path_remove_directory(fd: u32, path: u32, path_len: u32)
        [fd: PATH_REMOVE_DIRECTORY] = fs::path_remove_directory;
    /// Renames a file or directory.
    path_rename(
        fd: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32,
    )
        [fd: PATH_RENAME_SOURCE, new_fd: PATH_RENAME_TARGET] = fs::path_rename;
    /// Creates a symbolic link.
    path_symlink(old_path: u32, old_path_len: u32, fd: u32, new_path: u32, new_path_len: u32)
        [fd: PATH_SYMLINK] = fs::path_symlink;
    /// Removes a file.
    path_unlink_file(fd: u32, path: u32, path_len: u32)
        [fd: PATH_UNLINK_FILE] = fs::path_unlink_file;
    /// Waits for times and for descriptors to become ready.
    poll_oneoff(subscriptions: u32, events: u32, nsubscriptions: u32, nevents: u32)
        [] = poll::poll_oneoff;
    /// Sends the guest a signal.
    proc_raise(sig: u32) [] = proc::proc_raise;
    /// Fills memory with random bytes.
    random_get(buf: u32, buf_len: u32) [] = clock::random_get;
    /// Lets other threads of the host run.
    sched_yield() [] = proc::sched_yield;
    /// Accepts a connection.
    sock_accept(fd: u32, flags: u32, accepted_fd: u32) [] = sock::sock_accept;
    /// Receives from a socket.
    sock_recv(
        fd: u32, ri_data: u32, ri_data_len: u32, ri_flags: u32, ro_datalen: u32, ro_flags: u32,
    )
        [] = sock::sock_recv;
    /// Sends to a socket.
    sock_send(fd: u32, si_data: u32, si_data_len: u32, si_flags: u32, so_datalen: u32)
        [] = sock::sock_send;
    /// Ends receiving from or sending to a socket.
    sock_shutdown(fd: u32, how: u32) [fd: SOCK_SHUTDOWN] = sock::sock_shutdown;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_functions_are_there_once() {
        assert_eq!(FUNCTIONS.len(), 46);
        let mut names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 46);
        assert!(
            FUNCTIONS
                .iter()
                .all(|function| function.summary.ends_with(['.', '?']))
        );
    }
}
