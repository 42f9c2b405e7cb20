import KernelTestSupport
import Testing

extension Scenarios {
    /// Clients that keep their UDP socket and so have conntrack entries.
    @Suite struct `A UDP client that keeps its socket` {
        let world = World.shared

        private func serve(_ pods: [String]) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(pods))
            try await world.start()
        }

        /// A client that keeps its socket.
        private struct Client {
            let name: String
            private let traffic: TrafficClient

            static func start(in namespace: String, _ address: String, _ port: UInt16) async throws -> Client {
                let location = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
                return Client(
                    name: "\(namespace) to \(location)",
                    traffic: try await .start(
                        in: namespace, "hold udp '\(location)' --json --follow --interval-ms 50 --timeout-ms 2000"))
            }

            /// Waits until the last request was answered by a server.
            func wait(for server: String) async throws {
                try await World.shared.wait(for: "\(server) to answer \(name)") { try reports().last?.hasPrefix("\(server) ") == true }
            }

            /// Waits until a request has failed.
            func waitForFailure() async throws {
                try await World.shared.wait(for: "a failed request of \(name)") {
                    try reports().contains { $0.contains("refused") || $0.contains("timed out") || $0.contains("not permitted") }
                }
            }

            /// The servers that answered with the client address that they saw, and the reasons of failures, in order, without repetitions.
            func reports() throws -> [String] { try traffic.written().split(separator: "\n").map(String.init) }

            func finish() async throws -> Answers {
                let lines = try await traffic.finish().split(separator: "\n")
                return try Answers.decode(String(lines.last ?? ""))
            }
        }

        /// The cluster IP and the node port.
        private func frontends(isV6: Bool) -> [(address: String, port: UInt16)] {
            isV6
                ? [(Manifests.clusterIP6, Manifests.port), (World.node.outside6, Manifests.nodePort)]
                : [(Manifests.clusterIP, Manifests.port), (World.node.outside, Manifests.nodePort)]
        }

        /// Starts clients in a pod, on the node and outside.
        private func startClients(_ frontends: [(address: String, port: UInt16)]) async throws -> [Client] {
            var clients: [Client] = []
            for namespace in ["pod-c", "node1", "outside"] {
                for (address, port) in frontends { clients.append(try await Client.start(in: namespace, address, port)) }
            }
            return clients
        }

        /// Expects that a change moves each client from one server to another, and that few requests are lost.
        private func expectMove(of clients: [Client], from old: String, to new: String, _ change: () async throws -> Void) async throws {
            for client in clients { try await client.wait(for: old) }
            try await change()
            for client in clients { try await client.wait(for: new) }
            for client in clients {
                let answers = try await client.finish()
                #expect(answers.responders.keys.sorted() == [old, new], "\(client.name): \(answers)")
                #expect(answers.failed <= 5, "\(client.name): \(answers)")
            }
        }

        @Test(arguments: [false, true])
        func `moves when its endpoint is removed`(isV6: Bool) async throws {
            try await serve(["pod-a"])
            let clients = try await startClients(frontends(isV6: isV6))
            try await expectMove(of: clients, from: "pod-a", to: "pod-b") {
                try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            }
        }

        @Test(arguments: [false, true])
        func `moves when the target port changes`(isV6: Bool) async throws {
            try await serve(["pod-a"])
            let other = "pod-a-9090"
            try await Shell.output("serve_traffic pod-a --name \(other) --udp 9090")
            let clients = try await startClients(frontends(isV6: isV6))
            try await expectMove(of: clients, from: "pod-a", to: other) {
                try await world.write("slices.yaml", Manifests.slices(["pod-a"]).replacing("port: 8080", with: "port: 9090"))
            }
        }

        @Test func `is answered once there is an endpoint, even if it sent requests before`() async throws {
            try await serve([])
            let clients = try await startClients(frontends(isV6: false) + frontends(isV6: true))
            for client in clients { try await client.waitForFailure() }
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            for client in clients { try await client.wait(for: "pod-a") }
            for client in clients { _ = try await client.finish() }
        }

        /// Without the flush, a flow that is older than the Service is not masqueraded, because NAT is already set up for its conntrack
        /// entry.
        @Test func `of a node port is masqueraded, even if it sent requests before the Service existed`() async throws {
            try await world.begin()
            try await world.start()
            let clients = [
                (World.node.bridge, try await Client.start(in: "outside", World.node.outside, Manifests.nodePort)),
                (World.node.bridge6, try await Client.start(in: "outside", World.node.outside6, Manifests.nodePort)),
            ]
            for family in ["ipv4", "ipv6"] { try await waitForFlow("-f \(family)") }
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            for (seen, client) in clients {
                // Datagrams may pass between adding the virtual server and flushing its conntrack entry, but none after the first masqueraded one.
                try await world.wait(for: "\(client.name) to be masqueraded") { try client.reports().last == "pod-a \(seen)" }
                let answers = try await client.finish()
                let later = try client.reports().filter { $0.hasPrefix("pod-a ") }.drop { $0 != "pod-a \(seen)" }
                #expect(!later.isEmpty && later.allSatisfy { $0 == "pod-a \(seen)" }, "\(answers)")
            }
        }

        /// Waits until there is a conntrack entry to the node port.
        private func waitForFlow(_ filter: String) async throws {
            try await world.wait(for: "a flow to the node port: \(filter)") {
                try await Shell.output(in: "node1", "conntrack -L -p udp --orig-port-dst \(Manifests.nodePort) \(filter) 2>/dev/null") != ""
            }
        }
    }
}
