//! What is observed of a module, and the arguments that its functions are called with; the same in every engine.

/// How often every exported function is called.
pub(crate) const ROUNDS: usize = 3;
/// The export that gives a module of the own generator its fuel back. It is called before every other call.
pub(crate) const RESET: &str = "reset";
/// The unit of memory that gets a hash of its own.
const BLOCK: usize = 4096;

const I32_ARGUMENTS: [i32; 8] = [0, 1, -1, 5, i32::MAX, i32::MIN, 1_234_567, 2];
const I64_ARGUMENTS: [i64; 8] = [
    0,
    1,
    -1,
    0x1_0000_0005,
    i64::MIN,
    0x8000_0000,
    99,
    0xffff_ffff,
];
const FLOAT_ARGUMENTS: [f64; 8] = [0.0, 1.5, -2.5, -0.0, 1e20, f64::INFINITY, 0.25, -1e-3];

/// How a call, or an instantiation, ended.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Ending {
    /// With these results, as bits. A reference is 1, null is 0.
    Returned(Vec<u64>),
    /// With a trap of this class; see `engines`.
    Trapped(String),
    /// With an error that is no trap, such as a module that was refused.
    Failed(String),
}

/// Everything that was observed of a module in one engine. Exports come in the order of their names.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Outcome {
    /// How compilation and instantiation ended. All that follows is empty unless they succeeded.
    pub(crate) start: Ending,
    /// Calls by name and round.
    pub(crate) calls: Vec<(String, Ending)>,
    /// The globals in the end, as bits.
    pub(crate) globals: Vec<(String, u64)>,
    /// A hash for each block of memory.
    pub(crate) memory: Vec<u64>,
    /// The size of memory in bytes.
    pub(crate) memory_size: usize,
    /// A call overflowed the stack. How deep that is differs between engines, so the outcome compares to nothing.
    pub(crate) exhausted: bool,
}

impl Outcome {
    /// Nothing was called yet.
    pub(crate) fn started(start: Ending) -> Self {
        Self {
            start,
            calls: Vec::new(),
            globals: Vec::new(),
            memory: Vec::new(),
            memory_size: 0,
            exhausted: false,
        }
    }

    /// Notes how a call ended; false if no further call makes sense.
    pub(crate) fn note_call(&mut self, name: &str, round: usize, ending: Ending) -> bool {
        if matches!(&ending, Ending::Trapped(class) if class == "StackOverflow") {
            self.exhausted = true;
            return false;
        }
        self.calls.push((format!("{name}#{round}"), ending));
        true
    }

    /// Notes what memory holds in the end.
    pub(crate) fn note_memory(&mut self, bytes: &[u8]) {
        self.memory = bytes.chunks(BLOCK).map(hash).collect();
        self.memory_size = bytes.len();
    }
}

/// FNV-1a of 32 bits, which is easy to have in JavaScript, too.
fn hash(block: &[u8]) -> u64 {
    let hash = block.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    u64::from(hash)
}

/// A type of a value, as far as calls must know it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    I32,
    I64,
    F32,
    F64,
    Reference,
}

/// The bits of the argument with this index in this round; null for references.
pub(crate) fn argument(ty: Type, round: usize, index: usize) -> u64 {
    let k = (round * 3 + index * 5 + round * index) % 8;
    match ty {
        Type::I32 => u64::from(I32_ARGUMENTS[k] as u32),
        Type::I64 => I64_ARGUMENTS[k] as u64,
        Type::F32 => u64::from((FLOAT_ARGUMENTS[k] as f32).to_bits()),
        Type::F64 => FLOAT_ARGUMENTS[k].to_bits(),
        Type::Reference => 0,
    }
}
