internal import Kubernetes
internal import Synchronization

/// What several reflectors together can say about the feed that they share: whether everything is there, and whether it is beyond doubt.
final class FeedProgress: Sendable {
    private struct State {
        var unlisted: Set<String>
        var inDoubt: Set<String> = []
    }

    private let feed: ChangeFeed
    private let essential: Set<String>
    private let state: Mutex<State>

    /// `essential` are the resources, by their plural, without which nothing can be planned.
    init(_ feed: ChangeFeed, essential: [APIResource]) {
        self.feed = feed
        self.essential = Set(essential.map(\.plural))
        state = Mutex(State(unlisted: self.essential))
    }

    /// Tells whether there may be objects of a resource that cannot be read; to be called before what is known of the others is published.
    func note(_ resource: APIResource, isInDoubt: Bool) {
        guard essential.contains(resource.plural) else { return }
        // Told under the lock: two reflectors must not overtake each other.
        state.withLock { state in
            if isInDoubt { state.inDoubt.insert(resource.plural) } else { state.inDoubt.remove(resource.plural) }
            feed.setInDoubt(!state.inDoubt.isEmpty)
        }
    }

    /// Tells that a resource has been listed and the list published.
    func listed(_ resource: APIResource) {
        state.withLock { state in
            state.unlisted.remove(resource.plural)
            if state.unlisted.isEmpty { feed.markSynced() }
        }
    }
}
