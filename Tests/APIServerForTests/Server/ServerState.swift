/// All that changes in a test API server.
struct ServerState: Sendable {
    var store = ServerStore()
    var faults: [ServerCall: [ServerFault]] = [:]
    var watchers: [Int: Watcher] = [:]
    var nextWatcher = 0
    /// The token that lets in; nil to let everyone in.
    var token: String?
    var streamingLists = StreamingLists.supported
    /// What each watch from a version gets, by the plural of the resource, for as long as it stands here. Streamed lists are no such watches.
    var brokenWatches: [String: ServerFault] = [:]
    /// The minor version of Kubernetes whose selectors are understood.
    var minorVersion = 36
    /// Resources that there are none of.
    var absent: Set<String> = []
    /// How many deletions to come, of what, nobody who watches hears of.
    var lostDeletions: [String: Int] = [:]
    var requests: [String] = []
    var connections = 0

    /// Enough to tell what a program has asked for lately.
    private static let requestLimit = 100_000

    /// Tells all who watch.
    func send(_ event: StoredEvent) {
        // Those who watch in the same encoding get the same bytes.
        var frames: [WireEncoding: [EventType: WatchItem]] = [:]
        for watcher in watchers.values where watcher.resource == event.resource {
            guard let type = event.type(for: watcher.selector) else { continue }
            let frame = frames[watcher.encoding]?[type] ?? .bytes(event.frame(type, watcher.encoding))
            frames[watcher.encoding, default: [:]][type] = frame
            watcher.yield(frame)
        }
    }

    mutating func delete(_ plural: String, key: String) {
        let isTold = lostDeletions[plural, default: 0] == 0
        if !isTold { lostDeletions[plural, default: 0] -= 1 }
        if let event = store.delete(plural, key: key, isTold: isTold) { send(event) }
    }

    func interrupt(_ plural: String, _ interruptions: [Interruption]) {
        for watcher in watchers.values where watcher.resource.plural == plural || plural == "*" {
            for interruption in interruptions { watcher.yield(interruption.item(for: watcher, version: store.version)) }
        }
    }

    /// Tells those who want to know how far they are.
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
