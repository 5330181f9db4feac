#!/usr/bin/env bash
# Rebuilds the programs of the comparison from their sources into wasm/: `bash benches/programs/build.sh`, or with
# names: `bash benches/programs/build.sh json fib go`. Needs what examples/build.sh needs, and wat2wasm (wabt).
# With the versions named there the results are the committed files, byte for byte.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# -O2 may call any wasm-opt it finds; without it the result does not depend on the machine. Compressed relocations are
# short indices, as every tool leaves them that touches a module again; Wasm3 and Stitch cannot read the long ones.
c() {
    clang-22 --target=wasm32-wasi -Wno-deprecated -O2 -s -Wall -Wextra -ffp-contract=off --no-wasm-opt -Wl,--compress-relocations "$1" -o "$2"
}

# /usr/bin first: Debian's cargo and rustc, whose std source (there is no prebuilt std for wasm) has the same version.
rust() {
    (
        cd rust
        PATH=/usr/bin:$PATH RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$scratch/rust" CARGO_TARGET_WASM32_WASIP1_LINKER=clang-22 \
            RUSTFLAGS="-Clink-self-contained=no -Clink-arg=--target=wasm32-wasi -Clink-arg=-Wno-deprecated -Clink-arg=--no-wasm-opt -Clink-arg=-Wl,--compress-relocations \
            --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/programs --remap-path-prefix=$scratch=/target" \
            cargo build --quiet --release --bin "$1" --target wasm32-wasip1 -Zbuild-std=std,panic_abort
    )
    cp "$scratch/rust/wasm32-wasip1/release/$1.wasm" "wasm/$1.wasm"
}

# -trimpath and -buildvcs=false keep paths and commit ids of the machine out; -s -w leaves out debug data.
go_programs() {
    (cd go && GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o "$scratch/go.wasm" .)
    cp "$scratch/go.wasm" wasm/go.wasm
}

build() {
    if [ -f "c/$1.c" ]; then c "c/$1.c" "wasm/$1.wasm"
    elif [ "$1" = hello ]; then c starts/hello.c wasm/hello.wasm
    elif [ -f "wat/$1.wat" ]; then wat2wasm "wat/$1.wat" -o "wasm/$1.wasm"
    elif [ -f "rust/src/bin/$1.rs" ]; then rust "$1"
    elif [ "$1" = go ]; then go_programs
    else
        echo "build.sh: no program is called $1" >&2
        exit 2
    fi
    chmod 644 "wasm/$1.wasm"
    printf '%9d wasm/%s.wasm\n' "$(wc -c <"wasm/$1.wasm")" "$1"
}

if [ $# -eq 0 ]; then
    for source in wat/*.wat c/*.c rust/src/bin/*.rs; do
        name=$(basename "$source")
        set -- "$@" "${name%.*}"
    done
    set -- "$@" hello go
fi
mkdir -p wasm
for name in "$@"; do build "$name"; done
