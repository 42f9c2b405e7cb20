import Kubernetes
import Model
import Reconciler
import Synchronization

/// A kernel in memory that can refuse, lose and be meddled with.
actor MemoryKernel: Dataplane {
    var state = NodeState()
    var applied: [Operation] = []
    var observations: [Scope] = []
    private var refusals: [Operation.Kind: Int] = [:]
    /// Addresses that it has no real server on, as real kernels have none on a broadcast address.
    private var unwanted: Set<IPAddress> = []
    private var isBlind = false

    /// The next `count` operations of a kind fail.
    func refuse(_ kind: Operation.Kind, times count: Int) { refusals[kind] = count }
    func setUnwanted(_ addresses: Set<IPAddress>) { unwanted = addresses }
    func setBlind(_ blind: Bool) { isBlind = blind }
    func meddle(_ change: @Sendable (inout NodeState) -> Void) { change(&state) }
    private var dropped: [IPFamily: [Rules.Chain: UInt64]] = [:]
    func droppedPackets() -> [IPFamily: [Rules.Chain: UInt64]] { dropped }
    func setDropped(_ counts: [IPFamily: [Rules.Chain: UInt64]]) { dropped = counts }
    func forgetHistory() { (applied, observations) = ([], []) }

    struct Blind: Error {}

    func observe(_ scope: Scope) async throws -> NodeState {
        if isBlind { throw Blind() }
        observations.append(scope)
        guard case .only(let selection) = scope else { return state }
        var part = state
        part.virtualServers = [:]
        for (identity, server) in state.virtualServers {
            if selection.virtualServers.contains(identity) || selection.realServers.contains(identity) {
                part.virtualServers[identity] = server
            } else if selection.frame {
                part.virtualServers[identity] = VirtualServer(
                    identity, scheduler: server.scheduler, flags: server.flags, timeout: server.timeout)
            }
        }
        return part
    }

    func apply(_ operations: [Operation]) async -> Report {
        var report = Report()
        for operation in operations {
            if Obstacles(report.failures.map(\.operation)).obstacle(to: operation) != nil {
                report.failures.append(.init(operation, reason: "waits"))
                continue
            }
            applied.append(operation)
            if let left = refusals[operation.kind], left > 0 {
                refusals[operation.kind] = left - 1
                report.failures.append(.init(operation, reason: "refused"))
            } else if case .addRealServer(_, let server) = operation, unwanted.contains(server.location.address) {
                report.failures.append(.init(operation, reason: "invalid argument", isRefusal: true))
            } else {
                state.apply(operation)
            }
        }
        return report
    }

    // MARK: Addresses of the node

    private var addresses = Set(["10.99.0.2"].compactMap { IPAddress($0) })
    private(set) var addressReads = 0
    private let listeners = Mutex<[AsyncThrowingStream<Void, any Error>.Continuation]>([])

    func nodeAddresses() async throws -> Set<IPAddress> {
        addressReads += 1
        return addresses
    }

    nonisolated func nodeAddressChanges() -> AsyncThrowingStream<Void, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            listeners.withLock { $0.append(continuation) }
            continuation.yield()
        }
    }

    /// How often somebody began to listen.
    nonisolated var listenings: Int { listeners.withLock { $0.count } }

    func setAddresses(_ texts: String..., telling: Bool = true) {
        addresses = Set(texts.compactMap { IPAddress($0) })
        if telling { tellOfAddresses() }
    }

    nonisolated func tellOfAddresses() { listeners.withLock { _ = $0.last?.yield() } }

    nonisolated func stopTellingOfAddresses() { listeners.withLock { $0.last?.finish(throwing: Blind()) } }
}
