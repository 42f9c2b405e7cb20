import KernelTestSupport
import Testing

/// What the scenarios of the packet filters share.
enum Filters {
    static let bothWork: @Sendable () async throws -> Bool = {
        guard Place.isKernelOurs, Place.hasIPTables else { return false }
        return try await tablesWork()
    }

    /// Whether the kernel has NAT in nf_tables, which that of the package user-mode-linux lacks.
    static let tablesWork: @Sendable () async throws -> Bool = {
        guard Place.isKernelOurs else { return false }
        return try await Shell.attempt("unshare --net nft 'add table ip t; add chain ip t c { type nat hook output priority 0; }'")
            .succeeded
    }

    /// The flags of a proxy that uses nftables.
    static let nftables = flags("nftables")

    /// - Parameter filter: a value of `--packet-filter`.
    static func flags(_ filter: String) -> String {
        let backend = filter != "nftables" && Place.hasIPTables ? Place.filterFlag : ""
        return World.flags.replacing(Place.filterFlag, with: "--packet-filter \(filter) \(backend)")
    }

    static let table = NodeFilter.table(isV6: false)
    static let table6 = NodeFilter.table(isV6: true)

    /// The tables, sets, chains and rules of nftables in the node, without counters.
    static func ruleset() async throws -> Ruleset { Ruleset(parsing: try await Shell.output(in: "node1", "nft -s list ruleset")) }

    /// The parts of the tables of this program.
    static func ours() async throws -> [String: Ruleset.Object] {
        try await ruleset().objects.filter { $0.key.hasPrefix(table) || $0.key.hasPrefix(table6) }
    }

    /// The chains of node proxies in both backends of iptables, and the ipsets.
    static func iptables() async throws -> [String] {
        try await Shell.output(
            in: "node1",
            """
            for program in iptables-legacy-save ip6tables-legacy-save iptables-nft-save ip6tables-nft-save; do
                $program 2>/dev/null | grep KUBE- || true
            done
            ipset list -n
            """
        ).split(separator: "\n").map(String.init)
    }

    // MARK: Services

    static let balancer = "198.51.100.20"

    /// A load balancer IP with source ranges.
    static func balancer(_ ranges: [String]) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: balancer, namespace: default}
        spec:
          type: LoadBalancer
          clusterIP: 10.96.0.40
          clusterIPs: ["10.96.0.40"]
          ipFamilies: [IPv4]
          ipFamilyPolicy: SingleStack
          allocateLoadBalancerNodePorts: false
          loadBalancerSourceRanges: [\(ranges.map { "\"\($0)\"" }.joined(separator: ", "))]
          ports: [{name: tcp, protocol: TCP, port: 80}]
        status: {loadBalancer: {ingress: [{ip: "\(balancer)"}]}}

        """
    }

    /// A pod that `web` does not have: IPVS cannot distinguish the replies of a real server to a client that uses the same port for two Services.
    private static let balancerSlice = """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: balancer, namespace: default, labels: {kubernetes.io/service-name: balancer}}
        addressType: IPv4
        ports: [{name: tcp, protocol: TCP, port: 80}]
        endpoints: [{addresses: ["10.244.1.3"], conditions: {ready: true}, nodeName: node1}]

        """

    static func writeBalancer(_ ranges: [String]) async throws { try await World.shared.write("balancer.yaml", balancer(ranges)) }

    /// Serves `web`, and the balancer for the external client.
    static func begin(_ ranges: [String] = ["10.99.0.0/24"]) async throws {
        let world = World.shared
        try await world.begin()
        try await Shell.output(in: "outside", "ip route replace 198.51.100.0/24 via \(World.node.outside)")
        try await world.write("web.yaml", Manifests.web())
        try await world.write("slices.yaml", Manifests.slices(World.pods))
        try await writeBalancer(ranges)
        try await world.write("balancer-slice.yaml", balancerSlice)
    }

    /// Whether the balancer answers a client.
    static func reachesBalancer(from client: String) async throws -> Bool {
        try await Answers.ask(from: client, "tcp", balancer, 80, "--count 1 --timeout-ms 2000").failed == 0
    }

    /// Judges node ports, masquerading, hairpin and source ranges by what clients get and what servers see. Pods are outside of the ranges.
    static func expectTraffic(_ context: Comment) async throws {
        let outside = try await Answers.ask(from: "outside", "tcp", World.node.outside, Manifests.nodePort)
        #expect(outside.failed == 0 && outside.clients == [World.node.bridge: 9], "\(context): \(outside)")
        for (transport, isV6) in [("tcp", false), ("udp", true)] {
            let own = isV6 ? World.address6("pod-c") : World.address("pod-c")
            let bridge = isV6 ? World.node.bridge6 : World.node.bridge
            let pod = try await Answers.ask(
                from: "pod-c", transport, isV6 ? Manifests.clusterIP6 : Manifests.clusterIP, Manifests.port, "--count 12")
            // Requests of the pod to itself are masqueraded.
            #expect(
                pod.failed == 0 && Set(pod.answers.keys) == ["pod-a \(own)", "pod-b \(own)", "pod-c \(bridge)"], "\(context): \(pod)")
        }
        #expect(try await reachesBalancer(from: "outside"), context)
        #expect(try await !reachesBalancer(from: "pod-b"), context)
        let closed = try await Answers.ask(from: "outside", "tcp", Manifests.clusterIP, 10255, "--count 1")
        #expect(closed.errors == ["connection refused": 1], "\(context): \(closed)")
    }
}
