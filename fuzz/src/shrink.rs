//! Making a choice stream small while its module still differs.

use std::time::{Duration, Instant};

/// When to stop, however large the stream still is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes numbers out of the stream, or makes them zero or smaller, for as long as `differs` stays true.
pub(crate) fn shrink(mut numbers: Vec<u32>, differs: impl FnMut(&[u32]) -> bool) -> Vec<u32> {
    let mut attempts = Attempts {
        end: Instant::now() + PATIENCE,
        differs,
    };
    while !attempts.out_of_time() {
        let ranges = attempts.shrink_ranges(&mut numbers);
        let values = attempts.shrink_values(&mut numbers);
        if !ranges && !values {
            break;
        }
    }
    numbers
}

struct Attempts<F> {
    end: Instant,
    differs: F,
}

impl<F: FnMut(&[u32]) -> bool> Attempts<F> {
    fn out_of_time(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Replaces the stream by the candidate if that still differs.
    fn accept(&mut self, numbers: &mut Vec<u32>, candidate: Vec<u32>) -> bool {
        let accepted = (self.differs)(&candidate);
        if accepted {
            *numbers = candidate;
        }
        accepted
    }

    /// Removes ranges or fills them with zeros, large ones first. Says whether any was.
    fn shrink_ranges(&mut self, numbers: &mut Vec<u32>) -> bool {
        let mut changed = false;
        let mut size = numbers.len() / 2;
        while size > 0 {
            let mut start = 0;
            while start < numbers.len() {
                if self.out_of_time() {
                    return changed;
                }
                let end = (start + size).min(numbers.len());
                let mut removed = numbers.clone();
                removed.drain(start..end);
                if self.accept(numbers, removed) {
                    changed = true;
                    continue;
                }
                if numbers[start..end].iter().any(|number| *number != 0) {
                    let mut zeroed = numbers.clone();
                    zeroed[start..end].fill(0);
                    changed |= self.accept(numbers, zeroed);
                }
                start += size;
            }
            size /= 2;
        }
        changed
    }

    /// Makes single numbers smaller. Says whether any became so.
    fn shrink_values(&mut self, numbers: &mut Vec<u32>) -> bool {
        let mut changed = false;
        for index in 0..numbers.len() {
            let number = numbers[index];
            for smaller in [
                number % 1000,
                number % 100,
                number / 2,
                number.saturating_sub(1),
            ] {
                if self.out_of_time() {
                    return changed;
                }
                if smaller < numbers[index] {
                    let mut candidate = numbers.clone();
                    candidate[index] = smaller;
                    changed |= self.accept(numbers, candidate);
                }
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn what_the_difference_needs_is_left() {
        let stream: Vec<u32> = (0..200).collect();
        // A 7 with something of at least 40 behind it.
        let small = shrink(stream, |numbers| {
            let behind = numbers.iter().skip_while(|number| **number != 7);
            behind.skip(1).any(|number| *number >= 40)
        });
        assert_eq!(small, [7, 40]);
    }
}
