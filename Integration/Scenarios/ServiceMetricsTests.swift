import KernelTestSupport
import Testing

extension Scenarios {
    /// The metrics of single Services, compared with ipvsadm.
    @Suite struct `Metrics of Services` {
        let world = World.shared

        private func get(_ name: String, _ labels: String...) async throws -> Int? {
            let text = try await Shell.output(in: "node1", "curl --silent --max-time 20 http://127.0.0.1:10249/metrics")
            let line = text.split(separator: "\n").first { line in
                line.hasPrefix("kube_ipvs_proxy_\(name){") && labels.allSatisfy(line.contains)
            }
            return line?.split(separator: " ").last.flatMap { Int($0) }
        }

        /// Returns the counters of a line of `ipvsadm -L -n --stats --exact`: connections, packets in and out, bytes in and out.
        private func counters(_ line: String) async throws -> [Int] {
            let listing = try await Shell.output(in: "node1", "ipvsadm -L -n --stats --exact | grep -- '\(line)'")
            return listing.split(whereSeparator: \.isWhitespace).suffix(5).compactMap { Int($0) }
        }

        private func begin(_ flags: String) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.start(flags)
        }

        private let cluster = #"kind="ClusterIP",namespace="default",port="tcp",protocol="TCP",service="web""#

        @Test func `match ipvsadm for the Service and its endpoint`() async throws {
            try await begin("--metrics-per-service endpoint")
            #expect(try await Answers.ask(from: "pod-b", "tcp", Manifests.clusterIP, Manifests.port, "--count 7").answered == 7)
            // The metrics are cached for a second; connections end later.
            try await world.wait(for: "the counters of ipvsadm") {
                let reported = try await ["connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes"]
                    .asyncMap {
                        try await get("service_\($0)_total", cluster)
                    }
                let counted = try await counters("TCP  10.96.0.10:80")
                return counted.first == 7 && reported == counted
            }
            let endpoint = #"endpoint="\#(World.address("pod-a")):8080""#
            #expect(try await get("endpoint_connections_total", endpoint, cluster) == 7)
            #expect(try await get("service_weight", cluster) == 2, "an endpoint of each family")
            #expect(try await get("service_connections_total", #"kind="NodePort""#, #"protocol="TCP""#) == 0)
        }

        @Test func `are limited in number, and can be disabled`() async throws {
            try await begin("--metrics-per-service service --metrics-per-service-limit 1")
            #expect(try await Answers.ask(from: "pod-b", "udp", Manifests.clusterIP, Manifests.port, "--count 3").answered == 3)
            try await world.wait(for: "the metrics of the busiest port") {
                try await get("service_connections_total", #"port="udp""#, #"kind="ClusterIP""#) ?? 0 > 0
            }
            let text = try await Shell.output(in: "node1", "curl --silent --max-time 20 http://127.0.0.1:10249/metrics")
            #expect(text.split(separator: "\n").count { $0.hasPrefix("kube_ipvs_proxy_service_connections_total{") } == 1)
            // Three ports on two kinds of addresses.
            #expect(text.contains("\nkube_ipvs_proxy_service_series_left_out 5\n") && !text.contains("_endpoint_connections_total"))
            try await world.kill()
            try await world.start("--metrics-per-service off")
            #expect(try await get("service_connections_total") == nil)
        }
    }
}

extension Array {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self {
            let result = try await transform(element)
            results.append(result)
        }
        return results
    }
}
