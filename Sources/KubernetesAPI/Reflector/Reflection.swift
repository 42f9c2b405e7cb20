internal import Kubernetes
internal import Model

/// One set of objects being followed: the next step, and what each answer means for those who are told of changes.
struct Reflection<Object: Reflected> {
    private(set) var state: ReflectorState
    private(set) var held = HeldObjects()

    /// - Parameter selection: which of the objects there are.
    init(_ selection: Selection, _ settings: ReflectorSettings) {
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
        held.keepUnread(problem.object)
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
