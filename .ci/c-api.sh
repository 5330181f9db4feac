#!/usr/bin/env bash
# The C library: headers, symbols and examples with every C compiler that is here, then the examples under valgrind, which
# finds memory errors and leaks. `TEFF_C_API_OFFICIAL=DIR bash .ci/c-api.sh` also runs the examples of a checkout of
# wasm-c-api.
set -euo pipefail
cd "$(dirname "$0")/.."
compilers=
for cc in gcc clang; do
    if command -v "$cc" >/dev/null; then compilers="$compilers $cc"; fi
done
TEFF_C_API_CC=$compilers cargo test -p teff-c-api --test c -- --nocapture
if command -v valgrind >/dev/null; then
    TEFF_C_API_RUNNER="valgrind --quiet --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
--error-exitcode=99 --suppressions=$PWD/.ci/valgrind.supp" \
        cargo test -p teff-c-api --test c -- --nocapture examples
else
    echo "c-api.sh: there is no valgrind, memory is not checked"
fi
