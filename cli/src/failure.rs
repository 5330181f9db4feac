//! What ends the program early, and the exit status that it gives. Knows nothing of commands.

use std::fmt::Display;

use teff_runtime::{Error, Trap};
use teff_wasi::I32Exit;

/// The result of every command.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Exit status of a guest that trapped: that of a native program that aborts.
const TRAPPED: i32 = 134;

/// Exit status when teff cannot do what it is asked.
const FAILED: i32 = 1;

/// Exit status of a guest that took too long: that of `timeout`.
pub(crate) const TIMED_OUT: i32 = 124;

/// Why the program ends.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The guest asked for this exit status.
    Exit(i32),
    /// The guest trapped: the text has the message and the Wasm backtrace.
    Trap(String),
    /// The guest took longer than it may: the Wasm backtrace.
    TimedOut(String),
    /// teff cannot do what it is asked: one line.
    Message(String),
}

impl Failure {
    pub(crate) fn message(message: impl Display) -> Self {
        Self::Message(message.to_string())
    }

    /// What an error means that came out of running a guest.
    pub(crate) fn from_guest(error: &Error) -> Self {
        if let Some(I32Exit(status)) = error.downcast_ref() {
            return Self::Exit(*status);
        }
        let Some(trap) = error.downcast_ref::<Trap>() else {
            return Self::message(error);
        };
        let hint = match trap {
            Trap::StackOverflow => " (--stack sets the limit)",
            Trap::OutOfFuel => " (--fuel sets the limit)",
            _ => "",
        };
        let backtrace = error.backtrace();
        let backtrace = backtrace.map_or_else(String::new, |trace| format!("\n{trace}"));
        if *trap == Trap::Interrupt {
            return Self::TimedOut(backtrace);
        }
        Self::Trap(format!("{error}{hint}{backtrace}"))
    }

    /// Says why on standard error; gives the exit status.
    pub(crate) fn report(self) -> i32 {
        match self {
            Self::Exit(status) => status,
            Self::Trap(text) => {
                eprintln!("teff: the guest trapped: {text}");
                TRAPPED
            }
            Self::TimedOut(backtrace) => {
                eprintln!("teff: timed out (--timeout sets the limit){backtrace}");
                TIMED_OUT
            }
            Self::Message(message) => {
                let lines: Vec<_> = message.lines().map(str::trim).collect();
                eprintln!("teff: {}", lines.join(" "));
                FAILED
            }
        }
    }
}
