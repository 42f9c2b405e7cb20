internal import Model
internal import Reconciler

/// What others changed: where the kernel is other than what was programmed last. Moments play no part in it.
enum Drift {
    /// - Parameters:
    ///   - mirror: what was programmed.
    ///   - observed: what there is of `selection`.
    static func subjects(from mirror: NodeState, to observed: NodeState, in selection: Scope.Selection) -> Set<Operation.Subject> {
        var subjects: Set<Operation.Subject> = []
        for identity in selection.virtualServers {
            let (expected, found) = (mirror.virtualServers[identity], observed.virtualServers[identity])
            if (expected == nil) != (found == nil) || expected.map({ !$0.isConfiguredLike(found ?? $0) }) ?? false {
                subjects.insert(.virtualServer(identity))
            }
            realServers(expected, found, identity, &subjects)
        }
        for identity in selection.realServers.subtracting(selection.virtualServers) {
            realServers(mirror.virtualServers[identity], observed.virtualServers[identity], identity, &subjects)
        }
        if selection.device || !selection.addresses.isEmpty {
            if mirror.hasDevice != observed.hasDevice { subjects.insert(.device) }
            let expected = Set(mirror.addresses.keys)
            let candidates = selection.device || !observed.hasDevice ? expected.union(observed.addresses.keys) : selection.addresses
            for address in candidates where expected.contains(address) != (observed.addresses[address] != nil) {
                subjects.insert(.address(address))
            }
        }
        for name in selection.members.keys {
            let (expected, found) = (mirror.sets[name], observed.sets[name])
            if let expected, found.map({ !$0.isShapedLike(expected) }) ?? true { subjects.insert(.set(name)) }
            let (wanted, there) = (Set(expected?.members.keys.map(\.self) ?? []), Set(found?.members.keys.map(\.self) ?? []))
            for member in wanted.symmetricDifference(there) { subjects.insert(.member(name, member)) }
        }
        return subjects
    }

    private static func realServers(
        _ expected: VirtualServer?, _ found: VirtualServer?, _ identity: VirtualServer.Identity, _ subjects: inout Set<Operation.Subject>
    ) {
        let (expected, found) = (expected?.realServers ?? [:], found?.realServers ?? [:])
        for (location, server) in expected where !(found[location]?.isConfiguredLike(server) ?? false) {
            subjects.insert(.realServer(identity, location))
        }
        for location in found.keys where expected[location] == nil { subjects.insert(.realServer(identity, location)) }
    }
}
