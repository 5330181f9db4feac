//! WASI preview1 for the teff WebAssembly interpreter.
//!
//! A guest gets what a [`WasiCtxBuilder`] grants it and nothing else. [`add_to_linker`] defines the
//! functions; [`FUNCTIONS`] lists them and says which are implemented so far.
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
//! | `ctx.rs` | the builder and the state of a guest |
//! | `types.rs` | the interface's words: errors, rights, flags, file types |
//! | `guest.rs` | the guest's memory: numbers, ranges, vectors |
//! | `fd.rs` | the descriptor table; rights and permissions |
//! | `path.rs` | the sandbox: resolution of paths |
//! | `fs.rs`, `io.rs`, `dir.rs` | functions on paths, on open descriptors, listing of directories |
//! | `clock.rs`, `poll.rs`, `random.rs`, `proc.rs` | the other functions |
//! | `sys.rs` | the host's calls through libc |

#[cfg(not(unix))]
compile_error!("teff-wasi works on Unix hosts only: its sandbox needs directory descriptors");

mod clock;
mod ctx;
mod dir;
mod fd;
mod fs;
mod guest;
mod io;
mod path;
mod poll;
mod proc;
mod random;
mod sys;
mod table;
mod types;

pub use ctx::{WasiCtx, WasiCtxBuilder};
pub use proc::I32Exit;
pub use table::{FUNCTIONS, Function, add_imported_to_linker, add_to_linker};
pub use types::{DirPerms, Errno, FilePerms};

#[cfg(test)]
mod testing;
