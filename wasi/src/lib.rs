//! WASI preview1 for the teff WebAssembly interpreter.
//!
//! A guest gets what a [`WasiCtxBuilder`] grants it and nothing else. [`add_to_linker`] defines the
//! functions; [`FUNCTIONS`] lists them.
//!
//! ```no_run
//! use teff_runtime::{Engine, Linker, Module, Result, Store};
//! use teff_wasi::{I32Exit, WasiCtx, WasiCtxBuilder};
//!
//! fn main() -> Result<()> {
//!     let engine = Engine::default();
//!     let module = Module::new(&engine, std::fs::read("hello.wasm")?)?;
//!     let mut linker = Linker::<WasiCtx>::new(&engine);
//!     teff_wasi::add_to_linker(&mut linker, |ctx| ctx)?;
//!
//!     let ctx = WasiCtxBuilder::new().arg("hello").inherit_stdio().build();
//!     let mut store = Store::new(&engine, ctx);
//!     let instance = linker.instantiate(&mut store, &module)?;
//!     let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
//!     match start.call(&mut store, ()) {
//!         Err(error) => match error.downcast_ref::<I32Exit>() {
//!             Some(exit) => std::process::exit(exit.0),
//!             None => Err(error),
//!         },
//!         Ok(()) => Ok(()),
//!     }
//! }
//! ```
//!
//! # Map
//!
//! | file | room |
//! | --- | --- |
//! | `table.rs` | the one table of functions, linking, the list |
//! | `preview0.rs`, `device.rs` | the interface's first version; `device.get` |
//! | `builder.rs`, `ctx.rs` | what is granted; the state of a guest |
//! | `limits.rs`, `audit.rs` | what a guest may use, and what it was refused |
//! | `types/` | the interface's words: errors, rights, flags, file types |
//! | `guest.rs`, `buffers.rs` | the guest's memory: numbers, ranges; buffers for input and output |
//! | `fd.rs` | the descriptor table; rights and permissions |
//! | `fs.rs`, `io.rs`, `attr.rs`, `dir.rs`, `sock.rs` | functions on paths, on open descriptors, on sockets |
//! | `clock.rs`, `poll.rs`, `proc.rs` | the other functions |
//! | `faults.rs`, `faults/` | a network that loses and delays, for tests |
//! | `wait.rs` | the one place where a call blocks |
//! | `sync.rs` | a lock, with threads and without |
//! | `path.rs` | the sandbox: resolution of paths in any tree |
//! | `platform/` | what WASI needs of the world, as traits; Unix, a tree in memory, a flash image |

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod attr;
mod audit;
mod buffers;
mod builder;
mod clock;
mod ctx;
mod device;
mod dir;
#[cfg(target_has_atomic = "ptr")]
mod faults;
mod fd;
mod fs;
mod guest;
mod io;
mod limits;
mod path;
pub mod platform;
mod poll;
mod preview0;
mod proc;
mod sock;
mod sync;
mod table;
mod types;
mod wait;

pub use audit::{Denial, Refusal};
pub use builder::WasiCtxBuilder;
pub use ctx::WasiCtx;
pub use device::add_device_to_linker;
#[cfg(target_has_atomic = "ptr")]
pub use faults::Faults;
pub use limits::WasiLimits;
#[cfg(all(unix, feature = "std"))]
pub use platform::unix::PathResolution;
pub use proc::I32Exit;
pub use table::{FUNCTIONS, Function, add_imported_to_linker, add_to_linker};
pub use types::{DirPerms, Errno, FilePerms};

#[cfg(test)]
mod testing;
