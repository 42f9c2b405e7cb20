public import Model

/// The target of connections to a node port on 127.0.0.1.
public struct NodePortTarget: Hashable, Sendable {
    /// The same node port on an address of the node, where policy, affinity and masquerade apply.
    public var location: AddressPort
    public var origin: ServiceOrigin

    public init(location: AddressPort, origin: ServiceOrigin) {
        self.location = location
        self.origin = origin
    }
}

/// The node ports to serve on 127.0.0.1: TCP ports with a virtual server on an IPv4 address of the node.
public struct NodePortTargets: Sendable {
    private var virtualServers: [UInt16: [IPAddress: ServiceOrigin]] = [:]
    /// By node port; the lowest of several addresses.
    public private(set) var targets: [UInt16: NodePortTarget] = [:]

    public init() {}

    /// Applies changes of the desired state.
    ///
    /// - Parameter scope: the parts that may differ from before.
    /// - Returns: whether the targets changed.
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
        // A target on a loopback address would lead back to the relay.
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
