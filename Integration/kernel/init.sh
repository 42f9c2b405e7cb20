#!/usr/bin/env bash
# The init process of the user-space kernel that `run` boots: prepares it, runs the command, and powers it off.
# Set on the kernel command line: `run_folder`, the host directory with the command, for its exit status; `iptables`, which programs to hide, see
# `hide_programs`.
set -euo pipefail

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
console=/dev/tty1
exchange=/run/exchange

# Without this, the host would wait for an idle kernel after a failure here.
power_off() {
    sync
    echo o >/proc/sysrq-trigger
    sleep infinity
}
trap power_off EXIT

# The root file system is the host's. Directories that programs commonly write to are covered: /tmp keeps
# showing the host's files, and keeps writes in memory.
prepare_root() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    prepare_mounts
    mkdir -p "$exchange" /run/tmp/upper /run/tmp/work
    mount -t hostfs -o "${run_folder:?}" exchange "$exchange"
    mount -t overlay -o lowerdir=/tmp,upperdir=/run/tmp/upper,workdir=/run/tmp/work overlay /tmp
    mkdir -p /dev/shm /dev/pts
    mount -t tmpfs tmpfs /dev/shm
    mount -t devpts devpts /dev/pts
    ln -sfn /proc/self/fd /dev/fd
    hide_programs "${iptables:-}"
}

# Setting a terminal waits for pending output, which would otherwise be lost at power-off.
set_console() {
    stty -F "$console" -opost -echo
}

# Kernels before 6.2 have no entropy at first, and programs that require random numbers would wait for minutes: takes 256 bits from the machine.
add_entropy() {
    # shellcheck disable=SC2016 # Perl.
    perl -e 'open my $random, ">", "/dev/random" or die; ioctl($random, 0x40085203, pack("i!i!a*", 256, 32, do { local $/; <STDIN> })) or die "RNDADDENTROPY: $!"' \
        <"$exchange/entropy"
}

# shellcheck source=environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
prepare_root
add_entropy
load_kernel_modules
prepare_network
[[ -e /proc/net/ip_vs ]]
# The virtual link to the API server of KUBECONFIG_TEST, if `run` created one.
if [[ -e /sys/class/net/vec0 ]]; then
    ip address add 203.0.113.2/30 dev vec0
    ip link set vec0 up
fi
set_console

status=0
bash "$exchange/command" </dev/null >"$console" 2>&1 || status=$?
set_console
echo "$status" >"$exchange/status"
