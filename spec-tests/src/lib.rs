//! Runs the official WebAssembly test suite on teff, through its public API.
//!
//! ```text
//! suite      which files          embedded in a crate, a directory, or named one by one
//!   │
//! script     one file, parsed     owned directives, modules already encoded
//!   │                             (value: arguments and expected results)
//! pool       many files at once   a thread and a time limit for each
//!   │
//! runner     one file             what each directive asserts
//!   │                             (state: modules and instances; spectest: the host module;
//!   │                             features: what a refused module needs)
//! result     sums, JSON           and table, for people
//! ```
//!
//! A directive is skipped only if its module, or one that it uses, is invalid with teff's features and
//! valid with all of Wasm 3.0's, or is about threads. Everything else passes or fails.

mod features;
pub mod pool;
pub mod result;
mod runner;
mod script;
mod spectest;
mod state;
pub mod suite;
pub mod table;
mod value;
