import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

/// When the other Nodes are followed.
@Suite struct `The other Nodes are needed` {
    private static func service(_ name: String = "web", _ change: (inout Service) -> Void = { _ in }) -> ClusterChange {
        var service = Service(metadata: ObjectMeta(name: name, namespace: "default"), clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"])
        change(&service)
        return .service(service.metadata.namespacedName, service)
    }

    private static let needing: [(String, Bool, @Sendable (inout Service) -> Void)] = [
        ("only a cluster IP", false, { _ in }),
        ("a node port", false, { $0.type = .nodePort }),
        ("a load balancer without address", false, { $0.type = .loadBalancer }),
        ("a load balancer IP", true, { $0.loadBalancerIngress = [LoadBalancerIngress(ip: "192.0.2.1")] }),
        ("a load balancer IP in VIP mode", true, { $0.loadBalancerIngress = [LoadBalancerIngress(ip: "2001:db8::1", ipMode: "VIP")] }),
        ("a load balancer IP in Proxy mode", false, { $0.loadBalancerIngress = [LoadBalancerIngress(ip: "192.0.2.1", ipMode: "Proxy")] }),
        ("a load balancer's name", false, { $0.loadBalancerIngress = [LoadBalancerIngress(ip: "")] }),
        ("an external IP", true, { $0.externalIPs = ["192.0.2.1"] }),
        ("an external IP that is not allowed", false, { $0.externalIPs = ["203.0.113.1"] }),
        ("an invalid external IP", false, { $0.externalIPs = ["example"] }),
        (
            "an external IP of a headless Service", false,
            { ($0.clusterIP, $0.clusterIPs, $0.externalIPs) = ("None", ["None"], ["192.0.2.1"]) }
        ),
        ("an external IP of an ExternalName", false, { ($0.type, $0.externalIPs) = (.externalName, ["192.0.2.1"]) }),
    ]

    private func isAllowed(_ address: IPAddress) -> Bool { address != IPAddress("203.0.113.1") }

    @Test(arguments: needing.indices) func `only by Services with addresses that may belong to a Node`(index: Int) {
        let (what, isNeeded, change) = Self.needing[index]
        var demand = OtherNodesDemand(linger: .seconds(600))
        let follows = demand.take([Self.service("web", change)], allowing: isAllowed)
        #expect(follows == isNeeded, "\(what)")
    }

    @Test func `from the first such Service until some time after the last`() {
        var demand = OtherNodesDemand(linger: .seconds(600))
        let external = Self.service("a") { $0.externalIPs = ["192.0.2.1"] }
        let other = Self.service("b") { $0.externalIPs = ["192.0.2.2"] }
        func take(_ change: ClusterChange) -> Bool { demand.take([change], allowing: isAllowed) }
        func release(_ seconds: Double) -> Bool { demand.release(at: .seconds(seconds)) }
        #expect(!release(0))
        #expect(take(external))
        #expect(!take(other) && !take(external), "they are already followed")
        #expect(!take(Self.service("a")))
        #expect(!release(5000))
        #expect(!take(.service(NamespacedName(namespace: "default", name: "b"), nil)))
        #expect(!release(5001) && !release(5600))
        // One that is added again in between does not restart the list.
        #expect(!take(external))
        #expect(!take(Self.service("a")))
        #expect(!release(5602))
        #expect(release(6202) && !release(9000))
        #expect(take(external), "they must be listed again")
    }
}
