//! The official suite in every configuration: nothing may fail.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use teff_runtime::{Backend, CodeForm, Config};
use teff_spec_tests::pool::{self, Loaded, Options};
use teff_spec_tests::suite::Suite;
use teff_spec_tests::table;

/// So many directives of the built-in suite pass at least: a run of nothing is no success.
const AT_LEAST: usize = 28_900;

/// The same for the complete suite beside the workspace.
const AT_LEAST_BESIDE: usize = 35_500;

/// The built-in suite, parsed once for all tests.
static EMBEDDED: LazyLock<Vec<Loaded>> = LazyLock::new(|| pool::load(&Suite::embedded()));

/// The suite in the directory that `TEFF_SPEC_SUITE` names, or else beside the workspace; and how many
/// directives pass at least.
static DIRECTORY: LazyLock<Option<(Vec<Loaded>, usize)>> = LazyLock::new(|| {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/suites/spec-testsuite");
    let (directory, at_least) = match std::env::var_os("TEFF_SPEC_SUITE") {
        Some(named) => (PathBuf::from(named), 1),
        None if beside.is_dir() => (beside, AT_LEAST_BESIDE),
        None => return None,
    };
    let suite = Suite::directory(&directory).unwrap_or_else(|e| panic!("TEFF_SPEC_SUITE: {e}"));
    Some((pool::load(&suite), at_least))
});

fn check(scripts: &[Loaded], options: &Options, at_least: usize) {
    let (backend, form) = (options.backend, options.form);
    if !Config::BACKENDS.contains(&backend) {
        println!("not run: this build has no {backend:?} backend");
        return;
    }
    let run = pool::run(scripts, options, |_| ()).unwrap();
    let mut text = String::new();
    table::write(&mut text, &run).unwrap();
    let metered = if options.metered { ", metered" } else { "" };
    println!("{backend:?} backend, {form:?} form{metered}\n\n{text}");
    assert_eq!(
        run.totals.failed, 0,
        "{backend:?} {form:?}{metered}\n{text}"
    );
    assert!(
        run.totals.passed >= at_least,
        "only {} passed\n{text}",
        run.totals.passed
    );
}

fn check_embedded(backend: Backend, form: CodeForm) {
    check(&EMBEDDED, &Options::new(backend, form), AT_LEAST);
}

fn check_metered(backend: Backend, form: CodeForm) {
    let options = Options {
        metered: true,
        ..Options::new(backend, form)
    };
    check(&EMBEDDED, &options, AT_LEAST);
}

fn check_directory(backend: Backend, form: CodeForm) {
    match &*DIRECTORY {
        Some((scripts, at_least)) => check(scripts, &Options::new(backend, form), *at_least),
        None => println!(
            "not run: there is no suite in ../shared/suites/spec-testsuite beside the workspace, and \
             TEFF_SPEC_SUITE names none"
        ),
    }
}

#[test]
fn embedded_threaded_direct() {
    check_embedded(Backend::Threaded, CodeForm::Direct);
}

#[test]
fn embedded_threaded_compact() {
    check_embedded(Backend::Threaded, CodeForm::Compact);
}

#[test]
fn embedded_loop_direct() {
    check_embedded(Backend::Loop, CodeForm::Direct);
}

#[test]
fn embedded_loop_compact() {
    check_embedded(Backend::Loop, CodeForm::Compact);
}

#[test]
fn embedded_metered_threaded_direct() {
    check_metered(Backend::Threaded, CodeForm::Direct);
}

#[test]
fn embedded_metered_threaded_compact() {
    check_metered(Backend::Threaded, CodeForm::Compact);
}

#[test]
fn embedded_metered_loop() {
    check_metered(Backend::Loop, CodeForm::Compact);
}

#[test]
fn directory_threaded_direct() {
    check_directory(Backend::Threaded, CodeForm::Direct);
}

#[test]
fn directory_threaded_compact() {
    check_directory(Backend::Threaded, CodeForm::Compact);
}

#[test]
fn directory_loop_direct() {
    check_directory(Backend::Loop, CodeForm::Direct);
}

#[test]
fn directory_loop_compact() {
    check_directory(Backend::Loop, CodeForm::Compact);
}

/// Another backend must be covered too: a new one needs tests above.
#[test]
fn all_backends_are_covered() {
    let covered = [Backend::Threaded, Backend::Loop];
    assert!(
        Config::BACKENDS
            .iter()
            .all(|backend| covered.contains(backend))
    );
}
