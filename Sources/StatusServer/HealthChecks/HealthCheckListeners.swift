public import Model
public import SyncLoop
internal import Translation

/// Which health check node ports are to be open where, and for which Service.
public struct HealthCheckListeners: Hashable, Sendable {
    /// Whom a listener speaks for.
    public struct Subject: Hashable, Sendable {
        public var service: NamespacedName
        /// Clients of a family are told of endpoints of that family.
        public var family: IPFamily
    }

    public var subjects: [ListenAddress: Subject] = [:]
    /// Services whose port another one has.
    public var conflicts: [NamespacedName: ListenAddress] = [:]

    /// - Parameter current: who has a port keeps it.
    public init(_ status: ProxyStatus, current: [ListenAddress: Subject] = [:]) {
        for (service, check) in status.healthChecks.sorted(by: { $0.key < $1.key }) {
            for family in check.localEndpoints.keys {
                for address in HealthCheckListeners.addresses(status, family, check.port) {
                    claim(address, Subject(service: service, family: family), current)
                }
            }
        }
    }

    private mutating func claim(_ address: ListenAddress, _ subject: Subject, _ current: [ListenAddress: Subject]) {
        guard let holder = subjects[address] else {
            subjects[address] = subject
            return
        }
        let takesOver = current[address] == subject
        if takesOver { subjects[address] = subject }
        conflicts[takesOver ? holder.service : subject.service] = address
    }

    private static func addresses(_ status: ProxyStatus, _ family: IPFamily, _ port: UInt16) -> [ListenAddress] {
        switch status.healthCheckAddresses[family] {
        case .all: [ListenAddress(.all(family), port: port)]
        case .only(let addresses): addresses.map { ListenAddress(.address($0), port: port) }
        case nil: []
        }
    }
}
