import KernelTestSupport
import Testing

extension Scenarios {
    /// The metrics of dropped packets, compared with the counters of the rules.
    @Suite struct `Dropped packets` {
        let world = World.shared

        private static let closed = (v4: "198.51.100.8", v6: "fd00:51::8")
        private static let far = (v4: "198.51.100.9", v6: "fd00:51::9")

        /// Returns a Service that no client may reach, or one whose endpoints are on another node.
        private func balancer(_ name: String, _ number: Int, _ ingress: (v4: String, v6: String), _ fields: String) -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: default}
            spec:
              type: LoadBalancer
              clusterIP: 10.96.0.\(number)
              clusterIPs: ["10.96.0.\(number)", "fd00:96::\(number)"]
              ipFamilies: [IPv4, IPv6]
              ipFamilyPolicy: RequireDualStack
              \(fields)
              ports: [{name: udp, protocol: UDP, port: 80, targetPort: 8080}]
            status: {loadBalancer: {ingress: [{ip: "\(ingress.v4)"}, {ip: "\(ingress.v6)"}]}}

            """
        }

        private func begin() async throws {
            try await world.begin()
            try await Shell.output(
                in: "outside",
                "ip route replace 198.51.100.0/24 via \(World.node.outside); ip route replace fd00:51::/64 via \(World.node.outside6)")
            try await world.write(
                "closed.yaml", balancer("closed", 30, Self.closed, #"loadBalancerSourceRanges: ["203.0.113.0/24", "2001:db8::/32"]"#))
            try await world.write("closed-slices.yaml", Manifests.slices(["pod-a"], of: "closed"))
            try await world.write(
                "far.yaml", balancer("far", 31, Self.far, "externalTrafficPolicy: Local\n  healthCheckNodePort: 31001"))
            try await world.write(
                "far-slices.yaml", Manifests.slices(["pod-a"], of: "far").replacing("nodeName: node1", with: "nodeName: node2"))
            try await world.start("--ipvs-sync-period 1s")
        }

        private func send(_ count: Int, to address: String) async throws {
            try await Shell.output(in: "outside", "for i in $(seq \(count)); do echo x >/dev/udp/\(address)/80; done")
        }

        private func metric(_ family: String, _ reason: String) async throws -> Int? {
            let text = try await Shell.output(in: "node1", "curl --silent --max-time 30 http://127.0.0.1:10249/metrics")
            let series = #"kube_ipvs_proxy_dropped_packets_total{ip_family="\#(family)",reason="\#(reason)"} "#
            return text.split(separator: "\n").first { $0.hasPrefix(series) }.flatMap { Int($0.dropFirst(series.count)) }
        }

        private func waitFor(_ count: Int, _ family: String, _ reason: String) async throws {
            try await world.wait(for: "\(count) packets of \(family) dropped for \(reason)") { try await metric(family, reason) == count }
        }

        private func kernelCount(_ chain: String, _ family: String) async throws -> Int {
            try await NodeFilter().droppedPackets(by: chain, isV6: family == "IPv6")
        }

        @Test func `are reported by family and reason`() async throws {
            try await begin()
            #expect(try await metric("IPv4", "source_ranges") == 0)
            try await send(3, to: Self.closed.v4)
            try await send(4, to: Self.closed.v6)
            try await send(5, to: Self.far.v4)
            try await send(6, to: Self.far.v6)
            for (count, family, reason, chain) in [
                (3, "IPv4", "source_ranges", "KUBE-SOURCE-RANGES-FIREWALL"), (4, "IPv6", "source_ranges", "KUBE-SOURCE-RANGES-FIREWALL"),
                (5, "IPv4", "no_local_endpoints", "KUBE-PROXY-FIREWALL"), (6, "IPv6", "no_local_endpoints", "KUBE-PROXY-FIREWALL"),
            ] {
                #expect(try await kernelCount(chain, family) == count, "\(family) \(chain)")
                try await waitFor(count, family, reason)
            }
        }

        @Test func `are counted across rule updates and external counter resets`() async throws {
            try await begin()
            try await send(3, to: Self.closed.v4)
            // The first external IP adds rules for its set.
            try await world.write(
                "web.yaml", Manifests.web().replacing("type: NodePort", with: "type: NodePort\n  externalIPs: [\"198.51.100.7\"]"))
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.wait(for: "other rules") {
                try await NodeFilter().rules().contains { $0.contains(NodeFilter.lookup(in: "KUBE-EXTERNAL-IP")) }
            }
            // Restoring the rules of iptables resets their counters; those of nftables have names and stay.
            #expect(try await kernelCount("KUBE-SOURCE-RANGES-FIREWALL", "IPv4") == (Place.hasIPTables ? 0 : 3))
            try await waitFor(3, "IPv4", "source_ranges")
            try await send(4, to: Self.closed.v4)
            try await waitFor(7, "IPv4", "source_ranges")
            try await Shell.output(
                in: "node1",
                Place.hasIPTables ? "iptables-\(Place.iptables) -t filter -Z" : "nft reset counters table \(NodeFilter.table(isV6: false))")
            try await send(2, to: Self.closed.v4)
            #expect(try await kernelCount("KUBE-SOURCE-RANGES-FIREWALL", "IPv4") == 2)
            try await waitFor(9, "IPv4", "source_ranges")
        }
    }
}
