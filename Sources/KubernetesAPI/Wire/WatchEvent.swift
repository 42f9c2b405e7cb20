/// An event of a watch (`meta/v1` WatchEvent).
public enum WatchEvent<Object: Sendable>: Sendable {
    case added(Versioned<Object>)
    case modified(Versioned<Object>)
    /// The state before the deletion, at the version of the deletion. An object that no longer matches the selectors is reported as deleted
    /// too.
    case deleted(Versioned<Object>)
    /// All events up to a version have been sent. The end of the initial events of a streaming list (annotation
    /// `k8s.io/initial-events-end`) is also a bookmark.
    case bookmark(resourceVersion: String, isInitialEventsEnd: Bool)
    /// The watch has failed and ends: 410 if its version has expired.
    case error(APIStatus)
}

extension WatchEvent: Equatable where Object: Equatable {}
extension WatchEvent: Hashable where Object: Hashable {}

/// The result of decoding a complete event.
enum EventOutcome<Object: APIObject> {
    case event(WatchEvent<Object>)
    case problem(WireProblem)

    /// The annotation of the bookmark that ends the initial events of a streaming list.
    private static var initialEventsEnd: String { "k8s.io/initial-events-end" }

    init(_ change: EventType.Change, _ decoded: Decoded<Object>) {
        switch (change, decoded) {
        case (_, .failure(let problem)): self = .problem(problem)
        case (.added, .success(let object)): self = .event(.added(object))
        case (.modified, .success(let object)): self = .event(.modified(object))
        case (.deleted, .success(let object)): self = .event(.deleted(object))
        }
    }

    init(bookmark resourceVersion: String, annotations: [String: String]) throws(WireError) {
        guard !resourceVersion.isEmpty else { throw WireError(field: "metadata.resourceVersion", message: "is required in a bookmark") }
        let isEnd = annotations[EventOutcome.initialEventsEnd] == "true"
        self = .event(.bookmark(resourceVersion: resourceVersion, isInitialEventsEnd: isEnd))
    }

    /// The end of a watch. Servers send a Status; a client has to expect anything.
    init(status: APIStatus?, kind: String) {
        self = .event(.error(status ?? APIStatus(code: 0, message: "the watch ended with a \(kind) instead of a Status")))
    }

    init(unreadableStatus error: WireError) {
        self = .event(.error(APIStatus(code: 0, message: "the watch ended with an unreadable Status: \(error)")))
    }
}

/// `type` of a watch event.
enum EventType: Hashable {
    enum Change { case added, modified, deleted }

    case changed(Change)
    case bookmark
    case error

    init?(rawValue: String) {
        switch rawValue {
        case "ADDED": self = .changed(.added)
        case "MODIFIED": self = .changed(.modified)
        case "DELETED": self = .changed(.deleted)
        case "BOOKMARK": self = .bookmark
        case "ERROR": self = .error
        default: return nil
        }
    }

    static func unknown(_ type: String) -> WireError {
        WireError(field: "type", message: "must be ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, not \(WireError.printable(type))")
    }
}
