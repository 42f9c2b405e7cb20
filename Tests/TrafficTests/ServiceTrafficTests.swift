import MetricsRegistry
import Model
import Testing

@testable import Traffic

private func identity(_ address: UInt32, _ port: UInt16 = 80) -> VirtualServer.Identity {
    .init(.tcp, AddressPort(IPAddress(v4: address), port))
}

private func origin(_ name: String, _ port: String = "http", _ kind: ServiceOrigin.AddressKind = .clusterIP) -> ServiceOrigin {
    ServiceOrigin(service: NamespacedName(namespace: "default", name: name), portName: port, kind: kind)
}

private func location(_ address: UInt32) -> AddressPort { AddressPort(IPAddress(v4: address), 8080) }

private func endpoint(_ address: UInt32, weight: UInt32 = 1, packets: UInt64 = 0) -> ServiceTraffic.Endpoint {
    .init(
        location(address), weight: weight, connections: .init(active: 2, inactive: 3),
        counters: .init(connections: 1, inPackets: packets))
}

/// The virtual servers of a cluster and the metrics of their scrapes.
private struct Scrapes {
    var traffic: ServiceTraffic
    var desired: [VirtualServer.Identity: VirtualServer]

    init(_ origins: [VirtualServer.Identity: ServiceOrigin], _ detail: ServiceTraffic.Detail = .service, limit: Int = 10) {
        traffic = ServiceTraffic(detail, limit: limit)
        traffic.begin([])
        desired = [:]
        for (identity, origin) in origins { desired[identity] = VirtualServer(identity, origin: origin) }
    }

    mutating func addRealServers(_ addresses: UInt32..., behind identity: VirtualServer.Identity) {
        for address in addresses { desired[identity]?.realServers[location(address)] = RealServer(location(address)) }
    }

    mutating func lines(
        _ counters: [VirtualServer.Identity: TrafficCounters], _ endpoints: [VirtualServer.Identity: [ServiceTraffic.Endpoint]] = [:]
    ) -> [String] {
        let selected = traffic.record(counters.map { ($0.key, $0.value) }.shuffled(), of: desired)
        let families = traffic.families(endpoints.filter { selected.contains($0.key) }, of: desired)
        return MetricText.exposition(families).split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
    }
}

@Suite struct `Service traffic` {
    @Test func `is reported by port and address kind, summed over all addresses of a kind`() {
        let (cluster, one, two) = (identity(1), identity(2, 30080), identity(3, 30080))
        var scrapes = Scrapes([cluster: origin("web"), one: origin("web", "", .nodePort), two: origin("web", "", .nodePort)])
        for identity in [one, two] { scrapes.addRealServers(7, behind: identity) }
        let text = scrapes.lines(
            [
                cluster: .init(connections: 1, inPackets: 2, outPackets: 3, inBytes: 4, outBytes: 5), one: .init(connections: 10),
                two: .init(connections: 20),
            ], [cluster: [], one: [endpoint(7, weight: 5), endpoint(8, weight: 0)], two: [endpoint(7, weight: 5)]])
        let web = #"kind="ClusterIP",namespace="default",port="http",protocol="TCP",service="web""#
        let node = #"kind="NodePort",namespace="default",port="",protocol="TCP",service="web""#
        for line in [
            "service_connections_total{\(web)} 1", "service_incoming_packets_total{\(web)} 2", "service_outgoing_packets_total{\(web)} 3",
            "service_incoming_bytes_total{\(web)} 4", "service_outgoing_bytes_total{\(web)} 5", "service_weight{\(web)} 0",
            "service_connections_total{\(node)} 30", "service_weight{\(node)} 5", "service_draining_endpoints{\(node)} 1",
            "service_active_connections{\(node)} 6", "service_inactive_connections{\(node)} 9", "service_series_left_out 0",
        ] {
            #expect(text.contains("kube_ipvs_proxy_\(line)"), "\(line)")
        }
        #expect(text.count == 2 * 9 + 1)
    }

    @Test func `omits the Services with the least traffic and reports their number, regardless of foreign virtual servers`() {
        var origins: [VirtualServer.Identity: ServiceOrigin] = [:]
        var counters: [VirtualServer.Identity: TrafficCounters] = [:]
        for number in 1...20 as ClosedRange<UInt32> {
            counters[identity(number)] = .init(inPackets: UInt64(number), outPackets: 1)
            if number != 20 { origins[identity(number)] = origin("s\(number)") }
        }
        var scrapes = Scrapes(origins, limit: 3)
        #expect(
            Set(scrapes.traffic.record(counters.map { ($0.key, $0.value) }, of: scrapes.desired))
                == [identity(17), identity(18), identity(19)])
        let text = scrapes.lines(counters)
        let named = text.filter { $0.hasPrefix("kube_ipvs_proxy_service_connections_total") }
        #expect(named.count == 3 && named.allSatisfy { $0.contains(/service="s1[789]"/) }, "\(named)")
        #expect(text.contains("kube_ipvs_proxy_service_series_left_out 16"))
    }

    @Test func `includes idle Services in the order of their names up to the limit`() {
        var scrapes = Scrapes([identity(1): origin("c"), identity(2): origin("b"), identity(3): origin("a")], limit: 2)
        let text = scrapes.lines([identity(1): .init(inPackets: 1), identity(2): .zero, identity(3): .zero])
        let named = text.filter { $0.hasPrefix("kube_ipvs_proxy_service_connections_total") }
        #expect(named.count == 2 && named.allSatisfy { $0.contains(/service="[ac]"/) }, "\(named)")
    }

    @Test func `never decreases when an address is removed, counters are zeroed or a virtual server is recreated`() {
        let (one, two) = (identity(1, 30080), identity(2, 30080))
        var scrapes = Scrapes([one: origin("web", "", .nodePort), two: origin("web", "", .nodePort)])
        func connections(_ text: [String]) -> Substring? {
            text.first { $0.hasPrefix("kube_ipvs_proxy_service_connections_total") }?.split(separator: " ").last
        }
        #expect(connections(scrapes.lines([one: .init(connections: 100), two: .init(connections: 10)])) == "110")
        #expect(connections(scrapes.lines([one: .init(connections: 101), two: .init(connections: 10)])) == "111")
        for _ in 0..<3 {
            #expect(connections(scrapes.lines([two: .init(connections: 12)])) == "113", "an address of the node was removed")
        }
        #expect(connections(scrapes.lines([one: .init(connections: 1), two: .init(connections: 12)])) == "114", "and added again")
        #expect(connections(scrapes.lines([one: .init(connections: 1), two: .zero])) == "114", "zeroed")
        #expect(connections(scrapes.lines([one: .init(connections: 1), two: .init(connections: 5)])) == "119")
        scrapes.desired[one]?.origin = origin("other", "", .nodePort)
        let text = scrapes.lines([one: .init(connections: 4), two: .init(connections: 5)])
        #expect(text.contains { $0.contains("service=\"other\"") && $0.contains("_connections_total{") && $0.hasSuffix(" 3") })
    }

    @Test func `has a series for each endpoint if requested, up to the limit`() {
        let (one, two) = (identity(1), identity(2))
        let endpoints = [
            one: [endpoint(7, packets: 1), endpoint(8, packets: 5)], two: [endpoint(7, packets: 4), endpoint(9, packets: 2)],
        ]
        let counters = [one: TrafficCounters(inPackets: 9), two: TrafficCounters(inPackets: 9)]
        var scrapes = Scrapes([one: origin("web"), two: origin("web")], .endpoint, limit: 2)
        let text = scrapes.lines(counters, endpoints)
        let prefix = #"kube_ipvs_proxy_endpoint_incoming_packets_total{endpoint="0.0.0."#
        let rest = #":8080",kind="ClusterIP",namespace="default",port="http",protocol="TCP",service="web"}"#
        #expect(text.filter { $0.contains("endpoint_incoming_packets_total") } == ["\(prefix)7\(rest) 5", "\(prefix)8\(rest) 5"])
        #expect(text.contains("kube_ipvs_proxy_service_series_left_out 1"))
        var plain = Scrapes([one: origin("web"), two: origin("web")], limit: 2)
        #expect(plain.lines(counters, endpoints).allSatisfy { !$0.contains("_endpoint_") })
    }

    @Test func `excludes what the kernel counted before the program started`() {
        var scrapes = Scrapes([identity(1): origin("web")], .endpoint)
        scrapes.traffic = ServiceTraffic(.endpoint, limit: 9)
        scrapes.traffic.begin([(identity(1), .init(inPackets: 1000))])
        func packets(_ text: [String]) -> [Substring] { text.filter { $0.contains("_incoming_packets_total{") }.map { $0.suffix(2) } }
        let before = scrapes.lines([identity(1): .init(inPackets: 1000)], [identity(1): [endpoint(7, packets: 1000)]])
        #expect(packets(before) == [" 0", " 0"])
        let after = scrapes.lines(
            [identity(1): .init(inPackets: 1009)], [identity(1): [endpoint(7, packets: 1004), endpoint(8, packets: 5)]])
        #expect(packets(after) == [" 4", " 5", " 9"], "\(after)")
    }

    @Test func `omits endpoints that could not be read`() {
        var scrapes = Scrapes([identity(1): origin("web")])
        let selected = scrapes.traffic.record([(identity(1), .init(inPackets: 3))], of: scrapes.desired)
        let text = MetricText.exposition(scrapes.traffic.families([:], of: scrapes.desired))
        #expect(selected == [identity(1)] && text.contains("_incoming_packets_total{") && !text.contains("_weight{"))
    }

    @Test func `counts undesired endpoints as draining, not those with weight 0`() {
        var scrapes = Scrapes([identity(1): origin("web")], .endpoint)
        scrapes.addRealServers(7, behind: identity(1))
        let text = scrapes.lines([identity(1): .zero], [identity(1): [endpoint(7, weight: 0), endpoint(8, weight: 0), endpoint(9)]])
        #expect(text.filter { $0.contains("_draining") && $0.contains("{") }.map { $0.suffix(2) } == [" 0", " 1", " 0", " 1"])
    }
}
