//! Stores: the owners of everything that runs.

use core::{marker::PhantomData, ptr::NonNull};

use crate::{Engine, Result, StoreLimits, exec::Ctx, sync::Arc, types::FuncType};

mod objects;

pub(crate) use objects::{FuncObj, GlobalObj, InstanceObj, MemoryObj, TableObj};

/// Identity of a store.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreId(u64);

/// A store without the embedder's data: what the engine works on.
#[repr(C)]
pub(crate) struct StoreInner {
    pub(crate) ctx: Ctx,
    pub(crate) id: StoreId,
    pub(crate) engine: Engine,
    pub(crate) fuel: u64,
}

/// A store in memory: the untyped part first, so that a pointer to it is one to all of it.
#[repr(C)]
struct StoreData<T> {
    inner: StoreInner,
    data: T,
}

/// One call from Wasm to the host.
pub(crate) struct HostCall<'a> {
    pub(crate) store: NonNull<StoreInner>,
    /// The caller, or null.
    pub(crate) instance: *mut InstanceObj,
    pub(crate) slots: &'a mut [u64],
}

/// A host function. The store keeps `Arc<HostFunc>`s, which never go away before the store.
pub(crate) struct HostFunc<F: ?Sized = dyn Fn(HostCall<'_>) -> Result<()> + Send + Sync> {
    pub(crate) ty: FuncType,
    pub(crate) sig: u32,
    pub(crate) call: F,
}

/// Owner of instances, memories, tables, globals and functions, and of the embedder's data `T`.
///
/// All of them are freed together, when the store is dropped.
pub struct Store<T> {
    ptr: NonNull<StoreData<T>>,
    // Invariant in `T`: host functions of exactly this `T` are kept inside.
    marker: PhantomData<(StoreData<T>, fn(T) -> T)>,
}

/// A shared borrow of a [`Store`].
pub struct StoreContext<'a, T> {
    ptr: NonNull<StoreData<T>>,
    marker: PhantomData<(&'a StoreData<T>, fn(T) -> T)>,
}

/// An exclusive borrow of a [`Store`].
pub struct StoreContextMut<'a, T> {
    ptr: NonNull<StoreData<T>>,
    marker: PhantomData<&'a mut StoreData<T>>,
}

/// Something that a store can be read through.
pub trait AsContext {
    /// The embedder's data.
    type Data;

    /// Borrows the store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// Something that a store can be changed through.
pub trait AsContextMut: AsContext {
    /// Borrows the store.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T> Store<T> {
    /// An empty store.
    pub fn new(engine: &Engine, data: T) -> Self {
        todo!()
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        todo!()
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        todo!()
    }

    /// Drops the store and gives back the embedder's data.
    pub fn into_data(self) -> T {
        todo!()
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        todo!()
    }

    /// Limits what the store's modules may use from now on.
    pub fn limiter(&mut self, limits: StoreLimits) {
        todo!()
    }

    /// Sets the fuel that is left.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        todo!()
    }

    /// The fuel that is left.
    pub fn get_fuel(&self) -> Result<u64> {
        todo!()
    }
}

impl<'a, T> StoreContext<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &'a T {
        todo!()
    }

    /// The engine of the store.
    pub fn engine(&self) -> &'a Engine {
        todo!()
    }

    /// The fuel that is left.
    pub fn get_fuel(&self) -> Result<u64> {
        todo!()
    }
}

impl<T> Clone for StoreContext<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StoreContext<'_, T> {}

impl<'a, T> StoreContextMut<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &T {
        todo!()
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        todo!()
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        todo!()
    }

    /// Sets the fuel that is left.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        todo!()
    }

    /// The fuel that is left.
    pub fn get_fuel(&self) -> Result<u64> {
        todo!()
    }
}

impl<T> AsContext for Store<T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext {
            ptr: self.ptr,
            marker: PhantomData,
        }
    }
}

impl<T> AsContextMut for Store<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut {
            ptr: self.ptr,
            marker: PhantomData,
        }
    }
}

impl<T> AsContext for StoreContext<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        *self
    }
}

impl<T> AsContext for StoreContextMut<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext {
            ptr: self.ptr,
            marker: PhantomData,
        }
    }
}

impl<T> AsContextMut for StoreContextMut<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut {
            ptr: self.ptr,
            marker: PhantomData,
        }
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        C::as_context_mut(self)
    }
}

impl<'a, C: AsContext> From<&'a C> for StoreContext<'a, C::Data> {
    fn from(context: &'a C) -> Self {
        context.as_context()
    }
}

impl<'a, C: AsContext> From<&'a mut C> for StoreContext<'a, C::Data> {
    fn from(context: &'a mut C) -> Self {
        C::as_context(context)
    }
}

impl<'a, C: AsContextMut> From<&'a mut C> for StoreContextMut<'a, C::Data> {
    fn from(context: &'a mut C) -> Self {
        context.as_context_mut()
    }
}

impl<'a, T> From<StoreContextMut<'a, T>> for StoreContext<'a, T> {
    fn from(context: StoreContextMut<'a, T>) -> Self {
        Self {
            ptr: context.ptr,
            marker: PhantomData,
        }
    }
}
