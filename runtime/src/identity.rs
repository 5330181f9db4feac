//! Which object of a store a handle leads to, for maps that embedders keep beside a store.

use crate::{
    AsContext, Extern, Func, Global, Instance, Memory, Table,
    store::{FuncObj, StoreId, StoreInner},
};

/// Identity of a function, global, table, memory or instance: equal exactly if two handles lead to the same one.
///
/// Handles themselves cannot tell: a function that an instance imports and exports again has handles of several
/// addresses. No object of a store gets the identity of another, also not after the other is gone.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    store: StoreId,
    kind: Kind,
    address: usize,
    /// A function's index, in its module or among the store's host functions; 0 for others.
    index: u32,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Func,
    Global,
    Table,
    Memory,
    Instance,
}

impl ObjectId {
    fn of<T>(store: StoreId, kind: Kind, object: *const T) -> Self {
        Self {
            store,
            kind,
            address: object.addr(),
            index: 0,
        }
    }

    /// Imports are copies of what they import, so a function is known by where it was defined.
    fn of_func(store: StoreId, func: &FuncObj) -> Self {
        Self {
            index: func.index,
            ..Self::of(store, Kind::Func, func.instance)
        }
    }
}

macro_rules! object_ids {
    ($($handle:ident = $object:ident, $store:ident => $id:expr;)*) => {$(
        impl $handle {
            /// Its identity.
            ///
            /// # Panics
            /// If it belongs to another store.
            pub fn object_id(&self, store: impl AsContext) -> ObjectId {
                self.object_id_in(store.as_context().inner())
            }

            #[track_caller]
            fn object_id_in(&self, $store: &StoreInner) -> ObjectId {
                let $object = self.object($store);
                $id
            }
        }
    )*};
}

object_ids! {
    // SAFETY: `object` checks that the function belongs to this store, where it never goes away.
    Func = object, store => ObjectId::of_func(store.id, unsafe { object.as_ref() });
    Global = object, store => ObjectId::of(store.id, Kind::Global, object.as_ptr());
    Table = object, store => ObjectId::of(store.id, Kind::Table, object.as_ptr());
    Memory = object, store => ObjectId::of(store.id, Kind::Memory, object.as_ptr());
    Instance = object, store => ObjectId::of(store.id, Kind::Instance, object.as_ptr());
}

impl Extern {
    /// Its identity.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn object_id(&self, store: impl AsContext) -> ObjectId {
        let store = store.as_context();
        match self {
            Self::Func(item) => item.object_id(store),
            Self::Global(item) => item.object_id(store),
            Self::Table(item) => item.object_id(store),
            Self::Memory(item) => item.object_id(store),
        }
    }
}
