//! From the C function `main` to ours.
//!
//! Rust's own start-up code finds out where the stack ends, to say so when it overflows; for that, the C
//! library reads and parses a list of the process's mappings. That takes longer than a small guest does, so
//! what else the start-up code does, and is needed, is done here.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::panic::catch_unwind;
use std::process::exit;

/// Exit status after a panic, as of every Rust program.
const PANICKED: i32 = 101;

// SAFETY: the C start-up code calls the function of this name, with these arguments.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    open_standard_streams();
    die_of_closed_pipes();
    // SAFETY: these are the arguments of `main`.
    let arguments = unsafe { arguments(argc, argv) };
    let status = catch_unwind(|| crate::command_line(&arguments)).unwrap_or(PANICKED);
    // Writes what is left in the buffer of standard output.
    exit(status)
}

/// # Safety
/// `argv` has `argc` strings.
unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<OsString> {
    let count = usize::try_from(argc).unwrap_or(0);
    let argument = |i| {
        // SAFETY: the caller's promise.
        let text = unsafe { CStr::from_ptr(*argv.wrapping_add(i)) };
        OsStr::from_bytes(text.to_bytes()).to_os_string()
    };
    (0..count).map(argument).collect()
}

/// Opens those of the descriptors 0 to 2 that are closed. A file that is opened later must not become one of
/// them.
fn open_standard_streams() {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    });
    // SAFETY: the list has three entries. It only asks.
    unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) };
    for stream in streams {
        if stream.revents & libc::POLLNVAL != 0 {
            // SAFETY: the name ends with a NUL. It gets the lowest number that is free: the closed one.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
}

/// Ends quietly when nobody reads the output any more, as Unix tools do, also if whoever started us ignores
/// the signal.
fn die_of_closed_pipes() {
    // SAFETY: the default action is a valid handler, and no other thread runs yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
