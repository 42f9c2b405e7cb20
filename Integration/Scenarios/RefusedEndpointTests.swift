import KernelTestSupport
import Testing

extension Scenarios {
    /// An EndpointSlice may contain an address that IPVS refuses.
    @Suite struct `An endpoint that the kernel refuses` {
        let world = World.shared

        /// The broadcast address of the pods' bridge.
        private static let broadcast = "10.244.1.255"
        private static let reported = "EndpointSlice default/web-ipv4 endpoints.addresses \(broadcast)"

        @Test func `is reported once and skipped, while others are served and the node is in sync`() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            let slices = Manifests.slices(["pod-a", "pod-b"])
            try await world.write("slices.yaml", slices.replacing("\"\(World.address("pod-b"))\"", with: "\"\(Self.broadcast)\""))
            try await world.start("--ipvs-sync-period 1s")
            let servers = try await Shell.output(in: "node1", "ipvsadm -S -n")
            #expect(
                servers.contains("-a -t 10.96.0.10:80 -r \(World.address("pod-a")):8080") && !servers.contains(Self.broadcast), "\(servers)"
            )
            #expect(
                try await Answers.ask(from: "pod-c", "tcp", Manifests.clusterIP, Manifests.port, "--count 4").responders == ["pod-a": 4])

            try await Task.sleep(for: .seconds(4))
            let log = try await world.log()
            #expect(log.split(separator: "\n").count { $0.contains(Self.reported) } == 1, "\(log.suffix(4000))")
            #expect(!log.contains("Operation failed"), "\(log.suffix(4000))")

            // In a smaller network, it is not the broadcast address: the next audit adds it.
            try await Shell.output(in: "node1", "ip address add 10.244.1.1/25 dev cni0; ip address delete 10.244.1.1/24 dev cni0")
            try await world.wait(for: "an audit to retry") {
                try await Shell.output(in: "node1", "ipvsadm -S -n").contains(Self.broadcast)
            }
            try await Shell.output(in: "node1", "ip address add 10.244.1.1/24 dev cni0; ip address delete 10.244.1.1/25 dev cni0")
        }
    }
}
