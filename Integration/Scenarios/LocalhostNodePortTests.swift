import KernelTestSupport
import Testing

extension Scenarios {
    /// Node ports on 127.0.0.1, which IPVS cannot serve.
    @Suite struct `Node ports on localhost` {
        let world = World.shared

        private static let otherPort: UInt16 = 30081

        private func serveWeb(_ flags: String = "") async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start("--ipvs-sync-period 10m \(flags)")
        }

        private func ask(_ port: UInt16 = Manifests.nodePort, _ transport: String = "tcp", _ more: String = "--count 9") async throws
            -> Answers
        {
            try await Answers.ask(from: "node1", transport, "127.0.0.1", port, more)
        }

        private func waitForAnswers(_ port: UInt16 = Manifests.nodePort) async throws {
            try await world.wait(for: "an answer on 127.0.0.1:\(port)") { try await ask(port, "tcp", "--count 1").failed == 0 }
        }

        private func waitForRefusal(_ port: UInt16 = Manifests.nodePort) async throws {
            try await world.wait(for: "refusal on 127.0.0.1:\(port)") {
                try await ask(port, "tcp", "--count 1").errors == ["connection refused": 1]
            }
        }

        @Test func `are refused unless they are enabled`() async throws {
            try await serveWeb()
            #expect(try await ask(Manifests.nodePort, "tcp", "--count 1").errors == ["connection refused": 1])
            #expect(try await Answers.ask(from: "node1", "tcp", World.node.outside, Manifests.nodePort).failed == 0)
        }

        @Test func `reach the pods while the Service exists, and listen only on 127.0.0.1`() async throws {
            try await serveWeb("--localhost-nodeports")
            try await waitForAnswers()
            let answers = try await ask()
            #expect(answers.failed == 0, "\(answers)")
            #expect(answers.responders == ["pod-a": 3, "pod-b": 3, "pod-c": 3], "\(answers)")
            #expect(answers.clients == [World.node.bridge: 9], "masqueraded, like all traffic from the node: \(answers)")
            let page = try await Shell.output(
                in: "node1",
                "curl --silent --fail --max-time 10 http://127.0.0.1:\(Manifests.nodePort)/ http://localhost:\(Manifests.nodePort)/")
            #expect(page.split(separator: "\n").count == 2 && page.hasPrefix("pod-"), "\(page)")

            let listeners = try await Shell.output(
                in: "node1", "ss --no-header --listening --tcp --numeric 'sport = :\(Manifests.nodePort)'")
            #expect(listeners.split(separator: "\n").count == 1 && listeners.contains(" 127.0.0.1:\(Manifests.nodePort) "), "\(listeners)")
            #expect(try await Answers.ask(from: "outside", "tcp", World.node.outside, Manifests.nodePort).failed == 0)

            try await world.write(
                "other.yaml", Manifests.web(name: "other", address: "10.96.0.20", address6: "fd00:96::20", nodePort: Self.otherPort))
            try await world.write("other-slices.yaml", Manifests.slices(["pod-b"], of: "other"))
            try await waitForAnswers(Self.otherPort)
            #expect(try await ask(Self.otherPort).responders == ["pod-b": 9])
            try await world.remove("web.yaml")
            try await waitForRefusal()
            #expect(try await ask(Self.otherPort).responders == ["pod-b": 9])
        }

        @Test func `follow the node port addresses`() async throws {
            try await serveWeb("--localhost-nodeports --nodeport-addresses 192.0.2.0/24")
            #expect(try await ask(Manifests.nodePort, "tcp", "--count 1").errors == ["connection refused": 1])
            try await Shell.output(
                in: "node1", "ip link add extra0 type dummy; ip link set extra0 up; ip address add 192.0.2.77/32 dev extra0")
            try await waitForAnswers()
            try await Shell.output(in: "node1", "ip link delete extra0")
            try await waitForRefusal()
        }

        @Test func `that another program uses are reported with their Service, and served once they are free`() async throws {
            let host = try await Shell.output(
                """
                setsid ip netns exec node1 \(Place.traffic) serve --name taker --http \(Manifests.nodePort) </dev/null >/dev/null 2>&1 &
                echo $!
                """)
            try await world.begin()
            await world.started(Int(host))
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.write(
                "other.yaml", Manifests.web(name: "other", address: "10.96.0.20", address6: "fd00:96::20", nodePort: Self.otherPort))
            try await world.write("other-slices.yaml", Manifests.slices(["pod-b"], of: "other"))
            try await world.wait(for: "the host's own listener") {
                try await ask(Manifests.nodePort, "tcp", "--count 1").responders == ["taker": 1]
            }
            try await world.start("--localhost-nodeports")
            try await waitForAnswers(Self.otherPort)
            try await world.waitForLog("Failed to serve node port on 127.0.0.1")
            let line = try #require(
                try await world.log().split(separator: "\n").first { $0.contains("Failed to serve node port on 127.0.0.1") })
            #expect(line.contains("default/web:tcp") && line.contains("\(Manifests.nodePort)"), "\(line)")
            try await Shell.output("kill -KILL \(host)")
            try await world.wait(for: "the pods' answer") {
                try await ask(Manifests.nodePort, "tcp", "--count 3").responders == ["pod-a": 1, "pod-b": 1, "pod-c": 1]
            }
        }
    }
}
