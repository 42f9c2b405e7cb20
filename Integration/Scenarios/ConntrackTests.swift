import FoundationEssentials
import Model
import Testing

extension Scenarios {
    /// What connection tracking remembers of UDP, judged by `conntrack` and by clients that keep their socket.
    @Suite struct `UDP` {
        let world = World.shared
        private static let external = "192.0.2.10"
        private static let balancer = "192.0.2.20"
        private static let external6 = "2001:db8::10"
        private static let balancer6 = "2001:db8::20"

        private func serve(_ pods: [String]) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(pods))
            try await world.start()
        }

        // MARK: Entries

        /// An entry of connection tracking, made by `conntrack -I`; its source port is its name.
        private struct Entry {
            var sourcePort: Int
            var command: String
        }

        /// Numbers entries from 20001 on.
        private struct Entries {
            var list: [Entry] = []

            @discardableResult
            mutating func add(_ transport: String, to address: String, _ port: UInt16, answeredBy server: String, _ serverPort: UInt16)
                -> Int
            {
                let sourcePort = 20001 + list.count
                let client = address.contains(":") ? World.address6("pod-c") : World.address("pod-c")
                let state =
                    switch transport {
                    case "tcp": "--state ESTABLISHED"
                    case "sctp": "--state ESTABLISHED --orig-vtag 1 --reply-vtag 2"
                    default: ""
                    }
                list.append(
                    Entry(
                        sourcePort: sourcePort,
                        command: "conntrack -I -p \(transport) -t 900 -s \(client) -d \(address) -r \(server) -q \(client) "
                            + "--sport \(sourcePort) --dport \(port) --reply-port-src \(serverPort) --reply-port-dst \(sourcePort) \(state)"
                    ))
                return sourcePort
            }

            var script: String { list.map(\.command).joined(separator: "\n") }
        }

        /// The source ports of the entries that there are, in both families and all protocols.
        private func sourcePorts() async throws -> Set<Int> {
            let listing = try await Shell.output(in: "node1", "conntrack -L -f ipv4 2>/dev/null; conntrack -L -f ipv6 2>/dev/null")
            let ports = listing.split(separator: "\n").compactMap { line in
                line.split(separator: " ").first { $0.hasPrefix("sport=") }.flatMap { Int($0.dropFirst(6)) }
            }
            return Set(ports.filter { (20001..<30000).contains($0) })
        }

        /// How many flows the proxy says that it had forgotten.
        private func forgottenFlows() async throws -> Int {
            try await world.log().split(separator: "\n").compactMap { line in
                guard let start = line.firstRange(of: "forgottenFlows=") else { return nil }
                return Int(line[start.upperBound...].drop { $0 == "\"" }.prefix { $0.isNumber })
            }.reduce(0, +)
        }

        /// A UDP Service on a cluster IP, an external one, a load balancer's and a node port, of one family.
        private func everywhere(isV6: Bool) -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: default}
            spec:
              type: LoadBalancer
              clusterIP: "\(isV6 ? Manifests.clusterIP6 : Manifests.clusterIP)"
              ipFamilies: [\(isV6 ? "IPv6" : "IPv4")]
              externalIPs: ["\(isV6 ? UDP.external6 : UDP.external)"]
              ports:
              - {name: udp, protocol: UDP, port: 80, targetPort: 8080, nodePort: \(Manifests.nodePort)}
            status: {loadBalancer: {ingress: [{ip: "\(isV6 ? UDP.balancer6 : UDP.balancer)"}]}}
            """
        }

        @Test(arguments: [false, true])
        func `flows are forgotten where no endpoint in service answers them, and no others`(isV6: Bool) async throws {
            try await world.begin()
            try await world.write("web.yaml", everywhere(isV6: isV6))
            try await world.write("slices.yaml", Manifests.slices(["pod-a", "pod-b"]))
            try await world.start()

            let clusterIP = isV6 ? Manifests.clusterIP6 : Manifests.clusterIP
            let frontends: [(String, UInt16)] = [
                (clusterIP, 80), (isV6 ? UDP.external6 : UDP.external, 80), (isV6 ? UDP.balancer6 : UDP.balancer, 80),
                (isV6 ? World.node.outside6 : World.node.outside, Manifests.nodePort),
                (isV6 ? World.node.bridge6 : World.node.bridge, Manifests.nodePort),
            ]
            let pod = isV6 ? World.address6 : World.address
            let gone = isV6 ? "fd00:244:1::99" : "10.244.1.99"
            let elsewhere = isV6 ? "2001:db8::99" : "198.51.100.9"
            var entries = Entries()
            var stale: Set<Int> = []
            for (address, port) in frontends {
                stale.insert(entries.add("udp", to: address, port, answeredBy: pod("pod-b"), 8080))
                stale.insert(entries.add("udp", to: address, port, answeredBy: gone, 8080))
                // Its old port, and a flow that is older than the Service.
                stale.insert(entries.add("udp", to: address, port, answeredBy: pod("pod-a"), 9090))
                stale.insert(entries.add("udp", to: address, port, answeredBy: address, port))
                entries.add("udp", to: address, port, answeredBy: pod("pod-a"), 8080)
                entries.add("udp", to: address, 3000, answeredBy: pod("pod-b"), 8080)
                entries.add("tcp", to: address, port, answeredBy: pod("pod-b"), 8080)
                entries.add("sctp", to: address, port, answeredBy: pod("pod-b"), 8080)
            }
            // Somebody else's, on a port that is a node port here.
            entries.add("udp", to: elsewhere, Manifests.nodePort, answeredBy: elsewhere, Manifests.nodePort)
            try await Shell.output(in: "node1", "{ \(entries.script)\n} >/dev/null 2>&1")
            let all = Set(entries.list.map(\.sourcePort))
            #expect(try await sourcePorts() == all, "conntrack made them all")

            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.wait(for: "flows to be forgotten") { try await forgottenFlows() > 0 }
            let left = try await sourcePorts()
            #expect(
                left == all.subtracting(stale),
                "too many: \(left.intersection(stale)), too few: \(all.subtracting(left).subtracting(stale))")
            #expect(try await forgottenFlows() == stale.count)
        }

        @Test func `flows go when the last endpoint does, and when the Service does; those of one that does not change stay`() async throws
        {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await world.write("other.yaml", Manifests.web(name: "other", address: "10.96.0.20", address6: "fd00:96::20", nodePort: nil))
            try await world.start()
            var entries = Entries()
            let lost = entries.add("udp", to: Manifests.clusterIP, 80, answeredBy: World.address("pod-b"), 8080)
            let others = entries.add("udp", to: "10.96.0.20", 80, answeredBy: World.address("pod-b"), 8080)
            try await Shell.output(in: "node1", "{ \(entries.script)\n} >/dev/null 2>&1")
            #expect(try await sourcePorts() == [lost, others])

            try await world.write("slices.yaml", Manifests.slices([]))
            try await world.wait(for: "the flow of the Service without endpoints to go") { try await sourcePorts() == [others] }
            try await world.remove("other.yaml")
            try await world.wait(for: "the flow of the removed Service to go") { try await sourcePorts().isEmpty }
        }

        // MARK: Clients

        /// A client that keeps its socket and asks on it until told to stop.
        private struct Client {
            /// A lost datagram costs it this long.
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

        /// Waits until a flow of each address and port is remembered that a server answers.
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
            for namespace in UDP.namespaces {
                for (address, port) in frontends {
                    clients.append(("\(namespace) to \(address):\(port)", try await Client.start(in: namespace, address, port)))
                }
            }
            return clients
        }

        @Test(arguments: [false, true])
        func `clients that keep their socket move when their endpoint goes`(isV6: Bool) async throws {
            try await serve(["pod-a"])
            let frontends = frontends(isV6: isV6)
            let clients = try await startClients(frontends)
            let pod = isV6 ? World.address6 : World.address
            try await waitForFlows(to: frontends, answeredBy: pod("pod-a"), from: UDP.namespaces.count)
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await waitForFlows(to: frontends, answeredBy: pod("pod-b"), from: UDP.namespaces.count)
            for (name, client) in clients {
                let answers = try await client.finish()
                #expect(answers.responders.keys.sorted() == ["pod-a", "pod-b"], "\(name): \(answers)")
                #expect(answers.failed <= 5, "\(name): \(answers)")
            }
        }

        @Test(arguments: [false, true])
        func `clients that keep their socket move when the target port changes`(isV6: Bool) async throws {
            try await serve(["pod-a"])
            let name = "pod-a-9090"
            try await Shell.output(
                "setsid ip netns exec pod-a \(Place.traffic) serve --name \(name) --udp 9090 </dev/null >/dev/null 2>&1 & sleep 1")
            let frontends = frontends(isV6: isV6)
            let clients = try await startClients(frontends)
            let pod = isV6 ? World.address6("pod-a") : World.address("pod-a")
            try await waitForFlows(to: frontends, answeredBy: pod, from: UDP.namespaces.count)
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]).replacing("port: 8080", with: "port: 9090"))
            try await waitForFlows(to: frontends, answeredBy: pod, 9090, from: UDP.namespaces.count)
            for (client, holder) in clients {
                let answers = try await holder.finish()
                #expect(answers.responders.keys.sorted() == ["pod-a", name], "\(client): \(answers)")
                #expect(answers.failed <= 5, "\(client): \(answers)")
            }
        }

        @Test func `clients that asked before there was an endpoint are answered when there is one`() async throws {
            try await serve([])
            let all = frontends(isV6: false) + frontends(isV6: true)
            let clients = try await startClients(all)
            try await Task.sleep(for: .seconds(1))
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await waitForFlows(to: frontends(isV6: false), answeredBy: World.address("pod-a"), from: UDP.namespaces.count)
            try await waitForFlows(to: frontends(isV6: true), answeredBy: World.address6("pod-a"), from: UDP.namespaces.count)
            for (name, client) in clients {
                let answers = try await client.finish()
                #expect(answers.responders["pod-a", default: 0] > 0 && answers.failed > 0, "\(name): \(answers)")
            }
        }

        /// Without that a flow that is older than the Service is not masqueraded, as connection tracking believes that it was seen to.
        @Test func `a client of a node port that asked before there was a Service is masqueraded when there is one`() async throws {
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
                // One datagram may go through between the virtual server and the end of its flow.
                #expect(answers.answered - answers.clients[seen, default: 0] <= 2, "\(answers)")
            }
        }
    }
}
