import Foundation
import KernelTestSupport
import Testing

extension Scenarios {
    /// Timing while endpoints of other Services change constantly, and while other operations fail.
    @Suite struct `Under churn` {
        private let world = World.shared
        private let server = "\(Manifests.clusterIP):80"
        private static let stop = "\(Place.scratch)/stop-churn"

        private func service(_ name: String, _ address: String, _ annotations: String = "{}", more: String = "") -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: default, annotations: \(annotations)}
            spec:
              clusterIP: \(address)
              ports: [{name: tcp, port: 80, targetPort: 8080}]
              \(more)
            """
        }

        private func slice(_ name: String, _ addresses: [String]) -> String {
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: \(name)-1, namespace: default, labels: {kubernetes.io/service-name: \(name)}}
            addressType: IPv4
            ports: [{name: tcp, port: 8080, protocol: TCP}]
            endpoints: [\(addresses.map { "{addresses: [\($0)], conditions: {ready: true}}" }.joined(separator: ", "))]
            """
        }

        /// Changes the endpoints of `busy` ten times per second while `body` runs.
        private func churning(_ body: () async throws -> Void) async throws {
            try await world.write("busy.yaml", service("busy", "10.96.7.7"))
            let text = slice("busy", ["10.245.0.NUMBER"]).replacing("\n", with: "\\n")
            let process = try await Shell.output(
                """
                rm -f \(Self.stop); (n=1; until [ -e \(Self.stop) ]; do n=$((n % 200 + 1)); \
                printf '\(text)\\n' | sed "s/NUMBER/$n/" >\(Place.scratch)/busy.part; \
                mv \(Place.scratch)/busy.part \(Place.manifests)/busy-slice.yaml; sleep 0.1; done) </dev/null >/dev/null 2>&1 & echo $!
                """)
            let end = "touch \(Self.stop); while kill -0 \(process) 2>/dev/null; do sleep 0.1; done"
            do {
                try await body()
            } catch {
                try await Shell.output(end)
                throw error
            }
            try await Shell.output(end)
        }

        /// Returns when operations that start with an `ipvsadm` command were applied, in seconds, from the proxy's log: polling is too slow to see each.
        private static func applied(_ command: String, in log: String) -> [Double] {
            var times: [Double] = []
            for line in log.split(separator: "\n") where line.contains("\"Applied\" operation=\"ipvsadm \(command)") {
                let parts = line.split(separator: " ")[1].split(separator: ":").compactMap { Double($0) }
                guard parts.count == 3 else { continue }
                let time = parts[0] * 3600 + parts[1] * 60 + parts[2]
                // After midnight.
                times.append(time < times.first ?? time ? time + 86400 : time)
            }
            return times
        }

        /// Returns the weight of a pod in the kernel; nil if it is not a real server.
        private func weight(of pod: String) async throws -> Int? {
            let table = try await Shell.output(in: "node1", "ipvsadm -S -n")
            let line = table.split(separator: "\n").first { $0.hasPrefix("-a -t \(server) -r \(World.address(pod)):") }
            return line?.split(separator: " ").last.flatMap { Int($0) }
        }

        private static let flags = "--ipvs-min-sync-period 100ms --ipvs-sync-period 300s"

        @Test func `a drain and a slow start take their configured time`() async throws {
            try await world.begin()
            let annotations = "{kube-ipvs-proxy.io/drain-timeout: 10s, kube-ipvs-proxy.io/slow-start: 20s}"
            try await world.write("web.yaml", service("web", Manifests.clusterIP, annotations))
            try await world.write("web-slice.yaml", slice("web", [World.address("pod-a")]))
            try await world.start(Self.flags)
            let client = try await TrafficClient.start(in: "outside", "hold tcp \(server)")
            try await world.wait(for: "a connection") {
                try await Shell.output(in: "node1", "ipvsadm -L -n -c").contains("ESTABLISHED")
            }
            try await churning {
                let removal = ContinuousClock.now
                try await world.write("web-slice.yaml", slice("web", [World.address("pod-b")]))
                try await world.wait(for: "the end of the drain") { try await self.weight(of: "pod-a") == nil }
                #expect(removal.duration(to: .now) >= .seconds(10))
                var log = try await world.log()
                let start = try #require(Self.applied("-e -t \(server) -r \(World.address("pod-a")):8080 -m -w 0", in: log).first)
                let end = try #require(Self.applied("-d -t \(server) -r \(World.address("pod-a")):8080", in: log).first)
                print("a drain of 10 s under churn: \(end - start) s")
                // Later on a slow machine. A starved drain would end with an audit, after five minutes.
                #expect(end - start < 60)

                let addition = ContinuousClock.now
                try await world.write("web-slice.yaml", slice("web", [World.address("pod-b"), World.address("pod-c")]))
                try await world.wait(for: "the new server") { try await self.weight(of: "pod-c") != nil }
                try await world.wait(for: "its own weight") { try await self.weight(of: "pod-c") == 100 }
                #expect(addition.duration(to: .now) >= .seconds(20))
                log = try await world.log()
                let begin = try #require(Self.applied("-a -t \(server) -r \(World.address("pod-c")):8080", in: log).first)
                let steps = Self.applied("-e -t \(server) -r \(World.address("pod-c")):8080", in: log)
                let rise = (steps.last ?? 0) - begin
                print("a slow start of 20 s under churn: \(rise) s, \(steps.count) steps")
                #expect(rise < 90 && steps.count >= 5, "\(steps)")
            }
            _ = try await client.finish()
            #expect(try await !world.log().contains("Repaired external change"), "nothing changed externally")
        }

        @Test(.enabled(if: Place.hasIPTables, "nftables is changed without a program"))
        func `endpoints reach the kernel while iptables-restore hangs and the kernel refuses a real server`() async throws {
            try await world.begin()
            let (programs, hang) = ("\(Place.scratch)/hanging", "\(Place.scratch)/hang")
            try await Shell.output(
                """
                rm -rf \(programs) \(hang) \(hang)s; mkdir \(programs)
                for family in ip ip6; do
                    real=$(command -v ${family}tables-\(Place.iptables)-restore)
                    printf '#!/bin/sh\\n[ ! -e \(hang) ] || touch \(hang)s\\nwhile [ -e \(hang) ]; do sleep 0.2; done\\nexec %s "$@"\\n' "$real" >\(programs)/${family}tables-\(Place.iptables)-restore
                    chmod +x \(programs)/${family}tables-\(Place.iptables)-restore
                done
                """)
            try await world.write("web.yaml", service("web", Manifests.clusterIP))
            try await world.write("web-slice.yaml", slice("web", [World.address("pod-a"), "10.244.1.255"]))
            try await world.launch("--ipvs-min-sync-period 100ms --ipvs-sync-period 5s", path: programs)
            try await world.waitForLog("Kernel state in sync")
            try await Shell.output(
                in: "node1",
                "touch \(hang); iptables-\(Place.iptables) -t nat -F KUBE-SERVICES; ip6tables-\(Place.iptables) -t nat -F KUBE-SERVICES")
            // An audit finds it within a sync period.
            try await world.wait(for: "the restore to hang") { try await Shell.attempt("[ -e \(hang)s ]").succeeded }
            var slowest = 0.0
            try await churning {
                for round in 0..<10 {
                    let (added, removed) = round % 2 == 0 ? ("pod-b", "pod-c") : ("pod-c", "pod-b")
                    try await world.write("web-slice.yaml", slice("web", ["10.244.1.255", World.address("pod-a"), World.address(added)]))
                    let start = ContinuousClock.now
                    // Sooner than the timeout of a hanging restore, even on a slow machine.
                    try await world.wait(for: "\(added)", seconds: 50) {
                        let (new, old) = (try await self.weight(of: added), try await self.weight(of: removed))
                        return new == 1 && old ?? 0 == 0
                    }
                    slowest = max(slowest, start.duration(to: .now) / .seconds(1))
                }
                // A Service that depends on the rules waits for them.
                try await world.write("second.yaml", service("second", "10.96.8.8"))
                try await Task.sleep(for: .seconds(1))
                #expect(try await !Shell.output(in: "node1", "ipvsadm -S -n").contains("10.96.8.8:80"))
                #expect(try await !Shell.output(in: "node1", "ip -brief address show kube-ipvs0").contains("10.96.8.8"))
            }
            print("an endpoint reached the kernel within \(slowest) s while iptables-restore hung")
            try await Shell.output("rm \(hang)")
            try await world.wait(for: "the second Service") {
                try await Shell.output(in: "node1", "ip -brief address show kube-ipvs0").contains("10.96.8.8")
            }
            let rules = try await Shell.output(in: "node1", "iptables-\(Place.iptables)-save -t nat")
            #expect(rules.contains("-A KUBE-SERVICES"), "\(rules)")
            try await world.kill()
            try await Shell.output("rm -rf \(programs)")
        }
    }
}
