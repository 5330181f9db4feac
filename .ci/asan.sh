#!/usr/bin/env bash
# The unit and spec tests under AddressSanitizer. It needs an unstable compiler flag: rustup's nightly if there is one,
# else the flag is opened on stable. Only our crates and their dependencies are instrumented, std is not.
set -euo pipefail
cd "$(dirname "$0")/.."
toolchain=()
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    toolchain=(+nightly)
else
    export RUSTC_BOOTSTRAP=1
fi
# Without optimisation the suite's own parser takes most of the time.
export CARGO_PROFILE_DEV_OPT_LEVEL=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=detect_stack_use_after_return=0
cargo "${toolchain[@]}" test --target x86_64-unknown-linux-gnu -p teff-runtime -p teff-wasi -p teff-spec-tests --lib --bins --tests
