public import Model
public import StatusAPI

extension StatusDocument {
    /// - Parameters:
    ///   - services: the kernel's, in the order in which they are to be listed.
    ///   - report: nil where no proxy answered.
    public init(_ services: [IPVSService], _ report: ProxyReport?) {
        var known: [VirtualServer.Identity: ProxyReport.Server] = [:]
        for server in report?.virtualServers ?? [] {
            if let identity = server.identity { known[identity] = server }
        }
        proxyAnswered = report != nil
        inStep = report?.inStep
        notServed = report?.notServed ?? []
        failing = report?.failing ?? []
        virtualServers = services.map { service in
            Server(service, service.key.identity.flatMap { known.removeValue(forKey: $0) })
        }
        virtualServers += known.sorted { $0.key < $1.key }.map { Server(missing: $0.value, family: $0.key.family) }
    }

    /// Only what belongs to these; nil for any.
    public func filtered(namespace: String?, service: String?) -> StatusDocument {
        var copy = self
        func isAsked(_ own: (namespace: String?, name: String?)) -> Bool {
            (namespace == nil || namespace == own.namespace) && (service == nil || service == own.name)
        }
        copy.virtualServers.removeAll { !isAsked(($0.service?.namespace, $0.service?.name)) }
        copy.notServed.removeAll { !isAsked(($0.namespace, $0.service)) }
        // What belongs to no Service concerns them all.
        copy.failing.removeAll { failing in
            guard let name = failing.service?.prefix(while: { $0 != ":" && $0 != " " }).split(separator: "/"), name.count == 2 else {
                return false
            }
            return !isAsked((String(name[0]), String(name[1])))
        }
        return copy
    }
}

extension StatusDocument {
    /// Only what belongs to a Service that the proxy told of.
    public var ofServices: StatusDocument {
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

    /// `10.96.0.10:80/TCP` or `FWM 7 IPv4`: what `status explain` takes.
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
