import KernelTestSupport
import Testing

extension Flows {
    /// Clients that are to keep their server.
    @Suite struct `With session affinity` {
        let world = TwoNodes.shared

        /// How a Service is made and where its clients find it.
        private struct Way {
            let client: String
            var port: UInt16 = 80
            /// In the part about the timeout; another one for node ports, as the kernel remembers for how long it promised what.
            var timeoutPort: UInt16 = 80
            var servers: [Server] = [.pod1a, .pod2a]
            /// The Service with a letter of its own.
            let service: (Character) -> Service
            let address: (Character, Family) -> String
        }

        /// Expects clients to keep their server while there is affinity, and for its timeout, no longer.
        private func expectAffinity(_ way: Way) async throws {
            for isSticky in [false, true, false] {
                let service = isSticky ? way.service("a").withAffinity() : way.service("a")
                try await world.serve([Served(service, by: way.servers)])
                for family in Family.allCases {
                    for transport in ["tcp", "udp"] {
                        let answers = try world.ask(from: way.client, transport, way.address("a", family), way.port)
                        #expect(
                            answers.failed == 0 && answers.responders.count == (isSticky ? 1 : 2), "\(transport) \(isSticky): \(answers)")
                    }
                }
            }
            try await expectTimeout(way)
        }

        /// IPVS holds the affinity as long as it knows a connection of the client: those of UDP can be made short.
        private func expectTimeout(_ way: Way) async throws {
            let seconds = 3
            let served = Served(way.service("b").withAffinity(seconds: seconds), by: way.servers)
            try await world.serve([served])
            try await Shell.output(in: "node1", "ipvsadm --set 0 0 1")
            var seen: [Family: Set<String>] = [:]
            for _ in 1...2 {
                for family in Family.allCases {
                    let answers = try world.ask(from: way.client, "udp", way.address("b", family), way.timeoutPort, count: 4)
                    #expect(answers.failed == 0 && answers.responders.count == 1, "\(answers)")
                    seen[family, default: []].formUnion(answers.responders.keys)
                }
                let asked = ContinuousClock.now
                let virtual = [way.address("b", .v4), "[\(way.address("b", .v6))]"].map { "\($0):\(way.timeoutPort)" }
                try await world.wait(for: "the affinity to end") {
                    let connections = try await Shell.output(in: "node1", "ipvsadm -L -n -c")
                    return !virtual.contains { connections.contains($0) }
                }
                // The kernel counts in ticks, from a moment just before the answer.
                #expect(ContinuousClock.now - asked > .seconds(Double(seconds) - 0.5))
            }
            for family in Family.allCases { #expect(seen[family] == Set(way.servers.map(\.rawValue)), "each time is a new choice") }
            try await Shell.output(in: "node1", "ipvsadm --set 0 0 300")
        }

        @Test func `flow 17: a client of a cluster IP keeps its server with affinity, until its timeout, and not without`() async throws {
            try await expectAffinity(Way(client: "pod-1b", service: { Service(17, $0) }, address: { Address.cluster(17, $0, $1) }))
        }

        @Test func `flow 18: a client of a node port keeps its server with affinity, until its timeout, and not without`() async throws {
            let way = Way(
                client: "outside", port: 30180, timeoutPort: 30181,
                service: { Service(18, $0).onNodePort($0 == "a" ? 30180 : 30181) }, address: { Address.node(1, $1) })
            try await expectAffinity(way)
        }

        @Test(arguments: ["Cluster", "Local"])
        func `flow 37: a client of a load balancer keeps its server with either external policy`(policy: String) async throws {
            // Addresses of their own for each policy and part, as the kernel remembers for how long it promised what.
            func address(_ letter: Character, _ family: Family) -> String {
                Address.external((letter == "a" ? 37 : 137) + (policy == "Local" ? 100 : 0), through: 1, family)
            }
            let isLocal = policy == "Local"
            func service(_ letter: Character) -> Service {
                Service(37, letter == "a" ? (isLocal ? "a" : "b") : (isLocal ? "c" : "d"))
                    .onLoadBalancer(Family.allCases.map { address(letter, $0) }).with(externalPolicy: policy)
            }
            try await expectAffinity(
                Way(client: "outside", servers: isLocal ? [.pod1a, .pod1b] : [.pod1a, .pod2a], service: service, address: address))
        }
    }
}
