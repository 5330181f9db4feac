//! Which features teff has, and which a module needs beyond them. Knows `wasmparser`'s flags; asks the
//! engine only whether it accepts a module.

use teff_runtime::{Engine, Module};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// For each feature, the smallest module that is invalid without it, in text form.
const PROBES: &[(WasmFeatures, &str)] = &[
    (
        WasmFeatures::MUTABLE_GLOBAL,
        r#"(import "" "" (global (mut i32)))"#,
    ),
    (
        WasmFeatures::SATURATING_FLOAT_TO_INT,
        "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))",
    ),
    (
        WasmFeatures::SIGN_EXTENSION,
        "(func (drop (i32.extend8_s (i32.const 0))))",
    ),
    (WasmFeatures::REFERENCE_TYPES, "(func (param externref))"),
    (
        WasmFeatures::MULTI_VALUE,
        "(func (result i32 i32) (i32.const 0) (i32.const 0))",
    ),
    (
        WasmFeatures::BULK_MEMORY,
        r#"(memory 0) (data "") (func (data.drop 0))"#,
    ),
    (WasmFeatures::SIMD, "(func (param v128))"),
    (
        WasmFeatures::RELAXED_SIMD,
        "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    ),
    (WasmFeatures::THREADS, "(memory 1 1 shared)"),
    (WasmFeatures::TAIL_CALL, "(func (return_call 0))"),
    (WasmFeatures::MULTI_MEMORY, "(memory 0) (memory 0)"),
    (WasmFeatures::EXCEPTIONS, "(tag)"),
    (WasmFeatures::MEMORY64, "(memory i64 0)"),
    (
        WasmFeatures::EXTENDED_CONST,
        "(global i32 (i32.add (i32.const 0) (i32.const 0)))",
    ),
    (
        WasmFeatures::FUNCTION_REFERENCES,
        "(type $f (func)) (func (param (ref $f)))",
    ),
    (WasmFeatures::GC, "(type (struct))"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "(memory 0 (pagesize 1))"),
    (
        WasmFeatures::STACK_SWITCHING,
        "(type $f (func)) (type (cont $f))",
    ),
    (
        WasmFeatures::WIDE_ARITHMETIC,
        "(func (param i64) (local.get 0) (local.get 0) i64.mul_wide_s drop drop)",
    ),
    (
        WasmFeatures::COMPACT_IMPORTS,
        r#"(import "" (item "a" (func)) (item "b" (func)))"#,
    ),
];

/// What an engine accepts, in `wasmparser`'s terms.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Supported(pub(crate) WasmFeatures);

impl Supported {
    /// Asks `engine`, with one small module for each feature.
    pub(crate) fn probe(engine: &Engine) -> Self {
        let mut supported = WasmFeatures::MVP;
        for &(feature, text) in PROBES {
            let module = wat::parse_str(format!("(module {text})")).expect("the probes are text");
            supported.set(feature, Module::validate(engine, &module).is_ok());
        }
        Self(supported)
    }

    /// Why the engine may refuse `module`: features that it lacks, that Wasm 3.0 (or `beyond`, past it)
    /// has, and that make the module valid. `None` if it should accept the module, and if nobody does.
    pub(crate) fn missing(&self, module: &[u8], beyond: WasmFeatures) -> Option<String> {
        let reference = WasmFeatures::WASM3 | beyond | self.0;
        if is_valid(module, self.0) || !is_valid(module, WasmFeatures::WASM3 | beyond) {
            return None;
        }
        let lacking = reference.difference(self.0);
        let one = lacking
            .iter()
            .find(|feature| is_valid(module, self.0 | *feature));
        if let Some(feature) = one {
            return Some(names(feature));
        }
        // It takes more than one: leave out what can be left out.
        let mut needed = lacking;
        for feature in lacking.iter() {
            if is_valid(module, self.0 | needed.difference(feature)) {
                needed.remove(feature);
            }
        }
        Some(names(needed))
    }
}

/// Is the module valid in Wasm 3.0?
pub(crate) fn is_wasm3(module: &[u8]) -> bool {
    is_valid(module, WasmFeatures::WASM3)
}

fn is_valid(module: &[u8], features: WasmFeatures) -> bool {
    Validator::new_with_features(features)
        .validate_all(module)
        .is_ok()
}

/// The names of the modules that a valid module imports from.
pub(crate) fn imported_modules(module: &[u8]) -> Vec<&str> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Ok(Payload::ImportSection(imports)) = payload {
            names.extend(imports.into_imports().flatten().map(|import| import.module));
        }
    }
    names
}

/// The features' names as proposals are called: `simd`, `relaxed-simd`.
pub(crate) fn names(features: WasmFeatures) -> String {
    let names: Vec<_> = features
        .iter_names()
        .map(|(name, _)| name.to_lowercase().replace('_', "-"))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(text: &str) -> Vec<u8> {
        wat::parse_str(format!("(module {text})")).unwrap()
    }

    #[test]
    fn every_probe_needs_its_feature() {
        let all = PROBES
            .iter()
            .fold(WasmFeatures::MVP, |all, (feature, _)| all | *feature);
        for &(feature, text) in PROBES {
            let module = binary(text);
            // Who has GC has typed function references too.
            let mut without = all.difference(feature);
            without.set(
                WasmFeatures::GC,
                without.function_references() && without.gc(),
            );
            assert!(is_valid(&module, all), "{text}");
            assert!(!is_valid(&module, without), "{text}");
        }
    }

    #[test]
    fn the_missing_feature_is_named() {
        let supported = Supported(WasmFeatures::WASM2.difference(WasmFeatures::SIMD));
        let missing = |text| supported.missing(&binary(text), WasmFeatures::empty());
        assert_eq!(missing("(func (param v128))").unwrap(), "simd");
        assert_eq!(
            missing("(func (param v128)) (memory i64 1)").unwrap(),
            "simd, memory64"
        );
        assert_eq!(
            missing("(func (param i32))"),
            None,
            "the engine should accept it"
        );
        assert_eq!(missing("(func (result i32))"), None, "nobody accepts it");
        assert_eq!(missing("(memory 0 (pagesize 1))"), None, "not in Wasm 3.0");
    }

    #[test]
    fn a_proposal_past_wasm3_counts_in_its_folder() {
        let supported = Supported(WasmFeatures::WASM2);
        let missing = supported.missing(
            &binary("(memory 0 (pagesize 1))"),
            WasmFeatures::CUSTOM_PAGE_SIZES,
        );
        assert_eq!(missing.unwrap(), "custom-page-sizes");
    }
}
