public import Kubernetes
public import Model

/// A set of followed objects: decides the next step, and converts responses to changes.
struct Reflection<Object: Reflected> {
    private(set) var state: ReflectorState
    private(set) var held = PublishedObjects()

    /// - Parameter selection: the selectors of the objects.
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

    /// Processes a page of a list.
    mutating func take(_ page: ObjectList<Object>) -> [ClusterChange] {
        var changes = page.items.compactMap { put($0) }
        for problem in page.problems { _ = take(problem) }
        state.processPage(resourceVersion: page.resourceVersion, continueToken: page.continueToken)
        if page.continueToken == nil { changes += endList() }
        return changes
    }

    /// Processes an event of a watch; an error event is thrown, as it is the last.
    mutating func take(_ event: WatchEvent<Object>) throws(APIStatus) -> [ClusterChange] {
        switch event {
        case .added(let object), .modified(let object):
            state.processEvent(resourceVersion: object.resourceVersion)
            return [put(object)].compactMap(\.self)
        case .deleted(let object):
            state.processEvent(resourceVersion: object.resourceVersion)
            let name = object.object.namespacedName
            return held.remove(name) ? [Object.change(name, nil)] : []
        case .bookmark(let version, let isInitialEventsEnd):
            return state.processBookmark(resourceVersion: version, isInitialEventsEnd: isInitialEventsEnd) ? endList() : []
        case .error(let status): throw status
        }
    }

    /// Processes an object that failed to decode: its last valid version stays in force. Returns whether only a list can show what changed.
    mutating func take(_ problem: WireProblem) -> Bool {
        held.keepUnreadable(problem.object)
        // In a watch, it may have been deleted, or be any object; in a list, it exists.
        return state.resourceVersion != nil
    }

    /// Whether a step has completed a list and no watch follows.
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

/// A kind of object that can be followed.
public protocol Reflected: APIObject {
    /// Returns the change to publish; nil in place of the object means that it was deleted.
    static func change(_ name: NamespacedName, _ object: Self?) -> ClusterChange

    /// Returns the revision of the object, which must differ for a change to be published: by default its resource version.
    static func revision(_ object: Versioned<Self>) -> String
}

extension Service: Reflected {
    /// API servers before 1.31 cannot filter out headless Services, so they are filtered out here as well.
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
    /// The kubelet updates the status of its Node all the time, but rarely its addresses.
    public static func revision(_ object: Versioned<OtherNode>) -> String {
        "addresses " + object.object.node.addresses.map(\.address).joined(separator: " ")
    }

    public static func change(_ name: NamespacedName, _ object: OtherNode?) -> ClusterChange { .node(name.name, object?.node) }
}

extension Node: Reflected {
    public static func change(_ name: NamespacedName, _ object: Node?) -> ClusterChange { .node(name.name, object) }
}

/// The published objects and their revisions, to compare with a new list. The objects themselves are held elsewhere.
struct PublishedObjects: Hashable, Sendable {
    /// The state of a list in progress.
    private struct Listing: Hashable {
        /// Held objects that have not been in the list so far.
        var missing: Set<NamespacedName>
        var unreadable: Set<NamespacedName?> = []
    }

    private var revisions: [NamespacedName: String] = [:]
    /// Objects that exist, failed to decode and are not held in an earlier version; nil for one with an unreadable name.
    private var unreadable: Set<NamespacedName?> = []
    private var listing: Listing?

    var count: Int { revisions.count }

    var names: [NamespacedName] { Array(revisions.keys) }

    /// Whether there are objects of which only the existence is known.
    var isIncomplete: Bool { !unreadable.isEmpty || listing?.unreadable.isEmpty == false }

    /// Begins a list, discarding an unfinished one.
    mutating func beginList() { listing = Listing(missing: Set(revisions.keys)) }

    /// Records an object; returns whether it is new or changed.
    mutating func put(_ name: NamespacedName, revision: String) -> Bool {
        settle(name)
        let before = revisions.updateValue(revision, forKey: name)
        return before != revision || revision.isEmpty
    }

    /// Records an object that failed to decode: an earlier version, if held, stays.
    mutating func keepUnreadable(_ name: NamespacedName?) {
        if let name {
            settle(name)
            if revisions[name] != nil { return }
        }
        if listing == nil { unreadable.insert(name) } else { listing?.unreadable.insert(name) }
    }

    /// Removes an object; returns whether it was held.
    mutating func remove(_ name: NamespacedName) -> Bool {
        settle(name)
        return revisions.removeValue(forKey: name) != nil
    }

    /// Completes the list; returns the objects that no longer exist, sorted by name.
    mutating func endList() -> [NamespacedName] {
        guard let listing else { return [] }
        self.listing = nil
        unreadable = listing.unreadable
        for name in listing.missing { revisions[name] = nil }
        return listing.missing.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    }

    private mutating func settle(_ name: NamespacedName) {
        listing?.missing.remove(name)
        listing?.unreadable.remove(name)
        unreadable.remove(name)
    }
}
