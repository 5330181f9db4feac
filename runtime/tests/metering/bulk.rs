//! Bulk instructions, which run in chunks where code is metered.

use super::*;

/// Memories of 4 pages with a pattern; `f` applies the instruction and gives a checksum.
fn memory(instruction: &str) -> String {
    let data: String = (0..=255).map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module (memory 5) (data $d "{data}")
            (data $large "{large}")
            (func (export "f") (param i32 i32 i32) (result i64) (local i32 i64)
                (loop
                    (i32.store (local.get 3) (i32.mul (local.get 3) (i32.const 0x9e3779b1)))
                    (local.set 3 (i32.add (local.get 3) (i32.const 4)))
                    (br_if 0 (i32.lt_u (local.get 3) (i32.const 0x50000))))
                ({instruction} (local.get 0) (local.get 1) (local.get 2))
                (local.set 3 (i32.const 0))
                (loop
                    (local.set 4 (i64.rotl
                        (i64.add (local.get 4) (i64.load (local.get 3))) (i64.const 7)))
                    (local.set 3 (i32.add (local.get 3) (i32.const 8)))
                    (br_if 0 (i32.lt_u (local.get 3) (i32.const 0x50000))))
                (local.get 4)))"#,
        large = "0123456789abcdef".repeat(10_000),
    )
}

/// Fuel of everything in `f` but the instruction's size.
const AROUND: u64 = (0x50000 / 4) * (5 + 4 + 4) + 4 + 2 + (0x50000 / 8) * (7 + 4 + 4) + 1;

/// The same results as without metering, and the fuel is what the bytes cost.
fn agrees(text: &str, args: [i32; 3], units: u64) {
    let mut free = Store::<()>::default();
    let instance = Instance::new(&mut free, &module(&Engine::default(), text), &[]);
    // The module must belong to the store's engine.
    assert!(instance.is_err());
    let engine = free.engine().clone();
    let instance = Instance::new(&mut free, &module(&engine, text), &[]).unwrap();
    let f = instance
        .get_typed_func::<(i32, i32, i32), i64>(&mut free, "f")
        .unwrap();
    let [a, b, c] = args;
    let expected = f.call(&mut free, (a, b, c)).unwrap() as u64;
    with_fuel(|engine| {
        let mut program = Program::new(engine, text);
        let expected = (Ok(vec![expected]), AROUND + units);
        assert_eq!(program.run(&i32s(&args)), expected, "{args:?} {engine:?}");
        for slice in [100, 1_023, 100_000] {
            let found = program.run_in_slices(&i32s(&args), slice);
            assert_eq!(found, expected, "{args:?} in slices of {slice}");
        }
    });
}

#[test]
fn fills() {
    let fill = memory("memory.fill");
    agrees(&fill, [3, 0x155, 0], 0);
    agrees(&fill, [3, 0x155, 63], 0);
    agrees(&fill, [3, 0x155, 64], 1);
    agrees(&fill, [1, 7, 0x4ffff], 0x4ffff / 64);
    agrees(&fill, [0x50000, 7, 0], 0);
}

#[test]
fn copies() {
    let copy = memory("memory.copy");
    // Apart, and overlapping in both directions by less and by more than a chunk.
    for (to, from, len) in [
        (0x30000, 0, 0x20000),
        (0, 0x30001, 0x1ffff),
        (0, 1, 0x4ffff),
        (1, 0, 0x4ffff),
        (0x100, 0, 0x4f000),
        (0, 0x100, 0x4f000),
        (0x12345, 0, 0x30000),
        (0, 0x12345, 0x30000),
        (5, 5, 0x40000),
    ] {
        agrees(&copy, [to, from, len], len as u64 / 64);
    }
}

#[test]
fn initialisations() {
    agrees(&memory("memory.init $d"), [7, 1, 255], 3);
    agrees(&memory("memory.init $large"), [9, 3, 159_990], 159_990 / 64);
}

#[test]
fn bounds_are_checked_first() {
    with_fuel(|engine| {
        for (text, args) in [
            (memory("memory.fill"), [0x4ffff, 1, 2]),
            (memory("memory.fill"), [0, 1, -1]),
            (memory("memory.fill"), [0x50001, 1, 0]),
            (memory("memory.copy"), [0, 1, 0x50000]),
            (memory("memory.copy"), [1, 0, 0x50000]),
            (memory("memory.init $d"), [0, 1, 256]),
            (
                memory("memory.init $large"),
                [0x50000 - 100_000, 0, 100_001],
            ),
        ] {
            let mut program = Program::new(engine, &text);
            let before = program.run(&i32s(&[0, 0, 0])).0;
            assert_eq!(program.run(&i32s(&args)).0, Err(Trap::MemoryOutOfBounds));
            // `f` writes the pattern again, so look at what it finds then: nothing was changed.
            assert_eq!(program.run(&i32s(&[0, 0, 0])).0, before);
        }
    });
}

/// Tables of 30,000 functions; `f` applies the instruction and gives a checksum of `$t`.
fn table(instruction: &str) -> String {
    let functions: String = (0..30_000)
        .map(|i| ["$a ", "$b ", "$c "][i * i % 3])
        .collect();
    format!(
        r#"(module
            (table $t 30000 funcref) (table $u funcref (elem {functions}))
            (elem $e func {functions}) (elem declare func $a)
            (func $a (result i32) (i32.const 1))
            (func $b (result i32) (i32.const 2))
            (func $c (result i32) (i32.const 3))
            (func (export "f") (param i32 i32 i32) (result i64) (local i32 i64)
                (table.copy $t $u (i32.const 0) (i32.const 0) (i32.const 30000))
                {instruction}
                (loop
                    (local.set 4 (i64.rotl (i64.add (local.get 4) (i64.extend_i32_u
                        (if (result i32) (ref.is_null (table.get $t (local.get 3)))
                            (then (i32.const 9))
                            (else (call_indirect $t (result i32) (local.get 3)))))) (i64.const 7)))
                    (local.set 3 (i32.add (local.get 3) (i32.const 1)))
                    (br_if 0 (i32.lt_u (local.get 3) (table.size $t))))
                (local.get 4)))"#
    )
}

/// As `agrees`, with the fuel of two kinds of code instead of a formula.
fn table_agrees(instruction: &str, args: [i32; 3]) {
    let text = wat::parse_str(table(instruction)).unwrap();
    let agreed = std::cell::Cell::new(None);
    with_fuel(|engine| {
        let run = |slice: Option<u64>| {
            let mut program = Program::new(engine, &text);
            match slice {
                None => program.run(&i32s(&args)),
                Some(slice) => program.run_in_slices(&i32s(&args), slice),
            }
        };
        let expected = agreed.take().unwrap_or_else(|| run(None));
        assert!(expected.0.is_ok(), "{instruction} {args:?}: {expected:?}");
        for slice in [None, Some(300), Some(5_000)] {
            assert_eq!(run(slice), expected, "{instruction} {args:?} {slice:?}");
        }
        agreed.set(Some(expected));
    });
    // And what it is without metering.
    let mut store = Store::<()>::default();
    let engine = store.engine().clone();
    let instance = Instance::new(&mut store, &module(&engine, &text), &[]).unwrap();
    let f = instance
        .get_typed_func::<(i32, i32, i32), i64>(&mut store, "f")
        .unwrap();
    let [a, b, c] = args;
    let free = f.call(&mut store, (a, b, c)).unwrap() as u64;
    assert_eq!(agreed.take().unwrap().0, Ok(vec![free]));
}

#[test]
fn tables() {
    let three = "(local.get 0) (local.get 1) (local.get 2)";
    for args in [
        [0, 1, 29_999],
        [1, 0, 29_999],
        [9_000, 0, 20_000],
        [0, 9_000, 20_000],
        [7, 3, 0],
    ] {
        table_agrees(&format!("(table.copy $t $t {three})"), args);
    }
    table_agrees(&format!("(table.copy $t $u {three})"), [10_001, 2, 19_000]);
    table_agrees(&format!("(table.init $t $e {three})"), [3, 5_003, 24_000]);
    table_agrees(&format!("(table.init $t $e {three})"), [0, 1_024, 9]);
    table_agrees(
        "(table.fill $t (local.get 0) (ref.func $a) (local.get 2))",
        [5, 0, 29_000],
    );
    table_agrees(
        "(table.fill $t (local.get 0) (ref.null func) (local.get 2))",
        [5, 0, 9],
    );
    table_agrees(
        "(drop (table.grow $t (ref.func $a) (local.get 2)))",
        [0, 0, 50_000],
    );
    table_agrees(
        "(drop (table.grow $t (ref.null func) (local.get 2)))",
        [0, 0, 20_000],
    );
}

#[test]
fn growth_that_is_suspended_shows_nothing() {
    with_fuel(|engine| {
        let text = r#"(module
            (table (export "t") 10 100000 funcref)
            (func $a (export "a"))
            (func (export "f") (param i32) (result i32 i32)
                (table.grow (ref.func $a) (local.get 0))
                (table.size)))"#;
        let mut program = Program::new(engine, text);
        let store = &mut program.store;
        let table = program.instance.get_table(&mut *store, "t").unwrap();
        let f = program.instance.get_func(&mut *store, "f").unwrap();
        // Enough for some chunks.
        store.set_fuel(3_000).unwrap();
        let call = f
            .call_resumable(&mut *store, &i32s(&[50_000]), &mut program.results)
            .unwrap();
        let ResumableCall::OutOfFuel(call) = call else {
            panic!("{call:?}")
        };
        assert_eq!(table.size(&*store), 10);
        // Another growth meanwhile, with other elements.
        let null = teff_runtime::Ref::Func(None);
        assert_eq!(table.grow(&mut *store, 20_000, null).unwrap(), 10);
        store.set_fuel(1 << 20).unwrap();
        let call = call.resume(&mut *store, &mut program.results).unwrap();
        assert!(matches!(call, ResumableCall::Finished));
        assert_eq!(bits(&program.results), [20_010, 70_010]);
        let is_null = |store: &mut Store<()>, i| {
            matches!(table.get(store, i), Some(teff_runtime::Ref::Func(None)))
        };
        assert!((0..20_010).all(|i| is_null(store, i)));
        assert!((20_010..70_010).all(|i| !is_null(store, i)));
        // Too much is free of charge, and -1.
        let (results, fuel) = program.run(&i32s(&[50_000]));
        assert_eq!(results, Ok(vec![u64::from(u32::MAX), 70_010]));
        assert_eq!(fuel, 4);
    });
}

#[test]
fn memory_growth_costs_its_pages() {
    with_fuel(|engine| {
        let text = r#"(module (memory 1 10)
            (func (export "f") (param i32) (result i32) (memory.grow (local.get 0))))"#;
        let mut program = Program::new(engine, text);
        assert_eq!(program.run(&i32s(&[2])), (Ok(vec![1]), 2 + 2 * 1024));
        assert_eq!(
            program.run_in_slices(&i32s(&[3]), 50),
            (Ok(vec![3]), 2 + 3 * 1024)
        );
        assert_eq!(
            program.run(&i32s(&[-1])),
            (Ok(vec![u64::from(u32::MAX)]), 2)
        );
        assert_eq!(program.run(&i32s(&[0])), (Ok(vec![6]), 2));
    });
}
