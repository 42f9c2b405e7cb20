public import Model

/// The kernel's table in the layout of `ipvsadm -L -n`, byte for byte as version 1.31 has it.
public struct IPVSListing {
    /// What is told of each real server.
    public enum Columns: Hashable, Sendable {
        /// Forwarding, weight and connections.
        case connections
        /// `--tun-info`: those, and how packets are wrapped.
        case tunnels
        /// `--stats`; `--exact` for whole numbers.
        case statistics(isExact: Bool)
        /// `--rate`
        case rates(isExact: Bool)
        case thresholds
        /// `--persistent-conn`
        case persistentConnections
    }

    private let services: [IPVSService]
    private let columns: Columns

    /// - Parameter isSorted: false for the kernel's own order (`--nosort`).
    public init(_ services: [IPVSService], columns: Columns = .connections, isSorted: Bool = true) {
        self.services = isSorted ? IPVSListing.sorted(services) : services
        self.columns = columns
    }

    /// In ipvsadm's order.
    public static func sorted(_ services: [IPVSService]) -> [IPVSService] {
        IPVSOrder.sorted(services).map { service in
            var service = service
            service.destinations = IPVSOrder.sorted(service.destinations)
            return service
        }
    }

    /// - Parameter info: nil for the listing of a single virtual server, which has no first line.
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

    /// A mark above 2³¹ is a negative number to ipvsadm.
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

    /// What ipvsadm counts of a real server wraps at 2³², but for bytes.
    fileprivate var countersOfDestination: [UInt64] { counters[..<3].map { $0 & 0xffff_ffff } + counters[3...] }
}

/// Numbers in columns of nine characters.
private struct Numbers {
    /// Without units, however long they get.
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
