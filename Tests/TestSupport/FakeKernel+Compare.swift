public import Model
public import Reconciler

extension FakeKernel {
    /// Reads a selection of an audit and compares it with the expected state.
    public mutating func compare(with expected: NodeState, in selection: Scope.Selection) throws -> Findings {
        let observed = try observe(.only(selection))
        var findings = Findings()
        if selection.device {
            findings.mismatches.device = observed.hasDevice != expected.hasDevice || expected.isDeviceUp && !observed.isDeviceUp
            findings.mismatches.addresses = Set(expected.addresses.keys).symmetricDifference(observed.addresses.keys)
            for address in Set(expected.routes.keys).union(observed.routes.keys)
            where expected.routes[address].map(\.source) != observed.routes[address].map(\.source) {
                findings.mismatches.addresses.insert(address)
            }
        }
        for name in selection.members.keys {
            guard let wanted = expected.sets[name] else { continue }
            let found = observed.sets[name]
            let isSameType = found.map { $0.kind == wanted.kind && (wanted.kind == .bitmapPort || $0.family == wanted.family) } ?? false
            let members = Set(wanted.members.keys).symmetricDifference(isSameType ? Set((found ?? wanted).members.keys) : [])
            if !isSameType || !members.isEmpty { findings.mismatches.members[name] = members }
        }
        if selection.headers {
            for (identity, wanted) in expected.virtualServers
            where observed.virtualServers[identity].map(FakeKernel.header) != FakeKernel.header(wanted) {
                findings.mismatches.virtualServers.insert(identity)
            }
            findings.unexpected = observed.virtualServers.values.filter { expected.virtualServers[$0.identity] == nil }
        }
        for identity in selection.realServers {
            guard let wanted = expected.virtualServers[identity] else { continue }
            let found = observed.virtualServers[identity]?.realServers ?? []
            if Set(found.map(FakeKernel.plain)) != Set(wanted.realServers.map(FakeKernel.plain)) {
                findings.mismatches.realServers.insert(identity)
            }
        }
        return findings
    }
}
