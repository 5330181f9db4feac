//! Every program prints what it should on teff: the tiny amount of work on both backends, so that a slow build passes
//! too, and the measured amount in an optimised one. Through the command, as the comparison runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

fn benches(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_teff-benches"))
        .args(args)
        .output()
        .expect("teff-benches starts")
}

/// The programs that have an expected output.
fn programs() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory().join("expected"))
        .expect("there are expected outputs")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .filter_map(|name| name.strip_suffix(".tiny.txt").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn check(engine: &str, name: &str, tiny: bool) {
    let file = format!("{name}{}.txt", if tiny { ".tiny" } else { "" });
    let expected = fs::read(directory().join("expected").join(file)).expect("the expected output");
    let mut args = vec!["run", "--engine", engine, "--bench", name];
    args.extend(tiny.then_some("--tiny"));
    let output = benches(&args);
    assert!(
        output.status.success() && output.stdout == expected,
        "{name} on {engine}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_list_names_every_program_with_an_expected_output() {
    let output = benches(&["list"]);
    let text = String::from_utf8(output.stdout).expect("text");
    let listed: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "Programs:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, programs());
    assert!(listed.len() >= 16, "only {} programs", listed.len());
}

#[test]
fn little_work_on_the_default_backend() {
    for name in programs() {
        check("teff", &name, true);
    }
}

#[test]
fn little_work_on_the_loop() {
    for name in programs() {
        check("teff-loop", &name, true);
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes without optimisation")]
fn all_the_work_on_the_default_backend() {
    for name in programs() {
        check("teff", &name, false);
    }
}

#[test]
fn a_comparison_measures_and_writes_its_files() {
    let directory = std::env::temp_dir().join(format!("teff-benches-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let (json, markdown, svg) = (file("r.json"), file("r.md"), file("r.svg"));
    let output = benches(&[
        "compare",
        "--tiny",
        "--engine",
        "teff",
        "--engine",
        "teff-loop",
        "--bench",
        "fib",
        "--bench",
        "json",
        "--rounds",
        "1",
        "--json",
        &json,
        "--markdown",
        &markdown,
        "--svg",
        &svg,
    ]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(&json).expect("the JSON")).expect("well-formed JSON");
    assert_eq!(report["engines"][1]["name"], "teff-loop");
    assert_eq!(report["engines"][1]["counted"], 2);
    assert_eq!(report["programs"][1]["program"], "json");
    assert!(report["programs"][1]["cells"][0]["measured"]["cpu"].is_number());
    assert_eq!(fs::read_to_string(&markdown).expect("the table"), text);
    assert!(text.contains("| json | C |"), "{text}");
    let plot = fs::read_to_string(&svg).expect("the plot");
    assert!(
        plot.starts_with("<svg") && plot.ends_with("</svg>\n"),
        "{plot}"
    );
    fs::remove_dir_all(&directory).expect("the directory can be removed");
}

#[test]
fn an_engine_that_is_not_in_the_build_is_named() {
    if cfg!(feature = "peers") {
        return;
    }
    let output = benches(&["run", "--engine", "wasmi", "--bench", "fib"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("--features peers"),
        "{text}"
    );
}
