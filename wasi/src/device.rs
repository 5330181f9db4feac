//! `device.get`: what the guest may know of the device that it runs on.

use alloc::{boxed::Box, vec::Vec};

use teff_runtime::{Caller, Linker, Result};

use crate::{
    WasiCtx,
    audit::Stop,
    guest,
    table::{finish, memory},
    types::Errno,
};

/// Keys and values that a guest may know of its device.
pub(crate) type Identity = Vec<(Box<[u8]>, Box<[u8]>)>;

/// The name under which guests import it.
const MODULE: &str = "device";

/// Defines the function `device.get(key: u32, key_len: u32, buf: u32, buf_len: u32, used: u32) -> errno`.
///
/// The guest names a key, and gets its value ([`WasiCtxBuilder::device`](crate::WasiCtxBuilder::device)) as
/// much as fits in the buffer, and at `used` how many bytes the value has, so that a guest can ask again with
/// a larger one. A key that is not there is `noent`.
///
/// # Errors
/// If the name is already defined, and the linker does not allow shadowing.
pub fn add_device_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "get",
        move |mut caller: Caller<'_, T>, key: u32, key_len: u32, buf: u32, len: u32, used: u32| {
            let memory = memory(&mut caller, get, MODULE, "get")?;
            let (mem, data) = memory.data_and_store_mut(&mut caller);
            let result = device_get(get(data), mem, (key, key_len), (buf, len), used);
            finish(&mut caller, get, "get", result)
        },
    )?;
    Ok(())
}

fn device_get(
    ctx: &mut WasiCtx,
    mem: &mut [u8],
    key: (u32, u32),
    (buf, len): (u32, u32),
    used: u32,
) -> core::result::Result<(), Stop> {
    guest::check(mem, used, 4)?;
    guest::check(mem, buf, len)?;
    let key = guest::bytes(mem, key.0, key.1)?;
    let found = ctx.device.iter().find(|(name, _)| **name == *key);
    let (_, value) = found.ok_or(Errno::Noent)?;
    let fits = value.len().min(len as usize);
    guest::write(mem, buf, &value[..fits])?;
    Ok(guest::write_u32(mem, used, value.len() as u32)?)
}
