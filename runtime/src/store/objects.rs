//! What instances are made of at run time: plain records at stable addresses.
//!
//! Handlers reach them through raw pointers from [`Ctx`](crate::exec::Ctx), so these records are `repr(C)`, are never moved
//! and live as long as their store. Handles of the public API (`Func`, `Memory`, …) are such a pointer
//! and the identity of the store that owns it.

use alloc::boxed::Box;

use crate::{
    Module,
    module::FuncEntry,
    sys::Pages,
    types::{GlobalType, MemoryType, RefType, TableType},
};

/// A function instance (spec §4.2.7). A `funcref` in a slot is the address of one, or 0 for null.
#[repr(C)]
pub(crate) struct FuncObj {
    /// Where its code is found; null for a host function.
    pub(crate) entry: *const FuncEntry,
    /// The instance it belongs to; null for a host function.
    pub(crate) instance: *mut InstanceObj,
    /// The engine's number of its type: equal numbers, equal types.
    pub(crate) sig: u32,
    /// Its index: in the module's function index space, or in the store's list of host functions.
    pub(crate) index: u32,
}

/// A table instance (spec §4.2.9). Elements are slots: addresses of [`FuncObj`], or the store's numbers
/// of host references plus one; 0 is null.
#[repr(C)]
pub(crate) struct TableObj {
    pub(crate) elements: *mut u64,
    pub(crate) len: usize,
    /// Elements allocated, at least `len`.
    pub(crate) capacity: usize,
    /// Most elements it may have: its type's maximum and the store's limit, whichever is less.
    pub(crate) limit: u64,
    pub(crate) element_type: RefType,
    pub(crate) maximum: Option<u64>,
}

impl TableObj {
    /// The type now: the minimum is the present length (spec §4.5.3, "External Typing").
    pub(crate) fn ty(&self) -> TableType {
        TableType::new(
            self.element_type,
            self.len as u32,
            self.maximum.map(|max| max as u32),
        )
    }
}

/// A memory instance (spec §4.2.10). Byte `len` is the first one that an access may not touch.
#[repr(C)]
pub(crate) struct MemoryObj {
    pub(crate) base: *mut u8,
    /// Bytes.
    pub(crate) len: usize,
    pub(crate) pages: Pages,
    /// Most pages it may have: its type's maximum and the store's limit, whichever is less.
    pub(crate) limit: u64,
    pub(crate) maximum: Option<u64>,
}

impl MemoryObj {
    /// The type now: the minimum is the present size.
    pub(crate) fn ty(&self) -> MemoryType {
        MemoryType::new(
            (self.len / 65_536) as u32,
            self.maximum.map(|max| max as u32),
        )
    }
}

/// A global instance (spec §4.2.11): its value in the form of frame slots. Two slots, for vectors.
#[repr(C)]
pub(crate) struct GlobalObj {
    pub(crate) value: [u64; 2],
    pub(crate) ty: GlobalType,
}

/// A module instance (spec §4.2.5): per index space, the addresses of what the module sees.
#[repr(C)]
pub(crate) struct InstanceObj {
    /// Every function of the index space, imports first: imports are copies of the [`FuncObj`] that was
    /// imported, so calls of both kinds read one array.
    pub(crate) funcs: Box<[FuncObj]>,
    pub(crate) globals: Box<[*mut GlobalObj]>,
    pub(crate) tables: Box<[*mut TableObj]>,
    pub(crate) memories: Box<[*mut MemoryObj]>,
    /// Bit `i`: elem segment `i` has been dropped.
    pub(crate) dropped_elems: Box<[u32]>,
    /// Bit `i`: data segment `i` has been dropped.
    pub(crate) dropped_data: Box<[u32]>,
    pub(crate) module: Module,
}
