public import Model
internal import Reconciler

/// Goes over the whole kernel state in slices, spread over the sync period, to find what others changed.
///
/// A slice is read and compared beside the loop. What differs is observed once more by the loop itself: only that counts.
public struct Audit: Sendable {
    public enum Slice: Hashable, Sendable {
        /// `kube-ipvs0` and its addresses.
        case device
        case set(AddressSet.Name)
        /// All virtual servers, without their real servers.
        case headers
        case realServers([VirtualServer.Identity])
        case rules(IPFamily)

        /// What is to be read.
        public var scope: Scope {
            switch self {
            case .device: .only(.init(device: true))
            case .set(let name): .only(.init(members: [name: []]))
            case .headers: .only(.init(headers: true))
            case .realServers(let identities): .only(.init(realServers: Set(identities)))
            case .rules(let family): .only(.init(rules: [family]))
            }
        }
    }

    /// What a slice found to be other than expected.
    public struct Findings: Hashable, Sendable {
        public var suspects = Scope.Selection()
        /// Virtual servers that nobody expected.
        public var unexpected: [VirtualServer] = []

        public init() {}
    }

    /// Reading the real servers of so many virtual servers takes some ten milliseconds.
    static let sliceSize = 256

    private let period: Duration
    private var slices: [Slice] = []
    private var interval = Duration.zero
    /// When the next slice is due; nil before the kernel was observed for the first time.
    private(set) var due: Timestamp?
    private(set) var running: Slice?
    /// What the loop changed since the running slice began: what was read of it says nothing.
    private var touched = Scope.Selection()

    init(period: Duration) { self.period = period }

    /// Everything was observed just now: the first slice follows when what was missing has been programmed.
    mutating func begin(at now: Timestamp) {
        slices = []
        due = now.advanced(by: period / 50)
    }

    private mutating func plan(_ mirror: NodeState) {
        // Taken from the end.
        slices = IPFamily.allCases.filter { mirror.rules[$0] != nil }.map(Slice.rules)
        let identities = mirror.virtualServers.keys.sorted()
        for start in stride(from: 0, to: identities.count, by: Audit.sliceSize) {
            slices.append(.realServers(Array(identities[start..<min(start + Audit.sliceSize, identities.count)])))
        }
        slices += mirror.sets.keys.sorted().map(Slice.set) + [.headers, .device]
        interval = period / slices.count
    }

    /// The next slice, if it is due.
    mutating func next(_ mirror: NodeState, at now: Timestamp) -> Slice? {
        guard let due, due <= now, running == nil else { return nil }
        if slices.isEmpty { plan(mirror) }
        guard let slice = slices.popLast() else { return nil }
        running = slice
        touched = .init()
        self.due = max(due.advanced(by: interval), now)
        return slice
    }

    mutating func touch(_ operations: some Sequence<Operation>) {
        guard running != nil else { return }
        for operation in operations { touched.formUnion(operation.scope) }
    }

    /// Takes the findings of the running slice, without what the loop itself changed meanwhile.
    mutating func end(_ findings: Findings) -> Findings {
        defer { running = nil }
        var findings = findings
        let touched = touched
        findings.suspects.virtualServers.subtract(touched.virtualServers)
        findings.suspects.realServers.subtract(touched.virtualServers)
        findings.suspects.addresses.subtract(touched.addresses)
        if touched.device { (findings.suspects.device, findings.suspects.addresses) = (false, []) }
        for (name, members) in findings.suspects.members {
            guard let own = touched.members[name] else { continue }
            let rest = members.subtracting(own)
            findings.suspects.members[name] = rest.isEmpty ? nil : rest
        }
        findings.unexpected.removeAll { touched.virtualServers.contains($0.identity) }
        return findings
    }

    /// The running slice could not be read: the next round over the kernel tries it again, and the others go on.
    mutating func fail() { running = nil }
}

/// What a slice of an audit is compared with: what the kernel should hold there, as far as the loop has programmed it.
public struct AuditBaseline: Sendable {
    private let mirror: NodeState

    init(_ slice: Audit.Slice, _ mirror: NodeState) {
        // No more than is needed: while this is held, a change of it costs a copy.
        var part = NodeState(hasDevice: mirror.hasDevice)
        switch slice {
        case .device: part.addresses = mirror.addresses
        case .set(let name): part.sets[name] = mirror.sets[name]
        case .headers: part.virtualServers = mirror.virtualServers
        case .realServers(let identities): for identity in identities { part.virtualServers[identity] = mirror.virtualServers[identity] }
        case .rules: break
        }
        self.mirror = part
    }

    /// What of an observation is other than expected.
    public func findings(_ slice: Audit.Slice, _ observed: NodeState) -> Audit.Findings {
        var findings = Audit.Findings()
        switch slice {
        case .device:
            findings.suspects.device = observed.hasDevice != mirror.hasDevice
            findings.suspects.addresses = Set(mirror.addresses.keys).symmetricDifference(observed.addresses.keys)
        case .set(let name):
            guard let expected = mirror.sets[name] else { break }
            guard let found = observed.sets[name], found.isShapedLike(expected) else {
                findings.suspects.members[name] = Set(expected.members.keys)
                break
            }
            let missing = expected.members.keys.filter { found.members[$0] == nil }
            let extra = found.members.keys.filter { expected.members[$0] == nil }
            if !missing.isEmpty || !extra.isEmpty { findings.suspects.members[name] = Set(missing + extra) }
        case .headers:
            for (identity, expected) in mirror.virtualServers
            where !(observed.virtualServers[identity]?.isConfiguredLike(expected) ?? false) {
                findings.suspects.virtualServers.insert(identity)
            }
            findings.unexpected = observed.virtualServers.values.filter { mirror.virtualServers[$0.identity] == nil }
        case .realServers(let identities):
            for identity in identities {
                guard let expected = mirror.virtualServers[identity] else { continue }
                let found = observed.virtualServers[identity]?.realServers ?? [:]
                let isAlike =
                    found.count == expected.realServers.count
                    && found.values.allSatisfy { expected.realServers[$0.location]?.isConfiguredLike($0) ?? false }
                if !isAlike { findings.suspects.realServers.insert(identity) }
            }
        case .rules: break
        }
        return findings
    }
}
