internal import Kubernetes
internal import Model
internal import Synchronization

/// The combined progress of the reflectors of one feed: whether all lists are complete, whether the source is incomplete, and whether the
/// other Nodes are needed.
final class FeedProgress: Sendable {
    /// A set of objects that one reflector follows.
    enum Part: Hashable { case services, endpointSlices, node, otherNodes }

    private struct State {
        var unlisted: Set<Part> = [.services, .endpointSlices]
        var incompleteParts: Set<Part> = []
        var demand: OtherNodesDemand
        var otherNodes = OtherNodes.known
    }

    private let feed: ChangeFeed
    private let allowsExternalIP: (@Sendable (IPAddress) -> Bool)?
    private let state: Mutex<State>
    private let wake: AsyncStream<Void>.Continuation

    /// Yields when the other Nodes become needed; for a single consumer.
    let nodesNeeded: AsyncStream<Void>

    /// - Parameters:
    ///   - demand: the demand before any Service is known.
    ///   - allowsExternalIP: whether an external IP may be served, for the check against addresses of other Nodes; nil for no check.
    init(
        _ feed: ChangeFeed, demand: OtherNodesDemand = OtherNodesDemand(linger: .zero),
        allowsExternalIP: (@Sendable (IPAddress) -> Bool)? = nil
    ) {
        self.feed = feed
        self.allowsExternalIP = allowsExternalIP
        state = Mutex(State(demand: demand))
        (nodesNeeded, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Publishes changes. If they make the other Nodes needed, the same batch marks those as pending.
    ///
    /// - Parameter isIncomplete: whether there may be objects that failed to decode.
    func publish(_ changes: [ClusterChange], of part: Part, isIncomplete: Bool) {
        // Under the lock, so that one reflector does not overtake another.
        state.withLock { state in
            if part == .services || part == .endpointSlices {
                if isIncomplete { state.incompleteParts.insert(part) } else { state.incompleteParts.remove(part) }
                if !state.incompleteParts.isEmpty { feed.setIncomplete(true) }
            }
            // The source is complete only after the changes that complete it are published.
            defer { feed.setIncomplete(!state.incompleteParts.isEmpty) }
            if let allowsExternalIP, part == .services, state.demand.take(changes, allowing: allowsExternalIP) {
                set(.pending, &state, with: changes)
                if !state.unlisted.isEmpty { state.unlisted.insert(.otherNodes) }
                wake.yield()
            } else {
                feed.publish(changes)
            }
        }
    }

    /// Records that a part has been listed and the list published.
    func listed(_ part: Part) {
        state.withLock { state in
            if part == .otherNodes { set(.known, &state) }
            settle(part, &state)
        }
    }

    /// Continues without the other Nodes if they are still pending.
    ///
    /// - Returns: whether they were pending.
    func stopWaitingForOtherNodes() -> Bool {
        state.withLock { state in
            guard state.otherNodes == .pending else { return false }
            set(.unavailable, &state)
            settle(.otherNodes, &state)
            return true
        }
    }

    /// Whether the other Nodes have not been needed for a while; if so, they are no longer followed.
    func releaseNodes(at now: Timestamp) -> Bool {
        state.withLock { $0.demand.release(at: now) }
    }

    private func settle(_ part: Part, _ state: inout State) {
        guard state.unlisted.remove(part) != nil, state.unlisted.isEmpty else { return }
        feed.markSynced()
    }

    private func set(_ otherNodes: OtherNodes, _ state: inout State, with changes: [ClusterChange] = []) {
        state.otherNodes = otherNodes
        feed.publish([.otherNodes(otherNodes)] + changes)
    }
}
