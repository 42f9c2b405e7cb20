import Foundation
import MetricsRegistry
import Model
import Testing
import Traffic

@testable import StatusServer

/// Alerts and dashboard must not refer to metrics that no longer exist.
@Suite struct `Alerts and dashboard` {
    /// Suffixes of the series that Prometheus derives from a histogram.
    private static let suffixes = ["_bucket", "_sum", "_count"]

    /// The type of each metric that `/metrics` has from the start or later, by name.
    private func registry() throws -> [String: String] {
        let metrics = ProxyMetrics(families: [.ipv4, .ipv6])
        let routes = MetricsRoutes(metrics, .init(version: "1.2.3", emulates: "1.36"), start: .now)
        let text = routes.answer(StatusRequest(path: "/metrics"), at: .now).body
        let reported = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { line in
            let words = line.split(separator: " ").map(String.init)
            return (words[2], words[3])
        }
        var traffic = ServiceTraffic(.endpoint, limit: 1)
        let all = (metrics.all + traffic.families([:], of: [:])).map { ($0.description.name, $0.description.kind.rawValue) }
        return Dictionary(reported + all) { first, _ in first }
    }

    @Test(arguments: ["monitoring/alerts.yaml", "monitoring/dashboard.json"])
    func `use only metrics that exist`(path: String) throws {
        let registry = try registry()
        let text = try Deployment.text(path)
        let names = Set(text.matches(of: /\b(?:kubeproxy|kube_ipvs_proxy|process)_[a-z_]+/).map { String($0.0) })
        #expect(names.count > 5)
        for name in names {
            let histogram = Self.suffixes.first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) }
            let isPart = histogram.map { registry[$0] == "histogram" } ?? false
            #expect(isPart || registry[name].map { $0 != "histogram" } == true, "\(name)")
        }
    }

    @Test func `use rate and increase for counters only`() throws {
        let registry = try registry()
        let text = try Deployment.text("monitoring/alerts.yaml") + Deployment.text("monitoring/dashboard.json")
        let rates = text.matches(of: /(?:rate|increase)\(([a-z_]+)/).map { String($0.1) }
        #expect(rates.count > 10)
        for name in rates { #expect(name.hasSuffix("_bucket") || registry[name] == "counter", "\(name)") }
    }

    @Test func `have only panels with a title and an expression`() throws {
        let dashboard = try JSONDecoder().decode(Dashboard.self, from: Data(Deployment.text("monitoring/dashboard.json").utf8))
        #expect(Set(dashboard.panels.map(\.id)).count == dashboard.panels.count)
        #expect(dashboard.panels.allSatisfy { !$0.title.isEmpty && !$0.targets.isEmpty && $0.targets.allSatisfy { !$0.expr.isEmpty } })
    }

    private struct Dashboard: Decodable {
        struct Panel: Decodable {
            struct Target: Decodable { var expr: String }
            var id: Int
            var title: String
            var targets: [Target]
        }
        var panels: [Panel]
    }
}
