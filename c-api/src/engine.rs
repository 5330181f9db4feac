//! `wasm_config_t` and `wasm_engine_t`.

use alloc::boxed::Box;

use teff_runtime::{Config, Engine};

use crate::guard::c_api;

pub(crate) struct wasm_config_t {
    pub(crate) config: Config,
}

pub(crate) struct wasm_engine_t {
    pub(crate) engine: Engine,
}

impl wasm_engine_t {
    fn new(config: &Config) -> Option<Box<Self>> {
        let engine = Engine::new(config).ok()?;
        Some(Box::new(Self { engine }))
    }
}

c_api! {
    fn wasm_config_new() -> Option<Box<wasm_config_t>> {
        Some(Box::new(wasm_config_t { config: Config::new() }))
    }

    fn wasm_config_delete(_config: Option<Box<wasm_config_t>>) {}

    fn wasm_engine_new() -> Option<Box<wasm_engine_t>> {
        wasm_engine_t::new(&Config::new())
    }

    fn wasm_engine_new_with_config(config: Option<Box<wasm_config_t>>) -> Option<Box<wasm_engine_t>> {
        wasm_engine_t::new(&config?.config)
    }

    fn wasm_engine_delete(_engine: Option<Box<wasm_engine_t>>) {}
}
