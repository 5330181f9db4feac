//! The stream of choices that a module is made of.
//!
//! A generator asks for nothing but numbers from this stream, so the numbers are the module: shrinking works on them,
//! and knows nothing of Wasm. Zero is always the plainest choice.

/// Numbers that are random while a seed is explored, and given when a recorded stream is replayed.
pub(crate) struct Choices {
    recorded: Vec<u32>,
    position: usize,
    /// The state of the generator of random numbers; `None` if replaying, when zeros follow the recorded numbers.
    random: Option<u64>,
}

impl Choices {
    /// The stream of this seed. It never changes: a seed found once is a module for ever.
    pub(crate) fn random(seed: u64) -> Self {
        Self {
            recorded: Vec::new(),
            position: 0,
            random: Some(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        }
    }

    /// These numbers again, then zeros.
    pub(crate) fn replay(recorded: Vec<u32>) -> Self {
        Self {
            recorded,
            position: 0,
            random: None,
        }
    }

    /// All numbers given so far.
    pub(crate) fn into_recorded(self) -> Vec<u32> {
        self.recorded
    }

    /// The next number, of 31 random bits.
    pub(crate) fn number(&mut self) -> u32 {
        if self.position >= self.recorded.len() {
            let Some(state) = &mut self.random else {
                return 0;
            };
            // xorshift64*
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            let number = (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as u32;
            self.recorded.push(number);
        }
        self.position += 1;
        self.recorded[self.position - 1]
    }

    /// A number less than `bound`; 0 if there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.number() as usize) % bound.max(1)
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True `times` times in `of`. A zero in the stream is false.
    pub(crate) fn chance(&mut self, times: usize, of: usize) -> bool {
        self.below(of) >= of - times
    }
}
