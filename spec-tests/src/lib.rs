//! Runs test suites of others on teff. The official WebAssembly suite runs through the public API:
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
//!
//! Two suites for WASI preview 1 run the command `teff`, as its users do: [`wasi`], the suite of the WASI subgroup, and
//! [`go`], the tests of Go's standard library. They share [`program`], [`process`] and [`scratch`].

mod features;
pub mod go;
pub mod pool;
pub mod process;
pub mod program;
pub mod result;
mod runner;
pub mod scratch;
mod script;
mod spectest;
mod state;
pub mod suite;
pub mod table;
mod value;
pub mod wasi;
