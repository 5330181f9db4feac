#!/usr/bin/env bash
# The shim on a machine that has cgroup v2 alone, which the machine of the CI need not be: a virtual one, of Debian's
# cloud kernel and a file system in memory, boots under qemu without acceleration and runs
#
#   1. the unit tests of the shim's cgroups (TEFF_CGROUP_VERSION=2: none is skipped),
#   2. with containerd and runc as Debian has them, the tests of `k3s-shim/tests` whose names are in `cri_tests` below:
#      those that have to do with cgroups.
#
# It needs amd64, Debian's package lists, and the packages in `wanted`; it installs those that are missing. Nothing of
# this machine is changed otherwise, and nothing in it needs root, cgroups or /dev/kvm.
#
# How it works:
#   - The kernel is the package that `linux-image-cloud-amd64` depends on, downloaded and unpacked, not installed.
#     `overlay` (the images' snapshots) and `llc`, `stp`, `bridge`, `veth` (the pods' network) are modules of it; virtio and
#     disks are not needed, since everything is in the initial file system.
#   - That file system is: busybox, each program with the libraries that ldd names, the modules, and
#     `.ci/cgroup-v2-init.sh` as `/init`.
#   - `cgroup_no_v1=all` on the kernel's command line leaves v2 to have all controllers.
#   - The verdict is one line on the serial console, written last. A panic, a test that fails, no line at all, or the end
#     of the time (TEFF_QEMU_SECONDS, 900 unless said) is a failure, and shows the end of the console.
#
# `bash .ci/cgroup-v2.sh` runs all; `bash .ci/cgroup-v2.sh unit` the unit tests alone. TEFF_PROGRAMS is the folder with the
# shim and teff-shim, as for .ci/containerd.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
limit=${TEFF_QEMU_SECONDS:-900}
cri_tests=(
    exec measurements other_limits memory_ends_for_the_guest memory_ends_for_the_container
    confinement one_shim_without_a_pause_process linux_sidecar a_shim_that_crashes
)
if [ "$(dpkg --print-architecture)" != amd64 ]; then
    echo "skipped: the virtual machine is for amd64, and this is $(dpkg --print-architecture)"
    exit 0
fi

root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
wanted=(qemu-system-x86 busybox-static cpio)
[ "$what" = unit ] || wanted+=(containerd runc containernetworking-plugins protobuf-compiler)
missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    "${root[@]}" apt-get update -qq
    "${root[@]}" apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    echo "installed ${missing[*]}"
fi

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/cgroup-v2
mkdir -p "$work"

# The kernel, once for each version of it.
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
[ -n "$package" ] || {
    echo "linux-image-cloud-amd64 is in no package list: apt-get update, and a Debian source, are needed" >&2
    exit 1
}
kernel=$work/$package
if ! [ -e "$kernel/done" ]; then
    rm -rf "$work"/linux-image-*
    mkdir -p "$kernel"
    (cd "$kernel" && apt-get download -qq "$package" 2>/dev/null || apt-get download "$package")
    dpkg -x "$kernel"/*.deb "$kernel"
    rm "$kernel"/*.deb
    touch "$kernel/done"
fi
release=${package#linux-image-}

# The executables of a package's tests: `cargo test --no-run` names each in parentheses.
executables() {
    cargo test --no-run "$@" 2>&1 | tee "$work/build.log" | sed -n 's/^ *Executable .*(\(.*\))$/\1/p' || {
        cat "$work/build.log" >&2
        return 1
    }
}

# The file system of the machine.
fs=$work/fs
rm -rf "$fs"
mkdir -p "$fs"/{etc,dev,proc,sys,tmp,run,root,var,usr/bin,usr/sbin,usr/lib,usr/lib64,modules,tests}
for directory in bin sbin lib lib64; do
    ln -s "usr/$directory" "$fs/$directory"
done
chmod 1777 "$fs/tmp"
cp "$(command -v busybox)" "$fs/bin/busybox"
ln -s busybox "$fs/bin/sh"
install -m 755 .ci/cgroup-v2-init.sh "$fs/init"
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$fs/etc/passwd"
printf 'root:x:0:\n' >"$fs/etc/group"
printf '127.0.0.1 localhost\n' >"$fs/etc/hosts"
: >"$fs/etc/resolv.conf"
for module in llc stp bridge veth overlay; do
    file=$(find "$kernel/lib/modules/$release" -name "$module.ko*" -print -quit)
    # One that is not there is part of the kernel.
    [ -z "$file" ] || cp "$file" "$fs/modules/"
done

# Puts a program into the file system, without its symbols, and with its libraries.
put() {
    local from=$1 to=$fs/$2
    mkdir -p "$(dirname "$to")"
    strip --strip-debug -o "$to" "$from" 2>/dev/null || cp "$from" "$to"
    chmod 755 "$to"
    local library
    for library in $(ldd "$from" 2>/dev/null | grep -o '/[^ ]*' | sort -u); do
        mkdir -p "$fs$(dirname "$library")"
        cp -Lu "$library" "$fs$library"
    done
}

no_test() {
    cat "$work/build.log" >&2
    echo "cargo has built no test executable of $1" >&2
    exit 1
}

# With the features that `cargo test --workspace` has built already.
for test in $(executables --workspace --bin containerd-shim-teff-v1); do
    put "$test" tests/unit
done
[ -e "$fs/tests/unit" ] || no_test k3s-shim/shim

if [ "$what" != unit ]; then
    for program in containerd containerd-shim-runc-v2 ctr runc /usr/lib/cni/bridge /usr/lib/cni/host-local /usr/lib/cni/loopback; do
        path=$(command -v "$program")
        put "$path" "${path#/}"
    done
    programs=${TEFF_PROGRAMS:-}
    if [ -z "$programs" ]; then
        cargo build --quiet -p teff-containerd-shim -p teff-shim
        programs=$target/debug
    fi
    for program in containerd-shim-teff-v1 teff-shim; do
        put "$programs/$program" "programs/$program"
    done
    for test in $(executables -p teff-shim-tests --features containerd --test containerd); do
        put "$test" tests/cri
    done
    [ -e "$fs/tests/cri" ] || no_test k3s-shim/tests
    echo "${cri_tests[*]}" >"$fs/tests/names"
fi

(cd "$fs" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) >"$work/initrd"
echo "machine: $package, initial file system of $(du -m "$work/initrd" | cut -f 1) MB"

console=$work/console
rm -f "$console"
status=0
timeout --kill-after=5 "$limit" qemu-system-x86_64 \
    -machine pc -accel tcg,thread=multi -cpu max -smp 2 -m 1024 \
    -display none -serial "file:$console" -monitor none -nic none -no-reboot \
    -kernel "$kernel/boot/vmlinuz-$release" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet loglevel=1 panic=-1 cgroup_no_v1=all" </dev/null || status=$?

# The console ends its lines with a carriage return.
if tr -d '\r' <"$console" | grep -x 'cgroup v2: all passed' >/dev/null && [ $status -eq 0 ]; then
    tr -d '\r' <"$console" | grep -E '^(test result:|-- )' || true
    echo "cgroup v2: all passed"
    exit 0
fi
tail -n 200 "$console" | tr -d '\r'
case $status in
    124 | 137) echo "cgroup v2: FAILED, not done after $limit s" >&2 ;;
    0) echo "cgroup v2: FAILED, see the console above" >&2 ;;
    *) echo "cgroup v2: FAILED, qemu ended with $status" >&2 ;;
esac
exit 1
