//! A line: one direction of one socket, and what happens to each piece that passes along it.
//!
//! It is a function of the seed, the pieces and their times alone.

use super::{CERTAIN, Faults};

/// After this time TCP sends again what was lost, in nanoseconds: the least that is usual.
pub(super) const RETRANSMISSION: u64 = 200_000_000;

/// A generator of numbers that look random (SplitMix64): small, fast, and good enough to lose packets by.
/// Whoever knows the seed knows them all.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// Does something happen that has this probability, in parts of [`CERTAIN`]?
    fn happens(&mut self, probability: u64) -> bool {
        self.next() % CERTAIN < probability
    }

    /// A number up to this one.
    fn up_to(&mut self, most: u64) -> u64 {
        // The product of two halves and a whole: the highest bits of 128 are the quotient.
        ((u128::from(self.next()) * (u128::from(most) + 1)) >> 64) as u64
    }
}

/// What happens to a piece.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives at this time.
    Arrives(u64),
    /// It never arrives.
    Lost,
    /// At this time it breaks the connection.
    Breaks(u64),
}

/// One direction of a socket.
pub(super) struct Line {
    faults: Faults,
    random: Random,
    /// Do its pieces arrive in their order, and all of them?
    stream: bool,
    /// When all pieces so far have passed its narrowest place.
    free: u64,
    /// When the last piece arrives.
    last: u64,
}

impl Line {
    /// The `number`th line.
    pub(super) fn new(faults: Faults, stream: bool, number: u64) -> Self {
        // Neighbouring seeds are far from each other after one step.
        let start = Random::new(faults.seed ^ Random::new(number).next()).next();
        Self {
            faults,
            random: Random::new(start),
            stream,
            free: 0,
            last: 0,
        }
    }

    /// What happens to a piece of this length that comes to the line at this time.
    pub(super) fn pass(&mut self, now: u64, len: usize) -> Fate {
        // As many numbers for each, whatever happens to it: so a fault more does not move all others.
        let lost = self.random.happens(self.faults.loss);
        let breaks = self.random.happens(self.faults.reset);
        let least = self.faults.delay.saturating_sub(self.faults.jitter);
        let most = self.faults.delay.saturating_add(self.faults.jitter);
        let delay = least + self.random.up_to(most - least);

        let mut time = now;
        if let Some(bandwidth) = self.faults.bandwidth {
            let passing = u128::from(len as u64) * 1_000_000_000 / u128::from(bandwidth);
            let passing = u64::try_from(passing).unwrap_or(u64::MAX);
            self.free = self.free.max(now).saturating_add(passing);
            time = self.free;
        }
        time = time.saturating_add(delay);
        if self.stream {
            if lost {
                time = time.saturating_add(RETRANSMISSION);
            }
            time = self.in_order(time);
            if breaks {
                return Fate::Breaks(time);
            }
        } else if lost {
            return Fate::Lost;
        }
        Fate::Arrives(time)
    }

    /// When the end arrives that comes to the line at this time: it has no length and is not lost.
    pub(super) fn end(&mut self, now: u64) -> u64 {
        let time = self.free.max(now).saturating_add(self.faults.delay);
        self.in_order(time)
    }

    fn in_order(&mut self, time: u64) -> u64 {
        self.last = self.last.max(time);
        self.last
    }
}
