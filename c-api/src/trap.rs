//! `wasm_trap_t` and `wasm_frame_t`: errors of the runtime as traps of C, and the way back through Wasm.

use alloc::{
    boxed::Box,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::{cell::RefCell, error, fmt, mem::MaybeUninit};

use teff_runtime::{Error, FrameInfo, Instance, Pending, Trap, WasmBacktrace};

use crate::{
    guard::c_api,
    reference::{Object, wasm_instance_t, wasm_ref_t, wasm_trap_t},
    store::{InfoCell, StoreRef, wasm_store_t},
    vector::{Element, Vector, vector, wasm_byte_vec_t},
};

/// A trap, apart from the handles to it.
pub(crate) struct TrapObject {
    message: String,
    /// What it was, if it is one that the runtime knows.
    pub(crate) code: Option<Trap>,
    /// Is it no trap, but the wish to be called again?
    pending: bool,
    /// Innermost first. A trap of C's gets them on its first way through Wasm.
    frames: RefCell<Vec<Frame>>,
    pub(crate) info: InfoCell,
}

/// A function that was active.
#[derive(Clone)]
struct Frame {
    instance: Instance,
    func_index: u32,
    func_offset: usize,
    module_offset: usize,
}

impl Frame {
    fn of(frame: &FrameInfo) -> Self {
        Self {
            instance: frame.instance(),
            func_index: frame.func_index(),
            func_offset: frame.func_offset().unwrap_or(0),
            module_offset: frame.module_offset().unwrap_or(0),
        }
    }
}

/// A trap of C's on its way through Wasm.
#[derive(Clone)]
struct Thrown(Rc<TrapObject>);

// SAFETY: the error that it is part of is made and taken apart within one call of this API, on one thread.
unsafe impl Send for Thrown {}
// SAFETY: as above.
unsafe impl Sync for Thrown {}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Thrown {}

impl TrapObject {
    pub(crate) fn new(message: String, code: Option<Trap>) -> Rc<Self> {
        Self::make(message, code, false)
    }

    /// What a function of C returns to be called again.
    pub(crate) fn pending() -> Rc<Self> {
        Self::make(Pending.to_string(), None, true)
    }

    fn make(message: String, code: Option<Trap>, pending: bool) -> Rc<Self> {
        Rc::new(Self {
            message,
            code,
            pending,
            frames: RefCell::default(),
            info: InfoCell::new(),
        })
    }

    /// The trap that an error is: the one that C has made, if it comes from there.
    fn of_error(error: &Error) -> Rc<Self> {
        let trap = match error.downcast_ref::<Thrown>() {
            Some(Thrown(trap)) => trap.clone(),
            None => {
                let code = error.downcast_ref::<Trap>().copied();
                Self::new(alloc::format!("{error}"), code)
            }
        };
        let frames = error.backtrace().map_or(&[][..], WasmBacktrace::frames);
        let mut known = trap.frames.borrow_mut();
        if known.is_empty() {
            known.extend(frames.iter().map(Frame::of));
        }
        drop(known);
        trap
    }
}

impl wasm_trap_t {
    pub(crate) fn of_error(store: &StoreRef, error: &Error) -> Box<Self> {
        Self::new(store, Object::Trap(TrapObject::of_error(error)))
    }

    pub(crate) fn of_message(store: &StoreRef, message: String) -> Box<Self> {
        Self::new(store, Object::Trap(TrapObject::new(message, None)))
    }

    /// The error that takes it through Wasm.
    pub(crate) fn to_error(&self) -> Error {
        match self.as_trap() {
            Some(trap) if trap.pending => Pending.into(),
            Some(trap) => Thrown(trap.clone()).into(),
            None => Error::msg("a host function returned something else than a trap"),
        }
    }

    fn frames(&self) -> Vec<Frame> {
        let frames = self.as_trap().map(|trap| trap.frames.borrow().clone());
        frames.unwrap_or_default()
    }

    fn frame(&self, data: Frame) -> Box<wasm_frame_t> {
        let instance = wasm_ref_t::new(&self.store, Object::Instance(data.instance));
        Box::new(wasm_frame_t { instance, data })
    }
}

#[derive(Clone)]
pub(crate) struct wasm_frame_t {
    instance: Box<wasm_instance_t>,
    data: Frame,
}

impl Element for Option<Box<wasm_frame_t>> {
    fn copy(&self) -> Self {
        self.clone()
    }
}

vector! {
    wasm_frame_vec_t, Option<Box<wasm_frame_t>>, wasm_frame_vec_new_empty
    wasm_frame_vec_new_uninitialized wasm_frame_vec_new wasm_frame_vec_copy wasm_frame_vec_delete
}

c_api! {
    fn wasm_trap_new(store: &wasm_store_t, message: &wasm_byte_vec_t) -> Option<Box<wasm_trap_t>> {
        // What comes after a null byte is not part of the message.
        let bytes = message.as_slice().split(|&byte| byte == 0).next();
        let text = String::from_utf8_lossy(bytes.unwrap_or_default());
        Some(wasm_trap_t::of_message(&store.state, text.into_owned()))
    }

    fn wasm_trap_message(trap: &wasm_trap_t, out: &mut MaybeUninit<wasm_byte_vec_t>) {
        let message = trap.as_trap().map_or("", |trap| &trap.message);
        out.write(Vector::of_message(message));
    }

    fn wasm_trap_origin(trap: &wasm_trap_t) -> Option<Box<wasm_frame_t>> {
        let frame = trap.frames().into_iter().next()?;
        Some(trap.frame(frame))
    }

    fn wasm_trap_trace(trap: &wasm_trap_t, out: &mut MaybeUninit<wasm_frame_vec_t>) {
        let frames = trap.frames().into_iter();
        out.write(frames.map(|frame| Some(trap.frame(frame))).collect());
    }

    fn wasm_frame_copy(frame: &wasm_frame_t) -> Option<Box<wasm_frame_t>> {
        Some(Box::new(frame.clone()))
    }

    fn wasm_frame_delete(_frame: Option<Box<wasm_frame_t>>) {}

    fn wasm_frame_instance(frame: &wasm_frame_t) -> Option<&wasm_instance_t> {
        Some(&*frame.instance)
    }

    fn wasm_frame_func_index(frame: &wasm_frame_t) -> u32 {
        frame.data.func_index
    }

    fn wasm_frame_func_offset(frame: &wasm_frame_t) -> usize {
        frame.data.func_offset
    }

    fn wasm_frame_module_offset(frame: &wasm_frame_t) -> usize {
        frame.data.module_offset
    }
}
