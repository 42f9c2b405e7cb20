public import Model

/// The result of reading a part of the kernel state and comparing it with the expected state.
public struct Comparison: Sendable {
    public var findings: Result<Findings, any Error>
    /// The CPU time of reading and comparing, whether it succeeded or not.
    public var cost: Duration

    public init(_ findings: Result<Findings, any Error>, cost: Duration = .zero) {
        self.findings = findings
        self.cost = cost
    }
}

/// The differences between the kernel and the state that it is expected to have.
public struct Findings: Hashable, Sendable {
    /// Keys whose kernel state differs from the expected one.
    public var mismatches = Scope.Selection()
    /// Virtual servers that are not expected, of this program or others.
    public var unexpected: [VirtualServer] = []
    /// The addresses of this node on interfaces other than `kube-ipvs0`; nil if they were not read.
    public var nodeAddresses: Set<IPAddress>?

    public init() {}

    /// Compares an observation of the device with its addresses and routes, and of sets.
    public init(expected: NodeState, observed: NodeState, in selection: Scope.Selection) {
        if selection.device {
            mismatches.device = observed.hasDevice != expected.hasDevice || (expected.isDeviceUp && !observed.isDeviceUp)
            for address in expected.addresses.keys where observed.addresses[address] == nil { mismatches.addresses.insert(address) }
            for address in observed.addresses.keys where expected.addresses[address] == nil { mismatches.addresses.insert(address) }
            mismatches.addresses.formUnion(expected.routes.differences(from: observed.routes))
        }
        for name in selection.members.keys { compare(expected.sets[name], observed.sets[name]) }
    }

    private mutating func compare(_ expected: AddressSet?, _ found: AddressSet?) {
        guard let expected else { return }
        guard let found, found.hasSameType(as: expected) else {
            mismatches.members[expected.name] = Set(expected.members.keys)
            return
        }
        var members: Set<AddressSet.Member> = []
        for member in expected.members.keys where found.members[member] == nil { members.insert(member) }
        for member in found.members.keys where expected.members[member] == nil { members.insert(member) }
        if !members.isEmpty { mismatches.members[expected.name] = members }
    }
}
