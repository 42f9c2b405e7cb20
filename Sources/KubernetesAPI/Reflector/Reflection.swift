public import Kubernetes
public import Model

/// One set of objects being followed: the next step, and what each answer means for those who are told of changes.
struct Reflection<Object: Reflected> {
    private(set) var state: ReflectorState
    private(set) var held = PublishedObjects()

    /// - Parameter selection: which of the objects there are.
    init(_ selection: ObjectSelection, _ settings: ReflectorSettings) {
        state = ReflectorState(settings, canOmitFields: selection.canOmitFields)
    }

    mutating func next(using generator: inout some RandomNumberGenerator) -> ReflectorStep {
        let step = state.next(objectCount: held.count, using: &generator)
        switch step {
        case .streamList, .page(_, _, continueToken: nil): held.beginList()
        case .page, .watch, .wait: break
        }
        return step
    }

    /// A page of a list.
    mutating func take(_ page: ObjectList<Object>) -> [ClusterChange] {
        var changes = page.items.compactMap { put($0) }
        for problem in page.problems { _ = take(problem) }
        state.tookPage(resourceVersion: page.resourceVersion, continueToken: page.continueToken)
        if page.continueToken == nil { changes += endList() }
        return changes
    }

    /// An event of a watch; an error is thrown, for it is the last.
    mutating func take(_ event: WatchEvent<Object>) throws(APIStatus) -> [ClusterChange] {
        switch event {
        case .added(let object), .modified(let object):
            state.tookEvent(resourceVersion: object.resourceVersion)
            return [put(object)].compactMap(\.self)
        case .deleted(let object):
            state.tookEvent(resourceVersion: object.resourceVersion)
            let name = object.object.namespacedName
            return held.remove(name) ? [Object.change(name, nil)] : []
        case .bookmark(let version, let isInitialEventsEnd):
            return state.tookBookmark(resourceVersion: version, isInitialEventsEnd: isInitialEventsEnd) ? endList() : []
        case .error(let status): throw status
        }
    }

    /// An object that cannot be understood: its last good version stays in force. Returns whether only a list can tell what has changed.
    mutating func take(_ problem: WireProblem) -> Bool {
        held.keepUnreadable(problem.object)
        // In a watch it may have been deleted, or be any object; in a list it is there.
        return state.resourceVersion != nil
    }

    /// Whether a step has brought a whole list and no watch is to follow.
    func isDone(_ step: ReflectorStep) -> Bool {
        guard case .streamList = step else { return false }
        return state.isListWithoutWatch(objectCount: held.count)
    }

    mutating func ended(after duration: Duration, using generator: inout some RandomNumberGenerator) {
        state.ended(after: duration, using: &generator)
    }

    mutating func failed(_ failure: ReflectorFailure, using generator: inout some RandomNumberGenerator) {
        state.failed(failure, using: &generator)
    }

    private mutating func put(_ object: Versioned<Object>) -> ClusterChange? {
        let name = object.object.namespacedName
        guard held.put(name, revision: Object.revision(object)) else { return nil }
        return Object.change(name, object.object)
    }

    private mutating func endList() -> [ClusterChange] {
        held.endList().map { Object.change($0, nil) }
    }
}

/// An object of the API that can be followed.
public protocol Reflected: APIObject {
    /// The change that the rest of the program gets; nil in place of the object means that it is gone.
    static func change(_ name: NamespacedName, _ object: Self?) -> ClusterChange

    /// What has to differ for the object to be news: by default its resource version.
    static func revision(_ object: Versioned<Self>) -> String
}

extension Service: Reflected {
    /// API servers before 1.31 cannot leave headless Services out, so they are left out here too.
    public static func change(_ name: NamespacedName, _ object: Service?) -> ClusterChange {
        .service(name, object?.isHeadless == true ? nil : object)
    }
}

extension EndpointSlice: Reflected {
    public static func change(_ name: NamespacedName, _ object: EndpointSlice?) -> ClusterChange { .endpointSlice(name, object) }
}

extension Reflected {
    public static func revision(_ object: Versioned<Self>) -> String { object.resourceVersion }
}

extension OtherNode: Reflected {
    /// The kubelet updates the status of its Node all the time, and its addresses hardly ever.
    public static func revision(_ object: Versioned<OtherNode>) -> String {
        "addresses " + object.object.node.addresses.map(\.address).joined(separator: " ")
    }

    public static func change(_ name: NamespacedName, _ object: OtherNode?) -> ClusterChange { .node(name.name, object?.node) }
}

extension Node: Reflected {
    public static func change(_ name: NamespacedName, _ object: Node?) -> ClusterChange { .node(name.name, object) }
}

/// Which objects have been published, in which revision: what a new list is compared with. The objects themselves are held elsewhere.
struct PublishedObjects: Hashable, Sendable {
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
    var isIncomplete: Bool { !unread.isEmpty || listing?.unread.isEmpty == false }

    /// A list begins; one that was under way and broke off is forgotten.
    mutating func beginList() { listing = Listing(missing: Set(revisions.keys)) }

    /// An object is there; returns whether that is news.
    mutating func put(_ name: NamespacedName, revision: String) -> Bool {
        settle(name)
        let before = revisions.updateValue(revision, forKey: name)
        return before != revision || revision.isEmpty
    }

    /// An object is there and cannot be read: the version that is held, if one is, stays.
    mutating func keepUnreadable(_ name: NamespacedName?) {
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
