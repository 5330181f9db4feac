//! Backtraces: which Wasm functions are active, from the headers of their frames.

use super::{Target, call::return_to, ctx::Ctx};
use crate::{
    store::InstanceObj,
    trap::{FrameInfo, WasmBacktrace},
};

/// The functions active in the present entry into handlers, from the one at `ip` with its frame at `sp`.
///
/// # Safety
/// `ip` and `sp` are registers that handlers saved in `ctx`, or that the run loop gave them.
pub(super) unsafe fn capture(
    ctx: &Ctx,
    target: &Target,
    ip: *const u8,
    sp: *mut u8,
) -> WasmBacktrace {
    let mut trace = WasmBacktrace::default();
    let mut instance = ctx.instance;
    let mut crossings = ctx.crossings.iter().rev();
    let (mut ip, mut sp) = (ip, sp);
    loop {
        if trace.frames.len() < WasmBacktrace::MAX_FRAMES {
            // SAFETY: the current instance, and those of calls that have not returned, are alive.
            trace.frames.extend(unsafe { frame(instance, ip) });
        } else {
            trace.omitted += 1;
        }
        // SAFETY: the caller's `sp` is a frame's, and so is every one that a header names.
        (ip, sp) = unsafe { return_to(sp) };
        if ip == target.halt_ip() {
            return trace;
        }
        if ip == target.resume_ip() {
            let Some(crossing) = crossings.next() else {
                return trace;
            };
            (ip, instance) = (crossing.return_ip, crossing.instance);
        }
        // A return address is behind the call.
        ip = ip.wrapping_sub(1);
        if sp.is_null() {
            return trace;
        }
    }
}

/// The function whose code `ip` is in.
///
/// # Safety
/// `instance` is alive.
unsafe fn frame(instance: *mut InstanceObj, ip: *const u8) -> Option<FrameInfo> {
    // SAFETY: the caller's promise; only shared references to instances exist.
    let module = unsafe { (*instance).module.clone() };
    let module = module.inner();
    let (index, offset) = module.code.find(ip)?;
    let func_index = module.num_imported_funcs() + index;
    Some(FrameInfo {
        func_index,
        func_name: module.func_name(func_index),
        module_name: module.name().map(Into::into),
        module_offset: module.code.wasm_offset(module, index, offset),
    })
}
