//! The tests of Go's standard library, built by Go for wasip1 and run by the command `teff`: the hardest test of WASI
//! that there is, written by people who never heard of teff.
//!
//! ```text
//! toolchain    Go itself        a GOROOT that is whole; a test program for each package
//! runner       one package      the command line that Go's own wrapper uses; a time limit
//! output       what it printed  one result for each test and subtest
//! report       all packages     one or two runtimes side by side
//! ```

mod output;
mod report;
mod runner;
mod toolchain;

pub use output::{Outcome, Output};
pub use report::{Failures, Report, RuntimeRuns, failures, write};
pub use runner::{PackageRun, Problem, Runtime, run};
pub use toolchain::{Built, Toolchain};

/// The packages that are run if none is named: files, time, synchronisation, and computing of all sorts.
pub const PACKAGES: &[&str] = &[
    "os",
    "io",
    "io/fs",
    "bufio",
    "bytes",
    "path/filepath",
    "time",
    "strings",
    "sort",
    "encoding/json",
    "compress/gzip",
    "crypto/sha256",
    "math",
    "math/big",
    "regexp",
    "sync",
    "context",
    "text/template",
    "runtime",
];
