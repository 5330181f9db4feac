//! Sharing, by what the target has: threads (`std`) or a single owner (`no_std`).
//!
//! With `std`, engines and modules are shared between threads. Without it they have one owner by type
//! (`Rc`, `RefCell`), so no spin lock is ever needed and targets without compare-and-swap work too.

#[cfg(feature = "std")]
pub(crate) use std::sync::Arc;

#[cfg(not(feature = "std"))]
pub(crate) use alloc::rc::Rc as Arc;

/// A value that one holder at a time may change.
#[derive(Debug, Default)]
pub(crate) struct Lock<T> {
    #[cfg(feature = "std")]
    inner: std::sync::Mutex<T>,
    #[cfg(not(feature = "std"))]
    inner: core::cell::RefCell<T>,
}

impl<T> Lock<T> {
    /// Runs `f` with exclusive access.
    ///
    /// A panic in an earlier holder leaves the value as it was: every user of a lock in this crate only
    /// appends, and publishes last, so a poisoned lock is still consistent.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(feature = "std")]
        return f(&mut self
            .inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner));
        #[cfg(not(feature = "std"))]
        return f(&mut self.inner.borrow_mut());
    }
}
