//! Stores: the owners of everything that runs.
//!
//! [`StoreInner`] is a store without the embedder's data. The engine works on it through a raw pointer,
//! because Wasm and host functions nest: while handlers run, no reference to a store exists.

use alloc::{boxed::Box, vec::Vec};
use core::{any::Any, ptr::NonNull};

use crate::{Engine, Result, StoreLimits, error::bail, exec::Ctx, sync::Arc};

mod arena;
mod context;
mod host;
pub(crate) mod instance;
mod objects;

pub use context::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};

use arena::Arena;
pub(crate) use host::{HostCall, HostFunc};
pub(crate) use objects::{FuncObj, GlobalObj, InstanceObj, MemoryObj, TableObj};

/// Identity of a store: no other store of the program has or had it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(u64);

/// A store without the embedder's data.
#[repr(C)]
pub(crate) struct StoreInner {
    pub(crate) ctx: Ctx,
    pub(crate) id: StoreId,
    engine: Engine,
    limits: StoreLimits,
    host_funcs: Vec<Arc<HostFunc>>,
    host_func_objects: Arena<FuncObj>,
    instances: Arena<InstanceObj>,
    tables: Arena<TableObj>,
    memories: Arena<MemoryObj>,
    globals: Arena<GlobalObj>,
    /// Host values that references lead to. A reference in a slot is an index here plus one.
    references: Vec<Box<dyn Any + Send + Sync>>,
}

impl StoreInner {
    fn new(engine: &Engine) -> Self {
        Self {
            ctx: Ctx::new(engine.config(), engine.meter()).for_target(engine.target()),
            id: StoreId(engine.new_store_id()),
            engine: engine.clone(),
            limits: StoreLimits::default(),
            host_funcs: Vec::new(),
            host_func_objects: Arena::new(),
            instances: Arena::new(),
            tables: Arena::new(),
            memories: Arena::new(),
            globals: Arena::new(),
            references: Vec::new(),
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    fn check_fuel(&self) -> Result<()> {
        if !self.engine.config().consume_fuel {
            bail!("fuel is not used by this engine: turn it on with Config::consume_fuel");
        }
        Ok(())
    }

    fn fuel(&self) -> Result<u64> {
        self.check_fuel()?;
        Ok(self.ctx.fuel())
    }

    fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.check_fuel()?;
        self.ctx.set_fuel(fuel);
        Ok(())
    }

    /// The host function with this number.
    pub(crate) fn host_func(&self, index: u32) -> &HostFunc {
        &self.host_funcs[index as usize]
    }

    /// Takes a memory, if one more is allowed.
    pub(crate) fn add_memory(&mut self, memory: MemoryObj) -> Result<NonNull<MemoryObj>> {
        self.check_counts(0, 0, 1)?;
        Ok(self.memories.add(memory))
    }

    /// Takes a table, if one more is allowed.
    pub(crate) fn add_table(&mut self, table: TableObj) -> Result<NonNull<TableObj>> {
        self.check_counts(0, 1, 0)?;
        Ok(self.tables.add(table))
    }

    /// Takes a global.
    pub(crate) fn add_global(&mut self, global: GlobalObj) -> NonNull<GlobalObj> {
        self.globals.add(global)
    }

    /// Takes a host value and returns its index.
    pub(crate) fn add_reference(&mut self, value: Box<dyn Any + Send + Sync>) -> Result<u32> {
        let Ok(index) = u32::try_from(self.references.len()) else {
            bail!("a store can hold at most {} host references", u32::MAX);
        };
        self.references.push(value);
        Ok(index)
    }

    /// The host value with this index.
    pub(crate) fn reference(&self, index: u32) -> &(dyn Any + Send + Sync) {
        &*self.references[index as usize]
    }

    /// May so many more be made?
    fn check_counts(&self, instances: usize, tables: usize, memories: usize) -> Result<()> {
        let limits = &self.limits;
        for (more, have, limit, what) in [
            (
                instances,
                self.instances.len(),
                limits.instances,
                "instances",
            ),
            (tables, self.tables.len(), limits.tables, "tables"),
            (memories, self.memories.len(), limits.memories, "memories"),
        ] {
            if more > 0 && have.saturating_add(more) > limit {
                bail!(
                    "the store would have more than its limit of {limit} {what} (StoreLimitsBuilder::{what})"
                );
            }
        }
        Ok(())
    }

    /// Panics if a handle belongs to another store.
    #[inline]
    #[track_caller]
    pub(crate) fn check(&self, id: StoreId) {
        assert!(self.id == id, "object used with the wrong store");
    }
}
