//! The headers and the examples, with a C compiler: `cc`, or those that `TEFF_C_API_CC` names. Without one these tests
//! say so and pass.
//!
//! `TEFF_C_API_RUNNER` is a command that runs each program, such as valgrind. `TEFF_C_API_OFFICIAL` is a checkout of
//! the community group's `wasm-c-api`, whose examples are then compiled and run too; none of its files are ours.
//! `TEFF_C_API_LIBRARIES` is the directory of libraries that are built already.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

const EXAMPLES: [&str; 7] = [
    "hello",
    "callbacks",
    "traps",
    "memory",
    "tables",
    "threads",
    "steps",
];

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A directory for what a test makes.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The C compilers to test with.
fn compilers() -> Vec<String> {
    let named = env::var("TEFF_C_API_CC").ok();
    let list = named.as_deref().unwrap_or("cc").split_whitespace();
    let there = |cc: &&str| Command::new(cc).arg("--version").output().is_ok();
    let found: Vec<_> = list.filter(there).map(String::from).collect();
    if named.is_some() {
        assert!(
            !found.is_empty(),
            "TEFF_C_API_CC names no compiler that is there"
        );
    } else if found.is_empty() {
        println!("skipped: there is no C compiler `cc`");
    }
    found
}

/// Where `libteff.a` and `libteff.so` are, of the profile of this test.
fn libraries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Ok(built) = env::var("TEFF_C_API_LIBRARIES") {
            return fs::canonicalize(built).unwrap();
        }
        let release = !cfg!(debug_assertions);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "teff-c-api"]);
        cargo.args(release.then_some("--release"));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        run(cargo
            .current_dir(crate_dir())
            .env("CARGO_TARGET_DIR", target));
        target.join(if release { "release" } else { "debug" })
    })
}

#[derive(Copy, Clone, Debug)]
enum Link {
    Static,
    Shared,
}

/// Compiles a C file to a program that is linked with the library.
fn compile(cc: &str, source: &Path, link: Link, dir: &Path) -> PathBuf {
    let name = source.file_stem().unwrap().to_str().unwrap();
    let program = dir.join(format!("{name}-{cc}-{link:?}"));
    let libraries = libraries();
    let mut command = Command::new(cc);
    command.args([
        "-std=gnu11",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-parameter",
    ]);
    command.arg("-I").arg(crate_dir().join("include"));
    command.arg(source).arg("-o").arg(&program);
    match link {
        Link::Static => command.arg(libraries.join("libteff.a")),
        Link::Shared => command
            .arg("-L")
            .arg(libraries)
            .arg("-lteff")
            .arg(format!("-Wl,-rpath,{}", libraries.display())),
    };
    run(command.args(["-lpthread", "-ldl", "-lm"]));
    program
}

/// Runs a program in a directory and gives what it prints.
fn output(program: &Path, dir: &Path) -> String {
    let runner = env::var("TEFF_C_API_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().map(std::ffi::OsStr::new);
    let mut command = match words.next() {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    String::from_utf8(run(command.current_dir(dir)).stdout).unwrap()
}

#[test]
fn modules_in_examples_are_what_their_comments_say() {
    for name in EXAMPLES {
        let path = crate_dir().join(format!("examples/{name}.c"));
        let source = fs::read_to_string(&path).unwrap();
        let between = |start: &str, end: &str| {
            let rest = source.split_once(start).expect(start).1;
            rest.split_once(end).expect(end).0
        };
        let text = format!("(module{}", between("/*\n(module", "*/"));
        let module = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let array = between("char bytes[] = {", "};");
        let array: Vec<u8> = array
            .split(',')
            .map(str::trim)
            .filter(|number| !number.is_empty())
            .map(|number| match number.strip_prefix("0x") {
                Some(hex) => u8::from_str_radix(hex, 16).unwrap(),
                None => number.parse().unwrap(),
            })
            .collect();
        assert!(
            array == module,
            "{name}.c: the bytes are not those of the text in the comment"
        );
    }
}

#[test]
fn examples_print_what_they_should() {
    let dir = scratch("c-examples");
    for cc in compilers() {
        for name in EXAMPLES {
            let source = crate_dir().join(format!("examples/{name}.c"));
            let expected = crate_dir().join(format!("examples/expected/{name}.txt"));
            let expected = fs::read_to_string(expected).unwrap();
            for link in [Link::Static, Link::Shared] {
                let program = compile(&cc, &source, link, &dir);
                assert_eq!(output(&program, &dir), expected, "{name}, {cc}, {link:?}");
            }
        }
    }
}

#[test]
fn headers_are_c99_and_later_and_cplusplus() {
    let dir = scratch("c-headers");
    let source = dir.join("headers.c");
    fs::write(
        &source,
        "#include \"wasm.h\"\n#include \"teff.h\"\nint main(void) { return 0; }\n",
    )
    .unwrap();
    for cc in compilers() {
        for language in [
            "c -std=c99",
            "c -std=c11",
            "c -std=c2x",
            "c++ -std=c++11",
            "c++ -std=c++20",
        ] {
            let mut command = Command::new(&cc);
            command.arg("-x").args(language.split(' '));
            command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"]);
            run(command
                .arg("-I")
                .arg(crate_dir().join("include"))
                .arg(&source));
        }
    }
}

/// Every function that a header declares, as the preprocessor shows them.
fn declared(cc: &str, dir: &Path) -> Vec<String> {
    let source = dir.join("declared.c");
    fs::write(&source, "#include \"teff.h\"\n").unwrap();
    let mut command = Command::new(cc);
    command
        .args(["-E", "-P", "-I"])
        .arg(crate_dir().join("include"))
        .arg(source);
    let text = String::from_utf8(run(&mut command).stdout).unwrap();
    // Functions with a body are the header's own.
    let mut names = Vec::new();
    for statement in text.split_inclusive([';', '{', '}']) {
        let Some(head) = statement
            .strip_suffix(';')
            .filter(|head| !head.contains("typedef"))
        else {
            continue;
        };
        let Some((before, _)) = head.split_once('(') else {
            continue;
        };
        let name = before
            .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next();
        let name = name.unwrap_or_default();
        let is_declaration =
            before.trim() != name && !before.contains('=') && !before.contains("return");
        if is_declaration && (name.starts_with("wasm_") || name.starts_with("teff_")) {
            names.push(name.to_string());
        }
    }
    names
}

#[test]
fn every_declared_function_is_there() {
    let dir = scratch("c-symbols");
    for cc in compilers() {
        let names = declared(&cc, &dir);
        assert!(names.len() > 250, "only {} functions found", names.len());
        for expected in [
            "wasm_byte_vec_new",
            "wasm_ref_as_foreign_const",
            "wasm_module_obtain",
            "teff_call_step",
        ] {
            assert!(
                names.iter().any(|name| name == expected),
                "{expected} was not found"
            );
        }
        let list: String = names
            .iter()
            .map(|name| format!("(void (*)(void)){name},\n"))
            .collect();
        let source = dir.join("symbols.c");
        let text = format!(
            "#include \"teff.h\"\nvoid (*const functions[])(void) = {{\n{list}}};\n\
             int main(void) {{ return functions[0] == functions[1]; }}\n"
        );
        fs::write(&source, text).unwrap();
        for link in [Link::Static, Link::Shared] {
            output(&compile(&cc, &source, link, &dir), &dir);
        }
    }
}

#[test]
fn official_examples_run_unchanged() {
    let Ok(checkout) = env::var("TEFF_C_API_OFFICIAL") else {
        println!("skipped: TEFF_C_API_OFFICIAL names no checkout of wasm-c-api");
        return;
    };
    let dir = scratch("c-official");
    let examples = Path::new(&checkout).join("example");
    for cc in compilers() {
        for name in [
            "hello",
            "callback",
            "trap",
            "start",
            "reflect",
            "global",
            "table",
            "memory",
            "hostref",
            "finalize",
            "serialize",
            "threads",
            "multi",
        ] {
            let module = match name {
                // The binary there has the encoding of a draft; the text lacks a type that the standard asks for.
                "hostref" => {
                    let text = fs::read_to_string(examples.join("hostref.wat")).unwrap();
                    wat::parse_str(text.replace("(ref.null)", "(ref.null extern)")).unwrap()
                }
                _ => fs::read(examples.join(format!("{name}.wasm"))).unwrap(),
            };
            fs::write(dir.join(format!("{name}.wasm")), module).unwrap();
            for link in [Link::Static, Link::Shared] {
                let program = compile(&cc, &examples.join(format!("{name}.c")), link, &dir);
                let printed = output(&program, &dir);
                let ends = match name {
                    "threads" => printed.matches("running").count() == 30,
                    _ => printed.ends_with("Done.\n"),
                };
                assert!(ends, "{name}, {cc}, {link:?}:\n{printed}");
                println!("{name}, {cc}, {link:?}: passed");
            }
        }
    }
}
