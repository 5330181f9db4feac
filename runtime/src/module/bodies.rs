//! Validation of function bodies: all of them on several threads, or each when it is first called.

use alloc::vec::Vec;
use core::ops::Range;

use wasmparser::{
    BinaryReader, FuncToValidate, FuncValidatorAllocations, FunctionBody, ValidatorResources,
    WasmModuleResources,
};

use super::{ByteRange, FEATURES};
use crate::{
    Config,
    sys::parallel::{self, Work},
};

/// Bytes of code that are worth handing to a thread.
const BATCH_BYTES: u32 = 64 << 10;

/// What validation of a body needs to know of its module.
pub(crate) struct Checker {
    resources: ValidatorResources,
}

impl Checker {
    /// From what the validator says about the first body of the module.
    pub(super) fn new(first: FuncToValidate<ValidatorResources>) -> Self {
        Self {
            resources: first.resources,
        }
    }

    /// Validates the body of a function, whose index is that in the function index space.
    pub(super) fn check(
        &self,
        func_index: u32,
        body: &FunctionBody<'_>,
        allocations: &mut FuncValidatorAllocations,
    ) -> wasmparser::Result<()> {
        let ty = self.resources.type_index_of_function(func_index);
        let func = FuncToValidate {
            resources: &self.resources,
            index: func_index,
            ty: ty.expect("the sections in front of the code are valid"),
            features: FEATURES,
        };
        let mut validator = func.into_validator(core::mem::take(allocations));
        validator.validate(body)?;
        *allocations = validator.into_allocations();
        Ok(())
    }
}

/// A function body as the parser gives it.
pub(super) fn body(bytes: &[u8], range: ByteRange) -> FunctionBody<'_> {
    FunctionBody::new(BinaryReader::new_features(
        range.of(bytes),
        u64::from(range.start),
        FEATURES,
    ))
}

/// All bodies of a module.
pub(super) struct Bodies<'a> {
    pub(super) checker: &'a Checker,
    pub(super) bytes: &'a [u8],
    pub(super) ranges: &'a [ByteRange],
    /// The function index of the first of them.
    pub(super) imported: u32,
    /// Called with each part of the bytes that is done.
    pub(super) done: &'a (dyn Fn(Range<usize>) + Sync),
}

impl Bodies<'_> {
    /// Validates all of them, beside what `first` does. The error is that of `first`, or else of the first
    /// invalid body.
    pub(super) fn validate(
        &self,
        config: &Config,
        first: impl FnOnce() -> wasmparser::Result<()>,
    ) -> wasmparser::Result<()> {
        let batches = batches(self.ranges);
        let threads = threads(config, batches.len());
        parallel::run(self, &batches, threads, first).map(|_| ())
    }
}

impl Work for Bodies<'_> {
    type State = FuncValidatorAllocations;
    type Error = wasmparser::Error;

    fn begin(&self) -> Self::State {
        FuncValidatorAllocations::default()
    }

    fn batch(&self, state: &mut Self::State, bodies: Range<u32>) -> wasmparser::Result<()> {
        for index in bodies.clone() {
            let body = body(self.bytes, self.ranges[index as usize]);
            self.checker.check(self.imported + index, &body, state)?;
        }
        (self.done)(span(self.ranges, bodies));
        Ok(())
    }
}

/// Where consecutive bodies lie.
pub(super) fn span(ranges: &[ByteRange], bodies: Range<u32>) -> Range<usize> {
    match &ranges[bodies.start as usize..bodies.end as usize] {
        [] => 0..0,
        [first, .., last] | [first @ last] => {
            first.start as usize..last.start as usize + last.len as usize
        }
    }
}

/// Consecutive bodies, grouped so that each group is worth a thread's trouble.
pub(super) fn batches(ranges: &[ByteRange]) -> Vec<Range<u32>> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (end, range) in (1..).zip(ranges) {
        bytes += range.len;
        if bytes >= BATCH_BYTES || end as usize == ranges.len() {
            batches.push(start..end);
            (start, bytes) = (end, 0);
        }
    }
    batches
}

/// How many threads to use for so many batches. A thread costs about what half a batch does.
pub(super) fn threads(config: &Config, batches: usize) -> usize {
    let worth = batches / 2;
    match config.compilation_threads.min(worth) {
        0 | 1 => 1,
        limit => limit.min(parallel::processors()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(lens: &[u32]) -> Vec<ByteRange> {
        let mut start = 100;
        let range = |&len: &u32| {
            start += len + 1;
            ByteRange {
                start: start - len,
                len,
            }
        };
        lens.iter().map(range).collect()
    }

    #[test]
    fn batches_cover_all_bodies_in_order() {
        let big = BATCH_BYTES;
        let check = |lens: &[u32], expected: &[(u32, u32)]| {
            let batches = batches(&ranges(lens));
            let ends: Vec<_> = batches
                .iter()
                .map(|batch| (batch.start, batch.end))
                .collect();
            assert_eq!(ends, expected);
        };
        check(&[], &[]);
        check(&[5], &[(0, 1)]);
        check(&[big], &[(0, 1)]);
        check(&[1, big, 1, 1], &[(0, 2), (2, 4)]);
        check(&[big / 2, big / 2, big / 2], &[(0, 2), (2, 3)]);
        check(&[2 * big, 2 * big], &[(0, 1), (1, 2)]);
    }

    #[test]
    fn a_span_reaches_from_the_first_body_to_the_last() {
        let ranges = ranges(&[10, 20, 30]);
        assert_eq!(span(&ranges, 0..3), 101..163);
        assert_eq!(span(&ranges, 1..2), 112..132);
        assert_eq!(span(&ranges, 2..2), 0..0);
    }

    #[test]
    fn small_modules_and_careful_embedders_get_no_threads() {
        let mut config = Config::new();
        assert_eq!(threads(&config, 3), 1);
        for limit in [0, 1] {
            config.compilation_threads(limit);
            assert_eq!(threads(&config, 1000), 1);
        }
        config.compilation_threads(2);
        assert!(threads(&config, 1000) <= 2);
    }
}
