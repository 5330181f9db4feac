//! The suite `WebAssembly/wasi-testsuite`, its preview 1 part, run by the command `teff`.
//!
//! A test is a program, `X.wasm`, and what it gets and must do, `X.json`. Each runs in a process of its own, so that a
//! crash costs one test, and with a directory of its own, because tests write.
//!
//! ```text
//! suite      which tests        folders with a manifest, their modules and specifications
//! runner     one test           a command line, and what must come of it
//! report     all of them        sums by folder, JSON; text for people
//! ```

mod report;
mod runner;
mod suite;

pub use report::{CaseResult, Report, Run, Status, Totals, write};
pub use runner::{Options, run};
pub use suite::{Case, NotRun, Suite};
