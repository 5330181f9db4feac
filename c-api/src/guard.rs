//! The boundary: declares functions for C, and lets no panic through.

use alloc::{boxed::Box, string::String};

/// What a function gives back when it failed in a way that no caller can have caused.
pub(crate) trait Failed {
    fn failed() -> Self;
}

macro_rules! failed {
    ($($ty:ty = $value:expr;)*) => {$(
        impl Failed for $ty {
            fn failed() -> Self {
                $value
            }
        }
    )*};
}

failed! {
    () = ();
    bool = false;
    u8 = 0;
    u32 = 0;
    u64 = 0;
    usize = 0;
}

impl<T> Failed for Option<Box<T>> {
    fn failed() -> Self {
        None
    }
}

impl<T> Failed for Option<&T> {
    fn failed() -> Self {
        None
    }
}

impl<T> Failed for *mut T {
    fn failed() -> Self {
        core::ptr::null_mut()
    }
}

/// Runs `body`, or gives the message of its panic.
#[cfg(feature = "std")]
pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    // What a panic interrupts is never used again without being checked: the engine's own state is unwound by guards,
    // and ours is changed in single steps.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).map_err(|payload| {
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        alloc::format!("panic in teff: {}", message.unwrap_or("no message"))
    })
}

/// Runs `body`. Without std a panic ends the program.
#[cfg(not(feature = "std"))]
pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    Ok(body())
}

/// Runs `body`; a panic becomes the failed result.
pub(crate) fn guard<R: Failed>(body: impl FnOnce() -> R) -> R {
    catch(body).unwrap_or_else(|_| R::failed())
}

/// Functions for C, under their own names.
macro_rules! c_api {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        // SAFETY: the headers declare it so, and nothing else in a program has a name of this API.
        #[unsafe(no_mangle)]
        extern "C" fn $name($($arg: $ty),*) $(-> $result)? {
            $crate::guard::guard(move || $body)
        }
    )*};
}
pub(crate) use c_api;
