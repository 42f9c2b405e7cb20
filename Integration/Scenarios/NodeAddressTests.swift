import KernelTestSupport
import Testing

extension Scenarios {
    /// Node ports follow added and removed addresses of the node, long before the next audit.
    @Suite struct `Node addresses` {
        let world = World.shared

        private static let extra = "10.99.0.77"
        private static let extra6 = "fd00:99::77"

        private func serveWeb(_ flags: String = "") async throws {
            try await world.begin()
            try await removeExtras()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start("--ipvs-sync-period 10m \(flags)")
        }

        private func removeExtras() async throws {
            try await Shell.output(
                in: "node1",
                """
                for address in \(Self.extra)/24 \(Self.extra6)/64; do ip address delete $address dev eth0 2>/dev/null || true; done
                ip link delete extra0 2>/dev/null || true
                """)
        }

        /// Returns the number of protocols for which ipvsadm shows the node port on an address.
        private func nodePorts(on address: String) async throws -> Int {
            let location = address.contains(":") ? "[\(address)]:\(Manifests.nodePort)" : "\(address):\(Manifests.nodePort)"
            return try await Shell.output(in: "node1", "ipvsadm -S -n").split(separator: "\n")
                .count { $0.hasPrefix("-A ") && $0.contains(" \(location) ") }
        }

        private func waitForNodePorts(_ count: Int, on address: String) async throws {
            try await world.wait(for: "\(count) virtual servers on \(address)") { try await nodePorts(on: address) == count }
        }

        @Test func `that are added answer node ports within seconds, and no longer when removed`() async throws {
            try await serveWeb()
            for (address, prefix) in [(Self.extra, 24), (Self.extra6, 64)] {
                #expect(try await nodePorts(on: address) == 0)
                try await Shell.output(
                    in: "node1", "ip address add \(address)/\(prefix) dev eth0 \(address.contains(":") ? "nodad" : "")")
                try await waitForNodePorts(3, on: address)
                let answers = try await Answers.ask(from: "outside", "tcp", address, Manifests.nodePort)
                #expect(answers.failed == 0 && answers.responders.count == 3, "\(address): \(answers)")

                try await Shell.output(in: "node1", "ip address delete \(address)/\(prefix) dev eth0")
                try await waitForNodePorts(0, on: address)
            }
            for address in [World.node.outside, World.node.outside6] { #expect(try await nodePorts(on: address) == 3) }
        }

        @Test func `that are removed with their interface lose their virtual servers`() async throws {
            try await serveWeb()
            try await Shell.output(
                in: "node1",
                """
                ip link add extra0 type dummy; ip link set extra0 up
                ip address add 192.0.2.77/32 dev extra0; ip address add 2001:db8::77/128 dev extra0 nodad
                """)
            try await waitForNodePorts(3, on: "192.0.2.77")
            try await waitForNodePorts(3, on: "2001:db8::77")
            let answers = try await Answers.ask(from: "node1", "tcp", "192.0.2.77", Manifests.nodePort)
            #expect(answers.failed == 0, "\(answers)")
            try await Shell.output(in: "node1", "ip link delete extra0")
            try await waitForNodePorts(0, on: "192.0.2.77")
            try await waitForNodePorts(0, on: "2001:db8::77")
        }

        @Test func `outside the configured ranges, and service addresses inside them, answer no node ports`() async throws {
            try await serveWeb("--nodeport-addresses 10.99.0.64/26,10.96.0.0/16,fd00:99::70/124")
            for address in [World.node.outside, World.node.bridge, World.node.outside6, Manifests.clusterIP] {
                #expect(try await nodePorts(on: address) == 0, "\(address)")
            }
            try await Shell.output(
                in: "node1",
                "ip address add 10.99.0.9/24 dev eth0; ip address add \(Self.extra)/24 dev eth0; ip address add \(Self.extra6)/64 dev eth0 nodad"
            )
            try await waitForNodePorts(3, on: Self.extra)
            try await waitForNodePorts(3, on: Self.extra6)
            for address in ["10.99.0.9", Manifests.clusterIP] { #expect(try await nodePorts(on: address) == 0) }
            try await Shell.output(in: "node1", "ip address delete 10.99.0.9/24 dev eth0")
            try await removeExtras()
            try await waitForNodePorts(0, on: Self.extra)
        }

        @Test func `are not affected by our own service addresses or a recreated device`() async throws {
            let reported = "Addresses of node interfaces changed"
            try await serveWeb("--ipvs-sync-period 3s")
            try await world.write("more.yaml", Manifests.web(name: "more", address: "10.96.0.20", address6: "fd00:96::20", nodePort: nil))
            try await world.wait(for: "the address of a new Service") {
                try await Shell.output(in: "node1", "ip -oneline address show dev kube-ipvs0").contains("10.96.0.20/")
            }
            try await Shell.output(in: "node1", "ip link delete kube-ipvs0")
            try await world.wait(for: "the device to be recreated") {
                try await Shell.output(in: "node1", "ip -oneline address show dev kube-ipvs0 2>/dev/null || true").contains("10.96.0.20/")
            }
            #expect(try await !world.log().contains(reported))
            try await Shell.output(in: "node1", "ip address add \(Self.extra)/24 dev eth0")
            try await world.waitForLog(reported)
            try await removeExtras()
        }
    }
}
