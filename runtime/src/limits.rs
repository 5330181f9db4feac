//! What a store's modules may use.

/// Limits of a [`Store`](crate::Store): a module that asks for more gets an error at instantiation, and
/// a failed `memory.grow` or `table.grow` (-1) when it runs.
#[derive(Clone, Debug)]
pub struct StoreLimits {
    pub(crate) memory_bytes: u64,
    pub(crate) table_elements: u64,
    pub(crate) instances: usize,
    pub(crate) tables: usize,
    pub(crate) memories: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimitsBuilder::new().build()
    }
}

/// Builds [`StoreLimits`].
#[derive(Clone, Debug)]
pub struct StoreLimitsBuilder(StoreLimits);

impl Default for StoreLimitsBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl StoreLimitsBuilder {
    /// The defaults: what 32-bit memories can have at most (4 GiB), 10,000,000 elements a table,
    /// 10,000 instances, tables and memories.
    pub fn new() -> Self {
        Self(StoreLimits {
            memory_bytes: 1 << 32,
            table_elements: 10_000_000,
            instances: 10_000,
            tables: 10_000,
            memories: 10_000,
        })
    }

    /// Most bytes of one memory, rounded down to whole pages of the memory.
    #[must_use]
    pub fn memory_size(mut self, bytes: usize) -> Self {
        self.0.memory_bytes = bytes as u64;
        self
    }

    /// Most elements of one table.
    #[must_use]
    pub fn table_elements(mut self, elements: usize) -> Self {
        self.0.table_elements = elements as u64;
        self
    }

    /// Most instances in the store.
    #[must_use]
    pub fn instances(mut self, instances: usize) -> Self {
        self.0.instances = instances;
        self
    }

    /// Most tables in the store.
    #[must_use]
    pub fn tables(mut self, tables: usize) -> Self {
        self.0.tables = tables;
        self
    }

    /// Most memories in the store.
    #[must_use]
    pub fn memories(mut self, memories: usize) -> Self {
        self.0.memories = memories;
        self
    }

    /// The finished limits, for [`Store::limiter`](crate::Store::limiter).
    pub fn build(self) -> StoreLimits {
        self.0
    }
}
