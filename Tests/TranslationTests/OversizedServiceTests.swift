import Kubernetes
import Model
import Testing
import Translation

/// Services whose numbers multiply to more than a node has memory for.
@Suite struct `A Service that is too large` {
    private func service(_ name: String = "large", ports: Int, address: String = "10.96.0.10", change: (inout Service) -> Void = { _ in })
        -> Service
    {
        var service = Service(
            metadata: ObjectMeta(name: name, namespace: "default"), clusterIP: address, clusterIPs: [address],
            ports: (0..<ports).map { ServicePort(name: "p\($0)", transport: .tcp, port: UInt16(1 + $0)) })
        change(&service)
        return service
    }

    private func slice(
        _ name: String, of service: String = "large", ports: Range<Int>, endpoints: Range<UInt32>,
        number: (Int) -> UInt16 = { UInt16(1 + $0) }
    ) -> EndpointSlice {
        EndpointSlice(
            metadata: ObjectMeta(name: name, namespace: "default", labels: [EndpointSlice.serviceNameLabel: service]), addressType: .ipv4,
            endpoints: endpoints.map { Endpoint(addresses: [IPAddress(v4: 0x0a80_0000 + $0)]) },
            ports: ports.map { EndpointPort(name: "p\($0)", port: number($0), transport: .tcp) })
    }

    private func realServers(_ cluster: Cluster) -> Int {
        cluster.translation.desired.virtualServers.values.reduce(0) { $0 + $1.realServers.count }
    }

    @Test func `gets the ports that fit, and the others are refused with the reason`() {
        let cluster = Cluster(
            [service(ports: 600), service("web", ports: 1, address: "10.96.0.11")],
            [slice("large-1", ports: 0..<600, endpoints: 0..<1000), slice("web-1", of: "web", ports: 0..<1, endpoints: 0..<2)])
        #expect(realServers(cluster) == 499 * 1000 + 2, "499 virtual servers with 1,000 real servers each are below the limit")
        #expect(cluster.refused.count == 101)
        #expect(
            cluster.refused.contains(
                "spec.ports 500/TCP 10.96.0.10: the Service would have more than 500000 virtual servers, real servers and set members, "
                    + "or the port more than 50000 endpoints"))
        #expect(cluster.endpoints("10.96.0.11:1/TCP")?.count == 2, "others are served")
    }

    @Test func `by its endpoints gets none, before they are merged`() {
        let slices = (0..<600 as Range<UInt32>).map { slice("large-\($0)", ports: 0..<1, endpoints: $0 * 1000..<$0 * 1000 + 1000) }
        var cluster = Cluster([service(ports: 1)], slices)
        #expect(realServers(cluster) == 0 && cluster.refused.count == 1)
        for number in 50..<600 { cluster.removeSlice("large-\(number)") }
        cluster.translate()
        #expect(realServers(cluster) == 50_000 && cluster.refused.isEmpty, "it is served as soon as it is small enough")
    }

    @Test func `by its source ranges gets no member of a set for the ports that are refused`() {
        let ranges = (0..<20_000).map { "10.\($0 / 256).\($0 % 256).0/24" }
        let cluster = Cluster([
            service(ports: 40) {
                $0.type = .loadBalancer
                $0.loadBalancerIngress = [.init(ip: "192.0.2.50")]
                $0.loadBalancerSourceRanges = ranges
            }
        ])
        #expect(cluster.members(.loadBalancerSourceCIDR).count == 24 * 20_000)
        #expect(cluster.refused.count == 16)
        #expect(!cluster.servers.contains("10.96.0.10:25/TCP []"), "no port is served without its restrictions")
    }

    @Test func `by its addresses is bounded`() {
        let cluster = Cluster([service(ports: 100) { $0.externalIPs = (0..<10_000).map { "198.18.\($0 / 256).\($0 % 256)" } }])
        #expect(cluster.translation.desired.virtualServers.count == 49 * 10_001)
        #expect(cluster.refused.count == 51)
    }

    @Test func `in the number of its ports gets each port's own endpoints`() {
        let cluster = Cluster(
            [service(ports: 10_000)],
            [
                slice("large-1", ports: 0..<10_000, endpoints: 0..<3), slice("large-2", ports: 5000..<10_000, endpoints: 3..<5),
                slice("large-3", ports: 9999..<10_000, endpoints: 3..<4) { _ in 60_000 },
            ])
        #expect(cluster.endpoints("10.96.0.10:1/TCP")?.count == 3 && cluster.endpoints("10.96.0.10:5001/TCP")?.count == 5)
        #expect(cluster.endpoints("10.96.0.10:10000/TCP")?.count == 6)
        #expect(realServers(cluster) == 5000 * 3 + 5000 * 5 + 1)
    }

    @Test func `with ports and endpoints repeated thousands of times is like one without repetition`() {
        var repeated = service(ports: 1)
        repeated.ports = Array(repeating: repeated.ports[0], count: 5000)
        repeated.externalIPs = Array(repeating: "192.0.2.1", count: 50)
        let once = slice("large-1", ports: 0..<1, endpoints: 0..<2)
        var slices = (0..<20).map { number in
            var copy = once
            copy.metadata.name = "large-\(number)"
            return copy
        }
        slices[0].ports = Array(repeating: once.ports[0], count: 20)
        let cluster = Cluster([repeated], slices)
        #expect(cluster.servers == ["10.96.0.10:1/TCP [10.128.0.0:1 10.128.0.1:1]", "192.0.2.1:1/TCP [10.128.0.0:1 10.128.0.1:1]"])
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/33", "10.0.0.0/-1", "999.0.0.0/8", "10.0.0.0/8/8", "::/129", "0x10.0.0.0/8", "10.0.0.0/99999999999999999999",
        "fd00::/8",
        "10.0.0.0/8 -j ACCEPT", "10.0.0.0/8\n",
    ])
    func `with an absurd source range restricts access and reaches no set with it`(range: String) {
        let cluster = Cluster([
            service(ports: 1) {
                $0.type = .loadBalancer
                $0.loadBalancerIngress = [.init(ip: "192.0.2.50")]
                $0.loadBalancerSourceRanges = [range, "10.1.0.0/16", "10.1.2.0/24", "10.1.0.0/16"]
            }
        ])
        let members = cluster.members(.loadBalancerSourceCIDR)
        #expect(
            members.contains("192.0.2.50,tcp:1,10.1.0.0/16") && members.allSatisfy { $0.hasPrefix("192.0.2.50,tcp:1,10.") }, "\(members)")
        #expect(cluster.members(.loadBalancerFirewall) == ["192.0.2.50,tcp:1"])
    }
}
