//! A WebAssembly interpreter that is fast on a server and small on a device.
//!
//! The API has the names and shapes of Wasmtime's, as far as it is synchronous: an [`Engine`] compiles
//! nothing but holds the configuration, a [`Module`] is decoded and validated bytes, a [`Store`] owns
//! everything that runs, a [`Linker`] connects imports by name, and an [`Instance`] is a module at work.
//!
//! ```
//! use teff_runtime::{Engine, Linker, Module, Store};
//!
//! # fn main() -> teff_runtime::Result<()> {
//! let engine = Engine::default();
//! let module = Module::new(
//!     &engine,
//!     wat::parse_str(
//!         r#"(module
//!              (import "env" "offset" (func $offset (result i32)))
//!              (func (export "add") (param i32 i32) (result i32)
//!                (i32.add (call $offset) (i32.add (local.get 0) (local.get 1)))))"#,
//!     )?,
//! )?;
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("env", "offset", || 100)?;
//! let mut store = Store::new(&engine, ());
//! let instance = linker.instantiate(&mut store, &module)?;
//! let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
//! assert_eq!(add.call(&mut store, (2, 3))?, 105);
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! Everything that can fail gives an [`Error`], which carries its cause: a [`Trap`], the error that a host
//! function returned, or a message. It has a [`WasmBacktrace`] if Wasm was running.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | sharing between threads, memory that the system commits lazily, mapped module files |
//! | `compile` | yes | modules of Wasm binaries: decoding, validation, translation. Without it there are images alone |
//! | `threaded` | yes | the fast dispatch backend, where the target and the opt-level allow it |
//! | `loop` | yes | the portable dispatch backend; always there if the other is not |
//! | `signatures` | no | signed images (Ed25519) |
//! | `census` | no | counts what the loop backend dispatches, for work on the instruction set |
//!
//! Without `std` the crate needs `alloc` alone. An [`Engine`] and what belongs to it then stay on one
//! thread.
//!
//! # Map
//!
//! `module` decodes; `image` has modules that are translated already; `ir` is the instruction set; `translate` makes code of function bodies; `exec` runs it;
//! `store` has the records that instances are made of; `sys` gets memory. The files beside these are the
//! public API.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod config;
mod engine;
mod error;
mod exec;
mod func;
mod global;
mod identity;
mod image;
mod instance;
mod ir;
mod limits;
mod linker;
mod listing;
mod memory;
mod module;
mod resumable;
mod step;
mod store;
mod sync;
mod sys;
mod table;
#[cfg(feature = "compile")]
mod translate;
mod trap;
mod typed;
mod types;
mod value;

#[cfg(feature = "census")]
pub use crate::exec::Census;
#[cfg(feature = "signatures")]
pub use crate::image::{SigningKey, TrustedKey};
pub use crate::{
    config::{Backend, CodeForm, CompilationMode, Config},
    engine::{Engine, EpochWaker},
    error::{Error, Result},
    func::{Caller, Func},
    global::Global,
    identity::ObjectId,
    image::{ImageClass, ImageInfo, Precompiled},
    instance::{Export, Extern, Instance},
    limits::{StoreLimits, StoreLimitsBuilder},
    linker::Linker,
    listing::disassemble,
    memory::{Memory, MemoryAccessError},
    module::{MemoryReport, Module},
    resumable::{Pending, ResumableCall, SuspendedCall, TypedResumableCall, TypedSuspendedCall},
    step::{Execution, Step},
    store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut},
    table::Table,
    trap::{FrameInfo, Trap, WasmBacktrace},
    typed::{IntoFunc, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy},
    types::{
        ExportType, ExternType, FuncType, GlobalType, HeapType, ImportType, MemoryType, Mutability,
        RefType, TableType, ValType,
    },
    value::{ExternRef, Ref, Val},
};
