import KernelTestSupport
import Testing

extension Flows {
    /// Endpoints that are not ready or terminating, and the health checks of load balancers.
    @Suite struct `Endpoint states` {
        let world = TwoNodes.shared

        /// Sends requests to the cluster IP from a pod and a node, and to a node port from outside, in both families and protocols.
        private func expect(_ servers: Set<Server>, _ flow: Int, _ nodePort: UInt16, _ what: String) throws {
            for family in Family.allCases {
                for transport in ["tcp", "udp"] {
                    for (client, address, port) in [
                        ("pod-1b", Address.cluster(flow, "a", family), 80), ("node1", Address.cluster(flow, "a", family), 80),
                        ("outside", Address.node(1, family), nodePort),
                    ] as [(String, String, UInt16)] {
                        let place = "\(what): \(transport) from \(client) to \(address)"
                        if servers.isEmpty {
                            try world.ask(from: client, transport, address, port, count: 1).expectRefused(place)
                            continue
                        }
                        let own = Server.pod1b.address(family)
                        let seen = servers.map { ($0, client == "pod-1b" ? own : Address.masqueraded(by: 1, at: $0, family)) }
                        try world.ask(from: client, transport, address, port).expect(Dictionary(uniqueKeysWithValues: seen), place)
                    }
                }
            }
        }

        @Test func `flow 15: endpoints of a Service with publishNotReadyAddresses serve, terminating or not`() async throws {
            let service = Service(15).onNodePort(30150)
            let served = Served(service, by: [.pod1a], .publishedUnready).and(by: [.pod2a], part: "-leaving", .publishedTerminating)
            try await world.serve([served])
            try expect([.pod1a, .pod2a], 15, 30150, "both")
        }

        @Test func `flow 16: endpoints that are not ready do not serve, with or without a ready one`() async throws {
            let service = Service(16).onNodePort(30160)
            let served = Served(service, by: [.pod1a], .unready).and(by: [.pod2a], part: "-gone", .terminatingNotServing)
            try await world.serve([served])
            try expect([], 16, 30160, "none")
            try await world.serve([served.and(by: [.pod2b], part: "-ready")])
            try expect([.pod2b], 16, 30160, "one")
        }

        /// Policies, and the servers for pods of node 1 and for external clients through it.
        private static let fallbacks: [(inner: String, outer: String, pods: Set<Server>, outside: Set<Server>)] = [
            ("Cluster", "Cluster", [.pod1a, .pod2a], [.pod1a, .pod2a]), ("Local", "Cluster", [.pod1a], [.pod1a, .pod2a]),
            ("Cluster", "Local", [.pod1a, .pod2a], [.pod1a]), ("Local", "Local", [.pod1a], [.pod1a]),
        ]

        @Test(arguments: fallbacks.indices)
        func `flow 25: if no endpoint is ready, terminating endpoints that still serve are used`(index: Int) async throws {
            let row = Self.fallbacks[index]
            let port = UInt16(30250 + index)
            let service = Service(25, Character(UnicodeScalar(97 + UInt8(index)))).onNodePort(port)
                .with(internalPolicy: row.inner, externalPolicy: row.outer)
            let served = Served(service, by: [.pod1a, .pod2a], .terminating)
            // Adds terminating endpoints that no longer serve.
            try await world.serve([served.and(by: [.pod1b, .pod2b], part: "-gone", .terminatingNotServing)])
            for family in Family.allCases {
                let cluster = service.spec.clusterIPs?[family == .v4 ? 0 : 1] ?? ""
                let own = Server.pod1b.address(family)
                try world.ask(from: "pod-1b", cluster).expect(
                    Dictionary(uniqueKeysWithValues: row.pods.map { ($0, own) }), "\(row.inner) from a pod")
                let seen = row.outside.map {
                    ($0, row.outer == "Local" ? Address.outside(family) : Address.masqueraded(by: 1, at: $0, family))
                }
                try world.ask(from: "outside", Address.node(1, family), port).expect(
                    Dictionary(uniqueKeysWithValues: seen), "\(row.outer) from outside")
            }
            // A ready endpoint replaces them, with Local only on its own node.
            try await world.serve([served.and(by: [.pod2b], part: "-ready")])
            let inner = try world.ask(from: "pod-1b", service.spec.clusterIP ?? "")
            let outer = try world.ask(from: "outside", Address.node(1), port)
            #expect(inner.failed == 0 && Set(inner.responders.keys) == [row.inner == "Local" ? "pod-1a" : "pod-2b"], "\(inner)")
            #expect(outer.failed == 0 && Set(outer.responders.keys) == [row.outer == "Local" ? "pod-1a" : "pod-2b"], "\(outer)")
        }

        /// Returns the HTTP status of the health check node port of a node, or 000 without a response.
        private func health(_ node: Int, _ port: UInt16) async throws -> String {
            try await Shell.output(
                in: "outside",
                "curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' http://\(Address.node(node)):\(port)/ || true")
        }

        private func waitForHealth(_ expected: [String], _ port: UInt16) async throws {
            for node in 1...2 {
                try await world.wait(for: "node\(node) to return \(expected[node - 1])") {
                    try await health(node, port) == expected[node - 1]
                }
            }
        }

        @Test func `flow 24: the health check node port fails if all endpoints are terminating, which keep serving`() async throws {
            let address = Address.external(24, through: 1)
            var service = Service(24).onLoadBalancer([address]).with(externalPolicy: "Local")
            service.spec.healthCheckNodePort = 31240
            try await world.serve([Served(service, by: [.pod1a])])
            try await waitForHealth(["200", "503"], 31240)
            try await world.serve([Served(service, by: [.pod1a], .terminating)])
            try await waitForHealth(["503", "503"], 31240)
            try world.ask(from: "outside", address).expect([.pod1a: Address.outside()], "while it terminates")
        }

        @Test func `flow 28: changing the external policy changes the servers of a node port and its health check`() async throws {
            let service = Service(28).onLoadBalancer([Address.external(28, through: 1)]).onPorts(30280)
            var local = service.with(externalPolicy: "Local")
            local.spec.healthCheckNodePort = 31280
            for service in [local, service, local] {
                let isLocal = service.spec.externalTrafficPolicy == "Local"
                try await world.serve([Served(service, by: [.pod1a])])
                try await waitForHealth(isLocal ? ["200", "503"] : ["000", "000"], 31280)
                for address in [Address.node(1), Address.external(28, through: 1)] {
                    let port: UInt16 = address == Address.node(1) ? 30280 : 80
                    try world.ask(from: "outside", address, port).expect(
                        [.pod1a: isLocal ? Address.outside() : Address.bridge(1)], "\(address), Local: \(isLocal)")
                }
                let far = try world.ask(
                    from: "outside", "tcp", Address.node(2), 30280, count: 2, options: "--timeout-ms \(isLocal ? 1500 : 10000)")
                if isLocal { far.expectDropped("through node 2") } else { far.expect([.pod1a: Address.node(2)], "through node 2") }
            }
        }
    }
}
