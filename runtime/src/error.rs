//! The crate's error: any cause, with the Wasm backtrace of where it happened.

use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use core::{error, fmt};

use crate::{Trap, WasmBacktrace};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Any error: of a module, of linking, of a host function, or a trap.
///
/// As in Wasmtime, an error carries its cause: [`Error::downcast_ref`] finds a [`Trap`] or the error
/// that a host function returned. `{}` prints the message, `{:?}` the message and the Wasm backtrace.
///
/// It does not implement `core::error::Error` itself, so that `?` converts every type that does.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    cause: Box<dyn error::Error + Send + Sync>,
    backtrace: Option<WasmBacktrace>,
}

impl Error {
    /// An error with a message alone.
    pub fn msg(message: impl fmt::Display) -> Self {
        Message(message.to_string()).into()
    }

    /// The same error with `context` in front of its message; the cause can still be downcast to.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        let cause = self.inner.cause;
        self.inner.cause = Box::new(Context {
            message: context.to_string(),
            cause,
        });
        self
    }

    /// The cause, if it is an `E`.
    pub fn downcast_ref<E: error::Error + 'static>(&self) -> Option<&E> {
        let mut cause: &(dyn error::Error + 'static) = &*self.inner.cause;
        loop {
            if let Some(found) = cause.downcast_ref::<E>() {
                return Some(found);
            }
            cause = &*cause.downcast_ref::<Context>()?.cause;
        }
    }

    /// Is the cause an `E`?
    pub fn is<E: error::Error + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// The cause.
    pub fn root_cause(&self) -> &(dyn error::Error + 'static) {
        let mut cause: &(dyn error::Error + 'static) = &*self.inner.cause;
        while let Some(context) = cause.downcast_ref::<Context>() {
            cause = &*context.cause;
        }
        cause
    }

    /// Where in Wasm it happened, if it happened there.
    pub fn backtrace(&self) -> Option<&WasmBacktrace> {
        self.inner.backtrace.as_ref()
    }

    /// Adds the backtrace, unless a deeper one is there already.
    pub(crate) fn with_backtrace(mut self, backtrace: WasmBacktrace) -> Self {
        self.inner.backtrace.get_or_insert(backtrace);
        self
    }
}

impl<E: error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(cause: E) -> Self {
        Self {
            inner: Box::new(Inner {
                cause: Box::new(cause),
                backtrace: None,
            }),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.cause.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.cause.fmt(f)?;
        match &self.inner.backtrace {
            Some(backtrace) => write!(f, "\n{backtrace}"),
            None => Ok(()),
        }
    }
}

/// A message without a cause.
#[derive(Debug)]
struct Message(String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Message {}

/// A message in front of a cause.
#[derive(Debug)]
struct Context {
    message: String,
    cause: Box<dyn error::Error + Send + Sync>,
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.cause)
    }
}

impl error::Error for Context {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Shorthand for traps in results.
impl Trap {
    pub(crate) fn err<T>(self) -> Result<T> {
        Err(self.into())
    }
}

/// Returns early with an [`Error`] that has the formatted message.
macro_rules! bail {
    ($($arg:tt)*) => {
        return Err($crate::Error::msg(alloc::format!($($arg)*)))
    };
}
pub(crate) use bail;
