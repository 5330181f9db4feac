//! Execution: handlers for every operation of the instruction table, and the loop that drives them.
//!
//! Knows the IR and the store's records; knows nothing of Wasm's binary syntax. The semantics live by family
//! (`int`, `float`, `convert`, `memory`, `variable`, `control`, `call`, `table`), one zero-sized type per
//! row of the table. `kinds` gives them operands, `backend` turns them into handlers for threaded code and
//! for the loop, `handlers` lists those by operation number, and `run` enters and leaves the code.

mod address;
mod backend;
mod backtrace;
mod bulk;
mod call;
#[cfg(feature = "census")]
mod census;
mod control;
mod convert;
mod ctx;
mod float;
mod handlers;
mod int;
mod kinds;
mod machine;
mod memory;
mod meter;
mod operand;
mod pair;
mod run;
mod selftest;
mod table;
mod target;
mod unaligned;
mod variable;

#[cfg(feature = "compile")]
pub(crate) use call::HEADER;
#[cfg(feature = "census")]
pub use census::Census;
pub(crate) use ctx::Ctx;
pub(crate) use meter::Meter;
pub(crate) use run::{Stop, Suspended, invoke, invoke_resumable, resume};
pub(crate) use target::Target;
