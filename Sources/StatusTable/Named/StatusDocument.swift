public import Model
public import StatusAPI

/// The kernel's table with the data of the proxy, as `kube-ipvs-proxy status -o json` prints it.
///
/// `docs/status.md` describes its JSON; `apiVersion` changes when a field is removed or changes its meaning.
public struct StatusDocument: Encodable, Hashable, Sendable {
    public let apiVersion = ProxyReport.apiVersion
    public let kind = "Status"
    /// Whether a proxy answered; otherwise there are no names.
    public var proxyAnswered: Bool
    /// Whether the proxy is in sync; nil if no proxy answered.
    public var inSync: Bool?
    public var virtualServers: [Server]
    public var notServed: [ProxyReport.NotServed]
    /// The failures that are being retried.
    public var failing: [ProxyReport.Failing]

    private enum CodingKeys: CodingKey { case apiVersion, kind, proxyAnswered, inSync, virtualServers, notServed, failing }

    public struct Server: Encodable, Hashable, Sendable {
        /// `TCP`, `UDP`, `SCTP` or a number; nil for a firewall mark.
        public var `protocol`: String?
        public var address: String?
        public var port: UInt16?
        public var firewallMark: UInt32?
        public var family: IPFamily
        /// The Service; nil for a virtual server that does not belong to the proxy.
        public var service: Service?
        /// False if the virtual server is desired but missing in the kernel.
        public var inKernel: Bool
        public var scheduler: String?
        public var schedulerFlags: [String]
        /// The persistence timeout in seconds; nil without persistence.
        public var persistenceSeconds: UInt32?
        public var onePacket: Bool
        public var counters: Counters
        public var realServers: [RealServer]
        /// Why there are no real servers; nil if there are some or the reason is unknown.
        public var whyEmpty: String?
    }

    public struct Service: Encodable, Hashable, Sendable {
        public var namespace: String
        public var name: String
        /// The name of the port; empty if the only port of the Service has no name.
        public var port: String
        /// `ClusterIP`, `NodePort`, `ExternalIP` or `LoadBalancer`.
        public var addressKind: String
    }

    public struct RealServer: Encodable, Hashable, Sendable {
        public var address: String
        public var port: UInt16
        /// `Masq`, `Local`, `Tunnel` or `Route`.
        public var forwarding: String
        public var weight: UInt32
        public var activeConnections: UInt32
        public var inactiveConnections: UInt32
        public var persistentConnections: UInt32
        public var upperThreshold: UInt32
        public var lowerThreshold: UInt32
        public var counters: Counters
        public var pod: String?
        public var node: String?
        /// Nil if the real server is not draining, or it is unknown.
        public var draining: Draining?
    }

    public struct Draining: Encodable, Hashable, Sendable {
        public var seconds: Int64
        public var secondsLeft: Int64
    }

    /// Totals since the counters were zeroed, and rates per second.
    public struct Counters: Encodable, Hashable, Sendable {
        public var connections: UInt64
        public var inPackets: UInt64
        public var outPackets: UInt64
        public var inBytes: UInt64
        public var outBytes: UInt64
        public var connectionsPerSecond: UInt64
        public var inPacketsPerSecond: UInt64
        public var outPacketsPerSecond: UInt64
        public var inBytesPerSecond: UInt64
        public var outBytesPerSecond: UInt64
    }
}

extension StatusDocument {
    /// - Parameters:
    ///   - services: The virtual servers of the kernel, in the order to list them.
    ///   - report: Nil if no proxy answered.
    public init(_ services: [IPVSService], _ report: ProxyReport?) {
        var known: [VirtualServer.Identity: ProxyReport.Server] = [:]
        for server in report?.virtualServers ?? [] {
            if let identity = server.identity { known[identity] = server }
        }
        proxyAnswered = report != nil
        inSync = report?.inSync
        notServed = report?.notServed ?? []
        failing = report?.failing ?? []
        virtualServers = services.map { service in
            Server(service, service.key.identity.flatMap { known.removeValue(forKey: $0) })
        }
        virtualServers += known.sorted { $0.key < $1.key }.map { Server(missing: $0.value, family: $0.key.family) }
    }

    /// Returns only the parts that belong to a namespace and Service; nil for any.
    public func filtered(namespace: String?, service: String?) -> StatusDocument {
        var copy = self
        func isSelected(_ own: (namespace: String?, name: String?)) -> Bool {
            (namespace == nil || namespace == own.namespace) && (service == nil || service == own.name)
        }
        copy.virtualServers.removeAll { !isSelected(($0.service?.namespace, $0.service?.name)) }
        copy.notServed.removeAll { !isSelected(($0.namespace, $0.service)) }
        // Failures without a Service affect all of them.
        copy.failing.removeAll { failing in
            guard let name = failing.service?.prefix(while: { $0 != ":" && $0 != " " }).split(separator: "/"), name.count == 2 else {
                return false
            }
            return !isSelected((String(name[0]), String(name[1])))
        }
        return copy
    }
}

extension StatusDocument {
    /// The document without virtual servers that do not belong to a Service.
    public var servicesOnly: StatusDocument {
        var copy = self
        copy.virtualServers.removeAll { $0.service == nil }
        return copy
    }
}

extension StatusDocument.Server {
    init(_ kernel: IPVSService, _ known: ProxyReport.Server?) {
        let flags = VirtualServer.Flags(rawValue: kernel.flags)
        family = kernel.family
        if case .address(let number, let location) = kernel.key {
            `protocol` = kernel.key.identity?.transport.rawValue ?? "\(number)"
            (address, port) = ("\(location.address)", location.port)
        }
        if case .firewallMark(let mark, _) = kernel.key { firewallMark = mark }
        service = known.map(StatusDocument.Service.init)
        inKernel = true
        scheduler = kernel.scheduler
        schedulerFlags = flags.schedulerFlagNames(kernel.scheduler)
        persistenceSeconds = flags.contains(.persistent) ? kernel.timeout : nil
        onePacket = flags.contains(.onePacket)
        counters = .init(kernel.statistics)
        var endpoints: [AddressPort: ProxyReport.Endpoint] = [:]
        for endpoint in known?.realServers ?? [] {
            if let address = IPAddress(endpoint.address) { endpoints[AddressPort(address, endpoint.port)] = endpoint }
        }
        var draining: [AddressPort: ProxyReport.Draining] = [:]
        for server in known?.draining ?? [] {
            if let address = IPAddress(server.address) { draining[AddressPort(address, server.port)] = server }
        }
        realServers = kernel.destinations.map { .init($0, endpoints[$0.location], draining[$0.location]) }
        whyEmpty = known?.whyEmpty
    }

    init(missing known: ProxyReport.Server, family: IPFamily) {
        self.family = family
        `protocol` = known.protocol.rawValue
        (address, port) = (known.address, known.port)
        service = .init(known)
        inKernel = false
        schedulerFlags = []
        onePacket = false
        counters = .init(IPVSStatistics())
        realServers = []
        whyEmpty = known.whyEmpty
    }

    /// `10.96.0.10:80/TCP` or `FWM 7 IPv4`, as `status explain` accepts it.
    public var name: String {
        if let firewallMark { return "FWM \(firewallMark) \(family.rawValue)" }
        return "\(place)/\(self.protocol ?? "")"
    }

    /// `10.96.0.10:80`, `[fd00::1]:80`, or the mark.
    var place: String {
        if let firewallMark { return "\(firewallMark)\(family == .ipv6 ? " IPv6" : "")" }
        return family == .ipv6 ? "[\(address ?? "")]:\(port ?? 0)" : "\(address ?? ""):\(port ?? 0)"
    }
}

extension StatusDocument.Service {
    init(_ known: ProxyReport.Server) {
        self.init(namespace: known.namespace, name: known.service, port: known.portName, addressKind: known.addressKind)
    }

    /// `default/web:http`
    var text: String { "\(namespace)/\(name)\(port.isEmpty ? "" : ":\(port)")" }
}

extension StatusDocument.RealServer {
    init(_ kernel: IPVSDestination, _ endpoint: ProxyReport.Endpoint?, _ draining: ProxyReport.Draining?) {
        self.init(
            address: "\(kernel.location.address)", port: kernel.location.port, forwarding: kernel.methodName, weight: kernel.weight,
            activeConnections: kernel.connections.active, inactiveConnections: kernel.connections.inactive,
            persistentConnections: kernel.connections.persistent, upperThreshold: kernel.upperThreshold,
            lowerThreshold: kernel.lowerThreshold, counters: .init(kernel.statistics), pod: endpoint?.pod ?? draining?.pod,
            node: endpoint?.node ?? draining?.node,
            draining: draining.map { .init(seconds: $0.seconds, secondsLeft: $0.secondsLeft) })
    }

    var place: String { address.utf8.contains(UInt8(ascii: ":")) ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

extension StatusDocument.Counters {
    init(_ kernel: IPVSStatistics) {
        self.init(
            connections: kernel.connections, inPackets: kernel.inPackets, outPackets: kernel.outPackets, inBytes: kernel.inBytes,
            outBytes: kernel.outBytes, connectionsPerSecond: kernel.connectionRate, inPacketsPerSecond: kernel.inPacketRate,
            outPacketsPerSecond: kernel.outPacketRate, inBytesPerSecond: kernel.inByteRate, outBytesPerSecond: kernel.outByteRate)
    }
}
