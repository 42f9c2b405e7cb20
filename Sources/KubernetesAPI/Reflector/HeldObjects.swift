internal import Model

/// Which objects have been published, in which revision: what a new list is compared with. The objects themselves are held elsewhere.
struct HeldObjects: Hashable, Sendable {
    /// What is collected while a list is under way.
    private struct Listing: Hashable {
        /// What is held and has not been in the list so far.
        var missing: Set<NamespacedName>
        var unread: Set<NamespacedName?> = []
    }

    private var revisions: [NamespacedName: String] = [:]
    /// Objects that are there, cannot be read and are not held in an earlier version; nil for one whose name cannot be read either.
    private var unread: Set<NamespacedName?> = []
    private var listing: Listing?

    var count: Int { revisions.count }

    var names: [NamespacedName] { Array(revisions.keys) }

    /// Whether there are objects of which nothing is known but that they exist.
    var isInDoubt: Bool { !unread.isEmpty || listing?.unread.isEmpty == false }

    /// A list begins; one that was under way and broke off is forgotten.
    mutating func beginList() { listing = Listing(missing: Set(revisions.keys)) }

    /// An object is there; returns whether that is news.
    mutating func put(_ name: NamespacedName, revision: String) -> Bool {
        settle(name)
        let before = revisions.updateValue(revision, forKey: name)
        return before != revision || revision.isEmpty
    }

    /// An object is there and cannot be read: the version that is held, if one is, stays.
    mutating func keepUnread(_ name: NamespacedName?) {
        if let name {
            settle(name)
            if revisions[name] != nil { return }
        }
        if listing == nil { unread.insert(name) } else { listing?.unread.insert(name) }
    }

    /// An object is gone; returns whether that is news.
    mutating func remove(_ name: NamespacedName) -> Bool {
        settle(name)
        return revisions.removeValue(forKey: name) != nil
    }

    /// The list is whole; returns what was held and is not there any more, in order.
    mutating func endList() -> [NamespacedName] {
        guard let listing else { return [] }
        self.listing = nil
        unread = listing.unread
        for name in listing.missing { revisions[name] = nil }
        return listing.missing.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    }

    private mutating func settle(_ name: NamespacedName) {
        listing?.missing.remove(name)
        listing?.unread.remove(name)
        unread.remove(name)
    }
}
