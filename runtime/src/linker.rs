//! Linking imports by name.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{fmt, marker::PhantomData};

use crate::{
    AsContext, AsContextMut, Caller, Engine, Error, Extern, ExternType, Func, FuncType, ImportType,
    Instance, IntoFunc, Module, Result, Val,
    error::bail,
    func,
    store::{HostFunc, StoreInner},
    sync::Arc,
};

/// Definitions of names for imports, and instantiation with them.
///
/// Host functions are defined without a store, so one linker serves many stores.
pub struct Linker<T> {
    engine: Engine,
    allow_shadowing: bool,
    /// By module name, then by field name.
    definitions: BTreeMap<Box<str>, BTreeMap<Box<str>, Definition>>,
    marker: PhantomData<fn(T) -> T>,
}

#[derive(Clone)]
enum Definition {
    /// Something in a store.
    Extern(Extern),
    /// A host function, for any store with data of the linker's `T`.
    Host(Arc<HostFunc>),
}

impl Definition {
    fn to_extern(&self, store: &mut StoreInner) -> Extern {
        match self {
            Self::Extern(item) => *item,
            Self::Host(func) => Func::from_host(store, func.clone()).into(),
        }
    }
}

impl<T> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            allow_shadowing: false,
            definitions: BTreeMap::new(),
            marker: PhantomData,
        }
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// May a name be defined again, so that the last definition counts? By default that is an error.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    /// Defines a name. It can be linked only in the store that `item` belongs to.
    ///
    /// # Errors
    /// If the name is defined already.
    ///
    /// # Panics
    /// If `item` does not belong to `store`.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self> {
        let item = item.into();
        item.check(store.as_context().inner());
        self.insert(module, name, Definition::Extern(item))
    }

    /// Defines a host function whose type is that of a closure. It needs no store.
    ///
    /// # Errors
    /// If the name is defined already.
    pub fn func_wrap<Params, Results>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Result<&mut Self> {
        let func = func.into_host_func(&self.engine).0;
        self.insert(module, name, Definition::Host(func))
    }

    /// Defines a host function of a type that is known only at run time, as [`Func::new`]. It needs no
    /// store.
    ///
    /// # Errors
    /// If the name is defined already.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        let func = func::dynamic(&self.engine, ty, func);
        self.insert(module, name, Definition::Host(func))
    }

    /// Defines all exports of an instance under a module name.
    ///
    /// # Errors
    /// If one of the names is defined already.
    pub fn instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        for export in instance.exports(store.as_context_mut()) {
            self.insert(
                module_name,
                export.name(),
                Definition::Extern(export.into_extern()),
            )?;
        }
        Ok(self)
    }

    /// Instantiates a module, runs its `_initialize` if it exports that, and defines all its exports
    /// under a module name.
    ///
    /// # Errors
    /// As [`Linker::instantiate`] and [`Linker::instance`], and if `_initialize` traps.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Self> {
        let instance = self.instantiate(&mut store, module)?;
        if let Some(initialize) = instance.get_func(&mut store, "_initialize") {
            initialize.typed::<(), ()>(&store)?.call(&mut store, ())?;
        }
        self.instance(store, module_name, instance)
    }

    /// The definition of a name. A host function becomes one of the store.
    ///
    /// # Panics
    /// If the definition belongs to another store.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Extern> {
        let definition = self.definition(module, name)?;
        let mut store = store.as_context_mut();
        let item = definition.to_extern(store.inner_mut());
        item.check(store.inner());
        Some(item)
    }

    /// The definition that an import would get.
    ///
    /// # Panics
    /// As [`Linker::get`].
    pub fn get_by_import(
        &self,
        store: impl AsContextMut<Data = T>,
        import: &ImportType<'_>,
    ) -> Option<Extern> {
        self.get(store, import.module(), import.name())
    }

    /// Instantiates a module with what is defined.
    ///
    /// # Errors
    /// If an import is not defined, and as [`Instance::new`].
    ///
    /// # Panics
    /// As [`Linker::get`].
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        let imports = module.imports().map(|import| {
            self.get_by_import(&mut store, &import)
                .ok_or_else(|| unknown_import(import.module(), import.name()))
        });
        let imports = imports.collect::<Result<Vec<_>>>()?;
        Instance::new(store, module, &imports)
    }

    /// Defines each function that `module` imports and that is not defined yet, as one that fails when it is
    /// called.
    ///
    /// # Errors
    /// Never now; the signature is Wasmtime's.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        for import in module.imports() {
            let (module, name) = (import.module(), import.name());
            let ExternType::Func(ty) = import.ty() else {
                continue;
            };
            if self.definition(module, name).is_none() {
                let names: [Box<str>; 2] = [module.into(), name.into()];
                self.func_new(module, name, ty, move |_, _, _| {
                    Err(unknown_import(&names[0], &names[1]))
                })?;
            }
        }
        Ok(())
    }

    /// The function to run when only a module name is given: the one defined as `""` or as `_start` under
    /// that name, or else one that does nothing.
    ///
    /// # Errors
    /// If the definition is not a function.
    ///
    /// # Panics
    /// As [`Linker::get`].
    pub fn get_default(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
    ) -> Result<Func> {
        for name in ["", "_start"] {
            if let Some(item) = self.get(&mut store, module, name) {
                return item.into_func().ok_or_else(|| {
                    Error::msg(format_args!(
                        "the default export `{name}` of `{module}` is not a function"
                    ))
                });
            }
        }
        Ok(Func::wrap(store, || {}))
    }

    fn definition(&self, module: &str, name: &str) -> Option<&Definition> {
        self.definitions.get(module)?.get(name)
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> Result<&mut Self> {
        if !self.allow_shadowing && self.definition(module, name).is_some() {
            bail!("`{module}::{name}` is defined already (see Linker::allow_shadowing)");
        }
        if !self.definitions.contains_key(module) {
            self.definitions.insert(module.into(), BTreeMap::new());
        }
        if let Some(names) = self.definitions.get_mut(module) {
            names.insert(name.into(), definition);
        }
        Ok(self)
    }
}

fn unknown_import(module: &str, name: &str) -> Error {
    Error::msg(format_args!(
        "unknown import: `{module}::{name}` has not been defined"
    ))
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            allow_shadowing: self.allow_shadowing,
            definitions: self.definitions.clone(),
            marker: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.definitions.iter();
        let names = names.flat_map(|(module, names)| names.keys().map(move |name| (module, name)));
        f.debug_list().entries(names).finish()
    }
}
