import NIOSSL
import Synchronization

/// An API server in this process: lists and watches in JSON over HTTP/1.1 or HTTP/2, from a store in memory, that can be told to misbehave.
final class TestAPIServer: Sendable {
    struct State {
        var store = ServerStore()
        var faults: [ServerCall: [ServerFault]] = [:]
        var watchers: [Int: Watcher] = [:]
        var nextWatcher = 0
        var token: String?
        var streamingLists = StreamingLists.supported
        var absent: Set<String> = []
        var requests: [String] = []
        var connections = 0
    }

    struct Watcher {
        var plural: String
        var items: AsyncStream<WatchItem>.Continuation
    }

    private let state = Mutex(State())
    private let listener: TestListener
    private let isSecure: Bool

    private init(_ listener: TestListener, isSecure: Bool) {
        self.listener = listener
        self.isSecure = isSecure
    }

    var port: Int { listener.port }
    var url: String { "\(isSecure ? "https" : "http")://127.0.0.1:\(port)" }

    /// Serves while `body` runs.
    static func serving(
        tls: TLSConfiguration? = nil, _ body: @escaping @Sendable (TestAPIServer) async throws -> Void
    ) async throws {
        let server = TestAPIServer(try await TestListener(tls: tls), isSecure: tls != nil)
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await server.listener.run({ server.withState { $0.connections += 1 } }) { exchange in
                    // A connection that a test breaks off, or a client that goes, is what is being tested.
                    try? await TestConnection(server: server, channel: exchange).run()
                }
            }
            defer { group.cancelAll() }
            try await body(server)
        }
    }

    func withState<Result: Sendable>(_ body: (inout State) throws -> Result) rethrows -> Result { try state.withLock { try body(&$0) } }
}

/// What tests do to a server.
extension TestAPIServer {
    func put(_ plural: String, _ objects: TestObject...) {
        for object in objects { withState { state in state.send(state.store.put(plural, object)) } }
    }

    func delete(_ plural: String, _ objects: TestObject...) {
        for object in objects { withState { state in state.store.delete(plural, object).map { state.send($0) } } }
    }

    /// Misbehaves at the next calls, once each.
    func fail(_ call: ServerCall, _ faults: ServerFault...) {
        withState { $0.faults[call, default: []] += faults }
    }

    /// Sends something to all who watch now.
    func interrupt(_ plural: String, _ items: WatchItem...) {
        withState { state in
            for watcher in state.watchers.values where watcher.plural == plural {
                for item in items { watcher.items.yield(item) }
            }
        }
    }

    func bookmark(_ plural: String, version: Int? = nil) {
        let version = withState { version ?? $0.store.version }
        interrupt(plural, .text(ServerKind(plural: plural).bookmark(version)))
    }

    func watcherCount(_ plural: String) -> Int { withState { state in state.watchers.values.count { $0.plural == plural } } }

    /// The targets asked for so far that contain a text.
    func requests(_ text: String) -> [String] { withState { $0.requests.filter { $0.contains(text) } } }
}

extension TestAPIServer.State {
    func send(_ event: ServerStore.Event) {
        for watcher in watchers.values where watcher.plural == event.plural { watcher.items.yield(.text(event.line)) }
    }

    mutating func fault(of call: ServerCall) -> ServerFault? {
        guard faults[call]?.isEmpty == false else { return nil }
        return faults[call]?.removeFirst()
    }
}
