#!/usr/bin/env bash
# Writes functions.txt: the Rust functions that run when `teff` starts small programs, by symbol. `bash
# cli/order/record.sh`, on Linux on x86-64, with valgrind; it builds the release first.
#
# A star stands for what may be different in another build: the hash of a crate (after Cs), the number of an `impl` in
# its module (after Ms and Xs), how far back in a symbol something is named (after B), since hashes differ in length, and
# the number behind a copy's name.
set -euo pipefail
cd "$(dirname "$0")/../.."
# One that prints a line, and two that do some more; then the first one validated lazily. What only the later ones need
# comes last, so that it does not lie between what every program needs.
programs=(benches/programs/wasm/hello.wasm examples/hello.wasm examples/hello-rust.wasm)
cargo build --quiet --release -p teff-cli
teff=${CARGO_TARGET_DIR:-target}/release/teff
profile=$(mktemp)
trap 'rm "$profile"' EXIT
list=$(for arguments in "${programs[@]}" "--compilation-mode lazy ${programs[0]}"; do
    # shellcheck disable=SC2086 # an option, its value and a program
    valgrind --quiet --tool=callgrind --demangle=no --callgrind-out-file="$profile" "$teff" run $arguments >/dev/null
    # Callgrind gives each name a number, and tells the name once: where it runs, or where it is called.
    sed -nE "s/^c?fn=\([0-9]+\) (_R[0-9A-Za-z_]+([.][0-9]+)?)('[0-9]+)?$/\1/p" "$profile" |
        sed -E 's/Cs[0-9A-Za-z]{0,13}_/Cs*_/g; s/([MX]s|B)[0-9A-Za-z]{0,2}_/\1*_/g; s/[.][0-9]+$/*/' | LC_ALL=C sort
done | awk '!seen[$0]++')
{
    echo "# The Rust functions that \`teff run\` runs for a few small programs, by symbol. Written by record.sh."
    echo "$list"
} >cli/order/functions.txt
wc -l <cli/order/functions.txt
