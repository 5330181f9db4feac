//! Which proposals a module needs. Knows `wasmparser`'s flags alone.

use wasmparser::types::Types;
use wasmparser::{Error, Validator, WasmFeatures};

/// Everything that a core module may use, now or some day. Not the component model.
const KNOWN: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::COMPACT_IMPORTS)
    .union(WasmFeatures::LEGACY_EXCEPTIONS);

/// The proposals past WebAssembly 1.0 without which `binary` is invalid, and its types; or why it is
/// invalid anyway.
pub(crate) fn needed(binary: &[u8]) -> Result<(Vec<String>, Types), Error> {
    let mut features = WasmFeatures::WASM1;
    let types = loop {
        match validate(binary, features) {
            Ok(types) => break types,
            Err(error) => match error.missing_wasm_feature() {
                Some(missing) if !features.contains(missing) => features |= missing,
                _ => {
                    // Not every error says what it lacks.
                    features = without_needless(binary, features)?;
                    break validate(binary, features)?;
                }
            },
        }
    };
    let names = features.difference(WasmFeatures::WASM1);
    let names = names
        .iter_names()
        .map(|(name, _)| name.to_lowercase().replace('_', "-"));
    Ok((names.collect(), types))
}

/// All features, less those that can be left out one after the other.
fn without_needless(binary: &[u8], needed: WasmFeatures) -> Result<WasmFeatures, Error> {
    let mut features = WasmFeatures::WASM3 | needed;
    if validate(binary, features).is_err() {
        features = KNOWN;
        validate(binary, features)?;
    }
    for feature in features.difference(needed).iter() {
        let fewer = features.difference(feature) | needed;
        if validate(binary, fewer).is_ok() {
            features = fewer;
        }
    }
    Ok(features)
}

fn validate(binary: &[u8], features: WasmFeatures) -> Result<Types, Error> {
    Validator::new_with_features(features).validate_all(binary)
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn proposals_are_found() {
        let needed = |text: &str| needed(&wat::parse_str(text).unwrap()).unwrap().0;
        assert_eq!(needed("(module (func))"), [""; 0]);
        assert_eq!(needed("(module (func (param v128)))"), ["simd"]);
        assert_eq!(needed("(module (memory i64 1))"), ["memory64"]);
        assert_eq!(needed("(module (memory 1) (memory 1))"), ["multi-memory"]);
        assert_eq!(
            needed("(module (memory 1 (pagesize 1)))"),
            ["custom-page-sizes"]
        );
        assert_eq!(
            needed("(module (func (return_call 0)) (func (param v128)))"),
            ["simd", "tail-call"]
        );
        assert_eq!(needed("(module (type (struct)))"), ["gc"]);
    }

    #[test]
    fn an_invalid_module_is_an_error() {
        let module = wat::parse_str("(module (func (result i32)))").unwrap();
        let error = needed(&module).map(drop).unwrap_err();
        assert!(error.to_string().contains("type mismatch"), "{error}");
    }
}
