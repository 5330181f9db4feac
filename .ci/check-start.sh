#!/usr/bin/env bash
# Checks that a release `teff` has what a start needs put together (cli/order): `bash .ci/check-start.sh`. Names that
# changed do no harm one by one, but when a tenth of the list no longer names anything, it must be recorded again:
# `bash cli/order/record.sh`.
set -euo pipefail
cd "$(dirname "$0")/.."
case $(uname -sm) in
    "Linux x86_64") ;;
    *) echo "skipped: the list was recorded on Linux on x86-64"; exit 0 ;;
esac
cargo build --quiet --release -p teff-cli
program=${CARGO_TARGET_DIR:-target}/release/teff
# Into a variable first: a pipe that its reader leaves early is a failure to `pipefail`.
headers=$(objdump --section-headers "$program")
if ! grep -q ' [.]text[.]start ' <<<"$headers"; then
    echo "$program has no section .text.start: the linker was not given the script of cli/order" >&2
    exit 1
fi
# How many names of the list are those of functions in the section.
first=$(awk '$2 == ".text.start" { print $4 }' <<<"$headers")
size=$(awk '$2 == ".text.start" { print $3 }' <<<"$headers")
placed=$(nm --defined-only "$program" | awk -v first="$first" -v size="$size" '
    function number(hex,  i, n) {
        for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
        return n
    }
    BEGIN { from = number(first); to = from + number(size) }
    FILENAME == "-" && $3 ~ /^_R/ { at = number($1); if (at >= from && at < to) functions[++count] = $3 }
    FILENAME != "-" && /^_R/ {
        name = $0
        gsub(/[*]/, "[0-9A-Za-z.]*", name)
        name = "^" name "$"
        for (i = 1; i <= count; i++) if (functions[i] ~ name) { placed++; break }
    }
    END { print placed + 0 }' - cli/order/functions.txt)
listed=$(grep -c '^_R' cli/order/functions.txt)
echo "functions that a start needs: $listed listed, $placed of them put together"
[ $((placed * 10)) -ge $((listed * 9)) ] || {
    echo "too few: record them again (see above)" >&2
    exit 1
}
