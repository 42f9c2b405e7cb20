import Model
import Testing

@testable import StatusTable
import StatusAPI

@Suite struct `The human-readable table` {
    private static let origin = ServiceOrigin(
        service: NamespacedName(namespace: "default", name: "web"), portName: "http", kind: .clusterIP)

    private func location(_ text: String, _ port: UInt16) throws -> AddressPort { AddressPort(try #require(IPAddress(text)), port) }

    private func report(draining: [ProxyReport.Draining] = [], whyEmpty: String? = nil) throws -> ProxyReport {
        let real = RealServer(try location("10.244.1.10", 8080), origin: EndpointOrigin(pod: "web-a", node: "node1"))
        let server = VirtualServer(
            .init(.tcp, try location("10.96.0.10", 80)), realServers: whyEmpty == nil ? [real] : [], origin: Self.origin)
        return ProxyReport(
            node: "node1", inSync: true,
            virtualServers: [ProxyReport.Server(server, origin: Self.origin, draining: draining, whyEmpty: whyEmpty)], notServed: [])
    }

    @Test func `names failures and their next retry, and omits those of other Services`() throws {
        var known = try report()
        known.failing = [
            .init(what: "read set KUBE-CLUSTER-IP", service: nil, error: "interrupted", attempts: 1),
            .init(
                what: "ipvsadm -A -t 10.96.0.10:80 -s rr", service: "default/web:http (ClusterIP)", error: "no memory", attempts: 3,
                seconds: 4, secondsToRetry: 2),
        ]
        let document = StatusDocument([try kernel([])], known)
        let lines = NamedTable(document, columns: .connections).lines.map(\.text)
        #expect(
            lines.suffix(2) == [
                "failed: read set KUBE-CLUSTER-IP: interrupted (attempts: 1, retrying)",
                "default/web:http (ClusterIP): failed: ipvsadm -A -t 10.96.0.10:80 -s rr: no memory (attempts: 3, retrying in 2 s)",
            ])
        #expect(document.filtered(namespace: "default", service: "web").failing.count == 2)
        #expect(document.filtered(namespace: "shop", service: nil).failing.map(\.service) == [nil])
    }

    private func kernel(_ servers: [IPVSDestination]) throws -> IPVSService {
        IPVSService(
            key: IPVSService.Key(.init(.tcp, try location("10.96.0.10", 80))), scheduler: "rr", flags: 0x2, timeout: 0, netmask: .max,
            destinations: servers)
    }

    private func destination(_ text: String, weight: UInt32 = 1, active: UInt32 = 0) throws -> IPVSDestination {
        IPVSDestination(
            location: try location(text, 8080), forwarding: 0, weight: weight, connections: .init(active: active, inactive: 0))
    }

    private func lines(_ services: [IPVSService], _ report: ProxyReport?) -> [String] {
        NamedTable(StatusDocument(services, report), columns: .connections).lines.map(\.text)
    }

    @Test func `names Services, pods and nodes, and marks draining servers`() throws {
        let draining = ProxyReport.Draining(
            address: "10.244.1.11", port: 8080, pod: "web-b", node: "node1", seconds: 42, secondsLeft: 858)
        let service = try kernel([destination("10.244.1.10", active: 12), destination("10.244.1.11", weight: 0, active: 1)])
        let text = lines([service], try report(draining: [draining])).joined(separator: "\n")
        #expect(
            text == """
                Prot Address:Port      Service           Kind       Scheduler Flags
                  -> Server:Port       Forward  Weight  Active  Inactive  Pod    Node
                TCP  10.96.0.10:80     default/web:http  ClusterIP  rr
                  -> 10.244.1.10:8080  Masq     1       12      0         web-a  node1
                  -> 10.244.1.11:8080  Masq     0       1       0         web-b  node1  draining for 42s, at most 14m18s more
                """)
    }

    @Test func `explains why there are no real servers, and marks what is missing in the kernel`() throws {
        let empty = lines([try kernel([])], try report(whyEmpty: "its only endpoint is not ready"))
        #expect(empty.last == "     no real servers: its only endpoint is not ready")
        #expect(lines([], try report()).last?.hasSuffix("missing in kernel") == true)
    }

    @Test func `shows foreign virtual servers without names, and all of them if no proxy runs`() throws {
        let other = IPVSService(key: .firewallMark(7, .ipv6), scheduler: "lc", flags: 0x3, timeout: 300, netmask: 128)
        #expect(lines([other], try report())[2] == "FWM  7 IPv6         -                 -          lc persistent 300")
        #expect(lines([try kernel([])], nil).last == "TCP  10.96.0.10:80  -        -     rr")
    }

    @Test func `replaces terminal control characters, and does not widen every line for a long name`() throws {
        var hostile = try report()
        hostile.virtualServers[0].realServers[0].pod = "a\u{1b}]0;root\u{7}\u{9b}2J\u{2028}b"
        hostile.virtualServers[0].realServers[0].node = String(repeating: "n", count: 1000)
        let table = lines([try kernel([destination("10.244.1.10"), destination("10.244.1.11")])], hostile)
        #expect(table[3].contains("a?]0;root??2J?b"))
        #expect(table[4].utf8.count < 200)
    }

    @Test func `is limited to a namespace and a Service`() throws {
        let other = IPVSService(key: .firewallMark(7, .ipv4), scheduler: "lc", flags: 0x2, timeout: 0, netmask: .max)
        let document = StatusDocument([try kernel([]), other], try report())
        #expect(document.filtered(namespace: nil, service: nil).virtualServers.count == 2)
        #expect(document.filtered(namespace: "default", service: "web").virtualServers.map(\.name) == ["10.96.0.10:80/TCP"])
        #expect(document.filtered(namespace: "default", service: "dns").virtualServers.isEmpty)
    }

    @Test(arguments: [(0, "0s"), (59, "59s"), (60, "1m00s"), (858, "14m18s"), (7500, "2h05m")] as [(Int64, String)])
    func `abbreviates durations`(seconds: Int64, expected: String) { #expect(NamedTable.time(seconds) == expected) }
}
