#!/usr/bin/env bash
# Disassembles the threaded handlers of the release `teff` (x86-64). A handler must end in a jump to the next one and
# need no frame: a call, a push or a ret in it would cost every instruction that runs, or native stack, or leave the
# chain. Some may do more: what leaves the chain, the bulk operations, whose work outweighs a call, and cold functions;
# and what moves arguments or results may save registers, of which it needs many. Even those must not call through a
# register, which is a jump to the next handler that failed to be one.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname -m)" = x86_64 ] || { echo "skipped: only x86-64 code is checked"; exit 0; }

# The mangling with the names of generic arguments, so that a symbol says whose handler it is.
export RUSTFLAGS=${RUSTFLAGS:--Csymbol-mangling-version=v0}
cargo build --quiet --release -p teff-cli
objdump --disassemble --demangle --no-show-raw-insn "${CARGO_TARGET_DIR:-target}/release/teff" | awk '
    BEGIN {
        leaves = "Halt|Resume|Translate|Probe"
        bulk = "(Memory|Table)(Copy|Fill|Grow|Init)(Metered)?|DataDrop|ElemDrop"
        allowed = "::(" leaves "|" bulk ")>*$"
        moves = "Return(Many|Call|CallImported|CallIndirect)[>,]"
        # Metered calls need a register more, for the charge; and compact code, whose functions and handlers are
        # found by numbers.
        moves = moves "|(Call|CallWith|CallIndirect)Metered[>,]"
        moves = moves "|backend::Compact,.*(Call|CallWith|CallIndirect|ReturnUnpin[IF0-9]*)[>,]"
    }
    /^[0-9a-f]+ <.*>:$/ {
        name = $0
        sub(/^[0-9a-f]+ </, "", name)
        sub(/>:$/, "", name)
        hot = name ~ /exec::backend::threaded::handler::</
        cold = name ~ /exec::backend::threaded::cold::</
        handlers += hot
        if (name ~ allowed) hot = 0
        moving = name ~ moves
        checked = hot || cold || name ~ /exec::backend::threaded::handler::</
        next
    }
    !checked { next }
    $2 ~ /^call/ && $3 ~ /^\*%|^\*.*\(%r[^i]/ { offence("calls through a register") }
    hot && $2 ~ /^call/ { offence("calls") }
    hot && !moving && $2 ~ /^push/ { offence("pushes") }
    hot && $2 ~ /^ret/ { offence("returns") }
    hot && !moving && $2 ~ /^sub/ && $NF ~ /,%rsp$/ { offence("makes a frame") }
    function offence(what) {
        if ((name, what) in seen) return
        seen[name, what] = 1
        if (++offences[name] == 1) bad++
        found[name] = found[name] (offences[name] > 1 ? ", " : "") what
    }
    END {
        for (name in found) {
            short = name
            gsub(/teff_runtime::exec::([a-z]+::)?/, "", short)
            print short ": " found[name] | "sort"
        }
        close("sort")
        printf "%d handlers, %d functions that do what they must not\n", handlers, bad
        # Few handlers: the pattern above no longer finds them.
        exit bad > 0 || handlers < 500
    }'
