//! `wasm_ref_t` and all that can be one: handles to objects, casts between them, host infos.

use alloc::{boxed::Box, rc::Rc};
use core::{ffi::c_void, ptr};

use teff_runtime::{Extern, Func, Global, Instance, Memory, ObjectId, Table};

use crate::{
    guard::c_api,
    module::ModuleObject,
    store::{Finalizer, HostInfo, InfoCell, StoreRef, StoreState, wasm_store_t},
    trap::TrapObject,
    vector::Element,
};

/// A handle. C knows it by nine names, and casts between them.
#[derive(Clone)]
pub(crate) struct wasm_ref_t {
    pub(crate) store: StoreRef,
    pub(crate) object: Object,
}

pub(crate) type wasm_func_t = wasm_ref_t;
pub(crate) type wasm_global_t = wasm_ref_t;
pub(crate) type wasm_table_t = wasm_ref_t;
pub(crate) type wasm_memory_t = wasm_ref_t;
pub(crate) type wasm_extern_t = wasm_ref_t;
pub(crate) type wasm_instance_t = wasm_ref_t;
pub(crate) type wasm_module_t = wasm_ref_t;
pub(crate) type wasm_trap_t = wasm_ref_t;
pub(crate) type wasm_foreign_t = wasm_ref_t;

/// What a handle leads to. It does not keep the store.
#[derive(Clone)]
pub(crate) enum Object {
    Extern(Extern),
    Instance(Instance),
    Module(Rc<ModuleObject>),
    Trap(Rc<TrapObject>),
    Foreign(Rc<InfoCell>),
}

/// Tells objects apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    Store(ObjectId),
    /// One that is not a store's, by its address.
    Own(usize),
}

/// An object as a value of Wasm.
pub(crate) struct Held(pub(crate) Object);

// SAFETY: the runtime's store that it is put into belongs to a `StoreState`, which stays on one thread; whoever moves it
// to another thread moves all references into it, by the promise of `wasm.h`.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl Object {
    pub(crate) fn identity(&self, store: &StoreState) -> Identity {
        match self {
            Self::Extern(item) => Identity::Store(item.object_id(store.context())),
            Self::Instance(instance) => Identity::Store(instance.object_id(store.context())),
            Self::Module(module) => Identity::Own(Rc::as_ptr(module).addr()),
            Self::Trap(trap) => Identity::Own(Rc::as_ptr(trap).addr()),
            Self::Foreign(foreign) => Identity::Own(Rc::as_ptr(foreign).addr()),
        }
    }

    /// The host info's place, if the object has one itself.
    fn info(&self) -> Option<&InfoCell> {
        match self {
            Self::Extern(_) | Self::Instance(_) => None,
            Self::Module(module) => Some(&module.info),
            Self::Trap(trap) => Some(&trap.info),
            Self::Foreign(info) => Some(info),
        }
    }
}

impl wasm_ref_t {
    pub(crate) fn new(store: &StoreRef, object: Object) -> Box<Self> {
        let store = store.clone();
        Box::new(Self { store, object })
    }

    pub(crate) fn of_extern(store: &StoreRef, item: impl Into<Extern>) -> Box<Self> {
        Self::new(store, Object::Extern(item.into()))
    }

    pub(crate) fn as_extern(&self) -> Option<Extern> {
        match self.object {
            Object::Extern(item) => Some(item),
            _ => None,
        }
    }

    pub(crate) fn as_func(&self) -> Option<Func> {
        self.as_extern()?.into_func()
    }

    pub(crate) fn as_global(&self) -> Option<Global> {
        self.as_extern()?.into_global()
    }

    pub(crate) fn as_table(&self) -> Option<Table> {
        self.as_extern()?.into_table()
    }

    pub(crate) fn as_memory(&self) -> Option<Memory> {
        self.as_extern()?.into_memory()
    }

    pub(crate) fn as_instance(&self) -> Option<Instance> {
        match self.object {
            Object::Instance(instance) => Some(instance),
            _ => None,
        }
    }

    pub(crate) fn as_module(&self) -> Option<&Rc<ModuleObject>> {
        match &self.object {
            Object::Module(module) => Some(module),
            _ => None,
        }
    }

    pub(crate) fn as_trap(&self) -> Option<&Rc<TrapObject>> {
        match &self.object {
            Object::Trap(trap) => Some(trap),
            _ => None,
        }
    }

    fn as_foreign(&self) -> Option<&Rc<InfoCell>> {
        match &self.object {
            Object::Foreign(foreign) => Some(foreign),
            _ => None,
        }
    }

    /// Does it belong to this store?
    pub(crate) fn is_of(&self, store: &StoreRef) -> bool {
        Rc::ptr_eq(&self.store, store)
    }

    fn same(&self, other: &Self) -> bool {
        self.is_of(&other.store)
            && self.object.identity(&self.store) == other.object.identity(&other.store)
    }

    fn host_info(&self) -> *mut c_void {
        match (self.object.info(), self.object.identity(&self.store)) {
            (Some(info), _) => info.get(),
            (None, Identity::Store(id)) => self.store.host_info(id),
            (None, Identity::Own(_)) => unreachable!("an object that is not a store's has its own"),
        }
    }

    fn set_host_info(&self, info: HostInfo) {
        match (self.object.info(), self.object.identity(&self.store)) {
            (Some(place), _) => place.set(info),
            (None, Identity::Store(id)) => self.store.set_host_info(id, info),
            (None, Identity::Own(_)) => unreachable!("an object that is not a store's has its own"),
        }
    }
}

impl Element for Option<Box<wasm_ref_t>> {
    fn copy(&self) -> Self {
        self.clone()
    }
}

/// The functions that each kind of reference has.
macro_rules! references {
    ($($copy:ident $delete:ident $same:ident $get:ident $set:ident $set_finalized:ident;)*) => {
        c_api! {$(
            fn $copy(reference: &wasm_ref_t) -> Option<Box<wasm_ref_t>> {
                Some(Box::new(reference.clone()))
            }

            fn $delete(_reference: Option<Box<wasm_ref_t>>) {}

            fn $same(a: Option<&wasm_ref_t>, b: Option<&wasm_ref_t>) -> bool {
                match (a, b) {
                    (Some(a), Some(b)) => a.same(b),
                    (None, None) => true,
                    _ => false,
                }
            }

            fn $get(reference: &wasm_ref_t) -> *mut c_void {
                reference.host_info()
            }

            fn $set(reference: &wasm_ref_t, data: *mut c_void) {
                reference.set_host_info(HostInfo::new(data, None));
            }

            fn $set_finalized(reference: &wasm_ref_t, data: *mut c_void, finalizer: Finalizer) {
                reference.set_host_info(HostInfo::new(data, finalizer));
            }
        )*}
    };
}

references! {
    wasm_ref_copy wasm_ref_delete wasm_ref_same
        wasm_ref_get_host_info wasm_ref_set_host_info wasm_ref_set_host_info_with_finalizer;
    wasm_func_copy wasm_func_delete wasm_func_same
        wasm_func_get_host_info wasm_func_set_host_info wasm_func_set_host_info_with_finalizer;
    wasm_global_copy wasm_global_delete wasm_global_same
        wasm_global_get_host_info wasm_global_set_host_info wasm_global_set_host_info_with_finalizer;
    wasm_table_copy wasm_table_delete wasm_table_same
        wasm_table_get_host_info wasm_table_set_host_info wasm_table_set_host_info_with_finalizer;
    wasm_memory_copy wasm_memory_delete wasm_memory_same
        wasm_memory_get_host_info wasm_memory_set_host_info wasm_memory_set_host_info_with_finalizer;
    wasm_extern_copy wasm_extern_delete wasm_extern_same
        wasm_extern_get_host_info wasm_extern_set_host_info wasm_extern_set_host_info_with_finalizer;
    wasm_instance_copy wasm_instance_delete wasm_instance_same
        wasm_instance_get_host_info wasm_instance_set_host_info wasm_instance_set_host_info_with_finalizer;
    wasm_module_copy wasm_module_delete wasm_module_same
        wasm_module_get_host_info wasm_module_set_host_info wasm_module_set_host_info_with_finalizer;
    wasm_trap_copy wasm_trap_delete wasm_trap_same
        wasm_trap_get_host_info wasm_trap_set_host_info wasm_trap_set_host_info_with_finalizer;
    wasm_foreign_copy wasm_foreign_delete wasm_foreign_same
        wasm_foreign_get_host_info wasm_foreign_set_host_info wasm_foreign_set_host_info_with_finalizer;
}

/// Casts: upwards always, downwards if it is of that kind. The pointer stays what it is, so that what was made under one
/// name can be deleted under another.
macro_rules! casts {
    ($($is:ident: $up:ident $up_const:ident $down:ident $down_const:ident;)*) => {
        c_api! {$(
            fn $up(reference: *mut wasm_ref_t) -> *mut wasm_ref_t {
                reference
            }

            fn $up_const(reference: *mut wasm_ref_t) -> *mut wasm_ref_t {
                reference
            }

            fn $down(reference: *mut wasm_ref_t) -> *mut wasm_ref_t {
                // SAFETY: a handle or NULL.
                let is = unsafe { reference.as_ref() }.is_some_and(|it| it.$is().is_some());
                if is { reference } else { ptr::null_mut() }
            }

            fn $down_const(reference: *mut wasm_ref_t) -> *mut wasm_ref_t {
                $down(reference)
            }
        )*}
    };
}

casts! {
    as_func: wasm_func_as_ref wasm_func_as_ref_const wasm_ref_as_func wasm_ref_as_func_const;
    as_global: wasm_global_as_ref wasm_global_as_ref_const wasm_ref_as_global wasm_ref_as_global_const;
    as_table: wasm_table_as_ref wasm_table_as_ref_const wasm_ref_as_table wasm_ref_as_table_const;
    as_memory: wasm_memory_as_ref wasm_memory_as_ref_const wasm_ref_as_memory wasm_ref_as_memory_const;
    as_extern: wasm_extern_as_ref wasm_extern_as_ref_const wasm_ref_as_extern wasm_ref_as_extern_const;
    as_instance: wasm_instance_as_ref wasm_instance_as_ref_const
        wasm_ref_as_instance wasm_ref_as_instance_const;
    as_module: wasm_module_as_ref wasm_module_as_ref_const wasm_ref_as_module wasm_ref_as_module_const;
    as_trap: wasm_trap_as_ref wasm_trap_as_ref_const wasm_ref_as_trap wasm_ref_as_trap_const;
    as_foreign: wasm_foreign_as_ref wasm_foreign_as_ref_const wasm_ref_as_foreign wasm_ref_as_foreign_const;

    as_func: wasm_func_as_extern wasm_func_as_extern_const wasm_extern_as_func wasm_extern_as_func_const;
    as_global: wasm_global_as_extern wasm_global_as_extern_const
        wasm_extern_as_global wasm_extern_as_global_const;
    as_table: wasm_table_as_extern wasm_table_as_extern_const
        wasm_extern_as_table wasm_extern_as_table_const;
    as_memory: wasm_memory_as_extern wasm_memory_as_extern_const
        wasm_extern_as_memory wasm_extern_as_memory_const;
}

c_api! {
    fn wasm_foreign_new(store: &wasm_store_t) -> Option<Box<wasm_foreign_t>> {
        Some(wasm_ref_t::new(&store.state, Object::Foreign(Rc::new(InfoCell::new()))))
    }
}
