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

        /// A client that keeps its socket and sends requests until it is stopped.
        private struct Client {
            /// The timeout of a request in milliseconds.
            static let timeout = 500
            let stop: String
            let result: String

            static func start(in namespace: String, _ address: String, _ port: UInt16) async throws -> Client {
                let id = "\(namespace)-\(address.replacing(":", with: "-"))-\(port)"
                let client = Client(stop: "\(Place.scratch)/stop-\(id)", result: "\(Place.scratch)/result-\(id)")
                let location = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
                try await Shell.output(
                    "rm -f \(client.stop) \(client.result); (setsid ip netns exec \(namespace) \(Place.traffic) hold udp '\(location)' --json "
                        + "--interval-ms 50 --timeout-ms \(timeout) --until-file \(client.stop) "
                        + "</dev/null >\(client.result).part 2>&1 || true; mv \(client.result).part \(client.result)) >/dev/null 2>&1 &")
                return client
            }

            func finish() async throws -> Answers {
                let text = try await Shell.output(
                    "touch \(stop); for i in $(seq 200); do [ -e \(result) ] && break; sleep 0.1; done; cat \(result)")
                return try Answers.decode(text)
            }
        }

        /// Waits until each address and port has conntrack entries that a server answers.
        private func waitForFlows(
            to frontends: [(address: String, port: UInt16)], answeredBy server: String, _ port: UInt16 = 8080, from count: Int = 1
        ) async throws {
            for frontend in frontends {
                try await world.wait(for: "\(count) flows to \(frontend) that \(server):\(port) answers") {
                    let flows = try await Shell.output(
                        in: "node1",
                        "conntrack -L -p udp --orig-dst \(frontend.address) --orig-port-dst \(frontend.port) --reply-src \(server) "
                            + "--reply-port-src \(port) 2>/dev/null")
                    return flows.split(separator: "\n").count { !$0.contains("UNREPLIED") } >= count
                }
            }
        }

        private func frontends(isV6: Bool) -> [(address: String, port: UInt16)] {
            isV6
                ? [(Manifests.clusterIP6, Manifests.port), (World.node.outside6, Manifests.nodePort)]
                : [(Manifests.clusterIP, Manifests.port), (World.node.outside, Manifests.nodePort)]
        }

        /// From a pod, from the node and from outside.
        private static let namespaces = ["pod-c", "node1", "outside"]

        private func startClients(_ frontends: [(address: String, port: UInt16)]) async throws -> [(name: String, client: Client)] {
            var clients: [(String, Client)] = []
            for namespace in Self.namespaces {
                for (address, port) in frontends {
                    clients.append(("\(namespace) to \(address):\(port)", try await Client.start(in: namespace, address, port)))
                }
            }
            return clients
        }

        @Test(arguments: [false, true])
        func `moves when its endpoint is removed`(isV6: Bool) async throws {
            try await serve(["pod-a"])
            let frontends = frontends(isV6: isV6)
            let clients = try await startClients(frontends)
            let pod = isV6 ? World.address6 : World.address
            try await waitForFlows(to: frontends, answeredBy: pod("pod-a"), from: Self.namespaces.count)
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await waitForFlows(to: frontends, answeredBy: pod("pod-b"), from: Self.namespaces.count)
            for (name, client) in clients {
                let answers = try await client.finish()
                #expect(answers.responders.keys.sorted() == ["pod-a", "pod-b"], "\(name): \(answers)")
                #expect(answers.failed <= 5, "\(name): \(answers)")
            }
        }

        @Test(arguments: [false, true])
        func `moves when the target port changes`(isV6: Bool) async throws {
            try await serve(["pod-a"])
            let name = "pod-a-9090"
            try await Shell.output(
                "setsid ip netns exec pod-a \(Place.traffic) serve --name \(name) --udp 9090 </dev/null >/dev/null 2>&1 & sleep 1")
            let frontends = frontends(isV6: isV6)
            let clients = try await startClients(frontends)
            let pod = isV6 ? World.address6("pod-a") : World.address("pod-a")
            try await waitForFlows(to: frontends, answeredBy: pod, from: Self.namespaces.count)
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]).replacing("port: 8080", with: "port: 9090"))
            try await waitForFlows(to: frontends, answeredBy: pod, 9090, from: Self.namespaces.count)
            for (client, holder) in clients {
                let answers = try await holder.finish()
                #expect(answers.responders.keys.sorted() == ["pod-a", name], "\(client): \(answers)")
                #expect(answers.failed <= 5, "\(client): \(answers)")
            }
        }

        @Test func `is answered once there is an endpoint, even if it sent requests before`() async throws {
            try await serve([])
            let all = frontends(isV6: false) + frontends(isV6: true)
            let clients = try await startClients(all)
            try await Task.sleep(for: .seconds(1))
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await waitForFlows(to: frontends(isV6: false), answeredBy: World.address("pod-a"), from: Self.namespaces.count)
            try await waitForFlows(to: frontends(isV6: true), answeredBy: World.address6("pod-a"), from: Self.namespaces.count)
            for (name, client) in clients {
                let answers = try await client.finish()
                #expect(answers.responders["pod-a", default: 0] > 0 && answers.failed > 0, "\(name): \(answers)")
            }
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
            try await world.wait(for: "flows to the node port") {
                let flows = try await Shell.output(
                    in: "node1",
                    "for family in ipv4 ipv6; do conntrack -L -f $family -p udp --orig-port-dst \(Manifests.nodePort) 2>/dev/null; done")
                return flows.split(separator: "\n").count == 2
            }
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await waitForFlows(to: [frontends(isV6: false)[1]], answeredBy: World.address("pod-a"))
            try await waitForFlows(to: [frontends(isV6: true)[1]], answeredBy: World.address6("pod-a"))
            for (seen, client) in clients {
                let answers = try await client.finish()
                #expect(answers.clients[seen, default: 0] > 0, "\(answers)")
                // One datagram may pass between adding the virtual server and flushing its conntrack entry.
                #expect(answers.answered - answers.clients[seen, default: 0] <= 2, "\(answers)")
            }
        }
    }
}
