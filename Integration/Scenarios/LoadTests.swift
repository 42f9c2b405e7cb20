import Glibc
import KernelTestSupport
import Testing

extension Scenarios {
    /// Many objects and changes; with `make load`, as many as in a large cluster. Prints measurements.
    @Suite struct `Under load` {
        let world = World.shared
        let server = APIServer.shared

        private static let services = number("LOAD_SERVICES", 500)
        private static let endpoints = number("LOAD_ENDPOINTS", 10)
        private static let rate = number("LOAD_RATE", 20)
        private static let seconds = number("LOAD_SECONDS", 10)
        /// Not a network of this node: the kernel refuses real servers with a broadcast address.
        private static let range = "--endpoint-range \(Place.environment("LOAD_ENDPOINT_RANGE") ?? "10.245.0.0/16")"
        /// A sync takes several changes: system calls are expensive in a user-space kernel. The default period would be a second.
        private static let period = Place.environment("LOAD_MIN_SYNC_PERIOD") ?? "100ms"
        /// With 4, each operation is logged and counted.
        private static let verbosity = number("LOAD_VERBOSITY", 0)

        private static func number(_ name: String, _ standard: Int) -> Int { Place.environment(name).flatMap { Int($0) } ?? standard }

        @Test func `no endpoint change is lost, and memory stays within bounds`() async throws {
            try await world.begin()
            try await fill()
            let start = ContinuousClock.now
            try await world.launch("--v \(Self.verbosity) --ipvs-min-sync-period \(Self.period)", flags: World.apiFlags)
            try await world.wait(for: "the first sync", seconds: 300) { try await world.log().contains("Kernel state in sync") }
            print(
                "\(Self.services) Services, \(Self.services * Self.endpoints) endpoints: in sync \((ContinuousClock.now - start).seconds) s after the start"
            )
            try await expectEqual(after: "the start")
            let before = try await memory()

            print(try await change())
            try await expectEqual(after: "the changes")
            let after = try await memory()
            print(
                "resident memory: \(before.resident / 1024) MB before, \(after.resident / 1024) MB after, \(after.peak / 1024) MB at most")
            #expect(after.peak < before.peak * 3 / 2, "\(before) → \(after)")
            let log = try await world.log()
            let latencies = Latencies(log: log)
            print(latencies)
            print(SyncedOperations(log: log))
            #expect(latencies.count > 0, "programmed changes have a latency")
            if APIServer.isOfACluster, Self.changes == nil {
                try await Shell.output(
                    in: "outside", "\(Place.apiserver) clear --kubeconfig \(Place.kubeconfig) --namespace \(Self.namespace)")
            }
            try await server.stop()
        }

        private static let namespace = "kube-ipvs-proxy-test"
        private static let population = "--namespace \(namespace) --services \(services) --endpoints \(endpoints) \(range)"

        /// The file in which `Integration/load`, which also fills the API server, reports its changes when they are done.
        private static let changes = Place.environment("LOAD_CHANGES")

        /// Changes endpoints, or waits until they are changed; returns the number and rate of changes.
        private func change() async throws -> String {
            if let changes = Self.changes {
                print("ready for changes")
                // The output is read line by line and must not stay in a buffer.
                fflush(nil)
                try await world.wait(for: "the changes", seconds: Double(Self.seconds) + 120) { access(changes, F_OK) == 0 }
                return try String(ofFile: changes)
            }
            return try await Shell.output(
                in: "outside",
                "\(Place.apiserver) churn --kubeconfig \(Place.kubeconfig) --namespace \(Self.namespace) --rate \(Self.rate) --seconds \(Self.seconds) \(Self.range)"
            )
        }

        /// Fills the API server with the objects for the proxy.
        private func fill() async throws {
            guard !APIServer.isOfACluster else {
                try await server.connect()
                guard Self.changes == nil else { return }
                try await Shell.output(
                    in: "outside", "\(Place.apiserver) fill --kubeconfig \(Place.kubeconfig) --allocate-cluster-ips \(Self.population)")
                return
            }
            try await Shell.output("\(Place.apiserver) fill --print \(Self.population) >\(Place.scratch)/load.json")
            try await server.start("--bookmark-interval 30 --load \(Place.scratch)/load.json")
            try await Shell.output("rm \(Place.scratch)/load.json")
            try await server.put(.node())
        }

        /// Waits until the kernel matches the API server, except for draining servers.
        private func expectEqual(after what: String) async throws {
            let expected = try await server.expected(namespace: Self.namespace)
            #expect(expected.count >= Self.services * 2)
            // A cluster has other Services too.
            let ours = Set(expected.map { Self.virtualServer(of: $0) })
            var difference = 0
            for _ in 0..<60 {
                let lines = try await Shell.output(in: "node1", "ipvsadm -S -n | grep -v -e '-w 0$'").split(separator: "\n").map(
                    String.init)
                difference = Set(lines).filter { ours.contains(Self.virtualServer(of: $0)) }.symmetricDifference(expected).count
                if difference == 0 { break }
                try await Task.sleep(for: .seconds(1))
            }
            #expect(difference == 0, "lines that differ between API server and kernel after \(what)")
        }

        /// Returns the virtual server of a line of `ipvsadm -S -n`, such as `10.96.0.1:80`.
        private static func virtualServer(of line: String) -> Substring { line.split(separator: " ").dropFirst(2).first ?? "" }

        /// Returns the memory of the proxy in KiB.
        private func memory() async throws -> (resident: Int, peak: Int) {
            let process = try #require(await world.proxy)
            let status = try String(ofFile: "/proc/\(process)/status").split(separator: "\n")
            func value(_ name: String) throws -> Int {
                let line = try #require(status.first { $0.hasPrefix("\(name):") })
                return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
            }
            return (try value("VmRSS"), try value("VmHWM"))
        }
    }
}

/// Latencies from the cause of a change to the kernel, from the proxy's log: each change counts with the slowest latency of its sync.
private struct Latencies: CustomStringConvertible {
    private var milliseconds: [Int] = []

    init(log: String) {
        for line in log.split(separator: "\n") where line.contains("\"Synced\"") {
            guard let count = Latencies.value("endpointChanges", line),
                let slowest = Latencies.value("slowestEndpointChangeMilliseconds", line)
            else { continue }
            milliseconds += Array(repeating: slowest, count: count)
        }
        milliseconds.sort()
    }

    static func value(_ key: String, _ line: Substring) -> Int? {
        line.split(separator: " ").first { $0.hasPrefix("\(key)=") }.flatMap { Int($0.filter(\.isNumber)) }
    }

    var count: Int { milliseconds.count }

    private func quantile(_ share: Double) -> Int { milliseconds.isEmpty ? 0 : milliseconds[Int(Double(milliseconds.count - 1) * share)] }

    var description: String {
        "programming latency of \(count) changes: median \(quantile(0.5)) ms, 99 % within \(quantile(0.99)) ms, slowest \(quantile(1)) ms"
    }
}

/// The operations on real servers of the syncs that changed endpoints, from the proxy's log.
private struct SyncedOperations: CustomStringConvertible {
    private var syncs = 0
    private var changes = 0
    private var operations = 0
    /// The most operations on one real server in a sync; 0 if the log does not have them.
    private var most = 0

    private static let kinds = ["addRealServer", "editRealServer", "deleteRealServer"]

    init(log: String) {
        var touched: [Substring: Int] = [:]
        for line in log.split(separator: "\n") {
            if let command = line.firstRange(of: "operation=\"ipvsadm -").map({ line[$0.upperBound...] }), line.contains("\"Applied\"") {
                // Such as `a -t 10.96.0.1:80 -r 10.128.0.1:8080 -m -w 1`: virtual and real server.
                let words = command.split(separator: " ")
                if words.count > 4, words[3] == "-r" { touched[command[words[1].startIndex..<words[4].endIndex], default: 0] += 1 }
            } else if line.contains("\"Synced\"") {
                if let count = Latencies.value("endpointChanges", line) {
                    syncs += 1
                    changes += count
                    operations += Self.kinds.compactMap { Latencies.value($0, line) }.reduce(0, +)
                    most = max(most, touched.values.max() ?? 0)
                }
                touched = [:]
            }
        }
    }

    var description: String {
        "syncs: \(syncs) with \(changes) endpoint changes and \(operations) operations on real servers"
            + (most > 0 ? "; most operations on an object in a sync: \(most)" : "")
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds / 1_000_000_000_000_000) / 1000 }
}
