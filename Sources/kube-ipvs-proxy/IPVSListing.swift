internal import KernelDataplane
internal import Model

/// The kernel's table in the layout of `ipvsadm -L -n`.
struct IPVSListing {
    let info: IPVSInfo
    let services: [IPVSService]

    var text: String {
        var lines = [
            "IP Virtual Server version \(info.versionText) (size=\(info.connectionTableSize))",
            "Prot LocalAddress:Port Scheduler Flags",
            "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
        ]
        for service in IPVSOrder.sorted(services) {
            lines.append(IPVSListing.line(service))
            lines += IPVSOrder.sorted(service.destinations).map(IPVSListing.line)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func line(_ service: IPVSService) -> String {
        var text: String
        switch service.key {
        case .firewallMark(let mark, let family): text = "FWM  \(mark)\(family == .ipv6 ? " IPv6" : "")"
        case .address(let number, let location):
            let name = UInt8(exactly: number).flatMap(Transport.init(number:))?.rawValue ?? "\(number)"
            text = "\(padded(name, 4)) \(location)"
        }
        text += " \(service.scheduler)"
        let flags = VirtualServer.Flags(rawValue: service.flags)
        let names = flags.schedulerFlagNames(service.scheduler)
        if !names.isEmpty { text += " (\(names.joined(separator: ",")))" }
        if flags.contains(.persistent) {
            text += " persistent \(service.timeout)"
            if service.family == .ipv4, service.netmask != .max { text += " mask \(IPAddress(v4: service.netmask))" }
            if service.family == .ipv6, service.netmask != 128 { text += " mask \(service.netmask)" }
        }
        if let engine = service.persistenceEngine { text += " pe \(engine)" }
        if flags.contains(.onePacket) { text += " ops" }
        return text
    }

    private static func line(_ destination: IPVSDestination) -> String {
        let method =
            switch RealServer.Forwarding(rawValue: destination.forwarding) {
            case .masquerade: "Masq"
            case .localNode: "Local"
            case .tunnel: "Tunnel"
            case .directRoute, .bypass, nil: "Route"
            }
        let connections = destination.connections
        return "  -> \(padded("\(destination.location)", 28)) \(padded(method, 7)) \(padded("\(destination.weight)", 6)) "
            + "\(padded("\(connections.active)", 10)) \(padded("\(connections.inactive)", 10))"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }
}
