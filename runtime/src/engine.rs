//! The engine: configuration, and the numbers of function types, shared by all modules and stores.

use crate::{Config, Result, sync::Arc};

/// Configuration and shared state of modules and stores. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<EngineInner>,
}

struct EngineInner {
    config: Config,
}

impl Engine {
    /// An engine with this configuration.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            inner: Arc::new(EngineInner {
                config: config.clone(),
            }),
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Are these the same engine?
    pub fn same(a: &Self, b: &Self) -> bool {
        Arc::ptr_eq(&a.inner, &b.inner)
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            inner: Arc::new(EngineInner {
                config: Config::new(),
            }),
        }
    }
}
