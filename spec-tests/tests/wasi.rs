//! The preview 1 tests of wasi-testsuite, by the command `teff`, with every backend: nothing may fail, and nothing may be
//! left out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use std::{env, fs, io};

use teff_runtime::{Backend, Config};
use teff_spec_tests::program::{Program, profile_dir};
use teff_spec_tests::wasi::{self, Options, Suite};

/// So many tests are in the suite beside the workspace: a run of fewer is no success.
const TESTS_BESIDE: usize = 72;

/// The suite in the directory that `TEFF_WASI_SUITE` names, or else beside the workspace; and how many tests it has at
/// least.
static SUITE: LazyLock<Option<(Suite, usize)>> = LazyLock::new(|| {
    let beside = workspace().join("../shared/suites/wasi-testsuite");
    let (directory, at_least) = match env::var_os("TEFF_WASI_SUITE") {
        Some(named) => (PathBuf::from(named), 1),
        None if beside.is_dir() => (beside, TESTS_BESIDE),
        None => return None,
    };
    let suite = Suite::directory(&directory).unwrap_or_else(|e| panic!("TEFF_WASI_SUITE: {e}"));
    Some((suite, at_least))
});

/// The command that `TEFF_WASI_TEFF` names; or else that of this build, made now if it is not there or older than its
/// sources.
static TEFF: LazyLock<Program> = LazyLock::new(|| {
    if let Ok(named) = env::var("TEFF_WASI_TEFF") {
        return Program::named(&named);
    }
    let profile = profile_dir().unwrap();
    let teff = profile.join(format!("teff{}", env::consts::EXE_SUFFIX));
    let built = fs::metadata(&teff).and_then(|teff| teff.modified());
    let changed =
        ["runtime", "wasi", "cli"].map(|name| newest(&workspace().join(name).join("src")).unwrap());
    if !built.is_ok_and(|built| changed.iter().all(|changed| *changed <= built)) {
        build(&profile);
    }
    Program::teff_beside().unwrap()
});

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// When the newest file below a directory was changed.
fn newest(dir: &Path) -> io::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let time = match entry.file_type()?.is_dir() {
            true => self::newest(&entry.path())?,
            false => entry.metadata()?.modified()?,
        };
        newest = newest.max(time);
    }
    Ok(newest)
}

/// Builds `teff` as this test was built. Cargo cannot be told that a test needs the program of another package.
fn build(profile: &Path) {
    let name = profile.file_name().unwrap();
    let above = profile.parent().unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--quiet",
            "-p",
            "teff-cli",
            "--bin",
            "teff",
            "--profile",
        ])
        .arg(if name == "debug" {
            "dev".into()
        } else {
            OsString::from(name)
        });
    // Cargo marks the target directory so. For another target there is a directory of its name in between.
    if above.join("CACHEDIR.TAG").exists() {
        command.arg("--target-dir").arg(above);
    } else {
        command.arg("--target").arg(above.file_name().unwrap());
        command.arg("--target-dir").arg(above.parent().unwrap());
    }
    let status = command.current_dir(workspace()).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{command:?} failed"
    );
}

fn check(backend: Backend) {
    let Some((suite, at_least)) = &*SUITE else {
        println!(
            "not run: there is no suite in ../shared/suites/wasi-testsuite beside the workspace, and TEFF_WASI_SUITE \
             names none"
        );
        return;
    };
    if !Config::BACKENDS.contains(&backend) {
        println!("not run: this build has no {backend:?} backend");
        return;
    }
    let options = Options {
        program: TEFF.clone(),
        backend: Some(format!("{backend:?}").to_lowercase()),
        time_limit: Duration::from_secs(300),
    };
    let run = wasi::run(suite, &options, |_| ());
    let mut text = String::new();
    wasi::write(&mut text, &run, &suite.not_run).unwrap();
    println!("{backend:?}\n\n{text}");
    assert_eq!((run.totals.failed, run.totals.skipped), (0, 0), "{text}");
    assert!(run.totals.passed >= *at_least, "too few tests\n{text}");
}

#[test]
fn threaded() {
    check(Backend::Threaded);
}

#[test]
fn looped() {
    check(Backend::Loop);
}
