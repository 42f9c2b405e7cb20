import KernelTestSupport
import Testing

extension Flows {
    /// Clients with conntrack entries whose servers change.
    @Suite struct `Connection tracking of long-lived clients` {
        let world = TwoNodes.shared

        /// A client that uses one source port for all its datagrams, like a client that keeps its socket.
        private struct Client {
            let namespace: String
            let address: String
            let port: UInt16

            func ask(_ world: TwoNodes, count: Int, outcome: Outcome = .servers) throws -> Answers {
                try world.ask(
                    from: namespace, "udp", address, port, count: count, options: "--timeout-ms 3000 --source-port 31030", outcome: outcome)
            }

            /// Waits for the first response of a server, and expects all later responses from it.
            func expect(_ server: String, _ world: TwoNodes) async throws {
                try await world.wait(for: "\(server) to answer \(self)", seconds: 30) {
                    try ask(world, count: 1, outcome: .none).responders == [server: 1]
                }
                let answers = try ask(world, count: 3)
                #expect(answers.responders == [server: 3], "\(self): \(answers)")
            }
        }

        private func clients(_ flow: Int, _ letter: Character = "a", nodePort: UInt16) -> [Client] {
            Family.allCases.flatMap { family in
                ["pod-1b", "node1", "outside"].map { Client(namespace: $0, address: Address.cluster(flow, letter, family), port: 80) }
                    + [Client(namespace: "outside", address: Address.node(1, family), port: nodePort)]
            }
        }

        @Test(arguments: ["Cluster", "Local"])
        func `flow 30: a UDP client moves to the replacement of its server, with either internal policy`(policy: String)
            async throws
        {
            let isLocal = policy == "Local"
            let port: UInt16 = isLocal ? 30301 : 30300
            let service = Service(30, isLocal ? "b" : "a").onNodePort(port).with(internalPolicy: policy)
            let clients = clients(30, isLocal ? "b" : "a", nodePort: port)
            for server in isLocal ? [Server.pod1a, .pod1b, .pod1a] : [.pod1a, .pod2a, .pod1a] {
                try await world.serve([Served(service, by: [server])])
                for client in clients { try await client.expect(server.rawValue, world) }
            }
        }

        @Test func `flow 31: a refused UDP client is answered once there is a ready endpoint`() async throws {
            let service = Service(31).onNodePort(30310)
            try await world.serve([Served(service, by: [.pod2a], .unready)])
            let clients = clients(31, nodePort: 30310)
            for client in clients { try client.ask(world, count: 2).expectRefused("\(client)") }
            try await world.serve([Served(service, by: [.pod2a])])
            for client in clients { try await client.expect("pod-2a", world) }
        }

        @Test func `flow 32: a UDP client follows its server to another port`() async throws {
            let service = Service(32).onNodePort(30320)
            let clients = clients(32, nodePort: 30320)
            for (port, name) in [(8080, "pod-2a"), (9090, "pod-2a/9090"), (8080, "pod-2a")] as [(UInt16, String)] {
                try await world.serve([Served(service, by: [.pod2a], ports: ["udp": port])])
                for client in clients { try await client.expect(name, world) }
            }
        }

        /// Returns the number of packets that connection tracking of the node marked invalid.
        private func invalidPackets() async throws -> Int {
            try await Shell.output(in: "node1", "conntrack -S").matches(of: /\binvalid=([0-9]+)/).compactMap { Int($0.1) }.reduce(0, +)
        }

        private func resets(_ namespace: String) async throws -> String {
            try await Shell.output(in: namespace, "nstat --zeros --ignore --noupdate TcpOutRsts | awk '/TcpOutRsts/ {print $2}'")
        }

        @Test func `flow 33: a connection with packets that connection tracking marks invalid continues without a reset`() async throws {
            try await world.serve([Served(Service(33), by: [.pod2a])])
            let address = Address.cluster(33)
            let ends = ["pod-1b", "pod-2a"]
            let work = try world.begin("hold", from: "pod-1b", address, options: "--interval-ms 20 --timeout-ms 10000")
            try await world.wait(for: "the connection") {
                try await Shell.output(in: "node1", "conntrack -L -p tcp --orig-dst \(address) 2>/dev/null").contains("ESTABLISHED")
            }
            var before: [String] = []
            for end in ends { before.append(try await resets(end)) }
            let invalid = try await invalidPackets()
            // Strict connection tracking marks the packets of a connection invalid if it has not seen its start.
            let loose = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"
            try await Shell.output(in: "node1", "echo 0 >\(loose); conntrack -D -p tcp --orig-dst \(address) >/dev/null 2>&1")
            try await world.wait(for: "invalid packets") { try await invalidPackets() > invalid + 20 }
            let answers = try work.finish()
            try await Shell.output(in: "node1", "echo 1 >\(loose)")
            #expect(answers.failed == 0 && answers.answers == ["pod-2a \(Server.pod1b.address())": answers.requests], "\(answers)")
            var after: [String] = []
            for end in ends { after.append(try await resets(end)) }
            #expect(before == after, "resets of \(ends)")
        }
    }
}
