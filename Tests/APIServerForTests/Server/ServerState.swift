/// The mutable state of a test API server.
struct ServerState: Sendable {
    var store = ServerStore()
    var faults: [ServerCall: [ServerFault]] = [:]
    var watchers: [Int: Watcher] = [:]
    var nextWatcher = 0
    /// The token that requests must have; nil to admit all requests.
    var token: String?
    var streamingLists = StreamingLists.supported
    /// The fault of each watch from a version, by the plural of the resource, for as long as it is set. Streaming lists are not affected.
    var brokenWatches: [String: ServerFault] = [:]
    /// The minor version of Kubernetes whose selectors are supported.
    var minorVersion = 36
    /// Resources that the server does not have.
    var absent: Set<String> = []
    /// The number of deletions to come, by resource, that watchers are not notified of.
    var lostDeletions: [String: Int] = [:]
    var requests: [String] = []
    var connections = 0

    /// Enough to see what a program has requested lately.
    private static let requestLimit = 100_000

    /// Sends an event to all watchers.
    func send(_ event: StoredEvent) {
        // Watchers with the same encoding get the same bytes.
        var frames: [WireEncoding: [EventType: WatchItem]] = [:]
        for watcher in watchers.values where watcher.resource == event.resource {
            guard let type = event.type(for: watcher.selector) else { continue }
            let frame = frames[watcher.encoding]?[type] ?? .bytes(event.frame(type, watcher.encoding))
            frames[watcher.encoding, default: [:]][type] = frame
            watcher.yield(frame)
        }
    }

    mutating func delete(_ plural: String, key: String) {
        let notifiesWatchers = lostDeletions[plural, default: 0] == 0
        if !notifiesWatchers { lostDeletions[plural, default: 0] -= 1 }
        if let event = store.delete(plural, key: key, notifiesWatchers: notifiesWatchers) { send(event) }
    }

    func interrupt(_ plural: String, _ interruptions: [Interruption]) {
        for watcher in watchers.values where watcher.resource.plural == plural || plural == "*" {
            for interruption in interruptions { watcher.yield(interruption.item(for: watcher, version: store.version)) }
        }
    }

    /// Sends bookmarks to the watchers that accept them.
    func sendBookmarks() {
        for watcher in watchers.values where watcher.takesBookmarks {
            watcher.yield(Interruption.bookmark(store.version).item(for: watcher, version: store.version))
        }
    }

    mutating func fault(of call: ServerCall, _ request: TestRequest) -> ServerFault? {
        if request.isWatch, request["resourceVersion"] != nil, let fault = brokenWatches[call.plural] { return fault }
        guard faults[call]?.isEmpty == false else { return nil }
        return faults[call]?.removeFirst()
    }

    mutating func note(_ request: String) {
        requests.append(request)
        if requests.count > ServerState.requestLimit * 2 { requests.removeFirst(ServerState.requestLimit) }
    }
}
