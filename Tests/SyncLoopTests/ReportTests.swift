import Kubernetes
import Model
import Reconciler
import StatusAPI
import SyncLoop
import TestSupport
import Testing

@Suite struct `The report` {
    private func change(_ name: String, _ address: String, externalIP: String, _ labels: Labels) -> ClusterChange {
        .service(
            NamespacedName(namespace: "default", name: name),
            Service(
                metadata: ObjectMeta(name: name, namespace: "default", labels: labels), clusterIP: address, clusterIPs: [address],
                ports: [ServicePort(port: 80)], externalIPs: [externalIP]))
    }

    @Test(arguments: [("2h", 7200), ("10m", 600), (nil, 900), ("nonsense", 900)] as [(String?, Int64)])
    func `shows the remaining drain time from the Service's annotation or the default`(annotation: String?, seconds: Int64) {
        let web = TestService("web", 10, annotations: annotation.map { ["kube-ipvs-proxy.io/drain-timeout": $0] } ?? [:])
        var node = SimulatedNode.listed([web.change, web.slice([1])])
        node.kernel.connections = [web.endpoint(1): 1]
        node.absorb([web.slice([])])
        node.run(for: .seconds(30))
        let draining = node.loop.report(at: node.now).virtualServers.flatMap(\.draining)
        #expect(draining.map(\.seconds) == [29] || draining.map(\.seconds) == [30])
        #expect(draining.map { $0.seconds + $0.secondsLeft } == [seconds])
    }

    @Test func `includes only Services that match a selector, served or not`() throws {
        let node = SimulatedNode.listed([
            change("web", "10.96.0.10", externalIP: "127.0.0.1", ["app": "web"]),
            change("db", "10.96.0.11", externalIP: "127.0.0.1", ["app": "db"]),
        ])
        let all = node.loop.report(at: node.now)
        #expect(all.virtualServers.map(\.service) == ["web", "db"] && all.notServed.map(\.service) == ["db", "web"])
        let web = node.loop.report(try LabelSelector("app in (web)"), at: node.now)
        #expect(web.virtualServers.map(\.service) == ["web"] && web.notServed.map(\.service) == ["web"])
        #expect(node.loop.report(try LabelSelector("!app"), at: node.now).virtualServers.isEmpty)
    }

    @Test func `shows failures with their duration and next retry`() throws {
        let web = TestService("web", 10)
        var node = SimulatedNode.listed([])
        node.kernel.broken = [.virtualServer(web.identity)]
        node.absorb([web.change])
        node.run(for: .seconds(5))
        let report = node.loop.report(at: node.now)
        let failing = try #require(report.failing)
        #expect(!report.inSync)
        #expect(failing.map(\.service) == ["default/web:p (ClusterIP)"] && failing.map(\.error) == ["input/output error"])
        #expect(
            failing.map(\.attempts) == [4] && failing.map(\.seconds) == [4] && failing.map(\.secondsToRetry) == [2])
    }
}
