//! Instructions that do the work of several, and pinned locals: the same results with and without them, in every
//! backend and form, and the register code really has them.

use teff_runtime::{
    Caller, CodeForm, Config, Engine, Linker, Module, Result, Store, Val, disassemble,
};

/// What the calls of `f` with each of `arguments` give, as text; all configurations must agree, traps included.
fn outcomes(wat: &str, arguments: &[&[Val]]) -> Vec<String> {
    let binary = wat::parse_str(wat).unwrap();
    let mut agreed: Option<Vec<String>> = None;
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            for fusion in [true, false] {
                for metered in [true, false] {
                    let mut config = Config::new();
                    config.backend(backend).code_form(form).fusion(fusion);
                    config.consume_fuel(metered).epoch_interruption(metered);
                    let found = run(&config, metered, &binary, arguments).unwrap();
                    let first = agreed.get_or_insert_with(|| found.clone());
                    let what = format!("{backend:?} {form:?} fusion {fusion} metered {metered}");
                    assert_eq!(*first, found, "{what}");
                }
            }
        }
    }
    agreed.expect("there is a backend")
}

fn run(config: &Config, metered: bool, binary: &[u8], arguments: &[&[Val]]) -> Result<Vec<String>> {
    let engine = Engine::new(config)?;
    let module = Module::new(&engine, binary)?;
    let mut linker = Linker::new(&engine);
    // Runs another function of the guest, which pins locals of its own.
    linker.func_wrap(
        "host",
        "again",
        |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
            let g = caller
                .get_export("g")
                .and_then(|g| g.into_func())
                .expect("it exports g");
            g.typed::<i32, i32>(&caller)?.call(&mut caller, n)
        },
    )?;
    let mut found = Vec::new();
    for &arguments in arguments {
        let mut store = Store::new(&engine, ());
        if metered {
            store.set_fuel(1 << 40)?;
            store.set_epoch_deadline(1);
        }
        let instance = linker.instantiate(&mut store, &module)?;
        let f = instance.get_func(&mut store, "f").expect("it exports f");
        let mut values = vec![Val::I32(0); f.ty(&store).results().len()];
        found.push(match f.call(&mut store, arguments, &mut values) {
            Ok(()) => format!("{values:?}"),
            Err(error) => error.to_string(),
        });
    }
    Ok(found)
}

/// The same for functions from one `i32` to one `i32`; only numbers.
fn i32s(wat: &str, arguments: &[i32]) -> Vec<i32> {
    let values: Vec<[Val; 1]> = arguments.iter().map(|n| [Val::I32(*n)]).collect();
    let arguments: Vec<&[Val]> = values.iter().map(|value| &value[..]).collect();
    let number = |text: &String| {
        let digits = text.trim_start_matches("[I32(").trim_end_matches(")]");
        digits
            .parse()
            .unwrap_or_else(|_| panic!("{text} is no number"))
    };
    outcomes(wat, &arguments).iter().map(number).collect()
}

/// The register code of function 0 has these instructions.
#[track_caller]
fn has(wat: &str, instructions: &[&str]) {
    // 32-bit machines have no registers for pinned locals, and their integer types do not share an accumulator.
    if cfg!(target_pointer_width = "32") {
        return;
    }
    let module = Module::new(&Engine::default(), wat::parse_str(wat).unwrap()).unwrap();
    let mut text = String::new();
    disassemble(&module, 0, &mut text).unwrap();
    for instruction in instructions {
        assert!(text.contains(instruction), "no `{instruction}` in\n{text}");
    }
}

#[test]
fn loops_count_in_place_and_wrap_around() {
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (loop
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if 0 (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 0x40000000))) (i32.const 0))))
        (local.get 1)))"#;
    assert_eq!(i32s(wat, &[0, 0x40000000, i32::MIN]), [4, 3, 2]);
    has(wat, &["add, br_if i32.ne"]);
}

#[test]
fn loops_that_begin_with_a_test_are_turned_around() {
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (block
            (loop
                (br_if 1 (i32.le_s (local.get 0) (i32.const 0)))
                (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (local.get 0)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br 0)))
        (local.get 1)))"#;
    assert_eq!(i32s(wat, &[0, 1, 2, 3, -1]), [0, 1, 7, 34, 0]);
    has(wat, &["add, br_if i32.gt_s"]);
}

#[test]
fn a_constant_is_not_looked_up_in_the_table_at_a_loops_head() {
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (loop
            (block (block (block
                (br_table 0 1 2 (local.get 0)))
                (local.set 1 (i32.add (local.get 1) (i32.const 1)))
                (local.set 0 (i32.const 1)) (br 2))
                (local.set 1 (i32.add (local.get 1) (i32.const 10)))
                (local.set 0 (i32.const 77)) (br 1))
            (local.set 1 (i32.add (local.get 1) (i32.const 100))))
        (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const 1000)))))"#;
    assert_eq!(i32s(wat, &[0, 1, 2, -1]), [77111, 77110, 2100, -900]);
}

#[test]
fn addresses_wrap_around_where_the_program_adds_and_not_where_the_offset_is() {
    let wat = r#"(module (memory 1) (data (i32.const 0) "\01\00\00\00\02\00\00\00\03")
        (func (export "f") (param i32) (result i32) (local i32)
            (local.set 1 (i32.const 4))
            (i32.add
                (i32.load (i32.add (local.get 0) (i32.const 8)))
                (i32.mul (i32.const 10) (i32.load (i32.add (local.get 0) (local.get 1)))))))"#;
    assert_eq!(i32s(wat, &[0, -4]), [23, 12]);
    let offset = r#"(module (memory 1)
        (func (export "f") (param i32) (result i32) (i32.load offset=8 (local.get 0))))"#;
    let minus = [Val::I32(-4)];
    assert_eq!(outcomes(offset, &[&minus]), ["out of bounds memory access"]);
    // Both: the sum wraps around, then the offset is added.
    let both = r#"(module (memory 1) (data (i32.const 8) "\05")
        (func (export "f") (param i32) (result i32)
            (i32.load offset=8 (i32.add (local.get 0) (i32.const 4)))))"#;
    assert_eq!(i32s(both, &[-4]), [5]);
}

#[test]
fn indices_are_shifted_by_the_access() {
    let wat = r#"(module (memory 1)
        (func (export "f") (param i32) (result i32) (local i32)
            (loop
                (i32.store (i32.add (i32.const 64) (i32.shl (local.get 1) (i32.const 2))) (local.get 1))
                (i32.store offset=1024 (i32.shl (local.get 1) (i32.const 2)) (i32.const 7))
                (br_if 0 (i32.ne (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 20))))
            (i32.add
                (i32.load (i32.add (i32.shl (local.get 0) (i32.const 2)) (i32.const 64)))
                (i32.load offset=1024 (i32.shl (local.get 0) (i32.const 34))))))"#;
    assert_eq!(i32s(wat, &[0, 3, 19]), [7, 10, 26]);
}

#[test]
fn pinned_locals_survive_calls_traps_and_hosts() {
    // Each function keeps another local in the register.
    let wat = r#"(module
        (import "host" "again" (func $again (param i32) (result i32)))
        (type $t (func (param i32) (result i32)))
        (table funcref (elem $g))
        (func $f (export "f") (param i32) (result i32) (local i32 i32)
            (loop
                (local.set 1 (i32.add (local.get 1) (call $g (local.get 0))))
                (local.set 1 (i32.add (local.get 1) (call $again (local.get 0))))
                (local.set 1 (i32.add (local.get 1)
                    (call_indirect (type $t) (local.get 0) (i32.const 0))))
                (local.set 1 (i32.add (local.get 1) (call $tail (local.get 0))))
                (local.set 2 (i32.add (local.get 2) (i32.const 1)))
                (br_if 0 (i32.lt_s (local.get 2) (i32.const 3))))
            (i32.add (i32.mul (local.get 1) (i32.const 100)) (local.get 2)))
        (func $g (export "g") (param i32) (result i32) (local i32)
            (loop
                (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 2)) (i32.const 1)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if 0 (i32.gt_s (local.get 0) (i32.const 0))))
            (local.get 1))
        (func $tail (param i32) (result i32) (local i32)
            (loop
                (local.set 1 (i32.add (local.get 1) (local.get 0)))
                (br_if 0 (i32.lt_s (local.get 1) (i32.const 50))))
            (return_call $g (local.get 0))))"#;
    // g(n) is 2^n - 1; four of them, three times.
    assert_eq!(i32s(wat, &[1, 3]), [1203, 8403]);
}

#[test]
fn floats_round_twice_and_keep_their_signs() {
    let wat = r#"(module (func (export "f") (param f64 f64 f64) (result i64 i64 i64) (local f64)
        (loop (local.set 3 (f64.add (local.get 3) (f64.mul (local.get 0) (local.get 1))))
            (br_if 0 (f64.lt (local.get 3) (f64.const -1))))
        (i64.reinterpret_f64 (f64.add (f64.mul (local.get 0) (local.get 1)) (local.get 2)))
        (i64.reinterpret_f64 (f64.sub (local.get 2) (f64.mul (local.get 0) (local.get 1))))
        (i64.reinterpret_f64 (f64.sub (f64.mul (local.get 0) (local.get 1)) (local.get 2)))))"#;
    let (x, y): (f64, f64) = (1.0 + f64::EPSILON, 1.0 - f64::EPSILON);
    let arguments = [x, y, -1.0].map(|n| Val::F64(n.to_bits()));
    let expected = [x * y + -1.0, -1.0 - x * y, x * y - -1.0].map(|n| Val::I64(n.to_bits() as i64));
    assert_eq!(outcomes(wat, &[&arguments]), [format!("{expected:?}")]);
    assert_ne!(
        x.mul_add(y, -1.0),
        x * y + -1.0,
        "a single rounding would be seen"
    );
    has(wat, &["f64.mul.add", "f64.mul.rsub", "f64.mul.sub"]);
}

#[test]
fn locals_that_may_be_read_first_are_zero() {
    // Written in one arm, or after a branch around it, or in a loop behind the read.
    let wat = r#"(module
        (func (export "f") (param i32) (result i32) (local i32 i32 i32 i32)
            (call $litter)
            (if (local.get 0) (then (local.set 1 (i32.const 5))) (else (local.set 2 (i32.const 6))))
            (block (br_if 0 (local.get 0)) (local.set 3 (i32.const 7)))
            (loop
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (local.set 2 (i32.add (local.get 2) (local.get 4)))
                (local.set 4 (i32.const 1000))
                (br_if 0 (i32.gt_s (local.get 0) (i32.const -2))))
            (i32.add (i32.add (local.get 1) (local.get 2)) (local.get 3)))
        (func $litter (local i32 i32 i32 i32 i32 i32)
            (local.set 0 (i32.const -1)) (local.set 1 (i32.const -1)) (local.set 2 (i32.const -1))
            (local.set 3 (i32.const -1)) (local.set 4 (i32.const -1)) (local.set 5 (i32.const -1))))"#;
    let twice = wat.replace("(call $litter)\n", "\n");
    for wat in [wat, &twice] {
        assert_eq!(i32s(wat, &[0, 1]), [1013, 2005]);
    }
}

#[test]
fn a_stack_pointer_in_a_global_moves_at_once() {
    let wat = r#"(module (global $sp (mut i32) (i32.const 1000))
        (func (export "f") (param i32) (result i32) (local i32)
            (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (i32.const 16))))
            (local.set 0 (i32.add (local.get 0) (global.get $sp)))
            (global.set $sp (i32.add (local.get 1) (i32.const 16)))
            (i32.add (local.get 0) (global.get $sp))))"#;
    assert_eq!(i32s(wat, &[5]), [984 + 1000 + 5]);
    has(
        wat,
        &["global.get, i32.add, global.set", "i32.add, global.set"],
    );
}

#[test]
fn a_choice_takes_its_comparison_along() {
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (local.set 1 (i32.const -7))
        (i32.add
            (select (local.get 0) (local.get 1) (i32.gt_u (local.get 0) (local.get 1)))
            (select (i32.const 100) (i32.const 200) (i32.lt_s (local.get 0) (i32.const 3))))))"#;
    assert_eq!(i32s(wat, &[1, -1, 3]), [93, 99, 193]);
    has(wat, &["select i32.gt_u", "select i32.lt_s"]);
}

#[test]
fn indices_are_shifted_and_moved_by_the_access() {
    // The shifted index is in a slot, in the accumulator, and pinned; the sum wraps around.
    let wat = r#"(module (memory 1) (data (i32.const 64) "\01\00\00\00\02\00\00\00\03\00\00\00\04")
        (func (export "f") (param i32 i32) (result i32) (local i32)
            (local.set 2 (i32.load (i32.add (i32.shl (local.get 0) (i32.const 2)) (i32.const 64))))
            (i32.store (i32.add (i32.shl (local.get 0) (i32.const 2)) (i32.const 128)) (local.get 2))
            (local.set 2 (i32.add (local.get 2) (i32.mul (i32.const 10)
                (i32.load (i32.add
                    (i32.shl (i32.xor (local.get 0) (local.get 1)) (i32.const 2)) (i32.const 64))))))
            (loop
                (local.set 2 (i32.add (local.get 2) (i32.mul (i32.const 100)
                    (i32.load (i32.add (i32.shl (local.get 0) (i32.const 2)) (i32.const 128))))))
                (br_if 0 (i32.eq (i32.mul (local.get 0) (local.get 0)) (i32.const 77))))
            (local.get 2)))"#;
    let f = |a: i32, b: i32| [Val::I32(a), Val::I32(b)];
    // 0x3fff_fff0 << 2 plus 128 is 64 beyond the end of the address space.
    let calls = [f(0, 1), f(2, 1), f(0x4000_0001, 2)];
    let calls: Vec<&[Val]> = calls.iter().map(|call| &call[..]).collect();
    let found = outcomes(wat, &calls);
    assert_eq!(found, ["[I32(121)]", "[I32(343)]", "[I32(242)]"]);
    has(wat, &["(acc << 2) wrapping", "(pin << 2) wrapping"]);
}

#[test]
fn branches_to_branches_and_returns_lead_on() {
    // Every arm ends at a block whose end is a branch, another arm's end, or the function's.
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (block $out
            (loop $again
                (block $next
                    (block $small
                        (br_if $small (i32.lt_s (local.get 0) (i32.const 10)))
                        (if (i32.and (local.get 0) (i32.const 1))
                            (then
                                (if (i32.gt_s (local.get 0) (i32.const 50))
                                    (then (local.set 1 (i32.add (local.get 1) (i32.const 1)))))
                                (local.set 0 (i32.sub (local.get 0) (i32.const 3)))
                                (br $next))
                            (else
                                (local.set 0 (i32.shr_u (local.get 0) (i32.const 1)))
                                (br $next))))
                    (br_if $out (i32.eqz (local.get 0)))
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (local.set 1 (i32.add (local.get 1) (i32.const 100))))
                (br $again)))
        (local.get 1)))"#;
    let model = |mut n: i32| {
        let mut sum = 0;
        loop {
            if n >= 10 {
                if n & 1 == 1 {
                    sum += i32::from(n > 50);
                    n -= 3;
                } else {
                    n >>= 1;
                }
            } else if n == 0 {
                return sum;
            } else {
                (n, sum) = (n - 1, sum + 100);
            }
        }
    };
    let arguments = [0, 1, 9, 10, 11, 100, 101, 9999];
    assert_eq!(i32s(wat, &arguments), arguments.map(model));
}

#[test]
fn blocks_at_the_end_return() {
    let wat = r#"(module
        (func (export "f") (param i32) (result i32) (local i32)
            (block
                (if (i32.gt_s (local.get 0) (i32.const 5))
                    (then (local.set 1 (i32.const 7)) (br 1)))
                (local.set 1 (call $value (local.get 0))))
            (local.get 1))
        (func $value (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
                (then (i32.const 40))
                (else
                    (if (result i32) (i32.eq (local.get 0) (i32.const 1))
                        (then (i32.const 41))
                        (else (i32.mul (local.get 0) (i32.const 2))))))))"#;
    assert_eq!(i32s(wat, &[0, 1, 2, 5, 6]), [40, 41, 4, 10, 7]);
    // What is left of each arm is its return.
    let module = Module::new(&Engine::default(), wat::parse_str(wat).unwrap()).unwrap();
    let mut text = String::new();
    disassemble(&module, 1, &mut text).unwrap();
    assert!(!text.contains(" br @"), "{text}");
}

#[test]
fn a_test_takes_over_the_branch_behind_it() {
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (block $out
            (loop $again
                (local.set 1 (i32.add (local.get 1) (local.get 0)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $out (i32.le_s (local.get 0) (i32.const 0)))
                (if (i32.eq (local.get 0) (i32.const 7)) (then (br $out)))
                (local.set 1 (i32.xor (local.get 1) (i32.const 1)))
                (br_if $out (f64.lt (f64.convert_i32_s (local.get 1)) (f64.const 0)))
                (br $again)))
        (local.get 1)))"#;
    let model = |mut n: i32| {
        let mut sum = 0_i32;
        loop {
            sum += n;
            n -= 1;
            if n <= 0 || n == 7 {
                return sum;
            }
            sum ^= 1;
            if sum < 0 {
                return sum;
            }
        }
    };
    let arguments = [0, 1, 2, 5, 7, 8, 20, -100];
    assert_eq!(i32s(wat, &arguments), arguments.map(model));
    has(wat, &["br_unless f64.lt"]);
}

#[test]
fn a_loop_that_leads_to_a_table_is_begun_anew_by_its_branches() {
    // Programs for a machine with five instructions; the second is an access that may trap.
    let wat = r#"(module (memory 1)
        (data (i32.const 0) "\00\00\01\02\00\03\04" "\01\00\03\04" "\03\04")
        (func (export "f") (param i32) (result i32) (local i32 i32)
            (loop $next
                (local.set 2 (i32.load8_u (local.get 0)))
                (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                (block $bad (block $halt (block $far (block $double (block $load (block $inc
                    (br_table $inc $load $double $far $halt $bad (local.get 2)))
                    (local.set 1 (i32.add (local.get 1) (i32.const 3)))
                    (br $next))
                    (local.set 1 (i32.add (local.get 1) (i32.load8_u (local.get 1))))
                    (br $next))
                    (local.set 1 (i32.shl (local.get 1) (i32.const 1)))
                    (br $next))
                    (if (i32.gt_u (local.get 1) (i32.const 14))
                        (then (local.set 0 (i32.const 65536))))
                    (br $next))
                    (return (local.get 1)))
                (unreachable))
            (i32.const -1)))"#;
    let start = |at: i32| [Val::I32(at)];
    let calls = [start(0), start(7), start(11), start(65535)];
    let calls: Vec<&[Val]> = calls.iter().map(|call| &call[..]).collect();
    let found = outcomes(wat, &calls);
    // 3, 6, 6 + byte 6, doubled, and so on; one goes on behind the memory.
    let expected = ["out of bounds memory access", "[I32(3)]", "[I32(0)]"];
    assert_eq!(found[..3], expected);
    has(wat, &["br_table at"]);
}

#[test]
fn loops_that_begin_with_a_negated_float_test_are_turned_around() {
    let wat = r#"(module (func (export "f") (param f64 f64) (result i32) (local i32)
        (block
            (loop
                (br_if 1 (i32.eqz (f64.lt (local.get 0) (local.get 1))))
                (local.set 0 (f64.add (local.get 0) (f64.const 1)))
                (local.set 2 (i32.add (local.get 2) (i32.const 1)))
                (br 0)))
        (local.get 2)))"#;
    let f = |a: f64, b: f64| [a, b].map(|n| Val::F64(n.to_bits()));
    let calls = [f(0.0, 3.0), f(3.0, 0.0), f(f64::NAN, 1.0), f(0.5, 10.0)];
    let calls: Vec<&[Val]> = calls.iter().map(|call| &call[..]).collect();
    let found = outcomes(wat, &calls);
    assert_eq!(found, ["[I32(3)]", "[I32(0)]", "[I32(0)]", "[I32(10)]"]);
    has(wat, &["br_if f64.gt"]);
}

#[test]
fn bits_of_an_i64_are_tested_by_the_branch() {
    let wat = r#"(module (func (export "f") (param i64) (result i32) (local i32)
        (if (i64.eqz (i64.and (local.get 0) (i64.const 0x100000001)))
            (then (local.set 1 (i32.const 1))))
        (if (i64.ne (i64.and (local.get 0) (i64.const -4)) (i64.const 0))
            (then (local.set 1 (i32.or (local.get 1) (i32.const 2)))))
        ;; The low half alone is the condition.
        (if (i32.wrap_i64 (i64.and (local.get 0) (i64.const 0x100000000)))
            (then (local.set 1 (i32.or (local.get 1) (i32.const 4)))))
        (local.get 1)))"#;
    let calls = [0_i64, 1, 2, 4, 1 << 32, -1].map(|n| [Val::I64(n)]);
    let calls: Vec<&[Val]> = calls.iter().map(|call| &call[..]).collect();
    let expected = [1, 0, 1, 3, 2, 2].map(|n| format!("[I32({n})]"));
    assert_eq!(outcomes(wat, &calls), expected);
    has(wat, &["br_if i64.and", "br_unless i64.and"]);
}

#[test]
fn copies_in_a_row_are_one_with_the_pinned_local_too() {
    // Three locals go round; the first is pinned.
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local i32 i32 i32 i32)
        (local.set 1 (i32.const 1)) (local.set 2 (i32.const 20)) (local.set 3 (i32.const 300))
        (loop
            (local.set 4 (local.get 2))
            (local.set 1 (local.get 2))
            (local.set 2 (local.get 3))
            (local.set 3 (local.get 4))
            (local.set 1 (i32.add (i32.add (local.get 1) (local.get 1)) (local.get 1)))
            (br_if 0 (i32.gt_s
                (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
        (i32.add (local.get 1) (i32.mul (local.get 2) (i32.const 1000)))))"#;
    assert_eq!(i32s(wat, &[1, 2, 3]), [300_060, 20_900, 300_060]);
    has(wat, &["copy, copy to pin"]);
}
