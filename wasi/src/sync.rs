//! Sharing: a value that one holder at a time may change, with threads (`std`) and without them.

use core::sync::atomic::{AtomicUsize, Ordering};

#[cfg(not(feature = "std"))]
pub(crate) use flag::Lock;
#[cfg(feature = "std")]
pub(crate) use system::Lock;

/// The number of a new tree, by which a guest tells files of two trees apart. It stands where the hosts' trees
/// have their device, and is none of those.
pub(crate) fn new_tree_number() -> u64 {
    const NO_HOST: u64 = 1 << 63;
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    NO_HOST | COUNT.fetch_add(1, Ordering::Relaxed) as u64
}

/// By the system's lock, which waits.
#[cfg(feature = "std")]
mod system {
    use std::sync::{Mutex, PoisonError};

    use crate::types::Errno;

    /// A value that one holder at a time may change.
    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        /// Runs `f` with exclusive access. No holder calls anything that is not this crate's, so none panics
        /// and leaves the value in pieces.
        pub(crate) fn with<R>(
            &self,
            f: impl FnOnce(&mut T) -> Result<R, Errno>,
        ) -> Result<R, Errno> {
            f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }
}

/// By a flag. Nobody waits for it: with one thread nobody has to, and one who interrupted the holder would
/// wait for ever.
#[cfg(any(not(feature = "std"), test))]
mod flag {
    use core::{
        cell::UnsafeCell,
        fmt,
        sync::atomic::{AtomicBool, Ordering},
    };

    use crate::types::Errno;

    /// A value that one holder at a time may change.
    #[derive(Default)]
    pub(crate) struct Lock<T> {
        held: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: `with` gives the value to one holder at a time, as a reference that ends with the call; who
    // sets `held` acquires what the holder before has released. A value that may be sent between threads may
    // be used so.
    unsafe impl<T: Send> Sync for Lock<T> {}

    /// Gives the value back, however its holder ends.
    struct Held<'a>(&'a AtomicBool);

    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Release);
        }
    }

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self {
                held: AtomicBool::new(false),
                value: UnsafeCell::new(value),
            }
        }

        /// Runs `f` with exclusive access; `busy` if another has it.
        pub(crate) fn with<R>(
            &self,
            f: impl FnOnce(&mut T) -> Result<R, Errno>,
        ) -> Result<R, Errno> {
            if self.held.swap(true, Ordering::Acquire) {
                return Err(Errno::Busy);
            }
            let _held = Held(&self.held);
            // SAFETY: the flag was not set, and whoever finds it set does not come here; so there is no other
            // reference until `_held` is dropped, after this one has ended.
            f(unsafe { &mut *self.value.get() })
        }
    }

    impl<T> fmt::Debug for Lock<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Lock(..)")
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicU32, Ordering},
        thread,
    };

    use super::flag;
    use crate::types::Errno;

    #[test]
    fn nobody_waits_for_a_flag() {
        let lock = flag::Lock::new(1);
        let inner = lock.with(|value| {
            *value += 1;
            Ok(lock.with(|_| Ok(())))
        });
        assert_eq!(inner, Ok(Err(Errno::Busy)));
        assert_eq!(lock.with(|value| Ok(*value)), Ok(2));
        let failed: Result<(), _> = lock.with(|_| Err(Errno::Io));
        assert_eq!(failed, Err(Errno::Io));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _: Result<(), _> = lock.with(|_| panic!("a holder panics"));
        }));
        assert!(panicked.is_err());
        assert_eq!(lock.with(|value| Ok(*value)), Ok(2));
    }

    #[test]
    fn one_thread_at_a_time_has_the_value() {
        let (lock, busy) = (flag::Lock::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let added = lock.with(|value| {
                            *value += 1;
                            Ok(())
                        });
                        if added == Err(Errno::Busy) {
                            busy.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let added = lock.with(|value| Ok(*value));
        assert_eq!(added, Ok(40_000 - busy.load(Ordering::Relaxed)));
    }
}
