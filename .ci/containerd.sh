#!/usr/bin/env bash
# The shim under real containerds, through the CRI (`k3s-shim/tests`): that of Debian 12, and the newest that Debian has
# for any release. Needs root, and installs what it runs with; a containerd that runs on this machine is left alone.
#
#   bash .ci/containerd.sh [TEST]    only tests whose names contain TEST
#
# TEFF_PROGRAMS is the folder with the shim and teff-shim: those of .ci/shim-artefacts.sh, say. Without it, they are built
# here, with debug assertions.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
    echo "skipped: containerd runs containers as root only"
    exit 0
fi

missing=()
for package in containerd runc containernetworking-plugins busybox-static protobuf-compiler iproute2; do
    dpkg-query -W -f '${Status}' $package 2>/dev/null | grep -q ' installed$' || missing+=($package)
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    # Nothing is to be started for it: the tests start their own.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get -qq update
    apt-get -qq -o DPkg::Lock::Timeout=600 install --no-install-recommends --yes "${missing[@]}" >/dev/null
fi

# A namespace of mounts can be made, and there are cgroups for memory: in a container without rights there are not.
if ! unshare --mount --net true 2>/dev/null; then
    echo "skipped: this machine lets nobody make namespaces, so no container can run on it"
    exit 0
fi

if [ -n "${TEFF_PROGRAMS:-}" ]; then
    TEFF_PROGRAMS=$(realpath "$TEFF_PROGRAMS")
    export TEFF_PROGRAMS
else
    cargo build --quiet -p teff-containerd-shim -p teff-shim
fi
cargo clippy --quiet -p teff-shim-tests --features containerd --all-targets -- -D warnings
run() {
    cargo test --quiet -p teff-shim-tests --features containerd --test containerd -- --test-threads 2 "$@"
}

echo "-- $(containerd --version | cut -d ' ' -f 3), of this machine"
run "$@"

# The newest: out of Debian's testing or unstable, unpacked into a folder. Its runc wants a newer libc; that of here is
# used.
folder=${CARGO_TARGET_DIR:-target}/containerd-newest
newest() {
    local list=/etc/apt/sources.list.d/teff-newest.sources pins=/etc/apt/preferences.d/teff-newest
    [ ! -x "$folder/usr/bin/containerd" ] || return 0
    trap 'rm -f "$list" "$pins"' RETURN
    printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: forky sid\nComponents: main\nSigned-By: %s\n' \
        /usr/share/keyrings/debian-archive-keyring.gpg >"$list"
    printf 'Package: *\nPin: release n=forky\nPin-Priority: -10\n\nPackage: *\nPin: release n=sid\nPin-Priority: -10\n' >"$pins"
    apt-get -qq update || return 1
    local version
    version=$(apt-cache madison containerd | awk '{ print $3 }' | sort --version-sort | tail -n 1)
    mkdir -p "$folder"
    (cd "$folder" && apt-get -qq download "containerd=$version" && dpkg -x containerd_*.deb . && rm containerd_*.deb) || return 1
    rm -f "$folder/usr/bin/runc" "$folder/usr/sbin/runc"
    "$folder/usr/bin/containerd" --version >/dev/null
}
if newest; then
    echo "-- $("$folder/usr/bin/containerd" --version | cut -d ' ' -f 3), the newest of Debian"
    TEFF_CONTAINERD=$(realpath "$folder")/usr/bin run "$@"
else
    echo "skipped: a newer containerd cannot be had here, or does not run"
fi
