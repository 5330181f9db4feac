//! A first look at execution.
use teff_runtime::*;

fn run(wat: &str, name: &str, arg: i32) -> Result<i32> {
    let mut last = None;
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            let mut config = Config::new();
            config.backend(backend).code_form(form);
            let engine = Engine::new(&config)?;
            let module = Module::new(&engine, wat::parse_str(wat).unwrap())?;
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[])?;
            let func = instance.get_typed_func::<i32, i32>(&mut store, name)?;
            let result = func.call(&mut store, arg)?;
            assert!(last.is_none_or(|last| last == result));
            last = Some(result);
        }
    }
    Ok(last.unwrap())
}

#[test]
fn fib() {
    let wat = r#"(module (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
          (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                         (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;
    assert_eq!(run(wat, "fib", 20).unwrap(), 6765);
}
