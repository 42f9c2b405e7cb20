public import Model
internal import Reconciler

/// The schedule of audits, which read the complete kernel state again and again to find external changes.
///
/// A round of audits is divided into slices. A slice is read and compared in a task that runs concurrently with the loop, so its findings
/// may be out of date. The loop therefore observes each mismatch again itself, and only that observation is repaired and reported.
///
/// There are three rounds, each once in a sync period: one of the rules, an overview of everything else except real servers, and one of the
/// real servers, spread over the period. `AuditPace` makes the last two longer if they would use too much CPU time. The number of rules
/// hardly depends on the number of Services.
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

        /// The selection to read.
        public var selection: Scope.Selection {
            switch self {
            case .device: .init(device: true)
            case .set(let name): .init(members: [name: []])
            case .headers: .init(headers: true)
            case .realServers(let identities): .init(realServers: Set(identities))
            case .rules(let family): .init(rules: [family])
            }
        }

        /// Returns the part of the mirror that the slice is compared with.
        ///
        /// Only that part: the loop has to copy shared storage when it changes it.
        func expected(in mirror: NodeState) -> NodeState {
            var part = NodeState(hasDevice: mirror.hasDevice)
            part.isDeviceUp = mirror.isDeviceUp
            switch self {
            case .device: (part.addresses, part.routes) = (mirror.addresses, mirror.routes)
            case .set(let name): part.sets[name] = mirror.sets[name]
            case .headers:
                (part.virtualServers, part.addresses, part.routes) = (mirror.virtualServers, mirror.addresses, mirror.routes)
            case .realServers(let identities):
                for identity in identities { part.virtualServers[identity] = mirror.virtualServers[identity] }
            case .rules: break
            }
            return part
        }
    }

    /// The maximum number of virtual servers whose real servers are read at once.
    static let sliceSize = 256
    /// The number of real servers after which a slice ends.
    private static let realServersPerSlice = 4096

    private let period: Duration
    private var pace: AuditPace
    private var rules: AuditRound
    private var overview: AuditRound
    private var realServers: AuditRound
    private(set) var running: Slice?
    private(set) var failures = AuditFailures()
    /// When the running slice started.
    private var started = Timestamp(nanoseconds: 0)
    /// The scope that the loop changed since the running slice started. Findings in it are ignored, as they may be older or newer than the
    /// baseline.
    private var changed = Scope.Selection()

    init(period: Duration) {
        self.period = period
        pace = AuditPace()
        rules = AuditRound(period: period, isSpread: false)
        overview = AuditRound(period: period, isSpread: false)
        realServers = AuditRound(period: period, isSpread: true)
    }

    /// The duration of a round that was last returned by `popLongRound`.
    private var announced = Duration.zero

    /// Returns the duration of the longest of the last rounds if it is above two sync periods and has doubled since it was last returned.
    mutating func popLongRound() -> Duration? {
        let longest = max(overview.last ?? .zero, realServers.last ?? .zero)
        guard longest > period * 2, longest > announced * 2 else { return nil }
        announced = longest
        return longest
    }

    /// How often the parts of the kernel state are read, and the CPU time of that.
    public var status: AuditStatus { AuditStatus(overview: overview.last, realServers: realServers.last, cost: pace.cost) }

    /// Starts new rounds after an observation of everything. The first slice follows after a fiftieth of the period, when the first
    /// changes have been applied.
    mutating func begin(at now: Timestamp) {
        rules.begin(at: now)
        overview.begin(at: now)
        realServers.begin(at: now)
    }

    /// When the next slice is due; nil until the kernel has been observed for the first time.
    var due: Timestamp? {
        guard let rules = rules.due, let overview = overview.due, let realServers = realServers.due else { return nil }
        return min(rules, pace.earliest(overview, isOverview: true), pace.earliest(realServers, isOverview: false))
    }

    /// The slices of the overview, in order.
    private static func overview(of mirror: NodeState) -> [Slice] {
        [.device, .headers] + mirror.sets.keys.sorted().map(Slice.set)
    }

    private static func rules(of mirror: NodeState) -> [Slice] { IPFamily.allCases.filter { mirror.rules[$0] != nil }.map(Slice.rules) }

    private static func realServers(of mirror: NodeState) -> [Slice] {
        var slices: [Slice] = []
        var identities: [VirtualServer.Identity] = []
        var count = 0
        for (identity, server) in mirror.virtualServers {
            identities.append(identity)
            count += server.realServers.count
            guard identities.count == sliceSize || count >= realServersPerSlice else { continue }
            slices.append(.realServers(identities))
            (identities, count) = ([], 0)
        }
        if !identities.isEmpty { slices.append(.realServers(identities)) }
        return slices
    }

    /// Returns the next slice and marks it as running; nil if none is due or one is running.
    mutating func next(_ mirror: NodeState, at now: Timestamp) -> Slice? {
        guard running == nil, let slice = take(mirror, at: now) else { return nil }
        running = slice
        started = now
        changed = .init()
        return slice
    }

    private mutating func take(_ mirror: NodeState, at now: Timestamp) -> Slice? {
        if let due = rules.due, due <= now, let slice = rules.next(at: now, { Audit.rules(of: mirror) }) { return slice }
        guard let overviewDue = overview.due, let realServersDue = realServers.due else { return nil }
        let isOverviewDue = pace.earliest(overviewDue, isOverview: true) <= now
        let areRealServersDue = pace.earliest(realServersDue, isOverview: false) <= now
        // Real servers are spread over the period. Once they are late, the overview goes first: it is shorter, and takes at most half of
        // the time.
        if isOverviewDue, !areRealServersDue || realServers.isLate(at: now) {
            return overview.next(at: now) { Audit.overview(of: mirror) }
        }
        guard areRealServersDue else { return nil }
        let slice = realServers.next(at: now) { Audit.realServers(of: mirror) }
        if slice == nil { failures.remove(.realServers) }
        return slice
    }

    /// Records changes by the loop, so that the running slice does not report them as external.
    mutating func recordChanges(_ operations: some Sequence<Operation>) {
        guard running != nil else { return }
        for operation in operations { operation.addScope(to: &changed) }
    }

    /// Ends the running slice. A failure to read real servers ends with a round of them without one.
    ///
    /// - Returns: its findings outside of the scope that the loop changed since the slice started.
    mutating func end(_ findings: Findings, cost: Duration) -> Findings {
        if let part = running?.part, part != .realServers || realServers.isReadCompletely { failures.remove(part) }
        stop(cost)
        var findings = findings
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

    /// Ends the running slice after a failed read. It is read again after the other slices of its round, and then in the next round.
    mutating func fail(_ slice: Slice, _ error: any Error, cost: Duration) -> ObservationFailure {
        stop(cost)
        if slice.isOfOverview { overview.fail(slice, from: started) } else { realServers.fail(slice, from: started) }
        return failures.record(slice.part, error)
    }

    /// Ends the running slice of rules, which are read by a task of their own.
    mutating func endRules() { running = nil }

    /// Records that such a task has failed.
    mutating func failRules(_ family: IPFamily, _ error: any Error) -> ObservationFailure { failures.record(.rules(family), error) }

    /// Records that the rules have been read.
    ///
    /// - Parameter cost: the CPU time of an audit of them. The other audits leave room for it, but keep half of their share, so that rules of
    ///   others, which may be many, do not stop them.
    mutating func readRules(_ family: IPFamily, cost: Duration, at now: Timestamp) {
        failures.remove(.rules(family))
        pace.reserve(min(cost, period / (AuditPace.divisor * 2 * IPFamily.allCases.count)), from: now)
    }

    private mutating func stop(_ cost: Duration) {
        if let running { pace.record(cost, from: started, isOverview: running.isOfOverview) }
        running = nil
    }
}

extension Audit.Slice {
    fileprivate var isOfOverview: Bool {
        if case .realServers = self { false } else { true }
    }
}

/// How often the kernel state is audited: the times from the start of the last complete round to the start of the next; nil before the
/// second round.
public struct AuditStatus: Hashable, Sendable {
    /// Of the rounds of the device with its addresses and routes, the headers of virtual servers, and the sets.
    public var overview: Duration?
    /// Of the rounds of all real servers.
    public var realServers: Duration?
    /// The CPU time of all audits so far.
    public var cost: Duration

    public init(overview: Duration? = nil, realServers: Duration? = nil, cost: Duration = .zero) {
        self.overview = overview
        self.realServers = realServers
        self.cost = cost
    }
}
