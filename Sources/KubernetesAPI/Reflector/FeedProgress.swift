internal import Kubernetes
internal import Model
internal import Synchronization

/// What several reflectors together say about the feed that they share: whether everything is there, whether it is beyond doubt, and whether the
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

    /// One element after the other Nodes became needed; for a single reader.
    let nodesNeeded: AsyncStream<Void>

    /// - Parameters:
    ///   - demand: before any Service is known.
    ///   - allowsExternalIP: which external IPs are served, for the comparison with the addresses of other Nodes; nil for no comparison.
    init(
        _ feed: ChangeFeed, demand: OtherNodesDemand = OtherNodesDemand(linger: .zero),
        allowsExternalIP: (@Sendable (IPAddress) -> Bool)? = nil
    ) {
        self.feed = feed
        self.allowsExternalIP = allowsExternalIP
        state = Mutex(State(demand: demand))
        (nodesNeeded, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Publishes changes. Where they make the other Nodes needed, the same batch says that these are pending.
    ///
    /// - Parameter isIncomplete: whether there may be objects that cannot be read.
    func publish(_ changes: [ClusterChange], of part: Part, isIncomplete: Bool) {
        // Under the lock: two reflectors must not overtake each other.
        state.withLock { state in
            if part == .services || part == .endpointSlices {
                if isIncomplete { state.incompleteParts.insert(part) } else { state.incompleteParts.remove(part) }
                if !state.incompleteParts.isEmpty { feed.setIncomplete(true) }
            }
            // Doubt ends only after what ends it is known.
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

    /// Notes that a part has been listed and the list published.
    func listed(_ part: Part) {
        state.withLock { state in
            if part == .otherNodes { set(.known, &state) }
            settle(part, &state)
        }
    }

    /// Goes on without the other Nodes, should they still be pending.
    ///
    /// - Returns: whether they were.
    func stopWaitingForOtherNodes() -> Bool {
        state.withLock { state in
            guard state.otherNodes == .pending else { return false }
            set(.unavailable, &state)
            settle(.otherNodes, &state)
            return true
        }
    }

    /// Whether the other Nodes have not been needed for a while; if so, they are not followed any more.
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
