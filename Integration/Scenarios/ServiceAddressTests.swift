import KernelTestSupport
import Testing

extension Scenarios {
    /// Service addresses as addresses of `kube-ipvs0` and as local routes, seen with iproute2 and traffic.
    @Suite struct `Service addresses` {
        let world = World.shared

        private static let extra = "10.99.0.77"
        private static let anchor = "127.118.0.1/32"

        private static func node(_ addresses: String...) -> String {
            """
            apiVersion: v1
            kind: Node
            metadata: {name: node1}
            status: {addresses: [\(addresses.map { "{type: InternalIP, address: \"\($0)\"}" }.joined(separator: ", "))]}
            """
        }

        private func begin(_ kind: String, _ flags: String = "", node: String = node(World.node.outside, World.node.outside6)) async throws
        {
            try await world.begin()
            try await world.write("node.yaml", node)
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start("--service-addresses \(kind) \(flags)")
        }

        /// The routes of the proxy, in both families: `10.96.0.10 src 10.99.0.2`.
        private func routes() async throws -> [String] {
            try await Shell.output(in: "node1", "ip -4 route show table local proto 118; ip -6 route show table local proto 118")
                .split(separator: "\n").map { line in
                    let words = line.split(separator: " ").map(String.init)
                    let source = words.firstIndex(of: "src").map { " src \(words[$0 + 1])" } ?? ""
                    return (words.first == "local" ? words[1] : "\(line)") + source
                }.sorted()
        }

        /// The addresses of the device: `10.96.0.10/32`.
        private func addresses() async throws -> [String] {
            try await Shell.output(in: "node1", "ip -oneline address show dev kube-ipvs0").split(separator: "\n")
                .map { String($0.split(separator: " ")[3]) }.sorted()
        }

        private let routed = ["10.96.0.10 src 10.99.0.2", "fd00:96::10 src fd00:99::2"]
        private let bound = ["10.96.0.10/32", "fd00:96::10/128"]

        private func expectRoutes() async throws {
            #expect(try await routes() == routed)
            #expect(try await addresses() == [Self.anchor], "nothing else, not even a link-local address")
        }

        private func expectAddresses() async throws {
            #expect(try await routes() == [])
            #expect(try await addresses() == bound)
        }

        // MARK: Serving

        @Test func `as routes serve every protocol and family from node, pod and outside, and nothing else on them answers`() async throws {
            try await begin("route")
            try await expectRoutes()
            let line = try await Shell.output(in: "node1", "ip route show table local 10.96.0.10")
            #expect(line.contains("local 10.96.0.10 dev kube-ipvs0 proto 118 scope host src 10.99.0.2 metric 118"), "\(line)")
            for transport in ["tcp", "udp", "sctp"] {
                for client in ["node1", "pod-c", "outside"] {
                    for address in [Manifests.clusterIP, Manifests.clusterIP6] {
                        let answers = try await Answers.ask(from: client, transport, address, Manifests.port)
                        #expect(answers.responders == ["pod-a": 3, "pod-b": 3, "pod-c": 3], "\(transport) from \(client): \(answers)")
                    }
                }
            }
            for address in [Manifests.clusterIP, Manifests.clusterIP6] {
                let answers = try await Answers.ask(from: "outside", "tcp", address, 10255, "--count 1")
                #expect(answers.errors == ["connection refused": 1], "a port of the host: \(answers)")
                try await Shell.output(in: "outside", "ping -c 1 -W 5 \(address)")
            }
            for (address, source, family) in [
                (Manifests.clusterIP, World.node.outside, "ipv4"), (Manifests.clusterIP6, World.node.outside6, "ipv6"),
            ] {
                try await Shell.output(in: "node1", "conntrack -F 2>/dev/null")
                _ = try await Answers.ask(from: "node1", "tcp", address, Manifests.port, "--count 1")
                let flows = try await Shell.output(in: "node1", "conntrack -L -f \(family) -p tcp --orig-dst \(address) 2>/dev/null")
                #expect(flows.contains("src=\(source) dst=\(address)"), "the node's own connection: \(flows)")
            }
            let check = try await Shell.attempt("ip netns exec node1 \(Place.proxy) status check --state-directory \(Place.state)")
            #expect(check.succeeded, "\(check.output)")
            #expect(try await world.log().contains("Repaired") == false)
        }

        /// Source ranges with and without the node's address. The node's own connections have another source than with addresses.
        @Test(arguments: ["address", "route"]) func `apply source ranges to the node's own connections`(kind: String) async throws {
            try await begin(kind)
            for (ranges, isOpen) in [("10.99.0.1/32", false), ("10.99.0.1/32, 10.99.0.2/32", true)] {
                try await world.write(
                    "lb.yaml",
                    """
                    apiVersion: v1
                    kind: Service
                    metadata: {name: web, namespace: default}
                    spec:
                      type: LoadBalancer
                      clusterIP: 10.96.0.10
                      clusterIPs: [10.96.0.10]
                      ipFamilies: [IPv4]
                      loadBalancerSourceRanges: [\(ranges)]
                      ports: [{name: tcp, protocol: TCP, port: 80, targetPort: 8080, nodePort: 30080}]
                    status: {loadBalancer: {ingress: [{ip: 10.96.77.1}]}}
                    """)
                try await world.remove("web.yaml")
                try await world.wait(for: "the node's access to be \(isOpen)") {
                    let answers = try await Answers.ask(from: "node1", "tcp", "10.96.77.1", 80, "--count 1 --timeout-ms 1000")
                    return (answers.answered == 1) == isOpen
                }
                #expect(try await Answers.ask(from: "outside", "tcp", "10.96.77.1", 80, "--count 3").answered == 3)
                let pod = try await Answers.ask(from: "pod-a", "tcp", "10.96.77.1", 80, "--count 1 --timeout-ms 1000")
                #expect(pod.answered == 0, "\(pod)")
            }
        }

        /// Whether a client on the network of the node, to which the address is on that network, gets a link-layer address for it.
        private func answersNeighbors(_ address: String) async throws -> Bool {
            let family = address.contains(":") ? "-6" : "-4"
            let entry = try await Shell.output(
                in: "outside",
                """
                ip \(family) route replace \(address) dev lan0 metric 1
                ip \(family) neighbor flush dev lan0
                ping -c 1 -W 2 \(address) >/dev/null || true
                ip \(family) neighbor show \(address) dev lan0
                ip \(family) route delete \(address) dev lan0 metric 1
                """)
            return entry.contains("lladdr")
        }

        @Test func `as routes answer ARP and neighbor solicitations exactly as addresses do`() async throws {
            var results: [String: [Bool]] = [:]
            for kind in ["address", "route"] {
                for flags in ["", "--ipvs-strict-arp"] {
                    try await begin(kind, flags)
                    let answers = (try await answersNeighbors(Manifests.clusterIP), try await answersNeighbors(Manifests.clusterIP6))
                    results[kind, default: []] += [answers.0, answers.1]
                    try await Shell.output(
                        in: "node1", "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 0 >/proc/sys/net/ipv4/conf/all/arp_announce")
                }
            }
            #expect(results["address"] == results["route"])
            #expect(results["address"] == [true, false, false, false], "ARP and NDP, without and with strict ARP")
        }

        // MARK: Changes of the kind

        @Test func `change to routes and back without a lost request or connection`() async throws {
            try await begin("address")
            try await expectAddresses()
            var (holding, asking): ([TrafficClient], [TrafficClient]) = ([], [])
            for client in ["pod-c", "node1", "outside"] {
                for address in [Manifests.clusterIP, "[\(Manifests.clusterIP6)]"] {
                    holding.append(try await .start(in: client, "hold tcp \(address):80 --connections 2 --interval-ms 100"))
                    asking.append(try await .start(in: client, "ask tcp \(address):80 --json --interval-ms 100"))
                }
            }
            try await world.kill()
            try await world.start("--service-addresses route")
            try await expectRoutes()
            try await world.terminate()
            try await world.start("--service-addresses address")
            try await expectAddresses()
            for client in asking {
                let answers = try Answers.decode(try await client.finish())
                #expect(answers.failed == 0 && answers.requests > 20, "\(answers)")
            }
            for client in holding {
                let held = try await client.finish()
                #expect(held.contains("broken 0"), "\(held)")
            }
        }

        /// Thousands of Services, as `auto` changes the kind at a fixed number.
        @Test func `change with their number, and are removed with the device`() async throws {
            func services(_ count: Int) -> String {
                (0..<count).map { number in
                    """
                    apiVersion: v1
                    kind: Service
                    metadata: {name: s\(number), namespace: default}
                    spec: {clusterIP: 10.97.\(number / 200).\(number % 200 + 1), ports: [{port: 80}]}
                    """
                }.joined(separator: "\n---\n")
            }
            try await begin("auto")
            try await expectAddresses()
            try await world.write("many.yaml", services(2600))
            try await world.wait(for: "routes") { try await routes().count == 2602 }
            try await world.wait(for: "no addresses") { try await addresses() == [Self.anchor] }
            try await world.write("many.yaml", services(1300))
            try await world.wait(for: "fewer routes") { try await routes().count == 1302 }
            #expect(try await addresses() == [Self.anchor])
            try await world.write("many.yaml", services(100))
            try await world.wait(for: "addresses") { try await addresses().count == 102 }
            try await world.wait(for: "no routes") { try await routes().isEmpty }
            // In both kinds, nothing is left on a node without the device.
            try await world.terminate()
            try await Shell.output(in: "node1", "ip link delete kube-ipvs0")
            #expect(try await localAddresses().isEmpty)
            try await world.start("--service-addresses route")
            try await world.wait(for: "routes again") { try await routes().count == 102 }
            #expect(try await localAddresses().count == 102)
            try await world.terminate()
            try await Shell.output(in: "node1", "ip link delete kube-ipvs0")
            #expect(try await routes().isEmpty)
            #expect(try await localAddresses().isEmpty)
        }

        /// The Service addresses that are local, as an address or as a route of any protocol.
        private func localAddresses() async throws -> [Substring] {
            try await Shell.output(in: "node1", "ip -4 route show table local; ip -6 route show table local").split(separator: "\n")
                .map { $0.split(separator: " ") }.filter { $0[0] == "local" }.map { $0[1] }
                .filter { $0.hasPrefix("10.96.") || $0.hasPrefix("10.97.") || $0.hasPrefix("fd00:96:") }
        }

        // MARK: The node's address

        @Test func `as routes follow the node's address within seconds`() async throws {
            try await Shell.output(in: "node1", "ip address delete \(Self.extra)/24 dev eth0 2>/dev/null || true")
            try await begin("route", "--ipvs-sync-period 10m", node: Self.node(Self.extra, World.node.outside6))
            func expect(_ source: String) async throws {
                try await world.wait(for: "the source \"\(source)\"") { try await routes().first == "10.96.0.10\(source)" }
                #expect(try await Answers.ask(from: "node1", "tcp", Manifests.clusterIP, 80, "--count 3").answered == 3)
                #expect(try await Answers.ask(from: "outside", "tcp", Manifests.clusterIP, 80, "--count 3").answered == 3)
            }
            try await expect("")
            for _ in 0..<2 {
                try await Shell.output(in: "node1", "ip address add \(Self.extra)/24 dev eth0")
                try await expect(" src \(Self.extra)")
                try await Shell.output(in: "node1", "ip address delete \(Self.extra)/24 dev eth0")
                try await expect("")
            }
            try await Shell.output(in: "node1", "ip address add \(Self.extra)/24 dev eth0")
            try await expect(" src \(Self.extra)")
            // The kernel removes no local route with its source. If it did, this is faster than the proxy reads addresses.
            try await Shell.output(
                in: "node1", "ip address delete \(Self.extra)/24 dev eth0; ip address add \(Self.extra)/24 dev eth0")
            try await expect(" src \(Self.extra)")
            try await world.write("node.yaml", Self.node(World.node.outside, World.node.outside6))
            try await expect(" src \(World.node.outside)")
            try await Shell.output(in: "node1", "ip address delete \(Self.extra)/24 dev eth0")
        }

        // MARK: External changes

        @Test func `as routes are repaired`() async throws {
            try await begin("route", "--ipvs-sync-period 2s")
            for command in [
                "ip route delete local 10.96.0.10 table local proto 118", "ip -6 route delete local fd00:96::10 table local proto 118",
                "ip link set kube-ipvs0 down", "ip link delete kube-ipvs0", "ip address flush dev kube-ipvs0",
                "ip route replace local 10.96.0.10 dev kube-ipvs0 table local proto 118 metric 118 scope host src 10.244.1.1",
                "ip address add 10.96.0.10/32 dev kube-ipvs0",
            ] {
                try await Shell.output(in: "node1", command)
                try await world.wait(for: "the repair of: \(command)") {
                    let link = try await Shell.output(in: "node1", "ip link show dev kube-ipvs0 2>&1 || true")
                    guard link.contains(",UP") else { return false }
                    let (routes, addresses) = (try await routes(), try await addresses())
                    return routes == routed && addresses == [Self.anchor]
                }
            }
            #expect(try await world.log().contains("Repaired external change"))
            #expect(try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP6, 80, "--count 3").answered == 3)
        }

        @Test func `of others stay, and cleanup removes the routes`() async throws {
            try await begin("route")
            let others = "local 198.51.100.1 dev kube-ipvs0 proto static scope host"
            try await Shell.output(
                in: "node1", "ip route add \(others) table local; ip route add local 198.51.100.2 dev lo table local proto 118")
            try await world.terminate()
            try await world.start("--service-addresses address")
            try await expectAddressesBesideOthers()
            try await world.terminate()
            try await world.start("--service-addresses route")
            try await world.terminate()
            let cleanup = "\(Place.proxy) cleanup \(Place.filterFlag) --state-directory \(Place.state)"
            let output = try await Shell.output(in: "node1", cleanup)
            #expect(output.contains(" 2 routes"), "\(output)")
            #expect(try await routes() == ["198.51.100.2"])
            #expect(try await Shell.attempt("ip -netns node1 link show dev kube-ipvs0").succeeded == false)
            try await Shell.output(in: "node1", "ip route delete local 198.51.100.2 dev lo table local")
        }

        private func expectAddressesBesideOthers() async throws {
            #expect(try await addresses() == bound)
            #expect(try await routes() == ["198.51.100.2"])
            #expect(try await Shell.output(in: "node1", "ip route show table local 198.51.100.1").contains("proto static"))
        }
    }
}
