internal import Algorithms
public import MetricsRegistry
public import Model

/// The traffic of the busiest Service ports, as metrics.
///
/// As users determine the number of Services, a limit of series bounds the cost of scraping and storing them.
public struct ServiceTraffic: Sendable {
    public enum Detail: Hashable, Sendable { case service, endpoint }

    /// The kernel's data of a real server.
    public struct Endpoint: Hashable, Sendable {
        public var location: AddressPort
        public var weight: UInt32
        public var connections: RealServer.Connections
        public var counters: TrafficCounters

        public init(_ location: AddressPort, weight: UInt32, connections: RealServer.Connections, counters: TrafficCounters) {
            self.location = location
            self.weight = weight
            self.connections = connections
            self.counters = counters
        }
    }

    private struct Source: Hashable {
        var identity: VirtualServer.Identity
        var location: AddressPort
    }

    private let detail: Detail
    private let limit: Int
    private var ports = TrafficTotals<VirtualServer.Identity, TrafficPort>()
    private var endpoints = TrafficTotals<Source, TrafficEndpoint>()
    /// The ports that have series, the busiest first, with their virtual servers.
    private var shown: [(port: TrafficPort, servers: [VirtualServer.Identity])] = []
    private var shownBefore: Set<VirtualServer.Identity> = []
    private var omittedServices = 0
    private var hasBegun = false
    /// Virtual servers with traffic before the first reading; their real servers may have had traffic too.
    private var serversWithEarlierTraffic: Set<VirtualServer.Identity> = []

    /// - Parameter limit: The maximum number of ports, and with `.endpoint` also of endpoints, that have series.
    public init(_ detail: Detail, limit: Int) {
        self.detail = detail
        self.limit = limit
    }

    /// Records the counters at the start, which are not reported: a restart of the program must not look like traffic.
    public mutating func begin(_ counters: [(identity: VirtualServer.Identity, counters: TrafficCounters)]) {
        ports.add(counters.map { .init(source: $0.identity, subject: nil, counters: $0.counters, isNew: false) })
        serversWithEarlierTraffic = Set(counters.filter { $0.counters != .zero }.map(\.identity))
        hasBegun = true
    }

    /// Records the counters of all virtual servers: the first step of a scrape.
    ///
    /// - Parameters:
    ///   - counters: May contain a virtual server twice, like a dump of a changing table.
    ///   - desired: The desired virtual servers, with their Services; others are ignored.
    /// - Returns: The virtual servers whose real servers are needed, the busiest first.
    public mutating func record(
        _ counters: [(identity: VirtualServer.Identity, counters: TrafficCounters)], of desired: [VirtualServer.Identity: VirtualServer]
    ) -> [VirtualServer.Identity] {
        if !hasBegun { begin(counters) }
        let known = Dictionary(counters.map { ($0.identity, $0.counters) }) { $1 }
        var servers: [TrafficPort: [VirtualServer.Identity]] = [:]
        var readings: [TrafficTotals<VirtualServer.Identity, TrafficPort>.Reading] = []
        for (identity, counters) in known {
            let port = desired[identity]?.origin.map { TrafficPort($0, identity) }
            if let port { servers[port, default: []].append(identity) }
            readings.append(.init(source: identity, subject: port, counters: counters, isNew: true))
        }
        ports.add(readings)
        let busiest = servers.keys.map { (port: $0, packets: ports[$0].packets) }.min(count: limit) { first, second in
            first.packets == second.packets ? first.port < second.port : first.packets > second.packets
        }
        shownBefore = Set(shown.flatMap(\.servers))
        shown = busiest.map { ranked in (ranked.port, servers[ranked.port]?.sorted() ?? []) }
        omittedServices = servers.count - shown.count
        return shown.flatMap(\.servers)
    }

    /// Returns the metrics: the second step of a scrape.
    ///
    /// - Parameters:
    ///   - realServers: The real servers of the virtual servers from the first step, as far as they could be read.
    ///   - desired: The desired virtual servers, to detect draining real servers.
    public mutating func families(
        _ realServers: [VirtualServer.Identity: [Endpoint]], of desired: [VirtualServer.Identity: VirtualServer]
    ) -> [any MetricFamily] {
        let service = TrafficFamilies.ofServices
        var (families, omittedServices) = (service.all, omittedServices)
        var endpointsByPort: [PortEndpoints] = []
        for (port, servers) in shown {
            service.set(ports[port], port.labels)
            guard servers.allSatisfy({ realServers[$0] != nil }) else { continue }
            var realServersByLocation: [AddressPort: [TrackedServer]] = [:]
            for identity in servers {
                let endpoints = Dictionary((realServers[identity] ?? []).map { ($0.location, $0) }) { $1 }
                for (location, endpoint) in endpoints {
                    realServersByLocation[location, default: []].append(TrackedServer(endpoint, of: identity, desired))
                }
            }
            service.set(realServersByLocation.values.map(Summary.init), port.labels)
            endpointsByPort.append((port, realServersByLocation))
        }
        if detail == .endpoint {
            let endpoint = TrafficFamilies.ofEndpoints
            families += endpoint.all
            let rows = recordEndpoints(endpointsByPort)
            omittedServices += rows.count - min(limit, rows.count)
            for row in rows.prefix(limit) {
                endpoint.set(endpoints[row.endpoint], row.endpoint.labels)
                endpoint.set([row.summary], row.endpoint.labels)
            }
        }
        let rest = NumberMetric.gauge(
            "kube_ipvs_proxy_service_series_left_out", "Number of Service ports and endpoints without series because others carried more")
        rest.set(Double(omittedServices))
        return families + [rest]
    }

    private typealias PortEndpoints = (port: TrafficPort, endpoints: [AddressPort: [TrackedServer]])

    private struct Row {
        var endpoint: TrafficEndpoint
        var summary: Summary
        var packets: UInt64

        /// Orders rows by traffic, the busiest first.
        static func precedes(_ first: Row, _ second: Row) -> Bool {
            first.packets == second.packets ? first.endpoint < second.endpoint : first.packets > second.packets
        }
    }

    /// Returns all endpoints of the ports that have series, the busiest first.
    private mutating func recordEndpoints(_ endpointsByPort: [PortEndpoints]) -> [Row] {
        var readings: [TrafficTotals<Source, TrafficEndpoint>.Reading] = []
        for (port, realServersByLocation) in endpointsByPort {
            for server in realServersByLocation.values.joined() {
                let location = server.endpoint.location
                readings.append(
                    .init(
                        source: Source(identity: server.identity, location: location),
                        subject: TrafficEndpoint(port: port, location: location), counters: server.endpoint.counters,
                        isNew: shownBefore.contains(server.identity) || !serversWithEarlierTraffic.contains(server.identity)))
            }
        }
        endpoints.add(readings)
        var rows: [Row] = []
        for (port, realServersByLocation) in endpointsByPort {
            for (location, trackedServers) in realServersByLocation {
                let endpoint = TrafficEndpoint(port: port, location: location)
                rows.append(Row(endpoint: endpoint, summary: Summary(trackedServers), packets: endpoints[endpoint].packets))
            }
        }
        return rows.sorted(by: Row.precedes)
    }
}

/// A real server of a virtual server, and whether it is draining.
private struct TrackedServer {
    var identity: VirtualServer.Identity
    var endpoint: ServiceTraffic.Endpoint
    var isDraining: Bool

    init(
        _ endpoint: ServiceTraffic.Endpoint, of identity: VirtualServer.Identity, _ desired: [VirtualServer.Identity: VirtualServer]
    ) {
        self.identity = identity
        self.endpoint = endpoint
        isDraining = endpoint.weight == 0 && desired[identity]?.realServers[endpoint.location] == nil
    }
}

/// An endpoint, summed over all addresses of the Service that lead to it.
private struct Summary {
    var active = 0.0
    var inactive = 0.0
    var weight = 0.0
    var isDraining = true

    init(_ servers: [TrackedServer]) {
        for server in servers {
            active += Double(server.endpoint.connections.active)
            inactive += Double(server.endpoint.connections.inactive)
            weight = max(weight, Double(server.endpoint.weight))
            isDraining = isDraining && server.isDraining
        }
    }
}

/// The metrics of one level of detail.
private struct TrafficFamilies {
    private let connections, inPackets, outPackets, inBytes, outBytes: NumberMetric
    private let active, inactive, weight, draining: NumberMetric

    static var ofServices: TrafficFamilies {
        TrafficFamilies(
            "service", "a Service port", weight: "Sum of the weights of the endpoints of a Service port",
            draining: (
                "draining_endpoints", "Number of draining endpoints of a Service port: they keep their connections and get no new ones"
            ))
    }

    static var ofEndpoints: TrafficFamilies {
        TrafficFamilies(
            "endpoint", "an endpoint of a Service port", weight: "Weight of an endpoint of a Service port",
            draining: ("draining", "1 if an endpoint of a Service port is draining: it keeps its connections and gets no new ones"))
    }

    private init(_ level: String, _ subject: String, weight weightHelp: String, draining drainingText: (name: String, help: String)) {
        func counter(_ name: String, _ help: String) -> NumberMetric {
            .counter("kube_ipvs_proxy_\(level)_\(name)", "Cumulative number of \(help) \(subject), counted by IPVS since the proxy started")
        }
        func gauge(_ name: String, _ help: String) -> NumberMetric { .gauge("kube_ipvs_proxy_\(level)_\(name)", help) }
        connections = counter("connections_total", "connections to")
        inPackets = counter("incoming_packets_total", "packets to")
        outPackets = counter("outgoing_packets_total", "packets from")
        inBytes = counter("incoming_bytes_total", "bytes to")
        outBytes = counter("outgoing_bytes_total", "bytes from")
        active = gauge("active_connections", "Number of active connections (ActiveConn of ipvsadm) to \(subject)")
        inactive = gauge("inactive_connections", "Number of inactive connections (InActConn of ipvsadm) to \(subject)")
        weight = gauge("weight", weightHelp)
        draining = gauge(drainingText.name, drainingText.help)
    }

    var all: [any MetricFamily] {
        [connections, inPackets, outPackets, inBytes, outBytes, active, inactive, weight, draining]
    }

    func set(_ counters: TrafficCounters, _ labels: MetricLabels) {
        connections.set(Double(counters.connections), labels)
        inPackets.set(Double(counters.inPackets), labels)
        outPackets.set(Double(counters.outPackets), labels)
        inBytes.set(Double(counters.inBytes), labels)
        outBytes.set(Double(counters.outBytes), labels)
    }

    func set(_ endpoints: [Summary], _ labels: MetricLabels) {
        active.set(endpoints.reduce(0) { $0 + $1.active }, labels)
        inactive.set(endpoints.reduce(0) { $0 + $1.inactive }, labels)
        weight.set(endpoints.reduce(0) { $0 + $1.weight }, labels)
        draining.set(Double(endpoints.count(where: \.isDraining)), labels)
    }
}
