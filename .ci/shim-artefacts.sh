#!/usr/bin/env bash
# Builds the static, stripped programs of a node for x86-64, aarch64, armv7 and riscv64, and checks them:
#
#     bash .ci/shim-artefacts.sh [--all | --only PROCESSOR] [DIRECTORY]
#
# They go to DIRECTORY/<processor>/, by default target/shim-artefacts/<processor>/: `containerd-shim-teff-v1`, and
# `teff-shim` for x86-64, with `--all` for all four; with `--only` both for that one. Fails if one is not static or does not run (on other processors:
# under qemu-user), or if the shim for x86-64 is larger than 2,500,000 bytes.
#
# std is built with the programs (-Zbuild-std): without its backtraces, without tables for unwinding, which nothing here
# does, and optimised for size. RUSTC_BOOTSTRAP only opens that flag: our crates use no nightly feature. What it needs
# is installed when missing: std's source and musl's libc.a by rustup, the other linkers by install-tools.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=2500000
everything=
only=
output=
while [ $# -gt 0 ]; do
    case $1 in
        --all) everything=yes ;;
        --only) only=${2:-nothing}; shift ;;
        -*) echo "shim-artefacts.sh: [--all | --only PROCESSOR] [DIRECTORY], not $1" >&2; exit 2 ;;
        *) output=$1 ;;
    esac
    shift
done
target_dir=${CARGO_TARGET_DIR:-target}
output=${output:-$target_dir/shim-artefacts}

# With musl where rustup has it for the target and its linker is enough; else with glibc, by Debian's cross compilers.
processors=(x86_64 aarch64 armv7 riscv64)
declare -A targets=(
    [x86_64]=x86_64-unknown-linux-musl [aarch64]=aarch64-unknown-linux-musl
    [armv7]=armv7-unknown-linux-gnueabihf [riscv64]=riscv64gc-unknown-linux-gnu
)
if [ -n "$only" ]; then
    [ -n "${targets[$only]:-}" ] || { echo "shim-artefacts.sh: --only ${processors[*]}, not $only" >&2; exit 2; }
    everything=yes
    processors=("$only")
fi
declare -A runners=(
    [x86_64]= [aarch64]=qemu-aarch64-static [armv7]=qemu-arm-static [riscv64]=qemu-riscv64-static
)
[ "$(uname -m)" = x86_64 ] || runners[x86_64]=qemu-x86_64-static

if ! rustup --quiet component add rust-src || ! rustup --quiet target add "${targets[x86_64]}" "${targets[aarch64]}"; then
    echo "shim-artefacts.sh: rustup must install rust-src, ${targets[x86_64]} and ${targets[aarch64]}: see above" >&2
    exit 1
fi
bash .ci/install-tools.sh
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/rust-lld

# RUSTFLAGS would be taken instead of the flags of a target.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
flags="-Csymbol-mangling-version=v0 -Ctarget-feature=+crt-static -Cforce-unwind-tables=no"
# Relocations as a bitmap take a fiftieth of the space. The linkers for glibc have that for x86 alone.
musl="$flags -Clinker-flavor=ld.lld -Clink-arg=-zpack-relative-relocs"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=$linker
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS=$musl
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=$linker
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUSTFLAGS=$musl
export CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc
export CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_RUSTFLAGS=$flags
export CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_LINKER=riscv64-linux-gnu-gcc
export CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_RUSTFLAGS=$flags

# `build PACKAGE TARGET...`: all targets by one cargo, so that while one is linked the next is compiled.
build() {
    local package=$1 target arguments=()
    shift
    for target in "$@"; do
        arguments+=(--target "$target")
    done
    RUSTC_BOOTSTRAP=1 cargo build --quiet --profile shim -p "$package" "${arguments[@]}" \
        -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
}

failures=0
complain() {
    echo "shim-artefacts.sh: $*" >&2
    failures=$((failures + 1))
}

# `collect PROCESSOR PROGRAM`: copies a program, checks that it needs no other file, and prints its line of the table.
collect() {
    local processor=$1 program=$2 file size headers
    mkdir -p "$output/$processor"
    file=$output/$processor/$program
    cp "$target_dir/${targets[$processor]}/shim/$program" "$file"
    size=$(stat -c %s "$file")
    printf '%-24s %-32s %9d bytes\n' "$program" "${targets[$processor]}" "$size"
    headers=$(readelf --wide --program-headers --dynamic "$file")
    if grep -qE '^ *INTERP|\(NEEDED\)' <<<"$headers"; then
        complain "$file is not static"
    fi
}

# `runs PROCESSOR PATTERN PROGRAM ARGUMENT`: does what it prints have the pattern?
runs() {
    local processor=$1 pattern=$2 program=$3 argument=$4 printed
    # shellcheck disable=SC2086 # No emulator is no word.
    if ! printed=$(${runners[$processor]} "$output/$processor/$program" "$argument" </dev/null | tr -d '\0'); then
        complain "$output/$processor/$program $argument failed"
    elif ! grep -qaF "$pattern" <<<"$printed"; then
        complain "$output/$processor/$program $argument printed no \"$pattern\": $printed"
    fi
}

# The targets of `processors`.
chosen() {
    local processor
    for processor in "${processors[@]}"; do
        echo "${targets[$processor]}"
    done
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
mapfile -t all < <(chosen)
build teff-containerd-shim "${all[@]}"
for processor in "${processors[@]}"; do
    collect "$processor" containerd-shim-teff-v1
    runs "$processor" "$version" containerd-shim-teff-v1 -v
    runs "$processor" io.containerd.teff.v1 containerd-shim-teff-v1 -info
done

[ -n "$everything" ] || processors=(x86_64)
mapfile -t all < <(chosen)
build teff-shim "${all[@]}"
for processor in "${processors[@]}"; do
    collect "$processor" teff-shim
    runs "$processor" "$version" teff-shim --version
done

if [ "${only:-x86_64}" = x86_64 ]; then
    size=$(stat -c %s "$output/x86_64/containerd-shim-teff-v1")
    [ "$size" -le $limit ] || complain "the shim for x86-64 has $size bytes, more than $limit"
fi
[ $failures -eq 0 ]
