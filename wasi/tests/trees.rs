//! A guest that copies a file from a flash image to a tree in memory, without a host.

use teff_runtime::{Engine, Linker, Module, Result, Store};
use teff_wasi::{
    DirPerms, Errno, FilePerms, WasiCtx, WasiCtxBuilder,
    platform::{
        Clock, Platform, Source,
        memory::MemoryDir,
        romfs::{Builder, RomDir},
    },
};

/// Each function returns an `errno`. Descriptor 3 is the image, 4 is the memory.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_rename"
        (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "etc/motd")
    (data (i32.const 80) "copy.new")
    (data (i32.const 96) "copy")

    ;; Copies, through a link in the image, in pieces of 5 bytes.
    (func (export "copy") (result i32)
        (local $in i32) (local $out i32) (local $error i32)
        (local.set $error (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 8)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)))
        (if (local.get $error) (then (return (local.get $error))))
        (local.set $in (i32.load (i32.const 32)))
        (local.set $error (call $open (i32.const 4) (i32.const 1) (i32.const 80) (i32.const 8)
            (i32.const 5) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
        (if (local.get $error) (then (return (local.get $error))))
        (local.set $out (i32.load (i32.const 32)))
        (i32.store (i32.const 0) (i32.const 1024))
        (loop $again
            (i32.store (i32.const 4) (i32.const 5))
            (local.set $error
                (call $read (local.get $in) (i32.const 0) (i32.const 1) (i32.const 4)))
            (if (local.get $error) (then (return (local.get $error))))
            (if (i32.load (i32.const 4)) (then
                (local.set $error
                    (call $write (local.get $out) (i32.const 0) (i32.const 1) (i32.const 8)))
                (if (local.get $error) (then (return (local.get $error))))
                (br $again))))
        (if (call $close (local.get $in)) (then (unreachable)))
        (if (call $close (local.get $out)) (then (unreachable)))
        (call $rename (i32.const 4) (i32.const 80) (i32.const 8)
            (i32.const 4) (i32.const 96) (i32.const 4)))

    ;; Opens the file of the image for writing.
    (func (export "overwrite") (result i32)
        (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 8)
            (i32.const 0) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))

    ;; Moves the file of the image to the memory.
    (func (export "move") (result i32)
        (call $rename (i32.const 3) (i32.const 64) (i32.const 8)
            (i32.const 4) (i32.const 96) (i32.const 4))))"#;

/// A clock that stands still.
struct Still;

impl Platform for Still {
    fn now(&self, _clock: Clock) -> std::result::Result<u64, Errno> {
        Ok(7)
    }

    fn resolution(&self, _clock: Clock) -> std::result::Result<u64, Errno> {
        Ok(1)
    }

    fn random(&self, _buffer: &mut [u8]) -> std::result::Result<(), Errno> {
        Err(Errno::Notsup)
    }

    fn wait(&self, _: &mut [Source], _: Option<u64>) -> std::result::Result<(), Errno> {
        Err(Errno::Notsup)
    }
}

const TEXT: &str = "a message of the day\n";

fn image() -> RomDir {
    let mut builder = Builder::new("test");
    builder.file("share/text", TEXT).unwrap();
    builder.symlink("etc/motd", "../share/text").unwrap();
    RomDir::from_owner(builder.build().unwrap()).unwrap()
}

fn call(memory: &MemoryDir, perms: (DirPerms, FilePerms), function: &str) -> Result<i32> {
    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str(GUEST).unwrap())?;
    let mut linker = Linker::<WasiCtx>::new(&engine);
    teff_wasi::add_to_linker(&mut linker, |ctx| ctx)?;
    let ctx = WasiCtxBuilder::new()
        .platform(Still)
        .preopened_tree(image(), "/rom", perms.0, perms.1)
        .preopened_tree(memory.clone(), "/tmp", DirPerms::all(), FilePerms::all())
        .build();
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module)?;
    let function = instance.get_typed_func::<(), i32>(&mut store, function)?;
    function.call(&mut store, ())
}

const READ: (DirPerms, FilePerms) = (DirPerms::READ, FilePerms::READ);
const ALL: (DirPerms, FilePerms) = (DirPerms::all(), FilePerms::all());

#[test]
fn a_guest_copies_from_flash_to_memory() -> Result<()> {
    let memory = MemoryDir::builder().limit(1024).clock(|| 9).build();
    assert_eq!(call(&memory, READ, "copy")?, 0);
    assert_eq!(memory.read("copy").unwrap(), TEXT.as_bytes());
    assert_eq!(memory.read("copy.new"), Err(Errno::Noent));
    // Again, over what is there.
    memory.add_file("copy", "old").unwrap();
    assert_eq!(call(&memory, READ, "copy")?, 0);
    assert_eq!(memory.read("copy").unwrap(), TEXT.as_bytes());
    Ok(())
}

#[test]
fn a_full_tree_is_told() -> Result<()> {
    let memory = MemoryDir::builder().limit(128 + 8 + 10).build();
    assert_eq!(call(&memory, READ, "copy")?, Errno::Nospc as i32);
    assert_eq!(memory.read("copy.new").unwrap(), &TEXT.as_bytes()[..10]);
    Ok(())
}

#[test]
fn the_image_stays_as_it_is_whatever_was_granted() -> Result<()> {
    let memory = MemoryDir::new();
    assert_eq!(call(&memory, READ, "overwrite")?, Errno::Perm as i32);
    assert_eq!(call(&memory, ALL, "overwrite")?, Errno::Rofs as i32);
    assert_eq!(call(&memory, ALL, "move")?, Errno::Xdev as i32);
    assert_eq!(memory.used(), Ok(0));
    Ok(())
}
