import KernelTestSupport
import Testing

extension Scenarios {
    /// The program with exactly the privileges that `deploy/kubernetes` grants.
    @Suite struct `The DaemonSet's container` {
        private let world = World.shared

        /// The conntrack maximum is global: a network namespace such as this node cannot set it.
        private static let flags = "\(World.flags) --conntrack-max-per-core 0"

        /// Returns the capabilities that the manifest adds after dropping all.
        private static func capabilities() throws -> [String] {
            let manifest = try String(ofFile: "\(Place.repository)/deploy/kubernetes/base/daemonset.yaml")
            let match = try #require(manifest.firstMatch(of: /drop: \[ALL\][^\[]*add: \[([A-Z_, ]+)\]/))
            return match.1.split(separator: ",").map { $0.filter { $0 != " " } }
        }

        private static let confined = "\(Place.repository)/Integration/deploy/confined"

        /// Runs the program in the node like a container with these capabilities and the writable mounts of the manifest. It and its children are killed
        /// for a system call that the seccomp profile does not permit.
        private func once(with capabilities: [String]) async throws -> Shell.Result {
            let asPod =
                "\(Place.repository)/Integration/deploy/as-pod \(capabilities.joined(separator: ",")) \(Place.state),/run/xtables.lock"
            return try await Shell.attempt("ip netns exec node1 \(asPod) \(Self.confined) \(Place.proxy) --once \(Self.flags)")
        }

        private func initialize() async throws {
            try await Shell.output("ip netns exec node1 \(Place.proxy) --init-only \(Self.flags)")
        }

        private func prepare() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await Shell.output("\(Self.confined) --build")
        }

        @Test func `serves after the init container, with a read-only file system and without permission to change settings`() async throws
        {
            try await prepare()
            try await initialize()
            let result = try await once(with: try Self.capabilities())
            #expect(result.succeeded && !result.output.contains("Failed to"), "\(result.output)")
            #expect(
                try await Shell.output(in: "node1", "ipvsadm -S -n").contains("-a -t \(Manifests.clusterIP):80 -r 10.244.1.10:8080 -m -w 1")
            )
            let answers = try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP, Manifests.port)
            #expect(answers.failed == 0 && answers.responders.count == 3, "\(answers)")
        }

        @Test func `needs each of its capabilities`() async throws {
            try await prepare()
            try await initialize()
            let all = try Self.capabilities()
            #expect(all.count > 1)
            // The raw socket is that of iptables.
            for missing in all where missing != "NET_RAW" || Place.hasIPTables {
                let result = try await once(with: all.filter { $0 != missing })
                #expect(!result.succeeded, "without \(missing): \(result.output)")
            }
        }

        @Test func `cannot make system calls that the seccomp profile does not permit`() async throws {
            try await prepare()
            for command in [
                "unshare --net true", "mount -t tmpfs tmpfs /mnt", "unshare --user true", "perl -e 'socket(S, 17, 3, 0) or exit'",
            ] {
                let result = try await Shell.attempt("\(Self.confined) \(command)")
                #expect(!result.succeeded, "\(command)")
            }
            #expect(try await Shell.attempt("\(Self.confined) true").succeeded)
        }

        @Test func `without the init container names the setting that it may not change`() async throws {
            try await prepare()
            let result = try await once(with: try Self.capabilities())
            #expect(!result.succeeded && result.output.contains("sysctl -w net.ipv4.ip_forward=1"), "\(result.output)")
        }
    }
}
