//! Traps: how Wasm execution ends without a result (spec §4.2.2), and where it was (backtraces).

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::Instance;

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Why execution trapped. The text of each is the official test suite's, word for word.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Trap {
            $($(#[$doc])* $name,)*
        }

        impl Trap {
            /// Every trap, in the order of their codes.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The spec suite's text.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

traps! {
    /// The value stack, or the nesting of host calls, reached its limit.
    StackOverflow = "call stack exhausted";
    /// A memory access outside of the memory.
    MemoryOutOfBounds = "out of bounds memory access";
    /// A table access outside of the table.
    TableOutOfBounds = "out of bounds table access";
    /// `call_indirect` with an index outside of the table.
    UndefinedElement = "undefined element";
    /// `call_indirect` through a null element.
    IndirectCallToNull = "uninitialized element";
    /// `call_indirect` on a function of another type.
    BadSignature = "indirect call type mismatch";
    /// The result of a division or conversion does not fit.
    IntegerOverflow = "integer overflow";
    /// Division by zero.
    IntegerDivisionByZero = "integer divide by zero";
    /// Conversion of NaN to an integer.
    BadConversionToInteger = "invalid conversion to integer";
    /// The instruction `unreachable`.
    UnreachableCodeReached = "unreachable";
    /// All fuel given to the store is used up.
    OutOfFuel = "all fuel consumed";
    /// The epoch deadline of the store has come.
    Interrupt = "interrupted";
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Trap {}

/// One Wasm function that was active when execution trapped.
#[derive(Clone, Debug)]
pub struct FrameInfo {
    pub(crate) func_index: u32,
    pub(crate) func_name: Option<String>,
    pub(crate) module_name: Option<String>,
    pub(crate) module_offset: Option<usize>,
    pub(crate) func_start: usize,
    pub(crate) instance: Instance,
}

impl FrameInfo {
    /// Index of the function in its module, imports first.
    pub fn func_index(&self) -> u32 {
        self.func_index
    }

    /// The function's name from the name section.
    pub fn func_name(&self) -> Option<&str> {
        self.func_name.as_deref()
    }

    /// The module's name from the name section.
    pub fn module_name(&self) -> Option<&str> {
        self.module_name.as_deref()
    }

    /// Byte offset of the instruction in the module's binary.
    pub fn module_offset(&self) -> Option<usize> {
        self.module_offset
    }

    /// Byte offset of the instruction in the function's body, which begins with its locals.
    pub fn func_offset(&self) -> Option<usize> {
        self.module_offset?.checked_sub(self.func_start)
    }

    /// The instance that the function belongs to.
    pub fn instance(&self) -> Instance {
        self.instance
    }
}

/// The Wasm functions that were active when execution trapped, innermost first.
#[derive(Clone, Debug, Default)]
pub struct WasmBacktrace {
    pub(crate) frames: Vec<FrameInfo>,
    /// Frames left out because the stack was deeper than a backtrace shows.
    pub(crate) omitted: usize,
}

impl WasmBacktrace {
    /// Most frames that a backtrace keeps.
    pub(crate) const MAX_FRAMES: usize = 64;

    /// The frames, innermost first.
    pub fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }
}

impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wasm backtrace:")?;
        for (i, frame) in self.frames.iter().enumerate() {
            write!(f, "\n  {i:>3}: ")?;
            if let Some(offset) = frame.module_offset {
                write!(f, "{offset:#8x} - ")?;
            }
            write!(f, "{}!", frame.module_name().unwrap_or("<module>"))?;
            match &frame.func_name {
                Some(name) => f.write_str(name)?,
                None => write!(f, "<wasm function {}>", frame.func_index)?,
            }
        }
        if self.omitted > 0 {
            write!(f, "\n  ... {} more frames", self.omitted)?;
        }
        Ok(())
    }
}
