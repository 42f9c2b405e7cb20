import Glibc
import KernelTestSupport
import Testing

extension Scenarios {
    /// The sysctls that limit the buffers of sockets, at their minimum.
    @Suite(.enabled(if: access("/proc/sys/net/core/wmem_max", W_OK) == 0, "they belong to the initial network namespace"))
    struct `With the smallest socket buffers` {
        let world = World.shared

        private static let services = 300
        private static let names = "wmem_max rmem_max wmem_default rmem_default"

        /// Runs `body` with minimum limits, and restores the previous ones.
        private func withSmallestBuffers(_ body: () async throws -> Void) async throws {
            let before = try await Shell.output(
                "cd /proc/sys/net/core; for name in \(Self.names); do echo \"echo $(cat $name) >$PWD/$name\"; done")
            do {
                // The kernel rejects values below the minimum, which depends on its version.
                try await Shell.output(
                    """
                    cd /proc/sys/net/core
                    for name in \(Self.names); do
                      for size in $(seq 2048 128 8192); do echo $size >$name && break; done 2>/dev/null
                    done
                    """)
                try await body()
            } catch {
                try await Shell.output(before)
                throw error
            }
            try await Shell.output(before)
        }

        @Test func `hundreds of Services are programmed in one sync, and removed`() async throws {
            try await world.begin()
            try await withSmallestBuffers {
                var manifest = ""
                for number in 0..<Self.services {
                    let (name, low) = ("service-\(number)", "\(number / 200).\(number % 200 + 1)")
                    manifest += Manifests.web(name: name, address: "10.96.\(low)", address6: "fd00:96::\(number + 1)", nodePort: nil)
                    manifest += "---\n" + Manifests.slices(["pod-a"], of: name) + "---\n"
                }
                try await world.write("services.yaml", manifest)
                try await world.start()
                // Two families and three protocols.
                #expect(try await counts() == "\(Self.services * 6) \(Self.services * 6) \(Self.services * 2)")
                #expect(try await NodeFilter().members(of: "KUBE-CLUSTER-IP").count == Self.services * 3)
                try await world.write("services.yaml", Manifests.web() + "---\n" + Manifests.slices(["pod-a"]))
                try await world.wait(for: "the removal of the Services") {
                    try await Shell.output(in: "node1", "ip -oneline address show dev kube-ipvs0 scope global | wc -l") == "2"
                }
                try await world.kill()
            }
        }

        /// The numbers of virtual servers, real servers, and addresses on the device.
        private func counts() async throws -> String {
            try await Shell.output(
                in: "node1",
                """
                echo $(ipvsadm -S -n | grep -c '^-A') $(ipvsadm -S -n | grep -c '^-a') \\
                  $(ip -oneline address show dev kube-ipvs0 scope global | wc -l)
                """)
        }
    }
}
