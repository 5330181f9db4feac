//! Linking imports by name.

use core::marker::PhantomData;

use crate::{
    AsContext, AsContextMut, Caller, Engine, Extern, Func, FuncType, ImportType, Instance,
    IntoFunc, Module, Result, Val,
};

/// Names for host functions and other imports, and instantiation with them.
pub struct Linker<T> {
    engine: Engine,
    marker: PhantomData<fn(T) -> T>,
}

impl<T> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Self {
        todo!()
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// May a name be defined again? By default that is an error.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        todo!()
    }

    /// Defines a name.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self> {
        todo!()
    }

    /// Defines a host function whose type is that of a closure. It needs no store.
    pub fn func_wrap<Params, Results>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Result<&mut Self> {
        todo!()
    }

    /// Defines a host function of a type that is known only at run time. It needs no store.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        todo!()
    }

    /// Defines all exports of an instance under a module name.
    pub fn instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        todo!()
    }

    /// Instantiates a module, runs its `_initialize` if it exports that, and defines all its exports
    /// under a module name.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Self> {
        todo!()
    }

    /// The definition of a name.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Extern> {
        todo!()
    }

    /// The definition that an import would get.
    pub fn get_by_import(
        &self,
        mut store: impl AsContextMut<Data = T>,
        import: &ImportType<'_>,
    ) -> Option<Extern> {
        todo!()
    }

    /// Instantiates a module with what is defined.
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        todo!()
    }

    /// Defines each function that `module` imports and that is not defined yet, as one that traps.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        todo!()
    }

    /// The function to run when only a module name is given: its export `""` or `_start`, or else one
    /// that does nothing.
    pub fn get_default(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
    ) -> Result<Func> {
        todo!()
    }
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        todo!()
    }
}
