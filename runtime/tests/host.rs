//! Host functions and handles, without any Wasm: types, values, errors, wrong stores.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use teff_runtime::{
    AsContextMut, Caller, Error, Extern, ExternRef, Func, FuncType, Global, GlobalType, Linker,
    Memory, MemoryType, Module, Mutability, Ref, RefType, Result, Store, Table, TableType, Trap,
    Val, ValType,
};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, message: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn closures_have_their_types() {
    let mut store = Store::<u8>::default();
    let engine = store.engine().clone();
    #[track_caller]
    fn check(store: &Store<u8>, func: Func, params: &[ValType], results: &[ValType]) {
        let expected = FuncType::new(
            store.engine(),
            params.iter().copied(),
            results.iter().copied(),
        );
        assert_eq!(func.ty(store), expected);
    }
    use ValType::{F32, F64, I32, I64};

    let func = Func::wrap(&mut store, || {});
    check(&store, func, &[], &[]);
    let func = Func::wrap(
        &mut store,
        |_: i32, _: u32, _: i64, _: u64, _: f32, _: f64| 0_i32,
    );
    check(&store, func, &[I32, I32, I64, I64, F32, F64], &[I32]);
    let func = Func::wrap(
        &mut store,
        |_: Caller<'_, u8>, _: Option<Func>| -> Option<ExternRef> { None },
    );
    check(&store, func, &[ValType::FUNCREF], &[ValType::EXTERNREF]);
    let func = Func::wrap(&mut store, |_: Caller<'_, u8>| -> Result<(f32, f64)> {
        Ok((0.0, 0.0))
    });
    check(&store, func, &[], &[F32, F64]);
    let func = Func::wrap(&mut store, || -> Result<()> { Err(Error::msg("no")) });
    check(&store, func, &[], &[]);
    let ty = FuncType::new(&engine, [I64, ValType::V128], [F32]);
    let func = Func::new(&mut store, ty, |_, _, _| Ok(()));
    check(&store, func, &[I64, ValType::V128], &[F32]);
}

#[test]
fn typed_calls() {
    let mut store = Store::new(&Default::default(), 10_u64);
    let func = Func::wrap(
        &mut store,
        |mut caller: Caller<'_, u64>, a: i32, b: f64| -> Result<(f64, i64)> {
            *caller.data_mut() += 1;
            Ok((b * 2.0, i64::from(a) - 1))
        },
    );
    let typed = func.typed::<(i32, f64), (f64, i64)>(&store).unwrap();
    assert_eq!(typed.call(&mut store, (-1, 1.25)).unwrap(), (2.5, -2));
    assert_eq!(*store.data(), 11);

    let unsigned = Func::wrap(&mut store, |x: u32| x.wrapping_sub(1));
    assert_eq!(
        unsigned
            .typed::<u32, u32>(&store)
            .unwrap()
            .call(&mut store, 0)
            .unwrap(),
        u32::MAX
    );
    assert_eq!(
        unsigned
            .typed::<i32, i32>(&store)
            .unwrap()
            .call(&mut store, 0)
            .unwrap(),
        -1
    );
    assert_eq!(
        unsigned
            .typed::<(i32,), (i32,)>(&store)
            .unwrap()
            .call(&mut store, (7,))
            .unwrap(),
        (6,)
    );

    let nan = Func::wrap(&mut store, |x: f32| x);
    let bits = 0x7fa0_0001;
    let result = nan
        .typed::<f32, f32>(&store)
        .unwrap()
        .call(&mut store, f32::from_bits(bits))
        .unwrap();
    assert_eq!(result.to_bits(), bits);

    type Sixteen = (
        i32,
        i64,
        i32,
        i64,
        i32,
        i64,
        i32,
        i64,
        i32,
        i64,
        i32,
        i64,
        i32,
        i64,
        i32,
        i64,
    );
    let many = Func::wrap(
        &mut store,
        |a: i32,
         b: i64,
         c: i32,
         d: i64,
         e: i32,
         f: i64,
         g: i32,
         h: i64,
         i: i32,
         j: i64,
         k: i32,
         l: i64,
         m: i32,
         n: i64,
         o: i32,
         p: i64|
         -> Sixteen { (o, p, m, n, k, l, i, j, g, h, e, f, c, d, a, b) },
    );
    let args = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    let results = many
        .typed::<Sixteen, Sixteen>(&store)
        .unwrap()
        .call(&mut store, args)
        .unwrap();
    // Tuples of this length have no equality.
    let (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) = results;
    assert_eq!([a, c, e, g, i, k, m, o], [15, 13, 11, 9, 7, 5, 3, 1]);
    assert_eq!([b, d, f, h, j, l, n, p], [16, 14, 12, 10, 8, 6, 4, 2]);
}

#[test]
fn typed_checks_the_type() {
    let mut store = Store::<()>::default();
    let func = Func::wrap(&mut store, |_: i32| 0_i64);
    let message = "the function is (i32) -> (i64), but (i64) -> (i64) was asked for";
    refused(func.typed::<i64, i64>(&store), message);
    refused(func.typed::<(), i64>(&store), "type mismatch");
    refused(func.typed::<(i32, i32), i64>(&store), "type mismatch");
    refused(func.typed::<i32, ()>(&store), "type mismatch");
    refused(func.typed::<i32, f64>(&store), "type mismatch");
    func.typed::<u32, u64>(&store).unwrap();
}

#[test]
fn untyped_calls_check_their_arguments() {
    let mut store = Store::<()>::default();
    let func = Func::wrap(&mut store, |a: i32, b: Option<Func>| {
        (a, b.is_some() as i64)
    });
    let mut results = [Val::F32(0), Val::F32(0)];
    refused(
        func.call(&mut store, &[Val::I32(1)], &mut results),
        "2 arguments, but 1 were given",
    );
    refused(
        func.call(&mut store, &[Val::I32(1); 3], &mut results),
        "2 arguments, but 3 were given",
    );
    let args = [Val::I32(4), Val::FuncRef(None)];
    refused(
        func.call(&mut store, &args, &mut results[..1]),
        "2 results, but 1 were given",
    );
    let wrong = [Val::I32(4), Val::ExternRef(None)];
    refused(
        func.call(&mut store, &wrong, &mut results),
        "value 1: expected funcref, found externref",
    );
    refused(
        func.call(&mut store, &[Val::I64(4), args[1]], &mut results),
        "value 0: expected i32, found i64",
    );

    func.call(&mut store, &args, &mut results).unwrap();
    assert_eq!((results[0].unwrap_i32(), results[1].unwrap_i64()), (4, 0));
    func.call(&mut store, &[args[0], func.into()], &mut results)
        .unwrap();
    assert_eq!(results[1].unwrap_i64(), 1);

    let mut other = Store::<()>::default();
    let foreign = Func::wrap(&mut other, || {});
    refused(
        func.call(&mut store, &[args[0], foreign.into()], &mut results),
        "another store",
    );
}

#[test]
fn dynamic_functions() {
    let mut store = Store::<()>::default();
    let types = [ValType::V128, ValType::I32, ValType::EXTERNREF];
    let ty = FuncType::new(store.engine(), types, types.into_iter().rev());
    let reverse = Func::new(&mut store, ty, |_, params, results| {
        assert!(results[0].unwrap_extern_ref().is_none());
        results.copy_from_slice(params);
        results.reverse();
        Ok(())
    });
    let data = ExternRef::new(&mut store, "a host value").unwrap();
    let wide = u128::MAX / 3;
    let mut results = [Val::I32(0); 3];
    reverse
        .call(
            &mut store,
            &[Val::V128(wide), Val::I32(-1), data.into()],
            &mut results,
        )
        .unwrap();
    assert_eq!(
        (results[1].unwrap_i32(), results[2].unwrap_v128()),
        (-1, wide)
    );
    let data = results[0].unwrap_extern_ref().unwrap();
    assert_eq!(
        data.data(&store).unwrap().downcast_ref(),
        Some(&"a host value")
    );

    let ty = FuncType::new(store.engine(), [], [ValType::I32]);
    let wrong = Func::new(&mut store, ty.clone(), |_, _, results| {
        results[0] = Val::I64(1);
        Ok(())
    });
    refused(
        wrong.call(&mut store, &[], &mut results[..1]),
        "result of a host function",
    );
    let lazy = Func::new(&mut store, ty, |_, _, _| Ok(()));
    lazy.call(&mut store, &[], &mut results[..1]).unwrap();
    assert_eq!(results[0].unwrap_i32(), 0);
}

#[test]
fn errors_and_traps_come_back() {
    #[derive(Debug, PartialEq)]
    struct Exit(i32);
    impl std::fmt::Display for Exit {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "exit {}", self.0)
        }
    }
    impl std::error::Error for Exit {}

    let mut store = Store::<()>::default();
    let exit = Func::wrap(&mut store, |code: i32| -> Result<()> {
        Err(Exit(code).into())
    });
    let error = exit
        .typed::<i32, ()>(&store)
        .unwrap()
        .call(&mut store, 3)
        .unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Exit(3)));
    let trap = Func::wrap(&mut store, || -> Result<()> {
        Err(Trap::UnreachableCodeReached.into())
    });
    let error = trap.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
}

#[test]
fn hosts_may_call_and_create_while_they_run() {
    let mut store = Store::new(&Default::default(), Vec::new());
    let down = Func::wrap(
        &mut store,
        |mut caller: Caller<'_, Vec<i32>>, n: i32, this: Option<Func>| -> Result<i32> {
            caller.data_mut().push(n);
            // Many functions, so that the store's lists move while one of them runs.
            for i in 0..100 {
                Func::wrap(&mut caller, move || i);
            }
            let memory = Memory::new(&mut caller, MemoryType::new(1, None))?;
            memory.write(&mut caller, 0, &n.to_le_bytes())?;
            let func = this.ok_or_else(|| Error::msg("no function"))?;
            if n == 0 {
                return Ok(0);
            }
            let rest = func
                .typed::<(i32, Option<Func>), i32>(&caller)?
                .call(&mut caller, (n - 1, this))?;
            Ok(rest + i32::from(memory.data(&caller)[0]))
        },
    );
    let sum = down
        .typed::<(i32, Option<Func>), i32>(&store)
        .unwrap()
        .call(&mut store, (4, Some(down)));
    assert_eq!(sum.unwrap(), 10);
    assert_eq!(store.into_data(), [4, 3, 2, 1, 0]);
}

#[test]
fn everything_is_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = || Counted(drops.clone());

    let mut linker = Linker::<Counted>::new(&Default::default());
    let captured = counted();
    linker.func_wrap("", "f", move || _ = &captured).unwrap();
    let mut store = Store::new(linker.engine(), counted());
    linker.get(&mut store, "", "f").unwrap();
    let captured = counted();
    Func::wrap(&mut store, move || _ = &captured);
    ExternRef::new(&mut store, counted()).unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    let data = store.into_data();
    assert_eq!(drops.load(Ordering::Relaxed), 2);
    drop(data);
    assert_eq!(drops.load(Ordering::Relaxed), 3);
    drop(linker);
    assert_eq!(drops.load(Ordering::Relaxed), 4);
}

#[test]
fn globals_check_type_and_mutability() {
    let mut store = Store::<()>::default();
    let ty = |mutability| GlobalType::new(ValType::F64, mutability);
    refused(
        Global::new(&mut store, ty(Mutability::Var), Val::F32(0)),
        "expected f64, found f32",
    );
    let constant = Global::new(&mut store, ty(Mutability::Const), 1.0_f64.into()).unwrap();
    refused(constant.set(&mut store, 2.0_f64.into()), "immutable");
    let variable = Global::new(&mut store, ty(Mutability::Var), 1.0_f64.into()).unwrap();
    refused(
        variable.set(&mut store, Val::I64(1)),
        "expected f64, found i64",
    );
    variable.set(&mut store, 2.0_f64.into()).unwrap();
    assert_eq!(
        (
            constant.get(&store).unwrap_f64(),
            variable.get(&store).unwrap_f64()
        ),
        (1.0, 2.0)
    );
    assert_eq!(variable.ty(&store), ty(Mutability::Var));
}

#[test]
fn tables_hold_references_of_their_type() {
    let mut store = Store::<()>::default();
    let ty = TableType::new(RefType::EXTERNREF, 3, None);
    refused(
        Table::new(&mut store, ty.clone(), Ref::Func(None)),
        "expected externref, found funcref",
    );
    let [a, b] = ["a", "b"].map(|text| Ref::from(ExternRef::new(&mut store, text).unwrap()));
    let table = Table::new(&mut store, ty, a).unwrap();
    table.set(&mut store, 1, Ref::Extern(None)).unwrap();
    refused(
        table.set(&mut store, 3, b),
        "no element 3 in a table of 3 elements",
    );
    refused(
        table.set(&mut store, 0, Ref::Func(None)),
        "expected externref",
    );
    table.grow(&mut store, 3, b).unwrap();
    table.fill(&mut store, 4, a, 2).unwrap();
    let error = table.fill(&mut store, 5, b, 2).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::TableOutOfBounds));
    assert!(table.get(&store, 6).is_none());
    let text = |i| match table.get(&store, i) {
        Some(Ref::Extern(Some(data))) => {
            *data.data(&store).unwrap().downcast_ref::<&str>().unwrap()
        }
        Some(Ref::Extern(None)) => "null",
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(text),
        ["a", "null", "a", "b", "a", "a"]
    );
}

#[test]
fn memory_access() {
    let mut store = Store::new(&Default::default(), 1_u8);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    memory.write(&mut store, 65_534, &[1, 2]).unwrap();
    let mut buffer = [9; 2];
    memory.read(&store, 65_534, &mut buffer).unwrap();
    assert_eq!(buffer, [1, 2]);
    for offset in [65_535, 65_536, 65_537, usize::MAX] {
        assert!(memory.read(&store, offset, &mut buffer).is_err());
        assert!(memory.write(&mut store, offset, &[7, 7]).is_err());
    }
    assert_eq!(memory.data(&store)[65_535], 2);
    memory.read(&store, 65_536, &mut []).unwrap();
    let (bytes, data) = memory.data_and_store_mut(&mut store);
    (bytes[0], *data) = (*data, 5);
    assert_eq!((memory.data(&store)[0], *store.data()), (1, 5));
    memory.data_mut(store.as_context_mut())[0] = 4;
    assert_eq!(memory.data(&mut store)[0], 4);
}

#[test]
#[should_panic = "object used with the wrong store"]
fn a_function_of_another_store() {
    let func = Func::wrap(Store::<()>::default(), || {});
    let _ = func.call(Store::<()>::default(), &[], &mut []);
}

#[test]
#[should_panic = "object used with the wrong store"]
fn a_memory_of_another_store() {
    // The first store is gone, and the second may be at its address.
    let memory = Memory::new(Store::<()>::default(), MemoryType::new(1, None)).unwrap();
    let store = Store::<()>::default();
    memory.data(&store);
}

#[test]
#[should_panic = "object used with the wrong store"]
fn an_import_of_another_store() {
    let memory = Memory::new(Store::<()>::default(), MemoryType::new(1, None)).unwrap();
    let mut store = Store::<()>::default();
    let bytes = wat::parse_str(r#"(module (import "" "" (memory 1)))"#).unwrap();
    let module = Module::new(store.engine(), bytes).unwrap();
    let _ = teff_runtime::Instance::new(&mut store, &module, &[memory.into()]);
}

#[test]
#[should_panic = "object used with the wrong store"]
fn a_typed_function_of_another_store() {
    let mut store = Store::<()>::default();
    let func = Func::wrap(&mut store, || {})
        .typed::<(), ()>(&store)
        .unwrap();
    let _ = func.call(Store::<()>::default(), ());
}

#[test]
fn references_of_another_store_are_errors() {
    let mut store = Store::<()>::default();
    let mut other = Store::<()>::default();
    let data = ExternRef::new(&mut other, 1).unwrap();
    assert!(data.data(&store).is_err());
    let ty = TableType::new(RefType::EXTERNREF, 1, None);
    refused(Table::new(&mut store, ty, data.into()), "another store");
    let ty = GlobalType::new(ValType::EXTERNREF, Mutability::Var);
    refused(Global::new(&mut store, ty, data.into()), "another store");
    let func = Func::wrap(&mut store, move || Some(data));
    refused(
        func.typed::<(), Option<ExternRef>>(&store)
            .unwrap()
            .call(&mut store, ()),
        "another store",
    );
}

#[test]
fn handles_and_stores_move_between_threads() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Store<()>>();
    send_and_sync::<Linker<()>>();
    send_and_sync::<Extern>();
    send_and_sync::<Val>();
    send_and_sync::<Module>();
    let mut store = Store::new(&Default::default(), 1);
    let add = Func::wrap(&mut store, |caller: Caller<'_, i32>, x: i32| {
        x + caller.data()
    });
    let sum = std::thread::spawn(move || {
        add.typed::<i32, i32>(&store)
            .unwrap()
            .call(&mut store, 2)
            .unwrap()
    });
    assert_eq!(sum.join().unwrap(), 3);
}
