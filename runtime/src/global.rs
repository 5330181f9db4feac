//! Globals.

use core::{fmt, ptr::NonNull};

use crate::{
    AsContext, AsContextMut, GlobalType, Mutability, Result, Val,
    error::bail,
    store::{GlobalObj, StoreId, StoreInner},
};

/// A global variable in a store.
#[derive(Copy, Clone)]
pub struct Global {
    store: StoreId,
    object: NonNull<GlobalObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Global {}
// SAFETY: as above.
unsafe impl Sync for Global {}

impl fmt::Debug for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Global").field(&self.object).finish()
    }
}

/// All methods panic if the global belongs to another store.
impl Global {
    /// A new global.
    ///
    /// # Errors
    /// If the value has another type.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Self> {
        let mut store = store.as_context_mut();
        let store = store.inner_mut();
        let value = to_value(value, &ty, store.id)?;
        Ok(Self {
            store: store.id,
            object: store.add_global(GlobalObj { value, ty }),
        })
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        self.borrow(store.as_context().inner()).ty.clone()
    }

    /// Its value.
    pub fn get(&self, store: impl AsContext) -> Val {
        let store = store.as_context();
        let global = self.borrow(store.inner());
        Val::from_slots(&global.value, *global.ty.content(), self.store)
    }

    /// Changes its value.
    ///
    /// # Errors
    /// If the global is immutable, or if the value has another type.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let mut store = store.as_context_mut();
        let mut object = self.object(store.inner_mut());
        // SAFETY: `object` checks that the global belongs to this store, which is borrowed exclusively.
        let global = unsafe { object.as_mut() };
        if global.ty.mutability() == Mutability::Const {
            bail!("an immutable global cannot be changed");
        }
        global.value = to_value(value, &global.ty, self.store)?;
        Ok(())
    }

    /// A handle to a global of the store with this identity.
    pub(crate) fn from_object(store: StoreId, object: NonNull<GlobalObj>) -> Self {
        Self { store, object }
    }

    /// The object, which is one of this store.
    #[track_caller]
    pub(crate) fn object(&self, store: &StoreInner) -> NonNull<GlobalObj> {
        store.check(self.store);
        self.object
    }

    /// The object, which is one of this store.
    #[track_caller]
    pub(crate) fn borrow<'a>(&self, store: &'a StoreInner) -> &'a GlobalObj {
        // SAFETY: `object` checks that the global belongs to this store, where it never goes away.
        unsafe { self.object(store).as_ref() }
    }
}

fn to_value(value: Val, ty: &GlobalType, store: StoreId) -> Result<[u64; 2]> {
    value
        .to_slots(ty.content(), store)
        .map_err(|error| error.context("bad value of a global"))
}
