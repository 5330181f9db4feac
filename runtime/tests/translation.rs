//! Cases that translation once had wrong, or that nothing else covers: each in every configuration.

use teff_runtime::{CodeForm, Config, Engine, Instance, Module, Result, Store, Val};

/// Calls `f` of the module with `args`, in every backend and form; all must agree.
fn results(wat: &str, args: &[Val]) -> Result<Vec<i64>> {
    let binary = wat::parse_str(wat)?;
    let mut agreed: Option<Vec<i64>> = None;
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            let mut config = Config::new();
            config.backend(backend).code_form(form);
            let engine = Engine::new(&config)?;
            let module = Module::new(&engine, &binary)?;
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[])?;
            let f = instance.get_func(&mut store, "f").expect("it exports f");
            let mut values = vec![Val::I32(0); f.ty(&store).results().len()];
            f.call(&mut store, args, &mut values)?;
            let values = values.iter().map(|value| match value {
                Val::I32(value) => i64::from(*value),
                Val::I64(value) => *value,
                other => panic!("{other:?} is no integer"),
            });
            let values: Vec<i64> = values.collect();
            let first = agreed.get_or_insert_with(|| values.clone());
            assert_eq!(*first, values, "{backend:?} {form:?}");
        }
    }
    Ok(agreed.expect("there is a backend"))
}

fn i32s(wat: &str, args: &[i32]) -> Vec<i64> {
    let args: Vec<Val> = args.iter().map(|arg| Val::I32(*arg)).collect();
    results(wat, &args).unwrap()
}

#[test]
fn a_branch_out_of_the_function_leaves_the_values_for_the_path_that_goes_on() {
    let constants = r#"(module (func (export "f") (param i32) (result i32 i32)
        i32.const 11  i32.const 22  local.get 0  br_if 0))"#;
    assert_eq!(i32s(constants, &[0]), [11, 22]);
    assert_eq!(i32s(constants, &[1]), [11, 22]);

    let locals = r#"(module (func (export "f") (param i32 i32) (result i32 i32)
        local.get 1  i32.const 22  local.get 0  br_if 0
        (local.set 1 (i32.const 99))))"#;
    assert_eq!(i32s(locals, &[0, 7]), [7, 22]);
    assert_eq!(i32s(locals, &[1, 7]), [7, 22]);
}

#[test]
fn a_local_that_changes_keeps_its_old_value_on_the_stack() {
    let wat = r#"(module (func (export "f") (param i32) (result i32)
        local.get 0
        (local.set 0 (i32.mul (local.get 0) (i32.const 10)))
        local.get 0
        (local.set 0 (i32.const 1))
        local.get 0
        i32.add
        i32.sub))"#;
    assert_eq!(i32s(wat, &[4]), [4 - (40 + 1)]);
}

#[test]
fn a_result_that_waits_is_written_by_its_producer() {
    // Two products wait for a third; their instructions are rewritten after others have followed them.
    let wat = r#"(module (memory 1)
        (data (i32.const 8) "\02\00\00\00\03\00\00\00\05\00\00\00\07\00\00\00")
        (func (export "f") (param i32) (result i32)
        (i32.add
            (i32.mul (i32.load (local.get 0)) (i32.load offset=4 (local.get 0)))
            (i32.mul
                (i32.load (i32.add (local.get 0) (i32.const 8)))
                (i32.sub (i32.load (i32.add (local.get 0) (i32.const 12))) (i32.const 1))))))"#;
    assert_eq!(i32s(wat, &[8]), [2 * 3 + 5 * (7 - 1)]);
}

#[test]
fn wrapped_integers_have_no_upper_half() {
    // The upper half of an i64 must not show through its low half: extended, compared, as an address.
    let wat = r#"(module (memory 1) (data (i32.const 16) "\2a")
        (func (export "f") (param i64) (result i64 i32 i32 i32)
        (local i32)
        (local.set 1 (i32.wrap_i64 (local.get 0)))
        (i64.extend_i32_u (i32.wrap_i64 (local.get 0)))
        (i32.eq (i32.wrap_i64 (i64.add (local.get 0) (i64.const 0))) (i32.const 16))
        (i32.load8_u (i32.wrap_i64 (i64.shr_u (i64.shl (local.get 0) (i64.const 1)) (i64.const 1))))
        (i32.div_u (local.get 1) (i32.const 4))))"#;
    let got = results(wat, &[Val::I64(0x7654_3210_0000_0010)]).unwrap();
    assert_eq!(got, [16, 1, 42, 4]);
}

#[test]
fn booleans_that_were_widened_are_booleans() {
    // What Go makes of conditions.
    let wat = r#"(module (func (export "f") (param i32 i32) (result i32 i64)
        (if (result i32)
            (i32.eqz (i32.wrap_i64 (i64.extend_i32_u (i32.lt_s (local.get 0) (local.get 1)))))
            (then (i32.const 1)) (else (i32.const 2)))
        (i64.extend_i32_s (i64.eqz (i64.extend_i32_u (i32.lt_s (local.get 0) (local.get 1)))))))"#;
    assert_eq!(i32s(wat, &[1, 2]), [2, 0]);
    assert_eq!(i32s(wat, &[2, 1]), [1, 1]);
}

#[test]
fn frames_too_large_for_slot_fields() {
    // 5,000 locals: most are out of reach of a 16-bit offset.
    let locals = "(local i32)".repeat(5_000);
    let wat = format!(
        r#"(module (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "f") (param i32) (result i32 i32 i32) {locals}
        (local.set 4999 (i32.const 7))
        (local.set 5000 (i32.add (local.get 4999) (local.get 0)))
        (call $add (local.get 4999) (local.get 5000))
        (select (local.get 4999) (local.get 5000) (i32.lt_s (local.get 4999) (local.get 4998)))
        (local.tee 4998 (i32.sub (local.get 5000) (local.get 4999)))))"#
    );
    assert_eq!(i32s(&wat, &[3]), [7 + 10, 10, 3]);
}

#[test]
fn a_frame_beyond_all_limits_is_an_error() {
    // Each call leaves 1,000 results on the operand stack.
    let results_1000 = "i32 ".repeat(1_000);
    let constants = "i32.const 0 ".repeat(1_000);
    let calls = "call $many ".repeat(5_000);
    let wat = format!(
        r#"(module (func $many (result {results_1000}) {constants})
        (func (export "f") {calls} unreachable))"#
    );
    let error = results(&wat, &[]).unwrap_err().to_string();
    assert!(error.contains("frame"), "{error}");
}

#[test]
fn backtraces_name_the_instruction() {
    let wat = r#"(module $m (memory 1)
        (func $inner (param i32) (result i32) (i32.load offset=65535 (local.get 0)))
        (func $outer (export "f") (param i32) (result i32)
            (i32.add (i32.const 1) (call $inner (i32.mul (local.get 0) (i32.const 3))))))"#;
    let error = results(wat, &[Val::I32(7)]).unwrap_err();
    let frames = error.backtrace().unwrap().frames();
    let names: Vec<_> = frames.iter().map(|frame| frame.func_name()).collect();
    assert_eq!(names, [Some("inner"), Some("outer")]);
    // The bytes there are `i32.load` and `call 0`.
    let binary = wat::parse_str(wat).unwrap();
    let bytes: Vec<_> = frames
        .iter()
        .map(|frame| binary[frame.module_offset().unwrap()])
        .collect();
    assert_eq!(bytes, [0x28, 0x10]);
}
