//! Memories in pages of one byte, beyond what the proposal's own tests look at: this API, and the last bytes of a memory
//! whose size is no multiple of anything.

use teff_runtime::{
    Backend, CodeForm, Config, Engine, Instance, Linker, Memory, MemoryType, Module, Store,
    StoreLimitsBuilder, Trap,
};

fn engines() -> impl Iterator<Item = Engine> {
    let forms = [CodeForm::Direct, CodeForm::Compact];
    let kinds = Config::BACKENDS
        .iter()
        .flat_map(move |&backend| forms.map(|form| (backend, form)));
    kinds.flat_map(|(backend, form)| {
        [false, true].map(|metered| {
            let mut config = Config::new();
            config
                .backend(backend)
                .code_form(form)
                .consume_fuel(metered);
            Engine::new(config.wasm_custom_page_sizes(true)).unwrap()
        })
    })
}

fn store(engine: &Engine) -> Store<()> {
    let mut store = Store::new(engine, ());
    let _ = store.set_fuel(1 << 40);
    store
}

fn module(engine: &Engine, text: &str) -> teff_runtime::Result<Module> {
    Module::new(engine, wat::parse_str(text).unwrap())
}

fn bytes(min: u32, max: Option<u32>) -> MemoryType {
    MemoryType::new(min, max).with_page_size_log2(0).unwrap()
}

#[test]
fn accesses_end_with_the_memory() {
    let text = r#"(module
        (memory (export "memory") 0 1000 (pagesize 1))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "size") (result i32) (memory.size))
        (func (export "load8") (param i32) (result i64) (i64.load8_u (local.get 0)))
        (func (export "load16") (param i32) (result i64) (i64.load16_u (local.get 0)))
        (func (export "load32") (param i32) (result i64) (i64.load32_u (local.get 0)))
        (func (export "load64") (param i32) (result i64) (i64.load (local.get 0)))
        (func (export "store64") (param i32) (result i64)
            (i64.store (local.get 0) (i64.const -1)) (i64.const 0))
        (func (export "fill") (param i32) (result i64)
            (memory.fill (local.get 0) (i32.const 255) (i32.const 3)) (i64.const 0)))"#;
    for engine in engines() {
        let mut store = store(&engine);
        let instance = Instance::new(&mut store, &module(&engine, text).unwrap(), &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let grow = instance
            .get_typed_func::<i32, i32>(&mut store, "grow")
            .unwrap();
        let size = instance
            .get_typed_func::<(), i32>(&mut store, "size")
            .unwrap();
        let mut len = 0;
        for delta in [0, 1, 1, 1, 2, 3, 4, 1, 40, 7] {
            assert_eq!(grow.call(&mut store, delta).unwrap(), len);
            len += delta;
            assert_eq!(size.call(&mut store, ()).unwrap(), len);
            assert_eq!(memory.size(&store), len as u64);
            assert_eq!(memory.data_size(&store), len as usize);
            // What is new is zero, also where the last round wrote up to the end.
            assert!(
                memory.data(&store)[(len - delta) as usize..]
                    .iter()
                    .all(|&byte| byte == 0)
            );
            memory.data_mut(&mut store).fill(0x5a);
            for (name, width) in [("load8", 1), ("load16", 2), ("load32", 4), ("load64", 8)] {
                let load = instance
                    .get_typed_func::<i32, i64>(&mut store, name)
                    .unwrap();
                for at in (len - 12).max(0)..len + 2 {
                    let loaded = load.call(&mut store, at);
                    if at + width <= len {
                        let expected = 0x5a5a_5a5a_5a5a_5a5a_u64 >> (64 - 8 * width);
                        assert_eq!(loaded.unwrap() as u64, expected, "{name} at {at} of {len}");
                    } else {
                        let error = loaded.unwrap_err();
                        assert_eq!(
                            error.downcast_ref(),
                            Some(&Trap::MemoryOutOfBounds),
                            "{name} at {at} of {len}"
                        );
                    }
                }
            }
            for (name, width) in [("store64", 8), ("fill", 3)] {
                let write = instance
                    .get_typed_func::<i32, i64>(&mut store, name)
                    .unwrap();
                for at in [len - width + 1, len, len + 1]
                    .into_iter()
                    .filter(|&at| at >= 0)
                {
                    write.call(&mut store, at).unwrap_err();
                }
                assert!(memory.data(&store).iter().all(|&byte| byte == 0x5a));
                if len >= width {
                    write.call(&mut store, len - width).unwrap();
                    let (rest, last) = memory.data(&store).split_at((len - width) as usize);
                    assert!(
                        rest.iter().all(|&byte| byte == 0x5a)
                            && last.iter().all(|&byte| byte == 255)
                    );
                    memory.data_mut(&mut store).fill(0x5a);
                }
            }
            memory.data_mut(&mut store).fill(0xff);
        }
        assert_eq!(grow.call(&mut store, 1000).unwrap(), -1);
        assert_eq!(memory.ty(&store), bytes(len as u32, Some(1000)));
        assert_eq!(memory.page_size(&store), 1);
    }
}

#[test]
fn limits_count_bytes() {
    for engine in engines() {
        let mut store = store(&engine);
        store.limiter(StoreLimitsBuilder::new().memory_size(100).build());
        let memory = Memory::new(&mut store, bytes(99, None)).unwrap();
        assert_eq!(memory.grow(&mut store, 1).unwrap(), 99);
        memory.grow(&mut store, 1).unwrap_err();
        let error = Memory::new(&mut store, bytes(101, None)).unwrap_err();
        assert!(error.to_string().contains("101 bytes"), "{error}");
        // A page of the usual size is too large.
        Memory::new(&mut store, MemoryType::new(1, None)).unwrap_err();
    }
}

#[test]
fn growth_costs_fuel_by_the_byte() {
    let text = r#"(module (memory 0 (pagesize 1))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    for engine in engines().filter(|engine| store(engine).get_fuel().is_ok()) {
        let mut store = store(&engine);
        let instance = Instance::new(&mut store, &module(&engine, text).unwrap(), &[]).unwrap();
        let grow = instance
            .get_typed_func::<i32, i32>(&mut store, "grow")
            .unwrap();
        let mut cost = |delta| {
            let before = store.get_fuel().unwrap();
            grow.call(&mut store, delta).unwrap();
            before - store.get_fuel().unwrap()
        };
        let least = cost(0);
        assert_eq!(
            [cost(63), cost(64), cost(6400)].map(|cost| cost - least),
            [0, 1, 100]
        );
    }
}

#[test]
fn page_sizes_are_part_of_the_type() {
    let engine = engines().next().unwrap();
    let mut store = store(&engine);
    let mut linker = Linker::new(&engine);
    let memory = Memory::new(&mut store, bytes(65_536, None)).unwrap();
    linker.define(&store, "host", "memory", memory).unwrap();
    let good = module(
        &engine,
        r#"(module (import "host" "memory" (memory 9 (pagesize 1))))"#,
    );
    linker.instantiate(&mut store, &good.unwrap()).unwrap();
    let bad = module(&engine, r#"(module (import "host" "memory" (memory 1)))"#).unwrap();
    let error = linker
        .instantiate(&mut store, &bad)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected memory 1, found memory 65536 (pagesize 1)"),
        "{error}"
    );
}

#[test]
fn what_is_not_allowed() {
    for log2 in [1, 8, 15, 17, 64, 255] {
        MemoryType::new(1, None)
            .with_page_size_log2(log2)
            .unwrap_err();
    }
    let mut config = Config::new();
    config.backend(Backend::Loop);
    let engine = Engine::new(&config).unwrap();
    let error = Memory::new(store(&engine), bytes(1, None)).unwrap_err();
    assert!(
        error.to_string().contains("wasm_custom_page_sizes"),
        "{error}"
    );
    let error = module(&engine, "(module (memory 1 (pagesize 1)))").unwrap_err();
    assert!(error.to_string().contains("custom page sizes"), "{error}");
    // With it on, the usual pages are still there.
    let engine = Engine::new(config.wasm_custom_page_sizes(true)).unwrap();
    Memory::new(store(&engine), MemoryType::new(1, None)).unwrap();
    let usual = MemoryType::new(1, None);
    assert_eq!((usual.page_size(), usual.page_size_log2()), (65_536, 16));
}
