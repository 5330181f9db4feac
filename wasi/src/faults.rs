//! Faults of a network, for tests on the bench: what they are, and how they are written down.
//!
//! What is here knows numbers and nothing of sockets. `faults/line.rs` decides what happens to one segment,
//! `faults/socket.rs` has the socket to which it happens, and `faults/net.rs` sees to it that what a guest
//! has sent leaves in time.

mod line;
mod net;
mod queue;
mod socket;
#[cfg(test)]
mod tests;

use alloc::{format, string::String};
use core::time::Duration;

pub(crate) use net::apply;

/// One in this many is a certainty.
const CERTAIN: u64 = 1 << 32;

const KEYS: &str = "`loss`, `delay`, `jitter`, `reset`, `bandwidth` and `seed`";

/// Faults of the network between a guest's sockets and the rest of the world. By default there are none.
///
/// Each applies to what a guest receives and to what it sends, on each connection by itself. A stream is cut
/// into segments of at most 1,460 bytes, and what follows is said of a segment or of a datagram.
///
/// The numbers by which faults are decided come from a generator for each direction of each socket, made
/// from the seed and from the socket's place among all that were granted or accepted. With the same seed,
/// the same connections in the same order and the same pieces, the same faults happen to the same pieces.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    loss: u64,
    reset: u64,
    delay: u64,
    jitter: u64,
    bandwidth: Option<u64>,
    seed: u64,
}

impl Faults {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// How probably it is lost, between 0 and 1. A lost datagram never comes. A lost segment of a stream is
    /// sent again by TCP: it comes 200 ms later, and all that follows it is not before it.
    pub fn loss(mut self, probability: f64) -> Self {
        self.loss = threshold(probability);
        self
    }

    /// How long it is on its way.
    pub fn delay(mut self, time: Duration) -> Self {
        self.delay = nanoseconds(time);
        self
    }

    /// By how much [`delay`](Self::delay) varies at most, up and down; each value between is as probable.
    /// Datagrams may overtake one another by it, segments of a stream do not.
    pub fn jitter(mut self, time: Duration) -> Self {
        self.jitter = nanoseconds(time);
        self
    }

    /// How probably it breaks the connection, between 0 and 1: the guest's next call fails with `connreset`,
    /// and the other side finds the connection closed. Nothing happens to datagrams.
    pub fn reset(mut self, probability: f64) -> Self {
        self.reset = threshold(probability);
        self
    }

    /// How many bytes pass in a second, at least 1: one segment after the other, each when the line is free.
    pub fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.bandwidth = Some(bytes_per_second.max(1));
        self
    }

    /// What decides which of the possible courses of events happens.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Reads the words of a command line, such as `loss=1%,delay=50ms,jitter=10ms,reset=0.1%,bandwidth=64K,
    /// seed=42`. Probabilities are percentages or fractions of 1, times have the unit `us`, `ms` or `s`, and
    /// the bandwidth is in bytes per second, in `K` (1,024), `M` or `G` of them.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn parse(words: &str) -> Result<Self, String> {
        let mut faults = Self::new();
        let mut seen = [""; 6];
        for (place, word) in words.split(',').map(str::trim).enumerate() {
            let Some((key, value)) = word.split_once('=') else {
                return Err(format!(
                    "network faults are `NAME=VALUE`, with commas between them, and not `{word}`; the \
                     names are {KEYS}"
                ));
            };
            let (key, value) = (key.trim(), value.trim());
            if seen.contains(&key) {
                return Err(format!("the network fault `{key}` is given twice"));
            }
            faults = match key {
                "loss" => faults.loss(probability(key, value)?),
                "reset" => faults.reset(probability(key, value)?),
                "delay" => faults.delay(duration(key, value)?),
                "jitter" => faults.jitter(duration(key, value)?),
                "bandwidth" => faults.bandwidth(bytes(key, value)?),
                "seed" => faults.seed(value.parse().map_err(|_| {
                    wrong(key, value, "a whole number from 0 to 18446744073709551615")
                })?),
                _ => {
                    return Err(format!(
                        "there is no network fault `{key}`; there are {KEYS}"
                    ));
                }
            };
            // All names in it are different and known, so it is long enough.
            seen[place] = key;
        }
        Ok(faults)
    }
}

fn wrong(key: &str, value: &str, right: &str) -> String {
    format!("the network fault `{key}` cannot be `{value}`: it must be {right}")
}

/// A probability, as a part of [`CERTAIN`].
fn threshold(probability: f64) -> u64 {
    // What is no number becomes 0.
    (probability.clamp(0.0, 1.0) * CERTAIN as f64) as u64
}

fn nanoseconds(time: Duration) -> u64 {
    // Sums of some of these do not overflow; it is an age in any case.
    u64::try_from(time.as_nanos()).map_or(u64::MAX >> 8, |nanos| nanos.min(u64::MAX >> 8))
}

/// A number that is written with digits and at most one point: nothing else that `f64` reads.
fn number(digits: &str) -> Option<f64> {
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    digits.parse().ok().filter(|_| plain)
}

fn probability(key: &str, value: &str) -> Result<f64, String> {
    let read = match value.strip_suffix('%') {
        Some(percent) => number(percent).map(|number| number / 100.0),
        None => number(value),
    };
    read.filter(|number| *number <= 1.0).ok_or_else(|| {
        wrong(
            key,
            value,
            "a percentage such as `0.5%`, from 0% to 100%, or a fraction such as `0.005`",
        )
    })
}

fn duration(key: &str, value: &str) -> Result<Duration, String> {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number = number(value.strip_suffix(unit)?.trim_end())?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    // An hour on the way is no network any more, but most likely a slip.
    read.filter(|time| time.as_secs() <= 3600).ok_or_else(|| {
        wrong(
            key,
            value,
            "a time such as `50ms`, `200us` or `1.5s`, of at most 3600s",
        )
    })
}

fn bytes(key: &str, value: &str) -> Result<u64, String> {
    let units = [("K", 1_u64 << 10), ("M", 1 << 20), ("G", 1 << 30), ("", 1)];
    let read = units.iter().find_map(|(unit, factor)| {
        let number = number(value.strip_suffix(unit)?.trim_end())? * *factor as f64;
        (1.0..=(1_u64 << 50) as f64)
            .contains(&number)
            .then_some(number as u64)
    });
    read.ok_or_else(|| {
        wrong(
            key,
            value,
            "bytes per second such as `9600`, `64K` or `1.5M`, at least 1",
        )
    })
}
