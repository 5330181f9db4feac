//! What the Rust programs share: the amount of work from the first argument, test data, a checksum.

/// The amount of work: the first argument, or what the comparison uses.
pub fn amount(usual: u32) -> u32 {
    std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

/// A small generator of test data (xorshift), the same on every machine.
pub struct Noise(u32);

impl Noise {
    pub fn new() -> Self {
        Self(2463534242)
    }

    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    pub fn below(&mut self, limit: u32) -> u32 {
        self.next() % limit
    }
}

impl Default for Noise {
    fn default() -> Self {
        Self::new()
    }
}

/// FNV-1a with 64 bits.
#[derive(Copy, Clone)]
pub struct Sum(pub u64);

impl Sum {
    pub fn new() -> Self {
        Self(0xcbf29ce484222325)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100000001b3);
        }
    }

    pub fn number(&mut self, value: u64) {
        self.add(&value.to_le_bytes());
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self::new()
    }
}
