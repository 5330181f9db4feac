#!/usr/bin/env bash
# Builds the runtime, WASI and the static C library without std, with both backends, for microcontrollers: Cortex-M4F and RISC-V.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
for target in thumbv7em-none-eabihf riscv32imac-unknown-none-elf; do
    bash .ci/debian-cargo.sh build --quiet --release -p teff-runtime -p teff-wasi --no-default-features --features compile,threaded,loop \
        --target "$target" -Zbuild-std=core,alloc
    bash .ci/debian-cargo.sh build --quiet --release -p teff-c-api --no-default-features --features threaded,loop \
        --target "$target" -Zbuild-std=core,alloc
    echo "$target: built"
done
# Images alone: also for machines without compare-and-swap, which the validator needs. WASI needs it too: its trees in memory
# are shared.
for target in thumbv6m-none-eabi riscv32imc-unknown-none-elf; do
    bash .ci/debian-cargo.sh build --quiet --release -p teff-runtime --no-default-features --features loop \
        --target "$target" -Zbuild-std=core,alloc
    echo "$target: built, for images alone"
done
