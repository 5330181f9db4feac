//! The table of WASI preview1's functions, and what is made from it: their linking and their list.
//!
//! A line gives a function's name, its parameters and the handler that does it, with its doc comment. A
//! handler has the form `fn(&mut WasiCtx, &mut [u8], parameters…) -> Result<(), Errno>`; the slice is the
//! guest's memory. To implement a function that is `nosys`, write a handler and name it in its line.

use teff_runtime::{Caller, Error, Extern, Linker, Memory, Module, Result, ValType};

use crate::{
    WasiCtx, clock, dir, fs, io, poll,
    proc::{self, I32Exit},
    random,
    types::Errno,
};

/// The name under which guests import the functions.
const MODULE: &str = "wasi_snapshot_preview1";

/// A function of WASI preview1.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its parameters as the interface names them, with their WebAssembly types.
    pub params: &'static [(&'static str, ValType)],
    /// Does it return an error code (`errno`)? All but `proc_exit` do.
    pub returns_errno: bool,
    /// Is it implemented? One that is not can be linked and answers `nosys`.
    pub implemented: bool,
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

/// Calls the handler of a line, or answers for it.
macro_rules! call {
    ([nosys] $ctx:ident $mem:ident $($arg:ident)*) => {{
        let _ = ($ctx, $mem, $($arg),*);
        Err(Errno::Nosys)
    }};
    ([$($handler:ident)::+] $ctx:ident $mem:ident $($arg:ident)*) => {
        $($handler)::+($ctx, $mem $(, $arg)*)
    };
}

/// Has the line a handler?
macro_rules! is_implemented {
    (nosys) => {
        false
    };
    ($($handler:ident)::+) => {
        true
    };
}

macro_rules! functions {
    ($(
        #[doc = $summary:literal]
        $name:ident($($param:ident: $ty:ident),* $(,)?) = $($handler:ident)::+;
    )*) => {
        /// The functions of WASI preview1, in alphabetical order. Those marked `nosys` are not
        /// implemented yet: they can be linked, and answer that.
        ///
        $(#[doc = concat!(
            "- `", stringify!($name), "(", stringify!($($param: $ty),*), ")` = `",
            stringify!($($handler)::+), "`:", $summary,
        )])*
        /// - `proc_exit(rval: u32)`: Ends the guest with this status, as the error [`I32Exit`].
        pub const FUNCTIONS: &[Function] = &[
            $(Function {
                name: stringify!($name),
                params: &[$((stringify!($param), val_type(stringify!($ty)))),*],
                returns_errno: true,
                implemented: is_implemented!($($handler)::+),
                summary: $summary.trim_ascii(),
            },)*
            Function {
                name: "proc_exit",
                params: &[("rval", ValType::I32)],
                returns_errno: false,
                implemented: true,
                summary: "Ends the guest with this status.",
            },
        ];

        /// Defines all functions of WASI preview1 in a linker, as `wasi_snapshot_preview1`.
        ///
        /// `get` finds the context in the store's data. A guest's calls read and write the memory that
        /// it exports as `memory`; without one, a call traps with an error that says so.
        ///
        /// # Errors
        /// If one of the names is already defined, and the linker does not allow shadowing.
        pub fn add_to_linker<T: 'static>(
            linker: &mut Linker<T>,
            get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
        ) -> Result<()> {
            add(linker, get, |_| true)
        }

        /// Defines those functions of WASI preview1 that a module imports. It takes less time than
        /// [`add_to_linker`], which defines all of them, and serves this module alone.
        ///
        /// # Errors
        /// As [`add_to_linker`].
        pub fn add_imported_to_linker<T: 'static>(
            linker: &mut Linker<T>,
            module: &Module,
            get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
        ) -> Result<()> {
            let imported: Vec<_> = module
                .imports()
                .filter(|import| import.module() == MODULE)
                .map(|import| import.name())
                .collect();
            add(linker, get, |name| imported.contains(&name))
        }

        /// Defines the functions whose names are `wanted`.
        fn add<T: 'static>(
            linker: &mut Linker<T>,
            get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
            wanted: impl Fn(&str) -> bool,
        ) -> Result<()> {
            $(if wanted(stringify!($name)) {
                linker.func_wrap(
                    MODULE,
                    stringify!($name),
                    move |mut caller: Caller<'_, T>, $($param: $ty),*| -> Result<u32> {
                        let memory = memory(&mut caller, stringify!($name))?;
                        let (mem, data) = memory.data_and_store_mut(&mut caller);
                        let ctx = get(data);
                        Ok(errno(call!([$($handler)::+] ctx mem $($param)*)))
                    },
                )?;
            })*
            if wanted("proc_exit") {
                linker.func_wrap(MODULE, "proc_exit", |status: u32| -> Result<()> {
                    Err(I32Exit(status as i32).into())
                })?;
            }
            Ok(())
        }
    };
}

/// The memory that the caller exports.
fn memory<T>(caller: &mut Caller<'_, T>, function: &str) -> Result<Memory> {
    caller.get_export("memory").and_then(Extern::into_memory).ok_or_else(|| {
        Error::msg(format!(
            "`{MODULE}::{function}` was called from a module that exports no memory named `memory`: \
             WASI functions need it to take and return data"
        ))
    })
}

/// A handler's result as the guest gets it.
fn errno(result: Result<(), Errno>) -> u32 {
    match result {
        Ok(()) => 0,
        Err(error) => error as u32,
    }
}

functions! {
    /// Writes the arguments, each with a NUL after it, and a pointer to each.
    args_get(argv: u32, argv_buf: u32) = proc::args_get;
    /// The number of arguments and the bytes that they need.
    args_sizes_get(argc: u32, argv_buf_size: u32) = proc::args_sizes_get;
    /// The resolution of a clock in nanoseconds.
    clock_res_get(id: u32, resolution: u32) = clock::clock_res_get;
    /// The time of a clock in nanoseconds.
    clock_time_get(id: u32, precision: u64, time: u32) = clock::clock_time_get;
    /// Writes the environment's variables as `NAME=value`, and a pointer to each.
    environ_get(environ: u32, environ_buf: u32) = proc::environ_get;
    /// The number of variables in the environment and the bytes that they need.
    environ_sizes_get(environc: u32, environ_buf_size: u32) = proc::environ_sizes_get;
    /// Tells how a file will be used.
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32) = nosys;
    /// Reserves space for a file.
    fd_allocate(fd: u32, offset: u64, len: u64) = nosys;
    /// Closes a descriptor.
    fd_close(fd: u32) = io::fd_close;
    /// Waits until a file's data is on its device.
    fd_datasync(fd: u32) = nosys;
    /// The type, flags and rights of a descriptor.
    fd_fdstat_get(fd: u32, fdstat: u32) = io::fd_fdstat_get;
    /// Sets a descriptor's flags.
    fd_fdstat_set_flags(fd: u32, flags: u32) = io::fd_fdstat_set_flags;
    /// Gives up rights of a descriptor.
    fd_fdstat_set_rights(fd: u32, fs_rights_base: u64, fs_rights_inheriting: u64) = nosys;
    /// The attributes of an open file.
    fd_filestat_get(fd: u32, filestat: u32) = io::fd_filestat_get;
    /// Sets the size of an open file.
    fd_filestat_set_size(fd: u32, size: u64) = nosys;
    /// Sets the times of an open file.
    fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, fst_flags: u32) = nosys;
    /// Reads from an offset and leaves the descriptor's own as it is.
    fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32) = io::fd_pread;
    /// The guest's path of a directory that it has from its start.
    fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) = io::fd_prestat_dir_name;
    /// Is this a directory that the guest has from its start, and how long is its path?
    fd_prestat_get(fd: u32, prestat: u32) = io::fd_prestat_get;
    /// Writes at an offset and leaves the descriptor's own as it is.
    fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32) = io::fd_pwrite;
    /// Reads.
    fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) = io::fd_read;
    /// Lists a directory.
    fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, bufused: u32) = dir::fd_readdir;
    /// Puts a descriptor in the place of another.
    fd_renumber(fd: u32, to: u32) = nosys;
    /// Moves a descriptor's offset.
    fd_seek(fd: u32, offset: i64, whence: u32, newoffset: u32) = io::fd_seek;
    /// Waits until a file's data and attributes are on its device.
    fd_sync(fd: u32) = nosys;
    /// A descriptor's offset.
    fd_tell(fd: u32, offset: u32) = io::fd_tell;
    /// Writes.
    fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) = io::fd_write;
    /// Creates a directory.
    path_create_directory(fd: u32, path: u32, path_len: u32) = fs::path_create_directory;
    /// The attributes of what is at a path.
    path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, filestat: u32)
        = fs::path_filestat_get;
    /// Sets the times of what is at a path.
    path_filestat_set_times(
        fd: u32, flags: u32, path: u32, path_len: u32, atim: u64, mtim: u64, fst_flags: u32,
    ) = nosys;
    /// Gives a file another name.
    path_link(
        old_fd: u32, old_flags: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32,
        new_path_len: u32,
    ) = nosys;
    /// Opens a file or directory.
    path_open(
        fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32, fs_rights_base: u64,
        fs_rights_inheriting: u64, fdflags: u32, opened_fd: u32,
    ) = fs::path_open;
    /// The target of a symbolic link.
    path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, bufused: u32)
        = fs::path_readlink;
    /// Removes an empty directory.
    path_remove_directory(fd: u32, path: u32, path_len: u32) = fs::path_remove_directory;
    /// Renames a file or directory.
    path_rename(
        fd: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32,
    ) = fs::path_rename;
    /// Creates a symbolic link.
    path_symlink(old_path: u32, old_path_len: u32, fd: u32, new_path: u32, new_path_len: u32)
        = nosys;
    /// Removes a file.
    path_unlink_file(fd: u32, path: u32, path_len: u32) = fs::path_unlink_file;
    /// Waits for times and for descriptors to become ready.
    poll_oneoff(subscriptions: u32, events: u32, nsubscriptions: u32, nevents: u32)
        = poll::poll_oneoff;
    /// Sends the guest a signal.
    proc_raise(sig: u32) = nosys;
    /// Fills memory with random bytes.
    random_get(buf: u32, buf_len: u32) = random::random_get;
    /// Lets other threads of the host run.
    sched_yield() = proc::sched_yield;
    /// Accepts a connection.
    sock_accept(fd: u32, flags: u32, accepted_fd: u32) = nosys;
    /// Receives from a socket.
    sock_recv(
        fd: u32, ri_data: u32, ri_data_len: u32, ri_flags: u32, ro_datalen: u32, ro_flags: u32,
    ) = nosys;
    /// Sends to a socket.
    sock_send(fd: u32, si_data: u32, si_data_len: u32, si_flags: u32, so_datalen: u32) = nosys;
    /// Ends receiving from or sending to a socket.
    sock_shutdown(fd: u32, how: u32) = nosys;
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
