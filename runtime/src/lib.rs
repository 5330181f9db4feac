//! A WebAssembly interpreter that is fast on a server and small on a device.
//!
//! The API has the names and shapes of Wasmtime's, as far as it is synchronous: an [`Engine`] compiles
//! nothing but holds the configuration, a [`Module`] is decoded and validated bytes, a [`Store`] owns
//! everything that runs, a [`Linker`] connects imports by name, and an [`Instance`] is a module at work.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod config;
mod engine;
mod error;
mod exec;
mod func;
mod global;
mod instance;
mod ir;
mod limits;
mod linker;
mod listing;
mod memory;
mod module;
mod store;
mod sync;
mod sys;
mod table;
mod translate;
mod trap;
mod typed;
mod types;
mod value;

pub use crate::{
    config::{Backend, CodeForm, Config},
    engine::Engine,
    error::{Error, Result},
    func::{Caller, Func},
    global::Global,
    instance::{Export, Extern, Instance},
    limits::{StoreLimits, StoreLimitsBuilder},
    linker::Linker,
    listing::disassemble,
    memory::{Memory, MemoryAccessError},
    module::Module,
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
