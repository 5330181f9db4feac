//! Backtraces: which Wasm functions are active, from the headers of their frames.

use alloc::{string::String, vec::Vec};
use core::ptr::{self, NonNull};

use super::{Target, call::return_to, ctx::Ctx};
use crate::{
    Instance,
    module::ModuleInner,
    store::StoreId,
    trap::{FrameInfo, WasmBacktrace},
};

/// The functions active in the present entry into handlers, from the one at `ip` with its frame at `sp`.
///
/// # Safety
/// `ctx` is that of the store; `ip` and `sp` are registers that handlers saved in it, or that the run loop gave them.
pub(super) unsafe fn capture(
    store: StoreId,
    ctx: &Ctx,
    target: &Target,
    ip: *const u8,
    sp: *mut u8,
) -> WasmBacktrace {
    let mut trace = WasmBacktrace::default();
    let mut known = Vec::new();
    let mut instance = ctx.instance;
    let mut crossings = ctx.crossings.iter().rev();
    let (mut ip, mut sp) = (ip, sp);
    loop {
        if trace.frames.len() < WasmBacktrace::MAX_FRAMES {
            // SAFETY: the current instance, and those of calls that have not returned, are alive; nobody
            // changes an instance's module.
            let module = unsafe { &(*instance).module }.inner();
            let handle = NonNull::new(instance).map(|at| Instance::from_object(store, at));
            trace
                .frames
                .extend(handle.and_then(|handle| frame(handle, module, ip, &mut known)));
        } else {
            trace.omitted += 1;
        }
        // SAFETY: the caller's `sp` is a frame's, and so is every one that a header names.
        (ip, sp) = unsafe { return_to(sp) };
        if ip == target.resume_ip() {
            let Some(crossing) = crossings.next() else {
                return trace;
            };
            (ip, instance) = (crossing.return_ip, crossing.instance);
        }
        // Also after a crossing: the outermost function may have left by a tail call to another instance.
        if ip == target.halt_ip() {
            return trace;
        }
        // A return address is behind the call.
        ip = ip.wrapping_sub(1);
    }
}

/// What was found out about a function, for the next frame of it: recursion is the rule in deep traces.
struct Known<'m> {
    module: &'m ModuleInner,
    index: u32,
    name: Option<String>,
    /// Of each operator of it: where its code begins, and where it is in the module. Empty if that is not known.
    offsets: Vec<(u32, u32)>,
}

/// The frame of the function whose code `ip` is in.
fn frame<'m>(
    instance: Instance,
    module: &'m ModuleInner,
    ip: *const u8,
    known: &mut Vec<Known<'m>>,
) -> Option<FrameInfo> {
    let (index, offset) = module.function_at(ip)?;
    let func_index = module.num_imported_funcs() + index;
    let same = |k: &Known<'_>| ptr::eq(k.module, module) && k.index == index;
    let at = known.iter().position(same).unwrap_or_else(|| {
        known.push(Known {
            module,
            index,
            name: module.func_name(func_index),
            offsets: module.offsets(index),
        });
        known.len() - 1
    });
    let Known { name, offsets, .. } = &known[at];
    // The last operator whose code begins here or before: what comes between made no code of its own.
    let operator = offsets
        .partition_point(|(code, _)| *code <= offset)
        .checked_sub(1);
    Some(FrameInfo {
        func_index,
        func_name: name.clone(),
        module_name: module.name().map(Into::into),
        module_offset: operator.map(|operator| offsets[operator].1 as usize),
        func_start: module.body_start(index),
        instance,
    })
}
