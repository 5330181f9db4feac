//! Functions on paths. Each asks for the host's permissions and then has the directory do it.

use crate::{
    WasiCtx,
    audit::{Denial, Stop},
    fd::{Descriptor, Dir},
    guest,
    platform::{OpenOptions, Opened},
    types::{DirPerms, Errno, Fdflags, FilePerms, Filestat, Lookupflags, Oflags, Rights, Times},
};

/// Does a `lookupflags` say that links are followed?
fn follows(flags: u32) -> Result<bool, Errno> {
    Ok(Lookupflags::from_arg(flags)?.contains(Lookupflags::SYMLINK_FOLLOW))
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_open(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    dirflags: u32,
    path: u32,
    path_len: u32,
    oflags: u32,
    rights_base: u64,
    rights_inheriting: u64,
    fdflags: u32,
    opened: u32,
) -> Result<(), Stop> {
    // What may be inherited is what the directory lets inherit; see the head of `fd.rs`.
    let _ = rights_inheriting;
    guest::check(mem, opened, 4)?;
    let oflags = Oflags::from_arg(oflags)?;
    let fdflags = Fdflags::from_arg(fdflags)?;
    let access = Rights::from_bits_truncate(rights_base).intersection(Rights::READ_WRITE);
    let options = OpenOptions {
        follow: follows(dirflags)?,
        oflags,
        fdflags,
        read: access.contains(Rights::FD_READ),
        write: access.contains(Rights::FD_WRITE),
    };
    if oflags.contains(Oflags::CREAT | Oflags::DIRECTORY) {
        // Old kernels would create a file, and then say that it is no directory.
        return Err(Errno::Inval.into());
    }
    let at = (path, path_len);
    let path = guest::bytes(mem, path, path_len)?;

    let parent = ctx.fds.get(fd)?;
    if oflags.contains(Oflags::CREAT) {
        parent.require(Rights::PATH_CREATE_FILE)?;
    }
    if oflags.contains(Oflags::TRUNC) {
        parent.require(Rights::PATH_FILESTAT_SET_SIZE)?;
    }
    if !parent.inheriting.contains(access) {
        return Err(Stop::denied(Errno::Notcapable, Denial::Rights).about(at));
    }
    let dir = parent.as_dir()?;
    permit_open(dir, &options).map_err(|stop| stop.about(at))?;
    ctx.fds.check_room(ctx.limits.open_fds)?;

    // Only this tells whether it will be new.
    let existing = options.follow && !oflags.contains(Oflags::EXCL);
    let creates = oflags.contains(Oflags::CREAT)
        && ctx.budget.counts_entries()
        && dir.dir.filestat_at(path, existing) == Err(Errno::Noent);
    if creates {
        ctx.budget.check_entry()?;
    }
    let result = dir.dir.open(path, options);
    let descriptor = match result.map_err(|error| Stop::from(error).about(at))? {
        Opened::Dir(opened) => {
            let dir = Dir {
                dir: opened,
                preopen: None,
                ..*dir
            };
            Descriptor::dir(dir, parent.inheriting, fdflags)
        }
        Opened::File(file) => {
            let mut file = Descriptor::file(file, access, parent.inheriting, fdflags)?;
            file.perms = dir.file_perms;
            file
        }
    };
    if creates {
        ctx.budget.created_entry();
    }
    let number = ctx.fds.insert(descriptor)?;
    Ok(guest::write_u32(mem, opened, number)?)
}

/// Does the host allow to open something like this?
fn permit_open(dir: &Dir, options: &OpenOptions) -> Result<(), Stop> {
    let oflags = options.oflags;
    dir.permits(DirPerms::READ)?;
    if oflags.intersects(Oflags::CREAT | Oflags::TRUNC) {
        dir.permits(DirPerms::MUTATE)?;
    }
    if options.read {
        dir.permits_files(FilePerms::READ)?;
    }
    if options.write || oflags.contains(Oflags::TRUNC) {
        dir.permits_files(FilePerms::WRITE)?;
    }
    Ok(())
}

/// A directory and a path in it, from a call's arguments.
struct At<'a> {
    dir: &'a Dir,
    path: &'a [u8],
    range: (u32, u32),
}

impl<'a> At<'a> {
    /// The arguments, if the host permits this.
    fn new(
        ctx: &'a WasiCtx,
        mem: &'a [u8],
        fd: u32,
        range: (u32, u32),
        perms: DirPerms,
    ) -> Result<Self, Stop> {
        let path = guest::bytes(mem, range.0, range.1)?;
        let dir = ctx.fds.dir(fd)?;
        dir.permits(perms).map_err(|stop| stop.about(range))?;
        Ok(Self { dir, path, range })
    }

    /// Has the directory do it. A refusal of its is about this path.
    fn run<R>(
        &self,
        run: impl FnOnce(&dyn crate::platform::Dir, &[u8]) -> Result<R, Errno>,
    ) -> Result<R, Stop> {
        run(&*self.dir.dir, self.path).map_err(|error| Stop::from(error).about(self.range))
    }
}

/// The attributes of what is at a path.
pub(crate) fn filestat(
    ctx: &WasiCtx,
    mem: &[u8],
    fd: u32,
    flags: u32,
    path: (u32, u32),
) -> Result<Filestat, Stop> {
    let follow = follows(flags)?;
    At::new(ctx, mem, fd, path, DirPerms::READ)?.run(|dir, path| dir.filestat_at(path, follow))
}

pub(crate) fn path_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    out: u32,
) -> Result<(), Stop> {
    guest::check(mem, out, 64)?;
    let stat = filestat(ctx, mem, fd, flags, (path, path_len))?;
    Ok(guest::write(mem, out, &stat.to_bytes())?)
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_filestat_set_times(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Stop> {
    let follow = follows(flags)?;
    let times = Times::from_args(atim, mtim, fst_flags)?;
    At::new(ctx, mem, fd, (path, path_len), DirPerms::MUTATE)?
        .run(|dir, path| dir.set_times_at(path, follow, times))
}

/// Runs what creates a directory entry.
fn create(ctx: &mut WasiCtx, run: impl FnOnce(&WasiCtx) -> Result<(), Stop>) -> Result<(), Stop> {
    ctx.budget.check_entry()?;
    run(ctx)?;
    ctx.budget.created_entry();
    Ok(())
}

pub(crate) fn path_create_directory(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Stop> {
    create(ctx, |ctx| {
        At::new(ctx, mem, fd, (path, path_len), DirPerms::MUTATE)?
            .run(|dir, path| dir.create_dir(path))
    })
}

pub(crate) fn path_remove_directory(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Stop> {
    At::new(ctx, mem, fd, (path, path_len), DirPerms::MUTATE)?.run(|dir, path| dir.remove_dir(path))
}

pub(crate) fn path_unlink_file(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Stop> {
    At::new(ctx, mem, fd, (path, path_len), DirPerms::MUTATE)?.run(|dir, path| dir.unlink(path))
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_rename(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Stop> {
    let old = At::new(ctx, mem, fd, (old_path, old_path_len), DirPerms::MUTATE)?;
    let new = At::new(ctx, mem, new_fd, (new_path, new_path_len), DirPerms::MUTATE)?;
    check_same_permissions(&old, &new)?;
    old.run(|dir, old| dir.rename(old, &*new.dir.dir, new.path))
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_link(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    old_fd: u32,
    old_flags: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Stop> {
    let follow = follows(old_flags)?;
    create(ctx, |ctx| {
        let old = At::new(ctx, mem, old_fd, (old_path, old_path_len), DirPerms::MUTATE)?;
        let new = At::new(ctx, mem, new_fd, (new_path, new_path_len), DirPerms::MUTATE)?;
        check_same_permissions(&old, &new)?;
        old.run(|dir, old| dir.link(old, follow, &*new.dir.dir, new.path))
    })
}

/// Nothing gets other permissions by a name in another directory: neither a file, nor what comes later into a
/// directory that the guest has opened where it was.
fn check_same_permissions(old: &At<'_>, new: &At<'_>) -> Result<(), Stop> {
    let permissions = |at: &At<'_>| (at.dir.perms, at.dir.file_perms);
    if permissions(old) == permissions(new) {
        return Ok(());
    }
    Err(Stop::denied(Errno::Perm, Denial::Permissions).about(old.range))
}

pub(crate) fn path_symlink(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    old_path: u32,
    old_path_len: u32,
    fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Stop> {
    create(ctx, |ctx| {
        let target = guest::bytes(mem, old_path, old_path_len)?;
        At::new(ctx, mem, fd, (new_path, new_path_len), DirPerms::MUTATE)?
            .run(|dir, path| dir.symlink(target, path))
    })
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn path_readlink(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    bufused: u32,
) -> Result<(), Stop> {
    guest::check(mem, bufused, 4)?;
    guest::check(mem, buf, buf_len)?;
    // The path and the buffer may overlap, so the target takes a detour; it is never long.
    let mut target = [0; crate::path::PATH_MAX];
    let buffer = &mut target[..(buf_len as usize).min(crate::path::PATH_MAX)];
    let used = At::new(ctx, mem, fd, (path, path_len), DirPerms::READ)?
        .run(|dir, path| dir.readlink(path, buffer))?;
    guest::write(mem, buf, &buffer[..used])?;
    Ok(guest::write_u32(mem, bufused, used as u32)?)
}

#[cfg(test)]
mod tests;
