#!/usr/bin/env bash
# Disassembles the threaded handlers of the release `teff` (x86-64). A handler must end in a jump to the next one: a
# `call`, a `push` or a `ret` in one means that a frame was built or the chain was left, which costs every instruction
# run, and native stack for each. Only cold functions and the operations named below may do so.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname -m)" = x86_64 ] || { echo "skipped: only x86-64 code is checked"; exit 0; }

# The mangling with the names of generic arguments, so that a symbol says whose handler it is.
export RUSTFLAGS=${RUSTFLAGS:--Csymbol-mangling-version=v0}
cargo build --quiet --release -p teff-cli
objdump --disassemble --demangle --no-show-raw-insn "${CARGO_TARGET_DIR:-target}/release/teff" | awk '
    /^[0-9a-f]+ <.*>:$/ {
        handler = /exec::backend::threaded::handler::</
        name = $0
        sub(/^[0-9a-f]+ </, "", name)
        sub(/>:$/, "", name)
        gsub(/teff_runtime::exec::[a-z]+::/, "", name)
        handlers += handler
        next
    }
    handler && $2 ~ /^(call|push|ret)q?$/ { offences[name] = offences[name] " " $2; if (!(name in first)) first[name] = ++found }
    END {
        for (name in first) { print name ":" offences[name]; bad++ }
        printf "%d handlers, %d of them with a call, push or ret\n", handlers, bad
        # Fewer means that the pattern above no longer finds them.
        exit bad > 0 || handlers < 500
    }'
