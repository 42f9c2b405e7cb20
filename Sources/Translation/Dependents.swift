internal import Kubernetes
internal import Model

/// The Services that depend on parts of the node context other than addresses. If a part changes, only its dependents are translated again.
struct Dependents: Sendable {
    private var withNodePorts: Set<NamespacedName> = []
    private var withSourceRanges: Set<NamespacedName> = []
    private var withZoneHints: Set<NamespacedName> = []
    private var withExternalAddresses: Set<NamespacedName> = []

    func affected(by change: NodeContext.Change) -> Set<NamespacedName> {
        var services: Set<NamespacedName> = []
        if change.nodePortAddresses { services.formUnion(withNodePorts) }
        if change.primaryAddresses { services.formUnion(withSourceRanges) }
        if change.zone { services.formUnion(withZoneHints) }
        if change.otherNodes { services.formUnion(withExternalAddresses) }
        return services
    }

    /// - Parameter service: nil if it was removed.
    mutating func update(_ name: NamespacedName, _ service: Service?, _ slices: [EndpointSlice]) {
        withNodePorts.set(name, service?.ports.contains { $0.nodePort != 0 } ?? false)
        withSourceRanges.set(name, service?.loadBalancerSourceRanges.isEmpty == false)
        withExternalAddresses.set(name, service.map { !$0.externalIPs.isEmpty || !$0.loadBalancerIngress.isEmpty } ?? false)
        withZoneHints.set(name, service != nil && slices.indices.contains { slices[$0].hasZoneHints })
    }
}

extension Set {
    fileprivate mutating func set(_ member: Element, _ isMember: Bool) {
        if isMember { insert(member) } else if !isEmpty { remove(member) }
    }
}
