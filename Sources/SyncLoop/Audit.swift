public import Model
internal import Reconciler

/// The schedule of audits, which read the complete kernel state once in every sync period to find external changes.
///
/// An audit is divided into slices, spread evenly over the period. A slice is read and compared in a task that runs concurrently with the
/// loop, so its findings may be out of date. The loop therefore observes each mismatch again itself, and only that observation is repaired
/// and reported.
public struct Audit: Sendable {
    /// A part of the kernel state that is read at once.
    public enum Slice: Hashable, Sendable {
        /// `kube-ipvs0` with its addresses and routes.
        case device
        case set(AddressSet.Name)
        /// All virtual servers, without their real servers.
        case headers
        case realServers([VirtualServer.Identity])
        case rules(IPFamily)

        /// The scope to read.
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

    /// The differences that the audit of a slice found.
    public struct Findings: Hashable, Sendable {
        /// Keys whose observed state differs from the baseline.
        public var mismatches = Scope.Selection()
        /// Virtual servers that are not in the baseline, ours or not.
        public var unexpected: [VirtualServer] = []

        public init() {}
    }

    /// The number of virtual servers whose real servers are read at once, which takes about ten milliseconds.
    static let sliceSize = 256

    private let period: Duration
    /// The remaining slices, in reverse order.
    private var slices: [Slice] = []
    /// The time between two slices.
    private var interval = Duration.zero
    /// When the next slice is due; nil until the kernel has been observed for the first time.
    private(set) var due: Timestamp?
    private(set) var running: Slice?
    /// The scope that the loop changed since the running slice started. Findings in it are ignored, as they may be older or newer than the
    /// baseline.
    private var changed = Scope.Selection()

    init(period: Duration) { self.period = period }

    /// Starts a new round after an observation of everything. The first slice follows after a fiftieth of the period, when the first
    /// changes have been applied.
    mutating func begin(at now: Timestamp) {
        slices = []
        due = now.advanced(by: period / 50)
    }

    private mutating func plan(_ mirror: NodeState) {
        // In reverse order: slices are taken from the end.
        slices = IPFamily.allCases.filter { mirror.rules[$0] != nil }.map(Slice.rules)
        let identities = mirror.virtualServers.keys.sorted()
        for start in stride(from: 0, to: identities.count, by: Audit.sliceSize) {
            slices.append(.realServers(Array(identities[start..<min(start + Audit.sliceSize, identities.count)])))
        }
        slices += mirror.sets.keys.sorted().map(Slice.set) + [.headers, .device]
        interval = period / slices.count
    }

    /// Returns the next slice and marks it as running; nil if none is due or one is running.
    mutating func next(_ mirror: NodeState, at now: Timestamp) -> Slice? {
        guard let due, due <= now, running == nil else { return nil }
        if slices.isEmpty { plan(mirror) }
        guard let slice = slices.popLast() else { return nil }
        running = slice
        changed = .init()
        self.due = max(due.advanced(by: interval), now)
        return slice
    }

    /// Records changes by the loop, so that the running slice does not report them as external.
    mutating func recordChanges(_ operations: some Sequence<Operation>) {
        guard running != nil else { return }
        for operation in operations { changed.formUnion(operation.scope) }
    }

    /// Ends the running slice.
    ///
    /// - Returns: its findings outside of the scope that the loop changed since the slice started.
    mutating func end(_ findings: Findings) -> Findings {
        defer { running = nil }
        var findings = findings
        let changed = changed
        findings.mismatches.virtualServers.subtract(changed.virtualServers)
        findings.mismatches.realServers.subtract(changed.virtualServers)
        findings.mismatches.addresses.subtract(changed.addresses)
        if changed.device { (findings.mismatches.device, findings.mismatches.addresses) = (false, []) }
        for (name, members) in findings.mismatches.members {
            guard let own = changed.members[name] else { continue }
            let external = members.subtracting(own)
            findings.mismatches.members[name] = external.isEmpty ? nil : external
        }
        findings.unexpected.removeAll { changed.virtualServers.contains($0.identity) }
        return findings
    }

    /// Ends the running slice after a failed read. The next round reads it again; the other slices continue.
    mutating func fail() { running = nil }
}

/// The expected state of an audit slice: the part of the mirror that it covers, copied when the slice starts.
public struct AuditBaseline: Sendable {
    private let mirror: NodeState

    init(_ slice: Audit.Slice, _ mirror: NodeState) {
        // Only the part that is compared: the loop has to copy shared storage when it changes it.
        var part = NodeState(hasDevice: mirror.hasDevice)
        part.isDeviceUp = mirror.isDeviceUp
        switch slice {
        case .device: (part.addresses, part.routes) = (mirror.addresses, mirror.routes)
        case .set(let name): part.sets[name] = mirror.sets[name]
        case .headers: part.virtualServers = mirror.virtualServers
        case .realServers(let identities): for identity in identities { part.virtualServers[identity] = mirror.virtualServers[identity] }
        case .rules: break
        }
        self.mirror = part
    }

    /// Returns the differences between an observation of `slice` and the baseline.
    public func findings(_ slice: Audit.Slice, _ observed: NodeState) -> Audit.Findings {
        var findings = Audit.Findings()
        switch slice {
        case .device:
            findings.mismatches.device = observed.hasDevice != mirror.hasDevice || (mirror.isDeviceUp && !observed.isDeviceUp)
            findings.mismatches.addresses = Set(mirror.addresses.keys).symmetricDifference(observed.addresses.keys)
            findings.mismatches.addresses.formUnion(mirror.routes.differences(from: observed.routes))
        case .set(let name):
            guard let expected = mirror.sets[name] else { break }
            guard let found = observed.sets[name], found.hasSameType(as: expected) else {
                findings.mismatches.members[name] = Set(expected.members.keys)
                break
            }
            let missing = expected.members.keys.filter { found.members[$0] == nil }
            let extra = found.members.keys.filter { expected.members[$0] == nil }
            if !missing.isEmpty || !extra.isEmpty { findings.mismatches.members[name] = Set(missing + extra) }
        case .headers:
            for (identity, expected) in mirror.virtualServers
            where !(observed.virtualServers[identity]?.hasSameConfiguration(as: expected) ?? false) {
                findings.mismatches.virtualServers.insert(identity)
            }
            findings.unexpected = observed.virtualServers.values.filter { mirror.virtualServers[$0.identity] == nil }
        case .realServers(let identities):
            for identity in identities {
                guard let expected = mirror.virtualServers[identity] else { continue }
                let found = observed.virtualServers[identity]?.realServers ?? []
                if !found.isAlike(expected.realServers, { $0.hasSameConfiguration(as: $1) }) {
                    findings.mismatches.realServers.insert(identity)
                }
            }
        case .rules: break
        }
        return findings
    }
}
