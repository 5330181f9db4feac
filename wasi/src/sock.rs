//! Sockets: `sock_accept`, `sock_recv`, `sock_send`, `sock_shutdown`.

use crate::{
    WasiCtx,
    audit::Stop,
    buffers::{ReadBuffers, WriteBuffers},
    fd::Descriptor,
    guest,
    platform::{File, Interest},
    types::{Errno, Fdflags, Filetype, Riflags, Rights, Roflags, Sdflags},
};

/// The socket that a descriptor is.
fn socket(descriptor: &Descriptor) -> Result<&dyn File, Errno> {
    if descriptor.filetype.is_socket() {
        descriptor.as_file()
    } else {
        Err(Errno::Notsock)
    }
}

pub(crate) fn sock_accept(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    accepted: u32,
) -> Result<(), Stop> {
    guest::check(mem, accepted, 4)?;
    ctx.fds.check_room(ctx.limits.open_fds)?;
    let descriptor = ctx.fds.get(fd)?;
    let file = socket(descriptor)?;
    let flags = Fdflags::from_arg(flags)?;
    if flags.difference(Fdflags::NONBLOCK) != Fdflags::empty() {
        return Err(Errno::Inval.into());
    }
    if !file.is_listener() {
        return Err(Errno::Inval.into());
    }
    descriptor.require(Rights::SOCK_ACCEPT)?;
    let result = file.accept(descriptor.blocking(ctx.blocking));
    if descriptor.must_wait(&result) {
        return Err(ctx.parked.on(file, Interest::Read));
    }
    let socket = Descriptor::file(result?, Rights::READ_WRITE, Rights::all(), flags)?;
    let number = ctx.fds.insert(socket)?;
    Ok(guest::write_u32(mem, accepted, number)?)
}

#[allow(clippy::too_many_arguments, reason = "the interface's")]
pub(crate) fn sock_recv(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    data: u32,
    data_len: u32,
    flags: u32,
    received: u32,
    out_flags: u32,
) -> Result<(), Stop> {
    guest::check(mem, received, 4)?;
    guest::check(mem, out_flags, 2)?;
    let descriptor = ctx.fds.get(fd)?;
    let file = socket(descriptor)?;
    let flags = Riflags::from_arg(flags)?;
    descriptor.require(Rights::FD_READ)?;
    let mut buffers = ReadBuffers::new(mem, data, data_len)?;
    let (len, more) = match buffers.len() {
        0 => (0, Roflags::empty()),
        // What is to stay where it is cannot be collected, and a datagram is one piece.
        _ if flags.contains(Riflags::RECV_WAITALL)
            && !flags.contains(Riflags::RECV_PEEK)
            && descriptor.filetype == Filetype::SocketStream =>
        {
            buffers.skip(ctx.parked.moved);
            loop {
                let blocking = descriptor.blocking(ctx.blocking);
                let result = file.recv(&mut buffers, Riflags::empty(), blocking);
                if descriptor.must_wait(&result) {
                    return Err(ctx.parked.on(file, Interest::Read));
                }
                match result {
                    Err(error) if ctx.parked.moved == 0 => return Err(error.into()),
                    // The next call tells it, if it is still so.
                    Ok((0, _)) | Err(_) => break,
                    Ok((len, _)) => {
                        ctx.parked.moved += len;
                        buffers.skip(len);
                        if buffers.len() == 0 {
                            break;
                        }
                    }
                }
            }
            (core::mem::take(&mut ctx.parked.moved), Roflags::empty())
        }
        _ => {
            let flags = flags.difference(Riflags::RECV_WAITALL);
            let result = file.recv(&mut buffers, flags, descriptor.blocking(ctx.blocking));
            if descriptor.must_wait(&result) {
                return Err(ctx.parked.on(file, Interest::Read));
            }
            result?
        }
    };
    guest::write_u32(mem, received, len as u32)?;
    Ok(guest::write(mem, out_flags, &more.bits().to_le_bytes())?)
}

pub(crate) fn sock_send(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    data: u32,
    data_len: u32,
    flags: u32,
    sent: u32,
) -> Result<(), Stop> {
    guest::check(mem, sent, 4)?;
    let descriptor = ctx.fds.get(fd)?;
    let file = socket(descriptor)?;
    if flags != 0 {
        // The interface has none.
        return Err(Errno::Inval.into());
    }
    descriptor.require(Rights::FD_WRITE)?;
    let mut buffers = WriteBuffers::new(mem, data, data_len)?;
    let len = match buffers.len() {
        0 => 0,
        wanted => {
            buffers.limit(ctx.budget.writable(wanted)?);
            let result = file.send(&mut buffers, descriptor.blocking(ctx.blocking));
            if descriptor.must_wait(&result) {
                return Err(ctx.parked.on(file, Interest::Write));
            }
            result?
        }
    };
    ctx.budget.wrote(len as u64);
    Ok(guest::write_u32(mem, sent, len as u32)?)
}

pub(crate) fn sock_shutdown(
    ctx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    how: u32,
) -> Result<(), Stop> {
    let how = Sdflags::from_arg(how)?;
    if how == Sdflags::empty() {
        return Err(Errno::Inval.into());
    }
    Ok(socket(ctx.fds.get(fd)?)?.shutdown(how)?)
}
