public import Model

/// The kernel's table as input of `ipvsadm -R`.
public struct IPVSSave {
    private let services: [IPVSService]
    private let isComplete: Bool

    /// - Parameters:
    ///   - isSorted: False for the kernel's order (`--nosort`).
    ///   - isComplete: False for exactly the output of `ipvsadm -S -n`, version 1.31, which lacks thresholds and the third flag of sh and
    ///     mh, and has marks above 2³¹ in a format that it cannot read.
    public init(_ services: [IPVSService], isSorted: Bool, isComplete: Bool) {
        self.services = isSorted ? IPVSListing.sorted(services) : services
        self.isComplete = isComplete
    }

    /// One line per virtual and real server; empty without any.
    public var text: String {
        services.flatMap { service in
            let name = name(service.key)
            return [add(service, name)] + service.destinations.map { add($0, to: name) }
        }.map { $0 + "\n" }.joined()
    }

    private func name(_ key: IPVSService.Key) -> String {
        switch key {
        case .firewallMark(let mark, let family):
            "-f \(isComplete ? "\(mark)" : "\(Int32(bitPattern: mark))")\(family == .ipv6 ? " -6" : "")"
        case .address(_, let location):
            key.identity?.ipvsadmArguments ?? "-t \(location)"
        }
    }

    private func add(_ service: IPVSService, _ name: String) -> String {
        let flags = VirtualServer.Flags(rawValue: service.flags)
        var text = "-A \(name) -s \(service.scheduler)"
        if flags.contains(.persistent) {
            text += " -p \(service.timeout)"
            if let mask = service.maskText { text += " -M \(mask)" }
        }
        if let engine = service.persistenceEngine { text += " --pe \(engine)" }
        if flags.contains(.onePacket) { text += " -o" }
        if let names = schedulerFlags(service) { text += " -b \(names)" }
        return text
    }

    private func schedulerFlags(_ service: IPVSService) -> String? {
        guard isComplete else { return service.schedulerFlagsText }
        let names = VirtualServer.Flags(rawValue: service.flags).schedulerFlagNames(service.scheduler)
        return names.isEmpty ? nil : names.joined(separator: ",")
    }

    private func add(_ destination: IPVSDestination, to name: String) -> String {
        var text = "-a \(name) -r \(destination.location) \(destination.methodFlag) -w \(destination.weight)"
        if isComplete, destination.upperThreshold > 0 { text += " -x \(destination.upperThreshold)" }
        if isComplete, destination.lowerThreshold > 0 { text += " -y \(destination.lowerThreshold)" }
        return text + destination.tunnelArguments
    }
}
