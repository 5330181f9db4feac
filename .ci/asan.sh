#!/usr/bin/env bash
# The unit and spec tests under AddressSanitizer and its leak checker. It needs an unstable compiler flag: rustup's
# nightly if there is one, else the flag is opened on stable. Our crates and their dependencies are instrumented, std is
# not.
set -euo pipefail
cd "$(dirname "$0")/.."
toolchain=()
if rustup toolchain list 2>/dev/null | grep '^nightly' >/dev/null; then
    toolchain=(+nightly)
else
    export RUSTC_BOOTSTRAP=1
fi
export RUSTFLAGS=-Zsanitizer=address LSAN_OPTIONS=suppressions=$PWD/.ci/lsan.supp:print_suppressions=0
# Without optimisation the suite's own parser takes most of the time.
export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=line-tables-only
# The WASI tests run the command, which leaves it to the system to free what a guest used.
cargo "${toolchain[@]}" build --quiet --target x86_64-unknown-linux-gnu -p teff-cli
teff=$(realpath "${CARGO_TARGET_DIR:-target}/x86_64-unknown-linux-gnu/debug/teff")
export TEFF_WASI_TEFF="env ASAN_OPTIONS=detect_leaks=0 $teff"
# The test that is left out nests 64 instantiations on 256 KB of native stack; instrumented frames are too big for that.
cargo "${toolchain[@]}" test --target x86_64-unknown-linux-gnu -p teff-runtime -p teff-wasi -p teff-spec-tests \
    --lib --bins --tests "$@" -- --skip reentry_through_a_start_function_traps
