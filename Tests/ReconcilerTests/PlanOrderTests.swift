import Model
import Reconciler
import TestSupport
import Testing

extension Dictionary {
    /// Returns a copy in storage of another capacity, which iterates in another order.
    fileprivate func rehashed(_ capacity: Int) -> [Key: Value] {
        var copy = [Key: Value](minimumCapacity: capacity)
        for (key, value) in self { copy[key] = value }
        return copy
    }
}

@Suite struct `Planning` {
    private func state(members: Int, capacity: UInt32 = 65536) -> NodeState {
        let location = { (number: UInt32) in AddressPort(IPAddress(v4: 0x0a60_0000 + number), 80) }
        var set = AddressSet(AddressSet.Name("KUBE-CLUSTER-IP"), kind: .hashIPPort, family: .ipv4, capacity: capacity)
        var state = NodeState(hasDevice: true)
        for number in 0..<UInt32(members) {
            set.members.updateValue(nil, forKey: .addressPort(location(number), .tcp))
            state.addresses.updateValue(nil, forKey: location(number).address)
            let server = VirtualServer(
                .init(.tcp, location(number)), realServers: (1...4).map { RealServer(AddressPort(IPAddress(v4: 0x0af4_0000 + $0), 8080)) })
            state.virtualServers[server.identity] = server
        }
        state.sets[set.name] = set
        return state
    }

    @Test func `does not depend on the iteration order of its input`() {
        let (full, empty) = (state(members: 40), state(members: 0))
        var same = full
        same.virtualServers = full.virtualServers.rehashed(4000)
        same.addresses = full.addresses.rehashed(5000)
        for name in same.sets.keys { same.sets[name]?.members = full.sets[name]?.members.rehashed(6000) ?? [:] }
        #expect(Array(same.virtualServers.keys) != Array(full.virtualServers.keys), "the two iterate in different orders")
        for (from, to, other) in [(empty, full, same), (NodeState(), full, same)] {
            let one = Plan(from: from, to: to, drainTimeout: .zero, now: .seconds(0))
            #expect(one.operations == Plan(from: from, to: other, drainTimeout: .zero, now: .seconds(0)).operations)
        }
        let removal = Plan(from: full, to: empty, drainTimeout: .zero, now: .seconds(0))
        #expect(removal.operations == Plan(from: same, to: empty, drainTimeout: .zero, now: .seconds(0)).operations)
    }

    @Test func `keeps the members of a replaced set while removals are suspended`() throws {
        let (observed, desired) = (state(members: 3, capacity: 3), state(members: 1))
        var grown = desired
        grown.sets[AddressSet.Name("KUBE-CLUSTER-IP")]?.members.updateValue(
            nil, forKey: .addressPort(AddressPort(IPAddress(v4: 0x0a60_0100), 80), .tcp))
        for (isSuspended, count) in [(true, 4), (false, 2)] {
            let plan = Plan(from: observed, to: grown, drainTimeout: .zero, now: .seconds(0), suspendsRemovals: isSuspended)
            let replaced = plan.operations.compactMap { if case .replaceSet(let set) = $0 { set } else { nil } }
            #expect(try #require(replaced.first).members.count == count)
        }
    }
}
