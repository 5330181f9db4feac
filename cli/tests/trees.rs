//! `teff pack`, and the trees that are none of the host's: `run --flash` and `run --tmpfs`.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use common::{cat, file, run, scratch, teff};

/// A directory with something of all kinds, and the image that is made of it.
fn packed(test: &str) -> (PathBuf, PathBuf) {
    let dir = scratch(test);
    let files = dir.join("files");
    fs::create_dir_all(files.join("sub/empty")).unwrap();
    file(&files, "notes.txt", "what is in the image\n");
    symlink("notes.txt", files.join("text")).unwrap();
    let program = file(&files, "sub/run", "#!");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::hard_link(files.join("notes.txt"), files.join("sub/again")).unwrap();
    let image = dir.join("files.romfs");
    run(teff().arg("pack").arg(&files).arg("-o").arg(&image)).succeeds_with(&format!(
        "{}: 3 files, 2 directories, 1 symbolic link, 480 bytes\n",
        image.display()
    ));
    (dir, image)
}

fn with(option: &str, image: &Path, suffix: &str) -> String {
    format!("{option}={}{suffix}", image.display())
}

/// A guest that does something in its first directory and ends with the errno that came of it.
fn act(call: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open"
                (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_allocate"
                (func $allocate (param i32 i64 i64) (result i32)))
            (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
                (func $name (param i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_filestat_get"
                (func $stat (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 64) "notes.txt")
            (func $create (result i32)
                (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 9) (i32.const 1)
                    (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
            (func (export "_start") (call $exit {call})))"#
    )
}

const NOSPC: i32 = 51;
const ROFS: i32 = 69;

#[test]
fn a_packed_directory_is_read_by_a_guest() {
    let (dir, image) = packed("packed-and-read");
    let guest = file(&dir, "cat.wat", cat(true));
    let flash = with("--flash", &image, "");
    run(teff().args(["run", &flash]).arg(&guest)).succeeds_with("what is in the image\n");
    let guest = file(&dir, "create.wat", act("(call $create)"));
    let refused = run(teff().args(["run", &flash]).arg(&guest));
    assert_eq!(refused.status, Some(ROFS), "{refused:?}");
}

#[test]
fn an_image_has_the_name_that_it_is_given() {
    let (dir, image) = packed("named");
    // Its first byte, after it was asked for with its length.
    for (suffix, length, first) in [("", 1, '/'), ("::data", 4, 'd')] {
        let call = format!(
            "(i32.add (i32.mul (i32.const 1000) (call $name (i32.const 3) (i32.const 0)
                (i32.const {length}))) (i32.load8_u (i32.const 0)))"
        );
        let guest = file(&dir, "name.wat", act(&call));
        let flash = with("--flash", &image, suffix);
        let named = run(teff().args(["run", &flash]).arg(&guest));
        assert_eq!(named.status, Some(first as i32), "{named:?}");
    }
}

#[test]
fn what_cannot_be_mapped_is_read() {
    let (dir, image) = packed("not-mapped");
    let guest = file(&dir, "cat.wat", cat(true));
    // A pipe, which has more in it than the image.
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            r#"cat "$2" "$2" | "$1" run --flash /dev/stdin "$3""#,
            "sh",
        ])
        .args([Path::new(env!("CARGO_BIN_EXE_teff")), &image, &guest])
        .output()
        .unwrap();
    common::Run::from(status).succeeds_with("what is in the image\n");
}

#[test]
fn the_same_files_make_the_same_image() {
    let (dir, image) = packed("the-same");
    let again = dir.join("again.romfs");
    let pack = run(teff()
        .arg("pack")
        .arg(dir.join("files"))
        .arg("-o")
        .arg(&again));
    assert_eq!(pack.status, Some(0), "{pack:?}");
    assert_eq!(fs::read(&image).unwrap(), fs::read(&again).unwrap());
    let bytes = fs::read(&image).unwrap();
    assert_eq!(
        (&bytes[..8], &bytes[16..22]),
        (&b"-rom1fs-"[..], &b"files\0"[..])
    );
    // An image in the directory that is packed is not packed into itself.
    let inside = dir.join("files/inside.romfs");
    fs::write(&inside, "old").unwrap();
    let pack = |volume: &str| {
        let mut command = teff();
        command.current_dir(dir.join("files"));
        run(command.args(["pack", ".", "-o", "inside.romfs", "--volume", volume]))
    };
    pack("files")
        .succeeds_with("inside.romfs: 3 files, 2 directories, 1 symbolic link, 480 bytes\n");
    assert_eq!(fs::read(&image).unwrap(), fs::read(&inside).unwrap());
    pack("other")
        .succeeds_with("inside.romfs: 3 files, 2 directories, 1 symbolic link, 480 bytes\n");
    assert_ne!(fs::read(&image).unwrap(), fs::read(&inside).unwrap());
    let left: Vec<_> = fs::read_dir(dir.join("files")).unwrap().collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let dir = scratch("not-packed");
    let files = dir.join("files");
    fs::create_dir(&files).unwrap();
    let image = dir.join("out.romfs");
    let pack = |what: &Path| run(teff().arg("pack").arg(what).arg("-o").arg(&image));
    pack(&dir.join("no")).is_refused_with(&["cannot read", "not-packed/no", "No such file"]);
    let text = file(&dir, "text", "");
    pack(&text).is_refused_with(&["cannot pack", "text: it is no directory"]);
    let long = "n".repeat(128);
    file(&files, &long, "");
    pack(&files).is_refused_with(&[&long, "more than 127 bytes"]);
    fs::remove_file(files.join(long)).unwrap();
    let socket = UnixListener::bind(files.join("socket")).unwrap();
    pack(&files).is_refused_with(&["files/socket: it is a socket", "symbolic links"]);
    drop(socket);
    assert!(!image.exists());
    fs::remove_file(files.join("socket")).unwrap();
    let nowhere = dir.join("no/out.romfs");
    run(teff().arg("pack").arg(&files).arg("-o").arg(&nowhere)).is_refused_with(&[
        "cannot write",
        "no/out.romfs",
        "No such file",
    ]);
    run(teff().arg("pack").arg(&files)).is_refused_with(&["--output <IMAGE>"]);
}

#[test]
fn what_is_no_image_is_refused() {
    let (dir, image) = packed("no-image");
    let guest = file(&dir, "cat.wat", cat(true));
    let flash = |image: &Path| {
        run(teff()
            .args(["run", &with("--flash", image, "")])
            .arg(&guest))
    };
    let text = file(&dir, "text", "this is no image, but long enough to be one");
    flash(&text).is_refused_with(&[
        "--flash",
        "text: it is no romfs image",
        "teff pack DIR -o IMAGE",
    ]);
    flash(&file(&dir, "empty", "")).is_refused_with(&["empty: it is no romfs image"]);
    flash(&dir.join("no")).is_refused_with(&["no: cannot read it: No such file"]);
    flash(&dir).is_refused_with(&["it is a directory", "teff pack", "--dir"]);
    let good = fs::read(&image).unwrap();
    let cut = file(&dir, "cut", &good[..470]);
    flash(&cut).is_refused_with(&["it says that it has 480 bytes, and has 470"]);
    let mut damaged = good;
    damaged[100] ^= 1;
    let damaged = file(&dir, "damaged", damaged);
    flash(&damaged).is_refused_with(&["damaged", "checksum"]);
    run(teff().args(["run", "--flash", "::x"]).arg(&guest))
        .is_refused_with(&["--flash", "IMAGE or IMAGE::GUEST"]);
}

#[test]
fn memory_has_room_for_what_it_was_given() {
    let dir = scratch("tmpfs");
    let ends = |option: &str, call: &str| {
        let guest = file(&dir, "guest.wat", act(call));
        run(teff().args(["run", "--tmpfs", option]).arg(&guest)).status
    };
    let create = "(call $create)";
    assert_eq!(ends("/tmp", create), Some(0));
    assert_eq!(ends("/tmp=100", create), Some(NOSPC));
    let grow = |bytes: u64| {
        format!(
            "(i32.or {create}
                (call $allocate (i32.load (i32.const 32)) (i64.const 0) (i64.const {bytes})))"
        )
    };
    assert_eq!(ends("/tmp=2K", &grow(1800)), Some(0));
    assert_eq!(ends("/tmp=2K", &grow(2048)), Some(NOSPC));
    // 64M is what it has if nothing is said.
    assert_eq!(ends("/tmp", &grow((64 << 20) - 200)), Some(0));
    assert_eq!(ends("/tmp", &grow(64 << 20)), Some(NOSPC));
    let guest = file(&dir, "guest.wat", act(create));
    for bad in ["", "=1M", "/tmp=", "/tmp=big"] {
        let bad = format!("--tmpfs={bad}");
        run(teff().args(["run", &bad]).arg(&guest)).is_refused_with(&["--tmpfs"]);
    }
}

#[test]
fn a_files_time_tells_the_time_only_to_who_has_clocks() {
    let dir = scratch("tmpfs-times");
    // Has the directory a time of its last change?
    let call = "(i32.or (call $stat (i32.const 3) (i32.const 128))
        (i64.ne (i64.load (i32.const 168)) (i64.const 0)))";
    let guest = file(&dir, "guest.wat", act(call));
    let status = |options: &[&str]| {
        let run = run(teff()
            .arg("run")
            .args(options)
            .args(["--tmpfs", "/"])
            .arg(&guest));
        run.status
    };
    assert_eq!(status(&[]), Some(1));
    assert_eq!(status(&["--no-clocks"]), Some(0));
}
