import KernelTestSupport
import Testing

extension Flows {
    /// Every client at every kind of address under every policy: who answers, and which client they see. Clients of node 1, endpoints on both nodes.
    @Suite struct `From everybody to everywhere` {
        let world = TwoNodes.shared

        enum Door: CaseIterable { case clusterIP, nodePort, loadBalancer }
        /// The Services: without policy, `externalTrafficPolicy: Local` and `internalTrafficPolicy: Local`.
        enum Policy: Character, CaseIterable { case cluster = "a", externalLocal = "b", internalLocal = "c" }
        enum Client: String, CaseIterable { case pod = "pod-1b", node = "node1", outside }

        /// What decides whose connections to cluster IPs are masqueraded: the pods' ranges, nothing, or the flag for all.
        enum Masquerading: String, CaseIterable {
            case others = "", nobody = "--cluster-cidr="
            case everybody = "--masquerade-all"
        }

        private func index(_ policy: Policy) -> Int { Policy.allCases.firstIndex(of: policy) ?? 0 }

        private func location(_ door: Door, _ policy: Policy, _ family: Family) -> (address: String, port: UInt16) {
            switch door {
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

        /// Which servers answer, and by what address they see the client.
        private func expected(_ client: Client, _ door: Door, _ policy: Policy, _ family: Family, _ masquerading: Masquerading)
            -> [Server: String]
        {
            let isLocal = door == .clusterIP ? policy == .internalLocal : policy == .externalLocal
            let isMasqueraded: Bool =
                switch (door, masquerading) {
                case (.clusterIP, .others): client != .pod
                // The node's own connections have the cluster IP for a source as well.
                case (.clusterIP, .nobody): client == .node
                case (.clusterIP, .everybody): true
                case (.nodePort, _), (.loadBalancer, _): policy != .externalLocal
                }
            let own =
                switch client {
                case .pod: Server.pod1b.address(family)
                case .node: location(door, policy, family).address
                case .outside: Address.outside(family)
                }
            let servers: [Server] = isLocal ? [.pod1a] : [.pod1a, .pod2a]
            let seen = servers.map { ($0, isMasqueraded ? Address.masqueraded(by: 1, at: $0, family) : own) }
            return Dictionary(uniqueKeysWithValues: seen)
        }

        @Test(arguments: Masquerading.allCases)
        func `flow 42: every client gets the servers that the policies say, who see it as they should`(masquerading: Masquerading)
            async throws
        {
            try await world.serve(Policy.allCases.map { Served(service($0), by: [.pod1a, .pod2a]) }, flags: masquerading.rawValue)
            for policy in Policy.allCases {
                for (door, client) in Door.allCases.flatMap({ door in Client.allCases.map { (door, $0) } }) {
                    for family in Family.allCases {
                        for transport in ["tcp", "udp"] {
                            let (address, port) = location(door, policy, family)
                            let what = "\(transport) from \(client) to \(door) of \(policy), \(family)"
                            let expected = expected(client, door, policy, family, masquerading)
                            if client == .outside, door == .clusterIP, masquerading == .nobody, expected[.pod2a] != nil {
                                // The other node's pod answers the client directly, past the node that knows the connection.
                                let answers = try world.ask(
                                    from: client.rawValue, transport, address, port, count: 4, options: "--timeout-ms 500")
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
