import KernelTestSupport
import Testing

extension Scenarios {
    /// A Service may contain what harms others.
    @Suite struct `A hostile Service` {
        let world = World.shared

        /// 300 ports with three endpoints on three addresses, and overlapping source ranges.
        private static let greedy: String = {
            let ports = (1...300).map { #"{"name":"p\#($0)","port":\#($0),"protocol":"TCP"}"# }.joined(separator: ",")
            return """
                {"apiVersion":"v1","kind":"Service","metadata":{"name":"greedy","namespace":"default"},"spec":{"type":"LoadBalancer",
                "allocateLoadBalancerNodePorts":false,
                "clusterIP":"10.96.7.7","clusterIPs":["10.96.7.7"],"externalIPs":["192.0.2.77"],
                "loadBalancerSourceRanges":["10.0.0.0/8","10.99.0.0/24","10.0.0.0/8","172.16.0.0/12","172.16.1.0/24"],
                "ports":[\(ports)]},"status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.77"}]}}}
                ---
                {"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"greedy-1","namespace":"default",
                "labels":{"kubernetes.io/service-name":"greedy"}},"addressType":"IPv4","ports":[\(ports)],
                "endpoints":[{"addresses":["10.244.9.1"]},{"addresses":["10.244.9.2"]},{"addresses":["10.244.9.3"]}]}
                """
        }()

        @Test func `comes and goes without affecting others`() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web(nodePort: nil))
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.start()
            try await world.write("greedy.yaml", Self.greedy)
            try await world.wait(for: "all ports of the Service") {
                try await Shell.output(in: "node1", "ipvsadm -S -n").contains("-a -t 198.51.100.77:300 -r 10.244.9.3:300")
            }
            let servers = try await Shell.output(in: "node1", "ipvsadm -S -n")
            for address in ["10.96.7.7", "192.0.2.77", "198.51.100.77"] {
                #expect(servers.split(separator: "\n").count { $0.hasPrefix("-a -t \(address):") } == 900, "\(address)")
            }
            #expect(
                try await Answers.ask(from: "pod-c", "tcp", Manifests.clusterIP, Manifests.port, "--count 4").responders == ["pod-a": 4])

            try await world.remove("greedy.yaml")
            try await world.wait(for: "the removal of the Service") {
                try await !Shell.output(in: "node1", "ipvsadm -S -n; ipset save; ip address show dev kube-ipvs0").contains("198.51.100.77")
            }
            let left = try await Shell.output(in: "node1", "ipvsadm -S -n; ipset save; ip address show dev kube-ipvs0")
            #expect(!left.contains("10.96.7.7") && !left.contains("192.0.2.77") && !left.contains("10.244.9."))
            #expect(
                try await Answers.ask(from: "pod-c", "tcp", Manifests.clusterIP, Manifests.port, "--count 4").responders == ["pod-a": 4])
            #expect(try await !world.log().contains("Operation failed"))
        }
    }
}
