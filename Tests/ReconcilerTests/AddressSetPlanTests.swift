import Model
import Reconciler
import Testing

/// The members of a set before and after a change.
private struct Change: CustomStringConvertible, Sendable {
    var name: String
    var kind: AddressSetType
    var family = IPFamily.ipv4
    var before: [AddressSet.Member] = []
    var after: [AddressSet.Member] = []

    var description: String { name }
}

private func at(_ address: String, _ port: UInt16) -> AddressPort { AddressPort(IPAddress(address) ?? IPAddress(v4: 0), port) }
private func net(_ text: String) -> CIDR { CIDR(text) ?? CIDR(host: IPAddress(v4: 0)) }

private let changes: [Change] = [
    Change(name: "the first member", kind: .hashIPPort, after: [.addressPort(at("172.16.1.2", 80), .tcp)]),
    Change(
        name: "no change", kind: .hashIPPort, before: [.addressPort(at("172.16.1.2", 80), .tcp)],
        after: [.addressPort(at("172.16.1.2", 80), .tcp)]),
    Change(
        name: "one member replaced by two of another protocol", kind: .hashIPPort, before: [.addressPort(at("172.16.1.2", 53), .udp)],
        after: [.addressPort(at("172.16.1.1", 80), .tcp), .addressPort(at("172.16.1.2", 80), .tcp)]),
    Change(
        name: "no change in IPv6", kind: .hashIPPortIP, family: .ipv6,
        before: [.addressPortAddress(at("fd00::1", 80), .tcp, at("fd00::1", 0).address)],
        after: [.addressPortAddress(at("fd00::1", 80), .tcp, at("fd00::1", 0).address)]),
    Change(
        name: "one member replaced", kind: .hashIPPortIP,
        before: [.addressPortAddress(at("10.0.0.1", 80), .tcp, at("10.0.0.1", 0).address)],
        after: [.addressPortAddress(at("10.0.0.2", 80), .tcp, at("10.0.0.2", 0).address)]),
    Change(
        name: "a host replaced by a range", kind: .hashIPPortNet,
        before: [.addressPortNet(at("10.0.0.1", 80), .tcp, net("192.168.0.7/32"))],
        after: [.addressPortNet(at("10.0.0.1", 80), .tcp, net("192.168.0.0/16"))]),
    Change(
        name: "no change of an IPv6 host", kind: .hashIPPortNet, family: .ipv6,
        before: [.addressPortNet(at("fd00::1", 80), .udp, net("fd00:9::7/128"))],
        after: [.addressPortNet(at("fd00::1", 80), .udp, net("fd00:9::7/128"))]),
    Change(
        name: "all members removed", kind: .hashIP, before: [.address(at("10.0.0.1", 0).address), .address(at("10.0.0.2", 0).address)]),
    Change(name: "one port replaced", kind: .bitmapPort, before: [.port(30080)], after: [.port(30081)]),
    Change(name: "all ports but one removed", kind: .bitmapPort, before: (30000...30009).map { .port($0) }, after: [.port(30005)]),
    Change(
        name: "SCTP", kind: .hashIPPort, after: [.addressPort(at("10.0.0.1", 36412), .sctp), .addressPort(at("10.0.0.1", 36412), .tcp)]),
    Change(name: "SCTP in IPv6", kind: .hashIPPort, family: .ipv6, after: [.addressPort(at("fd00::1", 36412), .sctp)]),
]

@Suite struct `A set in a plan` {
    private func state(_ change: Change, _ members: [AddressSet.Member]) -> NodeState {
        let members = Dictionary(members.map { ($0, ServiceOrigin?.none) }, uniquingKeysWith: { first, _ in first })
        return NodeState(
            hasDevice: true, sets: [AddressSet(AddressSet.Name("KUBE-A"), kind: change.kind, family: change.family, members: members)])
    }

    @Test(arguments: changes) fileprivate func `gets only the differing members added and removed, additions first`(change: Change) {
        let plan = Plan(
            from: state(change, change.before), to: state(change, change.after), drainTimeout: .seconds(900), now: .seconds(0))
        let name = AddressSet.Name("KUBE-A")
        let gained = Set(change.after).subtracting(change.before).map { Operation.addMember(name, $0, nil) }
        let lost = Set(change.before).subtracting(change.after).map { Operation.removeMember(name, $0) }
        #expect(Set(plan.operations.prefix(gained.count)) == Set(gained))
        #expect(Set(plan.operations.dropFirst(gained.count)) == Set(lost))
        #expect(plan.operations.count == gained.count + lost.count)
    }

    @Test func `is created with kube-proxy's size, or larger if its members require it`() {
        let few = Change(name: "few", kind: .hashIP)
        guard case .createSet(let set)? = plan(creating: state(few, [.address(at("10.0.0.1", 0).address)])).first else {
            Issue.record("no set is created")
            return
        }
        #expect(set.capacity == 65536 && set.members.isEmpty)
        let many = state(few, (0..<70000 as Range<UInt32>).map { .address(IPAddress(v4: $0)) })
        let operations = plan(creating: many)
        guard case .createSet(let large)? = operations.first else {
            Issue.record("no set is created")
            return
        }
        #expect(large.capacity == 262144 && operations.count == 70001)
    }

    private func plan(creating desired: NodeState) -> [Operation] {
        Plan(from: NodeState(hasDevice: true), to: desired, drainTimeout: .seconds(900), now: .seconds(0)).operations
    }

    @Test func `of another type or family is replaced with all its members in one operation`() {
        let wanted = Change(name: "wanted", kind: .hashIPPort, after: [.addressPort(at("10.0.0.1", 80), .tcp)])
        for other in [Change(name: "kind", kind: .hashIP), Change(name: "family", kind: .hashIPPort, family: .ipv6)] {
            let operations = Plan(
                from: state(other, []), to: state(wanted, wanted.after), drainTimeout: .seconds(900), now: .seconds(0)
            ).operations
            guard case .replaceSet(let set)? = operations.first, operations.count == 1 else {
                Issue.record("\(other): \(operations)")
                continue
            }
            #expect(Set(set.members.keys) == Set(wanted.after))
        }
    }

    @Test func `that is read because of one member gets all members that others changed`() {
        let (one, two, extra) = (at("10.0.0.1", 80), at("10.0.0.2", 80), at("10.0.0.3", 80))
        func state(_ locations: AddressPort...) -> NodeState {
            self.state(Change(name: "", kind: .hashIPPort), locations.map { .addressPort($0, .tcp) })
        }
        let name = AddressSet.Name("KUBE-A")
        let desired = state(one, two)
        var reconciler = Reconciler(drainTimeout: .seconds(900))
        reconciler.merge(desired, of: .everything, desired: desired, at: .seconds(0)) { _ in true }
        reconciler.carryOut(desired)
        let scope = Scope.only(.init(members: [name: [.addressPort(one, .tcp)]]))
        reconciler.invalidate(scope)
        // Another tool has removed one member, and added another one.
        reconciler.merge(state(one, extra), of: scope, desired: desired, at: .seconds(1)) { _ in true }
        #expect(
            reconciler.carryOut(desired, at: .seconds(1)).operations == [
                .addMember(name, .addressPort(two, .tcp), nil), .removeMember(name, .addressPort(extra, .tcp)),
            ])
    }
}
