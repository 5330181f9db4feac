//! What is charged: every operator that is executed, and nothing that is not.

use super::*;

/// Calls `f` everywhere; it must give these results for that fuel, also in slices.
#[track_caller]
fn costs(text: &str, args: &[i32], results: &[u64], fuel: u64) {
    costs_in_slices(text, args, results, fuel, &[1, 2, 3, 7, 1000]);
}

#[track_caller]
fn costs_in_slices(text: &str, args: &[i32], results: &[u64], fuel: u64, slices: &[u64]) {
    let binary = wat::parse_str(text).unwrap();
    with_fuel(|engine| {
        let mut program = Program::new(engine, &binary);
        let expected = (Ok(results.to_vec()), fuel);
        assert_eq!(program.run(&i32s(args)), expected, "{args:?} {engine:?}");
        for &slice in slices {
            let found = program.run_in_slices(&i32s(args), slice);
            assert_eq!(found, expected, "{args:?} in slices of {slice}, {engine:?}");
        }
    });
}

#[test]
fn operators_in_a_row() {
    costs(r#"(module (func (export "f")))"#, &[], &[], 0);
    costs(
        r#"(module (func (export "f") nop (block (nop))))"#,
        &[],
        &[],
        0,
    );
    costs(
        r#"(module (func (export "f") (param i32) (result i32)
            (i32.add (local.get 0) (i32.const 5))))"#,
        &[2],
        &[7],
        3,
    );
}

#[test]
fn the_arm_of_an_if_that_is_taken() {
    // Before: 2 with the `if`. Then: 1, or else: 3. After: 2.
    let text = r#"(module (func (export "f") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.const 10))
            (else (i32.mul (i32.const 3) (i32.const 7))))
        (i32.const 1) i32.add))"#;
    costs(text, &[1], &[11], 5);
    costs(text, &[0], &[22], 7);
    // Without else.
    let text = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (if (local.get 0) (then (local.set 1 (i32.const 10))))
        (local.get 1)))"#;
    costs(text, &[1], &[10], 5);
    costs(text, &[0], &[0], 3);
}

#[test]
fn loops() {
    // A turn is 8 operators: 4 for the addition, 4 for the branch. 3 after the loop.
    let text = r#"(module (func (export "f") (param i32) (result i32) (local i32)
        (loop
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
        (i32.add (local.get 1) (i32.const 100))))"#;
    costs(text, &[0], &[101], 8 + 3);
    costs(text, &[1], &[101], 8 + 3);
    costs(text, &[100], &[200], 100 * 8 + 3);
    // One in another: an inner turn is 8; an outer one has 2 before and 8 after.
    let text = r#"(module (func (export "f") (param i32 i32) (result i32) (local i32 i32)
        (loop
            (local.set 3 (i32.const 0))
            (loop
                (local.set 3 (i32.add (local.get 3) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get 3) (local.get 1))))
            (local.set 2 (i32.add (local.get 2) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get 2) (local.get 0))))
        (local.get 3)))"#;
    costs(text, &[5, 11], &[11], 5 * (2 + 11 * 8 + 8) + 1);
    // A loop that carries a value, and is left from its middle.
    let text = r#"(module (func (export "f") (param i32) (result i32)
        (block $out (result i32)
            (i32.const 0)
            (loop $again (param i32) (result i32)
                (i32.const 1) i32.add
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $out (i32.eqz (local.get 0)))
                (br $again))
            (i32.const 1000) i32.add)))"#;
    // 2 + 4 + 3 + 1 a turn, but the last one lacks the `br`.
    costs(text, &[6], &[6], 1 + 6 * 10 - 1);
}

#[test]
fn branches_forward() {
    let text = r#"(module (func (export "f") (param i32) (result i32)
        (block $d (result i32)
            (block $c (result i32)
                (block $b
                    (block $a
                        (br_table $a $b $a (local.get 0)))
                    (return (i32.const 10)))
                (br $d (i32.const 20)))
            (i32.const 1) i32.add)
        (i32.const 2) i32.add))"#;
    // `local.get`, `br_table`; $a: 2; $b: 2 and, after $d, 2.
    costs(text, &[0], &[10], 4);
    costs(text, &[7], &[10], 4);
    costs(text, &[1], &[22], 6);
    // Values that have to be moved, by each kind of branch.
    let text = r#"(module (func (export "f") (param i32) (result i32 i32)
        (i32.const 5) (i32.const 6)
        (block (param i32 i32) (result i32 i32)
            (i32.const 1) (i32.const 2)
            (br_if 0 (local.get 0))
            (br_table 0 0 (local.get 0))
            (unreachable))
        (i32.const 9) i32.add))"#;
    costs(text, &[1], &[1, 11], 2 + 2 + 2 + 2);
    costs(text, &[0], &[1, 11], 2 + 2 + 2 + 2 + 2);
}

#[test]
fn returns() {
    let text = r#"(module (func (export "f") (param i32) (result i32)
        (if (local.get 0) (then (return (i32.const 3))))
        (i32.const 1) (i32.const 2) drop))"#;
    costs(text, &[1], &[3], 4);
    costs(text, &[0], &[1], 5);
    let text = r#"(module (func (export "f") (param i32) (result i32 i64)
        (i32.const 3) (i64.const 4)
        (br_if 0 (local.get 0))
        drop drop
        (if (i32.eqz (local.get 0)) (then (return (i32.const 5) (i64.const 6))))
        (i32.const 1) (i64.const 2)))"#;
    costs(text, &[1], &[3, 4], 4);
    costs(text, &[0], &[5, 6], 4 + 2 + 3 + 3);
    let text = r#"(module (func (export "f") (param i32)
        (br_if 0 (local.get 0))
        (if (i32.eqz (local.get 0)) (then (br 1)))
        (unreachable)))"#;
    costs(text, &[1], &[], 2);
    costs(text, &[0], &[], 2 + 3 + 1);
}

#[test]
fn calls() {
    // fib(n): 4 and the `if`; then 1; else 2 calls with 3 operators each, and the addition.
    fn fib(n: u64) -> (u64, u64) {
        if n < 2 {
            return (n, 5);
        }
        let (a, b) = (fib(n - 1), fib(n - 2));
        (a.0 + b.0, 4 + 2 * 4 + 1 + a.1 + b.1)
    }
    let text = r#"(module
        (table funcref (elem $fib))
        (func $fib (export "f") (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add
                    (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;
    let (value, fuel) = fib(12);
    costs(text, &[12], &[value], fuel);
    // Indirect calls: 1 more for the index, each.
    let text = text.replacen("(call $fib (i32.sub (local.get 0) (i32.const 1)))",
        "(call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))", 1);
    costs(&text, &[2], &[1], 13 + 1 + 2 * 5);
}

#[test]
fn tail_calls() {
    // A turn is 2 for the condition, and 7 for the call. At the end 1.
    let text = r#"(module
        (type $t (func (param i32 i32) (result i32)))
        (table funcref (elem $f))
        (func $f (export "f") (param i32 i32) (result i32)
            (if (local.get 0)
                (then (return_call $f
                    (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 2)))))
            (local.get 1)))"#;
    costs(text, &[1000, 5], &[2005], 1000 * 9 + 3);
    let text = text
        .replace("return_call $f", "return_call_indirect (type $t)")
        .replace("(i32.const 2))", "(i32.const 2)) (i32.const 0)");
    costs(&text, &[1000, 5], &[2005], 1000 * 10 + 3);
}

#[test]
fn many_values() {
    // 16 results and 8 parameters: 3 for the entry. 16 constants; 8 drops are not executed.
    let results = "i32 ".repeat(16);
    let constants = "(i32.const 1)".repeat(16);
    let text = format!(
        r#"(module (func (export "f") (param i32 i32 i32 i32 i32 i32 i32 i32) (result {results})
            (if (local.get 0) (then {constants} return))
            {constants}))"#
    );
    let ones = [1; 16];
    costs(&text, &[0; 8], &ones, 3 + 2 + 16);
    // The return moves 16 values.
    costs(&text, &[1; 8], &ones, 3 + 2 + 16 + 3);
    // 100 locals.
    let locals = "i64 ".repeat(100);
    let text = format!(r#"(module (func (export "f") (local {locals})))"#);
    costs(&text, &[], &[], 12);
}

#[test]
fn a_trap_keeps_what_was_charged_ahead() {
    let text = r#"(module (func (export "f") (param i32) (result i32)
        (i32.div_s (i32.const 1) (local.get 0))
        (i32.const 1) i32.add))"#;
    with_fuel(|engine| {
        let mut program = Program::new(engine, text);
        let args = i32s(&[0]);
        let expected = (Err(Trap::IntegerDivisionByZero), 5);
        assert_eq!(program.run(&args), expected);
        assert_eq!(program.run_in_slices(&args, 2), expected);
    });
}

#[test]
fn large_functions_and_credits() {
    // More operators than the budget holds at once, of which few are executed, again and again: what is
    // given back must neither get lost nor pile up.
    let skipped = "(drop (i32.const 1))".repeat(100_000);
    let text = format!(
        r#"(module
            (func $large (param i32) (result i32)
                (if (local.get 0) (then {skipped}))
                (i32.const 1))
            (func (export "f") (param i32) (result i32) (local i32)
                (loop
                    (local.set 1 (i32.add (local.get 1) (call $large (i32.const 0))))
                    (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
                (local.get 1)))"#
    );
    costs_in_slices(&text, &[30], &[30], 30 * (5 + 4 + 3) + 1, &[1000, 150_000]);
}

/// `f` costs the same everywhere, also in slices, whatever that is; with code whose branches are led elsewhere.
#[track_caller]
fn costs_the_same(text: &str, args: &[&[i32]]) {
    let binary = wat::parse_str(text).unwrap();
    let agreed = std::cell::RefCell::new(Vec::new());
    with_fuel(|engine| {
        let mut program = Program::new(engine, &binary);
        for (i, args) in args.iter().enumerate() {
            let found = program.run(&i32s(args));
            assert!(found.0.is_ok() && found.1 > 0, "{found:?}");
            for slice in [1, 2, 3, 7, 1000] {
                let sliced = program.run_in_slices(&i32s(args), slice);
                assert_eq!(sliced, found, "{args:?} in slices of {slice}, {engine:?}");
            }
            let mut agreed = agreed.borrow_mut();
            if agreed.len() == i {
                agreed.push(found.clone());
            }
            assert_eq!(agreed[i], found, "{args:?} {engine:?}");
        }
    });
}

#[test]
fn branches_that_lead_on() {
    costs_the_same(
        r#"(module (func (export "f") (param i32) (result i32) (local i32)
            (block $out
                (loop $again
                    (local.set 1 (i32.add (local.get 1) (local.get 0)))
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
                        (if (i32.eq (local.get 0) (i32.const 4)) (then (br $out)))
                        (br_if $out (i32.eqz (local.get 0)))
                        (br_if $next (i32.eq (local.get 0) (i32.const 3)))
                        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                        (br $again))
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (br_if $out (i32.lt_s (local.get 0) (i32.const 0)))
                    (br $again)))
            (local.get 1)))"#,
        &[
            &[0],
            &[3],
            &[4],
            &[9],
            &[10],
            &[11],
            &[100],
            &[101],
            &[9999],
        ],
    );
    costs_the_same(
        r#"(module (func (export "f") (param i32) (result i32)
            (block $a (result i32)
                (block $b (block $c
                    (br_table $c $b $c (local.get 0)))
                    (return (i32.const 5)))
                (if (result i32) (i32.eqz (local.get 0))
                    (then (i32.const 40))
                    (else
                        (drop (br_if $a (i32.const 3) (i32.eq (local.get 0) (i32.const 9))))
                        (if (result i32) (i32.eq (local.get 0) (i32.const 1))
                            (then (br $a (i32.const 41)))
                            (else (i32.mul (local.get 0) (i32.const 2)))))))))"#,
        &[&[0], &[1], &[2], &[9]],
    );
}

#[test]
fn loops_that_lead_to_a_table() {
    costs_the_same(
        r#"(module (memory 1) (data (i32.const 0) "\00\01\02\00\03\01\01\02\00\04")
            (func (export "f") (param i32) (result i32) (local i32 i32)
                (loop $next
                    (local.set 2 (i32.load8_u (local.get 0)))
                    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                    (block $halt (block $skip (block $double (block $inc
                        (br_table $inc $double $skip $next $halt (local.get 2)))
                        (local.set 1 (i32.add (local.get 1) (i32.const 3)))
                        (br $next))
                        (local.set 1 (i32.shl (local.get 1) (i32.const 1)))
                        (br $next))
                        (if (i32.gt_u (local.get 1) (i32.const 6))
                            (then (local.set 0 (i32.add (local.get 0) (i32.const 1)))))
                        (br $next)))
                (local.get 1)))"#,
        &[&[0], &[3], &[5], &[8]],
    );
}
