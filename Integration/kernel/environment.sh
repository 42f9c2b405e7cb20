# shellcheck shell=bash
# What both kinds of kernel have in common: the modules the proxy and its tests need, and the state
# they start from. Sourced by `run` and by `init.sh`.

# Loaded in one go, which is faster than one by one on demand; the rest (rarer schedulers and matches) is left
# to demand. Best effort, as some are built into some kernels: `kernel_has_ipvs` checks what counts.
kernel_modules=(
    ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_sh ip_vs_dh ip_vs_sed ip_vs_nq
    dummy veth bridge br_netfilter sctp nf_conntrack_netlink
    ip_set_bitmap_port ip_set_hash_ip ip_set_hash_ipport ip_set_hash_ipportip ip_set_hash_ipportnet
    iptable_filter iptable_nat ip6table_filter ip6table_nat ipt_REJECT ip6t_REJECT
    xt_set xt_ipvs xt_physdev xt_comment xt_mark xt_conntrack xt_addrtype xt_MASQUERADE
)

load_kernel_modules() {
    modprobe --all --quiet "${kernel_modules[@]}" 2>/dev/null || true
}

# A fresh network namespace is asked for the dummy device, so that the asking leaves nothing behind.
kernel_has_ipvs() {
    [[ -e /proc/net/ip_vs ]] && unshare --net ip link add probe type dummy 2>/dev/null
}

# /run holds named network namespaces and the iptables lock: a private one keeps the host's out of reach.
prepare_mounts() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/netns
}

# Packets that a bridge passes from pod to pod must meet IPVS and iptables on their way back too.
prepare_network() {
    ip link set lo up
    local family
    for family in iptables ip6tables; do
        echo 1 >"/proc/sys/net/bridge/bridge-nf-call-$family"
    done
}
