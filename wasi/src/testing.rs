//! What the unit tests share: a scratch directory, and a guest's memory with a context, on which handlers
//! are called without an interpreter.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    DirPerms, Errno, FilePerms, PathResolution, WasiCtx, WasiCtxBuilder, audit::Stop, table::plain,
    types::Rights,
};

/// A directory that is removed with this value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("teff-wasi-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        fs::write(self.join(name), content).unwrap();
    }

    pub(crate) fn dir(&self, name: &str) {
        fs::create_dir_all(self.join(name)).unwrap();
    }

    pub(crate) fn link(&self, target: impl AsRef<OsStr>, name: &str) {
        std::os::unix::fs::symlink(Path::new(target.as_ref()), self.join(name)).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Both ways to resolve a path; where the host has but one, that one twice.
pub(crate) const METHODS: [PathResolution; 2] = [PathResolution::Kernel, PathResolution::Walk];

/// A guest: a memory, a context, and a directory that it sees as `/` under [`Guest::ROOT`].
pub(crate) struct Guest {
    pub(crate) ctx: WasiCtx,
    pub(crate) mem: Vec<u8>,
    pub(crate) scratch: Scratch,
}

impl Guest {
    /// The descriptor of its directory.
    pub(crate) const ROOT: u32 = 3;
    /// Where it has a path, another path, a list of vectors, and data.
    const PATH: u32 = 0x1000;
    const PATH2: u32 = 0x3000;
    const VECTOR: u32 = 0x5000;
    /// Where handlers write results.
    pub(crate) const OUT: u32 = 0x6000;
    pub(crate) const DATA: u32 = 0x8000;

    pub(crate) fn new() -> Self {
        Self::with(DirPerms::all(), FilePerms::all(), |_| {})
    }

    /// One whose paths are resolved so.
    pub(crate) fn resolving(method: PathResolution) -> Self {
        let scratch = Scratch::new();
        let mut builder = WasiCtxBuilder::new();
        builder
            .path_resolution(method)
            .preopened_dir(scratch.path(), "/", DirPerms::all(), FilePerms::all())
            .unwrap();
        Self {
            ctx: builder.build(),
            mem: vec![0; 0x1_0000],
            scratch,
        }
    }

    pub(crate) fn with(
        dir_perms: DirPerms,
        file_perms: FilePerms,
        more: impl FnOnce(&mut WasiCtxBuilder),
    ) -> Self {
        let scratch = Scratch::new();
        let mut builder = WasiCtxBuilder::new();
        builder
            .preopened_dir(scratch.path(), "/", dir_perms, file_perms)
            .unwrap();
        more(&mut builder);
        Self {
            ctx: builder.build(),
            mem: vec![0; 0x1_0000],
            scratch,
        }
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> u32 {
        self.mem[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        bytes.len() as u32
    }

    pub(crate) fn path(&mut self, path: &str) -> (u32, u32) {
        (Self::PATH, self.put(Self::PATH, path.as_bytes()))
    }

    pub(crate) fn path2(&mut self, path: &str) -> (u32, u32) {
        (Self::PATH2, self.put(Self::PATH2, path.as_bytes()))
    }

    pub(crate) fn out_u32(&self) -> u32 {
        crate::guest::field_u32(&self.mem, Self::OUT as usize)
    }

    pub(crate) fn out_u64(&self) -> u64 {
        crate::guest::field_u64(&self.mem, Self::OUT as usize)
    }

    /// `path_open` with all arguments.
    pub(crate) fn open_with(
        &mut self,
        fd: u32,
        path: &str,
        (dirflags, oflags, rights, fdflags): (u32, u32, u64, u32),
    ) -> Result<u32, Errno> {
        let (ptr, len) = self.path(path);
        plain::path_open(
            &mut self.ctx,
            &mut self.mem,
            fd,
            dirflags,
            ptr,
            len,
            oflags,
            rights,
            !0,
            fdflags,
            Self::OUT,
        )?;
        Ok(self.out_u32())
    }

    /// Opens to read and, with `CREAT`, to write; follows links.
    pub(crate) fn open(&mut self, path: &str, oflags: u32) -> Result<u32, Errno> {
        let mut rights = Rights::FD_READ;
        if oflags & 1 != 0 {
            rights = rights | Rights::FD_WRITE;
        }
        self.open_with(Self::ROOT, path, (1, oflags, rights.bits(), 0))
    }

    /// Sets one vector.
    fn vector(&mut self, len: u32) {
        self.put(Self::VECTOR, &Self::DATA.to_le_bytes());
        self.put(Self::VECTOR + 4, &len.to_le_bytes());
    }

    pub(crate) fn read(&mut self, fd: u32, len: u32) -> Result<Vec<u8>, Errno> {
        self.vector(len);
        plain::fd_read(&mut self.ctx, &mut self.mem, fd, Self::VECTOR, 1, Self::OUT)?;
        let read = self.out_u32() as usize;
        Ok(self.mem[Self::DATA as usize..][..read].to_vec())
    }

    pub(crate) fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
        self.put(Self::DATA, bytes);
        self.vector(bytes.len() as u32);
        plain::fd_write(&mut self.ctx, &mut self.mem, fd, Self::VECTOR, 1, Self::OUT)?;
        Ok(self.out_u32())
    }

    pub(crate) fn pread(&mut self, fd: u32, len: u32, offset: u64) -> Result<Vec<u8>, Errno> {
        self.vector(len);
        let (ctx, mem) = (&mut self.ctx, &mut self.mem);
        plain::fd_pread(ctx, mem, fd, Self::VECTOR, 1, offset, Self::OUT)?;
        let read = self.out_u32() as usize;
        Ok(self.mem[Self::DATA as usize..][..read].to_vec())
    }

    pub(crate) fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Result<u32, Errno> {
        self.put(Self::DATA, bytes);
        self.vector(bytes.len() as u32);
        let (ctx, mem) = (&mut self.ctx, &mut self.mem);
        plain::fd_pwrite(ctx, mem, fd, Self::VECTOR, 1, offset, Self::OUT)?;
        Ok(self.out_u32())
    }

    pub(crate) fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64, Errno> {
        plain::fd_seek(&mut self.ctx, &mut self.mem, fd, offset, whence, Self::OUT)?;
        Ok(self.out_u64())
    }

    pub(crate) fn tell(&mut self, fd: u32) -> Result<u64, Errno> {
        plain::fd_tell(&mut self.ctx, &mut self.mem, fd, Self::OUT)?;
        Ok(self.out_u64())
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        plain::fd_close(&mut self.ctx, &mut self.mem, fd)
    }

    /// The file type, flags and rights of a descriptor.
    pub(crate) fn fdstat(&mut self, fd: u32) -> Result<(u8, u16, u64, u64), Errno> {
        plain::fd_fdstat_get(&mut self.ctx, &mut self.mem, fd, Self::OUT)?;
        let record = &self.mem[Self::OUT as usize..];
        Ok((
            record[0],
            crate::guest::field_u16(record, 2),
            crate::guest::field_u64(record, 8),
            crate::guest::field_u64(record, 16),
        ))
    }

    pub(crate) fn set_flags(&mut self, fd: u32, flags: u32) -> Result<(), Errno> {
        plain::fd_fdstat_set_flags(&mut self.ctx, &mut self.mem, fd, flags)
    }
}

/// Calls a handler until it has not to wait any more.
pub(crate) fn call(
    ctx: &mut WasiCtx,
    mut handler: impl FnMut(&mut WasiCtx) -> Result<(), Stop>,
) -> Result<(), Errno> {
    let result = loop {
        match handler(ctx) {
            Err(Stop::Wait) => while !ctx.wait_once(None)? {},
            result => break result,
        }
    };
    ctx.parked.reset();
    Ok(result?)
}

impl From<Stop> for Errno {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Errno(error) | Stop::Denied(error, ..) => error,
            _ => panic!("{stop:?} is no error"),
        }
    }
}
