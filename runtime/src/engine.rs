//! The engine: configuration, and the numbers of function types, shared by all modules and stores.
//!
//! Equal function types have equal numbers, so that a check of a type at run time compares two words.
//! Modules and host functions hold a number as long as they live; then it is free for another type.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{
    fmt, ptr,
    sync::atomic::{AtomicUsize, Ordering, fence},
    task::Waker,
};

use crate::{
    Config, Result,
    exec::{Meter, Target},
    sync::{Arc, Lock},
    types::FuncType,
};

/// Configuration and shared state of modules and stores. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<EngineInner>,
}

struct EngineInner {
    config: Config,
    target: Target,
    types: Lock<TypeRegistry>,
    epoch: AtomicUsize,
    /// Who waits for the next epoch, and how many they are.
    wakers: Lock<Vec<(usize, Waker)>>,
    waiting: AtomicUsize,
    #[cfg(not(target_has_atomic = "64"))]
    stores: EngineStores,
}

impl Engine {
    /// An engine with this configuration.
    ///
    /// # Errors
    /// If options contradict each other or are out of their range.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self::with_config(config.clone()))
    }

    fn with_config(config: Config) -> Self {
        Self {
            inner: Arc::new(EngineInner {
                target: Target::new(&config),
                config,
                types: Lock::default(),
                epoch: AtomicUsize::new(0),
                wakers: Lock::default(),
                waiting: AtomicUsize::new(0),
                #[cfg(not(target_has_atomic = "64"))]
                stores: EngineStores::new(),
            }),
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Begins the next epoch. Code of stores whose deadline
    /// ([`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline)) has come stops within less than a
    /// millisecond, on whatever thread it runs.
    ///
    /// It may be called from any thread, and wakes host functions that wait ([`Engine::wake_on_epoch`]). It
    /// takes no lock unless there are such. Nothing stops if [`Config::epoch_interruption`] is off. Where
    /// [`Config::epoch_source`] names another counter, that is the one which counts.
    pub fn increment_epoch(&self) {
        let epoch = self.epoch();
        // Only the value counts, so no ordering is needed.
        #[cfg(target_has_atomic = "ptr")]
        epoch.fetch_add(1, Ordering::Relaxed);
        // Such targets have no second thread.
        #[cfg(not(target_has_atomic = "ptr"))]
        epoch.store(
            epoch.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
        // Either this sees who waits, or who is about to wait sees the new epoch: see `wake_on_epoch`.
        fence(Ordering::SeqCst);
        if self.inner.waiting.load(Ordering::Relaxed) != 0 {
            // What a waker does may have to do with this list, so it is not held meanwhile.
            let wakers: Vec<_> = self
                .inner
                .wakers
                .with(|wakers| wakers.iter().map(|(_, waker)| waker.clone()).collect());
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Has this waker woken at every [`Engine::increment_epoch`] from now on, until the result is dropped.
    ///
    /// For host functions that wait for the world and are to be interrupted: they register what wakes them,
    /// then ask whether the deadline has come already
    /// ([`StoreContext::epoch_deadline_reached`](crate::StoreContext::epoch_deadline_reached)), then wait.
    /// One that returns when the deadline has come need say nothing: no code of the guest runs after it. A
    /// counter of [`Config::epoch_source`] wakes nobody.
    pub fn wake_on_epoch(&self, waker: Waker) -> EpochWaker {
        let number = self.inner.wakers.with(|wakers| {
            // A number that no other has: numbers are few, as waiting calls are.
            let number = (0..=wakers.len())
                .find(|number| wakers.iter().all(|(other, _)| other != number))
                .unwrap_or(wakers.len());
            wakers.push((number, waker));
            self.inner.waiting.store(wakers.len(), Ordering::Relaxed);
            number
        });
        fence(Ordering::SeqCst);
        EpochWaker {
            engine: self.clone(),
            number,
        }
    }

    fn epoch(&self) -> &AtomicUsize {
        self.inner.config.epoch_source.unwrap_or(&self.inner.epoch)
    }

    /// A meter for a store, which keeps the engine as long as it uses it.
    pub(crate) fn meter(&self) -> Meter {
        let config = self.config();
        let epoch = if config.epoch_interruption {
            ptr::from_ref(self.epoch())
        } else {
            ptr::null()
        };
        Meter::new(config.consume_fuel, epoch)
    }

    /// What its code runs on.
    pub(crate) fn target(&self) -> &Target {
        &self.inner.target
    }

    /// Are these the same engine?
    pub fn same(a: &Self, b: &Self) -> bool {
        Arc::ptr_eq(&a.inner, &b.inner)
    }

    /// Numbers the types, and replaces each by the engine's copy.
    ///
    /// The caller holds the numbers until [`release`](Self::release).
    pub(crate) fn register(&self, types: &mut [FuncType]) -> Box<[u32]> {
        self.inner
            .types
            .with(|registry| types.iter_mut().map(|ty| registry.register(ty)).collect())
    }

    /// Gives back numbers of types.
    pub(crate) fn release(&self, types: &[FuncType]) {
        self.inner
            .types
            .with(|registry| types.iter().for_each(|ty| registry.release(ty)));
    }

    /// A number that no other store in this program has or had.
    pub(crate) fn new_store_id(&self) -> u64 {
        #[cfg(target_has_atomic = "64")]
        {
            use core::sync::atomic::{AtomicU64, Ordering};
            static NEXT: AtomicU64 = AtomicU64::new(0);
            // Only uniqueness counts, so no ordering is needed. It cannot wrap in the life of a machine.
            NEXT.fetch_add(1, Ordering::Relaxed)
        }
        #[cfg(not(target_has_atomic = "64"))]
        self.inner.stores.next()
    }
}

/// A waker that waits for the engine's next epoch as long as this exists.
#[derive(Debug)]
#[must_use = "the waker is forgotten when this is dropped"]
pub struct EpochWaker {
    engine: Engine,
    number: usize,
}

impl Drop for EpochWaker {
    fn drop(&mut self) {
        let inner = &self.engine.inner;
        // It is dropped after the list is let go: what it does then may have to do with the list.
        let _removed = inner.wakers.with(|wakers| {
            let place = wakers.iter().position(|(number, _)| *number == self.number);
            let removed = place.map(|place| wakers.remove(place));
            inner.waiting.store(wakers.len(), Ordering::Relaxed);
            removed
        });
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::with_config(Config::new())
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

/// The numbered function types of an engine.
///
/// A type has its natural number, which is the same in every engine, unless another type has that at the time. So code
/// that was translated elsewhere can have the numbers in it.
#[derive(Default)]
struct TypeRegistry {
    by_type: BTreeMap<FuncType, Registered>,
    taken: BTreeSet<u32>,
}

struct Registered {
    number: u32,
    holders: usize,
}

impl TypeRegistry {
    fn register(&mut self, ty: &mut FuncType) -> u32 {
        if let Some((known, _)) = self.by_type.get_key_value(ty) {
            *ty = known.clone();
        }
        let taken = &mut self.taken;
        let registered = self.by_type.entry(ty.clone()).or_insert_with(|| {
            let mut number = ty.natural_number();
            while !taken.insert(number) {
                number = number.wrapping_add(1);
            }
            Registered { number, holders: 0 }
        });
        registered.holders += 1;
        registered.number
    }

    fn release(&mut self, ty: &FuncType) {
        let Some(registered) = self.by_type.get_mut(ty) else {
            return;
        };
        registered.holders -= 1;
        if registered.holders == 0 {
            self.taken.remove(&registered.number);
            self.by_type.remove(ty);
        }
    }
}

/// Numbers of stores on targets without 64-bit atomics: the engine's half, and one counted by the engine.
///
/// The engine's half is the address of a byte that is never freed, so no later engine gets it again.
#[cfg(any(test, not(target_has_atomic = "64")))]
struct EngineStores {
    engine: u32,
    next: Lock<u32>,
}

#[cfg(any(test, not(target_has_atomic = "64")))]
impl EngineStores {
    fn new() -> Self {
        let token: &'static u8 = Box::leak(Box::new(0));
        Self {
            engine: core::ptr::from_ref(token).addr() as u32,
            next: Lock::default(),
        }
    }

    fn next(&self) -> u64 {
        let count = self.next.with(|next| {
            *next = next
                .checked_add(1)
                .expect("an engine can have 4,294,967,295 stores in its life");
            *next
        });
        u64::from(self.engine) << 32 | u64::from(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ValType;

    #[test]
    fn equal_types_share_a_number_until_the_last_holder_goes() {
        let engine = Engine::default();
        let unary = || FuncType::from_lists([ValType::I32], []);
        let nullary = || FuncType::from_lists([], [ValType::I32]);
        let first = engine.register(&mut [unary(), nullary()]);
        let second = engine.register(&mut [nullary(), unary()]);
        assert_eq!([first[0], first[1]], [second[1], second[0]]);
        assert_ne!(first[0], first[1]);

        engine.release(&[unary()]);
        assert_eq!(engine.register(&mut [unary()])[0], first[0]);
        engine.release(&[unary()]);
        engine.release(&[unary()]);
        // Nobody holds the number now, and the type gets it again.
        let other = FuncType::from_lists([ValType::F64], []);
        assert_ne!(engine.register(&mut [other])[0], first[0]);
        assert_eq!(engine.register(&mut [unary()])[0], first[0]);
    }

    #[test]
    fn a_number_that_is_taken_is_not_given_again() {
        let mut registry = TypeRegistry::default();
        let mut unary = FuncType::from_lists([ValType::I32], []);
        let natural = unary.natural_number();
        registry.taken.extend([natural, natural + 1]);
        assert_eq!(registry.register(&mut unary), natural + 2);
        registry.release(&unary);
        assert_eq!(registry.taken, [natural, natural + 1].into());
    }

    #[test]
    fn store_numbers_differ() {
        let (a, b) = (Engine::default(), Engine::default());
        let ids = [
            a.new_store_id(),
            b.new_store_id(),
            a.new_store_id(),
            b.new_store_id(),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id));
        }

        let (a, b) = (EngineStores::new(), EngineStores::new());
        let ids = [a.next(), b.next(), a.next(), b.next()];
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id));
        }
    }
}
