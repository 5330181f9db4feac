#!/usr/bin/env bash
# Installs what the cross builds need and is missing, on Debian 12: the compiler and std source of one source package
# (so they match: -Zbuild-std), the cross linkers with their libc, and the user-mode emulators.
set -euo pipefail
wanted=(
    rustc-web cargo-web rust-web-src
    qemu-user-static
    valgrind
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
)
missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "all there"
    exit 0
fi
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "installed ${missing[*]}"
