public import NIOSSL
import Synchronization

/// An API server in this process: lists, watches and writes in JSON and protobuf over HTTP/1.1 or HTTP/2, with an in-memory store and fault
/// injection.
public final class TestAPIServer: Sendable {
    let settings: ServerSettings
    private let state: Mutex<ServerState>
    private let listener: TestListener
    private let isSecure: Bool

    private init(_ listener: TestListener, settings: ServerSettings, isSecure: Bool) {
        self.listener = listener
        self.settings = settings
        self.isSecure = isSecure
        var state = ServerState()
        state.store = ServerStore(historyLimit: settings.historyLimit)
        self.state = Mutex(state)
    }

    /// The URL at which it listens.
    public var url: String {
        let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        return "\(isSecure ? "https" : "http")://\(host):\(listener.port)"
    }

    /// Serves while `body` runs.
    public static func serving(
        tls: TLSConfiguration? = nil, settings: ServerSettings = ServerSettings(),
        _ body: @escaping @Sendable (TestAPIServer) async throws -> Void
    ) async throws {
        let listener = try await TestListener(host: settings.host, port: settings.port, tls: tls)
        let server = TestAPIServer(listener, settings: settings, isSecure: tls != nil)
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await server.listener.run({ server.withState { $0.connections += 1 } }) { exchange in
                    // Tests break connections on purpose, and clients disconnect.
                    try? await TestConnection(server: server, channel: exchange).run()
                }
            }
            if let interval = settings.bookmarkInterval {
                group.addTask {
                    while true {
                        try await Task.sleep(for: interval)
                        server.withState { $0.sendBookmarks() }
                    }
                }
            }
            defer { group.cancelAll() }
            try await body(server)
        }
    }

    func withState<Result: Sendable>(_ body: (inout ServerState) throws -> Result) rethrows -> Result {
        try state.withLock { try body(&$0) }
    }

    /// The token that requests must have; nil to admit all requests.
    public func setToken(_ token: String?) { withState { $0.token = token } }

    /// Creates the items of a `List` in JSON.
    public func load(_ list: JSON) throws {
        for item in list["items"]?.items ?? [] {
            guard let resource = ServerResource.of(kind: item["kind"]?.text ?? "", apiVersion: item["apiVersion"]?.text ?? "") else {
                throw TestStatus.badRequest("an item of a kind that is not served")
            }
            let place = ServerStore.Place(resource: resource, namespace: item["metadata"]?["namespace"]?.text)
            try withState { state in state.send(try state.store.create(place, item)) }
        }
    }
}

/// The operations of tests on a server.
extension TestAPIServer {
    func put(_ plural: String, _ objects: TestObject...) {
        for object in objects { withState { state in state.send(state.store.put(plural, object)) } }
    }

    func delete(_ plural: String, _ objects: TestObject...) {
        for object in objects { withState { $0.delete(plural, key: object.key) } }
    }

    /// Injects faults into the next calls, one each.
    func fail(_ call: ServerCall, _ faults: ServerFault...) {
        withState { $0.faults[call, default: []] += faults }
    }

    /// Interrupts all current watchers.
    func interrupt(_ plural: String, _ interruptions: Interruption...) {
        withState { $0.interrupt(plural, interruptions) }
    }

    func bookmark(_ plural: String, version: Int? = nil) {
        withState { $0.interrupt(plural, [.bookmark(version ?? $0.store.version)]) }
    }

    func watcherCount(_ plural: String) -> Int { withState { state in state.watchers.values.count { $0.resource.plural == plural } } }

    /// The targets requested so far that contain a text.
    func requests(_ text: String) -> [String] { withState { $0.requests.filter { $0.contains(text) } } }
}

extension ServerStore {
    mutating func put(_ plural: String, _ object: TestObject) -> StoredEvent {
        guard let resource = ServerResource.named(plural) else { preconditionFailure("no resource \(plural)") }
        do {
            return try put(resource, object.json)
        } catch {
            preconditionFailure("\(plural) \(object.key): \(error)")
        }
    }
}
