import FoundationEssentials
import Glibc
import KernelTestSupport
import Testing

/// The flows run one after another, because they share one kernel.
@Suite(.serialized, .enabled(if: Place.environment("KUBE_IPVS_FLOWS") == "1", "run them with make flows"))
enum Flows {}

/// Two nodes with a proxy each that read one manifest directory, pods on both, and an external client; built once for all flows, see
/// `two-nodes.sh`.
actor TwoNodes {
    static let shared = TwoNodes()
    static let clients = Server.pods.map(\.rawValue) + ["node1", "node2", "outside"]

    private static let scratch = "/run/flows"
    private static let marker = "10.111.255.254"

    private var isBuilt = false
    private var flags: String?
    private var round = 10000

    /// Makes both nodes serve exactly these Services, and waits until their kernels are in sync.
    ///
    /// - Parameter ranges: additional ranges of cluster IPs, besides those of the flags.
    func serve(_ services: [Served], ranges: [String] = [], flags: String = "") async throws {
        if !isBuilt { try await build() }
        round += 1
        // The old proxy must not apply the changes that the new one is expected to apply.
        if self.flags != flags { try await stop() }
        for node in ["node1", "node2"] { try Data().write(to: URL(filePath: log(of: node))) }
        try writeManifest(services, ranges)
        if self.flags != flags { try await start(flags) }
        let mark = "\(Self.marker):\(round)"
        for node in ["node1", "node2"] {
            try await wait(for: "\(node) in sync") {
                let text = try String(ofFile: self.log(of: node))
                guard let position = text.firstRange(of: mark) else { return false }
                // The other family may still wait for its rules.
                let reports = text[position.upperBound...].split(separator: "\n").filter {
                    $0.contains("\"Synced\"") || $0.contains("\"Kernel state in sync\"")
                }
                return reports.last.map { !$0.contains("inSync=\"false\"") } ?? false
            }
            let text = try String(ofFile: log(of: node))
            if text.contains("\"Operation failed\"") { throw Timeout(what: "a sync of \(node) without failures", log: text) }
        }
    }

    private func build() async throws {
        var script = "source \(Place.repository)/Integration/Flows/two-nodes.sh\nmkdir -p \(Self.scratch)/manifests\nmake_two_nodes\n"
        func serve(_ namespace: String, _ name: String, _ ports: String) -> String {
            "serve_traffic \(namespace) --name \(name) \(ports)\n"
        }
        for pod in Server.pods {
            script += "make_pod \(pod.node) \(pod.rawValue) \(pod.address()) \(pod.address(.v6))\n"
            script += serve(pod.rawValue, pod.rawValue, "--http 8080 --udp 8080 --sctp 8080")
            script += serve(pod.rawValue, "\(pod.rawValue)/9090", "--http 9090 --udp 9090")
        }
        for host in [Server.host1, .host2] { script += serve(host.node, host.rawValue, "--http 8080 --udp 8080") }
        for client in Self.clients {
            script += "setsid ip netns exec \(client) \(Place.traffic) standby \(Self.scratch)/\(client) </dev/null >/dev/null 2>&1 &\n"
        }
        try await Shell.output(script)
        for client in Self.clients { try await wait(for: "client \(client)") { access("\(Self.scratch)/\(client)", F_OK) == 0 } }
        isBuilt = true
    }

    /// Kills the running proxies, like a crash.
    private func stop() async throws {
        try await Shell.output(
            """
            for node in node1 node2; do
              [ -e \(Self.scratch)/$node.pid ] || continue
              kill -KILL $(cat \(Self.scratch)/$node.pid)
              while kill -0 $(cat \(Self.scratch)/$node.pid) 2>/dev/null; do sleep 0.05; done
            done
            """)
    }

    /// Starts a proxy on each node, which has its own lock of iptables, as on two machines.
    private func start(_ flags: String) async throws {
        try await Shell.output(
            """
            for node in node1 node2; do
              XTABLES_LOCKFILE=/run/xtables-$node.lock setsid ip netns exec $node \(Place.proxy) --manifests \(Self.scratch)/manifests --hostname-override $node \
                --cluster-cidr 10.244.0.0/16,fd00:244::/32 --service-cluster-ip-range 10.96.0.0/12,fd00:96::/112 \
                --state-directory \(Self.scratch)/state-$node \(Place.filterFlag) \(Place.addressFlag) --ipvs-min-sync-period 0s --v 4 \(flags) \
                </dev/null >>\(Self.scratch)/$node.log 2>&1 &
              echo $! >\(Self.scratch)/$node.pid
            done
            """)
        self.flags = flags
    }

    private func log(of node: String) -> String { "\(Self.scratch)/\(node).log" }

    private func writeManifest(_ services: [Served], _ ranges: [String]) throws {
        let encoder = JSONEncoder()
        var documents = try services.flatMap { served in
            try [encoder.encode(served.service)] + served.slices.map { try encoder.encode($0) }
        }.map { String(decoding: $0, as: UTF8.self) }
        // A sync whose operations name the marker has applied the complete manifest.
        documents.append(
            #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"marker","namespace":"default"},"spec":{"clusterIP":"\#(Self.marker)","ports":[{"port":\#(round)}]}}"#
        )
        for number in 1...2 {
            documents.append(
                #"{"apiVersion":"v1","kind":"Node","metadata":{"name":"node\#(number)","labels":{"topology.kubernetes.io/zone":"zone\#(number)"}},"#
                    + #""status":{"addresses":[{"type":"InternalIP","address":"\#(Address.node(number))"},{"type":"InternalIP","address":"\#(Address.node(number, .v6))"}]}}"#
            )
        }
        if !ranges.isEmpty {
            let list = ranges.map { "\"\($0)\"" }.joined(separator: ",")
            documents.append(
                #"{"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"added"},"spec":{"cidrs":[\#(list)]}}"#)
        }
        let path = "\(Self.scratch)/manifests/flows.json"
        let text = #"{"apiVersion":"v1","kind":"List","items":[\#(documents.joined(separator: ","))]}"#
        try Data(text.utf8).write(to: URL(filePath: path + ".part"))
        guard rename(path + ".part", path) == 0 else { throw Timeout(what: "rename of \(path)", log: "") }
    }

    struct Timeout: Error, CustomStringConvertible {
        var what: String
        var log: String
        var description: String { "timed out waiting for \(what); the proxy's log:\n\(log.suffix(4000))" }
    }

    func wait(for what: String, seconds: Double = 60, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
        var checks = 0
        while try await !condition() {
            checks += 1
            // A busy machine may stop for longer than that.
            guard ContinuousClock.now < deadline || checks < 20 else {
                // The timeout is reported even without a log.
                let logs = ["node1", "node2"].map { (try? String(ofFile: log(of: $0))) ?? "no log of \($0)" }
                throw Timeout(what: what, log: logs.map { String($0.suffix(2000)) }.joined(separator: "\n"))
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Sends requests with the standby client of a namespace, and returns and prints the answers.
    ///
    /// - Parameter outcome: the part of the answers that every run has, see `Outcome`.
    nonisolated func ask(
        from client: String, _ transport: String, _ address: String, _ port: UInt16 = 80, count: Int = 8,
        options: String = "--timeout-ms 10000", outcome: Outcome = .servers
    ) throws -> Answers {
        let standby = try StandbyClient(at: "\(Self.scratch)/\(client)")
        try standby.send("ask \(transport) \(Self.location(address, port)) --count \(count) \(options)")
        let answers = try standby.answers()
        outcome.print(answers, of: "\(transport) from \(client) to \(Self.location(address, port))")
        return answers
    }

    /// Runs `ask` or `hold` with the standby client of a namespace until the returned work is finished.
    nonisolated func begin(
        _ command: String, from client: String, _ address: String, _ port: UInt16 = 80,
        options: String = "--interval-ms 10 --timeout-ms 10000"
    ) throws -> Work {
        try Work(
            "\(command) tcp \(Self.location(address, port)) \(options)", by: StandbyClient(at: "\(Self.scratch)/\(client)"),
            stop: "\(Self.scratch)/stop-\(client)")
    }

    private static func location(_ address: String, _ port: UInt16) -> String {
        address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    /// Sends requests over TCP.
    nonisolated func ask(from client: String, _ address: String, _ port: UInt16 = 80, count: Int = 8) throws -> Answers {
        try ask(from: client, "tcp", address, port, count: count)
    }
}
