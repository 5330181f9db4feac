//! Instances of modules, and what they import and export.

use core::ptr::NonNull;

use crate::{
    AsContext, AsContextMut, ExternType, Func, Global, Memory, Module, Result, StoreContext,
    StoreContextMut, Table, TypedFunc, WasmParams, WasmResults,
    store::{InstanceObj, StoreId},
};

/// Something that can be imported and exported.
#[derive(Copy, Clone, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
}

macro_rules! extern_accessors {
    ($($variant:ident $into:ident $what:literal;)*) => {
        impl Extern {$(
            #[doc = concat!("The ", $what, ", if it is one.")]
            pub fn $into(self) -> Option<$variant> {
                match self {
                    Self::$variant(item) => Some(item),
                    _ => None,
                }
            }
        )*}

        $(impl From<$variant> for Extern {
            fn from(item: $variant) -> Self {
                Self::$variant(item)
            }
        })*
    };
}

extern_accessors! {
    Func into_func "function";
    Global into_global "global";
    Table into_table "table";
    Memory into_memory "memory";
}

impl Extern {
    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        match self {
            Self::Func(item) => item.ty(store).into(),
            Self::Global(item) => item.ty(store).into(),
            Self::Table(item) => item.ty(store).into(),
            Self::Memory(item) => item.ty(store).into(),
        }
    }
}

/// An export of an instance: its name and what it is.
#[derive(Clone, Debug)]
pub struct Export<'instance> {
    name: &'instance str,
    item: Extern,
}

impl<'instance> Export<'instance> {
    /// Its name.
    pub fn name(&self) -> &'instance str {
        self.name
    }

    /// What it is.
    pub fn into_extern(self) -> Extern {
        self.item
    }
}

/// An instance of a module in a store.
#[derive(Copy, Clone, Debug)]
pub struct Instance {
    store: StoreId,
    ptr: NonNull<InstanceObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    /// Instantiates a module with its imports, in the order of [`Module::imports`].
    ///
    /// This initialises tables and memories and runs the start function. What these did before a trap
    /// stays done, as the spec says.
    pub fn new(mut store: impl AsContextMut, module: &Module, imports: &[Extern]) -> Result<Self> {
        todo!()
    }

    /// Its module.
    pub fn module<'a, T: 'a>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a Module {
        todo!()
    }

    /// Its exports, in the module's order.
    pub fn exports<'a, T: 'a>(
        &'a self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> impl ExactSizeIterator<Item = Export<'a>> + 'a {
        (0..0usize).map(|_| todo!())
    }

    /// The export with this name.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        todo!()
    }

    /// The exported function with this name.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported function with this name, if it has this type.
    pub fn get_typed_func<Params: WasmParams, Results: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<Params, Results>> {
        todo!()
    }

    /// The exported memory with this name.
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported table with this name.
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported global with this name.
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }
}
