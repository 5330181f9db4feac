//! `wasm_store_t`: the runtime's store, and what C attaches to its objects.

use alloc::{boxed::Box, collections::BTreeMap, rc::Rc};
use core::{
    cell::{RefCell, UnsafeCell},
    ffi::c_void,
    mem, ptr,
};

use teff_runtime::{
    AsContextMut, ExternRef, ObjectId, Result, Store, StoreContextMut, StoreLimits,
    StoreLimitsBuilder,
};

use crate::{
    engine::wasm_engine_t,
    guard::c_api,
    reference::{Held, Identity, Object},
};

/// A store, held by its handle and by all references into it.
pub(crate) type StoreRef = Rc<StoreState>;

pub(crate) struct wasm_store_t {
    pub(crate) state: StoreRef,
}

/// The fields are freed in this order: finalizers run before what they belong to goes away.
pub(crate) struct StoreState {
    /// The host infos of objects that the store owns.
    infos: RefCell<BTreeMap<ObjectId, HostInfo>>,
    /// The objects of the embedder's that have become values of Wasm. Each is known to the runtime once, however
    /// often it is passed in.
    externs: RefCell<BTreeMap<Identity, ExternRef>>,
    store: UnsafeCell<Store<()>>,
}

impl StoreState {
    fn new(store: Store<()>) -> StoreRef {
        Rc::new(Self {
            infos: RefCell::default(),
            externs: RefCell::default(),
            store: UnsafeCell::new(store),
        })
    }

    /// A borrow of the store. Take one for each use, and let go of it before C code runs.
    ///
    /// Functions of C that Wasm calls use the store again, while the call that led to them is not over. That call
    /// holds a borrow like this one, which is an address: it reads and writes nothing until they return.
    pub(crate) fn context(&self) -> StoreContextMut<'_, ()> {
        // SAFETY: a store is used by one thread at a time, and the reference ends here: see above.
        unsafe { (*self.store.get()).as_context_mut() }
    }

    pub(crate) fn limit(&self, limits: StoreLimits) {
        // SAFETY: as in `context`.
        unsafe { (*self.store.get()).limiter(limits) }
    }

    /// The reference of Wasm's to an object of C's.
    pub(crate) fn extern_ref(&self, object: &Object) -> Result<ExternRef> {
        let identity = object.identity(self);
        let known = self.externs.borrow().get(&identity).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let new = ExternRef::new(self.context(), Held(object.clone()))?;
        self.externs.borrow_mut().insert(identity, new);
        Ok(new)
    }

    /// The object that a reference leads to; nothing if it was not made by this API.
    pub(crate) fn object_of(&self, reference: ExternRef) -> Option<Object> {
        let context = self.context();
        let data = reference.data(&context).ok()?;
        data.downcast_ref::<Held>().map(|held| held.0.clone())
    }

    pub(crate) fn host_info(&self, id: ObjectId) -> *mut c_void {
        let infos = self.infos.borrow();
        infos.get(&id).map_or(ptr::null_mut(), |info| info.data)
    }

    pub(crate) fn set_host_info(&self, id: ObjectId, info: HostInfo) {
        let old = self.infos.borrow_mut().insert(id, info);
        // Its finalizer may use the store.
        drop(old);
    }
}

/// `wasm.h` knows no limits of a store, so there are none until `teff.h` sets some.
pub(crate) fn unlimited() -> StoreLimitsBuilder {
    StoreLimitsBuilder::new()
        .table_elements(usize::MAX)
        .instances(usize::MAX)
        .tables(usize::MAX)
        .memories(usize::MAX)
}

/// A function of C's that frees what it is given.
pub(crate) type Finalizer = Option<unsafe extern "C" fn(*mut c_void)>;

/// A pointer of the embedder's, and what frees it.
pub(crate) struct HostInfo {
    pub(crate) data: *mut c_void,
    finalizer: Finalizer,
}

impl HostInfo {
    pub(crate) const NONE: Self = Self {
        data: ptr::null_mut(),
        finalizer: None,
    };

    pub(crate) fn new(data: *mut c_void, finalizer: Finalizer) -> Self {
        Self { data, finalizer }
    }
}

impl Drop for HostInfo {
    fn drop(&mut self) {
        if let Some(finalizer) = self.finalizer {
            // SAFETY: the embedder has given both for this, and it happens once.
            unsafe { finalizer(self.data) }
        }
    }
}

/// The host info of an object that is not a store's.
pub(crate) struct InfoCell(RefCell<HostInfo>);

impl InfoCell {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(HostInfo::NONE))
    }

    pub(crate) fn get(&self) -> *mut c_void {
        self.0.borrow().data
    }

    pub(crate) fn set(&self, info: HostInfo) {
        let old = mem::replace(&mut *self.0.borrow_mut(), info);
        // Its finalizer may use the object.
        drop(old);
    }
}

c_api! {
    fn wasm_store_new(engine: &wasm_engine_t) -> Option<Box<wasm_store_t>> {
        let mut store = Store::new(&engine.engine, ());
        store.limiter(unlimited().build());
        let state = StoreState::new(store);
        Some(Box::new(wasm_store_t { state }))
    }

    fn wasm_store_delete(_store: Option<Box<wasm_store_t>>) {}
}
