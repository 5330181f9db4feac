//! Modules from wasm-smith: less typical code than the own generator's, but of every valid shape.

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

use crate::choices::Choices;

/// How many calls and iterations a module may make before it traps.
const FUEL: u32 = 2000;

/// A module of these choices; `None` if wasm-smith cannot make one of them.
pub(crate) fn generate(choices: &mut Choices) -> Option<Vec<u8>> {
    let size = 300 + choices.below(3000);
    let bytes: Vec<u8> = (0..size).map(|_| choices.number() as u8).collect();
    let mut module = Module::new(config(), &mut Unstructured::new(&bytes)).ok()?;
    module.ensure_termination(FUEL).ok()?;
    Some(module.to_bytes())
}

/// The features that teff has; no imports, and everything exported, so that everything is observed.
fn config() -> Config {
    Config {
        simd_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        custom_page_sizes_enabled: false,
        tail_call_enabled: true,
        extended_const_enabled: true,
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        multi_value_enabled: true,
        sign_extension_ops_enabled: true,
        saturating_float_to_int_enabled: true,
        canonicalize_nans: true,
        export_everything: true,
        allow_start_export: true,
        max_imports: 0,
        min_funcs: 1,
        max_funcs: 6,
        max_memories: 1,
        max_tables: 4,
        max_globals: 8,
        max_types: 20,
        max_instructions: 300,
        max_memory32_bytes: 1 << 17,
        memory_max_size_required: true,
        table_max_size_required: true,
        max_table_elements: 100,
        ..Config::default()
    }
}
