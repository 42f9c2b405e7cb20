import KernelTestSupport
import Testing

extension Scenarios {
    /// Endpoints and the proxy change under traffic.
    @Suite struct `A change` {
        let world = World.shared

        private func serveWeb(_ pods: [String] = World.pods, _ flags: String = "") async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(pods))
            try await world.start(flags)
        }

        /// A client in a namespace that sends requests until it is stopped.
        private struct Client {
            private let traffic: TrafficClient

            static func start(_ namespace: String, _ command: String) async throws -> Client {
                let target = String(command.split(separator: " ")[2])
                let before = try await connections(to: target)
                let client = Client(traffic: try await .start(in: namespace, command))
                // Without a connection when an endpoint is removed, there would be nothing to drain.
                try await World.shared.wait(for: "the client's first connection") { try await connections(to: target) > before }
                return client
            }

            /// Returns the number of the node's IPVS connections to an address and port, including recently closed ones.
            private static func connections(to target: String) async throws -> Int {
                Int(try await Shell.output(in: "node1", "ipvsadm -L -n -c | grep -cF ' \(target) ' || true")) ?? 0
            }

            func finish() async throws -> String { try await traffic.finish() }
        }

        private func realServers() async throws -> [String] {
            try await Shell.output(in: "node1", "ipvsadm -S -n").split(separator: "\n").filter {
                $0.hasPrefix("-a -t \(Manifests.clusterIP):80 ")
            }.map(String.init)
        }

        @Test func `of endpoints, a hundred times under constant requests, fails no request`() async throws {
            try await serveWeb(["pod-a", "pod-b"])
            let client = try await Client.start(
                "pod-c", "ask tcp \(Manifests.clusterIP):80 --json --concurrency 4 --interval-ms 5")
            let node = try await Client.start(
                "outside", "ask tcp \(World.node.outside):\(Manifests.nodePort) --json --interval-ms 10")
            for round in 0..<100 {
                let pods = World.pods
                try await world.write("slices.yaml", Manifests.slices([pods[round % 3], pods[(round + 1) % 3]]))
                try await Task.sleep(for: .milliseconds(60))
            }
            for client in [client, node] {
                let answers = try Answers.decode(try await client.finish())
                #expect(answers.failed == 0 && answers.requests > 20, "\(answers)")
                #expect(answers.responders.count == 3)
            }
        }

        @Test func `of the proxy by SIGKILL and restart fails no request and breaks no connection`() async throws {
            try await serveWeb()
            let asking = try await Client.start(
                "pod-c", "ask tcp \(Manifests.clusterIP):80 --json --concurrency 2 --interval-ms 5")
            let holding = try await Client.start(
                "outside", "hold tcp \(Manifests.clusterIP):80 --connections 4 --interval-ms 20")
            let before = (try await Shell.output(in: "node1", "ipvsadm -S -n"), try await NodeFilter().dump())
            for _ in 0..<2 {
                try await world.kill()
                try await world.start()
                #expect(try await !world.log().contains("addVirtualServer"), "a restart recreates nothing")
            }
            let after = (try await Shell.output(in: "node1", "ipvsadm -S -n"), try await NodeFilter().dump())
            #expect(before == after)
            let answers = try Answers.decode(try await asking.finish())
            #expect(answers.failed == 0 && answers.requests > 20, "\(answers)")
            let held = try await holding.finish()
            #expect(held.contains("broken 0"), "\(held)")
        }

        @Test func `by a graceful stop keeps everything served`() async throws {
            try await serveWeb()
            try await world.terminate()
            let answers = try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP, Manifests.port)
            #expect(answers.failed == 0)
        }

        @Test func `that removes an endpoint lets its connections finish`() async throws {
            try await serveWeb(["pod-a"])
            let holding = try await Client.start("pod-c", "hold tcp \(Manifests.clusterIP):80 --interval-ms 20")
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await world.wait(for: "weight 0") {
                try await realServers().contains { $0.contains("-r \(World.address("pod-a")):8080") && $0.hasSuffix("-w 0") }
            }
            let answers = try await Answers.ask(from: "pod-c", "tcp", Manifests.clusterIP, 80, "--count 5")
            #expect(answers.responders == ["pod-b": 5], "new connections go to other servers: \(answers)")
            let held = try await holding.finish()
            #expect(held.contains("broken 0"), "\(held)")
            // The kernel counts the closed connection during two minutes of TIME_WAIT; until then, the server is kept with weight 0.
            let left = try await realServers()
            #expect(left.contains { $0.contains("-r \(World.address("pod-a")):8080") && $0.hasSuffix("-w 0") }, "\(left)")
        }

        @Test func `that removes an idle endpoint deletes it immediately`() async throws {
            try await serveWeb()
            try await world.write("slices.yaml", Manifests.slices(["pod-a", "pod-b"]))
            try await world.wait(for: "two real servers", seconds: 20) { try await realServers().count == 2 }
        }

        @Test func `that removes a busy endpoint deletes it at the drain deadline`() async throws {
            try await serveWeb(["pod-a"], "--drain-timeout 20s")
            let holding = try await Client.start("pod-c", "hold tcp \(Manifests.clusterIP):80 --interval-ms 50")
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await world.waitForLog("ipvsadm -e -t \(Manifests.clusterIP):80 -r \(World.address("pod-a")):8080 -m -w 0")
            try await world.wait(for: "one real server", seconds: 60) { try await realServers().count == 1 }
            let held = try await holding.finish()
            #expect(!held.contains("broken 0"), "the connection ended with its server: \(held)")
        }

        @Test func `that adds a draining endpoint again restores its weight and keeps its connections`() async throws {
            try await serveWeb(["pod-a"])
            let holding = try await Client.start("pod-c", "hold tcp \(Manifests.clusterIP):80 --interval-ms 20")
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await world.wait(for: "weight 0") { try await realServers().contains { $0.hasSuffix("-w 0") } }
            try await world.write("slices.yaml", Manifests.slices(["pod-a", "pod-b"]))
            try await world.wait(for: "both in service") { try await realServers().count { $0.hasSuffix("-w 1") } == 2 }
            let held = try await holding.finish()
            #expect(held.contains("broken 0"), "\(held)")
        }

        @Test func `of a UDP endpoint moves a client that keeps sending requests`() async throws {
            try await serveWeb(["pod-a"])
            #expect(try await Answers.ask(from: "pod-c", "udp", Manifests.clusterIP, 80).responders == ["pod-a": 9])
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await world.wait(for: "the new endpoint") {
                try await Answers.ask(from: "pod-c", "udp", Manifests.clusterIP, 80, "--count 1").responders == ["pod-b": 1]
            }
            #expect(try await Answers.ask(from: "pod-c", "udp", Manifests.clusterIP, 80).responders == ["pod-b": 9])
        }

        @Test func `to an invalid manifest keeps the last valid version in force and reports the error`() async throws {
            try await serveWeb()
            try await world.write("web.yaml", Manifests.web().replacing("port: 80,", with: "port: 70000,"))
            try await world.waitForLog("70000")
            let log = try await world.log()
            #expect(log.contains("web.yaml") && log.contains("spec.ports[0].port"), "file, field and value: \(log.suffix(500))")
            #expect(try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP, 80).failed == 0)
        }

        @Test func `that removes a Service removes all of its state`() async throws {
            try await serveWeb()
            try await world.remove("web.yaml")
            try await world.wait(for: "no virtual server") { try await Shell.output(in: "node1", "ipvsadm -S -n") == "" }
            // Set members are removed after the virtual servers.
            try await world.wait(for: "no member and no address") {
                let addresses = try await Shell.output(in: "node1", "ip -oneline address show dev kube-ipvs0 | grep -v fe80 || true")
                return try await NodeFilter().members().isEmpty && addresses.isEmpty
            }
        }
    }
}
