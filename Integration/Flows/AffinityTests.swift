import KernelTestSupport
import Testing

extension Flows {
    /// Clients that must keep their server.
    @Suite struct `Session affinity` {
        let world = TwoNodes.shared

        /// A Service and the way in which its clients reach it.
        private struct Access {
            let client: String
            var port: UInt16 = 80
            /// The port of the timeout test; another one for node ports, because the kernel remembers earlier persistence timeouts.
            var timeoutPort: UInt16 = 80
            var servers: [Server] = [.pod1a, .pod2a]
            /// Returns the Service with this letter.
            let service: (Character) -> Service
            let address: (Character, Family) -> String
        }

        /// Expects clients to keep their server only with affinity, and only until its timeout.
        private func expectAffinity(_ access: Access) async throws {
            for isSticky in [false, true, false] {
                let service = isSticky ? access.service("a").withAffinity() : access.service("a")
                try await world.serve([Served(service, by: access.servers)])
                for family in Family.allCases {
                    for transport in ["tcp", "udp"] {
                        let answers = try world.ask(
                            from: access.client, transport, access.address("a", family), access.port, outcome: .serverCount)
                        #expect(
                            answers.failed == 0 && answers.responders.count == (isSticky ? 1 : 2), "\(transport) \(isSticky): \(answers)")
                    }
                }
            }
            try await expectTimeout(access)
        }

        /// IPVS keeps the affinity while it has a connection of the client, and only UDP connections can be given a short timeout.
        private func expectTimeout(_ access: Access) async throws {
            let seconds = 3
            let served = Served(access.service("b").withAffinity(seconds: seconds), by: access.servers)
            try await world.serve([served])
            try await Shell.output(in: "node1", "ipvsadm --set 0 0 1")
            var seen: [Family: Set<String>] = [:]
            for _ in 1...2 {
                var lastRequest = ContinuousClock.now
                for family in Family.allCases {
                    lastRequest = .now
                    let answers = try world.ask(
                        from: access.client, "udp", access.address("b", family), access.timeoutPort, count: 4, outcome: .serverCount)
                    #expect(answers.failed == 0 && answers.responders.count == 1, "\(answers)")
                    seen[family, default: []].formUnion(answers.responders.keys)
                }
                let virtual = [access.address("b", .v4), "[\(access.address("b", .v6))]"].map { "\($0):\(access.timeoutPort)" }
                try await world.wait(for: "the affinity to end") {
                    let connections = try await Shell.output(in: "node1", "ipvsadm -L -n -c")
                    return !virtual.contains { connections.contains($0) }
                }
                // The kernel counts in ticks.
                #expect(ContinuousClock.now - lastRequest > .seconds(Double(seconds) - 0.5))
            }
            for family in Family.allCases {
                #expect(seen[family] == Set(access.servers.map(\.rawValue)), "each affinity selects another server")
            }
            try await Shell.output(in: "node1", "ipvsadm --set 0 0 300")
        }

        @Test func `flow 17: a client of a cluster IP keeps its server only with affinity, and until its timeout`() async throws {
            try await expectAffinity(Access(client: "pod-1b", service: { Service(17, $0) }, address: { Address.cluster(17, $0, $1) }))
        }

        @Test func `flow 18: a client of a node port keeps its server only with affinity, and until its timeout`() async throws {
            let access = Access(
                client: "outside", port: 30180, timeoutPort: 30181,
                service: { Service(18, $0).onNodePort($0 == "a" ? 30180 : 30181) }, address: { Address.node(1, $1) })
            try await expectAffinity(access)
        }

        @Test(arguments: ["Cluster", "Local"])
        func `flow 37: a client of a load balancer keeps its server with affinity under either external policy`(policy: String) async throws
        {
            // Separate addresses for each policy and part, because the kernel remembers earlier persistence timeouts.
            func address(_ letter: Character, _ family: Family) -> String {
                Address.external((letter == "a" ? 37 : 137) + (policy == "Local" ? 100 : 0), through: 1, family)
            }
            let isLocal = policy == "Local"
            func service(_ letter: Character) -> Service {
                Service(37, letter == "a" ? (isLocal ? "a" : "b") : (isLocal ? "c" : "d"))
                    .onLoadBalancer(Family.allCases.map { address(letter, $0) }).with(externalPolicy: policy)
            }
            try await expectAffinity(
                Access(client: "outside", servers: isLocal ? [.pod1a, .pod1b] : [.pod1a, .pod2a], service: service, address: address))
        }
    }
}
