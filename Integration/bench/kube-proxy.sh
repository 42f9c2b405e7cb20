# shellcheck shell=bash
# Gives a node the rules and sets of kube-proxy; sourced.

# use_rules_of_kube_proxy: replaces the proxy's rules and sets of IPv4 in this network namespace by those of kube-proxy 1.36 for Services with node ports, from the
# recorded state of a real one, with the members that the proxy's sets have. The IPVS state stays, as it is the same.
use_rules_of_kube_proxy() {
    local recorded members
    recorded=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../Tests/Fixtures/kube-proxy-1.36/nodeport" && pwd)
    members=$(ipset save | grep '^add')
    printf '*%s\nCOMMIT\n' nat filter | iptables-legacy-restore
    printf '*%s\nCOMMIT\n' nat filter | ip6tables-legacy-restore
    ipset destroy
    # The sets whose names kube-proxy has too; it has no comments.
    awk 'NR == FNR { if ($1 == "create") { print; known[$2] = 1 }; next } $2 in known { print $1, $2, $3 }' "$recorded/ipset" <(printf '%s\n' "$members") |
        ipset restore
    # The recorded node has another range of pods.
    sed 's#10\.244\.0\.0/16#10.128.0.0/9#' "$recorded/iptables" | iptables-legacy-restore
}
