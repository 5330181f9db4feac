#!/usr/bin/env bash
# Runs the core suite, and the example guests, on other processors under qemu-user: release, both backends, both
# code forms. `bash .ci/cross.sh armv7` does one. The programs are static, so the emulator needs no libraries.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc
export CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_LINKER=riscv64-linux-gnu-gcc

check() {
    local target=$1 qemu=$2 start=$SECONDS built suite backend
    # Many units at once build faster than one, and nothing is timed here.
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_LTO=off \
        RUSTFLAGS="-Ctarget-feature=+crt-static" bash .ci/debian-cargo.sh build --quiet --release --target "$target" -Zbuild-std \
        -p teff-spec-tests -p teff-cli --bins
    built=$SECONDS
    local programs
    programs=$(realpath "${CARGO_TARGET_DIR:-target}/$target/release")
    bash .ci/check-handlers.sh "$processor" "$programs/teff"
    # By name, not `--backend all`: a build without the threaded backend must fail here. The loop has one form.
    "$qemu" "$programs/teff-spec-tests" run --backend threaded --form all
    "$qemu" "$programs/teff-spec-tests" run --backend loop --form compact
    "$qemu" "$programs/teff-spec-tests" run --backend threaded --form compact --metered
    if [ -d ../shared/suites/wasi-testsuite ]; then
        "$qemu" "$programs/teff-spec-tests" wasi --suite ../shared/suites/wasi-testsuite --teff "$qemu $programs/teff"
    fi
    # What a deterministic engine computes is the same everywhere.
    for backend in threaded loop; do
        "$qemu" "$programs/teff" run --deterministic --backend $backend --invoke hash \
            runtime/tests/deterministic/program.wat | diff - runtime/tests/deterministic/hash.txt
    done
    suite=$SECONDS
    # The test runs on this machine; what it starts and compares is the emulated teff.
    TEFF_GUESTS_TEFF="$qemu $programs/teff" cargo test --quiet --release -p teff-cli --test guests
    echo "$target: build $((built - start)) s, suite $((suite - built)) s, guests $((SECONDS - suite)) s"
}

[ $# -gt 0 ] || set -- aarch64 armv7 riscv64
for processor in "$@"; do
    case $processor in
        aarch64) check aarch64-unknown-linux-gnu qemu-aarch64-static ;;
        armv7) check armv7-unknown-linux-gnueabihf qemu-arm-static ;;
        riscv64) check riscv64gc-unknown-linux-gnu qemu-riscv64-static ;;
        *) echo "cross.sh: aarch64, armv7 or riscv64, not $processor" >&2; exit 2 ;;
    esac
done
