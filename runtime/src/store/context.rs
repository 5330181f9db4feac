//! Stores and borrows of them, with the embedder's data.

use alloc::boxed::Box;
use core::{fmt, marker::PhantomData, ptr::NonNull};

use super::StoreInner;
use crate::{Engine, Result, StoreLimits};

/// A store in memory: the untyped part first, so that a pointer to it is one to all of it.
#[repr(C)]
struct StoreData<T> {
    inner: StoreInner,
    data: T,
}

/// Makes a type invariant in `T`: a store keeps host functions of exactly its `T`, so that a store of one
/// lifetime must not become a store of another.
type Invariant<T> = fn(T) -> T;

/// Owner of instances, memories, tables, globals and functions, and of the embedder's data `T`.
///
/// All of them are freed together, when the store is dropped.
pub struct Store<T> {
    /// From a box, which it owns. Everything is reached through this one pointer, so that handlers and host
    /// functions may hold copies of it.
    ptr: NonNull<StoreData<T>>,
    marker: PhantomData<(StoreData<T>, Invariant<T>)>,
}

// With `std`, all that a store owns can move between threads: engines and modules are made for it, and host
// functions and host references are `Send + Sync` by their bounds.
// SAFETY: the raw pointers inside lead to what the store owns.
#[cfg(feature = "std")]
unsafe impl<T: Send> Send for Store<T> {}
// SAFETY: as above; a shared borrow changes nothing.
#[cfg(feature = "std")]
unsafe impl<T: Sync> Sync for Store<T> {}

/// A shared borrow of a [`Store`].
pub struct StoreContext<'a, T> {
    ptr: NonNull<StoreData<T>>,
    marker: PhantomData<(&'a StoreData<T>, Invariant<T>)>,
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
        let store = Box::new(StoreData {
            inner: StoreInner::new(engine),
            data,
        });
        Self {
            ptr: NonNull::from(Box::leak(store)),
            marker: PhantomData,
        }
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.as_context().data()
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        self.as_context_mut().into_data_mut()
    }

    /// Drops the store and gives back the embedder's data.
    pub fn into_data(self) -> T {
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: the pointer is from a box (`new`), and `drop` does not run.
        let store = unsafe { Box::from_raw(this.ptr.as_ptr()) };
        store.data
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        self.as_context().engine()
    }

    /// Limits what modules may use of this store from now on. What exists already keeps the limits that
    /// it was made with.
    pub fn limiter(&mut self, limits: StoreLimits) {
        self.as_context_mut().inner_mut().limits = limits;
    }

    /// Sets the fuel that is left.
    ///
    /// # Errors
    /// If the engine does not meter: see [`Config::consume_fuel`](crate::Config::consume_fuel).
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.as_context_mut().set_fuel(fuel)
    }

    /// The fuel that is left.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.as_context().get_fuel()
    }

    /// Sets the deadline to so many epochs after the engine's present one
    /// ([`Engine::increment_epoch`]). When it has come, code of this store does not go on: it traps with
    /// [`Trap::Interrupt`](crate::Trap::Interrupt), or is suspended if it was called by
    /// [`Func::call_resumable`](crate::Func::call_resumable). A new store's deadline is the epoch at which it
    /// was made.
    ///
    /// On 32-bit targets the deadline is at most 2,147,483,647 epochs away. It does nothing if
    /// [`Config::epoch_interruption`](crate::Config::epoch_interruption) is off.
    pub fn set_epoch_deadline(&mut self, ticks_beyond_current: u64) {
        self.as_context_mut()
            .set_epoch_deadline(ticks_beyond_current);
    }
}

impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is from a box (`new`), and this is its only owner.
        drop(unsafe { Box::from_raw(self.ptr.as_ptr()) });
    }
}

impl<T: Default> Default for Store<T> {
    fn default() -> Self {
        Self::new(&Engine::default(), T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("data", self.data())
            .finish_non_exhaustive()
    }
}

impl<'a, T> StoreContext<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &'a T {
        // SAFETY: the store is borrowed for `'a`.
        unsafe { &(*self.ptr.as_ptr()).data }
    }

    /// The engine of the store.
    pub fn engine(&self) -> &'a Engine {
        self.inner().engine()
    }

    /// The fuel that is left.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.inner().fuel()
    }

    /// Has the deadline come ([`Store::set_epoch_deadline`])? For host functions that wait: see
    /// [`Engine::wake_on_epoch`]. Never if [`Config::epoch_interruption`](crate::Config::epoch_interruption)
    /// is off.
    pub fn epoch_deadline_reached(&self) -> bool {
        self.inner().ctx.deadline_has_come()
    }

    pub(crate) fn inner(&self) -> &'a StoreInner {
        // SAFETY: the store is borrowed for `'a`.
        unsafe { &(*self.ptr.as_ptr()).inner }
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
        // SAFETY: the store is borrowed exclusively for `'a`, and this borrow is borrowed for the result.
        unsafe { &(*self.ptr.as_ptr()).data }
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        // SAFETY: as in `data`.
        unsafe { &mut (*self.ptr.as_ptr()).data }
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        self.inner().engine()
    }

    /// Sets the fuel that is left.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.inner_mut().set_fuel(fuel)
    }

    /// The fuel that is left.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.inner().fuel()
    }

    /// See [`Store::set_epoch_deadline`].
    pub fn set_epoch_deadline(&mut self, ticks_beyond_current: u64) {
        self.inner_mut().ctx.set_deadline(ticks_beyond_current);
    }

    /// A borrow of the store that a host function is called with.
    ///
    /// # Safety
    /// The store has data of the type `T`, and is not used otherwise as long as this borrow is.
    pub(crate) unsafe fn from_inner(store: NonNull<StoreInner>) -> Self {
        Self {
            ptr: store.cast(),
            marker: PhantomData,
        }
    }

    pub(crate) fn inner_ptr(&mut self) -> NonNull<StoreInner> {
        self.ptr.cast()
    }

    pub(crate) fn inner(&self) -> &StoreInner {
        // SAFETY: as in `data`.
        unsafe { &(*self.ptr.as_ptr()).inner }
    }

    pub(crate) fn inner_mut(&mut self) -> &mut StoreInner {
        // SAFETY: as in `data`.
        unsafe { &mut (*self.ptr.as_ptr()).inner }
    }

    /// The embedder's data, as long as the store is borrowed.
    pub(crate) fn into_data_mut(self) -> &'a mut T {
        // SAFETY: the store is borrowed exclusively for `'a`, and the borrow is given up here.
        unsafe { &mut (*self.ptr.as_ptr()).data }
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
