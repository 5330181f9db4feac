#!/usr/bin/env bash
# Unpacks the source of Wasm3 0.5.0 (which the crate wasm3-sys does not have) from PyPI's source package of pywasm3, and
# prints its directory: `bash benches/peers/wasm3/newer.sh [DIRECTORY]`. `teff-benches` does this by itself.
set -euo pipefail
directory=${1:-$(mktemp -d)}
mkdir -p "$directory"
cd "$directory"
[ -d pywasm3-0.5.0 ] || {
    pip download --quiet --no-deps --no-binary :all: pywasm3==0.5.0 >&2
    tar xzf pywasm3-0.5.0.tar.gz
}
echo "$PWD/pywasm3-0.5.0/wasm3"
