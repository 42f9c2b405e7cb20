# shellcheck shell=bash
# Common to both kinds of kernel: the modules that the proxy and its tests require, and the state
# they start from. Sourced by `run` and by `init.sh`.

# Loaded in one command, which is faster than one by one on demand; others (rarer schedulers and matches) are loaded
# on demand. Failures are ignored, because some are built into some kernels: `kernel_has_ipvs` checks the result.
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

# The dummy device is created in a fresh network namespace, so that the check leaves nothing behind.
kernel_has_ipvs() {
    [[ -e /proc/net/ip_vs ]] && unshare --net ip link add probe type dummy 2>/dev/null
}

# /run has named network namespaces and the iptables lock: a private one protects those of the host.
prepare_mounts() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/netns
}

# Hides programs in this mount namespace: those of iptables-legacy for `nft`, all of iptables and ipset for `none`, nothing for another argument. Copies the
# others, as Linux 5.10 cannot open the files of a hostfs that is part of an overlay.
hide_programs() {
    local hidden=(--exclude='*tables-legacy*')
    case $1 in
        nft) ;;
        none) hidden=(--exclude='*tables*' --exclude='ipset*') ;;
        *) return 0 ;;
    esac
    mkdir /run/sbin
    tar --create --directory=/usr/sbin "${hidden[@]}" . | tar --extract --directory=/run/sbin
    mount --bind /run/sbin /usr/sbin
}

# Bridged packets between pods must pass IPVS and iptables in the reply direction too.
prepare_network() {
    ip link set lo up
    local family
    for family in iptables ip6tables; do
        echo 1 >"/proc/sys/net/bridge/bridge-nf-call-$family"
    done
}
