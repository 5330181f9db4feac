#!/bin/sh
# The first process of the virtual machine of `.ci/cgroup-v2.sh`: mounts what programs expect, runs the tests, writes the
# verdict to the console, and turns the machine off. Written for busybox.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

if [ "$1" != in-root ]; then
    /bin/busybox --install -s /bin
    # The root of the initial file system has no mount below it, and pivot_root(2) of the containers wants one.
    mkdir /newroot
    mount --bind / /newroot
    cd /newroot || exit 1
    mount --move . /
    exec chroot . /init in-root </dev/console >/dev/console 2>&1
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var
mkdir -p /var/lib /var/log /var/run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
hostname teff-test
for module in llc stp bridge veth overlay; do
    [ ! -e /modules/$module.ko ] || insmod /modules/$module.ko || echo "cannot load the module $module"
done
echo "-- booted in $(cut -d ' ' -f 1 /proc/uptime) s, controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"

verdict=passed
# Runs a test executable. That no test has the name is a failure too.
run() {
    echo "-- $*"
    # Each as it passes: a machine that hangs has then said where.
    { "$@" 2>&1; echo $? >/tmp/status; } | tee /tmp/output | grep '^test '
    if [ "$(cat /tmp/status)" != 0 ] || ! grep -q '^test result: ok\. [1-9]' /tmp/output; then
        cat /tmp/output
        echo "-- FAILED: $*"
        verdict=failed
    fi
}

export RUST_BACKTRACE=1 TEFF_CGROUP_VERSION=2
run /tests/unit cgroup
if [ -e /tests/cri ]; then
    TEFF_PROGRAMS=/programs TEFF_TESTS=$(cat /tests/names)
    export TEFF_PROGRAMS TEFF_TESTS
    run /tests/cri --test-threads 2
fi

if [ $verdict = failed ]; then
    dmesg | tail -n 60
fi
echo "-- done after $(cut -d ' ' -f 1 /proc/uptime) s"
echo
echo "cgroup v2: all $verdict"
sync
poweroff -f
