//! The official suite in every configuration: nothing may fail.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use teff_runtime::{Backend, CodeForm, CompilationMode, Config};
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
    if !Config::BACKENDS.contains(&options.backend) {
        println!("not run: this build has no {:?} backend", options.backend);
        return;
    }
    let run = pool::run(scripts, options, |_| ()).unwrap();
    let mut text = String::new();
    table::write(&mut text, &run).unwrap();
    println!("{options:?}\n\n{text}");
    assert_eq!(run.totals.failed, 0, "{options:?}\n{text}");
    assert!(
        run.totals.passed >= at_least,
        "only {} passed\n{text}",
        run.totals.passed
    );
}

fn check_embedded(options: &Options) {
    check(&EMBEDDED, options, AT_LEAST);
}

fn check_directory(options: &Options) {
    match &*DIRECTORY {
        Some((scripts, at_least)) => check(scripts, options, *at_least),
        None => println!(
            "not run: there is no suite in ../shared/suites/spec-testsuite beside the workspace, and \
             TEFF_SPEC_SUITE names none"
        ),
    }
}

/// Threaded code in both forms, and the loop, which runs compact code alone.
const THREADED: Options = Options::new(Backend::Threaded, CodeForm::Direct);
const COMPACT: Options = Options::new(Backend::Threaded, CodeForm::Compact);
const LOOP: Options = Options::new(Backend::Loop, CodeForm::Compact);

/// The twin that the others are compared with: nothing is fused, no local is pinned.
const PLAIN: Options = Options {
    fusion: false,
    ..LOOP
};

#[test]
fn embedded_threaded_direct() {
    check_embedded(&THREADED);
}

#[test]
fn embedded_threaded_compact() {
    check_embedded(&COMPACT);
}

#[test]
fn embedded_loop() {
    check_embedded(&LOOP);
}

#[test]
fn embedded_loop_without_fusion() {
    check_embedded(&PLAIN);
}

#[test]
fn embedded_translated_eagerly() {
    let mode = CompilationMode::Eager;
    check_embedded(&Options { mode, ..default() });
}

#[test]
fn embedded_validated_lazily() {
    let mode = CompilationMode::Lazy;
    check_embedded(&Options { mode, ..default() });
}

/// The best backend of the build.
fn default() -> Options {
    Options::new(Config::BACKENDS[0], CodeForm::Direct)
}

#[test]
fn embedded_metered_threaded() {
    check_embedded(&Options {
        metered: true,
        ..THREADED
    });
}

#[test]
fn embedded_metered_compact() {
    check_embedded(&Options {
        metered: true,
        ..COMPACT
    });
}

#[test]
fn embedded_metered_loop() {
    check_embedded(&Options {
        metered: true,
        ..LOOP
    });
}

#[test]
fn embedded_images_threaded() {
    check_embedded(&Options {
        images: true,
        ..COMPACT
    });
}

#[test]
fn embedded_images_loop() {
    check_embedded(&Options {
        images: true,
        ..LOOP
    });
}

#[test]
fn embedded_images_metered() {
    check_embedded(&Options {
        images: true,
        metered: true,
        ..COMPACT
    });
}

#[test]
fn directory_threaded_direct() {
    check_directory(&THREADED);
}

#[test]
fn directory_threaded_compact() {
    check_directory(&COMPACT);
}

#[test]
fn directory_loop() {
    check_directory(&LOOP);
}

#[test]
fn directory_loop_without_fusion() {
    check_directory(&PLAIN);
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
