//! Instances of modules, and what they import and export.

use core::{fmt, ptr::NonNull};

use crate::{
    AsContext, AsContextMut, Error, ExternType, Func, Global, Memory, Module, Result, StoreContext,
    StoreContextMut, Table, TypedFunc, WasmParams, WasmResults,
    module::{ExternIndex, ExternKind},
    store::{InstanceObj, StoreId, StoreInner, instance::instantiate},
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
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        self.type_in(store.as_context().inner())
    }

    #[track_caller]
    pub(crate) fn type_in(&self, store: &StoreInner) -> ExternType {
        match self {
            Self::Func(item) => item.type_in(store).clone().into(),
            Self::Global(item) => item.borrow(store).ty.clone().into(),
            Self::Table(item) => item.borrow(store).ty().into(),
            Self::Memory(item) => item.borrow(store).ty().into(),
        }
    }

    /// Panics if it belongs to another store.
    #[track_caller]
    pub(crate) fn check(&self, store: &StoreInner) {
        match self {
            Self::Func(item) => drop(item.object(store)),
            Self::Global(item) => drop(item.object(store)),
            Self::Table(item) => drop(item.object(store)),
            Self::Memory(item) => drop(item.object(store)),
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

/// An instance of a module in a store. Two handles are equal if they are of the same instance.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Instance {
    store: StoreId,
    object: NonNull<InstanceObj>,
}

// SAFETY: a handle is an address and an identity; it is dereferenced only through a borrow of the store
// that has this identity.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instance").field(&self.object).finish()
    }
}

/// All methods panic if the instance belongs to another store.
impl Instance {
    /// Instantiates a module with its imports, in the order of [`Module::imports`].
    ///
    /// This initialises globals, tables and memories, and runs the start function. What these did before a
    /// trap stays done, as the spec says.
    ///
    /// # Errors
    /// If the imports do not match, if the store's limits or the machine's memory do not suffice, or if the
    /// initialisation or the start function traps.
    pub fn new(mut store: impl AsContextMut, module: &Module, imports: &[Extern]) -> Result<Self> {
        let mut store = store.as_context_mut();
        let id = store.inner().id;
        // SAFETY: the store is borrowed exclusively.
        let object = unsafe { instantiate(store.inner_ptr(), module, imports)? };
        Ok(Self { store: id, object })
    }

    /// A handle to an instance of the store with this identity.
    pub(crate) fn from_object(store: StoreId, object: NonNull<InstanceObj>) -> Self {
        Self { store, object }
    }

    /// Its module.
    pub fn module<'a, T: 'a>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a Module {
        &self.borrow(store.into().inner()).module
    }

    /// Its exports, in the module's order.
    pub fn exports<'a, T: 'a>(
        &'a self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> impl ExactSizeIterator<Item = Export<'a>> + 'a {
        let store: StoreContext<'a, T> = store.into().into();
        let instance = self.borrow(store.inner());
        let exports = instance.module.inner().exports();
        exports.map(|(name, item)| Export {
            name,
            item: instance.item(item, self.store),
        })
    }

    /// The export with this name.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        self.borrow(store.as_context_mut().inner())
            .export(name, self.store)
    }

    /// The exported function with this name.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported function with this name and type.
    ///
    /// # Errors
    /// If there is no such function, or if it has another type.
    pub fn get_typed_func<Params: WasmParams, Results: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<Params, Results>> {
        let func = self
            .get_func(&mut store, name)
            .ok_or_else(|| Error::msg(format_args!("the instance exports no function `{name}`")))?;
        func.typed(&store)
            .map_err(|error| error.context(format_args!("export `{name}`")))
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

    /// The object, which is one of this store.
    #[track_caller]
    pub(crate) fn object(&self, store: &StoreInner) -> NonNull<InstanceObj> {
        store.check(self.store);
        self.object
    }

    #[track_caller]
    fn borrow<'a>(&self, store: &'a StoreInner) -> &'a InstanceObj {
        // SAFETY: `object` checks that the instance belongs to this store, where it never goes away.
        unsafe { self.object(store).as_ref() }
    }
}

impl InstanceObj {
    /// The export with this name; the instance is one of the store with this identity.
    pub(crate) fn export(&self, name: &str, store: StoreId) -> Option<Extern> {
        self.module
            .inner()
            .export(name)
            .map(|item| self.item(item, store))
    }

    fn item(&self, item: ExternIndex, store: StoreId) -> Extern {
        let index = item.index as usize;
        // SAFETY: the lists of an instance hold addresses of objects, which are not null.
        unsafe {
            match item.kind {
                ExternKind::Func => Func::from_object(store, self.func(item.index)).into(),
                ExternKind::Table => {
                    Table::from_object(store, NonNull::new_unchecked(self.tables[index])).into()
                }
                ExternKind::Memory => {
                    Memory::from_object(store, NonNull::new_unchecked(self.memories[index])).into()
                }
                ExternKind::Global => {
                    Global::from_object(store, NonNull::new_unchecked(self.globals[index])).into()
                }
            }
        }
    }
}
