import KernelTestSupport
import Testing

extension Scenarios {
    /// UDP conntrack entries, which `conntrack` creates and lists.
    @Suite struct `Connection tracking` {
        let world = World.shared
        private static let external = "192.0.2.10"
        private static let balancer = "192.0.2.20"
        private static let external6 = "2001:db8::10"
        private static let balancer6 = "2001:db8::20"

        /// A conntrack entry created by `conntrack -I`, identified by its source port.
        private struct Entry {
            var sourcePort: Int
            var command: String
        }

        /// Entries with source ports from 20001.
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

        /// Returns the source ports of the existing entries, in both families and all protocols.
        private func sourcePorts() async throws -> Set<Int> {
            let listing = try await Shell.output(in: "node1", "conntrack -L -f ipv4 2>/dev/null; conntrack -L -f ipv6 2>/dev/null")
            let ports = listing.split(separator: "\n").compactMap { line in
                line.split(separator: " ").first { $0.hasPrefix("sport=") }.flatMap { Int($0.dropFirst(6)) }
            }
            return Set(ports.filter { (20001..<30000).contains($0) })
        }

        /// Returns the number of entries that the proxy reports as flushed.
        private func flushedEntries() async throws -> Int {
            try await world.log().split(separator: "\n").compactMap { line in
                guard let start = line.firstRange(of: "flushedConntrackEntries=") else { return nil }
                return Int(line[start.upperBound...].drop { $0 == "\"" }.prefix { $0.isNumber })
            }.reduce(0, +)
        }

        /// Returns a UDP Service with a cluster IP, an external IP, a load balancer IP and a node port, of one family.
        private func everywhere(isV6: Bool) -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: default}
            spec:
              type: LoadBalancer
              clusterIP: "\(isV6 ? Manifests.clusterIP6 : Manifests.clusterIP)"
              ipFamilies: [\(isV6 ? "IPv6" : "IPv4")]
              externalIPs: ["\(isV6 ? Self.external6 : Self.external)"]
              ports:
              - {name: udp, protocol: UDP, port: 80, targetPort: 8080, nodePort: \(Manifests.nodePort)}
            status: {loadBalancer: {ingress: [{ip: "\(isV6 ? Self.balancer6 : Self.balancer)"}]}}
            """
        }

        @Test(arguments: [false, true])
        func `entries are flushed if no serving endpoint answers them, and no others`(isV6: Bool) async throws {
            try await world.begin()
            try await world.write("web.yaml", everywhere(isV6: isV6))
            try await world.write("slices.yaml", Manifests.slices(["pod-a", "pod-b"]))
            try await world.start()

            let clusterIP = isV6 ? Manifests.clusterIP6 : Manifests.clusterIP
            let frontends: [(String, UInt16)] = [
                (clusterIP, 80), (isV6 ? Self.external6 : Self.external, 80), (isV6 ? Self.balancer6 : Self.balancer, 80),
                (isV6 ? World.node.outside6 : World.node.outside, Manifests.nodePort),
                (isV6 ? World.node.bridge6 : World.node.bridge, Manifests.nodePort),
            ]
            let pod = isV6 ? World.address6 : World.address
            let removedPod = isV6 ? "fd00:244:1::99" : "10.244.1.99"
            let elsewhere = isV6 ? "2001:db8::99" : "198.51.100.9"
            var entries = Entries()
            var stale: Set<Int> = []
            for (address, port) in frontends {
                stale.insert(entries.add("udp", to: address, port, answeredBy: pod("pod-b"), 8080))
                stale.insert(entries.add("udp", to: address, port, answeredBy: removedPod, 8080))
                // An entry to its old port, and one that is older than the Service.
                stale.insert(entries.add("udp", to: address, port, answeredBy: pod("pod-a"), 9090))
                stale.insert(entries.add("udp", to: address, port, answeredBy: address, port))
                entries.add("udp", to: address, port, answeredBy: pod("pod-a"), 8080)
                entries.add("udp", to: address, 3000, answeredBy: pod("pod-b"), 8080)
                entries.add("tcp", to: address, port, answeredBy: pod("pod-b"), 8080)
                entries.add("sctp", to: address, port, answeredBy: pod("pod-b"), 8080)
            }
            // An unrelated entry with the node port as its port.
            entries.add("udp", to: elsewhere, Manifests.nodePort, answeredBy: elsewhere, Manifests.nodePort)
            try await Shell.output(in: "node1", "{ \(entries.script)\n} >/dev/null 2>&1")
            let all = Set(entries.list.map(\.sourcePort))
            #expect(try await sourcePorts() == all, "conntrack created all entries")

            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.wait(for: "entries to be flushed") { try await flushedEntries() > 0 }
            let left = try await sourcePorts()
            #expect(
                left == all.subtracting(stale),
                "too many: \(left.intersection(stale)), too few: \(all.subtracting(left).subtracting(stale))")
            #expect(try await flushedEntries() == stale.count)
        }

        /// Enough virtual servers for one dump of all UDP entries instead of one for each.
        @Test func `entries of many virtual servers are flushed in the same way`() async throws {
            let ports = 5001...5012 as ClosedRange<UInt16>
            func manifests(_ pods: [String]) -> String {
                let lines = ports.map { "{name: p\($0), protocol: UDP, port: \($0)}" }.joined(separator: ", ")
                func slice(_ family: String, _ addresses: [String]) -> String {
                    let endpoints = addresses.map { "{addresses: [\"\($0)\"], conditions: {ready: true}}" }.joined(separator: ", ")
                    return """
                        apiVersion: discovery.k8s.io/v1
                        kind: EndpointSlice
                        metadata: {name: many-\(family.lowercased()), namespace: default, labels: {kubernetes.io/service-name: many}}
                        addressType: \(family)
                        ports: [\(lines)]
                        endpoints: [\(endpoints)]

                        """
                }
                return """
                    apiVersion: v1
                    kind: Service
                    metadata: {name: many, namespace: default}
                    spec:
                      clusterIP: "\(Manifests.clusterIP)"
                      clusterIPs: ["\(Manifests.clusterIP)", "\(Manifests.clusterIP6)"]
                      ipFamilies: [IPv4, IPv6]
                      ipFamilyPolicy: RequireDualStack
                      ports: [\(lines)]
                    ---
                    \(slice("IPv4", pods.map(World.address)))---
                    \(slice("IPv6", pods.map(World.address6)))
                    """
            }
            try await world.begin()
            try await world.write("many.yaml", manifests(["pod-a", "pod-b"]))
            try await world.start()
            var entries = Entries()
            var stale: Set<Int> = []
            for port in ports {
                stale.insert(entries.add("udp", to: Manifests.clusterIP, port, answeredBy: World.address("pod-b"), port))
                stale.insert(entries.add("udp", to: Manifests.clusterIP6, port, answeredBy: World.address6("pod-b"), port))
                entries.add("udp", to: Manifests.clusterIP, port, answeredBy: World.address("pod-a"), port)
                entries.add("udp", to: "192.0.2.99", port, answeredBy: World.address("pod-b"), port)
            }
            entries.add("tcp", to: Manifests.clusterIP, 5001, answeredBy: World.address("pod-b"), 5001)
            try await Shell.output(in: "node1", "{ \(entries.script)\n} >/dev/null 2>&1")
            let all = Set(entries.list.map(\.sourcePort))
            #expect(try await sourcePorts() == all, "conntrack created all entries")
            try await world.write("many.yaml", manifests(["pod-a"]))
            try await world.wait(for: "entries to be flushed") { try await flushedEntries() >= stale.count }
            #expect(try await sourcePorts() == all.subtracting(stale))
            #expect(try await flushedEntries() == stale.count)
        }

        @Test func `entries are flushed when the last endpoint or the Service is removed; those of an unchanged Service are kept`()
            async throws
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
            try await world.wait(for: "the entry of the Service without endpoints to be flushed") { try await sourcePorts() == [others] }
            try await world.remove("other.yaml")
            try await world.wait(for: "the entry of the removed Service to be flushed") { try await sourcePorts().isEmpty }
        }
    }
}
