//! The limits of a store, at creation, at instantiation and at growth.

use teff_runtime::{
    Instance, Memory, MemoryType, Module, Ref, RefType, Store, StoreLimits, StoreLimitsBuilder,
    Table, TableType,
};

fn store(limits: StoreLimits) -> Store<()> {
    let mut store = Store::default();
    store.limiter(limits);
    store
}

fn instantiate(store: &mut Store<()>, text: &str) -> Result<Instance, String> {
    let module = Module::new(store.engine(), wat::parse_str(text).unwrap()).unwrap();
    Instance::new(store, &module, &[]).map_err(|error| error.to_string())
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, impl ToString>, message: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn memory_size() {
    // Less than three pages are two.
    let mut store = store(
        StoreLimitsBuilder::new()
            .memory_size(3 * 65_536 - 1)
            .build(),
    );
    refused(
        instantiate(&mut store, "(module (memory 3))"),
        "3 pages is more than the limit of 2",
    );
    refused(
        Memory::new(&mut store, MemoryType::new(3, None)),
        "limit of 2 pages",
    );

    let instance = instantiate(&mut store, r#"(module (memory (export "m") 1 5))"#).unwrap();
    let memory = instance.get_memory(&mut store, "m").unwrap();
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    refused(
        memory.grow(&mut store, 1),
        "cannot grow a memory of 2 pages by 1: the limit is 2 pages",
    );
    assert_eq!(
        (memory.size(&store), memory.data_size(&store)),
        (2, 131_072)
    );
    // The limit is not part of the type.
    assert_eq!(memory.ty(&store), MemoryType::new(2, Some(5)));
}

#[test]
fn memory_maximum() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(0, Some(3))).unwrap();
    refused(memory.grow(&mut store, 4), "the limit is 3 pages");
    refused(memory.grow(&mut store, u64::MAX), "the limit is 3 pages");
    assert_eq!(memory.grow(&mut store, 3).unwrap(), 0);
    assert_eq!(memory.grow(&mut store, 0).unwrap(), 3);
    assert!(memory.data(&store).iter().all(|&byte| byte == 0));
    assert_eq!(memory.data(&store).len(), 3 * 65_536);
    let wide = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    refused(wide.grow(&mut store, 65_536), "the limit is 65536 pages");
}

#[test]
fn table_elements() {
    let mut store = store(StoreLimitsBuilder::new().table_elements(10).build());
    let ty = |minimum, maximum| TableType::new(RefType::FUNCREF, minimum, maximum);
    refused(
        instantiate(&mut store, "(module (table 11 funcref))"),
        "more than the limit of 10 elements",
    );
    refused(
        Table::new(&mut store, ty(11, None), Ref::Func(None)),
        "limit of 10 elements",
    );
    let table = Table::new(&mut store, ty(4, Some(20)), Ref::Func(None)).unwrap();
    refused(
        table.grow(&mut store, 7, Ref::Func(None)),
        "the limit is 10 elements",
    );
    assert_eq!(table.grow(&mut store, 6, Ref::Func(None)).unwrap(), 4);
    assert_eq!(table.ty(&store), ty(10, Some(20)));
    let table = Table::new(&mut store, ty(4, Some(5)), Ref::Func(None)).unwrap();
    refused(
        table.grow(&mut store, 2, Ref::Func(None)),
        "the limit is 5 elements",
    );
}

#[test]
fn counts() {
    let mut two = store(StoreLimitsBuilder::new().instances(2).build());
    instantiate(&mut two, "(module)").unwrap();
    instantiate(&mut two, "(module)").unwrap();
    refused(instantiate(&mut two, "(module)"), "limit of 2 instances");

    let mut one = store(StoreLimitsBuilder::new().memories(1).tables(1).build());
    refused(
        instantiate(&mut one, "(module (table 0 funcref) (table 0 funcref))"),
        "limit of 1 tables",
    );
    // What was refused takes nothing of the limit.
    instantiate(&mut one, "(module (memory 0) (table 0 funcref))").unwrap();
    refused(
        Memory::new(&mut one, MemoryType::new(0, None)),
        "limit of 1 memories",
    );
    refused(
        instantiate(&mut one, "(module (memory 0))"),
        "limit of 1 memories",
    );
    let table = TableType::new(RefType::EXTERNREF, 0, None);
    refused(
        Table::new(&mut one, table, Ref::Extern(None)),
        "limit of 1 tables",
    );
    instantiate(&mut one, "(module)").unwrap();
}

#[test]
fn fuel_needs_metering() {
    let mut off = Store::<()>::default();
    refused(off.set_fuel(1), "Config::consume_fuel");
    refused(off.get_fuel(), "Config::consume_fuel");

    let engine = teff_runtime::Engine::new(teff_runtime::Config::new().consume_fuel(true)).unwrap();
    let mut on = Store::new(&engine, ());
    assert_eq!(on.get_fuel().unwrap(), 0);
    on.set_fuel(u64::MAX).unwrap();
    assert_eq!(on.get_fuel().unwrap(), u64::MAX);
}
