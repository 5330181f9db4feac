//! Running a module in an engine and observing all that a host can observe.
//!
//! Traps are compared by class: the name of the trap, but for two classes that engines tell apart in different ways,
//! `memory` and `table`, which stand for every access out of bounds.

pub(crate) mod teff;
pub(crate) mod v8;
pub(crate) mod wasmi;

/// The class of an access to memory out of bounds.
const MEMORY: &str = "memory";
/// The class of an access to a table out of bounds.
const TABLE: &str = "table";
/// The module that host functions are imported from.
const HOST_MODULE: &str = "h";

/// The host function `h0`.
fn host_0(a: i32) -> i32 {
    a.wrapping_mul(3).wrapping_add(1)
}

/// The host function `h1`.
fn host_1(a: f64, b: i32, c: i64) -> (i64, f64) {
    (c.wrapping_sub(i64::from(b)), a)
}
