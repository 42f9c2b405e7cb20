# shellcheck shell=bash
# Two nodes in separate networks, a router between them, and an external client. Source it after Integration/topology.sh.
#
#     node1 10.99.1.2, fd00:99:1::2 ---+
#                                      router (10.99.N.1, fd00:99:N::1) --- outside 10.99.0.2, fd00:99::2
#     node2 10.99.2.2, fd00:99:2::2 ---+
#
# External and load balancer addresses 198.51.10N.x, fd00:51:N::x are routed to node N, cluster IPs to node 1.
# The external client may use addresses of 198.18.0.0/22 to simulate many clients.

# make_router: creates a router with routes to all ranges.
make_router() {
    echo router >>"$topology_file"
    ip netns add router
    in_namespace router "
        $(settings_for_all)
        echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
        echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
        ip link set lo up
    "
}

# connect_to_router NAMESPACE NUMBER: connects it with a veth pair in network NUMBER.
connect_to_router() {
    local namespace=$1 number=$2
    ip link add name "net$number" netns router type veth peer name eth0 netns "$namespace"
    in_namespace router "
        $(settings_for_all)
        ip -batch - <<'BATCH'
            link set net$number up
            address add 10.99.$number.1/24 dev net$number
            address add fd00:99:$number::1/64 dev net$number nodad
BATCH
    "
    in_namespace "$namespace" "
        $(settings_for_all)
        ip -batch - <<'BATCH'
            link set lo up
            link set eth0 up
            address add 10.99.$number.2/24 dev eth0
            address add fd00:99:$number::2/64 dev eth0 nodad
            route add default via 10.99.$number.1
            route add default via fd00:99:$number::1
BATCH
    "
}

# make_two_nodes: creates the nodes without pods.
make_two_nodes() {
    local number
    make_router
    echo outside >>"$topology_file"
    ip netns add outside
    connect_to_router outside 0
    for number in 1 2; do
        make_node "node$number" "$number"
        connect_to_router "node$number" "$number"
        # A Service without endpoints refuses with ICMP, which the kernel limits to once per second and client; tests send more requests.
        in_namespace "node$number" "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit"
        ip -netns router -batch - <<BATCH
            route add 10.244.$number.0/24 via 10.99.$number.2
            route add fd00:244:$number::/64 via fd00:99:$number::2
            route add 198.51.10$number.0/24 via 10.99.$number.2
            route add fd00:51:$number::/64 via fd00:99:$number::2
BATCH
    done
    ip -netns router route add 10.96.0.0/12 via 10.99.1.2
    ip -netns router route add fd00:96::/112 via fd00:99:1::2
    ip -netns router route add 198.18.0.0/22 via 10.99.0.2
}
