#!/usr/bin/env bash
# Disassembles the threaded handlers of a release `teff`: `bash .ci/check-handlers.sh [PROCESSOR PROGRAM]`, by default
# of this machine's, which it builds.
#
# On every processor a handler must end in a jump to the next one: a call through a register, or of another handler by
# name, is such a jump that failed to be one, and takes native stack each time it is executed.
# On x86-64, whose registers are the fewest, handlers must also need no frame: a call, a push or a ret in one would cost
# every instruction that runs, or leave the chain. Some may do more: what leaves the chain, the bulk operations, whose
# work outweighs a call, and cold functions; and what moves arguments or results may save registers, of which it needs
# many.
set -euo pipefail
cd "$(dirname "$0")/.."
processor=${1:-$(uname -m)}
program=${2:-}
if [ -z "$program" ]; then
    cargo build --quiet --release -p teff-cli
    program=${CARGO_TARGET_DIR:-target}/release/teff
fi
# How calls are written; what a call through a register names.
case $processor in
    x86_64) objdump=objdump call='^call' register='^[*](%|.*[(]%r[^i])' ;;
    aarch64) objdump=aarch64-linux-gnu-objdump call='^blr?$' register='^x[0-9]' ;;
    armv7) objdump=arm-linux-gnueabihf-objdump call='^blx?$' register='^(r[0-9]|ip|lr|sl|fp)' ;;
    riscv64) objdump=riscv64-linux-gnu-objdump call='^(c[.])?jalr?$' register='^([ast][0-9]|ra$|ra,.*[(])' ;;
    *) echo "skipped: the code of $processor is not checked"; exit 0 ;;
esac
"$objdump" --disassemble --demangle --no-show-raw-insn "$program" | awk \
    -v processor="$processor" -v call="$call" -v register="$register" '
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
        handler = name ~ /exec::backend::threaded::handler::</
        checked = handler || name ~ /exec::backend::threaded::cold::</
        handlers += handler
        hot = handler && processor == "x86_64" && name !~ allowed
        moving = name ~ moves
        next
    }
    !checked { next }
    $2 ~ call && $3 ~ register { offence("calls through a register") }
    $2 ~ call && /exec::backend::threaded::(handler|cold)::</ { offence("calls a handler") }
    hot && $2 ~ call { offence("calls") }
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
        printf "%s: %d handlers, %d functions that do what they must not\n", processor, handlers, bad
        # Few handlers: the pattern above no longer finds them.
        exit bad > 0 || handlers < 500
    }'
