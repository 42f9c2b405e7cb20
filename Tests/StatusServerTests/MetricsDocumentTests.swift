import FoundationEssentials
import MetricsRegistry
import Model
import Reconciler
import SyncLoop
@testable import StatusServer
import Testing
import Traffic
@testable import Translation

/// A metric as documented or served.
private struct DescribedMetric: Hashable, Comparable, CustomStringConvertible {
    var name: String
    var type: String
    var labels: [String]

    var description: String { "\(name) \(type) \(labels)" }

    static func < (lhs: DescribedMetric, rhs: DescribedMetric) -> Bool { lhs.name < rhs.name }
}

/// Compares `docs/metrics.md` with the metrics that the program exports.
@Suite struct `The metrics documentation` {
    private func documented() throws -> [DescribedMetric] {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let text = String(decoding: try Data(contentsOf: URL(filePath: "\(root)/docs/metrics.md")), as: UTF8.self)
        return text.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.filter { !"` ".contains($0) }
            }
            guard cells.count == 6, ["counter", "gauge", "histogram"].contains(cells[2]) else { return nil }
            return DescribedMetric(name: cells[1], type: cells[2], labels: cells[3].split(separator: ",").map(String.init))
        }
    }

    /// Returns the metrics in the text of `/metrics`.
    private func served(_ text: String) -> [DescribedMetric] {
        var found: [String: DescribedMetric] = [:]
        var current = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                current = String(words[2])
                found[current] = DescribedMetric(name: current, type: String(words[3]), labels: [])
            } else if !line.hasPrefix("#"), let labels = line.firstMatch(of: /{(.*)}/) {
                let names = labels.1.matches(of: /(\w+)="/).map { String($0.1) }.filter { $0 != "le" }
                found[current]?.labels = names
            }
        }
        return Array(found.values)
    }

    private var traffic: [any MetricFamily] {
        let identity = VirtualServer.Identity(.tcp, AddressPort(IPAddress(v4: 1), 80))
        let origin = ServiceOrigin(service: NamespacedName(namespace: "default", name: "web"), portName: "", kind: .clusterIP)
        let desired = [identity: VirtualServer(identity, origin: origin)]
        let endpoint = ServiceTraffic.Endpoint(identity.location, weight: 1, connections: .init(active: 0, inactive: 0), counters: .zero)
        var traffic = ServiceTraffic(.endpoint, limit: 9)
        _ = traffic.record([(identity, .zero)], of: desired)
        return traffic.families([identity: [endpoint]], of: desired)
    }

    /// Returns the routes of a program in which every counted event has happened.
    private func everything() -> MetricsRoutes {
        let board = StatusBoard(families: [.ipv4], syncPeriod: .seconds(30), expectsNode: false)
        var outcome = SyncOutcome()
        outcome.operations = [.createDevice]
        var proxyStatus = ProxyStatus(families: [.ipv4])
        proxyStatus.refusedAddresses = [
            NamespacedName(namespace: "default", name: "web"): [ServiceRefusal(.externalIP, IPAddress(v4: 1), .node)]
        ]
        proxyStatus.invalidAnnotations = [
            NamespacedName(namespace: "default", name: "web"): [
                InvalidAnnotation("kube-ipvs-proxy.io/scheduler", "best", "must be a scheduler")
            ]
        ]
        board.queued()
        board.synced(outcome, proxyStatus, desired: NodeState())
        board.audited(AuditStatus(overview: .seconds(30), realServers: .seconds(60), cost: .seconds(1)))
        let start = StartupHealth(expectsNode: false)
        start.start(board)
        let health = HealthRoutes(start)
        for path in ["/healthz", "/livez"] { _ = health.answer(StatusRequest(path: path), at: .now) }
        let requests = RequestMetrics(host: "10.99.0.1:6443")
        requests.answered("GET", code: 200)
        requests.finished("GET", after: .milliseconds(1))
        var content = MetricsRoutes.Content(version: "1", emulates: "1.36")
        content.featureGates = ["AllowServiceExternalIPs": true]
        return MetricsRoutes(board.metrics, more: requests.families, content, start: .now)
    }

    @Test func `has every metric with its type and labels, and no other`() throws {
        let text = everything().answer(StatusRequest(path: "/metrics"), at: .now, traffic: traffic).body
        let (documented, served) = (try documented(), served(text))
        #expect(Set(documented).count == documented.count)
        let unknown = Set(served).subtracting(documented).sorted()
        #expect(unknown.isEmpty, "missing or wrong in the documentation: \(unknown)")
        let stale = Set(documented).subtracting(served).sorted()
        #expect(stale.isEmpty, "documented but not served: \(stale)")
    }

    @Test func `is compared with everything that the program can export`() {
        let metrics = ProxyMetrics(families: [.ipv4])
        let text = everything().answer(StatusRequest(path: "/metrics"), at: .now).body
        for family in metrics.all { #expect(text.contains("\n# TYPE \(family.description.name) "), "\(family.description.name)") }
    }
}
