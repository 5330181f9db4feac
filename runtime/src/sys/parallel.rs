//! Work on several threads, or on one where there are no threads.

use core::ops::Range;

/// `Sync` where there are threads, and nothing where there are none.
#[cfg(feature = "std")]
pub(crate) trait SyncIfThreads: Sync {}
#[cfg(feature = "std")]
impl<T: Sync + ?Sized> SyncIfThreads for T {}
#[cfg(not(feature = "std"))]
pub(crate) trait SyncIfThreads {}
#[cfg(not(feature = "std"))]
impl<T: ?Sized> SyncIfThreads for T {}

/// `Send` where there are threads, and nothing where there are none.
#[cfg(feature = "std")]
pub(crate) trait SendIfThreads: Send {}
#[cfg(feature = "std")]
impl<T: Send> SendIfThreads for T {}
#[cfg(not(feature = "std"))]
pub(crate) trait SendIfThreads {}
#[cfg(not(feature = "std"))]
impl<T> SendIfThreads for T {}

/// What several threads do for consecutive numbers. Each thread has a state of its own.
pub(crate) trait Work: SyncIfThreads {
    /// What a thread keeps between batches, for example allocations.
    type State: SendIfThreads;
    /// Why it cannot be done.
    type Error: SendIfThreads;

    /// The state of a thread that begins.
    fn begin(&self) -> Self::State;

    /// Does it for the numbers of one batch in order, up to the first that fails.
    fn batch(&self, state: &mut Self::State, numbers: Range<u32>) -> Result<(), Self::Error>;
}

/// Does `work` for all `batches`, which are in order, on this thread and up to `threads - 1` others. This
/// thread does `first` before it takes part.
///
/// The result does not depend on the threads: the error is that of the first number that has one. An error of
/// `first` goes before all others.
#[cfg(feature = "std")]
pub(crate) fn run<W: Work, F, E: Into<W::Error>>(
    work: &W,
    batches: &[Range<u32>],
    threads: usize,
    first: impl FnOnce() -> Result<F, E>,
) -> Result<(F, Vec<W::State>), W::Error> {
    use std::{
        sync::{
            Mutex, PoisonError,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        thread,
    };

    let next = AtomicUsize::new(0);
    // No further batches are taken once something has failed. All batches before a failed one are taken
    // already and are finished, so the first failure is found in any case.
    let stop = AtomicBool::new(false);
    let failure: Mutex<Option<(usize, W::Error)>> = Mutex::new(None);
    let take_part = || {
        let mut state = work.begin();
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(numbers) = batches.get(at) else {
                break;
            };
            if let Err(error) = work.batch(&mut state, numbers.clone()) {
                stop.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                if failure.as_ref().is_none_or(|(earlier, _)| at < *earlier) {
                    *failure = Some((at, error));
                }
                break;
            }
        }
        state
    };
    let (first, states) = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(batches.len()))
            // If the system gives no thread, there is one less.
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, take_part).ok())
            .collect();
        let first = first();
        if first.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        let mut states = vec![take_part()];
        for other in others {
            match other.join() {
                Ok(state) => states.push(state),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (first, states)
    });
    let first = first.map_err(Into::into)?;
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok((first, states)),
    }
}

/// The same, on this thread alone.
#[cfg(not(feature = "std"))]
pub(crate) fn run<W: Work, F, E: Into<W::Error>>(
    work: &W,
    batches: &[Range<u32>],
    _threads: usize,
    first: impl FnOnce() -> Result<F, E>,
) -> Result<(F, alloc::vec::Vec<W::State>), W::Error> {
    let first = first().map_err(Into::into)?;
    let mut state = work.begin();
    for numbers in batches {
        work.batch(&mut state, numbers.clone())?;
    }
    Ok((first, alloc::vec![state]))
}

/// How many threads this process can use at once.
pub(crate) fn processors() -> usize {
    #[cfg(feature = "std")]
    return std::thread::available_parallelism().map_or(1, usize::from);
    #[cfg(not(feature = "std"))]
    return 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    /// Notes the numbers it was given; some of them fail.
    struct Note<'a>(&'a [u32]);

    impl Work for Note<'_> {
        type State = Vec<u32>;
        type Error = u32;

        fn begin(&self) -> Vec<u32> {
            Vec::new()
        }

        fn batch(&self, state: &mut Vec<u32>, numbers: Range<u32>) -> Result<(), u32> {
            for number in numbers {
                if self.0.contains(&number) {
                    return Err(number);
                }
                state.push(number);
            }
            Ok(())
        }
    }

    fn batches(count: u32) -> Vec<Range<u32>> {
        (0..count).map(|i| 3 * i..3 * i + 3).collect()
    }

    #[test]
    fn everything_is_done_once() {
        for threads in [0, 1, 2, 7] {
            for count in [0, 1, 100] {
                let run = run(&Note(&[]), &batches(count), threads, || {
                    Ok::<_, u32>("first")
                });
                let (first, states) = run.unwrap();
                assert_eq!(first, "first");
                let mut numbers: Vec<_> = states.concat();
                numbers.sort_unstable();
                assert_eq!(numbers, (0..3 * count).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_first_failure_counts() {
        let all: Vec<_> = (200..3000).collect();
        for failing in [&[5, 4, 299][..], &[299], &[0], &[31, 290, 291, 292], &all] {
            for threads in [1, 2, 7] {
                let run = run(&Note(failing), &batches(1000), threads, || Ok::<_, u32>(()));
                assert_eq!(run.unwrap_err(), *failing.iter().min().unwrap());
            }
        }
    }

    #[test]
    fn a_failure_of_what_is_done_first_goes_before_others() {
        for threads in [1, 4] {
            let run = run(&Note(&[0, 1]), &batches(10), threads, || {
                Err::<(), _>(77_u32)
            });
            assert_eq!(run.unwrap_err(), 77);
        }
        assert_eq!(vec![0..3, 3..6], batches(2));
    }
}
