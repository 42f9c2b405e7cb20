import KernelTestSupport
import Testing

extension Flows {
    /// Every client, kind of address and policy: the servers that answer, and the client address they see. Clients of node 1, endpoints on
    /// both nodes.
    @Suite struct `All clients to all addresses` {
        let world = TwoNodes.shared

        enum Frontend: CaseIterable { case clusterIP, nodePort, loadBalancer }
        /// The Services: without policy, `externalTrafficPolicy: Local` and `internalTrafficPolicy: Local`.
        enum Policy: Character, CaseIterable { case cluster = "a", externalLocal = "b", internalLocal = "c" }
        enum Client: String, CaseIterable { case pod = "pod-1b", node = "node1", outside }

        /// The clients of cluster IPs that are masqueraded: all but pods by their CIDRs, none, or all by the flag.
        enum Masquerading: String, CaseIterable {
            case allButPods = "", noClients = "--cluster-cidr="
            case allClients = "--masquerade-all"
        }

        private func index(_ policy: Policy) -> Int { Policy.allCases.firstIndex(of: policy) ?? 0 }

        private func location(_ frontend: Frontend, _ policy: Policy, _ family: Family) -> (address: String, port: UInt16) {
            switch frontend {
            case .clusterIP: (Address.cluster(42, policy.rawValue, family), 80)
            case .nodePort: (Address.node(1, family), 30420 + UInt16(index(policy)))
            case .loadBalancer: (Address.external(42 + 100 * index(policy), through: 1, family), 80)
            }
        }

        private func service(_ policy: Policy) -> Service {
            let service = Service(42, policy.rawValue).onPorts(location(.nodePort, policy, .v4).port)
                .onLoadBalancer(Family.allCases.map { location(.loadBalancer, policy, $0).address })
            return switch policy {
            case .cluster: service
            case .externalLocal: service.with(externalPolicy: "Local")
            case .internalLocal: service.with(internalPolicy: "Local")
            }
        }

        /// Returns the servers that answer, and the client address that each sees.
        private func expected(_ client: Client, _ frontend: Frontend, _ policy: Policy, _ family: Family, _ masquerading: Masquerading)
            -> [Server: String]
        {
            let isLocal = frontend == .clusterIP ? policy == .internalLocal : policy == .externalLocal
            let isMasqueraded: Bool =
                switch (frontend, masquerading) {
                case (.clusterIP, .allButPods): client != .pod
                // The node's own connections have the cluster IP as source as well.
                case (.clusterIP, .noClients): client == .node
                case (.clusterIP, .allClients): true
                case (.nodePort, _), (.loadBalancer, _): policy != .externalLocal
                }
            let own =
                switch client {
                case .pod: Server.pod1b.address(family)
                // The source of a local route, or else the address that the node sends to.
                case .node: Place.hasRoutes ? Address.node(1, family) : location(frontend, policy, family).address
                case .outside: Address.outside(family)
                }
            let servers: [Server] = isLocal ? [.pod1a] : [.pod1a, .pod2a]
            let seen = servers.map { ($0, isMasqueraded ? Address.masqueraded(by: 1, at: $0, family) : own) }
            return Dictionary(uniqueKeysWithValues: seen)
        }

        @Test(arguments: Masquerading.allCases)
        func `flow 42: every client reaches the servers of the policy, with the expected source address`(masquerading: Masquerading)
            async throws
        {
            try await world.serve(Policy.allCases.map { Served(service($0), by: [.pod1a, .pod2a]) }, flags: masquerading.rawValue)
            for policy in Policy.allCases {
                for (frontend, client) in Frontend.allCases.flatMap({ frontend in Client.allCases.map { (frontend, $0) } }) {
                    for family in Family.allCases {
                        for transport in ["tcp", "udp"] {
                            let (address, port) = location(frontend, policy, family)
                            let what = "\(transport) from \(client) to \(frontend) of \(policy), \(family)"
                            let expected = expected(client, frontend, policy, family, masquerading)
                            if client == .outside, frontend == .clusterIP, masquerading == .noClients, expected[.pod2a] != nil {
                                // The pod of the other node responds to the client directly, bypassing the node that has the connection.
                                let answers = try world.ask(
                                    from: client.rawValue, transport, address, port, count: 4, options: "--timeout-ms 1500")
                                #expect(
                                    Set(answers.answers.keys) == ["pod-1a \(Address.outside(family))"] && answers.failed > 0,
                                    "\(what): \(answers)")
                            } else {
                                try world.ask(from: client.rawValue, transport, address, port, count: 4).expect(expected, what)
                            }
                        }
                    }
                }
            }
        }
    }
}
