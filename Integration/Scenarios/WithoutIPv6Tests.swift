import FoundationEssentials
import KernelTestSupport
import Testing

extension Scenarios {
    /// A kernel that was booted with `ipv6.disable=1`.
    ///
    /// The last test disables the loading of modules, which nothing reverts.
    @Suite(
        .enabled(
            if: !FileManager.default.fileExists(atPath: "/proc/sys/net/ipv6"), "requires a kernel that was booted with ipv6.disable=1"))
    struct `A kernel without IPv6` {
        let world = World.shared

        private func begin() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
        }

        private func expectAnswers() async throws {
            for (client, address, port) in [
                ("pod-a", Manifests.clusterIP, Manifests.port), ("outside", World.node.outside, Manifests.nodePort),
            ] {
                let answers = try await Answers.ask(from: client, "tcp", address, port, "--count 3")
                #expect(answers.failed == 0 && answers.responders.count == 3, "\(address): \(answers)")
            }
        }

        private func health() async throws -> String {
            try await Shell.output(in: "node1", "curl --silent --max-time 10 --write-out ' %{http_code}' http://127.0.0.1:10256/healthz")
        }

        @Test func `serves IPv4 without errors or warnings about IPv6`() async throws {
            try await begin()
            try await world.start()
            try await expectAnswers()
            #expect(try await health().hasSuffix(" 200"))
            let lines = try await world.log().split(separator: "\n")
            #expect(lines.contains { $0.contains(Place.detected) && $0.contains("IPv4") && !$0.contains("IPv6") })
            #expect(!lines.contains { $0.hasPrefix("E") || $0.contains("Not serving IP family") }, "\(lines)")
            try await world.terminate()
        }

        @Test(.enabled(if: Modules.areRemovable, "requires a kernel with modules"))
        func `that must not load modules says that a missing one requires a reboot`() async throws {
            try await begin()
            for module in ["dummy", "xt_comment"] { try await Modules.remove(module) }
            try await Shell.output("echo 1 >/proc/sys/kernel/modules_disabled")
            try await world.launch()
            let reboot = "which kernel.modules_disabled=1 forbids until the node reboots: add it to /etc/modules-load.d and reboot"
            try await world.waitForLog("load the module dummy, \(reboot)")
            try await world.waitForLog("the kernel has no match comment: load the module xt_comment, \(reboot)")
            try await world.wait(for: "the failures in the health") {
                let health = try await health()
                return health.contains("load the module dummy, \(reboot)") && health.contains("load the module xt_comment, \(reboot)")
            }
            #expect(try await health().hasSuffix(" 503"))
        }
    }
}
