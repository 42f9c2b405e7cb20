import KernelTestSupport
import Testing

/// Returns a Service `web` with annotations, on port 80 for TCP and UDP.
private func service(_ annotations: [String: String], affinity: Bool = false) -> String {
    let lines = annotations.map { "\n    \($0.contains("/") ? $0 : "kube-ipvs-proxy.io/\($0)"): \"\($1)\"" }.joined()
    return """
        apiVersion: v1
        kind: Service
        metadata:
          name: web
          namespace: default
          annotations: \(lines.isEmpty ? "{}" : lines)
        spec:
          clusterIP: \(Manifests.clusterIP)
          sessionAffinity: \(affinity ? "ClientIP" : "None")
          ports:
          - {name: tcp, protocol: TCP, port: 80, targetPort: 8080}
          - {name: udp, protocol: UDP, port: 80, targetPort: 8080}
        """
}

extension Scenarios {
    /// The distribution of new connections, from the responders and from ipvsadm.
    @Suite struct `A scheduler` {
        let world = World.shared
        static let server = "\(Manifests.clusterIP):80"

        private func serve(_ annotations: [String: String] = [:], affinity: Bool = false, pods: [String] = World.pods, _ flags: String = "")
            async throws
        {
            try await world.begin()
            try await world.write("service.yaml", service(annotations, affinity: affinity))
            try await world.write("slices.yaml", Manifests.slices(pods))
            try await world.start(flags)
        }

        /// Changes the Service and waits until ipvsadm shows a text.
        private func change(_ annotations: [String: String], affinity: Bool = false, until text: String) async throws {
            try await world.write("service.yaml", service(annotations, affinity: affinity))
            try await wait(for: text)
        }

        private func wait(for text: String) async throws {
            try await world.wait(for: "\"\(text)\" in ipvsadm") { try await self.table().contains(text) }
        }

        private func table() async throws -> String { try await Shell.output(in: "node1", "ipvsadm -S -n") }

        private func ask(_ client: String = "outside", _ transport: String = "tcp", count: Int = 30, _ more: String = "") async throws
            -> Answers
        {
            try await Answers.ask(from: client, transport, Manifests.clusterIP, 80, "--count \(count) \(more)")
        }

        /// Keeps connections open while `body` runs.
        private func holding(_ count: Int, _ body: () async throws -> Void) async throws -> String {
            let client = try await TrafficClient.start(in: "outside", "hold tcp \(Self.server) --connections \(count)")
            try await world.wait(for: "\(count) connections") { try await self.active().values.reduce(0, +) >= count }
            try await body()
            return try await client.finish()
        }

        /// Returns the active connections by pod.
        private func active() async throws -> [String: Int] {
            let lines = try await Shell.output(in: "node1", "ipvsadm -L -n -t \(Self.server)").split(separator: "\n")
            var counts: [String: Int] = [:]
            for pod in World.pods {
                guard let line = lines.first(where: { $0.contains("\(World.address(pod)):8080") }) else { continue }
                counts[pod] = Int(line.split(separator: " ").dropLast().last ?? "")
            }
            return counts
        }

        @Test func `distributes evenly with rr, and by weight with wrr`() async throws {
            try await serve()
            #expect(try await ask().responders == ["pod-a": 10, "pod-b": 10, "pod-c": 10])
            try await change(
                ["weights": "\(World.address("pod-a"))=3, \(World.address("pod-c"))=2"], until: "\(World.address("pod-a")):8080 -m -w 3")
            #expect(try await table().contains("-A -t \(Self.server) -s wrr"))
            let answers = try await ask()
            #expect(answers.responders == ["pod-a": 15, "pod-b": 5, "pod-c": 10], "\(answers)")
            try await change(
                ["scheduler": "wrr", "weights": "\(World.address("pod-b"))=0"], until: "\(World.address("pod-b")):8080 -m -w 0")
            let without = try await ask()
            #expect(without.failed == 0 && without.responders == ["pod-a": 15, "pod-c": 15], "weight 0 is maintenance: \(without)")
        }

        @Test func `distributes by load`() async throws {
            try await serve()
            for scheduler in ["lc", "wlc", "sed", "nq"] {
                try await change(["scheduler": scheduler], until: "-A -t \(Self.server) -s \(scheduler)")
                let held = try await holding(9) {
                    let counts = try await active()
                    #expect(counts == ["pod-a": 3, "pod-b": 3, "pod-c": 3], "\(scheduler)")
                }
                #expect(held.contains("broken 0"), "\(held)")
            }
        }

        @Test func `by load respects weights`() async throws {
            try await serve(["scheduler": "lc", "weights": "\(World.address("pod-a"))=4"])
            _ = try await holding(12) {
                let counts = try await active()
                #expect(counts == ["pod-a": 8, "pod-b": 2, "pod-c": 2])
            }
        }

        @Test(arguments: ["sh", "mh"]) func `by client address keeps a client's server, and moves no other client when a server is removed`(
            scheduler: String
        )
            async throws
        {
            try await serve(["scheduler": scheduler, "scheduler-flags": ""])
            var servers: [String: String] = [:]
            for client in ["node1", "pod-a", "pod-b", "pod-c", "outside"] {
                let answers = try await ask(client, count: 6)
                #expect(answers.failed == 0 && answers.responders.count == 1, "\(client): \(answers)")
                servers[client] = answers.responders.keys.first
            }
            let removed = try #require(servers["outside"])
            let drained = try await holding(2) {
                try await world.write("slices.yaml", Manifests.slices(World.pods.filter { $0 != removed }))
                try await wait(for: "\(World.address(removed)):8080 -m -w 0")
                for (client, server) in servers {
                    let answers = try await ask(client, count: 6)
                    #expect(answers.failed == 0, "no new connection fails while a server drains: \(client): \(answers)")
                    #expect(
                        server == removed ? answers.responders[removed] == nil : answers.responders == [server: 6], "\(client): \(answers)")
                }
            }
            #expect(drained.contains("broken 0"), "\(drained)")
        }

        @Test func `that uses one server for a Service keeps using it`() async throws {
            try await serve()
            for scheduler in ["dh", "fo", "lblc", "lblcr"] {
                try await change(["scheduler": scheduler], until: "-A -t \(Self.server) -s \(scheduler)")
                let answers = try await ask(count: 9)
                #expect(answers.failed == 0 && answers.responders.count == 1, "\(scheduler): \(answers)")
            }
        }

        @Test func `by rank uses the highest weight, and ovf the next one when it is full`() async throws {
            let weights = "\(World.address("pod-b"))=3, \(World.address("pod-c"))=2"
            try await serve(["scheduler": "fo", "weights": weights])
            #expect(try await ask(count: 6).responders == ["pod-b": 6])
            try await change(["scheduler": "ovf", "weights": weights], until: "-s ovf")
            // A server is full with one connection more than its weight.
            _ = try await holding(7) {
                let counts = try await active()
                #expect(counts == ["pod-a": 0, "pod-b": 4, "pod-c": 3])
            }
        }

        @Test func `of two choices uses all servers, if the kernel has it`() async throws {
            try await serve(["scheduler": "twos"])
            guard try await table().contains("-s twos") else {
                try await world.waitForLog("Ignoring invalid annotation")
                return
            }
            let answers = try await ask(count: 60)
            #expect(answers.failed == 0 && answers.responders.count == 3, "\(answers)")
        }

        /// All except ovf, which intentionally has no server left when each has more connections than its weight.
        @Test func `loses neither new nor existing connections while a server drains`() async throws {
            try await serve()
            let held = try await holding(9) {
                for scheduler in ["rr", "wrr", "lc", "wlc", "sed", "nq", "dh", "fo", "lblc", "lblcr", "sh", "mh"] {
                    try await change(["scheduler": scheduler], until: "-A -t \(Self.server) -s \(scheduler)")
                    try await world.write("slices.yaml", Manifests.slices(["pod-a", "pod-c"]))
                    try await wait(for: "\(World.address("pod-b")):8080 -m -w 0")
                    let answers = try await ask(count: 12)
                    #expect(answers.failed == 0 && answers.responders["pod-b"] == nil, "\(scheduler): \(answers)")
                    try await world.write("slices.yaml", Manifests.slices(World.pods))
                    try await wait(for: "\(World.address("pod-b")):8080 -m -w 1")
                }
            }
            #expect(held.contains("broken 0"), "\(held)")
        }

        @Test func `changes on a live Service without losing a connection, also with kube-router's annotation`() async throws {
            try await serve()
            let held = try await holding(6) {
                for scheduler in ["mh", "wlc", "sh", "nq", "rr"] {
                    try await change(["kube-router.io/service.scheduler": scheduler], until: "-A -t \(Self.server) -s \(scheduler)")
                    #expect(try await ask(count: 6).failed == 0)
                }
            }
            #expect(held.contains("broken 0"), "\(held)")
        }

        @Test func `that this kernel lacks is reported, and the default applies`() async throws {
            try await serve(["scheduler": "magic"], "--ipvs-scheduler wlc")
            #expect(try await table().contains("-A -t \(Self.server) -s wlc"))
            try await world.waitForLog("Ignoring invalid annotation")
            try await world.kill()
            let start = try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(World.flags) --once --ipvs-scheduler magic")
            #expect(
                !start.succeeded && start.output.contains("choose an available one with --ipvs-scheduler: rr, wrr, lc, wlc"),
                "\(start.output)")
        }
    }

    /// Other settings of annotations.
    @Suite struct `A Service with annotations` {
        private let world = World.shared
        private let server = "\(Manifests.clusterIP):80"

        private func serve(_ annotations: [String: String], pods: [String] = World.pods, affinity: Bool = false) async throws {
            try await world.begin()
            try await world.write("service.yaml", service(annotations, affinity: affinity))
            try await world.write("slices.yaml", Manifests.slices(pods))
            try await world.start()
        }

        private func table() async throws -> String { try await Shell.output(in: "node1", "ipvsadm -S -n") }

        /// Returns the weight of a pod in the kernel; nil if it is not a real server.
        private func weight(of pod: String) async throws -> Int? {
            let line = try await table().split(separator: "\n").first { $0.hasPrefix("-a -t \(server) -r \(World.address(pod)):") }
            return line?.split(separator: " ").last.flatMap { Int($0) }
        }

        @Test func `starts new and returning endpoints slowly`() async throws {
            try await serve(["slow-start": "2m"], pods: ["pod-a", "pod-b"])
            #expect(try await weight(of: "pod-a") == 100)
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.wait(for: "the new server") { try await self.weight(of: "pod-c") != nil }
            let early = try await Answers.ask(from: "outside", "tcp", Manifests.clusterIP, 80, "--count 60")
            let first = try #require(try await weight(of: "pod-c"))
            #expect(first < 100)
            #expect(early.failed == 0 && early.responders["pod-c", default: 0] < 20, "\(early)")
            try await world.wait(for: "a rising weight") { try await self.weight(of: "pod-c") ?? 0 > first }
            // A slow start that began longer ago ends.
            try await world.write("service.yaml", service(["slow-start": "1s"]))
            try await world.wait(for: "its own weight") { try await self.weight(of: "pod-c") == 100 }
            let late = try await Answers.ask(from: "outside", "tcp", Manifests.clusterIP, 80, "--count 30")
            #expect(late.responders == ["pod-a": 10, "pod-b": 10, "pod-c": 10], "\(late)")
            try await world.write("service.yaml", service(["slow-start": "2m"]))
            try await world.write("slices.yaml", Manifests.slices(["pod-a", "pod-b"]))
            try await world.wait(for: "the server to be removed") { try await (self.weight(of: "pod-c") ?? 0) == 0 }
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.wait(for: "a weight in slow start") { try await (1..<100).contains(self.weight(of: "pod-c") ?? 0) }
        }

        @Test func `gives an endpoint no more connections than its threshold`() async throws {
            try await serve(["upper-threshold": "2", "lower-threshold": "1"])
            #expect(try await Shell.output(in: "node1", "ipvsadm -L -n --thresholds -t \(server)").contains("2          1"))
            let answers = try await Answers.ask(from: "outside", "tcp", Manifests.clusterIP, 80, "--count 9")
            #expect(answers.answered == 6 && answers.responders == ["pod-a": 2, "pod-b": 2, "pod-c": 2], "\(answers)")
            #expect(answers.errors == ["connection refused": 3], "\(answers)")
        }

        @Test func `removes an endpoint with connections when its own drain timeout is over`() async throws {
            try await serve(["drain-timeout": "3s"], pods: ["pod-a"])
            let client = try await TrafficClient.start(in: "outside", "hold tcp \(server)")
            try await world.wait(for: "a connection") {
                try await Shell.output(in: "node1", "ipvsadm -L -n -c").contains("ESTABLISHED")
            }
            let start = ContinuousClock.now
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await world.wait(for: "the drain") { try await self.weight(of: "pod-a") != 1 }
            try await world.wait(for: "the deadline") { try await self.weight(of: "pod-a") == nil }
            #expect(start.duration(to: .now) >= .seconds(3))
            let held = try await client.finish()
            #expect(!held.contains("broken 0"), "\(held)")
        }

        @Test func `spreads the datagrams of one socket`() async throws {
            try await serve([:])
            _ = try await Answers.ask(from: "outside", "udp", Manifests.clusterIP, 80, "--count 1")
            try await world.write("service.yaml", service(["one-packet": "true"]))
            try await world.wait(for: "ops") { try await self.table().contains("-A -u \(self.server) -s rr -o") }
            try await Shell.output(
                in: "outside", "exec 3<>/dev/udp/\(Manifests.clusterIP)/80; for i in $(seq 30); do echo ask >&3; sleep 0.01; done")
            try await world.wait(for: "datagrams at each pod") {
                let lines = try await Shell.output(in: "node1", "ipvsadm -L -n --stats -u \(self.server)").split(separator: "\n").suffix(3)
                return lines.count == 3 && lines.allSatisfy { (Int($0.split(separator: " ").dropFirst(2).first ?? "") ?? 0) >= 9 }
            }
        }

        @Test func `gives clients of one subnet the same endpoint`() async throws {
            try await serve(["affinity-granularity": "16"], affinity: true)
            #expect(try await table().contains("-A -t \(server) -s rr -p 10800 -M 255.255.0.0"))
            var servers: Set<String> = []
            for pod in World.pods {
                servers.formUnion(try await Answers.ask(from: pod, "tcp", Manifests.clusterIP, 80, "--count 4").responders.keys)
            }
            #expect(servers.count == 1, "\(servers)")
        }
    }
}
