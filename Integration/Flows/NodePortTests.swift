import KernelTestSupport
import Testing

extension Flows {
    /// Requests from all clients to node ports, external and load balancer addresses.
    @Suite struct `Node ports and external addresses` {
        let world = TwoNodes.shared

        /// Returns virtual servers, addresses and members of sets.
        private func state(of node: String) async throws -> String {
            let members = try await NodeFilter(node).members()
            return try await Shell.output(in: node, "ipvsadm -S -n; ip address") + "\n" + members.joined(separator: "\n")
        }

        @Test func `flow 10: a node port answers on both nodes, for pods, nodes and external clients`() async throws {
            try await world.serve([Served(Service(10).onNodePort(30100), by: [.pod1a, .pod2a])])
            for family in Family.allCases {
                for node in 1...2 {
                    let expected = Dictionary(
                        uniqueKeysWithValues: [Server.pod1a, .pod2a].map { ($0, Address.masqueraded(by: node, at: $0, family)) })
                    for client in ["outside", "node1", "node2"] where client == "outside" || client == "node\(node)" {
                        for transport in ["tcp", "udp"] {
                            try world.ask(from: client, transport, Address.node(node, family), 30100).expect(
                                expected, "\(transport) from \(client) through node \(node)")
                        }
                    }
                    try world.ask(from: "node\(3 - node)", Address.node(node, family), 30100).expect(expected, "from the other node")
                    try world.ask(from: "pod-1b", Address.node(node, family), 30100).expect(expected, "from a pod through node \(node)")
                }
            }
        }

        @Test func `flow 11: an external IP that no node has is reached through either node, and from pods`() async throws {
            var service = Service(11)
            service.spec.externalIPs = Family.allCases.flatMap { family in (1...2).map { Address.external(11, through: $0, family) } }
            try await world.serve([Served(service, by: [.pod1a, .pod2a])])
            for family in Family.allCases {
                for node in 1...2 {
                    let expected = Dictionary(
                        uniqueKeysWithValues: [Server.pod1a, .pod2a].map { ($0, Address.masqueraded(by: node, at: $0, family)) })
                    let address = Address.external(11, through: node, family)
                    try world.ask(from: "outside", address).expect(expected, "from outside through node \(node)")
                    try world.ask(from: "pod-\(node)b", address).expect(expected, "from a pod of node \(node)")
                }
            }
        }

        @Test func `flow 12: removing UDP from a node port of TCP and UDP keeps TCP`() async throws {
            let both = Service(12).onNodePort(30120)
            try await world.serve([Served(both, by: [.pod2a])])
            let seen = Address.masqueraded(by: 1, at: .pod2a)
            for transport in ["tcp", "udp"] {
                try world.ask(from: "outside", transport, Address.node(1), 30120).expect([.pod2a: seen], transport)
            }
            var one = both
            one.spec.ports.removeLast()
            try await world.serve([Served(one, by: [.pod2a])])
            try world.ask(from: "outside", Address.node(1), 30120).expect([.pod2a: seen], "TCP")
            try world.ask(from: "outside", "udp", Address.node(1), 30120, count: 1).expectRefused("UDP")
        }

        @Test func `flow 13: a Service that changes its type is served according to its type`() async throws {
            let service = Service(13)
            let (cluster, node) = (Served(service, by: [.pod2a]), Served(service.onNodePort(30130), by: [.pod2a]))
            var external = service
            external.spec = .init(type: "ExternalName", ipFamilies: nil, ipFamilyPolicy: nil, ports: [], externalName: "example.org")
            for served in [cluster, node, Served(external, by: []), node, cluster] {
                try await world.serve([served])
                let type = served.service.spec.type
                let (inner, outer) = (
                    try world.ask(from: "pod-1a", Address.cluster(13), count: 1),
                    try world.ask(from: "outside", Address.node(1), 30130, count: 1)
                )
                #expect(inner.answered == (type == "ExternalName" ? 0 : 1), "\(type): \(inner)")
                #expect(outer.answered == (type == "NodePort" ? 1 : 0), "\(type): \(outer)")
                let state = try await state(of: "node1")
                #expect(state.contains("10.96.13.1") == (type != "ExternalName"), "\(type): \(state)")
            }
        }

        @Test func `flow 14: a deleted Service releases its node port`() async throws {
            try await world.serve([Served(Service(14).onNodePort(30140), by: [.pod2a])])
            #expect(try world.ask(from: "outside", Address.node(1), 30140).failed == 0)
            try await world.serve([])
            try world.ask(from: "outside", Address.node(1), 30140, count: 1).expectRefused("the node port")
            #expect(try await !state(of: "node1").contains("30140"))
        }

        @Test func `flow 21: a Service without endpoints refuses every client on every address`() async throws {
            let external = Family.allCases.map { Address.external(21, through: 1, $0) }
            var service = Service(21).onNodePort(30210).onLoadBalancer(Family.allCases.map { Address.external(121, through: 1, $0) })
            service.spec.externalIPs = external
            try await world.serve([Served(service, by: [])])
            for family in Family.allCases {
                let frontends: [(String, UInt16)] = [
                    (Address.cluster(21, "a", family), 80), (Address.node(1, family), 30210),
                    (Address.external(21, through: 1, family), 80), (Address.external(121, through: 1, family), 80),
                ]
                for (address, port) in frontends {
                    for client in ["pod-1a", "node1", "outside"] {
                        for transport in ["tcp", "udp"] {
                            try world.ask(from: client, transport, address, port, count: 1).expectRefused(
                                "\(transport) from \(client) to \(address)")
                        }
                    }
                }
            }
        }

        @Test func `flow 22: internal policy Local uses only endpoints of the node, pods or hosts, for pods and the node`()
            async throws
        {
            let service = Service(22).with(internalPolicy: "Local")
            for servers in [[.pod1a], [.host1], [.pod1a, .host1, .pod2b]] as [[Server]] {
                try await world.serve([Served(service, by: servers)])
                let here = servers.filter { $0.number == 1 }
                for family in Family.allCases {
                    let address = Address.cluster(22, "a", family)
                    for transport in ["tcp", "udp"] {
                        let pod = Dictionary(uniqueKeysWithValues: here.map { ($0, Server.pod1b.address(family)) })
                        try world.ask(from: "pod-1b", transport, address).expect(pod, "\(transport) from a pod to \(servers)")
                        // A connection from the node to itself is masqueraded as well, with any of its addresses.
                        let node = try world.ask(from: "node1", transport, address)
                        let addresses: Set = [Address.node(1, family), Address.bridge(1, family)]
                        #expect(
                            node.failed == 0 && Set(node.responders.keys) == Set(here.map(\.rawValue))
                                && addresses.isSuperset(of: node.clients.keys), "\(transport) from the node to \(servers): \(node)")
                        guard !servers.contains(.pod2b) else { continue }
                        for client in ["pod-2a", "node2"] {
                            try world.ask(from: client, transport, address, count: 1).expectRefused("\(transport) from \(client)")
                        }
                    }
                }
            }
        }

        @Test func `flow 23: external policy Local preserves the client address, and a node without endpoints drops packets`() async throws
        {
            var service = Service(23).onNodePort(30230)
            service.spec.externalTrafficPolicy = "Local"
            try await world.serve([Served(service, by: [.pod1a])])
            for family in Family.allCases {
                for transport in ["tcp", "udp"] {
                    try world.ask(from: "outside", transport, Address.node(1, family), 30230).expect(
                        [.pod1a: Address.outside(family)], transport)
                    try world.ask(from: "outside", transport, Address.node(2, family), 30230, count: 1, options: "--timeout-ms 1500")
                        .expectDropped(
                            "\(transport) through the other node")
                }
            }
        }

        /// Source ranges and the clients that they accept: external clients, pods of both nodes, and the nodes, whose source is the address
        /// itself.
        private static let sourceRanges: [(ranges: [String], allowed: Set<String>)] = [
            (["10.99.0.0/24", "fd00:99::/64"], ["outside"]), (["10.99.0.2/32", "fd00:99::2/128"], ["outside"]),
            (["10.244.1.0/24", "fd00:244:1::/64"], ["pod-1b"]),
            (["10.244.0.0/16", "fd00:244::/32", "10.99.0.0/24", "fd00:99::/64"], ["pod-1b", "pod-2b", "outside"]),
            (["203.0.113.0/24", "2001:db8::/32"], []), (["0.0.0.0/0", "::/0"], ["outside", "pod-1b", "pod-2b", "node1", "node2"]),
        ]

        @Test(arguments: sourceRanges.indices)
        func `flow 36: a load balancer accepts only its source ranges`(index: Int) async throws {
            let row = Self.sourceRanges[index]
            let addresses = Family.allCases.map { Address.external(36, through: 1, $0) }
            var service = Service(36).onLoadBalancer(addresses)
            service.spec.loadBalancerSourceRanges = row.ranges
            try await world.serve([Served(service, by: [.pod1a, .pod2a])])
            for address in addresses {
                for client in ["outside", "pod-1b", "pod-2b", "node1", "node2"] {
                    let isAllowed = row.allowed.contains(client)
                    let options = isAllowed ? "--timeout-ms 10000" : "--timeout-ms 700"
                    for transport in ["tcp", "udp"] {
                        let answers = try world.ask(from: client, transport, address, count: isAllowed ? 4 : 1, options: options)
                        #expect(answers.answered == (isAllowed ? 4 : 0), "\(transport) from \(client) to \(address): \(answers)")
                    }
                }
            }
        }

        @Test func `flow 38: a load balancer without node ports has no node port state`() async throws {
            var service = Service(38)
            service.spec.type = "LoadBalancer"
            service.spec.allocateLoadBalancerNodePorts = false
            service.status.loadBalancer.ingress = [.init(ip: Address.external(38, through: 2))]
            try await world.serve([Served(service, by: [.pod1a, .pod2a])])
            try world.ask(from: "outside", Address.external(38, through: 2)).expect(
                [.pod1a: Address.node(2), .pod2a: Address.bridge(2)], "through node 2")
            let servers = try await Shell.output(in: "node2", "ipvsadm -S -n | grep '^-A'")
            #expect(!servers.contains("10.99.2.2:"), "\(servers)")
            let members = try await NodeFilter("node2").members()
            #expect(!members.isEmpty && !members.contains { $0.hasPrefix("KUBE-NODE-PORT") }, "\(members)")
        }

        @Test func `flow 39: an address with ipMode Proxy is not served by nodes`() async throws {
            var service = Service(39)
            service.spec.type = "LoadBalancer"
            service.status.loadBalancer.ingress = [.init(ip: Address.external(39, through: 1), ipMode: "Proxy")]
            try await world.serve([Served(service, by: [.pod1a])])
            #expect(
                try await !state(of: "node1").contains(Address.external(39, through: 1)))
            #expect(try world.ask(from: "pod-1b", Address.cluster(39)).failed == 0)
        }

        @Test func `flow 41: a pod on a node without endpoints reaches a load balancer of policy Local, with its own address`()
            async throws
        {
            var service = Service(41)
            service.spec.type = "LoadBalancer"
            service.spec.externalTrafficPolicy = "Local"
            service.status.loadBalancer.ingress = [.init(ip: Address.external(41, through: 1))]
            try await world.serve([Served(service, by: [.pod2a, .pod2b])])
            let own = Server.pod1a.address()
            try world.ask(from: "pod-1a", Address.external(41, through: 1)).expect([.pod2a: own, .pod2b: own], "from a pod")
        }

        @Test func `flow 49: the hosts of both nodes serve as endpoints`() async throws {
            try await world.serve([Served(Service(49), by: [.host1, .host2])])
            for client in [Server.pod1a, .pod2a] {
                for family in Family.allCases {
                    for transport in ["tcp", "udp"] {
                        let own = client.address(family)
                        try world.ask(from: client.rawValue, transport, Address.cluster(49, "a", family)).expect(
                            [.host1: own, .host2: own], "\(transport) from \(client)")
                    }
                }
            }
        }
    }
}
