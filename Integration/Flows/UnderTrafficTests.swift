import KernelTestSupport
import Testing

extension Flows {
    /// Endpoints and Services are added and removed under traffic: nothing fails while any endpoint keeps serving.
    @Suite struct `Under constant traffic` {
        let world = TwoNodes.shared

        /// Stops the clients and expects that every request was answered.
        private func expectNoFailures(_ works: [String: Work], atLeast count: Int = 5) throws {
            for (name, work) in works.sorted(by: { $0.key < $1.key }) {
                let answers = try work.finish()
                #expect(answers.failed == 0 && answers.requests >= count, "\(name): \(answers)")
            }
        }

        /// Starts clients with new connections from pods, a node and outside, in both families; each sends some requests after the last change.
        private func clients(_ flow: Int, _ letter: Character = "a", nodePort: UInt16) throws -> [String: Work] {
            func ask(from client: String, _ address: String, _ port: UInt16 = 80) throws -> Work {
                try world.begin("ask", from: client, address, port, options: "--interval-ms 10 --timeout-ms 10000 --then-count 5")
            }
            return [
                "from a pod": try ask(from: "pod-1b", Address.cluster(flow, letter)),
                "from a pod over IPv6": try ask(from: "pod-2b", Address.cluster(flow, letter, .v6)),
                "from the other node": try ask(from: "node2", Address.cluster(flow, letter)),
                "from outside": try ask(from: "outside", Address.node(1), nodePort),
            ]
        }

        @Test(arguments: ["Cluster", "Local"])
        func `flow 40: a rolling update through all endpoints fails no request and breaks no connection`(policy: String) async throws {
            let isLocal = policy == "Local"
            let (letter, port): (Character, UInt16) = isLocal ? ("b", 30401) : ("a", 30400)
            let service = Service(40, letter).onNodePort(port).with(externalPolicy: policy)
            // One server is replaced at a time; the previous one keeps answering, like a terminating pod.
            let rounds: [[Server]] = [[.pod1a, .pod2a], [.pod1b, .pod2a], [.pod1b, .pod2b], [.pod1a, .pod2b]]
            try await world.serve([Served(service, by: rounds[0])])
            var works = try clients(40, letter, nodePort: port)
            works["a long-lived connection"] = try world.begin("hold", from: "pod-1a", Address.cluster(40, letter))
            for servers in rounds.dropFirst() + rounds + rounds { try await world.serve([Served(service, by: servers)]) }
            try expectNoFailures(works)
        }

        @Test func `load 1: an endpoint that flaps fails no request`() async throws {
            let service = Service(51).onNodePort(30510)
            let steady = Served(service, by: [.pod2a])
            try await world.serve([steady])
            let works = try clients(51, nodePort: 30510)
            for state in (0..<6).flatMap({ _ in [Slice.Endpoint.Conditions(), .terminating, Slice.Endpoint.Conditions(), .unready] }) {
                try await world.serve([steady.and(by: [.pod1a], part: "-flaps", state)])
            }
            try expectNoFailures(works)
        }

        @Test func `load 2: a Service that is deleted and recreated with its address fails only in between`() async throws {
            let neighbour = Served(Service(52, "b").onNodePort(30521), by: [.pod1a])
            for servers in [[Server.pod1a, .pod2a], [.pod2b, .pod1a], [.pod1b, .pod2a]] {
                let served = Served(Service(52).onNodePort(30520), by: servers)
                try await world.serve([served, neighbour])
                try expectNoFailures(try clients(52, nodePort: 30520))
                let others = try world.begin("ask", from: "pod-2b", Address.cluster(52, "b"))
                try await world.serve([neighbour])
                for (client, address, port) in [("pod-1b", Address.cluster(52), 80), ("outside", Address.node(1), 30520)]
                    as [(String, String, UInt16)]
                {
                    let answers = try world.ask(from: client, "tcp", address, port, count: 3, options: "--timeout-ms 700")
                    #expect(answers.answered == 0, "\(client): \(answers)")
                }
                try await world.serve([served, neighbour])
                try expectNoFailures(["another Service": others])
                let answers = try world.ask(from: "pod-1b", Address.cluster(52), count: 20)
                #expect(answers.failed == 0 && Set(answers.responders.keys) == Set(servers.map(\.rawValue)), "\(answers)")
            }
        }

        @Test func `load 3: a client with affinity keeps its server while others change, and gets another when it is removed`() async throws
        {
            let service = Service(53).onNodePort(30530).withAffinity()
            try await world.serve([Served(service, by: [.pod1a])])
            // The affinity of each client begins here: a client in the background may send its first request only after a change.
            for (client, address, port) in [
                ("pod-1b", Address.cluster(53), 80), ("pod-2b", Address.cluster(53, "a", .v6), 80), ("node2", Address.cluster(53), 80),
                ("outside", Address.node(1), 30530),
            ] as [(String, String, UInt16)] {
                let answers = try world.ask(from: client, address, port, count: 1)
                #expect(answers.responders == ["pod-1a": 1], "\(client): \(answers)")
            }
            var works = try clients(53, nodePort: 30530)
            for _ in 1...2 {
                for servers in [[.pod1a, .pod2a], [.pod1a, .pod2a, .pod2b], [.pod1a, .pod1b], [.pod1a]] as [[Server]] {
                    try await world.serve([Served(service, by: servers)])
                }
            }
            for (name, work) in works {
                let answers = try work.finish()
                #expect(answers.failed == 0 && answers.responders == ["pod-1a": answers.requests], "\(name): \(answers)")
            }
            works = try clients(53, nodePort: 30530)
            for servers in [[.pod1a, .pod2a], [.pod2a], [.pod2a, .pod2b], [.pod2b]] as [[Server]] {
                try await world.serve([Served(service, by: servers)])
            }
            for (name, work) in works {
                let answers = try work.finish()
                #expect(answers.failed == 0 && Set(answers.responders.keys).isSuperset(of: ["pod-2b"]), "\(name): \(answers)")
            }
        }
    }
}
