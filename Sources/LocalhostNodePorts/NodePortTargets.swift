public import Model

/// Where connections to a node port of 127.0.0.1 go on to.
public struct NodePortTarget: Hashable, Sendable {
    /// The same node port on an address of the node: what answers there decides policy, affinity and masquerade.
    public var location: AddressPort
    public var origin: ServiceOrigin

    public init(location: AddressPort, origin: ServiceOrigin) {
        self.location = location
        self.origin = origin
    }
}

/// Which node ports answer on 127.0.0.1: those of TCP that have a virtual server on an IPv4 address of the node.
public struct NodePortTargets: Sendable {
    private var virtualServers: [UInt16: [IPAddress: ServiceOrigin]] = [:]
    /// By node port; of several addresses the lowest.
    public private(set) var targets: [UInt16: NodePortTarget] = [:]

    public init() {}

    /// Takes over what changed in the desired state.
    ///
    /// - Parameter scope: where it may differ from before.
    /// - Returns: whether that makes other targets.
    public mutating func update(_ scope: Scope, of desired: NodeState) -> Bool {
        let before = targets
        switch scope {
        case .everything:
            (virtualServers, targets) = ([:], [:])
            for identity in desired.virtualServers.keys { update(identity, of: desired) }
        case .only(let selection):
            for identity in selection.virtualServers { update(identity, of: desired) }
        }
        return targets != before
    }

    private mutating func update(_ identity: VirtualServer.Identity, of desired: NodeState) {
        let location = identity.location
        // Nothing that comes from loopback may lead back there.
        guard identity.transport == .tcp, identity.family == .ipv4, !location.address.isLoopback else { return }
        let origin = desired.virtualServers[identity]?.origin
        virtualServers[location.port, default: [:]][location.address] = origin?.kind == .nodePort ? origin : nil
        guard let lowest = virtualServers[location.port]?.min(by: { $0.key < $1.key }) else {
            virtualServers[location.port] = nil
            targets[location.port] = nil
            return
        }
        targets[location.port] = NodePortTarget(location: AddressPort(lowest.key, location.port), origin: lowest.value)
    }
}
