//! The oracle: crate `wasi-common`, called without an engine.

use std::{
    any::Any,
    cell::Cell,
    io::{IoSlice, IoSliceMut, SeekFrom},
    os::fd::BorrowedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use wasi_common::{
    Error, ErrorExt, SystemTimeSpec, WasiCtx, WasiDir, WasiFile,
    dir::{OpenResult, ReaddirCursor, ReaddirEntity},
    file::{Advice, FdFlags, FileAccessMode, FileType, Filestat, OFlags},
    snapshots::preview_1::wasi_snapshot_preview1 as functions,
    sync::{self, WasiCtxBuilder, ambient_authority},
};
use wiggle::{GuestMemory, run_in_dummy_executor};

use crate::{
    Outcome, Trap,
    calls::MEMORY,
    tree::{ONE, STDIO, Scratch, TWO},
};

thread_local! {
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

/// Is the oracle at work in this thread? Its panics are answers and need no message.
pub(crate) fn is_called() -> bool {
    CALLED.get()
}

pub(crate) struct Oracle {
    ctx: WasiCtx,
    pub(crate) memory: Vec<u8>,
}

/// Declares the functions with their parameters: `i` for `i32`, `l` for `i64`.
macro_rules! dispatch {
    ($($name:ident $(($($ty:ident)+))?;)*) => {
        impl Oracle {
            fn dispatch(&mut self, function: &str, args: &[u64]) -> wiggle::anyhow::Result<i32> {
                let memory = &mut GuestMemory::Unshared(&mut self.memory);
                let mut args = args.iter();
                match function {
                    $(stringify!($name) => run_in_dummy_executor(functions::$name(
                        &mut self.ctx,
                        memory,
                        $($(dispatch!($ty args)),+)?
                    ))?,)*
                    _ => unreachable!("{function} is not in the list"),
                }
            }
        }
    };
    (i $args:ident) => {
        *$args.next().expect("the list has the right types") as i32
    };
    (l $args:ident) => {
        *$args.next().expect("the list has the right types") as i64
    };
}

dispatch! {
    args_get(i i);
    args_sizes_get(i i);
    clock_res_get(i i);
    clock_time_get(i l i);
    environ_get(i i);
    environ_sizes_get(i i);
    fd_advise(i l l i);
    fd_allocate(i l l);
    fd_close(i);
    fd_datasync(i);
    fd_fdstat_get(i i);
    fd_fdstat_set_flags(i i);
    fd_fdstat_set_rights(i l l);
    fd_filestat_get(i i);
    fd_filestat_set_size(i l);
    fd_filestat_set_times(i l l i);
    fd_pread(i i i l i);
    fd_prestat_get(i i);
    fd_prestat_dir_name(i i i);
    fd_pwrite(i i i l i);
    fd_read(i i i i);
    fd_readdir(i i i l i);
    fd_renumber(i i);
    fd_seek(i l i i);
    fd_sync(i);
    fd_tell(i i);
    fd_write(i i i i);
    path_create_directory(i i i);
    path_filestat_get(i i i i i);
    path_filestat_set_times(i i i i l l i);
    path_link(i i i i i i i);
    path_open(i i i i i l l i i);
    path_readlink(i i i i i i);
    path_remove_directory(i i i);
    path_rename(i i i i i i);
    path_symlink(i i i i i);
    path_unlink_file(i i i);
    poll_oneoff(i i i i);
    random_get(i i);
    sched_yield;
    sock_accept(i i i);
    sock_recv(i i i i i i);
    sock_send(i i i i i);
    sock_shutdown(i i);
}

impl Oracle {
    pub(crate) fn new(
        scratch: &Scratch,
        read_only: bool,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let mut builder = WasiCtxBuilder::new();
        for arg in args {
            builder.arg(arg).expect("few arguments");
        }
        for (name, value) in env {
            builder.env(name, value).expect("few variables");
        }
        let ctx = builder.build();
        let dir = sync::Dir::open_ambient_dir(scratch.path(""), ambient_authority())
            .expect("the scratch directory is new");
        for (number, name) in STDIO.into_iter().enumerate() {
            // Opened by the oracle's own type of directory: it wants its own type of file.
            let (file, access) = if number == 0 {
                (dir.open(name), FileAccessMode::READ)
            } else {
                (dir.create(name), FileAccessMode::WRITE)
            };
            let file = sync::file::File::from_cap_std(file.expect("the scratch directory is new"));
            ctx.insert_file(number as u32, Box::new(file), access);
        }
        for (name, writable) in [(ONE, true), (TWO, !read_only)] {
            let dir = sync::Dir::open_ambient_dir(scratch.path(name), ambient_authority())
                .expect("the scratch directory is new");
            let dir = Guarded {
                inner: Box::new(sync::dir::Dir::from_cap_std(dir)),
                writable,
            };
            ctx.push_preopened_dir(Box::new(dir), format!("/{name}"))
                .expect("the table is new");
        }
        Self {
            ctx,
            memory: vec![0; MEMORY],
        }
    }

    pub(crate) fn call(&mut self, function: &str, args: &[u64]) -> Outcome {
        CALLED.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| self.dispatch(function, args)));
        CALLED.set(false);
        match result {
            Ok(Ok(errno)) => Outcome::Errno(errno as u16),
            Ok(Err(error)) => Outcome::Trap(Trap::new(format!("{error:#}"))),
            Err(_) => Outcome::Panic,
        }
    }
}

/// A directory that may be read-only: the oracle itself has no such thing. What is refused, and with which
/// error, is as in its successor `wasmtime-wasi`.
struct Guarded {
    inner: Box<dyn WasiDir>,
    writable: bool,
}

impl Guarded {
    fn may_change(&self) -> Result<(), Error> {
        if self.writable {
            Ok(())
        } else {
            Err(Error::perm())
        }
    }

    fn both_may_change<'a>(&self, other: &'a dyn WasiDir) -> Result<&'a dyn WasiDir, Error> {
        let other = other
            .as_any()
            .downcast_ref::<Self>()
            .ok_or_else(Error::badf)?;
        self.may_change()?;
        other.may_change()?;
        Ok(&*other.inner)
    }
}

#[wiggle::async_trait]
impl WasiDir for Guarded {
    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn open_file(
        &self,
        symlink_follow: bool,
        path: &str,
        oflags: OFlags,
        read: bool,
        write: bool,
        fdflags: FdFlags,
    ) -> Result<OpenResult, Error> {
        if write || oflags.intersects(OFlags::CREATE | OFlags::TRUNCATE) {
            self.may_change()?;
        }
        let opened = self
            .inner
            .open_file(symlink_follow, path, oflags, read, write, fdflags)
            .await?;
        Ok(match opened {
            OpenResult::Dir(inner) => OpenResult::Dir(Box::new(Self {
                inner,
                writable: self.writable,
            })),
            OpenResult::File(file) if !self.writable => OpenResult::File(Box::new(ReadOnly(file))),
            file => file,
        })
    }

    async fn create_dir(&self, path: &str) -> Result<(), Error> {
        self.may_change()?;
        self.inner.create_dir(path).await
    }

    async fn readdir(
        &self,
        cursor: ReaddirCursor,
    ) -> Result<Box<dyn Iterator<Item = Result<ReaddirEntity, Error>> + Send>, Error> {
        self.inner.readdir(cursor).await
    }

    async fn symlink(&self, old_path: &str, new_path: &str) -> Result<(), Error> {
        self.may_change()?;
        self.inner.symlink(old_path, new_path).await
    }

    async fn remove_dir(&self, path: &str) -> Result<(), Error> {
        self.may_change()?;
        self.inner.remove_dir(path).await
    }

    async fn unlink_file(&self, path: &str) -> Result<(), Error> {
        self.may_change()?;
        self.inner.unlink_file(path).await
    }

    async fn read_link(&self, path: &str) -> Result<PathBuf, Error> {
        self.inner.read_link(path).await
    }

    async fn get_filestat(&self) -> Result<Filestat, Error> {
        self.inner.get_filestat().await
    }

    async fn get_path_filestat(&self, path: &str, follow: bool) -> Result<Filestat, Error> {
        self.inner.get_path_filestat(path, follow).await
    }

    async fn rename(
        &self,
        path: &str,
        dest_dir: &dyn WasiDir,
        dest_path: &str,
    ) -> Result<(), Error> {
        let dest_dir = self.both_may_change(dest_dir)?;
        self.inner.rename(path, dest_dir, dest_path).await
    }

    async fn hard_link(
        &self,
        path: &str,
        target_dir: &dyn WasiDir,
        target_path: &str,
    ) -> Result<(), Error> {
        let target_dir = self.both_may_change(target_dir)?;
        self.inner.hard_link(path, target_dir, target_path).await
    }

    async fn set_times(
        &self,
        path: &str,
        atime: Option<SystemTimeSpec>,
        mtime: Option<SystemTimeSpec>,
        follow: bool,
    ) -> Result<(), Error> {
        self.may_change()?;
        self.inner.set_times(path, atime, mtime, follow).await
    }
}

/// A file beneath a read-only directory. The host itself refuses to write to it, but not to set its times.
struct ReadOnly(Box<dyn WasiFile>);

#[wiggle::async_trait]
impl WasiFile for ReadOnly {
    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn get_filetype(&self) -> Result<FileType, Error> {
        self.0.get_filetype().await
    }

    fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.0.pollable()
    }

    async fn datasync(&self) -> Result<(), Error> {
        self.0.datasync().await
    }

    async fn sync(&self) -> Result<(), Error> {
        self.0.sync().await
    }

    async fn get_fdflags(&self) -> Result<FdFlags, Error> {
        self.0.get_fdflags().await
    }

    async fn set_fdflags(&mut self, flags: FdFlags) -> Result<(), Error> {
        self.0.set_fdflags(flags).await
    }

    async fn get_filestat(&self) -> Result<Filestat, Error> {
        self.0.get_filestat().await
    }

    async fn set_filestat_size(&self, size: u64) -> Result<(), Error> {
        self.0.set_filestat_size(size).await
    }

    async fn advise(&self, offset: u64, len: u64, advice: Advice) -> Result<(), Error> {
        self.0.advise(offset, len, advice).await
    }

    async fn set_times(
        &self,
        _atime: Option<SystemTimeSpec>,
        _mtime: Option<SystemTimeSpec>,
    ) -> Result<(), Error> {
        Err(Error::perm())
    }

    async fn read_vectored<'a>(&self, bufs: &mut [IoSliceMut<'a>]) -> Result<u64, Error> {
        self.0.read_vectored(bufs).await
    }

    async fn read_vectored_at<'a>(
        &self,
        bufs: &mut [IoSliceMut<'a>],
        offset: u64,
    ) -> Result<u64, Error> {
        self.0.read_vectored_at(bufs, offset).await
    }

    async fn write_vectored<'a>(&self, bufs: &[IoSlice<'a>]) -> Result<u64, Error> {
        self.0.write_vectored(bufs).await
    }

    async fn write_vectored_at<'a>(&self, bufs: &[IoSlice<'a>], offset: u64) -> Result<u64, Error> {
        self.0.write_vectored_at(bufs, offset).await
    }

    async fn seek(&self, pos: SeekFrom) -> Result<u64, Error> {
        self.0.seek(pos).await
    }

    fn num_ready_bytes(&self) -> Result<u64, Error> {
        self.0.num_ready_bytes()
    }
}
