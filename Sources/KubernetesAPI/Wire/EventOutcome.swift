/// What became of an event that arrived whole.
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
        self = .event(.error(APIStatus(code: 0, message: "the watch ended with a Status that cannot be read: \(error)")))
    }
}
