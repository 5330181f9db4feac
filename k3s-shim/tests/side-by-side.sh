#!/usr/bin/env bash
# What pods of teff cost, beside those of runc and of runwasi, in one run: prints the table of docs/shim.md, and which
# goals are met; fails if one is not. Needs root, cgroup v1 or v2, and what .ci/containerd.sh installs.
#
#   bash k3s-shim/tests/side-by-side.sh [PODS]     20 of each unless said; TEFF_CONTAINERD is another containerd's folder
#
# teff's programs are the static ones of .ci/shim-artefacts.sh. runwasi's shims are on no registry; its library is, and
# k3s-shim/tests/runwasi makes the least of a shim out of it. Where that cannot be built, its column is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
bash .ci/shim-artefacts.sh --only "$(uname -m)"
runwasi=$target/runwasi
apt-get -qq -o DPkg::Lock::Timeout=600 install --no-install-recommends --yes libseccomp-dev pkg-config protobuf-compiler >/dev/null || true
if cargo build --quiet --release --manifest-path k3s-shim/tests/runwasi/Cargo.toml --target-dir "$runwasi"; then
    PATH=$runwasi/release:$PATH
else
    echo "runwasi's library cannot be built here: it is left out"
fi
export PATH TEFF_PROGRAMS=$target/shim-artefacts/$(uname -m)
cargo run --quiet -p teff-shim-tests --features containerd --example side-by-side -- "$@"
