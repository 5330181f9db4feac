//! Images: a module that was serialised and loaded again does what it did, and nothing that is not such an image is loaded.

use std::sync::Mutex;

use teff_runtime::{
    Backend, Caller, CodeForm, CompilationMode, Config, Engine, ImageClass, ImageInfo, Linker,
    Module, Precompiled, Result, Store, Trap, disassemble,
};

/// An image that is there for as long as the program runs, so many bytes behind an address that is a multiple of 8.
fn flash(image: &[u8], odd: usize) -> &'static [u8] {
    // What is named here is no leak.
    static FLASH: Mutex<Vec<&'static [u64]>> = Mutex::new(Vec::new());
    let mut bytes = vec![0; odd];
    bytes.extend_from_slice(image);
    let words: Vec<u64> = bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        })
        .collect();
    let words: &'static [u64] = words.leak();
    FLASH.lock().unwrap().push(words);
    // SAFETY: any words are bytes, and there are so many.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>().add(odd), image.len()) }
}

/// Everything that an image has: imports of all kinds, tables, globals that are expressions, segments of all modes, names,
/// a start function, calls in all ways, code of several functions.
const EVERYTHING: &str = r#"
    (module $whole
      (import "env" "twice" (func $twice (param i32) (result i32)))
      (import "env" "base" (global $base i32))
      (import "env" "memory" (memory 1 3))
      (import "env" "table" (table $imported 2 funcref))
      (type $unary (func (param i32) (result i32)))
      (table $table 4 8 funcref)
      (table $externs 1 externref)
      (global $count (mut i64) (i64.const 5))
      (global $sum i32 (i32.add (global.get $base) (i32.const 2)))
      (global $ratio f64 (f64.const 0.25))
      (global $first funcref (ref.func $inc))
      (data (i32.const 8) "active")
      (data $later "passive")
      (elem (table $table) (i32.const 1) func $inc $twice $fail)
      (elem $items func $fac $inc)
      (elem declare func $fac)
      (start $begin)
      (func $begin (i32.store (i32.const 100) (global.get $sum)))
      (func $inc (type $unary) (i32.add (local.get 0) (i32.const 1)))
      (func $fac (type $unary)
        (if (result i32) (i32.eqz (local.get 0))
          (then (i32.const 1))
          (else (i32.mul (local.get 0) (call $fac (i32.sub (local.get 0) (i32.const 1)))))))
      (func $fail (type $unary) (unreachable))
      (func (export "indirect") (param i32 i32) (result i32)
        (call_indirect $table (type $unary) (local.get 1) (local.get 0)))
      (func (export "init") (result i32)
        (table.init $table $items (i32.const 0) (i32.const 0) (i32.const 1))
        (memory.init $later (i32.const 20) (i32.const 1) (i32.const 3))
        (data.drop $later)
        (elem.drop $items)
        (i32.load (i32.const 20)))
      (func (export "loop") (param $n i32) (result f64)
        (local $x f64)
        (loop $next
          (local.set $x (f64.add (f64.mul (local.get $x) (global.get $ratio)) (f64.convert_i32_s (local.get $n))))
          (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x))
      (func (export "switch") (param i32) (result i32)
        (block $c (block $b (block $a
          (br_table $a $b $c (local.get 0)))
          (return (i32.const 10)))
          (return (call $twice (i32.const 10))))
        (i32.load8_u offset=8 (local.get 0)))
      (func (export "tail") (param i32) (result i32) (return_call $fac (local.get 0)))
      (func (export "same") (result i32)
        (table.set $table (i32.const 3) (ref.func $fac))
        (ref.is_null (table.get $table (i32.const 3))))
      (func (export "count") (result i64)
        (global.set $count (i64.add (global.get $count) (i64.const 1)))
        (global.get $count))
      (export "started" (memory 0))
      (export "ratio" (global $ratio)))"#;

fn binary() -> Vec<u8> {
    wat::parse_str(EVERYTHING).unwrap()
}

/// Configurations that run images.
fn configs() -> Vec<Config> {
    let of = |&backend: &Backend| {
        let mut config = Config::new();
        config.backend(backend).code_form(CodeForm::Compact);
        config
    };
    Config::BACKENDS.iter().map(of).collect()
}

fn engine() -> Engine {
    Engine::new(&configs()[0]).unwrap()
}

fn image() -> Vec<u8> {
    Engine::default().precompile_module(&binary()).unwrap()
}

fn load(engine: &Engine, image: &[u8]) -> Result<Module> {
    // SAFETY: the tests give images that `serialize` made, or such as are refused.
    unsafe { Module::deserialize(engine, image) }
}

fn refusal(engine: &Engine, image: &[u8]) -> String {
    load(engine, image).unwrap_err().to_string()
}

/// What the module does, as text.
fn behaviour(module: &Module) -> Vec<String> {
    let engine = module.engine();
    let mut store = Store::new(engine, 0_i32);
    // It fails if the engine is not metered.
    let _ = store.set_fuel(1 << 30);
    store.set_epoch_deadline(1);
    let mut linker = Linker::new(engine);
    linker
        .func_wrap("env", "twice", |mut caller: Caller<'_, i32>, x: i32| {
            *caller.data_mut() += 1;
            2 * x
        })
        .unwrap();
    let outside = wat::parse_str(
        r#"(module (global (export "base") i32 (i32.const 40)) (memory (export "memory") 1 3)
             (table (export "table") 2 funcref))"#,
    );
    let outside = Module::new(engine, outside.unwrap()).unwrap();
    let outside = linker.instantiate(&mut store, &outside).unwrap();
    linker.instance(&mut store, "env", outside).unwrap();
    let instance = linker.instantiate(&mut store, module).unwrap();

    let mut seen = vec![format!("{:?}", module.name())];
    seen.extend(
        module
            .imports()
            .map(|i| format!("{} {} {}", i.module(), i.name(), i.ty())),
    );
    seen.extend(module.exports().map(|e| format!("{} {}", e.name(), e.ty())));
    let memory = instance.get_memory(&mut store, "started").unwrap();
    seen.push(format!("{:?}", &memory.data(&store)[8..16]));
    seen.push(format!("{:?}", &memory.data(&store)[100..104]));
    let calls: &[(&str, &[i32])] = &[
        ("same", &[]),
        ("indirect", &[1, 41]),
        ("indirect", &[2, 21]),
        ("indirect", &[3, 5]),
        ("indirect", &[0, 5]),
        ("indirect", &[9, 5]),
        ("init", &[]),
        ("indirect", &[0, 6]),
        ("init", &[]),
        ("loop", &[1000]),
        ("switch", &[0]),
        ("switch", &[1]),
        ("switch", &[2]),
        ("switch", &[70_000]),
        ("tail", &[10]),
        ("count", &[]),
        ("count", &[]),
    ];
    for (name, args) in calls {
        let func = instance.get_func(&mut store, name).unwrap();
        let args: Vec<_> = args.iter().map(|arg| (*arg).into()).collect();
        let mut results = vec![0_i32.into(); func.ty(&store).results().len()];
        seen.push(match func.call(&mut store, &args, &mut results) {
            Ok(()) => format!("{name}: {results:?}"),
            Err(error) => format!("{name}: {error}"),
        });
    }
    let fail = instance
        .get_typed_func::<(i32, i32), i32>(&mut store, "indirect")
        .unwrap();
    let trap = fail.call(&mut store, (3, 0));
    seen.push(format!("{trap:?}"));
    seen.push(format!("{} {:?}", store.data(), store.get_fuel().ok()));
    seen
}

#[test]
fn an_image_does_what_the_module_does() {
    let binary = binary();
    for mut config in configs() {
        for metered in [false, true] {
            config.consume_fuel(metered).epoch_interruption(metered);
            let engine = Engine::new(&config).unwrap();
            let module = Module::new(&engine, &binary).unwrap();
            let image = module.serialize().unwrap();
            let expected = behaviour(&module);
            assert!(
                expected
                    .iter()
                    .any(|line| line == "loop: [F64(4607182418800017408)]")
                    || expected.len() > 20
            );
            assert_eq!(behaviour(&load(&engine, &image).unwrap()), expected);

            let flash = flash(&image, 0);
            // SAFETY: it is an image that `serialize` made.
            let placed = unsafe { Module::deserialize_static(&engine, flash) }.unwrap();
            assert_eq!(behaviour(&placed), expected);
        }
    }
}

#[test]
fn an_image_runs_from_its_file() {
    let path = std::env::temp_dir().join(format!("teff-images-{}.teff", std::process::id()));
    std::fs::write(&path, image()).unwrap();
    let engine = engine();
    let found = Engine::detect_precompiled_file(&path).unwrap();
    // SAFETY: it is an image that `serialize` made, and nobody changes the file.
    let module = unsafe { Module::deserialize_file(&engine, &path) }.unwrap();
    // SAFETY: as above.
    let open =
        unsafe { Module::deserialize_open_file(&engine, &std::fs::File::open(&path).unwrap()) };
    std::fs::remove_file(&path).unwrap();
    assert_eq!(found, Some(Precompiled::Module));
    assert_eq!(
        behaviour(&module),
        behaviour(&Module::new(&engine, binary()).unwrap())
    );
    assert_eq!(behaviour(&open.unwrap()), behaviour(&module));
    // SAFETY: there is no such file.
    let missing = unsafe { Module::deserialize_file(&engine, &path) }.unwrap_err();
    assert!(
        missing.to_string().contains("cannot map the file"),
        "{missing}"
    );
}

#[test]
fn images_depend_on_nothing_but_the_module_and_the_target() {
    let first = image();
    for mut config in configs() {
        for mode in [CompilationMode::Eager, CompilationMode::Lazy] {
            config.compilation_mode(mode);
            let engine = Engine::new(&config).unwrap();
            assert_eq!(engine.precompile_module(&binary()).unwrap(), first);
            // And that of the image is the image.
            assert_eq!(load(&engine, &first).unwrap().serialize().unwrap(), first);
        }
    }
}

#[test]
fn code_is_that_of_the_listing() {
    let engine = engine();
    let module = Module::new(&engine, binary()).unwrap();
    let loaded = load(&engine, &image()).unwrap();
    let list = |module: &Module, func| {
        let mut text = String::new();
        disassemble(module, func, &mut text).unwrap();
        // Without the offsets in the Wasm binary, which an image does not have.
        let lines = text.lines().skip(1).map(|line| line[9..].to_string());
        lines.collect::<Vec<_>>()
    };
    for func in 1..12 {
        let listed = list(&module, func);
        assert!(!listed.is_empty());
        assert_eq!(list(&loaded, func), listed);
    }
}

#[test]
fn an_image_takes_no_memory_for_code() {
    let module = load(&engine(), &image()).unwrap();
    let report = module.memory_report();
    assert_eq!(report.translated_functions, report.functions);
    assert_eq!(
        (report.code_allocated, report.scratch, report.bodies),
        (0, 0, 0)
    );
    let code = ImageInfo::read(&image()).unwrap().code;
    assert_eq!(report.code, code);
    // An address for each function; builds that run images alone do without.
    assert_eq!(
        report.function_tables,
        report.functions * size_of::<usize>()
    );
}

#[test]
fn traps_name_the_functions() {
    let engine = engine();
    let image = engine.precompile_module(
        &wat::parse_str(
            r#"(module $m (func $outer (export "f") (call $inner)) (func $inner (unreachable)))"#,
        )
        .unwrap(),
    );
    let module = load(&engine, &image.unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine)
        .instantiate(&mut store, &module)
        .unwrap();
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    let error = f.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
    let trace = error.backtrace().unwrap();
    let names: Vec<_> = trace
        .frames()
        .iter()
        .map(|frame| frame.func_name())
        .collect();
    assert_eq!(names, [Some("inner"), Some("outer")]);
    assert_eq!(trace.frames()[0].module_name(), Some("m"));
    assert_eq!(trace.frames()[0].module_offset(), None);
}

#[test]
fn instances_of_images_and_of_binaries_call_one_another() {
    for config in configs() {
        let engine = Engine::new(&config).unwrap();
        let compile = |wat: &str| Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        let image = compile(
            r#"(module (import "b" "down" (func $down (param i32) (result i32)))
                 (func (export "up") (param i32) (result i32)
                   (i32.add (i32.const 1) (call $down (local.get 0))))
                 (func (export "over") (param i32) (result i32) (return_call $down (local.get 0))))"#,
        );
        let image = load(&engine, &image.serialize().unwrap()).unwrap();
        let binary = compile(
            r#"(module (table (export "t") 1 funcref) (type $f (func (param i32) (result i32)))
                 (func (export "down") (type $f)
                   (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
                     (else (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))))"#,
        );
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        let b = linker.instantiate(&mut store, &binary).unwrap();
        linker.instance(&mut store, "b", b).unwrap();
        let a = linker.instantiate(&mut store, &image).unwrap();
        let up = a.get_func(&mut store, "up");
        let table = b.get_table(&mut store, "t").unwrap();
        table
            .set(&mut store, 0, teff_runtime::Ref::Func(up))
            .unwrap();
        for name in ["up", "over"] {
            let f = a.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            let more = i32::from(name == "up");
            assert_eq!(f.call(&mut store, 1000).unwrap(), 1000 + more);
        }
    }
}

// Refusals.

#[test]
fn nothing_shorter_is_loaded() {
    let (engine, image) = (engine(), image());
    for len in 0..image.len() {
        let error = refusal(&engine, &image[..len]);
        let expected = if len < 8 { "not an image" } else { "truncated" };
        assert!(error.contains(expected), "{len}: {error}");
    }
    let mut longer = image.clone();
    longer.push(0);
    assert!(refusal(&engine, &longer).contains("1 bytes follow its end"));
}

#[test]
fn no_flipped_bit_is_loaded() {
    let (engine, image) = (engine(), image());
    for bit in 0..image.len() * 8 {
        let mut flipped = image.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = refusal(&engine, &flipped);
        let expected = match bit / 8 {
            0..8 => "not an image",
            // The length.
            32..36 => "",
            _ => "the image is damaged: its checksum is wrong",
        };
        assert!(error.contains(expected), "bit {bit}: {error}");
    }
}

/// The image with other bytes and the checksum that belongs to them: what another version would write.
fn rewritten(mut image: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image[24..32].fill(0);
    let (mut sums, mut sums_of_sums) = ([1_u32; 8], [0_u32; 8]);
    for block in image.chunks(32) {
        let mut words = [0; 32];
        words[..block.len()].copy_from_slice(block);
        for (lane, word) in words.chunks(4).enumerate() {
            sums[lane] = sums[lane].wrapping_add(u32::from_le_bytes(word.try_into().unwrap()));
            sums_of_sums[lane] = sums_of_sums[lane].wrapping_add(sums[lane]);
        }
    }
    let mut sum = image.len() as u64;
    for lane in 0..8 {
        sum ^= u64::from(sums[lane]) | u64::from(sums_of_sums[lane]) << 32;
        sum = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    image[24..32].copy_from_slice(&sum.to_le_bytes());
    image
}

#[test]
fn other_versions_and_machines_are_told() {
    let (engine, image) = (engine(), image());
    assert_eq!(rewritten(image.clone(), 0, &[]), image);
    let refused = |at, bytes: &[u8]| refusal(&engine, &rewritten(image.clone(), at, bytes));
    assert!(refused(8, &7_u32.to_le_bytes()).contains("version 7 of the format"));
    assert!(refused(16, &[1; 8]).contains("instruction set 0101010101010101"));
    assert!(refused(12, &9_u32.to_le_bytes()).contains("a class that this teff does not know (9)"));

    let (target, class) = match ImageClass::NATIVE {
        ImageClass::Compact64 => ("thumbv7em-none-eabihf", "compact32"),
        _ => ("aarch64-unknown-linux-gnu", "compact64"),
    };
    let mut config = Config::new();
    config.target(target).unwrap();
    let other = Engine::new(&config)
        .unwrap()
        .precompile_module(&binary())
        .unwrap();
    assert_eq!(ImageInfo::read(&other).unwrap().class.to_string(), class);
    let error = refusal(&engine, &other);
    assert!(
        error.contains(&format!("code of the class {class}, and this machine runs")),
        "{error}"
    );
    assert!(config.target("sparc64-unknown-linux-gnu").is_err());
}

#[test]
fn engines_that_cannot_run_it_are_told() {
    let image = image();
    if Config::BACKENDS[0] == Backend::Threaded {
        let error = refusal(&Engine::default(), &image);
        assert!(
            error.contains("Config::code_form(CodeForm::Compact)"),
            "{error}"
        );
    }
    for mut config in configs() {
        for (fuel, epochs) in [(true, false), (false, true)] {
            config.consume_fuel(fuel).epoch_interruption(epochs);
            let metered = Engine::new(&config).unwrap();
            assert!(refusal(&metered, &image).contains("not metered"));
        }
        // The other way round it runs.
        let metered = Engine::new(&config)
            .unwrap()
            .precompile_module(&binary())
            .unwrap();
        assert!(ImageInfo::read(&metered).unwrap().metered);
        config.consume_fuel(false).epoch_interruption(false);
        let engine = Engine::new(&config).unwrap();
        let expected = behaviour(&Module::new(&engine, binary()).unwrap());
        assert_eq!(behaviour(&load(&engine, &metered).unwrap()), expected);
    }
}

#[test]
fn an_image_must_be_aligned_to_run_in_place() {
    let image = image();
    // SAFETY: it is an image that `serialize` made.
    let placed = unsafe { Module::deserialize_static(&engine(), flash(&image, 1)) };
    assert!(placed.unwrap_err().to_string().contains("multiple of 8"));
}

#[test]
fn wrong_descriptions_are_refused_or_loaded_and_never_panic() {
    let (engine, image) = (engine(), image());
    let mut refused = 0;
    // Everything but code, names and content, which are taken as they are: the header, the lists, the description up to
    // where the segments are, of which a wrong number would make others.
    let section = |n: usize| {
        let word = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize;
        word(40 + 8 * n)..word(40 + 8 * n) + word(44 + 8 * n)
    };
    let description = section(6);
    let places = (8..24)
        .chain(36..40 + 8 * 7)
        .chain(section(0))
        .chain(section(1))
        .chain(section(2))
        .chain(description.start..description.end - 18);
    for at in places {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            if image[at] != value {
                refused +=
                    usize::from(load(&engine, &rewritten(image.clone(), at, &[value])).is_err());
            }
        }
    }
    assert!(refused > 500, "only {refused} were refused");
}

#[test]
fn invalid_functions_do_not_get_into_images() {
    let mut config = configs().remove(0);
    config.compilation_mode(CompilationMode::Lazy);
    let engine = Engine::new(&config).unwrap();
    let mut binary = wat::parse_str("(module (func (result i32) (i32.const 5)))").unwrap();
    let at = binary.len() - 3;
    assert_eq!(binary[at..], [0x41, 5, 0x0b]);
    binary[at..at + 2].copy_from_slice(&[0x01, 0x01]);
    let error = engine.precompile_module(&binary).unwrap_err().to_string();
    assert!(error.contains("function 0 is invalid"), "{error}");
}

#[test]
fn detection() {
    assert_eq!(
        Engine::detect_precompiled(&image()),
        Some(Precompiled::Module)
    );
    assert_eq!(Engine::detect_precompiled(&binary()), None);
    assert_eq!(Engine::detect_precompiled(&[]), None);
    assert!(refusal(&engine(), &binary()).contains("not an image"));
    assert!(refusal(&engine(), &[]).contains("not an image"));
}
