#!/usr/bin/env bash
# `bash .ci/debian-cargo.sh ARGS`: Debian's cargo and rustc. Their std source has their version, so -Zbuild-std works, for
# targets of which rustup may have no std. RUSTC_BOOTSTRAP only opens that flag: our crates use no nightly feature.
set -euo pipefail
[ -d /usr/lib/rustlib/src/rust/library ] || {
    echo "the std source of Debian's Rust is missing: bash .ci/install-tools.sh" >&2
    exit 1
}
unset RUSTUP_TOOLCHAIN
PATH=/usr/bin:$PATH RUSTC_BOOTSTRAP=1 exec cargo "$@"
