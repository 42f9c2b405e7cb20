internal import Model

/// What operations must not go past: an address must not answer, nor a virtual server serve, before what it stands on.
///
/// The order of a plan says what comes first; this says what must have gone through.
public struct Obstacles {
    private var rules: [IPFamily: Operation] = [:]
    private var servers: [IPAddress: Operation] = [:]
    private var names: [IPAddress: Operation] = [:]
    private var sets: [AddressSet.Name: Operation] = [:]
    private var bindings: [IPAddress: Operation] = [:]

    /// From operations that failed.
    public init(_ failed: some Sequence<Operation>) {
        for operation in failed {
            switch operation {
            case .restoreRules(let text, _): rules[text.family] = operation
            case .addVirtualServer(let server): servers[server.identity.location.address] = operation
            case .createSet(let set), .replaceSet(let set): sets[set.name] = operation
            case .bind(let address, _): bindings[address] = operation
            case .addMember(_, .address(let address), _): names[address] = operation
            case .addMember(_, .addressPort(let location, _), _): names[location.address] = operation
            default: break
            }
        }
    }

    /// What failed that the operation builds on; nil where nothing is in its way.
    public func obstacle(to operation: Operation) -> Operation? {
        switch operation {
        case .bind(let address, _): rules[address.family] ?? names[address] ?? servers[address]
        case .addVirtualServer(let server): rules[server.identity.family] ?? names[server.identity.location.address]
        case .addMember(let name, _, _), .removeMember(let name, _): sets[name]
        // They may serve until our rules stand in their place.
        case .removeLeftoverRules(let left): rules[left.family]
        case .deleteLeftoverTable(let family): rules[family]
        // Until then its datagrams go elsewhere, and are remembered anew.
        case .forgetFlows(let identity, _): bindings[identity.location.address]
        default: nil
        }
    }
}
