import Kubernetes
import Model
import Testing
import Translation

private let near = "10.244.0.1"
private let far = "10.244.1.1"

/// Returns a Service with every kind of address: 10.96.0.10, 50.60.70.81, 192.0.2.50 and node port 30080.
private func web(internal: TrafficPolicy = .cluster, external: TrafficPolicy = .cluster, transport: Transport = .tcp) -> Service {
    Service.loadBalancer("web", "10.96.0.10", ingress: ["192.0.2.50"], nodePort: 30080, policy: external).with {
        $0.internalTrafficPolicy = `internal`
        $0.externalIPs = ["50.60.70.81"]
        $0.ports[0].transport = transport
    }
}

private let outside = ["192.0.2.50:80/TCP", "50.60.70.81:80/TCP", "10.99.0.2:30080/TCP"]

@Suite struct `internalTrafficPolicy Local` {
    @Test func `uses only endpoints of this node, and applies only to the cluster IP`() {
        let cluster = Cluster([web(internal: .local)], [.of("web", [.at(near, node: "node1"), .at(far, node: "node2")])])
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == [near])
        for server in outside { #expect(cluster.endpoints(server) == [near, far]) }
    }

    @Test(arguments: [web(internal: .local), .clusterIP("web", "10.96.0.10").with { $0.internalTrafficPolicy = .local }])
    func `never uses endpoints of other nodes, whatever external addresses the Service has`(service: Service) {
        let cluster = Cluster([service], [.of("web", [.at(far, node: "node2"), .terminating("10.244.1.2", serving: true, node: "node2")])])
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == [])
        #expect(cluster.members(.noLocalEndpoints).isEmpty)
    }

    @Test func `follows endpoints that are added and removed`() {
        var cluster = Cluster(
            [.clusterIP("web", "10.96.0.10").with { $0.internalTrafficPolicy = .local }],
            [.of("web", [.at(near, node: "node1"), .at(far, node: "node2")])])
        #expect(cluster.members(.loopBack) == ["\(near),tcp:8080,\(near)"])
        cluster.set(.of("web", [.terminating(near, serving: true, node: "node1"), .at(far, node: "node2")]))
        cluster.translate()
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == [near])
        cluster.removeSlice("web-a")
        cluster.translate()
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == [])
        #expect(cluster.members(.loopBack).isEmpty)
    }
}

@Suite struct `externalTrafficPolicy Local` {
    private static let comment =
        "-m comment --comment \"Kubernetes service ip + port with externalTrafficPolicy=local without local endpoints\""
    private static let match = "\(comment) -m set --match-set KUBE-NO-LOCAL-ENDPOINTS dst,dst"

    @Test func `uses only endpoints of this node on every address except the cluster IP`() {
        let cluster = Cluster([web(external: .local)], [.of("web", [.at(near, node: "node1"), .at(far, node: "node2")])])
        #expect(cluster.endpoints("10.96.0.10:80/TCP") == [near, far])
        for server in outside { #expect(cluster.endpoints(server) == [near]) }
        #expect(cluster.members(.nodePortTCP) == ["30080"] && cluster.members(.nodePortLocalTCP) == ["30080"])
        #expect(cluster.members(.noLocalEndpoints).isEmpty)
    }

    @Test func `without local endpoints serves this node and its pods from all endpoints, and drops external clients`() throws {
        let pods = try #require(CIDR("10.244.0.0/16"))
        let cluster = Cluster(
            [web(external: .local)], [.of("web", [.at(far, node: "node2")])],
            settings: TranslationSettings(nodeName: "node1", localTraffic: .clusterCIDR([pods])))
        for server in outside { #expect(cluster.endpoints(server) == [far]) }
        #expect(cluster.members(.noLocalEndpoints) == ["10.99.0.2,tcp:30080", "192.0.2.50,tcp:80", "50.60.70.81,tcp:80"])
        let match = `externalTrafficPolicy Local`.match
        #expect(
            cluster.rules(.filter, "KUBE-PROXY-FIREWALL") == [
                "! -s 10.244.0.0/16 -p tcp \(match) -m addrtype ! --src-type LOCAL -m conntrack --ctstate NEW -j DROP",
                "! -s 10.244.0.0/16 ! -p tcp \(match) -m addrtype ! --src-type LOCAL -j DROP",
            ])
        #expect(cluster.rules(.nat, "KUBE-SERVICES")[1] == "\(match) -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ")
    }

    @Test func `treats everything but the node as an external client if pods cannot be distinguished`() {
        let cluster = Cluster([web(external: .local)], [.of("web", [.at(far, node: "node2")])])
        #expect(cluster.rules(.filter, "KUBE-PROXY-FIREWALL").first?.hasPrefix("-p tcp -m comment") == true)
    }

    @Test func `accepts external clients again with the first local endpoint`() {
        var cluster = Cluster([web(external: .local)], [.of("web", [.at(far, node: "node2")])])
        #expect(cluster.members(.noLocalEndpoints).count == 3)
        cluster.set(.of("web", [.at(far, node: "node2"), .at(near, node: "node1")]))
        cluster.translate()
        #expect(cluster.members(.noLocalEndpoints).isEmpty)
        #expect(cluster.rules(.filter, "KUBE-PROXY-FIREWALL").isEmpty)
    }

    @Test func `rejects all clients if the cluster has no endpoint at all`() {
        let cluster = Cluster([web(external: .local)], [.of("web", [.at(far, ready: false, node: "node2")])])
        for server in outside { #expect(cluster.endpoints(server) == []) }
        #expect(cluster.members(.noLocalEndpoints).isEmpty)
    }

    @Test func `has no effect on a Service that is not reachable from outside`() {
        let service = Service.clusterIP("web", "10.96.0.10", nodePort: 30080).with { $0.externalTrafficPolicy = .local }
        let cluster = Cluster([service], [.of("web", [.at(far, node: "node2")])])
        #expect(cluster.endpoints("10.99.0.2:30080/TCP") == [far])
        #expect(cluster.members(.noLocalEndpoints).isEmpty && cluster.members(.nodePortLocalTCP).isEmpty)
    }

    @Test func `adds SCTP node ports to sets with their addresses`() {
        let service = Service.clusterIP("web", "10.96.0.10", nodePort: 30080, transport: .sctp).with {
            $0.type = .nodePort
            $0.externalTrafficPolicy = .local
        }
        let cluster = Cluster(
            [service], [.of("web", [.at(near, node: "node1"), .at(far, node: "node2")], transport: .sctp)])
        #expect(cluster.endpoints("10.99.0.2:30080/SCTP") == [near])
        #expect(cluster.members(.nodePortSCTP) == ["10.99.0.2,sctp:30080"])
        #expect(cluster.members(.nodePortLocalSCTP) == ["10.99.0.2,sctp:30080"])
        #expect(
            cluster.targets(.nat, "KUBE-NODE-PORT") == [
                "RETURN(KUBE-NODE-PORT-LOCAL-SCTP-HASH)", "KUBE-MARK-MASQ(KUBE-NODE-PORT-SCTP-HASH)",
            ])
    }

    @Test func `adds UDP node ports to the set of their protocol`() {
        let cluster = Cluster([web(external: .local, transport: .udp)])
        #expect(cluster.members(.nodePortUDP) == ["30080"] && cluster.members(.nodePortLocalUDP) == ["30080"])
        #expect(cluster.members(.nodePortTCP).isEmpty && cluster.members(.nodePortLocalTCP).isEmpty)
        #expect(
            cluster.targets(.nat, "KUBE-NODE-PORT") == ["RETURN(KUBE-NODE-PORT-LOCAL-UDP)", "KUBE-MARK-MASQ(KUBE-NODE-PORT-UDP)"])
    }
}

/// The endpoints selected on one node, named after kube-proxy's own test cases.
private struct Choice: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let endpoints: [Endpoint]
    let cluster: [String]
    let local: [String]

    init(_ name: String, _ endpoints: [Endpoint], cluster: [String], local: [String]) {
        testDescription = name
        self.endpoints = endpoints
        self.cluster = cluster
        self.local = local
    }
}

@Suite struct `Terminating endpoints` {
    private static let choices = [
        Choice(
            "some ready, here and elsewhere",
            [
                .at("10.0.0.1", node: "node1"), .at("10.0.0.2", node: "node1"), .terminating("10.0.0.3", serving: true, node: "node1"),
                .terminating("10.0.0.4", serving: false, node: "node1"), .at("10.0.0.5", node: "node2"),
            ], cluster: ["10.0.0.1", "10.0.0.2", "10.0.0.5"], local: ["10.0.0.1", "10.0.0.2"]),
        Choice(
            "none ready",
            [
                .terminating("10.0.0.1", serving: true, node: "node1"), .terminating("10.0.0.2", serving: true, node: "node1"),
                .terminating("10.0.0.3", serving: false, node: "node1"), .terminating("10.0.0.4", serving: true, node: "node2"),
                .terminating("10.0.0.5", serving: false, node: "node2"),
            ], cluster: ["10.0.0.1", "10.0.0.2", "10.0.0.4"], local: ["10.0.0.1", "10.0.0.2"]),
        Choice(
            "none ready here",
            [
                .terminating("10.0.0.1", serving: true, node: "node1"), .terminating("10.0.0.2", serving: true, node: "node1"),
                .at("10.0.0.5", node: "node2"),
            ], cluster: ["10.0.0.5"], local: ["10.0.0.1", "10.0.0.2"]),
        Choice(
            "one of each",
            [
                .at("10.0.0.1", node: "node2"), .at("10.0.0.2", ready: false, serving: false, node: "node1"),
                .terminating("10.0.0.3", serving: true, node: "node1"), .terminating("10.0.0.4", serving: true, node: "node2"),
            ], cluster: ["10.0.0.1"], local: ["10.0.0.3"]),
    ]

    @Test(arguments: choices) fileprivate func `are used if no endpoint is ready, separately for all and for local endpoints`(
        choice: Choice
    ) {
        let slice = EndpointSlice.of("web", choice.endpoints)
        let everywhere = Cluster([web()], [slice])
        for server in outside + ["10.96.0.10:80/TCP"] { #expect(everywhere.endpoints(server) == choice.cluster) }
        let here = Cluster([web(internal: .local, external: .local)], [slice])
        for server in outside + ["10.96.0.10:80/TCP"] { #expect(here.endpoints(server) == choice.local) }
        let hairpins = choice.endpoints.filter { $0.nodeName == "node1" }.map { "\($0.addresses[0]),tcp:8080,\($0.addresses[0])" }
        #expect(here.members(.loopBack) == hairpins)
    }
}
