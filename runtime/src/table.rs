//! Tables.

use core::{fmt, ptr::NonNull};

use crate::{
    AsContext, AsContextMut, Ref, RefType, Result, TableType, ValType,
    error::bail,
    store::{StoreId, StoreInner, TableObj},
};

/// A table in a store.
#[derive(Copy, Clone)]
pub struct Table {
    store: StoreId,
    object: NonNull<TableObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.object).finish()
    }
}

/// All methods panic if the table belongs to another store.
impl Table {
    /// A new table; every element is `init`.
    ///
    /// # Errors
    /// If `init` has another type, if the table is beyond the store's limits, or if there is not enough
    /// memory.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Self> {
        let mut store = store.as_context_mut();
        let store = store.inner_mut();
        let init = to_element(init, *ty.element(), store.id)?;
        let table = TableObj::new(&ty, init, store.limits())?;
        Ok(Self {
            store: store.id,
            object: store.add_table(table)?,
        })
    }

    /// Its type; the minimum is its present size.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        self.borrow(store.as_context().inner()).ty()
    }

    /// An element; nothing if there is none at `index`.
    pub fn get(&self, store: impl AsContext, index: u64) -> Option<Ref> {
        let store = store.as_context();
        let table = self.borrow(store.inner());
        let element = *table.elements().get(usize::try_from(index).ok()?)?;
        Some(Ref::from_slot(
            element,
            table.element_type().heap_type(),
            self.store,
        ))
    }

    /// Changes an element.
    ///
    /// # Errors
    /// If there is none at `index`, or if `value` has another type.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Ref) -> Result<()> {
        let mut store = store.as_context_mut();
        let table = self.borrow_mut(store.inner_mut());
        let value = to_element(value, table.element_type(), self.store)?;
        let len = table.len;
        let Ok([element]) = table.range(index, 1) else {
            bail!("no element {index} in a table of {len} elements");
        };
        *element = value;
        Ok(())
    }

    /// Its size in elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.borrow(store.as_context().inner()).len as u64
    }

    /// Grows it by `delta` elements, each `init`, and returns its size before.
    ///
    /// # Errors
    /// If `init` has another type, if that is beyond the table's maximum or the store's limits, or if there
    /// is not enough memory.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        let mut store = store.as_context_mut();
        let table = self.borrow_mut(store.inner_mut());
        let init = to_element(init, table.element_type(), self.store)?;
        let Some(old) = table.grow(delta, init) else {
            let (len, limit) = (table.len, table.limit);
            bail!(
                "cannot grow a table of {len} elements by {delta}: the limit is {limit} elements"
            );
        };
        Ok(old)
    }

    /// Sets `len` elements from `dst` on to `value`.
    ///
    /// # Errors
    /// If not all of these elements exist, or if `value` has another type.
    pub fn fill(&self, mut store: impl AsContextMut, dst: u64, value: Ref, len: u64) -> Result<()> {
        let mut store = store.as_context_mut();
        let table = self.borrow_mut(store.inner_mut());
        let value = to_element(value, table.element_type(), self.store)?;
        Ok(table.fill(dst, value, len)?)
    }

    /// A handle to a table of the store with this identity.
    pub(crate) fn from_object(store: StoreId, object: NonNull<TableObj>) -> Self {
        Self { store, object }
    }

    /// The object, which is one of this store.
    #[track_caller]
    pub(crate) fn object(&self, store: &StoreInner) -> NonNull<TableObj> {
        store.check(self.store);
        self.object
    }

    /// The object, which is one of this store.
    #[track_caller]
    pub(crate) fn borrow<'a>(&self, store: &'a StoreInner) -> &'a TableObj {
        // SAFETY: `object` checks that the table belongs to this store, where it never goes away.
        unsafe { self.object(store).as_ref() }
    }

    #[track_caller]
    fn borrow_mut<'a>(&self, store: &'a mut StoreInner) -> &'a mut TableObj {
        // SAFETY: as in `borrow`; the store is borrowed exclusively.
        unsafe { self.object(store).as_mut() }
    }
}

/// An element of such a table.
fn to_element(value: Ref, ty: RefType, store: StoreId) -> Result<u64> {
    crate::Val::from(value)
        .to_slots(&ValType::Ref(ty), store)
        .map(|slots| slots[0])
        .map_err(|error| error.context("bad table element"))
}
