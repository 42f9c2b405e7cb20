public import Model

/// The kernel's table in exactly the format of `ipvsadm -L -n`, version 1.31.
public struct IPVSListing {
    /// The columns of real servers.
    public enum Columns: Hashable, Sendable {
        /// Forwarding, weight and connections.
        case connections
        /// `--tun-info`: in addition, the tunnel.
        case tunnels
        /// `--stats`; with `--exact` without unit suffixes.
        case statistics(isExact: Bool)
        /// `--rate`
        case rates(isExact: Bool)
        case thresholds
        /// `--persistent-conn`
        case persistentConnections
    }

    private let services: [IPVSService]
    private let columns: Columns

    /// - Parameter isSorted: False for the kernel's order (`--nosort`).
    public init(_ services: [IPVSService], columns: Columns = .connections, isSorted: Bool = true) {
        self.services = isSorted ? IPVSListing.sorted(services) : services
        self.columns = columns
    }

    /// Returns the services in ipvsadm's order.
    public static func sorted(_ services: [IPVSService]) -> [IPVSService] {
        IPVSOrder.sorted(services).map { service in
            var service = service
            service.destinations = IPVSOrder.sorted(service.destinations)
            return service
        }
    }

    /// - Parameter info: Nil for the listing of a single virtual server, which has no version line.
    public func text(_ info: IPVSInfo?) -> String {
        var lines = info.map { ["IP Virtual Server version \($0.versionText) (size=\($0.connectionTableSize))"] } ?? []
        lines += header
        for service in services {
            lines.append(line(service))
            lines += service.destinations.map(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var header: [String] {
        switch columns {
        case .connections:
            ["Prot LocalAddress:Port Scheduler Flags", "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"]
        case .tunnels:
            [
                "Prot LocalAddress:Port Scheduler Flags",
                "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn",
            ]
        case .statistics:
            ["Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes", "  -> RemoteAddress:Port"]
        case .rates:
            ["Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS", "  -> RemoteAddress:Port"]
        case .thresholds:
            ["Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn ", "  -> RemoteAddress:Port"]
        case .persistentConnections:
            ["Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn ", "  -> RemoteAddress:Port"]
        }
    }

    // MARK: Virtual servers

    private func line(_ service: IPVSService) -> String {
        let name = IPVSListing.name(service.key)
        let statistics = service.statistics
        switch columns {
        case .statistics(let isExact):
            return name.padded(33) + Numbers(isExact: isExact).joined(statistics.counters)
        case .rates(let isExact):
            return name.padded(33) + Numbers(isExact: isExact).joined(statistics.rates)
        case .connections, .tunnels, .thresholds, .persistentConnections:
            return "\(name) \(service.scheduler)\(IPVSListing.flags(service))"
        }
    }

    /// ipvsadm prints a mark above 2³¹ as a negative number.
    private static func name(_ key: IPVSService.Key) -> String {
        switch key {
        case .firewallMark(let mark, let family): "FWM  \(Int32(bitPattern: mark))\(family == .ipv6 ? " IPv6" : "")"
        case .address(let number, let location):
            "\((UInt8(exactly: number).flatMap(Transport.init(number:))?.rawValue ?? "\(number)").padded(4)) \(location)"
        }
    }

    private static func flags(_ service: IPVSService) -> String {
        var text = ""
        let flags = VirtualServer.Flags(rawValue: service.flags)
        if let names = service.schedulerFlagsText { text += " (\(names))" }
        if flags.contains(.persistent) {
            text += " persistent \(service.timeout)"
            if let mask = service.maskText { text += " mask \(mask)" }
        }
        if let engine = service.persistenceEngine { text += " pe \(engine)" }
        if flags.contains(.onePacket) { text += " ops" }
        return text
    }

    // MARK: Real servers

    private func line(_ destination: IPVSDestination) -> String {
        let connections = destination.connections
        let name = "  -> \("\(destination.location)".padded(28))"
        let method = destination.methodName.padded(7)
        let counts = "\("\(connections.active)".padded(10)) \("\(connections.inactive)".padded(10))"
        switch columns {
        case .connections:
            return "\(name) \(method) \("\(destination.weight)".padded(6)) \(counts)"
        case .tunnels:
            return "\(name) \(method) \(destination.tunnelText.padded(13)) \("\(destination.weight)".padded(6)) \(counts)"
        case .thresholds:
            return
                "\(name) \("\(destination.upperThreshold)".padded(10)) \("\(destination.lowerThreshold)".padded(10)) \(counts)"
        case .persistentConnections:
            return "\(name) \("\(destination.weight)".padded(9)) \("\(connections.persistent)".padded(11)) \(counts)"
        case .statistics(let isExact):
            return name + Numbers(isExact: isExact).joined(destination.statistics.countersOfDestination)
        case .rates(let isExact):
            let rates = destination.statistics.rates.map { $0 & 0xffff_ffff }
            return name + Numbers(isExact: true).joined(rates[..<3]) + Numbers(isExact: isExact).joined(rates[3...])
        }
    }
}

extension IPVSStatistics {
    fileprivate var counters: [UInt64] { [connections, inPackets, outPackets, inBytes, outBytes] }
    fileprivate var rates: [UInt64] { [connectionRate, inPacketRate, outPacketRate, inByteRate, outByteRate] }

    /// The counters of a real server, which wrap at 2³² in ipvsadm except for bytes.
    fileprivate var countersOfDestination: [UInt64] { counters[..<3].map { $0 & 0xffff_ffff } + counters[3...] }
}

/// Formats numbers in columns of nine characters.
private struct Numbers {
    /// Whether numbers of any length are printed without a unit suffix.
    let isExact: Bool

    func joined(_ numbers: some Sequence<UInt64>) -> String { numbers.map(text).joined() }

    private func text(_ number: UInt64) -> String {
        if isExact || number < 100_000_000 { return " \("\(number)".paddedLeft(8))" }
        let (unit, divisor): (String, UInt64) =
            switch number {
            case ..<1_000_000_000: ("K", 1000)
            case ..<100_000_000_000: ("M", 1_000_000)
            case ..<100_000_000_000_000: ("G", 1_000_000_000)
            default: ("T", 1_000_000_000_000)
            }
        return "\(number / divisor)".paddedLeft(8) + unit
    }
}

/// The order in which ipvsadm lists a table (libipvs.c, `ipvs_cmp_services` and `ipvs_cmp_dests`).
///
/// It compares the difference of two 32-bit numbers as a signed number, so that addresses wrap around: 192.0.2.9 precedes 10.96.0.10.
/// Such a comparison is not transitive, so the result depends on the algorithm: merge sort, as in the C library's qsort.
enum IPVSOrder {
    static func sorted(_ services: [IPVSService]) -> [IPVSService] {
        mergeSorted(services[...]) { compare(key($0), key($1)) <= 0 }
    }

    static func sorted(_ destinations: [IPVSDestination]) -> [IPVSDestination] {
        mergeSorted(destinations[...]) { compare(key($0.location), key($1.location)) <= 0 }
    }

    /// Returns mark, family, protocol, address in words of 32 bits, and port.
    private static func key(_ service: IPVSService) -> [UInt32] {
        switch service.key {
        case .firewallMark(let mark, let family): [mark, family == .ipv4 ? 0 : 1]
        case .address(let number, let location): [0, location.address.family == .ipv4 ? 0 : 1, UInt32(number)] + key(location)
        }
    }

    private static func key(_ location: AddressPort) -> [UInt32] {
        let bytes = location.address.bytes
        let words = stride(from: 0, to: bytes.count, by: 4).map { bytes[$0..<($0 + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
        return words + [UInt32(location.port)]
    }

    private static func compare(_ a: [UInt32], _ b: [UInt32]) -> Int32 {
        zip(a, b).lazy.map { Int32(bitPattern: $0 &- $1) }.first { $0 != 0 } ?? 0
    }

    private static func mergeSorted<Element>(_ elements: ArraySlice<Element>, _ areInOrder: (Element, Element) -> Bool) -> [Element] {
        guard elements.count > 1 else { return Array(elements) }
        let middle = elements.startIndex + elements.count / 2
        var first = mergeSorted(elements[..<middle], areInOrder)[...]
        var second = mergeSorted(elements[middle...], areInOrder)[...]
        var merged: [Element] = []
        while let a = first.first, let b = second.first {
            if areInOrder(a, b) { merged.append(first.removeFirst()) } else { merged.append(second.removeFirst()) }
        }
        return merged + first + second
    }
}

// The terms of ipvsadm for numbers of the kernel.

extension IPVSService {
    /// The mask of client addresses for persistence; nil if it includes all bits.
    var maskText: String? {
        switch family {
        case .ipv4: netmask == .max ? nil : "\(IPAddress(v4: netmask))"
        case .ipv6: netmask == 128 ? nil : "\(netmask)"
        }
    }

    /// `mh-fallback,mh-port`, `flag-3`; nil if no flag of the scheduler is set.
    ///
    /// ipvsadm 1.31 has no name for the third flag of sh and mh: it omits the flag, and prints an empty list if it is the only one.
    var schedulerFlagsText: String? {
        let flags = VirtualServer.Flags(rawValue: flags).intersection([.hashFallback, .hashPort, .schedulerFlag3])
        guard !flags.isEmpty else { return nil }
        let named = scheduler == "sh" || scheduler == "mh" ? flags.subtracting(.schedulerFlag3) : flags
        return named.schedulerFlagNames(scheduler).joined(separator: ",")
    }
}

extension IPVSDestination {
    private var method: RealServer.Forwarding? { RealServer.Forwarding(rawValue: forwarding) }

    var methodName: String {
        switch method {
        case .masquerade: "Masq"
        case .localNode: "Local"
        case .tunnel: "Tunnel"
        case .directRoute, .bypass, nil: "Route"
        }
    }

    var methodFlag: String {
        switch method {
        case .masquerade: "-m"
        case .tunnel: "-i"
        case .localNode, .directRoute, .bypass, nil: "-g"
        }
    }

    /// `ipip`, `gue:6080:-c`, `gre:+c`; `n/a` without a tunnel.
    var tunnelText: String {
        guard method == .tunnel else { return "n/a" }
        let checksum = tunnel.flags.contains(.checksum) ? "+c" : tunnel.flags.contains(.remoteChecksum) ? "r+c" : "-c"
        return switch tunnel.kind {
        case .ipip: "ipip"
        case .gue: "gue:\(tunnel.port):\(checksum)"
        case .gre: "gre:\(checksum)"
        }
    }

    /// The arguments in `ipvsadm -S`; empty without a tunnel.
    var tunnelArguments: String {
        guard method == .tunnel else { return "" }
        let checksum =
            tunnel.flags.contains(.checksum) ? "--tun-csum" : tunnel.flags.contains(.remoteChecksum) ? "--tun-remcsum" : "--tun-nocsum"
        return switch tunnel.kind {
        case .ipip: " --tun-type ipip"
        case .gue: " --tun-type gue --tun-port \(tunnel.port) \(checksum)"
        case .gre: " --tun-type gre \(checksum)"
        }
    }
}
