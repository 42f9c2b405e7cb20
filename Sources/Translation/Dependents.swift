internal import Kubernetes
internal import Model

/// Which Services a change of their surroundings concerns: those alone are translated again.
struct Dependents: Sendable {
    private var wanting: [IPAddress: Set<NamespacedName>] = [:]
    private var wanted: [NamespacedName: Set<IPAddress>] = [:]
    private var withNodePorts: Set<NamespacedName> = []
    private var withSourceRanges: Set<NamespacedName> = []
    private var withZoneHints: Set<NamespacedName> = []
    private var withExternalAddresses: Set<NamespacedName> = []

    func concerned(by change: NodeContext.Change) -> Set<NamespacedName> {
        var services: Set<NamespacedName> = []
        for address in change.addresses { services.formUnion(wanting[address] ?? []) }
        if change.nodePortAddresses { services.formUnion(withNodePorts) }
        if change.primaryAddresses { services.formUnion(withSourceRanges) }
        if change.zone { services.formUnion(withZoneHints) }
        if change.otherNodes { services.formUnion(withExternalAddresses) }
        return services
    }

    /// - Parameter service: nil where it is gone.
    mutating func note(_ name: NamespacedName, _ service: Service?, _ slices: [EndpointSlice], _ state: ServiceState) {
        note(name, state.wanted)
        withNodePorts.set(name, service?.ports.contains { $0.nodePort != 0 } ?? false)
        withSourceRanges.set(name, service?.loadBalancerSourceRanges.isEmpty == false)
        withExternalAddresses.set(name, service.map { !$0.externalIPs.isEmpty || !$0.loadBalancerIngress.isEmpty } ?? false)
        withZoneHints.set(name, service != nil && slices.contains(where: \.hasZoneHints))
    }

    private mutating func note(_ name: NamespacedName, _ addresses: Set<IPAddress>) {
        let before = wanted[name] ?? []
        guard before != addresses else { return }
        for address in before.subtracting(addresses) {
            wanting[address]?.remove(name)
            if wanting[address]?.isEmpty == true { wanting[address] = nil }
        }
        for address in addresses.subtracting(before) { wanting[address, default: []].insert(name) }
        wanted[name] = addresses.isEmpty ? nil : addresses
    }
}

extension Set {
    fileprivate mutating func set(_ member: Element, _ isIn: Bool) {
        if isIn { insert(member) } else { remove(member) }
    }
}
