# shellcheck shell=bash
# A Kubernetes node, its pods and an external client, each in a network namespace. Source it as root
# on a kernel with IPVS (see kernel/run). Each namespace has the name of its node, pod or client:
#
#     make_node node1
#     make_pod node1 pod-a 10.244.1.10 fd00:244:1::10
#     make_outside node1
#     serve_traffic pod-a --name pod-a --http 80
#     ip netns exec pod-a curl http://10.96.0.10/
#     destroy_topology
#
#                       outside                          node NUMBER                            pods
#     lan0 10.99.0.1/24, fd00:99::1/64 --- eth0 10.99.0.(NUMBER+1)/24     cni0 10.244.NUMBER.1/24  --- eth0
#                                               fd00:99::(NUMBER+1)/64         fd00:244:NUMBER::1/64
#
# Starting a process takes 0.2 s in a user-space kernel, so commands are batched and `sysctl` is not used.

service_cidr4=10.96.0.0/12
service_cidr6=fd00:96::/112

# One line for each namespace, "NAME NUMBER" for a node. It is in /run, like the names of the namespaces, and is lost with them.
topology_file=/run/kube-ipvs-topology

topology_folder=${BASH_SOURCE[0]%/*}

# Empty on a kernel that was booted with ipv6.disable=1: the topology then has IPv4 only.
has_ipv6=
[[ ! -e /proc/sys/net/ipv6 ]] || has_ipv6=yes

# make_node NAME [NUMBER]: NUMBER (1 by default, up to 9) distinguishes the nodes' addresses.
# IPv4 forwarding stays off: the proxy enables it.
make_node() {
    local node=$1 number=${2:-1}
    echo "$node $number" >>"$topology_file"
    ip netns add "$node"
    in_namespace "$node" "
        $(settings_for_all)
        echo 0 >/proc/sys/net/ipv4/ip_forward
        ${has_ipv6:+echo 1 >/proc/sys/net/ipv6/conf/all/forwarding}
        echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
        echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables
        ip -batch - <<'BATCH'
            link set lo up
            $(bridge_named cni0 "02:00:00:00:00:0$number" "10.244.$number.1/24" "fd00:244:$number::1/64")
BATCH
    "
}

# make_pod NODE POD ADDRESS4 ADDRESS6: the node's end of the pod's veth pair has the pod's name, at most 15 characters.
# Hairpin mode lets a pod reach itself through a Service.
make_pod() {
    local node=$1 pod=$2 address4=$3 address6=$4 number
    number=$(node_number "$node") || return
    echo "$pod" >>"$topology_file"
    ip -batch - <<BATCH
        netns add $pod
        link add name $pod netns $node type veth peer name eth0 netns $pod
BATCH
    ip -netns "$node" -batch - <<BATCH
        link set $pod master cni0 up
        link set $pod type bridge_slave hairpin on
BATCH
    in_namespace "$pod" "
        $(settings_for_all)
        ip -batch - <<'BATCH'
            link set lo up
            link set eth0 up
            address add $address4/24 dev eth0
            ${has_ipv6:+address add $address6/64 dev eth0 nodad}
            route add default via 10.244.$number.1
            ${has_ipv6:+route add default via fd00:244:$number::1}
BATCH
    "
}

# make_outside NODE: connects a node to the external client, which routes Service addresses to the first node.
make_outside() {
    local node=$1 number is_first=
    number=$(node_number "$node") || return
    if ! grep --quiet '^outside$' "$topology_file"; then
        is_first=yes
        make_outside_client
    fi
    ip link add name "$node" netns outside type veth peer name eth0 netns "$node"
    in_namespace "$node" "
        $(settings_for_all)
        ip -batch - <<'BATCH'
            link set eth0 up
            address add 10.99.0.$((number + 1))/24 dev eth0
            ${has_ipv6:+address add fd00:99::$((number + 1))/64 dev eth0 nodad}
BATCH
    "
    ip -netns outside -batch - <<BATCH
        link set $node master lan0 up
        ${is_first:+route add $service_cidr4 via 10.99.0.$((number + 1))}
        ${is_first:+${has_ipv6:+route add $service_cidr6 via fd00:99::$((number + 1))}}
BATCH
}

# Its bridge only connects nodes: the iptables rules of the client must not apply to bridged packets.
make_outside_client() {
    echo outside >>"$topology_file"
    ip netns add outside
    in_namespace outside "
        $(settings_for_all)
        echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
        echo 0 >/proc/sys/net/bridge/bridge-nf-call-ip6tables
        ip -batch - <<'BATCH'
            link set lo up
            $(bridge_named lan0 02:00:00:00:01:00 10.99.0.1/24 fd00:99::1/64)
BATCH
    "
}

# serve_traffic NAMESPACE OPTION...: starts `traffic serve` and returns once it listens.
serve_traffic() {
    local namespace=$1 output line= process
    shift
    output=$(mktemp /run/traffic.XXXXXX)
    setsid ip netns exec "$namespace" "${TRAFFIC:-$topology_folder/../.build/debug/traffic}" serve "$@" </dev/null >"$output" 2>&1 &
    process=$!
    until read -r line <"$output" && [[ $line == listening ]]; do
        kill -0 "$process" || { cat "$output" >&2; return 1; }
        sleep 0.1
    done
}

# Kills the processes in the topology, then removes it.
destroy_topology() {
    [[ -e $topology_file ]] || return 0
    local name processes
    while read -r name _; do
        processes=$(ip netns pids "$name")
        # shellcheck disable=SC2086 # One word for each process.
        [[ -z $processes ]] || kill -KILL $processes 2>/dev/null || true
        ip netns delete "$name"
    done <"$topology_file"
    rm "$topology_file"
}

in_namespace() {
    ip netns exec "$1" sh -euc "$2"
}

node_number() {
    local name number
    while read -r name number; do
        [[ $name == "$1" ]] && echo "$number" && return
    done <"$topology_file"
    echo "no node $1" >&2
    return 1
}

# Commands for `ip -batch`. The MAC address of the bridge is fixed. Otherwise it would change when pods are connected,
# and neighbor entries would be wrong for a while.
bridge_named() {
    cat <<BATCH
        link add $1 address $2 type bridge
        link set $1 up
        address add $3 dev $1
        ${has_ipv6:+address add $4 dev $1 nodad}
BATCH
}

# Shell commands for existing and future interfaces. Addresses must work at once, without duplicate
# address detection. Replies may take another route than requests. A namespace may inherit other settings.
settings_for_all() {
    cat <<'SETTINGS'
        for setting in /proc/sys/net/ipv6/conf/*/accept_dad /proc/sys/net/ipv4/conf/*/rp_filter; do
            [ ! -e "$setting" ] || echo 0 >"$setting"
        done
SETTINGS
}
