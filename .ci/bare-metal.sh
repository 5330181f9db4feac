#!/usr/bin/env bash
# Builds the runtime, WASI and the static C library without std, with both backends, for microcontrollers: Cortex-M4F and RISC-V.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
for target in thumbv7em-none-eabihf riscv32imac-unknown-none-elf; do
    bash .ci/debian-cargo.sh build --quiet --release -p teff-runtime -p teff-wasi --no-default-features --features threaded,loop \
        --target "$target" -Zbuild-std=core,alloc
    bash .ci/debian-cargo.sh build --quiet --release -p teff-c-api --no-default-features --features threaded,loop \
        --target "$target" -Zbuild-std=core,alloc
    echo "$target: built"
done
